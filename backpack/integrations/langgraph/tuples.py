"""Checkpoints as LangGraph has them, made of what a thread has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.checkpoint.base import (
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    PendingWrite,
)

from backpack.integrations.langgraph.configs import config_of
from backpack.integrations.langgraph.serializing import loaded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from backpack.integrations.langgraph.records import Found, Typed, Write

__all__ = ["history_of", "metadata_of", "tuple_of"]


def tuple_of(
    serde: SerializerProtocol, thread: str, found: Found, config: RunnableConfig | None = None
) -> CheckpointTuple:
    """Return a checkpoint.

    Args:
        serde: The serializer.
        thread: The id of its thread.
        found: The checkpoint.
        config: The config by which it was asked for; one that names it if left out.

    Raises:
        UnpackableValue: A class in it is not allowed.
    """
    namespace, name = found.place
    checkpoint = loaded(serde, found.checkpoint, "checkpoint")
    checkpoint["channel_values"] = {
        channel: loaded(serde, found.values[channel], f"channel {channel}")
        for channel in checkpoint["channel_versions"]
        if channel in found.values
    }
    return CheckpointTuple(
        config=config_of(thread, namespace, name) if config is None else config,
        checkpoint=checkpoint,
        metadata=metadata_of(serde, found.metadata),
        parent_config=config_of(thread, namespace, found.parent) if found.parent else None,
        pending_writes=[_write(serde, each) for each in found.writes],
    )


def metadata_of(serde: SerializerProtocol, metadata: Typed) -> CheckpointMetadata:
    """Return the metadata of a checkpoint."""
    made: CheckpointMetadata = loaded(serde, metadata, "metadata")
    return made


def history_of(
    serde: SerializerProtocol, writes: Iterable[Write], seed: Typed | None
) -> DeltaChannelHistory:
    """Return what a delta channel is rebuilt from.

    Args:
        serde: The serializer.
        writes: The writes since it was last whole, the oldest first.
        seed: What it was then; None if it never was.
    """
    history: DeltaChannelHistory = {"writes": [_write(serde, each) for each in writes]}
    if seed is not None:
        history["seed"] = loaded(serde, seed, "a delta channel")
    return history


def _write(serde: SerializerProtocol, write: Write) -> PendingWrite:
    return write.task, write.channel, loaded(serde, write.value, f"a write to {write.channel}")
