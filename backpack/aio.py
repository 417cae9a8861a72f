"""The same Backpack for asyncio: what may wait for an archive waits in a thread of its own.

One thread does everything, in the order in which it was asked for, so that the loop never waits
and no two changes overtake each other.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from backpack.awaited import AsyncSnapshot, Changes
from backpack.container import Backpack
from backpack.errors import BackpackError
from backpack.events import log
from backpack.labels import check_key, check_labels
from backpack.nodes import labelled
from backpack.transaction import pack_edited

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from contextlib import AbstractContextManager
    from os import PathLike

    from backpack.history import Current
    from backpack.protocols import Archive
    from backpack.recording import Recorder
    from backpack.records import Commit, Diff, Event, Usage

__all__ = ["AsyncBackpack", "AsyncSnapshot", "Changes"]

T = TypeVar("T")


class _Closable(Protocol):
    """What has to be closed."""

    def close(self) -> None:
        """Close it."""
        ...


C = TypeVar("C", bound=_Closable)


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
        self._thread = _new_thread()

    @classmethod
    async def from_preset(cls, preset: str = "default", /, **settings: Any) -> Self:
        """Make a Backpack from a preset: ``default``, ``short-lived``, ``long-running``, ...

        It takes what :meth:`Backpack.from_preset <backpack.container.Backpack.from_preset>` takes.
        """
        return await cls._made(lambda: Backpack.from_preset(preset, **settings))

    @classmethod
    async def from_file(cls, path: str | PathLike[str], /, **settings: Any) -> Self:
        """Make a Backpack from a YAML file.

        It takes what :meth:`Backpack.from_file <backpack.container.Backpack.from_file>` takes.
        """
        return await cls._made(lambda: Backpack.from_file(path, **settings))

    @classmethod
    async def open(cls, archive: str | Archive, name: str, /, **settings: Any) -> Self:
        """Go on with a Backpack from where it stopped, or begin it.

        It takes what :meth:`Backpack.open <backpack.container.Backpack.open>` takes.
        """
        return await cls._made(lambda: Backpack.open(archive, name, **settings))

    @classmethod
    async def restore(cls, path: str | PathLike[str], /, *name: str, **settings: Any) -> Self:
        """Make a Backpack again from a file.

        It takes what :meth:`Backpack.restore <backpack.container.Backpack.restore>` takes.
        """
        return await cls._made(lambda: Backpack.restore(path, *name, **settings))

    @classmethod
    async def _made(cls, make: Callable[[], Backpack]) -> Self:
        thread = _new_thread()
        made = cls(await _handed_over(make, thread))
        made._thread = thread
        return made

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Write to the archive what is not in it yet, and let go of it; cancelled or not."""
        # Whoever is cancelled while it waits leaves the name to others all the same.
        closing = self._thread.submit(copy_context().run, self.sync.close)
        await asyncio.shield(asyncio.wrap_future(closing))

    async def save(
        self,
        path: str | PathLike[str],
        /,
        *,
        archived: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write the whole Backpack to one file; progress is told in its thread."""
        await self._run(lambda: self.sync.save(path, archived=archived, progress=progress))

    async def record(self, path: str | PathLike[str], /, **options: Any) -> Recorder:
        """Write a trace of what is done from here on; what is returned ends it."""
        return await _handed_over(lambda: self.sync.record(path, **options), self._thread)

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback`` with every event from here on; return what ends that.

        It is called in the thread of the Backpack, with the context variables of who made the
        change: ``loop.call_soon_threadsafe`` takes it from there to a loop.
        """
        return self.sync.subscribe(callback)

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

    async def get(self, key: str, default: Any = None) -> Any:
        """Return a new copy of the current value, or ``default`` if there is none."""
        return await self._run(lambda: self.sync.get(key, default))

    async def pop(self, key: str, *default: Any) -> Any:
        """Remove ``key`` and return its value, or the default if it does not exist."""
        return await self._run(lambda: self.sync.pop(key, *default))

    async def popitem(self) -> tuple[str, Any]:
        """Remove the key that was added last, and return it with its value."""
        return await self._run(self.sync.popitem)

    async def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a copy of the value; pack ``default`` first if there is none."""
        taken = self._taken(key, default)
        return await self._run(lambda: self.sync.setdefault(key, taken()))

    async def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Pack every key of a mapping, pairs or keyword arguments, in one commit."""
        async with self.transaction() as changes:
            for key, value in dict(*args, **kwargs).items():
                changes[key] = value

    async def clear(self) -> None:
        """Remove every key, in one commit."""
        await self._run(self.sync.clear)

    async def keys(self) -> list[str]:
        """Return the keys, in the order in which they were added."""
        return await self._run(lambda: list(self.sync))

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
        if changes.staged or changes.erased:
            changes.commit = await self._run(lambda: self._apply(changes, labels))

    @asynccontextmanager
    async def edit(
        self,
        key: str,
        *,
        by: str | None = None,
        tags: Iterable[str] = (),
        note: str | None = None,
    ) -> AsyncIterator[Any]:
        """Change a value in place: packs what the block has made of it, when the block ends.

        A block that changes nothing makes no commit, nor does one that raises. Nobody waits while
        the block runs: where the key was packed or removed meanwhile, that is a
        :class:`~backpack.errors.ConflictError`, and the edit is not packed.

        >>> async def main():
        ...     async with AsyncBackpack(Backpack()) as bp:
        ...         await bp.pack("messages", ["hello"])
        ...         async with bp.edit("messages", by="user") as messages:
        ...             messages.append("any flights?")
        ...         return await bp.unpack("messages")
        >>> asyncio.run(main())
        ['hello', 'any flights?']
        """
        engine = self.sync._engine
        labels = labelled(engine.nodes, check_labels(by, tags, note))

        def begin() -> tuple[Any, Current]:
            with engine.lock:
                return engine.unpack(key), engine.history.current[key]

        def end() -> None:
            with engine.lock:
                pack_edited(engine, key, before, taken(), labels)

        value, before = await self._run(begin)
        yield value
        taken = self._taken(key, value)
        await self._run(end)

    def _apply(self, changes: Changes, labels: Mapping[str, Any]) -> Commit | None:
        with self.sync.transaction(**labels) as transaction:
            transaction.erase(*changes.erased)
            for key, taken in changes.staged.items():
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
        fork = await _handed_over(lambda: self.sync.fork(at, keys=keys), self._thread)
        return AsyncBackpack(fork)

    async def erase(self, *commits: Commit | str) -> None:
        """Remove commits for good: from the history, and from the archive."""
        await self._run(lambda: self.sync.erase(*commits))

    async def resize(self, max_history_size: int | str, /) -> None:
        """Give the history another budget: commits are pruned until it fits a smaller one."""
        await self._run(lambda: self.sync.resize(max_history_size))

    async def memory_usage(self, *, by_key: bool = False) -> Usage:
        """Return what the state and the history take, in bytes and in numbers."""
        return await self._run(lambda: self.sync.memory_usage(by_key=by_key))

    @property
    def code(self) -> str:
        """What the ids of all its commits end with (``k3fq7x``)."""
        return self.sync.code

    @property
    def max_history_size(self) -> int:
        """The budget of the history, in bytes."""
        return self.sync.max_history_size

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


def _new_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="backpack")


async def _handed_over(make: Callable[[], C], thread: ThreadPoolExecutor) -> C:
    """Return what is made in a thread; whoever is cancelled leaves nothing open."""
    making = thread.submit(copy_context().run, make)
    try:
        return await asyncio.wrap_future(making)
    except asyncio.CancelledError:
        # Whoever asked for it is gone; its name must not stay taken. Closing it may take a while.
        thread.submit(_close, making)
        raise


def _close(making: Future[C]) -> None:
    """Close what nobody waits for any more, if it was made."""
    if making.cancelled() or making.exception() is not None:
        return
    try:
        making.result().close()
    except BackpackError as error:
        log("warning", "not_closed", error=str(error))
