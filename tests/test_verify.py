"""The verification: sound runs pass, and every kind of wrong answer is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import CommitPruned, CorruptError, UnknownCommit
from backpack.policies import (
    Compressed,
    Delta,
    LeastAccessed,
    Oldest,
    Preview,
    StoredSize,
    Stub,
)
from backpack.records import Commit, Reference, SizedValue, Unavailable
from backpack.replay import Replay, replay
from backpack.snapshot import Snapshot
from backpack.trace import Append, Look, Operation, Pack, Remove
from backpack.verify import Verification, evenly, verify

Lie = Callable[[dict[str, Any], Commit], dict[str, Any]]


class Tampered(Backpack):
    """A Backpack whose snapshots are changed on their way out, once a lie is set."""

    lie: Lie | None = None

    def snapshot(self, commit: Commit | str) -> Snapshot:
        """Return a snapshot that tells the lie."""
        snapshot = super().snapshot(commit)
        return snapshot if self.lie is None else LyingSnapshot(snapshot, self.lie)


class LyingSnapshot(Snapshot):
    """A snapshot whose whole state is changed on its way out."""

    __slots__ = ("_lie", "_true")

    def __init__(self, true: Snapshot, lie: Lie) -> None:
        super().__init__(true._reader, true._known)
        self._true, self._lie = true, lie

    def to_dict(self) -> dict[str, Any]:
        """Return the changed state."""
        return self._lie(self._true.to_dict(), self.commit)


TRACE: list[Operation] = [
    Pack(1, "plan", [1], "planner"),
    Pack(2, "page", "x" * 300),
    Append(3, "plan", True),
    Look(4, 1),
    Pack(5, "page", "y" * 300),
    Remove(6, "page"),
    Pack(7, "plan", 1.0),
    Look(8, 4),
]


def verified(trace: list[Operation], backpack: Backpack, **options: Any) -> Verification:
    """Return what a verification finds of a replay."""
    return verify(trace, replay(trace, backpack), backpack, **options)


def tampered(lie: Lie, trace: list[Operation] | None = None, **options: Any) -> Verification:
    """Return what a verification finds when every snapshot after the replay is a lie."""
    trace = TRACE if trace is None else trace
    backpack = Tampered(reference=Stub(100), **options)
    replayed = replay(trace, backpack)
    backpack.lie = lie
    return verify(trace, replayed, backpack)


@st.composite
def runs(draw: st.DrawFn) -> list[Operation]:
    """Draw operations that can follow each other, with values around the limits."""
    values: st.SearchStrategy[object] = st.sampled_from(
        [None, 0, 0.0, False, "", "a", "x" * 99, "x" * 400, "y" * 400, [], {}]
    )
    lists: dict[str, bool] = {}
    operations: list[Operation] = []
    commits = 0
    for line in range(1, draw(st.integers(1, 60)) + 1):
        appendable = sorted(key for key, is_list in lists.items() if is_list)
        choice = draw(st.integers(0, 9))
        if choice < 2 and appendable:
            operations.append(Append(line, draw(st.sampled_from(appendable)), draw(values)))
        elif choice < 3 and lists:
            key = draw(st.sampled_from(sorted(lists)))
            del lists[key]
            operations.append(Remove(line, key, "remover"))
        elif choice < 5 and commits:
            operations.append(Look(line, draw(st.integers(0, commits - 1))))
            continue
        else:
            key, value = draw(st.sampled_from("abc")), draw(values)
            lists[key] = isinstance(value, list)
            operations.append(Pack(line, key, value, draw(st.sampled_from([None, "packer"]))))
        commits += 1
    return operations


@settings(deadline=None)
@given(
    trace=runs(),
    budget=st.sampled_from([4_096, 5_000, 8_000, 100_000]),
    pruning=st.sampled_from([Oldest(), Oldest(1.0), LeastAccessed()]),
    limit=st.none() | st.integers(0, 70),
    reference=st.sampled_from([Stub(300), Preview(300, characters=20)]),
    held=st.sampled_from(
        [
            {"storage": Compressed()},
            {"storage": Delta(span=3, least=1)},
            {"storage": Delta(), "sizing": StoredSize()},
        ]
    ),
)
def test_every_run_verifies(
    trace: list[Operation],
    budget: int,
    pruning: Oldest | LeastAccessed,
    limit: int | None,
    reference: Stub | Preview,
    held: Mapping[str, Any],
) -> None:
    """Whatever the run, the budget and the policies: all is compared, nothing is wrong."""
    backpack = Backpack(max_history_size=budget, pruning=pruning, reference=reference, **held)
    replayed = replay(trace, backpack)
    found = verify(trace, replayed, backpack, limit=limit)

    assert () == found.mistakes
    assert 0 == found.wrong == replayed.over_budget
    retained = replayed.usage.commits_retained
    assert (retained if limit is None else min(limit, retained)) == found.verified
    assert len(replayed.look_backs) == found.look_backs
    assert min(100, replayed.usage.commits_pruned) == found.pruned
    event(f"pruned: {replayed.usage.commits_pruned > 0}")
    event(f"unavailable: {found.values_unavailable > 0}")
    event(f"stopped: {replayed.error is not None}")


@given(items=st.lists(st.integers(), unique=True), limit=st.none() | st.integers(0, 20))
def test_evenly_chosen_items_keep_order_and_ends(items: list[int], limit: int | None) -> None:
    """As many as asked for, in order, each once, with the first and the last."""
    chosen = evenly(items, limit)

    assert len(chosen) == min(len(items), len(items) if limit is None else limit)
    assert [item for item in items if item in set(chosen)] == chosen
    if len(chosen) > 1:
        assert (items[0], items[-1]) == (chosen[0], chosen[-1])


def test_a_run_is_compared_whole() -> None:
    """All retained commits, their values, the look-backs: counted, and right."""
    found = verified(TRACE, Backpack(reference=Stub(100)))

    assert (6, 0, ()) == (found.verified, found.wrong, found.mistakes)
    # plan: 6 snapshots, page: 3, of which those of commits 2 and 3 see the superseded one
    # and that of commit 4 sees one that the removal superseded.
    assert (9, 3) == (found.values, found.values_unavailable)
    assert (2, 0) == (found.look_backs, found.pruned)


def test_an_empty_replay_verifies() -> None:
    """Where nothing was replayed, nothing is wrong."""
    assert 0 == verified([], Backpack()).wrong


def test_progress_tells_operations() -> None:
    """Progress is told every sixteen operations."""
    told: list[tuple[int, int]] = []
    trace: list[Operation] = [Pack(line, "a", line) for line in range(1, 41)]

    verified(trace, Backpack(), progress=lambda done, total: told.append((done, total)))

    assert [(16, 40), (32, 40)] == told


def _plan(value: object) -> Lie:
    return lambda state, commit: state | {"plan": value} if commit.seq == 3 else state


def _marker(**changes: Any) -> Lie:
    """Return a lie about the marker that stands for the superseded page."""

    def lie(state: dict[str, Any], commit: Commit) -> dict[str, Any]:
        if commit.seq == 3 and isinstance(state["page"], Unavailable):
            state["page"] = evolve(state["page"], **changes)
        return state

    return lie


@pytest.mark.parametrize(
    ("lie", "mistake"),
    [
        (_plan([1, 1]), "'plan'[1] is 1; the trace says true"),
        (_plan([1.0, True]), "'plan'[0] is 1.0; the trace says 1"),
        (_plan([1]), "'plan' is a list of 1; the trace says a list of 2"),
        (_plan((1, True)), "'plan' is an object of class tuple; the trace says a list of 2"),
        (_plan(None), "'plan' is nothing (null); the trace says a list of 2"),
        (
            lambda state, commit: {"page": state["page"]} if commit.seq == 3 else state,
            "lacks the key 'plan', unlike the trace",
        ),
        (lambda state, commit: state | {"x": 1} if commit.seq == 3 else state, "has the key 'x', "),
        (
            lambda state, commit: (
                state | ({"plan": Unavailable("plan", 4, "r", "h", "d")} if commit.seq == 3 else {})
            ),
            "'plan' is left out, but the reference policy keeps its",
        ),
        (_marker(size=1), "'page' is left out with another reference than its own"),
        (_marker(digest="0"), "'page' is left out with another reference than its own"),
        (_marker(key="plan"), "'page' is left out with another reference than its own"),
        (_marker(reason="because"), "'page' is left out with another reference than its own"),
    ],
)
def test_a_wrong_value_in_a_snapshot_is_found(lie: Lie, mistake: str) -> None:
    """Other value, other type, a key too few or too many, a marker that is not right."""
    found = tampered(lie)

    assert (5, 1) == (found.verified, found.wrong)
    (line,) = found.mistakes
    assert line.startswith("commit 3-")
    assert mistake in line


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (
            {"steps": [{"name": "look", "hours": 1}]},
            "'plan'['steps'][0]['hours'] is 1; the trace says 1.0",
        ),
        (
            {"steps": [{"hours": 1.0, "name": "look"}]},
            (
                "'plan'['steps'][0] is an object with the fields 'hours, name'; "
                "the trace says an object with the fields 'name, hours'"
            ),
        ),
    ],
)
def test_a_mistake_names_the_place_inside_the_value(answer: object, mistake: str) -> None:
    """Where two large values differ, the first place that does is told."""
    trace: list[Operation] = [Pack(1, "plan", {"steps": [{"name": "look", "hours": 1.0}]})]

    found = tampered(lambda state, commit: {"plan": answer}, trace)

    assert found.mistakes[0].endswith(f": {mistake}")


def test_a_value_left_out_while_current_is_found() -> None:
    """A value above the limit must be readable until something supersedes it."""
    trace: list[Operation] = [Pack(1, "page", "x" * 300), Pack(2, "page", "x" * 300)]
    reference = Reference(0, "", "")

    def lie(state: dict[str, Any], commit: Commit) -> dict[str, Any]:
        assert "x" * 300 == state["page"]
        marker = Unavailable("page", reference.size, reference.reason, "", reference.digest)
        return {"page": marker} if commit.seq == 1 else state

    backpack = Tampered(reference=Stub(100))
    backpack.subscribe(lambda event: _keep(event))

    def _keep(event: object) -> None:
        nonlocal reference
        reference = getattr(event, "reference", reference)

    replayed = replay(trace, backpack)
    backpack.lie = lie
    found = verify(trace, replayed, backpack)

    assert (1, 1) == (found.verified, found.wrong)
    assert "a value is left out though nothing had superseded it yet" in found.mistakes[0]


@pytest.mark.parametrize("later", [[], [Pack(9, "page", "z")], [Remove(9, "page")]])
def test_a_look_back_that_left_out_a_current_value_is_found(later: list[Operation]) -> None:
    """What counts is the time of the look, not what superseded the value afterwards."""
    trace: list[Operation] = [Pack(1, "page", "x" * 300), Pack(2, "page", "y" * 300), Look(3, 1)]
    replayed = replay([*trace, *later], backpack := Backpack(reference=Stub(100)))
    (look_back,) = replayed.look_backs
    # As if the look had come before the second pack.
    early = evolve(replayed, look_backs=(evolve(look_back, made=1),))

    found = verify([*trace, *later], early, backpack)

    assert ("look-back at line 3: a value is left out though nothing had superseded it yet",) == (
        found.mistakes
    )


@pytest.mark.parametrize(
    "changes",
    [{"digest": b"other"}, {"seq": 1}, {"unavailable": (Unavailable("k", 1, "", "", ""),)}],
)
def test_a_wrong_look_back_is_found(changes: Mapping[str, Any]) -> None:
    """What a look returned during the replay is compared with the state at its commit."""
    replayed = replay(TRACE, backpack := Backpack(reference=Stub(100)))
    first, second = replayed.look_backs
    wrong = evolve(replayed, look_backs=(evolve(first, **changes), second))

    found = verify(TRACE, wrong, backpack)

    assert (6, 1) == (found.verified, found.wrong)
    assert found.mistakes[0].startswith("look-back at line 4: what it read of commit")


def test_a_commit_that_cannot_be_read_is_found() -> None:
    """An error in place of a state is a wrong answer."""

    def lie(state: dict[str, Any], commit: Commit) -> dict[str, Any]:
        raise CorruptError("the bytes are bad")

    found = tampered(lie)

    assert (0, 6) == (found.verified, found.wrong)
    assert "cannot be read: CorruptError: the bytes are bad" in found.mistakes[0]


def test_a_wrong_current_state_is_found() -> None:
    """The current state is compared as well."""

    class Forgetful(Tampered):
        def __getitem__(self, key: str) -> object:
            return "something else"

    replayed = replay(TRACE, backpack := Forgetful(reference=Stub(100)))

    found = verify(TRACE, replayed, backpack)

    assert 1 == found.wrong
    assert found.mistakes[0].startswith("current state: 'plan' is 'something else'; the trace says")


def _history(change: Callable[[list[Commit]], list[Commit]]) -> Verification:
    class Historian(Backpack):
        def history(self, key: str | None = None) -> list[Commit]:
            return change(super().history(key))

    return verified(TRACE, Historian(reference=Stub(100)))


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (lambda commits: [*commits, commits[-1]], "history: does not list commits that were made"),
        (lambda commits: commits[::-1], "history: does not list commits that were made, each once"),
        (lambda commits: [evolve(commits[0], seq=9), *commits], "history: does not list commits"),
        (lambda commits: commits[1:], "history: lacks the newest commit, 6"),
        (lambda commits: commits[:-1], "can be read, but history does not list it"),
        (
            lambda commits: [evolve(commit, by="nobody") for commit in commits[:1]] + commits[1:],
            "its keys, its 'by', tags or note are not what the trace says",
        ),
        (
            lambda commits: [evolve(commit, tags=("x",)) for commit in commits[:1]] + commits[1:],
            "its keys, its 'by', tags or note are not what the trace says",
        ),
        (
            lambda commits: [evolve(commit, note="") for commit in commits[:1]] + commits[1:],
            "its keys, its 'by', tags or note are not what the trace says",
        ),
    ],
)
def test_a_wrong_history_is_found(
    change: Callable[[list[Commit]], list[Commit]], mistake: str
) -> None:
    """A commit twice, out of order, never made, missing, readable though not listed, or changed."""
    found = _history(change)

    assert found.wrong >= 1
    assert any(mistake in line for line in found.mistakes)


def test_a_pruned_commit_with_another_answer_is_found() -> None:
    """A pruned commit must say that it was pruned."""

    class Amnesiac(Backpack):
        def snapshot(self, commit: Commit | str) -> Snapshot:
            try:
                return super().snapshot(commit)
            except CommitPruned:
                raise UnknownCommit("never heard of it") from None

    trace: list[Operation] = [Pack(line, "a", f"{line:300}") for line in range(1, 21)]
    found = verified(trace, Amnesiac(max_history_size=4_096, reference=Stub(1_000)))

    assert found.wrong > 0
    assert "answers UnknownCommit: never heard of it" in found.mistakes[0]


def test_a_policy_that_fails_when_asked_again_is_found() -> None:
    """Where a policy cannot be asked again, a missing value is not excused."""
    asked: set[str] = set()

    def once(value: SizedValue, /) -> Reference | None:
        if value.key == "page" and value.encoded.decode("latin-1") in asked:
            raise RuntimeError("asked twice")
        asked.add(value.encoded.decode("latin-1"))
        return Stub(100)(value)

    found = verified(TRACE, Backpack(reference=once))

    assert "the policies fail on it: RuntimeError: asked twice" in found.mistakes[0]


def test_sizes_that_depend_on_the_value_before_are_asked_for_again() -> None:
    """What is left out by its difference from the value before is judged by the same difference.

    Also where that value was packed twice, or removed in between.
    """
    log = [f"{number**40}" for number in range(200, 300)]
    large, other = ("".join(str(n**900) for n in range(at, at + 7)) for at in (200, 300))
    trace: list[Operation] = [
        Pack(1, "log", log),
        *(Append(line, "log", f"message {line}") for line in range(2, 10)),
        Pack(10, "log", large),
        Pack(11, "log", large),
        Pack(12, "log", large + "and more"),
        Look(13, 3),
        Pack(14, "log", other),
        Remove(15, "log"),
        Pack(16, "log", other + "and more"),
        Pack(17, "log", other),
        Pack(18, "log", 1),
        Look(19, 7),
    ]

    found = verified(trace, Backpack(reference=Stub(5000), sizing=StoredSize(), storage=Delta()))

    assert () == found.mistakes
    # So many digits are too large at first, and not when they gain a little.
    assert (17, 4) == (found.verified, found.values_unavailable)


def test_a_trace_that_changed_is_found() -> None:
    """If the second pass ends before the first did, that is told."""
    replayed = replay(TRACE, backpack := Backpack(reference=Stub(100)))

    found = verify(TRACE[:-1], replayed, backpack)

    assert any("trace: has 7 operations left of 8" in line for line in found.mistakes)


def test_mistakes_are_told_up_to_twenty() -> None:
    """The number of wrong answers is exact, the list of them bounded."""
    trace: list[Operation] = [Pack(line, "a", line) for line in range(1, 31)]

    found = tampered(lambda state, commit: {}, trace)

    assert (0, 30, 20) == (found.verified, found.wrong, len(found.mistakes))


def test_a_stopped_replay_is_verified_up_to_there() -> None:
    """What came before an error is compared, and nothing after it."""
    stopped: Replay = replay([*TRACE, Pack(9, "", 1)], backpack := Backpack(reference=Stub(100)))

    found = verify([*TRACE, Pack(9, "", 1)], stopped, backpack)

    assert stopped.error is not None
    assert (6, 0) == (found.verified, found.wrong)
