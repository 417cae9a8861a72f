"""Reading the checkpoints of a thread: from the current state, or as of an older commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from langgraph.checkpoint.base import writes_sort_key

from backpack.integrations.langgraph.keys import CHANNEL, CHECKPOINT, LATE, WRITES, key_of
from backpack.integrations.langgraph.packing import Header, typed, writes_of
from backpack.integrations.langgraph.records import Found

if TYPE_CHECKING:
    from backpack import Backpack, Snapshot
    from backpack.integrations.langgraph.ledger import Entry, Ledger
    from backpack.integrations.langgraph.records import Typed, Write

__all__ = ["Reader"]

#: Reads a key, as ``unpack`` does.
_Get: TypeAlias = Callable[..., Any]


class Reader:
    """Reads the checkpoints of one thread.

    Args:
        backpack: Its Backpack.
        ledger: Which commit answers for which checkpoint.
    """

    def __init__(self, backpack: Backpack, ledger: Ledger) -> None:
        self._backpack = backpack
        self._ledger = ledger

    def read(self, entry: Entry) -> Found:
        """Return a checkpoint.

        Raises:
            CommitPruned: It was given up.
            ArchiveError: The archive cannot be read.
        """
        namespace = entry.namespace
        channels: Iterable[str]
        if self._ledger.stands(entry):
            get, channels = self._backpack.unpack, self._ledger.lines[namespace].channels
        else:
            snapshot = self.snapshot(entry.seq)
            get, channels = snapshot.unpack, _channels(snapshot, namespace)
        header = Header.of(get(key_of(namespace, CHECKPOINT)))
        values = {each: typed(get(key_of(namespace, CHANNEL, each))) for each in channels}
        return Found(
            (namespace, entry.id),
            header.parent,
            header.checkpoint,
            header.metadata,
            values,
            _in_order(self._written(entry, get)),
            frozenset(header.deltas),
            header.is_open,
            header.within,
        )

    def header(self, entry: Entry) -> Header:
        """Return a checkpoint without the values of its channels and without its writes."""
        return Header.of(self._getter(entry)(key_of(entry.namespace, CHECKPOINT)))

    def value(self, entry: Entry, channel: str) -> Typed | None:
        """Return what one channel has at a checkpoint; None if it is empty there."""
        found = self._getter(entry)(key_of(entry.namespace, CHANNEL, channel), None)
        return None if found is None else typed(found)

    def writes(self, entry: Entry) -> list[Write]:
        """Return the pending writes of a checkpoint, in the order in which a step applies them."""
        return _in_order(self._written(entry, self._getter(entry)))

    def seeds(self, entry: Entry, channels: Iterable[str]) -> tuple[list[Write], dict[str, Typed]]:
        """Return the pending writes of a checkpoint in order, and what some channels have at it."""
        get = self._getter(entry)
        found = {each: get(key_of(entry.namespace, CHANNEL, each), None) for each in channels}
        values = {each: typed(value) for each, value in found.items() if value is not None}
        return _in_order(self._written(entry, get)), values

    def slots(self, namespace: str, get: _Get | None = None) -> list[list[Write]]:
        """Return the pending writes that are in slots: in the current state, or elsewhere."""
        found: list[list[Write]] = []
        get = self._backpack.unpack if get is None else get
        while (slot := get(key_of(namespace, WRITES, str(len(found))), None)) is not None:
            found.append(writes_of(slot))
        return found

    def snapshot(self, seq: int) -> Snapshot:
        """Return the state as of the commit with this number."""
        return self._backpack.snapshot(f"{seq}-{self._backpack.code}")

    def _written(self, entry: Entry, get: _Get) -> list[Write]:
        """Return the pending writes of a checkpoint, wherever they are."""
        if entry.late:
            get = self.snapshot(entry.late).unpack
            return writes_of(get(key_of(entry.namespace, LATE, entry.id)))
        return [write for slot in self.slots(entry.namespace, get) for write in slot]

    def _getter(self, entry: Entry) -> _Get:
        if self._ledger.stands(entry):
            return self._backpack.unpack
        return self.snapshot(entry.seq).unpack


def _channels(snapshot: Snapshot, namespace: str) -> list[str]:
    """Return the channels of a namespace that have a value."""
    prefix = key_of(namespace, CHANNEL)
    return [key.removeprefix(prefix) for key in snapshot if key.startswith(prefix)]


def _in_order(writes: Iterable[Write]) -> list[Write]:
    return sorted(writes, key=lambda each: writes_sort_key(each.path, each.task, each.index))
