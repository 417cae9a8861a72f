"""A row says what a commit did; what is out of the ordinary about it is kept beside."""

from __future__ import annotations

from itertools import islice
from sys import getsizeof

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.audit import audit, overweight
from backpack.commits import NOTHING, Commits, record_of, remarks_of, row_of
from backpack.names import Names
from backpack.policies import Full, KeepAll, Stub
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
    used: list[int] = []

    def newest(request: PruneRequest) -> list[str]:
        used.append(request.used)
        return [list(request.candidates)[-1].id]

    bp = Backpack(max_history_size=36_000, reference=Stub(16_000), storage=Full(), pruning=newest)
    for number in range(80):
        bp.pack(f"k{number % 40}", number)
    bp.pack("k0", "x" * 15_000)
    assert [] == used
    bp.pack("k0", 1)
    assert len(used) > 30
    assert sorted(set(used), reverse=True) == used
    assert audit(bp) == []


@pytest.mark.no_cover
def test_columns_give_room_back_however_slowly_they_shrink() -> None:
    """Pruned a few at a time, thousands of commits leave no room behind."""

    def first_few(request: PruneRequest) -> list[str]:
        return [each.id for each in islice(request.candidates, 3)]

    bp = Backpack(max_history_size="512 KiB", storage=Full(), pruning=first_few)
    for number in range(4_200):
        bp.pack("k", number)
    history = bp._engine.history
    columns, seqs = history.commits.columns, history.chains["k"].seqs
    full = sum(map(getsizeof, columns)), getsizeof(seqs)
    for number in range(430):
        bp.pack("large", f"{number:03}" * 300)
    assert len(history.commits) < 1_500
    assert sum(map(getsizeof, history.commits.columns)) < full[0] / 3
    assert getsizeof(history.chains["k"].seqs) < full[1] / 3
    assert [] == [*audit(bp), *overweight(bp)]


def test_tables_give_room_back() -> None:
    """Tags and notes that are gone, and keys nobody inherits any more, leave no room behind."""
    bp = Backpack()
    history = bp._engine.history
    for number in range(500):
        bp.pack("k", number, tags=[f"tag {number}"])
    full = [getsizeof(table) for table in (history.names.texts, history.commits.remarks)]
    for number, commit in enumerate(reversed(bp.history())):
        bp.untag(commit, f"tag {number}")
    assert 200 > len(history.names.texts) + len(history.commits.remarks)
    assert getsizeof(history.names.texts) < full[0] / 10
    assert getsizeof(history.commits.remarks) < full[1] / 10
    for _ in range(500):
        history.commits.heirs.append(1)
    while history.commits.heirs:
        del history.commits.heirs[:10]
    bp.pin(commit)
    assert getsizeof(history.commits.heirs) < 100


def test_all_of_a_long_history_is_there() -> None:
    """Thousands of commits are told, newest first, as they were when they were made."""
    bp = Backpack(max_history_size="4 MiB", pruning=KeepAll())
    made = [bp.pack(f"k{number % 7}", number, by=f"n{number % 3}") for number in range(3_000)]
    assert made[::-1] == bp.history()
    assert [each for each in reversed(made) if each.keys == ("k3",)] == bp.history("k3")
    bp.update(k3=0, k4=0)
    bp.update(k4=1, k5=1)
    assert [3_002, 3_001] == [bp.history(key)[0].seq for key in ("k5", "k3")]
    assert [] == bp.history("never")
