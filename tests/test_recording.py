"""Recordings: what was done is in the trace, a replay does the same, and no agent suffers."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backpack import (
    AsyncBackpack,
    Backpack,
    CommitPruned,
    LookedBack,
    TraceError,
    UnknownCommit,
    UnsafePickleCodec,
    recording,
    trace_file,
)
from backpack.operations import Append, Look, Pack, Remove, Several
from backpack.policies import Oldest
from backpack.replay import Replay, replay
from backpack.trace import read_trace
from backpack.verify import verify

many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
keys = st.sampled_from(["a", "b", "messages"])


@pytest.fixture(autouse=True)
def _reset_structlog() -> Iterator[None]:
    """Leave structlog as it was."""
    yield
    structlog.reset_defaults()


def small(**options: Any) -> Backpack:
    """Return a Backpack that soon has to prune."""
    return Backpack(max_history_size=6_000, pruning=Oldest(0.3), **options)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a trace."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    return [json.loads(line) for line in text.splitlines()]


def exact(path: Path) -> tuple[Replay, Backpack]:
    """Replay a trace through a large Backpack; all that is verified has to be right."""
    backpack = Backpack()
    replayed = replay(read_trace(path), backpack)
    assert replayed.error is None
    found = verify(read_trace(path), replayed, backpack)
    assert (0, ()) == (found.wrong, found.mistakes)
    assert replayed.commits == found.verified
    return replayed, backpack


def do(draw: st.DataObject, bp: Backpack, states: list[tuple[Any, dict[str, Any]]]) -> None:
    """Do something with a Backpack, whatever it is; note the state after each commit."""
    what = draw.draw(
        st.sampled_from(
            ["pack", "pack", "append", "remove", "edit", "update", "rollback", "look", "tx", "fork"]
        )
    )
    all_labels: list[dict[str, Any]] = [{}, {"by": "node"}, {"tags": ["b", "a"], "note": "why"}]
    labels = draw.draw(st.sampled_from(all_labels))
    commit = draw.draw(st.sampled_from(states))[0] if states else None
    key = draw.draw(keys)
    before = bp.head
    with suppress(CommitPruned):
        if what == "pack":
            bp.pack(key, draw.draw(json_values), **labels)
        elif what == "append":
            items = bp.get(key)
            bp.pack(key, [*items, draw.draw(json_values)] if type(items) is list else [], **labels)
        elif what == "remove" and key in bp:
            bp.remove(key, **labels)
        elif what == "edit" and type(bp.get(key)) is list:
            with bp.edit(key, **labels) as value:
                value.append(draw.draw(json_values))
        elif what == "update":
            bp.update({"a": draw.draw(json_values), "c": "c" * 200})
        elif what == "tx":
            with bp.transaction(**labels) as tx:
                if key in tx:
                    del tx[key]
                tx["b"] = draw.draw(json_values)
        elif what == "rollback" and commit is not None:
            bp.rollback(commit, keys=draw.draw(st.sampled_from([None, [], None])))
        elif what == "look" and commit is not None:
            bp.diff(commit) if draw.draw(st.booleans()) else bp.snapshot(commit)
        elif what == "fork" and commit is not None:
            bp.fork(commit)["a"] = "not recorded"
    if bp.head != before:
        states.append((bp.head, bp.to_dict()))


@many
@given(draw=st.data(), steps=st.integers(0, 12), prelude=st.integers(0, 4))
def test_a_recorded_program_replays_to_the_same_states(
    tmp_path: Path, draw: st.DataObject, steps: int, prelude: int
) -> None:
    """At every commit, whatever was done, pruned or not, from the state at the beginning on."""
    path = tmp_path / "run.jsonl"
    bp = small()
    states: list[tuple[Any, dict[str, Any]]] = []
    for _ in range(prelude):
        do(draw, bp, states)
    begun = states[-1:] if bp else []
    heard: list[LookedBack] = []
    bp.subscribe(lambda told: heard.append(told) if isinstance(told, LookedBack) else None)
    with bp.record(path, replace=True) as recorder:
        count = len(states)
        for _ in range(steps):
            do(draw, bp, states)
    bp.pack("after", "not recorded")
    expected = begun + states[count:]

    assert recorder.error is None
    assert len(expected) == recorder.commits
    assert len(heard) == recorder.look_backs + recorder.left_out
    if not expected:
        assert [] == lines_of(path)
        return
    replayed, again = exact(path)
    assert len(expected) == replayed.commits
    for (commit, state), copy in zip(expected, reversed(again.history()), strict=True):
        assert state == again.snapshot(copy).to_dict()
        if commit.seq > (begun[0][0].seq if begun else 0):
            assert (commit.keys, commit.by) == (copy.keys, copy.by)
            assert (commit.tags, commit.note) == (copy.tags, copy.note)


@many
@given(draw=st.data(), steps=st.integers(1, 12), hidden=st.booleans())
def test_a_recording_of_sizes_has_commits_of_the_same_sizes(
    tmp_path: Path, draw: st.DataObject, steps: int, hidden: bool
) -> None:
    """And none of what was packed; each key changes where it changed, and stays where it stayed."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    with bp.record(path, values=False, keys=not hidden, replace=True):
        states: list[tuple[Any, dict[str, Any]]] = []
        for _ in range(steps):
            do(draw, bp, states)
    if not states:
        return
    _, again = exact(path)
    for old, new in zip(bp.history(), again.history(), strict=True):
        assert [each.kind for each in old.changes] == [each.kind for each in new.changes]
        for before, after in zip(old.changes, new.changes, strict=True):
            assert abs(before.size - after.size) <= 1
            assert hidden or before.key == after.key
    text = path.read_text()
    assert "why" not in text
    assert "ccc" not in text
    assert not hidden or not any(name in text for name in ("messages", "node"))


