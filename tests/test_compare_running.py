"""Trials in processes of their own: at the same time, and each for itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from comparing import configured, here, look, pack, write_trace

from backpack.compare import running
from backpack.compare.contenders import Contender
from backpack.compare.running import in_processes, jobs_by_default
from backpack.compare.survey import survey
from backpack.compare.trial import Ending, Outcome, Pruning, Trial

POLICIES = '''
"""What ends the process that asks it, in several ways, or never answers."""

import os, signal, sys, time

print("a policy that prints")

def killed(request):
    os.kill(os.getpid(), signal.SIGKILL)

def gone(request):
    os._exit(3)

def leaving(request):
    raise SystemExit("enough")

def waiting(request):
    with open("waiting", "a") as file:
        file.write(f"{os.getpid()}\\n")
    time.sleep(60)
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A trace that is too much for 8 KiB."""
    operations = [pack("a", f"{number:900}") for number in range(40)]
    return write_trace(tmp_path / "t.jsonl", [*operations, look(0), look(39)])


def using(folder: Path, name: str) -> Contender:
    """Return a contender with one of the policies above, in a folder on the path."""
    (folder / "ends_of_processes.py").write_text(POLICIES)
    path = folder / f"{name}.yaml"
    path.write_text(
        "max_history_size: 8 KiB\nreference: {use: stub, max_value_size: 1 KiB}\n"
        f"storage: {{use: full}}\npruning: {{use: 'ends_of_processes:{name}'}}\n"
    )
    return Contender(path.name, file=str(path))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_process_that_ends_costs_its_own_trial_alone(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is told how it ended; the others come to what they come to in this process."""
    monkeypatch.syspath_prepend(str(tmp_path))
    ends = [Trial(using(tmp_path, name)) for name in ("killed", "gone", "leaving")]
    good = Trial(configured(tmp_path)[0], 8192)
    told: list[tuple[int, int]] = []
    known = survey(path)
    found = in_processes(2)(
        [*ends, good], path, known, lambda done, total: told.append((done, total))
    )

    assert [
        Outcome(Ending.DIED, error="its process was killed by signal 9"),
        Outcome(Ending.DIED, error="its process ended with exit code 3 before it was done"),
        Outcome(Ending.DIED, error="its process met SystemExit: enough"),
    ] == found[:3]
    assert here([good], path, known, None) == found[3:]
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    assert ("", "") == capfd.readouterr()


def test_an_interrupt_ends_all_processes(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is left behind, whatever it is doing."""

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    started = []
    honest = running._started

    def noted(*arguments: object) -> object:
        started.append(honest(*arguments))  # type: ignore[arg-type]
        return started[-1]

    monkeypatch.setattr(running, "_started", noted)
    known = survey(path)
    trials = [Trial(configured(tmp_path)[0], 8192, pruning) for pruning in Pruning]
    with pytest.raises(KeyboardInterrupt):
        in_processes(2)(trials, path, known, interrupt)
    assert 2 <= len(started)
    for each in started:
        with pytest.raises(ValueError, match="closed"):
            each.process.is_alive()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_ctrl_c_leaves_no_process_behind(path: Path, tmp_path: Path) -> None:
    """A terminal sends it to all; the command ends its line, and exits with 130."""
    contender = using(tmp_path, "waiting")
    command = [sys.executable, "-m", "backpack", "compare", str(path), "--jobs", "1"]
    process = subprocess.Popen(
        [*command, "--config", str(contender.file)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    noted = tmp_path / "waiting"
    try:
        deadline = time.monotonic() + 60
        while not noted.exists() or not noted.read_text().endswith("\n"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert (130, b"", b"\n") == (process.returncode, out, err)
    for pid in noted.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


def test_there_is_a_job_for_each_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are for us, where that can be told."""
    assert jobs_by_default() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert 3 == jobs_by_default()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert 1 == jobs_by_default()
