"""The same Backpack for asyncio: what may wait for an archive waits in a thread of its own.

One thread does everything, in the order in which it was asked for, so that the loop never waits
and no two changes overtake each other.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self, TypeVar

from backpack.container import Backpack
from backpack.labels import check_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from os import PathLike

    from backpack.protocols import Archive
    from backpack.recording import Recorder
    from backpack.records import Commit, Diff, Usage
    from backpack.snapshot import Snapshot

__all__ = ["AsyncBackpack", "AsyncSnapshot", "Changes"]

T = TypeVar("T")


class AsyncBackpack:
    """A :class:`~backpack.container.Backpack` whose operations are awaited.

    They do what those of the same names do, and raise the same errors. A value is taken as it is
    when it is packed, before anything is waited for. A task that is cancelled stops waiting: what
    has begun is finished, what has not is not done; nothing is half done.

    Args:
        backpack: The Backpack. Use it from elsewhere only as from another thread.

    Attributes:
        sync: The same.

    >>> async def main():
    ...     async with AsyncBackpack(Backpack()) as bp:
    ...         first = await bp.pack("plan", ["look"])
    ...         async with bp.transaction(by="router") as changes:
    ...             changes["plan"] = ["look", "book"]
    ...             changes["task"] = "book a flight"
    ...         old = await bp.snapshot(first)
    ...         return await bp.unpack("plan"), await old.unpack("plan")
    >>> asyncio.run(main())
    (['look', 'book'], ['look'])
    """

    def __init__(self, backpack: Backpack) -> None:
        self.sync = backpack
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="backpack")

    @classmethod
    async def open(cls, archive: str | Archive, name: str, /, **settings: Any) -> Self:
        """Go on with a Backpack from where it stopped, or begin it.

        It takes what :meth:`Backpack.open <backpack.container.Backpack.open>` takes.
        """
        return await cls._made(lambda: Backpack.open(archive, name, **settings))

    @classmethod
    async def restore(cls, path: str | PathLike[str], /, **settings: Any) -> Self:
        """Make a Backpack again from a file.

        It takes what :meth:`Backpack.restore <backpack.container.Backpack.restore>` takes.
        """
        return await cls._made(lambda: Backpack.restore(path, **settings))

    @classmethod
    async def _made(cls, make: Callable[[], Backpack]) -> Self:
        making = asyncio.ensure_future(asyncio.to_thread(make))
        try:
            return cls(await asyncio.shield(making))
        except asyncio.CancelledError:
            # Whoever asked for it is gone; its name must not stay taken.
            making.add_done_callback(_closed)
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Write to the archive what is not in it yet, and let go of it; cancelled or not."""
        # Whoever is cancelled while it waits leaves the name to others all the same.
        closing = self._thread.submit(copy_context().run, self.sync.close)
        await asyncio.shield(asyncio.wrap_future(closing))

    async def save(self, path: str | PathLike[str], /, *, archived: bool = False) -> None:
        """Write the whole Backpack to one file."""
        await self._run(lambda: self.sync.save(path, archived=archived))

    async def record(self, path: str | PathLike[str], /, **options: Any) -> Recorder:
        """Write a trace of what is done from here on; what is returned ends it."""
        return await self._run(lambda: self.sync.record(path, **options))

    # --- the current state ---------------------------------------------------------------

    async def pack(self, key: str, value: object, **labels: Any) -> Commit:
        """Set ``key`` to ``value``, as it is at this moment, and make a commit."""
        taken = self._taken(key, value)
        return await self._run(lambda: self.sync.pack(key, taken(), **labels))

    async def unpack(self, key: str, *default: Any) -> Any:
        """Return a new copy of the current value."""
        return await self._run(lambda: self.sync.unpack(key, *default))

    async def remove(self, key: str, **labels: Any) -> Commit:
        """Remove ``key`` and make a commit."""
        return await self._run(lambda: self.sync.remove(key, **labels))

    async def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole current state, as of one moment."""
        return await self._run(self.sync.to_dict)

    def node(self, name: str, /) -> AbstractContextManager[None]:
        """Have commits made inside the block be by a node: ``with bp.node("triage"):``."""
        return self.sync.node(name)

    @asynccontextmanager
    async def transaction(self, **labels: Any) -> AsyncIterator[Changes]:
        """Change several keys in one commit, all or none, when the block ends.

        An exception in the block discards everything; a block that changes nothing makes no
        commit.
        """
        changes = Changes(self._taken)
        node = self.sync._engine.nodes.innermost()
        if labels.get("by") is None and node is not None:
            labels["by"] = node
        yield changes
        if changes.staged:
            changes.commit = await self._run(lambda: self._apply(changes.staged, labels))

    def _apply(
        self, staged: Mapping[str, Callable[[], object] | None], labels: Mapping[str, Any]
    ) -> Commit | None:
        with self.sync.transaction(**labels) as transaction:
            for key, taken in staged.items():
                if taken is None:
                    transaction.remove(key)
                else:
                    transaction.pack(key, taken())
        return transaction.commit

    # --- history -------------------------------------------------------------------------

    async def head(self) -> Commit | None:
        """Return the newest commit, or None before the first."""
        return await self._run(lambda: self.sync.head)

    async def history(self, key: str | None = None) -> list[Commit]:
        """Return the retained and archived commits, newest first."""
        return await self._run(lambda: self.sync.history(key))

    async def snapshot(self, commit: Commit | str) -> AsyncSnapshot:
        """Open the state as of a commit, to be read on demand."""
        return AsyncSnapshot(await self._run(lambda: self.sync.snapshot(commit)), self._run)

    async def diff(self, a: Commit | str, b: Commit | str | None = None) -> Diff:
        """Return what changed from one commit to another; the head if left out."""
        return await self._run(lambda: self.sync.diff(a, b))

    async def tag(self, commit: Commit | str, *tags: str) -> Commit:
        """Add tags to a commit; return its new record."""
        return await self._run(lambda: self.sync.tag(commit, *tags))

    async def untag(self, commit: Commit | str, *tags: str) -> Commit:
        """Take tags off a commit; return its new record."""
        return await self._run(lambda: self.sync.untag(commit, *tags))

    async def pin(self, commit: Commit | str) -> Commit:
        """Keep a commit whatever the pruning policy says; return its record."""
        return await self._run(lambda: self.sync.pin(commit))

    async def unpin(self, commit: Commit | str) -> Commit:
        """Let a pinned commit be pruned again; return its record."""
        return await self._run(lambda: self.sync.unpin(commit))

    async def rollback(self, commit: Commit | str, *, keys: Iterable[str] | None = None) -> Commit:
        """Make the state as of a commit the current one again, as a new commit."""
        return await self._run(lambda: self.sync.rollback(commit, keys=keys))

    async def fork(
        self, at: Commit | str | None = None, *, keys: Iterable[str] | None = None
    ) -> AsyncBackpack:
        """Make an independent Backpack that starts from the state as of a commit."""
        return AsyncBackpack(await self._run(lambda: self.sync.fork(at, keys=keys)))

    async def memory_usage(self, *, by_key: bool = False) -> Usage:
        """Return what the state and the history take, in bytes and in numbers."""
        return await self._run(lambda: self.sync.memory_usage(by_key=by_key))

    @property
    def code(self) -> str:
        """What the ids of all its commits end with (``k3fq7x``)."""
        return self.sync.code

    def __repr__(self) -> str:
        return f"<AsyncBackpack {self.sync.code}>"

    # --- helpers -------------------------------------------------------------------------

    def _taken(self, key: str, value: object) -> Callable[[], object]:
        """Take a value as it is at this moment; return what gives a copy of it."""
        encoded = self.sync.codec.encode(value, check_key(key))
        return lambda: self.sync.codec.decode(encoded)

    async def _run(self, work: Callable[[], T]) -> T:
        """Do something in the thread, after all that was asked for before.

        It has the context variables of whoever asks for it.
        """
        return await asyncio.wrap_future(self._thread.submit(copy_context().run, work))


class AsyncSnapshot:
    """The read-only state as of one commit; reading it is awaited.

    Args:
        snapshot: The snapshot.
        run: Does something in the thread of its Backpack.
    """

    def __init__(self, snapshot: Snapshot, run: Callable[[Callable[[], Any]], Any]) -> None:
        self._snapshot = snapshot
        self._run = run

    @property
    def commit(self) -> Commit:
        """The commit it shows, as it was recorded when the snapshot was opened."""
        return self._snapshot.commit

    async def unpack(self, key: str, *default: Any) -> Any:
        """Return a new copy of the value, or an ``Unavailable`` where history left it out."""
        return await self._run(lambda: self._snapshot.unpack(key, *default))

    async def keys(self) -> list[str]:
        """Return the keys that existed at this commit."""
        return await self._run(lambda: list(self._snapshot))  # type: ignore[no-any-return]

    async def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole state, ``Unavailable`` where history left a value out."""
        return await self._run(self._snapshot.to_dict)  # type: ignore[no-any-return]

    async def archived(self) -> bool:
        """Return whether its commit is in the archive, from where it is read now."""
        return await self._run(lambda: self._snapshot.archived)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<AsyncSnapshot {self.commit.id}>"


class Changes:
    """What an asynchronous transaction will change: values are set, keys deleted.

    Args:
        take: Takes a value as it is, and returns what gives a copy of it.

    Attributes:
        staged: What gives the value of each key; None where that is removed.
        commit: The commit that was made; None until the block has ended.
    """

    def __init__(self, take: Callable[[str, object], Callable[[], object]]) -> None:
        self.staged: dict[str, Callable[[], object] | None] = {}
        self.commit: Commit | None = None
        self._take = take

    def __setitem__(self, key: str, value: object) -> None:
        """Set ``key`` to ``value``, as it is at this moment."""
        self.staged[key] = self._take(key, value)

    def __delitem__(self, key: str) -> None:
        """Remove ``key``; that it is not there is told when the block ends."""
        self.staged[check_key(key)] = None


def _closed(made: asyncio.Future[Backpack]) -> None:
    """Close a Backpack that nobody waits for any more."""
    if not made.cancelled() and made.exception() is None:
        made.result().close()