def test_each_way_to_change_is_written_as_compactly_as_it_can_be(tmp_path: Path) -> None:
    """A longer list is an append, also in a commit of several; labels are where they are."""
    path = tmp_path / "run.jsonl.gz"
    bp = Backpack()
    bp.update(plan=["look"], task="fly")
    with bp.record(path) as recorder:
        bp.pack("plan", ["look", "book"], by="planner", tags=["b", "a"])
        with bp.transaction(note="done") as tx:
            tx["plan"] = ["look", "book", {"at": None}]
            tx["seats"] = 2
            del tx["task"]
        head = bp.head
        with bp.edit("plan") as plan:
            plan.append(1)
        assert head is not None
        bp.rollback(head)
        bp.rollback(head, keys=[])
        del bp["seats"]

    operations = list(read_trace(path))

    assert [
        Several(1, (Pack(1, "plan", ["look"]), Pack(1, "task", "fly"))),
        Append(2, "plan", "book", "planner", ("a", "b")),
        Several(
            3,
            (Append(3, "plan", {"at": None}), Pack(3, "seats", 2), Remove(3, "task")),
            note="done",
        ),
        Append(4, "plan", 1),
        Look(5, 1),
        Pack(6, "plan", ["look", "book", {"at": None}], note=f"rollback to {head.id}"),
        Look(7, 2),
        Several(8, (), note=f"rollback to {head.id}"),
        Remove(9, "seats"),
    ] == operations
    assert "<Recorder of 7 commits and 2 look-backs, ended>" == repr(recorder)
    replayed, again = exact(path)
    assert bp.to_dict() == again.to_dict()
    assert 2 == len(replayed.look_backs)


def test_look_backs_that_met_a_pruned_commit_are_recorded(tmp_path: Path) -> None:
    """Another configuration may answer them; those from before the recording are left out."""
    path = tmp_path / "run.jsonl"
    bp = small()
    old = bp.pack("k", "old")
    bp.pack("k", "x")
    heard: list[object] = []
    with bp.record(path) as recorder:
        first = bp.pack("k", "first")
        for number in range(30):
            bp.pack("k", f"{number}" * 300)
        bp.subscribe(heard.append)
        for look in (bp.snapshot, bp.diff, bp.rollback, bp.fork):
            with pytest.raises(CommitPruned):
                look(first)
            with pytest.raises(CommitPruned):
                look(old)
            with pytest.raises(UnknownCommit):
                look("999-abc")
        newest = bp.history()[1]
        bp.diff(newest)

    assert [{"op": "snapshot", "back": 30}] * 4 == [
        line for line in lines_of(path) if line["op"] == "snapshot"
    ][:4]
    assert (6, 4) == (recorder.look_backs, recorder.left_out)
    assert [LookedBack(first.id, False), LookedBack(old.id, False)] * 4 == heard[:8]
    assert bp.head is not None
    assert [LookedBack(newest.id, True), LookedBack(bp.head.id, True)] == heard[8:]
    assert 4 + 2 == len(exact(path)[0].look_backs)


