"""Which checkpoints go when some are to be deleted, so that the others can be resumed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from backpack.errors import ConflictError
from backpack.integrations.langgraph.tuples import metadata_of

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from backpack.integrations.langgraph.ledger import Entry
    from backpack.integrations.langgraph.records import Place
    from backpack.integrations.langgraph.thread import Thread

__all__ = ["all_of", "ancestors", "old", "picked"]


def all_of(thread: Thread) -> list[Entry]:
    """Return all checkpoints of a thread in the order in which they came."""
    entries = (thread.find(place) for place in thread.places())
    # One whose commit was given up is in the current state.
    return sorted(
        (entry for entry in entries if entry is not None),
        key=lambda entry: (not entry.seq, entry.seq),
    )


def ancestors(thread: Thread, entry: Entry | None) -> Iterator[Entry]:
    """Iterate over the checkpoints that one was made from, the nearest first, as far as they go."""
    while entry is not None:
        # Of one that is in the archive only, no more is known than where it is.
        is_known = thread.ledger.find((entry.namespace, entry.id)) is entry
        parent = entry.parent if is_known else thread.reader.header(entry).parent
        entry = None if parent is None else thread.find((entry.namespace, parent))
        if entry is not None:
            yield entry


def old(thread: Thread) -> list[Entry]:
    """Return all checkpoints but the newest of each namespace, and what these are rebuilt from."""
    kept: set[Place] = set()
    for namespace in {place[0] for place in thread.places()}:
        entry = thread.newest(namespace)
        while entry is not None:
            kept.add((namespace, entry.id))
            header = thread.reader.header(entry)
            is_rebuilt = header.is_open and header.parent is not None
            entry = thread.find((namespace, header.parent or "")) if is_rebuilt else None
    return [each for each in all_of(thread) if (each.namespace, each.id) not in kept]


def picked(thread: Thread, serde: SerializerProtocol, runs: Collection[str]) -> list[Entry]:
    """Return the checkpoints that some runs have made, if no other one is rebuilt from them.

    Args:
        thread: The thread.
        serde: The serializer.
        runs: The ids of the runs.

    Raises:
        ConflictError: One is.
    """
    headers = {entry: thread.reader.header(entry) for entry in all_of(thread)}
    going = [
        entry
        for entry, header in headers.items()
        if metadata_of(serde, header.metadata).get("run_id") in runs
    ]
    places = {(entry.namespace, entry.id) for entry in going}
    for entry, header in headers.items():
        place, needed = (entry.namespace, entry.id), (entry.namespace, header.parent or "")
        if place not in places and header.is_open and needed in places:
            raise ConflictError(
                f"thread {thread.name!r:.60}: checkpoint {entry.id:.60} has delta channels that "
                f"are rebuilt from {needed[1]:.60}, which is to be deleted; nothing was deleted. "
                "Delete its run too, or the thread"
            )
    return going
