"""Going through the checkpoints of threads: which there are, and what each is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backpack.integrations.langgraph.configs import named
from backpack.integrations.langgraph.serializing import loaded
from backpack.integrations.langgraph.tuples import metadata_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from backpack.integrations.langgraph.records import Found, Place
    from backpack.integrations.langgraph.threads import Threads

__all__ = ["new_since", "places_in", "read_if"]


def places_in(threads: Threads, config: RunnableConfig | None) -> list[tuple[str, Place]]:
    """Return the checkpoints that a config may mean, with the ids of their threads.

    Args:
        threads: All threads.
        config: Names a thread, and perhaps a namespace and a checkpoint; None means all.
    """
    only = {} if config is None else config.get("configurable") or {}
    checkpoint = only.get("checkpoint_id")
    with threads.lock:
        found: list[tuple[str, Place]] = []
        for name in threads.names() if config is None else [named(config).thread]:
            thread = threads.find(name)
            if thread is not None:
                places = thread.places(only.get("checkpoint_ns"))
                found += [(name, each) for each in places if checkpoint in (None, "", each[1])]
        return found


def read_if(
    threads: Threads,
    serde: SerializerProtocol,
    name: str,
    place: Place,
    wanted: Mapping[str, Any] | None,
) -> Found | None:
    """Return a checkpoint, if it is there yet and its metadata has what is wanted.

    Args:
        threads: All threads.
        serde: The serializer.
        name: The id of the thread.
        place: Which checkpoint.
        wanted: What its metadata must have.
    """
    with threads.lock:
        thread = threads.find(name)
        entry = None if thread is None else thread.find(place)
        if thread is None or entry is None:
            return None
        if wanted:
            metadata = metadata_of(serde, thread.reader.header(entry).metadata)
            if any(metadata.get(key) != value for key, value in wanted.items()):
                return None
        return thread.reader.read(entry)


def new_since(
    threads: Threads, serde: SerializerProtocol, name: str, parent: Place, checkpoint: Checkpoint
) -> ChannelVersions:
    """Return the channels that have another version in a checkpoint than in its parent.

    Args:
        threads: All threads.
        serde: The serializer.
        name: The id of the thread.
        parent: The parent; if it is not there, no channel is new.
        checkpoint: The checkpoint.
    """
    with threads.lock:
        thread = threads.find(name)
        entry = None if thread is None else thread.find(parent)
        if thread is None or entry is None:
            return {}
        header = thread.reader.header(entry)
    before = loaded(serde, header.checkpoint, "checkpoint")["channel_versions"]
    versions = checkpoint["channel_versions"].items()
    return {channel: version for channel, version in versions if version != before.get(channel)}
