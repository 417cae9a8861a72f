"""Pending writes that come before their checkpoint, as they do where LangGraph puts both at once.

They wait in memory, and go into the same commit as the checkpoint: nobody could be resumed with
the one and without the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from backpack.events import log as tell
from backpack.integrations.langgraph.slots import merge

if TYPE_CHECKING:
    from backpack.integrations.langgraph.records import Place, Write

__all__ = ["Early"]

#: For so many checkpoints of a namespace they are kept.
_MOST: Final = 64

#: So many bytes of them wait beside those of the checkpoint that was written to last.
_MOST_BYTES: Final = 16 * 1024 * 1024

#: What a write takes in memory beside its value, measured.
_WRITE_BYTES: Final = 600


class Early:
    """The pending writes of one thread that wait for their checkpoints.

    Args:
        name: The id of the thread.

    Attributes:
        size: What they take, in bytes.
    """

    def __init__(self, name: str) -> None:
        self.size = 0
        self._name = name
        self._waiting: dict[Place, list[Write]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def of(self, place: Place) -> Sequence[Write]:
        """Return those of a checkpoint."""
        return self._waiting.get(place, ())

    def add(self, place: Place, writes: Iterable[Write]) -> None:
        """Keep writes for a checkpoint; those that wait for longest go where there are too many.

        That many wait only for checkpoints that never come.
        """
        slots = [list(self.of(place))]
        merge(slots, writes, may_grow=False)
        self.drop(place)
        others = [each for each in self._waiting if each[0] == place[0]]
        while others and (len(others) >= _MOST or self.size > _MOST_BYTES):
            longest = others.pop(0)
            tell("warning", "early_writes_dropped", thread=self._name, checkpoint=longest[1])
            self.drop(longest)
        self._waiting[place] = slots[0]
        self.size += _size(slots[0])

    def drop(self, place: Place) -> None:
        """Keep none for a checkpoint any more."""
        self.size -= _size(self._waiting.pop(place, ()))


def _size(writes: Iterable[Write]) -> int:
    return sum(_WRITE_BYTES + len(each.value[1]) for each in writes)
