"""The comparison with other stores measures what it says, and finds out who lies."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from peers import command, contenders, ledger, memory, records, runner, workloads
from peers.plain import Serialized

from backpack.codec import MsgpackCodec

try:
    memory.total()
except OSError:
    pytest.skip("neither psutil nor /proc is here", allow_module_level=True)

#: The contenders that need nothing beyond what the tests need.
PLAIN = ["Backpack, default", "list of deep copies", "list of bytes", "sqlite3"]
ISOLATED = {
    "Backpack, default": "writer, reader",
    "list of deep copies": "writer",
    "list of bytes": "writer, reader",
    "sqlite3": "writer, reader",
}

LIAR = """
from peers.plain import Serialized

class Liar(Serialized):
    def read(self, commit, key):
        value = super().read(commit, key)
        return value[1:] if key == "messages" and commit == 7 else value
"""


class Store(Serialized):
    """A store with some answers of its own."""

    def __init__(self, answers: dict[int, object]) -> None:
        super().__init__(Path())
        self.answers = answers

    def read(self, commit: int, key: str) -> Any:
        """Return, or raise, what was said for this commit."""
        if commit not in self.answers:
            return super().read(commit, key)
        answer = self.answers[commit]
        if isinstance(answer, Exception):
            raise answer
        return answer


def filled(answers: dict[int, object], steps: int = 30) -> tuple[Store, ledger.Ledger]:
    """Return a store and a ledger of the same commits."""
    store, book = Store(answers), ledger.Ledger(steps)
    for key, value in workloads.steps_of("small", steps, None):
        store.commit(key, value)
        book.note(key, value)
    book.settle()
    return store, book


def run(*arguments: str) -> Any:
    """Run the command at its smallest."""
    smallest = ["--scale", "0.002", "--repeat", "1", "--reads", "20"]
    return CliRunner().invoke(command.main, [*smallest, *arguments])


@pytest.mark.no_cover
def test_every_plain_contender_answers_right(tmp_path: Path) -> None:
    """What each of them keeps can be read, and is measured and written down."""
    out = tmp_path / "peers.md"
    chosen = [option for name in PLAIN for option in ("--contender", name)]
    done = run("--workload", "window", "--out", str(out), *chosen)
    assert 0 == done.exit_code, done.output
    rows = json.loads(out.with_suffix(".json").read_text())["rows"]["window"]
    assert PLAIN == [row["contender"] for row in rows]
    for row in rows:
        figures, observed = row["figures"], row["observed"]
        assert (20, 20, 20) == (figures["made"], figures["checked"], figures["readable"])
        assert ISOLATED[row["contender"]] == figures["isolation"]
        assert 0 < figures["commit_p50"] <= figures["commit_p99"]
        assert observed["growth"] <= observed["peak"] < 2**30
        assert (row["contender"] == "sqlite3") == (observed["disk"] > 0)
    text = out.read_text()
    for name in PLAIN:
        assert f"| {name} | 20 / 20 |" in text


@pytest.mark.no_cover
def test_earlier_workloads_are_kept_on_request(tmp_path: Path) -> None:
    """A long comparison can be run workload by workload, but not mixed with another one."""
    out = tmp_path / "peers.md"
    for name in ("small", "random"):
        done = run("--workload", name, "--contender", PLAIN[2], "--out", str(out), "--keep")
        assert 0 == done.exit_code, done.output
    assert ["random", "small"] == list(json.loads(out.with_suffix(".json").read_text())["rows"])
    refused = run("--repeat", "2", "--out", str(out), "--keep", "--contender", PLAIN[2])
    assert 2 == refused.exit_code
    assert "1 repetitions" in refused.output


@pytest.mark.no_cover
def test_a_contender_that_lies_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One wrong answer among all is found, told, and makes the command fail."""
    (tmp_path / "lying.py").write_text(LIAR)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    liar = attrs.evolve(contenders.CONTENDERS["list of bytes"], target="lying:Liar")
    monkeypatch.setitem(contenders.CONTENDERS, "list of bytes", liar)
    done = run("--workload", "window", "--contender", "list of bytes")
    assert 1 == done.exit_code
    assert "WRONG ANSWER: 'messages' as of commit 7" in done.output


