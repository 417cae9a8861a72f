"""The replay: a trace goes through a Backpack as it says, and what happened is kept."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import BudgetError, CorruptError, TraceError
from backpack.policies import KeepAll, Stub
from backpack.replay import Samples, commit_id, fingerprint, replay, state_digest
from backpack.trace import Append, Look, Operation, Pack, Remove, read_trace

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "backpack" / "demo.jsonl.gz"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def run_of(*operations: Operation) -> list[Operation]:
    """Return operations of a short run, before the ones given."""
    return [
        Pack(1, "plan", ["look"], "planner"),
        Append(2, "plan", "book", "planner"),
        Pack(3, "draft", "x", None),
        Remove(4, "draft", "critic"),
        *operations,
    ]


@given(first=json_values, second=json_values)
def test_fingerprints_are_equal_exactly_for_the_same_values(first: object, second: object) -> None:
    """Two JSON values have one fingerprint if and only if JSON writes them alike."""
    assert (json.dumps(first) == json.dumps(second)) == (fingerprint(first) == fingerprint(second))


@given(state=st.dictionaries(st.text(), st.binary()), other=st.dictionaries(st.text(), st.binary()))
def test_states_have_one_digest_exactly_if_they_are_equal(
    state: dict[str, bytes], other: dict[str, bytes]
) -> None:
    """The order of the keys does not matter, everything else does."""
    assert (state == other) == (state_digest(state.items()) == state_digest(other.items()))
    assert state_digest(state.items()) == state_digest(reversed(state.items()))


@given(
    sizes=st.lists(st.integers(0, 1_000), max_size=300), limit=st.sampled_from([2, 4, 6, 10, 240])
)
def test_samples_are_bounded_and_hide_no_peak(sizes: list[int], limit: int) -> None:
    """However long the run, few points remain, in order, and the largest size is among them."""
    samples = Samples(limit)
    for position, size in enumerate(sizes, start=1):
        samples.add(position, size)

    points = samples.points()

    assert len(points) <= limit
    assert sorted(points) == list(points)
    assert max(sizes, default=0) == max((size for _, size in points), default=0)
    assert len(sizes) == (points[-1][0] if points else 0)


@settings(deadline=None)
@given(looks=st.lists(st.integers(0, 9), max_size=5))
def test_every_look_is_read_or_pruned(looks: list[int]) -> None:
    """Each look-back is answered by a state or by 'pruned', and each answer has its time."""
    packs: list[Operation] = [Pack(line, "a", "x" * 500) for line in range(1, 11)]
    backpack = Backpack(max_history_size=4_096, reference=Stub(1_000))

    replayed = replay([*packs, *(Look(11, back) for back in looks)], backpack)

    assert len(looks) == len(replayed.look_backs) + replayed.looks_pruned
    assert len(replayed.look_backs) == len(replayed.snapshot_ns)
    assert 10 + len(looks) == replayed.operations


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ([1], (1,)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ("", b""),
    ],
)
def test_fingerprints_tell_apart_what_equality_does_not(value: object, other: object) -> None:
    """Equal values of other types, and dicts in another order, have other fingerprints."""
    assert fingerprint(value) != fingerprint(other)


def test_the_fingerprint_of_what_json_cannot_say_is_that_of_no_json_value() -> None:
    """An object that no trace can hold equals nothing a trace holds."""
    values: list[object] = [None, "object", {}, []]
    assert fingerprint(object()) not in {fingerprint(value) for value in values}
    assert fingerprint(math.nan) == fingerprint(float("nan"))


def test_a_run_is_carried_out_as_it_says() -> None:
    """Packs, appends and removes make commits with their `by`; looks make none."""
    backpack = Backpack()

    replayed = replay(run_of(Look(5, 1)), backpack)

    assert {"plan": ["look", "book"]} == dict(backpack)
    assert ["critic", None, "planner", "planner"] == [commit.by for commit in backpack.history()]
    assert (5, 4, None) == (replayed.operations, replayed.commits, replayed.error)
    assert 3 == len(replayed.pack_ns)
    assert backpack.memory_usage() == replayed.usage


def test_a_look_back_keeps_what_it_read() -> None:
    """The digest is that of the state at the commit looked at."""
    replayed = replay(run_of(Look(5, 1)), Backpack())

    (look_back,) = replayed.look_backs
    state = {"plan": ["look", "book"], "draft": "x"}
    expected = state_digest((key, fingerprint(value)) for key, value in state.items())
    assert (5, 3, 4) == (look_back.line, look_back.seq, look_back.made)
    assert expected == look_back.digest
    assert () == look_back.unavailable


def test_a_look_back_keeps_what_was_unavailable() -> None:
    """A superseded value above the limit is told, and is no part of the digest."""
    backpack = Backpack(reference=Stub(100))
    large: list[Operation] = [
        Pack(1, "page", "x" * 200),
        Pack(2, "page", "y" * 200),
        Look(3, 1),
        Look(4, 0),
    ]

    replayed = replay(large, backpack)

    gone, whole = replayed.look_backs
    assert ["page"] == [answer.key for answer in gone.unavailable]
    assert state_digest([]) == gone.digest
    assert () == whole.unavailable
    assert 2 == replayed.references


def test_prunings_are_counted() -> None:
    """Every time room was made, it counts once, however many commits went."""
    backpack = Backpack(max_history_size=4_096, reference=Stub(1_000))

    replayed = replay([Pack(line, "a", f"{line:500}") for line in range(1, 21)], backpack)

    assert replayed.prunings > 0
    assert replayed.usage.commits_pruned >= replayed.prunings
    assert 0 == replayed.over_budget


def test_history_over_time_ends_with_the_last_commit() -> None:
    """Short runs keep one point a commit; looks keep none."""
    backpack = Backpack()

    replayed = replay(run_of(Look(5, 0)), backpack)

    assert [1, 2, 3, 4] == [made for made, _ in replayed.history_over_time]
    assert backpack.memory_usage().history_bytes == replayed.history_over_time[-1][1]


def test_a_refusal_ends_the_replay_and_keeps_the_rest() -> None:
    """What was done before a BudgetError counts; the error and its line are kept."""
    backpack = Backpack(max_history_size=4_096, reference=Stub(1_000), pruning=KeepAll())

    replayed = replay([Pack(10 + n, "a", f"{n:500}") for n in range(20)], backpack)

    assert isinstance(replayed.error, BudgetError)
    assert replayed.line == 10 + replayed.operations
    assert len(backpack.history()) == replayed.commits == replayed.operations


def test_an_unpackable_key_ends_the_replay() -> None:
    """What the Backpack refuses is told with its line."""
    replayed = replay(run_of(Pack(5, "", 1)), Backpack())

    assert 4 == replayed.operations
    assert 5 == replayed.line
    assert "a key must be a non-empty string, not ''" == str(replayed.error)


def test_a_trace_error_ends_the_replay(tmp_path: Path) -> None:
    """The reader's error is kept; it knows its line itself."""
    path = tmp_path / "run.jsonl"
    path.write_text('{"op": "pack", "key": "a", "value": 1}\nno JSON\n')

    replayed = replay(read_trace(path), Backpack())

    assert isinstance(replayed.error, TraceError)
    assert (1, None) == (replayed.operations, replayed.line)


