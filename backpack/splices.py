"""Changing columns so that a change done twice is a change done once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Splice", "runs", "without"]

#: So many runs are cut out of a column one by one; with more, it is copied once.
_MANY: Final = 64


@frozen
class Splice:
    """One change of a column: ``column[first:behind] = items``.

    Attributes:
        column: The list to change.
        length: How long it is before: what tells whether this was done already.
        first: Index of the first item that goes.
        behind: Index behind the last item that goes.
        items: What comes in their place; not as many as go.
    """

    column: list[Any]
    length: int
    first: int
    behind: int
    items: Sequence[Any] = ()


def runs(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Return ascending indexes as runs of neighbours: the first, and the one behind the last."""
    runs: list[tuple[int, int]] = []
    for index in indexes:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def without(column: list[Any], spans: Sequence[tuple[int, int]]) -> list[Splice]:
    """Return the splices that take these runs of indexes out of a column."""
    if len(spans) > _MANY:
        kept: list[Any] = []
        start = 0
        for first, behind in spans:
            kept += column[start:first]
            start = behind
        kept += column[start:]
        return [Splice(column, len(column), 0, len(column), kept)]
    # From behind, so that the indexes before stay what they are.
    splices: list[Splice] = []
    length = len(column)
    for first, behind in reversed(spans):
        splices.append(Splice(column, length, first, behind))
        length -= behind - first
    return splices