def test_a_recording_may_begin_with_nothing(tmp_path: Path) -> None:
    """Where all was removed, what is looked back at begins with the first commit recorded."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    bp["k"] = 1
    gone = bp.remove("k")
    with bp.record(path) as recorder:
        with suppress(CommitPruned):
            bp.snapshot(gone)
        bp.rollback(gone)
        bp["k"] = 2
    assert (2, 0, 2) == (recorder.commits, recorder.look_backs, recorder.left_out)
    assert ["commit", "pack"] == [line["op"] for line in lines_of(path)]
    exact(path)


@dataclass
class Trip:
    """Where to."""

    to: str
    on: date


class Odd:
    """Of a class that nobody knows."""


class Slow(Odd):
    """One that takes its time."""


def test_what_json_cannot_say_is_written_in_a_form_of_the_same_shape(tmp_path: Path) -> None:
    """Records as objects, tuples and sets as lists, bytes as Base64; a longer list is an append."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    trips = [Trip("Rome", date(2026, 5, 1))]
    with bp.record(path):
        bp["trips"] = trips
        bp["trips"] = [*trips, (b"abc", {7: {1.5}}, 10**5_000 // 10**4_999)]
        bp["raw"] = [b"abc", bytearray(b"abc"), float("inf"), "\ud800"]

    rome = {"to": "Rome", "on": "2026-05-01"}
    assert [
        {"op": "pack", "key": "trips", "value": [rome]},
        {"op": "append", "key": "trips", "item": ["YWJj", {"7": [1.5]}, 10]},
        {"op": "pack", "key": "raw", "value": ["YWJj", "YWJj", float("inf"), "\ud800"]},
    ] == lines_of(path)
    exact(path)


def test_what_has_no_form_at_all_is_written_as_its_size(tmp_path: Path) -> None:
    """Pickled values of any class, and what does not decode; the next value is written again."""
    path = tmp_path / "run.jsonl"
    bp = Backpack(codec=UnsafePickleCodec())
    with bp.record(path) as recorder:
        bp["k"] = [Odd()]
        bp["k"] = [Odd(), 1]
        bp["k"] = [1, 2]
        bp["k"] = [1, 2, 3]
    first, second, third, fourth = lines_of(path)
    assert {"op", "key", "size"} == first.keys()
    assert {"op", "key", "size", "new"} == second.keys()
    assert [[1, 2], [1, 2, 3]] == [third["value"], fourth["value"]]
    assert recorder.error is None
    exact(path)


def deep(levels: int) -> Any:
    """Return a value of so many levels that the codec takes and JSON does not."""
    value: Any = 1
    for _ in range(levels):
        value = (value,)
    return value


def test_what_is_nested_too_deeply_is_written_as_its_size(tmp_path: Path) -> None:
    """As lists, the default codec would refuse it."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    with bp.record(path):
        bp["k"] = deep(300)
        bp["k"] = deep(100)
        bp["k"] = [deep(300)]
        bp["k"] = [deep(300), 1]
    assert [True, False, True, True] == ["size" in line for line in lines_of(path)]
    exact(path)


def test_a_line_that_no_reader_takes_is_written_as_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of its commit; the limit is the reader's."""
    monkeypatch.setattr(recording, "LONGEST", 100)
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    with bp.record(path):
        bp.update(a="a" * 60, b=["b"] * 20)
        bp["b"] = ["b"] * 20 + ["c" * 90]
        bp["b"] = ["c"]
    assert [62, 43] == [each["size"] for each in lines_of(path)[0]["changes"]]
    assert "size" in lines_of(path)[1]
    assert ["c"] == lines_of(path)[2]["value"]
    exact(path)


def test_nothing_of_the_content_is_in_a_recording_of_sizes(tmp_path: Path) -> None:
    """No value and no note; without keys, no name either."""
    path, bare = tmp_path / "run.jsonl", tmp_path / "bare.jsonl"
    bp = Backpack()
    with bp.record(path, values=False), bp.record(bare, values=False, keys=False):
        bp.pack("plan", "secret one", by="planner", tags=["dear"], note="hidden")
        bp.pack("plan", "secret one", by="planner")
        with bp.transaction(by="critic") as tx:
            tx["plan"] = "secret two"
            tx["task"] = "fly"
    assert [
        {
            "op": "pack",
            "key": "plan",
            "size": 11,
            "by": "planner",
            "tags": ["dear"],
            "note": "x" * 6,
        },
        {"op": "pack", "key": "plan", "size": 11, "new": 0, "by": "planner"},
        {
            "op": "commit",
            "changes": [
                {"op": "pack", "key": "plan", "size": 11, "new": 11},
                {"op": "pack", "key": "task", "size": 4},
            ],
            "by": "critic",
        },
    ] == lines_of(path)
    assert [
        {
            "op": "pack",
            "key": "key 1",
            "size": 11,
            "by": "by 1",
            "tags": ["tag 1"],
            "note": "x" * 6,
        },
        {"op": "pack", "key": "key 1", "size": 11, "new": 0, "by": "by 1"},
        {
            "op": "commit",
            "changes": [
                {"op": "pack", "key": "key 1", "size": 11, "new": 11},
                {"op": "pack", "key": "key 2", "size": 4},
            ],
            "by": "by 2",
        },
    ] == lines_of(bare)


def work(bp: Backpack, steps: int = 400) -> None:
    """Work as an agent does: messages grow and are summarised, a file is edited, plans replaced."""
    random = Random(7)  # noqa: S311
    words = [f"word{random.randrange(10**6)}" for _ in range(2_000)]

    def text(count: int) -> str:
        return " ".join(random.choices(words, k=count))

    bp["messages"], bp["file"] = [], text(2_000)
    for step in range(steps):
        with bp.edit("messages") as messages:
            messages.append({"role": "user", "content": text(random.randrange(10, 120))})
            if len(messages) > 60:
                del messages[:40]
        if step % 3 == 0:
            with bp.transaction(by="coder") as tx:
                at = random.randrange(len(tx["file"]))
                tx["file"] = f"{tx['file'][:at]}{text(8)}{tx['file'][at + 60 :]}"
                tx["step"] = step
        if step % 7 == 0:
            bp.pack("result", {"output": text(500), "ok": True})


def test_history_takes_about_as_much_with_made_up_values(tmp_path: Path) -> None:
    """Within a quarter, for differences as well as for whole values, and the same commits."""
    whole, sized = tmp_path / "whole.jsonl", tmp_path / "sized.jsonl"
    bp = Backpack()
    with bp.record(whole), bp.record(sized, values=False):
        work(bp)
    assert sized.stat().st_size < whole.stat().st_size / 20
    for storage in ("delta", "full"):
        taken = []
        for path in (whole, sized):
            again = Backpack.from_preset(storage=storage)
            replayed = replay(read_trace(path), again)
            assert replayed.error is None
            taken.append(replayed.usage)
        real, made_up = taken
        assert real.commits_made == made_up.commits_made
        assert 0.75 < made_up.history_bytes / real.history_bytes < 1.25


def test_commits_of_many_threads_are_recorded_in_their_order(tmp_path: Path) -> None:
    """With the values they had, and look-backs where they were."""
    path = tmp_path / "run.jsonl.gz"
    bp = Backpack()
    bp["log"] = []

    def run(worker: int) -> None:
        for number in range(30):
            with bp.edit("log", by=f"worker {worker}") as log:
                log.append([worker, number])
            bp.pack(f"own {worker}", number)
            bp.snapshot(bp.history()[number % 5])

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with bp.record(path) as recorder, ThreadPoolExecutor(6) as pool:
            list(pool.map(run, range(6)))
    finally:
        sys.setswitchinterval(interval)
    assert (361, 180) == (recorder.commits, recorder.look_backs)
    replayed, again = exact(path)
    assert bp.to_dict() == again.to_dict()
    for mine, copy in zip(bp.history(), again.history(), strict=False):
        assert (mine.keys, mine.by) == (copy.keys, copy.by)
    assert 180 == len(replayed.look_backs)


def test_an_asynchronous_backpack_is_recorded_too(tmp_path: Path) -> None:
    """By the same means."""
    path = tmp_path / "run.jsonl"

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            recorder = await bp.record(path)
            first = await bp.pack("plan", ["look"])
            async with bp.transaction(by="router") as changes:
                changes["plan"] = ["look", "book"]
                changes["task"] = "fly"
            await bp.snapshot(first)
            recorder.close()

    asyncio.run(main())
    assert ["pack", "commit", "snapshot"] == [line["op"] for line in lines_of(path)]
    exact(path)


# --- what must never trouble the agent --------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_ends_the_recording_and_nothing_else() -> None:
    """It is logged, and the recorder has the error; nobody who packs sees it."""
    bp = Backpack()
    with capture_logs() as logs:
        recorder = bp.record("/dev/full", replace=True)
        for number in range(20):
            bp.pack("k", os.urandom(100_000).hex() + f"{number}")
        recorder.close()
        recorder.close()
    assert isinstance(recorder.error, OSError)
    (ended,) = (each for each in logs if each["event"] == "recording_ended")
    assert "No space left" in ended["error"]
    assert 20 == len(bp.history())
    assert "ended by OSError(28" in repr(recorder)
    bp.pack("k", 1)


def test_what_was_written_before_the_disk_was_full_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines only."""
    path = tmp_path / "run.jsonl"
    file = trace_file.TraceFile(path)
    file.write(b'{"op":"pack","key":"k","value":1}')
    file.flush()
    raw = file._file

    class Full:
        """A disk with room for ten more bytes."""

        closed = False

        def write(self, data: memoryview) -> int:
            if len(data) < 15:
                raise OSError(28, "No space left on device")
            return raw.write(data[:10])

        def __enter__(self) -> object:
            return raw.__enter__()

        def __exit__(self, *error: Any) -> None:
            raw.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return getattr(raw, name)

    file._file = Full()  # type: ignore[assignment]
    file.write(b'{"op":"pack","key":"k"}')
    with pytest.raises(OSError, match="No space left"):
        file.flush()
    assert [Pack(1, "k", 1)] == list(read_trace(path))
    assert raw.closed


def test_a_writer_that_fails_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises ends the recording."""

    def fail(*_: object) -> bytes:
        raise ZeroDivisionError("never")

    bp = Backpack()
    recorder = bp.record(tmp_path / "run.jsonl", values=False)
    monkeypatch.setattr(recording, "new_bytes", fail)
    bp["k"] = "one"
    bp["k"] = "two"
    recorder.close()
    assert isinstance(recorder.error, ZeroDivisionError)
    assert "two" == bp["k"]


def test_whoever_packs_waits_for_a_slow_disk_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what waits to be written stays small."""
    monkeypatch.setattr(recording, "_MOST_WAITING", 1_000)
    monkeypatch.setattr(recording, "_PATIENCE", 0.3)
    held: list[int] = []
    slowness = [0.02]

    def write(self: trace_file.TraceFile, line: bytes) -> None:
        held.append(recorder._writer._put - recorder._writer._taken)
        time.sleep(slowness[0])

    monkeypatch.setattr(trace_file.TraceFile, "write", write)
    bp = Backpack()
    recorder = bp.record(tmp_path / "run.jsonl")
    for number in range(10):
        bp.pack("k", f"{number}" * 900)
    assert [None] == [recorder.error]
    assert max(held) < 4_000
    slowness[0] = 0.6
    for number in range(4):
        bp.pack("k", f"{number}" * 900)
    assert isinstance(recorder.error, TimeoutError)
    assert "nothing could be written for 0.3 seconds" == str(recorder.error)
    recorder.close()


def test_an_interruption_between_a_commit_and_its_record_is_made_up_for(tmp_path: Path) -> None:
    """The trace has as many commits, and from the next one on the same states."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    bp.update(a=1, b=1, c=1)
    with bp.record(path) as recorder:
        bp["a"] = 2
        witnesses, bp._engine.events.witnesses = bp._engine.events.witnesses, ()
        missed = bp.pack("a", 3)
        del bp["b"]
        bp._engine.events.witnesses = witnesses
        bp.snapshot(missed)
        bp.pack("c", 4)
        bp.pack("a", 5)
    assert 1 == recorder.left_out
    _, again = exact(path)
    assert 6 == len(again.history())
    assert bp.to_dict() == again.to_dict()
    for mine, copy in zip(bp.history()[:2], again.history(), strict=False):
        assert bp.snapshot(mine).to_dict() == again.snapshot(copy).to_dict()


def test_an_archive_in_use_is_not_recorded_over(tmp_path: Path) -> None:
    """Not even on request: it would be emptied under whoever has it open."""
    path = tmp_path / "runs.db"
    with Backpack.open(f"sqlite:///{path}", "a") as bp:
        bp.pack("a", 1)
        with pytest.raises(TraceError) as caught:
            bp.record(path, replace=True)
    assert f"{path}: is an archive that has a writer, which holds runs.db@a.lock; close" in str(
        caught.value
    )
    with Backpack.open(f"sqlite:///{path}", "a") as bp:
        assert {"a": 1} == dict(bp)


def test_a_file_that_is_there_is_left_alone_unless_it_shall_be_replaced(tmp_path: Path) -> None:
    """And one that cannot be written is told of at once."""
    path = tmp_path / "run.jsonl"
    path.write_text("mine")
    bp = Backpack()
    with pytest.raises(TraceError) as caught:
        bp.record(path)
    assert f"{path}: there is such a file, which is left alone; replace=True" in str(caught.value)
    assert "mine" == path.read_text()
    with pytest.raises(TraceError, match="cannot be written: No such file or directory"):
        bp.record(tmp_path / "nowhere" / "run.jsonl")
    with bp.record(path, replace=True):
        bp["k"] = 1
    assert 1 == len(lines_of(path))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no os.fork")
def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path) -> None:
    """Nor does one that forks: the copy writes nothing."""
    path = tmp_path / "run.jsonl.gz"
    program = f"""
import os
from backpack import Backpack, recording
bp = Backpack()
recorder = bp.record({str(path)!r})
bp["k"] = 1
if child := os.fork():
    assert 0 == os.waitpid(child, 0)[1]
    bp["k"] = 2
else:
    recording._MOST_WAITING, recording._PATIENCE = 10, 0.1
    bp["k"] = "x" * 100
    bp.snapshot(bp.head)
    recorder.close()
    assert recorder.error is None
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert [1, 2] == [line["value"] for line in lines_of(path)]


def test_what_is_written_can_be_read_while_the_recording_goes_on(tmp_path: Path) -> None:
    """Half a second after the last change, so that a process that is killed loses little."""
    path = tmp_path / "run.jsonl.gz"
    bp = Backpack()
    with bp.record(path):
        bp["k"] = 1
        operations: list[object] = []
        for _ in range(100):
            time.sleep(0.05)
            with suppress(TraceError):
                for operation in read_trace(path):
                    operations.append(operation)
            if operations:
                break
    assert [Pack(1, "k", 1)] == operations


def test_a_recorder_that_is_let_go_of_lets_go_of_the_backpack(tmp_path: Path) -> None:
    """Its thread ends with it."""
    path = tmp_path / "run.jsonl"
    bp = Backpack()
    bp["k"] = 1
    thread = bp.record(path)._writer.thread
    del bp
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
    assert 1 == len(lines_of(path))


# --- what subscribers are told ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["snapshot", "diff", "rollback", "fork"])
def test_a_callback_breaks_no_reading(name: str) -> None:
    """Not even one that has the commit pruned, looks back itself, or raises."""
    bp = small()
    first = bp.pack("k", "first")
    bp.pack("k", "second")
    told: list[LookedBack] = []

    def meddle(event: object) -> None:
        if isinstance(event, LookedBack):
            told.append(event)
            with suppress(CommitPruned):
                bp.snapshot(first)
            for number in range(30):
                bp.pack("noise", f"{number}" * 300)
            raise ZeroDivisionError

    bp.subscribe(meddle)
    bp.subscribe(meddle)
    answer = getattr(bp, name)(first)

    if name == "diff":
        assert {"k": ("first", "second")} == answer.changed
    if name == "fork":
        assert "first" == answer["k"]
    if name == "rollback":
        assert "first" == bp["k"]
    assert LookedBack(first.id, True) == told[0]
    assert {"snapshot": 2, "diff": 4, "rollback": 2, "fork": 2}[name] == len(told)
