"""Removing commits from a log, so that all others answer as before.

A version goes once no commit is left at which it stood. What leans on it is then held alone, and
the version behind it is told which one is before it now: so that what is missing is missed yet.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile, zip_longest
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen
from sqlalchemy import bindparam, delete, func, select, update

from backpack.archive.reading import lost
from backpack.archive.retention import removable
from backpack.archive.rows import (
    Form,
    as_row,
    changed_version,
    check_version,
    commit_of,
    name_in,
    number_in,
    time_in,
)
from backpack.archive.tables import COMMITS, VERSIONS
from backpack.records import SupersededVersion

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from backpack.archive.log import Log
    from backpack.archive.retention import Retention

__all__ = ["Sweeper"]

_DELETE_COMMITS: Final = delete(COMMITS).where(
    COMMITS.c.name == bindparam("of"), COMMITS.c.seq == bindparam("number")
)
_DELETE_VERSIONS: Final = delete(VERSIONS).where(
    VERSIONS.c.name == bindparam("of"),
    VERSIONS.c.key == bindparam("whose"),
    VERSIONS.c.seq == bindparam("number"),
)


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


@frozen
class _Link:
    """A version among those of its key."""

    seq: int
    previous: int
    form: int


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
            times = (time_in(row.time, _named(row.seq)) for row in rows)
            old = sum(1 for _ in takewhile(lambda time: retention.may_go(time, newest), times))
            seqs = [_number(row.seq) for row in rows[: max(wanted, old)]]
            if not seqs:
                break
            versions += self.remove(connection, seqs)
            commits += len(seqs)
            archived -= len(seqs)
        return commits, versions

    def remove(self, connection: Connection, seqs: Sequence[int]) -> int:
        """Remove commits, and the versions that stood at none but them, in the open transaction.

        Args:
            connection: The connection.
            seqs: Their numbers, ascending.

        Returns:
            How many versions that was.

        Raises:
            CorruptError: What is to be removed is not as it was written.
        """
        self.swept = max(self.swept, seqs[-1])
        self._standing, self._size = None, None
        return self._remove(connection, seqs)

    def _look(self, archived: int) -> _Standing:
        """Return what there is to remove; those that came since are taken for such."""
        known, connection, head = self._standing, self._log.database.connection, self._log.head
        if known is not None and (known.archived, known.head) == (archived, head):
            return known
        where = removable(self._log.name, head)
        oldest: float | None = None
        if self._retention.max_age is not None:
            query = (
                select(COMMITS.c.seq, COMMITS.c.time).where(where).order_by(COMMITS.c.seq).limit(1)
            )
            found = connection.execute(query).first()
            oldest = None if found is None else time_in(found.time, _named(found.seq))
        if known is None:
            count = connection.scalar(select(func.count()).select_from(COMMITS).where(where)) or 0
            self._standing = _Standing(head, archived, count, oldest)
            return self._standing
        more = archived - known.archived + (known.head != head)
        return _Standing(head, archived, known.count + more, oldest)

    def _measured(self) -> int:
        """Return how many bytes it takes; a server is asked once more may be there than allowed."""
        limit = self._retention.max_size
        if limit is None:
            return 0
        database = self._log.database
        if self._size is None or database.is_sqlite or self._retention.excess(self._size):
            self._size = database.size(self._log.name)
        return self._size

    def _remove(self, connection: Connection, seqs: Sequence[int]) -> int:
        """Remove commits, and the versions that stood at none but them; return how many."""
        name, gone, last = self._log.name, set(seqs), seqs[-1] + 1
        query = select(COMMITS).where(COMMITS.c.name == name, COMMITS.c.seq <= last)
        older = [
            commit_of(as_row(row), self._log.code).commit
            for row in connection.execute(query.order_by(COMMITS.c.seq))
        ]
        until, kept = last, [each.seq for each in older if each.seq not in gone]
        since = bisect_left([each.seq for each in older], seqs[0])
        if self._is_unbroken([each.seq for each in older[since:]]):
            # A version that goes was set, or superseded, by one of these.
            keys = {
                change.key
                for commit in older[since:]
                for change in commit.changes
                if change.kind != "same"
            }
        else:
            until = self._log.head
            every = select(COMMITS.c.seq).where(COMMITS.c.name == name).order_by(COMMITS.c.seq)
            kept = [seq for seq in map(_number, connection.scalars(every)) if seq not in gone]
            of_name = select(VERSIONS.c.key).where(VERSIONS.c.name == name)
            found = connection.scalars(of_name.distinct())
            keys = {name_in(key, f"the key {key!r:.60}") for key in found}
        connection.execute(_DELETE_COMMITS, [{"of": name, "number": seq} for seq in seqs])
        return sum(self._squash(connection, key, kept, until) for key in sorted(keys))

    def _is_unbroken(self, seqs: Sequence[int]) -> bool:
        """Whether no commit was ever removed from these on."""
        behind = select(func.count()).select_from(COMMITS)
        query = behind.where(COMMITS.c.name == self._log.name, COMMITS.c.seq >= seqs[0])
        return self._log.database.connection.scalar(query) == self._log.head - seqs[0] + 1

    def _squash(self, connection: Connection, key: str, kept: Sequence[int], until: int) -> int:
        """Remove the versions of a key, up to a commit, that stood at none that is kept."""
        links = self._links(connection, key, until)
        staying: list[_Link] = []
        going: list[_Link] = []
        ends = [each.seq for each in links[1:]]
        for link, end in zip_longest(links, ends):
            stood = end is None or _is_any(kept, link.seq, end)
            # Where there was nothing before, there is nothing to tell of a removal.
            is_needed = link.form != Form.REMOVED or bool(staying)
            (staying if stood and is_needed else going).append(link)
        if not going:
            return 0
        if going[-1] is links[-1]:
            staying.extend(self._links(connection, key, until, behind=True))
        before = 0
        for link in staying:
            if link.previous != before:
                self._relink(connection, key, link, before)
            before = link.seq
        name = self._log.name
        connection.execute(
            _DELETE_VERSIONS, [{"of": name, "whose": key, "number": each.seq} for each in going]
        )
        return len(going)

    def _links(
        self, connection: Connection, key: str, until: int, *, behind: bool = False
    ) -> list[_Link]:
        """Return the versions of a key up to a commit, or the first one behind it."""
        columns = (VERSIONS.c.seq, VERSIONS.c.previous, VERSIONS.c.form)
        query = select(*columns).where(VERSIONS.c.name == self._log.name, VERSIONS.c.key == key)
        query = query.order_by(VERSIONS.c.seq)
        if behind:
            query = query.where(VERSIONS.c.seq > until).limit(1)
        else:
            query = query.where(VERSIONS.c.seq <= until)
        what = f"a version of {key!r:.60}"
        links = [
            _Link(*(number_in(each, what) for each in row)) for row in connection.execute(query)
        ]
        before = 0
        for link in () if behind else links:
            if link.previous != before:
                raise lost(self._log.database.name, key, link.seq)
            before = link.seq
        return links

    def _relink(self, connection: Connection, key: str, link: _Link, previous: int) -> None:
        """Tell a version which one is before it now; hold it alone if it leant on what goes."""
        place = (
            VERSIONS.c.name == self._log.name,
            VERSIONS.c.key == key,
            VERSIONS.c.seq == link.seq,
        )
        row = as_row(connection.execute(select(VERSIONS).where(*place)).one())
        check_version(row)
        changes: dict[str, Any] = {"previous": previous}
        if row["form"] == Form.LEANING:
            alone = SupersededVersion(key, link.seq, self._log.encoded(row))
            data = self._log.delta.hold(alone)
            changes |= {"form": int(Form.ALONE), "ground": link.seq, "depth": 0, "data": data}
        values = changed_version(row, **changes)
        connection.execute(update(VERSIONS).where(*place).values(values))


def _named(seq: object) -> str:
    return f"commit {seq!r:.40}"


def _number(seq: object) -> int:
    return number_in(seq, _named(seq))


def _is_any(seqs: Sequence[int], since: int, until: int) -> bool:
    """Whether one of these ascending numbers is from ``since`` on, and below ``until``."""
    place = bisect_left(seqs, since)
    return place < len(seqs) and seqs[place] < until
