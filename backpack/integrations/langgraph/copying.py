"""Copying a thread: every checkpoint again, with its pending writes, as it is serialized."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.integrations.langgraph.records import Incoming
from backpack.integrations.langgraph.removing import all_of

if TYPE_CHECKING:
    from backpack.integrations.langgraph.records import Found, Place
    from backpack.integrations.langgraph.threads import Threads

__all__ = ["copy"]


def copy(threads: Threads, source: str, target: str) -> None:
    """Copy a thread.

    Args:
        threads: All threads.
        source: The id of the one that is copied.
        target: The id of the one that it is copied to.

    Raises:
        BudgetError: There is no room for the copy; a new one is not left half done.
        ArchiveError: It cannot be archived.
    """
    with threads.lock:
        copied = threads.find(source)
        if copied is None or source == target:
            return
        places = [(each.namespace, each.id) for each in all_of(copied)]
        is_new = threads.find(target) is None
        try:
            for place in places:
                found = _found(threads, source, place)
                if found is not None:
                    _put(threads, target, found)
        except BaseException:
            if is_new:
                threads.delete(target)
            raise


def _found(threads: Threads, source: str, place: Place) -> Found | None:
    """Return a checkpoint, if room for its copy was not made by giving it up."""
    thread = threads.find(source)
    entry = None if thread is None else thread.find(place)
    return None if thread is None or entry is None else thread.reader.read(entry)


def _put(threads: Threads, target: str, found: Found) -> None:
    # Nothing is as in the checkpoint before: what is not there is empty.
    empty = found.deltas - found.values.keys() if found.is_open else frozenset()
    incoming = Incoming(
        found.place,
        found.parent,
        found.checkpoint,
        found.metadata,
        empty | found.values.keys(),
        {**dict.fromkeys(empty), **found.values},
        lambda _: None,
        found.deltas,
        found.within,
    )
    size = sum(len(value[1]) for value in found.values.values())
    threads.change(target, size, lambda thread: thread.put(incoming))
    size = sum(len(each.value[1]) for each in found.writes)
    threads.change(target, size, lambda thread: thread.add(found.place, found.writes))
