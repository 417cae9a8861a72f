"""The laws from the command line: what it prints, how it exits, and what it survives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backpack.spec import command as spec_command
from backpack.spec.laws import laws_of

MODULE = '''
import os, re, sys
from attrs import frozen
from backpack.records import HeldVersion, PruneRequest, SupersededVersion

print("imported")

class Good:
    def __call__(self, request: PruneRequest):
        candidates = [each.id for each in request.candidates]
        return candidates[: -(-len(candidates) // 5)]

class Bad:
    def __call__(self, request: PruneRequest):
        print("pruning")
        candidates = [each.id for each in request.candidates]
        return candidates[: len(candidates) // 5]

class Crashes:
    def __call__(self, request: PruneRequest):
        os.kill(os.getpid(), 9)

class Exits:
    def __call__(self, request: PruneRequest):
        os._exit(3)

class Holds:
    """Never let the interpreter go."""
    def __call__(self, request: PruneRequest):
        re.match(r"(a+)+$", "a" * 60 + "b")

class Needs:
    def __init__(self, inner):
        pass
    def __call__(self, request: PruneRequest):
        return []

def bare(anything):
    return []

def plain():
    return object()
'''
BROKEN_MODULE = "import os\nos._exit(4)\n"


@pytest.fixture
def backpack(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs the command in a folder with some policies."""
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "ends.py").write_text(BROKEN_MODULE, encoding="utf-8")
    (tmp_path / "agent.yaml").write_text(
        "max_history_size: 1 MiB\npruning: {use: 'mine:Bad'}\n", encoding="utf-8"
    )

    def run(*arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *flags, "-m", "backpack", "check", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.no_cover
@pytest.mark.parametrize("flags", [(), ("-O",)])
def test_a_good_policy_exits_with_0(backpack: Command, flags: tuple[str, ...]) -> None:
    """With and without assertions."""
    options = ("--laws", "PR1,PR2,B1", "--seed", "1", "--examples", "5")
    done = backpack("mine:Good", *options, flags=flags)
    assert (0, "") == (done.returncode, done.stderr)
    assert "mine:Good (pruning), seed 1, 5 examples" in done.stdout
    assert done.stdout.rstrip().endswith("Holds: 3 passed.")


@pytest.mark.parametrize("flags", [(), ("-O",)])
def test_a_broken_law_exits_with_1(backpack: Command, flags: tuple[str, ...]) -> None:
    """The report says how to have it again; and that it prints."""
    done = backpack("mine:Bad", "--laws", "PR2", "--seed", "1", flags=flags)
    assert 1 == done.returncode
    again = "backpack check mine:Bad --axis pruning --laws PR2 --seed 1 --examples 200"
    assert f"Again: {again}" in done.stdout
    assert "Note: the policy prints, as in: pruning" in done.stdout
    once_more = backpack(*again.split()[2:], flags=flags)
    assert (1, done.stdout) == (once_more.returncode, once_more.stdout)


def test_a_report_for_programs(backpack: Command) -> None:
    """JSON, and nothing else on standard output."""
    done = backpack("mine:Bad", "mine:Nope", "--laws", "PR1,PR2", "--seed", "1", "--json")
    assert 1 == done.returncode
    told = json.loads(done.stdout)
    (report,) = told["reports"]
    assert (False, "mine:Bad") == (told["ok"], report["subject"])
    assert ["passed", "broken"] == [verdict["outcome"] for verdict in report["verdicts"]]
    assert ["#", "commit", "bytes", "pinned", "offered", "chosen"] == (
        report["verdicts"][1]["table"]["columns"]
    )
    assert ["mine:Nope"] == list(told["errors"])


def test_what_is_expected_to_fail(backpack: Command) -> None:
    """Is told with its reason."""
    done = backpack("mine:Bad", "--laws", "PR2", "--expect", "PR2=keeps four", "--seed", "1")
    assert 0 == done.returncode
    assert "keeps four" in done.stdout
    done = backpack("mine:Bad", "--expect", "PR2")
    assert (2, "--expect wants ID=REASON") == (done.returncode, done.stderr[10:34])


def test_built_in_policies_go_by_their_names(backpack: Command) -> None:
    """As in a configuration."""
    done = backpack("oldest", "compressed", "--laws", "PO1,PR1,ST1", "--examples", "20")
    assert 0 == done.returncode, done.stderr
    assert "oldest (pruning)" in done.stdout
    assert "compressed (storage)" in done.stdout


@pytest.mark.no_cover
def test_a_configuration_is_checked_axis_by_axis(backpack: Command) -> None:
    """Every policy of it, and a small Backpack with all of them."""
    laws = ("--laws", "SI1,RE1,ST1,PR1,PR2,B1")
    done = backpack("--config", "agent.yaml", *laws, "--examples", "3", "--seed", "1", "--json")
    assert 1 == done.returncode, done.stderr
    reports = json.loads(done.stdout)["reports"]
    assert ["sizing", "reference", "storage", "pruning", "container"] == [
        report["axis"] for report in reports
    ]
    assert [True, True, True, False, True] == [report["ok"] for report in reports]
    done = backpack("--config", "agent.yaml", "--no-imports")
    assert (2, True) == (done.returncode, "imports are off" in done.stderr)


@pytest.mark.no_cover
def test_a_preset_is_checked(backpack: Command) -> None:
    """By its name."""
    laws = ("--laws", "SI1,RE1,ST1,PR1,B1,A1")
    done = backpack("--preset", "high-frequency", *laws, "--examples", "2", "--seed", "1")
    assert 0 == done.returncode, done.stdout
    done = backpack("--preset", "short-livd")
    assert (2, True) == (done.returncode, "did you mean 'short-lived'?" in done.stderr)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mine:Nope", "'mine' has nothing called 'Nope'; check the spelling"),
        ("nowhere:X", "no module is called 'nowhere'; is it installed, or its folder on"),
        (
            "mine:Needs",
            "backpack: mine:Needs needs the argument 'inner'; write a function without arguments",
        ),
        (
            "mine:bare",
            "backpack: mine:bare fits several axes: sizing, reference, pruning; annotate its",
        ),
        (
            "mine:plain",
            "backpack: mine:plain is no policy: a sizing policy is called with one NewValue",
        ),
        ("ends:X", "the process that checks it ended with exit code 4, before any law was tried"),
        ("oldst", "no policy is called 'oldst'; did you mean 'oldest'?"),
        ("zzzzzz", "no policy is called 'zzzzzz'; a class is written 'package.module:Class'"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(
    backpack: Command, target: str, message: str
) -> None:
    """And exits with 2, naming the target once; what else was to be checked is checked."""
    done = backpack(target, "mine:Good", "--laws", "PR3", "--seed", "1")
    assert 2 == done.returncode
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"backpack: {target}")
    assert message in line
    assert "Holds: 1 passed." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what to check: a TARGET, --preset or --config, one of them"),
        (("oldest", "--preset", "default"), "say what to check"),
        (("oldest", "--laws", "PR9"), "no law is called 'PR9'; did you mean"),
        (("oldest", "--laws", "SI1"), "none of SI1 binds what is to be checked"),
        (("oldest", "--axis", "storage"), "no storage policy is called 'oldest'"),
        (("oldest", "--axis", "x"), "there is no axis 'x'"),
        (("oldest", "--examples", "0"), "examples"),
    ],
)
def test_bad_options_exit_with_2(
    backpack: Command, arguments: tuple[str, ...], message: str
) -> None:
    """Each with one line that says what is allowed."""
    done = backpack(*arguments)
    assert (2, "") == (done.returncode, done.stdout)
    assert message in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there are no signals")
