"""What an asynchronous Backpack gives out: states to be read, and changes to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backpack.labels import check_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.records import Commit
    from backpack.snapshot import Snapshot

__all__ = ["AsyncSnapshot", "Changes"]


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
        erased: The commits, or their ids, that go in the moment in which this one comes.
        commit: The commit that was made; None until the block has ended.
    """

    def __init__(self, take: Callable[[str, object], Callable[[], object]]) -> None:
        self.staged: dict[str, Callable[[], object] | None] = {}
        self.erased: list[Commit | str] = []
        self.commit: Commit | None = None
        self._take = take

    def __setitem__(self, key: str, value: object) -> None:
        """Set ``key`` to ``value``, as it is at this moment."""
        self.staged[key] = self._take(key, value)

    def __delitem__(self, key: str) -> None:
        """Remove ``key``; that it is not there is told when the block ends."""
        self.staged[check_key(key)] = None

    def erase(self, *commits: Commit | str) -> None:
        """Have commits go for good in the moment in which this one comes; the newest may be one.

        See :meth:`Transaction.erase <backpack.transaction.Transaction.erase>`; that one of them
        may not go is told when the block ends.
        """
        self.erased += commits
