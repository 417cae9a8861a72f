"""How checkpoints and pending writes are values of a Backpack: plain lists, texts and bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias

from backpack.integrations.langgraph.records import Place, Typed, Write

__all__ = ["Header", "Packed", "packed_writes", "typed", "writes_of"]

Packed: TypeAlias = list[Any]


class Header(NamedTuple):
    """What the key of a checkpoint has: all of it but the values of its channels.

    Attributes:
        id: Its id.
        parent: The id of the checkpoint it was made from.
        checkpoint: The checkpoint without the values of its channels.
        metadata: Its metadata.
        deltas: The delta channels that its namespace is known to have.
        is_open: Whether some of them are rebuilt from its ancestors.
        within: The checkpoint of the enclosing graph in whose step it was made.
    """

    id: str
    parent: str | None
    checkpoint: Typed
    metadata: Typed
    deltas: tuple[str, ...]
    is_open: bool
    within: Place | None

    def packed(self) -> Packed:
        """Return it as a value."""
        within = None if self.within is None else [*self.within]
        return [
            self.id,
            self.parent,
            [*self.checkpoint],
            [*self.metadata],
            [*self.deltas],
            self.is_open,
            within,
        ]

    @classmethod
    def of(cls, packed: Packed) -> Header:
        """Return what a value says."""
        name, parent, checkpoint, metadata, deltas, is_open, within = packed
        place = None if within is None else (within[0], within[1])
        return cls(name, parent, typed(checkpoint), typed(metadata), tuple(deltas), is_open, place)


def typed(packed: Packed) -> Typed:
    """Return the serialized value that a value says."""
    return packed[0], packed[1]


def packed_writes(writes: Iterable[Write]) -> Packed:
    """Return pending writes as a value."""
    return [[each.task, each.index, each.channel, *each.value, each.path] for each in writes]


def writes_of(packed: Packed) -> list[Write]:
    """Return the pending writes that a value says."""
    return [
        Write(task, index, channel, (kind, data), path)
        for task, index, channel, kind, data, path in packed
    ]
