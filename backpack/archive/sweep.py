"""What a log is to keep: when something of it is over its limits, and which commits that is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import frozen
from sqlalchemy import func, select

from backpack.archive.removal import Removal
from backpack.archive.retention import removable
from backpack.archive.rows import seq_in, time_in
from backpack.archive.tables import COMMITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from backpack.archive.log import Log
    from backpack.archive.removal import Removed
    from backpack.archive.retention import Retention

__all__ = ["Sweeper"]


@frozen
class _Standing:
    """What there was to remove when it was last looked at.

    Attributes:
        head: The newest commit in the log, which has to stay.
        archived: How many commits were archived, those that have to stay included.
        count: How many of them might be removed.
        oldest: The time of the oldest of these.
    """

    head: int
    archived: int
    count: int
    oldest: float | None


class Sweeper:
    """Removes from one log what is over its limits, the oldest first.

    Args:
        log: The log.
        retention: The limits.

    Attributes:
        swept: The number of the newest commit that was removed since the log was opened.
    """

    def __init__(self, log: Log, retention: Retention) -> None:
        self.swept = 0
        self._log = log
        self._retention = retention
        self._standing: _Standing | None = None
        self._size: int | None = None

    def forget(self) -> None:
        """Look anew: commits were tagged or pinned, or are not any more."""
        self._standing = None

    def grow(self, size: int) -> None:
        """Count bytes that were written."""
        if self._size is not None:
            self._size += size

    def is_due(self, archived: int) -> bool:
        """Whether there is something to remove, of so many archived commits."""
        if not self._retention.is_limited or not archived:
            return False
        if not self._is_over(self._look(archived)):
            return False
        # Of those that came since it was looked, some may have to stay.
        self._standing = None
        return self._is_over(self._look(archived))

    def _is_over(self, standing: _Standing) -> bool:
        return standing.count > 0 and (
            self._retention.surplus(standing.count) > 0
            or (
                standing.oldest is not None
                and self._retention.is_too_old(standing.oldest, self._log.time)
            )
            or self._retention.excess(self._measured()) > 0
        )

    def sweep(self, connection: Connection, archived: int, newest: float) -> tuple[int, int]:
        """Remove what is to be removed, in the transaction that is open.

        Args:
            connection: The connection.
            archived: How many commits are archived.
            newest: The time of the newest commit.

        Returns:
            How many commits and how many versions that was.

        Raises:
            CorruptError: What is to be removed is not as it was written.
        """
        retention, commits, versions = self._retention, 0, 0
        self._standing = self._size = None
        while True:
            standing = self._look(archived)
            excess = retention.excess(self._measured())
            wanted = max(retention.surplus(standing.count), math.ceil(excess * standing.count))
            rows = connection.execute(
                select(COMMITS.c.seq, COMMITS.c.time)
                .where(removable(self._log.name, self._log.head))
                .order_by(COMMITS.c.seq)
                .limit(wanted if retention.max_age is None else None)
            ).all()
            # A clock that was wrong for a while makes no other commit older, or younger.
            seqs = [
                seq_in(row.seq)
                for place, row in enumerate(rows)
                if place < wanted
                or retention.may_go(time_in(row.time, f"commit {row.seq!r:.40}"), newest)
            ]
            if not seqs:
                break
            some, of_them = self.remove(connection, seqs, self._log.head)
            commits += some
            versions += of_them
            archived -= some
        return commits, versions

    def remove(
        self,
        connection: Connection,
        seqs: Sequence[int],
        head: int,
        removed: Removed | None = None,
    ) -> tuple[int, int]:
        """Remove commits, and the versions that stood at none but them, in the open transaction.

        Args:
            connection: The connection.
            seqs: Their numbers, ascending; those that are gone already are passed over.
            head: The number of the newest commit in the log, which is none of them.
            removed: Told of every row that goes, or changes.

        Returns:
            How many commits and how many versions that was.

        Raises:
            CorruptError: What is to be removed is not as it was written.
        """
        self.swept = max(self.swept, seqs[-1])
        self._standing, self._size = None, None
        return Removal(self._log, connection, head, removed).carry_out(seqs)

    def _look(self, archived: int) -> _Standing:
        """Return what there is to remove; those that came since are taken for such."""
        known, connection, head = self._standing, self._log.database.connection, self._log.head
        if known is not None and (known.archived, known.head) == (archived, head):
            return known
        more = 0 if known is None else archived - known.archived + (known.head != head)
        # What came since is no older, unless a clock was wrong: a time that is yet to come tells
        # so, one that is long gone is seen when the next is too old.
        if known is not None and (
            not more
            or self._retention.max_age is None
            or (known.oldest is not None and known.oldest <= self._log.time)
        ):
            return _Standing(head, archived, known.count + more, known.oldest)
        columns = func.count(), func.min(COMMITS.c.time)
        count, time = connection.execute(
            select(*columns).where(removable(self._log.name, head))
        ).one()
        oldest = None if time is None else time_in(time, "the oldest commit")
        self._standing = _Standing(head, archived, count, oldest)
        return self._standing

    def _measured(self) -> int:
        """Return how many bytes it takes; a server is asked once more may be there than allowed."""
        limit = self._retention.max_size
        if limit is None:
            return 0
        database = self._log.database
        if self._size is None or database.is_sqlite or self._retention.excess(self._size):
            self._size = database.size(self._log.name)
        return self._size