@pytest.mark.no_cover
def test_a_contender_that_fails_ends_the_run() -> None:
    """An error in the process of a case is told with its traceback."""
    task = records.Task("case", "window", 5, target="peers.plain:NoSuchStore")
    with pytest.raises(runner.CaseFailed, match="no attribute 'NoSuchStore'"):
        runner.run_case(task)


def test_a_wrong_answer_is_found_wherever_it_is() -> None:
    """Every commit is read back, and an answer of another commit is a wrong one."""
    for commit in range(30):
        store, book = filled({commit: "something else"})
        with pytest.raises(ledger.WrongAnswer, match=f"as of commit {commit} is not"):
            ledger.verify(store, book, seconds=60)


def test_what_a_store_gave_up_is_counted_and_is_no_lie() -> None:
    """A commit whose value is gone, and said to be, is not readable."""
    store, book = filled({3: ledger.Gone("given up"), 5: ledger.Gone("given up")})
    readable, checked = ledger.verify(store, book, seconds=60)
    assert [each for each in range(30) if each not in (3, 5)] == readable
    assert 30 == checked


def test_a_timed_read_is_verified_too() -> None:
    """A store cannot be fast by answering something."""
    store, book = filled({})
    assert 30 == len(ledger.timed_reads(store, book, range(30), seconds=60))
    store.answers = {4: "fast"}
    with pytest.raises(ledger.WrongAnswer):
        ledger.timed_reads(store, book, range(30), seconds=60)


def test_what_is_not_installed_is_skipped() -> None:
    """A peer's absence is told; nothing is imported to find out."""
    absent = attrs.evolve(contenders.CONTENDERS["ZODB"], requires=("no_such.module", "sqlite3"))
    assert ["no_such.module"] == absent.missing()
    assert [] == contenders.CONTENDERS["list of bytes"].missing()
    code = "import peers.command, sys; print([name for name in ('ZODB', 'langgraph', 'diskcache') "
    code += "if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(runner.__file__).parents[1])},
    )
    assert "[]" == done.stdout.strip()


def test_what_has_no_room_is_told_beforehand(tmp_path: Path) -> None:
    """A contender that would take more than there is does not start."""
    assert runner.no_room(contenders.Needs(), tmp_path) is None
    for needs in (contenders.Needs(memory=2**60), contenders.Needs(disk=2**60)):
        told = runner.no_room(needs, tmp_path)
        assert told is not None
        assert "needs about 1,152,921,504,607 MB of" in told


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("window", 50_000, 50_000),
        ("random", 50_000, 50_000),
        ("keys", 50_000, 50_000),
        ("growing", 500, 1_000_000),
        ("small", 100, 100),
    ],
)
def test_values_are_as_large_as_is_said(name: str, first: int, last: int) -> None:
    """The first and the last encoded value are within three hundredths, and always the same."""
    encode = MsgpackCodec().encode
    count = 2_000 if name == "growing" else 100
    every = count // 10
    values = (value for _, value in workloads.steps_of(name, count, None))
    some = [encode(value) for value in itertools.islice(values, every - 1, None, every)]
    assert 10 == len(some) == len(set(some))
    assert pytest.approx(last, rel=0.03) == len(some[-1])
    twice = [next(workloads.steps_of(name, 1, None)) for _ in range(2)]
    assert twice[0] == twice[1]
    assert pytest.approx(first, rel=0.03) == len(encode(twice[0][1]))


def test_a_trace_is_a_workload(tmp_path: Path) -> None:
    """Packs and appends are what they say, a removal is None, and looks are no commits."""
    path = tmp_path / "trace.jsonl"
    lines = [
        {"op": "pack", "key": "messages", "value": []},
        {"op": "append", "key": "messages", "item": "hello"},
        {"op": "snapshot", "back": 1},
        {"op": "pack", "key": "plan", "value": {"a": 1}},
        {"op": "append", "key": "messages", "item": "bye"},
        {"op": "remove", "key": "plan"},
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines))
    assert [
        ("messages", []),
        ("messages", ["hello"]),
        ("plan", {"a": 1}),
        ("messages", ["hello", "bye"]),
        ("plan", None),
    ] == list(workloads.steps_of("airline", 9, str(path)))
    assert (5, 2) == attrs.astuple(workloads.shape_of_trace(str(path)))[::4]
