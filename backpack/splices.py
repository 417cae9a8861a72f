"""Changing columns so that a change done twice is a change done once."""

from __future__ import annotations

from array import array
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Column", "Splice", "exchanged", "fitted", "is_roomy", "runs", "without"]

#: A list, or an array of numbers of one type.
Column: TypeAlias = "list[Any] | array[Any]"

K = TypeVar("K")
V = TypeVar("V")

#: So many runs are cut out of a column one by one; with more, it is copied once.
_MANY: Final = 64

#: What an array takes without items, and the eight items it may always have room for, in bytes.
_ARRAY_BYTES: Final = 80 + 8 * 8
#: What a dict of up to five entries takes, and the most that one of many takes for each of them
#: while it only grows, in bytes.
_DICT_BYTES: Final = 256
_ENTRY_BYTES: Final = 64


@frozen
class Splice:
    """One change of a column: ``column[first:behind] = items``.

    Attributes:
        column: The list or array to change.
        length: How long it is before: what tells whether this was done already. Where as much comes
            as goes nothing tells, but then it may be done again.
        first: Index of the first item that goes.
        behind: Index behind the last item that goes.
        items: What comes in their place; for an array, an array of its type.
    """

    column: Column
    length: int
    first: int
    behind: int
    items: Any


def runs(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending indexes as runs of neighbours: the first, and the one behind the last."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def without(column: Column, spans: Sequence[tuple[int, int]]) -> list[Splice]:
    """Return the splices that take these runs of indexes out of a column."""
    nothing = column[:0]  # An array takes only arrays of its own type.
    return exchanged(column, [(first, behind, nothing) for first, behind in spans])


def exchanged(column: Column, exchanges: Sequence[tuple[int, int, Any]]) -> list[Splice]:
    """Return the splices that put other items in the place of runs of indexes.

    Args:
        column: The list or array.
        exchanges: For every run, in ascending order, its first index, the index behind its last,
            and what comes in its place: for an array, an array of its type.
    """
    if len(exchanges) > _MANY:
        kept: Any = column[:0]
        start = 0
        for first, behind, items in exchanges:
            kept += column[start:first]
            kept += items
            start = behind
        kept += column[start:]
        exchanges = [(0, len(column), kept)]
    splices: list[Splice] = []
    length = len(column)
    # From behind, so that the indexes before stay what they are.
    for first, behind, items in reversed(exchanges):
        if first < behind or items:
            splices.append(Splice(column, length, first, behind, items))
            length += len(items) - (behind - first)
    return splices


def is_roomy(column: array[Any]) -> bool:
    """Return whether an array takes more than an eighth beside its items.

    One that loses a few items at a time keeps the room of all of them; a copy does not.
    """
    return getsizeof(column) - _ARRAY_BYTES > len(column) * column.itemsize * 9 // 8


def fitted(table: dict[K, V]) -> dict[K, V]:
    """Return a dict as it is, or a copy if many of its entries are gone: it keeps their room."""
    is_roomy = getsizeof(table) - _DICT_BYTES > len(table) * _ENTRY_BYTES * 5 // 4
    return dict(table) if is_roomy else table