def test_a_crash_is_told_and_the_rest_goes_on(backpack: Command) -> None:
    """A law in which the process dies is broken; the next one is tried in another process."""
    done = backpack("mine:Crashes", "--laws", "PO1,PR3", "--seed", "1", "--json")
    assert 1 == done.returncode
    verdicts = json.loads(done.stdout)["reports"][0]["verdicts"]
    assert ["PO1", "PR3"] == [verdict["law"] for verdict in verdicts]
    assert "Trying it, the process was killed by signal 9." == verdicts[0]["why"]


def test_an_exit_is_told(backpack: Command) -> None:
    """As what it is."""
    done = backpack("mine:Exits", "--laws", "PO1", "--seed", "1")
    assert 1 == done.returncode
    assert "It raised SystemExit: os._exit(3)." in done.stdout


def test_what_holds_the_interpreter_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Even where no thread runs any more."""
    (tmp_path / "mine.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(spec_command, "_SILENCE", 3.0)
    job = spec_command.Job("it", target="mine:Holds", laws=["PR3"], time_limit=1.0)
    result = spec_command.check(job, lambda *_: None)
    assert "Trying it, the process held the interpreter for more than 3 seconds." == (
        result.reports[0]["PR3"].why
    )
    assert 1 == spec_command.exit_code([result])


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law by law."""
    monkeypatch.chdir(tmp_path)
    seen: list[Any] = []
    job = spec_command.Job("it", target="oldest", laws=["PR1", "PR3"], examples=5)
    result = spec_command.check(job, lambda *told: seen.append(told))
    assert (True, 0) == (result.ok, spec_command.exit_code([result]))
    assert [("PR1", 0, 2), ("PR3", 1, 2)] == seen


def test_without_hypothesis_it_says_what_to_install(tmp_path: Path) -> None:
    """The library does not need it; checking does."""
    (tmp_path / "hypothesis.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'hypothesis'\", name='hypothesis')\n",
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "backpack", "check", "oldest"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    needed = 'checking needs the package hypothesis; pip install "backpack-memory[spec]" brings it'
    assert (2, f"backpack: {needed}\n") == (done.returncode, done.stderr)
    command = [sys.executable, "-c", "import backpack.spec"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    needed = 'backpack.spec needs Hypothesis; pip install "backpack-memory[spec]" brings it'
    assert done.stderr.endswith(f"ModuleNotFoundError: {needed}\n")


@pytest.mark.no_cover
def test_the_laws_of_a_target_are_those_of_its_axis_and_the_container(backpack: Command) -> None:
    """Nothing is left out."""
    done = backpack("none", "--examples", "1", "--seed", "1", "--json")
    laws = [verdict["law"] for verdict in json.loads(done.stdout)["reports"][0]["verdicts"]]
    assert [*laws_of("pruning"), *laws_of("container")] == laws
