"""What a saver does, awaited: the loop is not blocked where there is an archive to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["Awaited"]

T = TypeVar("T")


class Awaited(BaseCheckpointSaver[int]):
    """The asynchronous half of a saver, made of the other one.

    A call that is cancelled is done all the same, or not at all: never by half.
    """

    #: Whether there is an archive to wait for; what is in memory takes no longer than to ask.
    _may_wait = False

    def close(self) -> None:
        """Let go of what the saver has."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(self.close)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Do what :meth:`get_tuple` does."""
        return await self._run(lambda: self.get_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Do what :meth:`list` does."""
        found = self.list(config, filter=filter, before=before, limit=limit)
        while (each := await self._run(lambda: next(found, None))) is not None:
            yield each

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Do what :meth:`put` does."""
        return await self._run(lambda: self.put(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Do what :meth:`put_writes` does."""
        await self._run(lambda: self.put_writes(config, writes, task_id, task_path))

    async def adelete_thread(self, thread_id: str) -> None:
        """Do what :meth:`delete_thread` does."""
        await self._run(lambda: self.delete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Do what :meth:`delete_for_runs` does."""
        await self._run(lambda: self.delete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Do what :meth:`copy_thread` does."""
        await self._run(lambda: self.copy_thread(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Do what :meth:`prune` does."""
        await self._run(lambda: self.prune(thread_ids, strategy=strategy))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Do what :meth:`get_delta_channel_history` does."""
        return await self._run(
            lambda: self.get_delta_channel_history(config=config, channels=channels)
        )

    async def _run(self, work: Callable[[], T]) -> T:
        """Do something that may wait for an archive without blocking the loop."""
        return await asyncio.to_thread(work) if self._may_wait else work()
