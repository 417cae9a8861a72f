"""Columns are cut and extended exactly once, however often it is begun."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack, PruneRequest
from backpack.audit import audit
from backpack.splices import Splice, runs, without


@given(st.sets(st.integers(0, 300)), st.integers(301, 320))
def test_runs_cover_the_indexes_and_no_others(indexes: set[int], length: int) -> None:
    """Neighbours are one run, and runs do not touch."""
    found = runs(sorted(indexes))
    assert indexes == {index for first, behind in found for index in range(first, behind)}
    assert all(one[1] < two[0] for one, two in pairwise(found))


@given(st.sets(st.integers(0, 300)), st.integers(301, 320))
def test_a_column_loses_exactly_the_runs(indexes: set[int], length: int) -> None:
    """Few runs are cut one by one, many by one copy; what is left is the same."""
    column = list(range(length))
    for splice in without(column, runs(sorted(indexes))):
        assert len(column) == splice.length
        splice.column[splice.first : splice.behind] = splice.items
    assert [each for each in range(length) if each not in indexes] == column


def test_a_done_splice_is_told_by_the_length() -> None:
    """Every splice changes the length, which is how it is known to be done."""
    column = [1, 2, 3]
    (splice,) = without(column, [(0, 2)])
    assert Splice(column, 3, 0, 2, []) == splice
    assert splice.length != splice.length - (splice.behind - splice.first) + len(splice.items)


def test_a_history_with_many_holes_is_exact() -> None:
    """Pruning every other of hundreds of commits copies the columns once, and loses nothing."""

    def every_other(request: PruneRequest) -> list[str]:
        return [candidate.id for candidate in request.candidates][::2]

    bp = Backpack(max_history_size=75_000, pruning=every_other)
    commits = [bp.pack("k", [number]) for number in range(700)]
    retained = [commit.seq for commit in bp.history()][::-1]
    assert bp.memory_usage().commits_pruned > 130
    assert [[seq - 1] for seq in retained] == [
        bp.snapshot(commits[seq - 1])["k"] for seq in retained
    ]
    assert bisect_left(retained, 700) == len(retained) - 1
    assert [] == audit(bp)
