"""A row says what a commit did; what is out of the ordinary about it is kept beside."""

from __future__ import annotations

from itertools import pairwise
from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.audit import audit
from backpack.commits import NOTHING, Commits, record_of, remarks_of, row_of
from backpack.names import Names
from backpack.policies import Full, KeepAll
from backpack.records import Change, Commit, PruneRequest

TEXTS = ("a", "b", "c", "ключ")
changes = st.builds(
    Change,
    st.sampled_from(TEXTS),
    st.sampled_from(["set", "same", "removed"]),
    st.integers(0, 2**63 - 1),
)
records = st.builds(
    Commit,
    st.just("k3fq7x"),
    st.integers(1, 2**62),
    st.floats(allow_nan=False),
    st.lists(changes, max_size=3, unique_by=lambda change: change.key).map(tuple),
    st.none() | st.sampled_from(TEXTS),
    st.sets(st.sampled_from(TEXTS)).map(sorted).map(tuple),
    st.none() | st.text(),
)


def holding(*made: Commit) -> Commits:
    """Return retained commits, held as they would be."""
    names = Names()
    names.put({text: (number, 1) for number, text in enumerate(TEXTS)})
    commits = Commits("k3fq7x", names)
    for commit in made:
        commits.append(row_of(commit, TEXTS.index), len(commits))
        if remarks_of(commit) is not NOTHING:
            commits.remarks[commit.seq] = remarks_of(commit)
    return commits


@given(st.lists(records, max_size=5, unique_by=lambda commit: commit.seq))
def test_records_come_back_as_they_were(made: list[Commit]) -> None:
    """Whatever a commit says, the columns and remarks say it too."""
    made.sort(key=lambda commit: commit.seq)
    commits = holding(*made)
    assert made == list(commits) == list(map(record_of, map(commits.known_of, range(len(made)))))
    for index, commit in enumerate(made):
        own = [change.key for change in commit.changes if change.kind != "same"]
        names = [*commit.keys, *commit.tags, *([] if commit.by is None else [commit.by])]
        assert own == list(commits.owned(index))
        assert sorted(names) == sorted(commits.names(index))


@given(st.sets(st.integers(1, 60)), st.integers(-2, 65))
def test_a_commit_is_found_by_its_number(seqs: set[int], seq: int) -> None:
    """Where it is among the retained ones, or not at all."""
    ordered = sorted(seqs)
    commits = holding(*(Commit("k3fq7x", each, 0.0, ()) for each in ordered))
    assert (ordered.index(seq) if seq in seqs else None) == commits.find(seq)


def test_a_row_is_put_in_once() -> None:
    """A row that is there already, or begun, is not put in again."""
    commit = Commit("k3fq7x", 1, 0.5, (Change("a", "set", 7),))
    commits = holding(commit)
    commits.append(row_of(commit, TEXTS.index), 0)
    assert [commit] == list(commits)
    commits.columns.by.pop()
    commits.append(row_of(commit, TEXTS.index), 0)
    assert [1] * len(commits.columns) == [len(column) for column in commits.columns]


def test_a_small_commit_is_nothing_but_its_row() -> None:
    """One changed key and a node need no remarks; tags, notes and several changes do."""
    bp = Backpack()
    bp.pack("k", 1, by="node")
    bp.pack("k", 1)
    bp.remove("k")
    bp.pin(bp.history()[0])
    assert {} == bp._engine.history.commits.remarks
    bp.pack("k", 1, tags=["t"])
    bp.pack("k", 1, note="")
    bp.update(a=1, b=2)
    bp.update({})
    assert {4, 5, 6} == set(bp._engine.history.commits.remarks)
    bp.untag(bp.history()[2], "t")
    assert {5, 6} == set(bp._engine.history.commits.remarks)


def test_pruning_any_commit_frees_something() -> None:
    """What an heir takes over costs less than what goes with the commit."""
    freed: list[int] = []

    def newest(request: PruneRequest) -> list[str]:
        freed.append(request.used)
        return [list(request.candidates)[-1].id]

    bp = Backpack(max_history_size=16_384, storage=Full(), pruning=newest)
    for number in range(150):
        bp.pack(f"k{number}", number)
    bp.pack("k0", "x" * 4000)
    bp.pack("k0", 1)
    assert len(freed) > 20
    assert sum(after < before for before, after in pairwise(freed)) > 20
    assert audit(bp) == []


@pytest.mark.no_cover
def test_columns_give_room_back_however_slowly_they_shrink() -> None:
    """Pruned a few at a time, thousands of commits leave no room behind."""
    bp = Backpack(
        max_history_size="1 MiB", storage=Full(), pruning=lambda request: first_of(request)
    )

    def first_of(request: PruneRequest) -> list[str]:
        return [candidate.id for candidate, _ in zip(request.candidates, range(9), strict=False)]

    for number in range(3_000):
        bp.pack("k", number)
    commits = bp._engine.history.commits
    full = sum(map(getsizeof, commits.columns))
    while len(commits) > 300:
        bp.pack("large", "x" * min(90_000, bp.memory_usage().headroom_bytes + 3_000))
    assert sum(map(getsizeof, bp._engine.history.commits.columns)) < full / 4
    assert audit(bp) == []


def test_all_of_a_long_history_is_there() -> None:
    """Thousands of commits are told, newest first, as they were when they were made."""
    bp = Backpack(max_history_size="4 MiB", pruning=KeepAll())
    made = [bp.pack(f"k{number % 7}", number, by=f"n{number % 3}") for number in range(3_000)]
    assert made[::-1] == bp.history()
    assert [each for each in reversed(made) if each.keys == ("k3",)] == bp.history("k3")
