"""The saver: LangGraph's checkpoints in and out, serialized by its own serializer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
    get_checkpoint_id,
    get_checkpoint_metadata,
)

from backpack.errors import ConfigError
from backpack.integrations.langgraph.awaited import Awaited
from backpack.integrations.langgraph.browsing import new_since, places_in, read_if
from backpack.integrations.langgraph.configs import check_thread, config_of, enclosing, named
from backpack.integrations.langgraph.copying import copy
from backpack.integrations.langgraph.records import Incoming, Write
from backpack.integrations.langgraph.removing import ancestors, old, picked
from backpack.integrations.langgraph.serializing import strict
from backpack.integrations.langgraph.thread import Thread
from backpack.integrations.langgraph.threads import Threads
from backpack.integrations.langgraph.tuples import history_of, tuple_of
from backpack.wording import described, one_of

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from backpack.integrations.langgraph.ledger import Entry
    from backpack.integrations.langgraph.records import SaverUsage, Typed
    from backpack.protocols import Archive

__all__ = ["BackpackSaver"]

T = TypeVar("T")

_STRATEGIES = ("keep_latest", "delete")


class BackpackSaver(Awaited):
    """Keep the checkpoints of LangGraph's threads, each thread's history inside a byte budget.

    The newest checkpoint of every namespace, with its pending writes, is always whole; that of a
    subgraph as long as the step is there that called it. Older ones are kept as long as the budget
    allows, the oldest go first; none goes that another one needs to be resumed: the ancestors from
    which a delta channel is rebuilt, the states of the subgraphs of a step. Where all that is left
    is needed, the checkpoint that does not fit is refused.

    The budgets bound the history, not what is current: a thread whose newest checkpoint has 1 MB
    takes that beside its history.

    With an archive nothing is lost: what the budget gives up goes there and can still be read,
    and a process can go on where another one stopped. The asynchronous methods do not block the
    loop on it.

    Args:
        max_thread_size: What the history of one thread may take: bytes, or text like "16 MiB".
        max_total_size: What those of all threads may take together; None for no limit to that.
        archive: Where what is given up goes: the URL of an archive (``sqlite:///runs.db``), in
            which each checkpoint is durable before ``put`` returns, or an archive object.
        max_open_threads: How many threads stay in memory where there is an archive; of others
            not even the newest checkpoint does.
        serde: What serializes; if left out, LangGraph's own, which makes nothing but what is
            safe: its own types, and those of ``allow``.
        allow: Classes of your own, or their (module, name), that a checkpoint may have.

    Raises:
        ConfigError: One of them cannot be.
        ArchiveError: The archive cannot be used.

    >>> from langgraph.graph import StateGraph, START
    >>> graph = StateGraph(dict)
    >>> _ = graph.add_node("look", lambda state: {"seen": True})
    >>> _ = graph.add_edge(START, "look")
    >>> agent = graph.compile(checkpointer=BackpackSaver(max_thread_size="1 MiB"))
    >>> thread = {"configurable": {"thread_id": "1"}}
    >>> agent.invoke({"seen": False}, thread)
    {'seen': True}
    >>> [state.values for state in agent.get_state_history(thread)]
    [{'seen': True}, {'seen': False}, None]
    """

    def __init__(
        self,
        *,
        max_thread_size: int | str = "16 MiB",
        max_total_size: int | str | None = "256 MiB",
        archive: str | Archive | None = None,
        max_open_threads: int = 64,
        serde: SerializerProtocol | None = None,
        allow: Sequence[type | tuple[str, str]] = (),
    ) -> None:
        if serde is not None and allow:
            raise ConfigError(
                "what may be in a checkpoint is for the serializer to say, and one is given; give "
                "it the classes of allow",
                field="allow",
            )
        super().__init__(serde=strict(allow) if serde is None else serde)
        self._threads = Threads(max_thread_size, max_total_size, archive, max_open_threads)
        self._may_wait = archive is not None

    def close(self) -> None:
        """Write to the archive what is not in it yet, and let go of it."""
        self._threads.close()

    def memory_usage(self) -> SaverUsage:
        """Return what the threads take that are in memory."""
        return self._threads.usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- reading -------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return a checkpoint with its pending writes; the newest, if the config names none.

        Args:
            config: Names the thread, and perhaps a namespace and a checkpoint.

        Returns:
            None if there is none, or it was given up to keep the budget.

        Raises:
            UnpackableValue: A class in it is not allowed.
            ArchiveError: The archive cannot be read.
        """
        thread_id, namespace, checkpoint_id = named(config)
        with self._threads.lock:
            thread = self._threads.find(thread_id)
            if thread is None:
                return None
            if checkpoint_id is None:
                entry = thread.newest(namespace)
            else:
                entry = thread.find((namespace, checkpoint_id))
                if entry is not None:
                    thread.ledger.guard((namespace, checkpoint_id))
            found = None if entry is None else thread.reader.read(entry)
        if found is None:
            return None
        return tuple_of(self.serde, thread_id, found, config if checkpoint_id else None)

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Iterate over checkpoints, in each namespace the newest first.

        One that is given up meanwhile is left out.

        Args:
            config: Only those of this thread, namespace or checkpoint; all if None.
            filter: Only those whose metadata has these values.
            before: Only those that are older than the one this names.
            limit: So many at most.
        """
        until = None if before is None else get_checkpoint_id(before)
        left = limit
        for thread_id, place in places_in(self._threads, config):
            if left is not None and left <= 0:
                return
            if until and place[1] >= until:
                continue
            found = read_if(self._threads, self.serde, thread_id, place, filter)
            if found is not None:
                if left is not None:
                    left -= 1
                yield tuple_of(self.serde, thread_id, found)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Return what delta channels are rebuilt from: see LangGraph's own documentation.

        Args:
            config: Names the checkpoint.
            channels: The channels.

        Returns:
            For each the writes since it was last whole, the oldest first, and what it was then.
        """
        thread_id, namespace, checkpoint_id = named(config)
        seeds: dict[str, Typed] = {}
        writes: dict[str, list[Write]] = {channel: [] for channel in channels}
        waiting = set(channels)
        with self._threads.lock:
            thread = self._threads.find(thread_id)
            if thread is None:
                return {channel: {"writes": []} for channel in channels}
            at = thread.find((namespace, checkpoint_id)) if checkpoint_id else None
            for entry in ancestors(thread, at or thread.newest(namespace)):
                if not waiting:
                    break
                written, found = thread.reader.seeds(entry, waiting)
                for write in reversed(written):
                    if write.channel in waiting:
                        writes[write.channel].append(write)
                seeds |= found
                waiting -= found.keys()
        return {
            channel: history_of(self.serde, reversed(writes[channel]), seeds.get(channel))
            for channel in channels
        }

    # --- writing -------------------------------------------------------------------------

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Put a checkpoint.

        Args:
            config: Names the thread, the namespace and the checkpoint it was made from.
            checkpoint: The checkpoint.
            metadata: Its metadata.
            new_versions: The channels that are new since the one it was made from.

        Returns:
            A config that names it.

        Raises:
            BudgetError: There is no room, and all that is there is needed; or a delta channel of
                it is rebuilt from a checkpoint that was given up.
            ArchiveError: It cannot be archived.
        """
        thread_id, namespace, parent = named(config)
        serialize = self.serde.dumps_typed
        values = checkpoint["channel_values"]
        if parent is not None and not new_versions:  # As where one is copied to be beside it.
            place = namespace, parent
            new_versions = new_since(self._threads, self.serde, thread_id, place, checkpoint)
        rest = {key: value for key, value in checkpoint.items() if key != "channel_values"}
        changed = {
            channel: serialize(values[channel]) if channel in values else None
            for channel in new_versions
            if channel in checkpoint["channel_versions"]
        }
        told = get_checkpoint_metadata(config, metadata)

        def spare(channel: str) -> Typed | None:
            return serialize(values[channel]) if channel in values else None

        incoming = Incoming(
            (namespace, checkpoint["id"]),
            parent,
            serialize(rest),
            serialize(told),
            frozenset(checkpoint["channel_versions"]),
            changed,
            spare,
            frozenset(told.get("counters_since_delta_snapshot") or ()),
            enclosing(namespace, told.get("parents")),
        )
        size = len(incoming.checkpoint[1]) + len(incoming.metadata[1])
        size += sum(len(value[1]) for value in changed.values() if value is not None)
        self._threads.change(thread_id, size, lambda thread: thread.put(incoming))
        return config_of(thread_id, *incoming.place)

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Add pending writes to a checkpoint, which may come after them.

        Args:
            config: Names the checkpoint.
            writes: The channels and what is written there.
            task_id: Which task has written.
            task_path: Its path, by which the writes of one step are ordered.

        Raises:
            BudgetError: There is no room, and all that is there is needed.
            ArchiveError: They cannot be archived.
        """
        thread_id, namespace, checkpoint_id = named(config)
        if checkpoint_id is None:
            raise ConfigError(
                "pending writes are of a checkpoint: the config has to name its checkpoint_id",
                field="configurable.checkpoint_id",
            )
        serialize = self.serde.dumps_typed
        serialized = [
            Write(task_id, WRITES_IDX_MAP.get(channel, index), channel, serialize(value), task_path)
            for index, (channel, value) in enumerate(writes)
        ]
        place = namespace, checkpoint_id
        size = sum(len(each.value[1]) for each in serialized)
        self._threads.change(thread_id, size, lambda thread: thread.add(place, serialized))

    # --- removing ------------------------------------------------------------------------

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread, with all that is archived of it.

        Args:
            thread_id: Its id.

        Raises:
            ArchiveError: The archive cannot be written.
        """
        self._threads.delete(check_thread(thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that some runs have made, in all threads.

        Args:
            run_ids: The ids of the runs, as the metadata have them.

        Raises:
            ConflictError: Another checkpoint is rebuilt from one of them; nothing was deleted.
            BudgetError: A thread has no room to go on without its newest checkpoint; it is as
                before.
            ArchiveError: The archive cannot be written.
        """
        runs = set(run_ids)
        if not runs:
            return
        with self._threads.lock:
            going: dict[str, list[Entry]] = {}
            for thread_id in self._threads.names():
                thread = self._threads.find(thread_id)
                if thread is not None:
                    going[thread_id] = picked(thread, self.serde, runs)
            for thread_id, entries in going.items():
                if entries:
                    self._threads.change(thread_id, 0, partial(Thread.erase, entries=entries))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread, with all its checkpoints and their pending writes.

        What the target has stays, but for checkpoints of the same namespace and id.

        Args:
            source_thread_id: Which thread.
            target_thread_id: To which.

        Raises:
            BudgetError: There is no room for the copy; a new one is not left half done.
            ArchiveError: It cannot be archived.
        """
        copy(self._threads, check_thread(source_thread_id), check_thread(target_thread_id))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete old checkpoints, in the archive too.

        Args:
            thread_ids: Of which threads.
            strategy: ``"keep_latest"`` keeps the newest of each namespace, and what these are
                rebuilt from; ``"delete"`` keeps nothing.

        Raises:
            ConfigError: There is no such strategy.
            ArchiveError: The archive cannot be written.
        """
        if strategy not in _STRATEGIES:
            raise ConfigError(
                f"found {described(strategy)}; there are: {one_of(_STRATEGIES)}", field="strategy"
            )
        for thread_id in map(check_thread, thread_ids):
            if strategy == "delete":
                self._threads.delete(thread_id)
                continue
            with self._threads.lock:
                if self._threads.find(thread_id) is None:
                    continue
                self._threads.change(thread_id, 0, lambda thread: thread.erase(old(thread)))

    def get_next_version(self, current: int | None, channel: None) -> int:
        """Return the version of a channel after this one.

        Branches may use the same number for different values: what a checkpoint has is told by
        the one it was made from.
        """
        return 1 if current is None else int(current) + 1