def test_a_codec_that_changes_a_list_is_found() -> None:
    """A list that reads back as something else ends the replay."""

    class Tuples:
        """Gives back every list as a tuple."""

        def encode(self, value: object, path: str = "", /) -> bytes:
            return json.dumps(value).encode()

        def decode(self, data: bytes, /) -> object:
            value: Any = json.loads(data)
            return tuple(value) if isinstance(value, list) else value

    replayed = replay(run_of(), Backpack(codec=Tuples()))

    assert isinstance(replayed.error, CorruptError)
    assert "'plan' was packed as a list and reads back as a tuple; is the codec exact?" == str(
        replayed.error
    )


def test_only_a_new_backpack_is_replayed_through() -> None:
    """Commits made before would shift what a look-back means."""
    backpack = Backpack()
    commit = backpack.pack("a", 1)

    with pytest.raises(
        ValueError, match=f"a new Backpack is needed; this one is at commit {commit.id}"
    ):
        replay([], backpack)


def test_a_replay_leaves_no_subscriber_behind() -> None:
    """The Backpack can be used on, and nobody counts."""
    backpack = Backpack(reference=Stub(100))
    replayed = replay(run_of(), backpack)

    backpack["page"] = "x" * 200

    assert 0 == replayed.references


def test_commit_ids_need_a_commit() -> None:
    """The id of any commit follows from the newest one; without one there is none."""
    backpack = Backpack()
    with pytest.raises(ValueError, match="a Backpack without commits has no commit ids"):
        commit_id(backpack, 1)

    first = backpack.pack("a", 1)
    backpack.pack("a", 2)

    assert first.id == commit_id(backpack, 1)


def test_the_demo_trace_is_what_its_program_makes(tmp_path: Path) -> None:
    """Running the program again gives the operations of the file that ships."""
    program = ROOT / "benchmarks" / "make_demo_trace.py"
    spec = importlib.util.spec_from_file_location("make_demo_trace", program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path / "demo.jsonl.gz")

    assert list(read_trace(DEMO)) == list(read_trace(tmp_path / "demo.jsonl.gz"))


def test_the_demo_trace_shows_everything() -> None:
    """The shipped trace is small, and in half a MiB of history meets every kind of answer."""
    replayed = replay(read_trace(DEMO), Backpack(max_history_size="512 KiB"))

    assert DEMO.stat().st_size <= 150_000
    assert replayed.error is None
    assert replayed.prunings >= 1
    assert replayed.references > 0
    assert replayed.looks_pruned > 0
    assert len(replayed.look_backs) > 20
    assert any(look.unavailable for look in replayed.look_backs)
