"""Columns are cut and extended exactly once, however often it is begun."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from functools import partial
from itertools import pairwise
from sys import getsizeof
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack, PruneRequest
from backpack.audit import audit
from backpack.splices import Splice, exchanged, fitted, is_roomy, runs, without


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


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int, list[int]]]]:
    """A column, and runs of it with what is to come in their place."""
    length = draw(st.integers(150, 300))
    fewest, most = draw(st.sampled_from([(0, 6), (130, 150)]))
    edges = sorted(draw(st.sets(st.integers(0, length), min_size=fewest, max_size=most)))
    items = st.lists(st.integers(1000, 1009), max_size=3)
    return list(range(length)), [
        (first, behind, draw(items))
        for first, behind in zip(edges[::2], edges[1::2], strict=False)
        if first < behind
    ]


@given(exchanges(), st.booleans(), st.integers(0, 3))
def test_runs_are_exchanged_exactly_once(
    drawn: tuple[list[int], list[tuple[int, int, list[int]]]], as_array: bool, redone: int
) -> None:
    """In lists and arrays alike, also where as much comes as goes, and splices are begun again."""
    start, wanted = drawn
    expected, at = list[int](), 0
    for first, behind, items in wanted:
        expected += start[at:first] + items
        at = behind
    expected += start[at:]
    column: Any = array("q", start) if as_array else start.copy()
    kind = partial(array, "q") if as_array else list
    splices = exchanged(column, [(first, behind, kind(items)) for first, behind, items in wanted])
    for splice in splices:
        for _ in range(1 + redone):
            if len(column) == splice.length:
                column[splice.first : splice.behind] = splice.items
    assert expected == list(column)


def test_columns_and_tables_know_what_they_take() -> None:
    """What lost most of its items has room to give back; what only grew has not."""
    column = array("q")
    for number in range(2000):
        column.append(number)
        assert not is_roomy(column)
    for _ in range(150):
        del column[:10]
    assert is_roomy(column)
    assert not is_roomy(column[:])
    table = dict[int, int]()
    for number in range(2000):
        table[number] = number
        assert fitted(table) is table
    for number in range(1900):
        del table[number]
    assert fitted(table) == table
    assert getsizeof(fitted(table)) < getsizeof(table) / 5


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
