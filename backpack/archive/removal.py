"""Removing commits from a log, so that all others answer as before.

A version goes once no commit is left at which it stood. What leans on it is then held alone, and
the version behind it is told which one is before it now: so that what is missing is missed yet.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen
from sqlalchemy import bindparam, delete, func, insert, select, update

from backpack.archive.reading import lost
from backpack.archive.rows import (
    Form,
    Row,
    as_row,
    changed_version,
    check_version,
    commit_of,
    name_in,
    number_in,
    seq_in,
)
from backpack.archive.tables import COMMITS, VERSIONS
from backpack.records import SupersededVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection

    from backpack.archive.log import Log

__all__ = ["Removal", "Removed"]

_DELETE_COMMITS: Final = delete(COMMITS).where(
    COMMITS.c.name == bindparam("of"), COMMITS.c.seq == bindparam("number")
)
_DELETE_VERSIONS: Final = delete(VERSIONS).where(
    VERSIONS.c.name == bindparam("of"),
    VERSIONS.c.key == bindparam("whose"),
    VERSIONS.c.seq == bindparam("number"),
)


@frozen(eq=False)
class Removed:
    """The rows that a removal took away or changed, as they were before.

    Attributes:
        commits: Those of commits.
        versions: Those of versions.
    """

    commits: list[Row] = field(factory=list)
    versions: list[Row] = field(factory=list)

    def put_back(self, connection: Connection, head: int) -> None:
        """Have them again as they were, whether or not anything had become of the removal.

        Args:
            connection: The connection, with a transaction that is open.
            head: Where the log ends: of what was behind it nothing comes back.
        """
        for table, drop, rows in (
            (COMMITS, _DELETE_COMMITS, self.commits),
            (VERSIONS, _DELETE_VERSIONS, self.versions),
        ):
            back = [row for row in rows if row["seq"] <= head]
            if back:
                places = [
                    {"of": row["name"], "whose": row.get("key"), "number": row["seq"]}
                    for row in back
                ]
                connection.execute(drop, places)
                connection.execute(insert(table), back)


@frozen
class _Link:
    """A version among those of its key."""

    seq: int
    previous: int
    form: int


@frozen(eq=False)
class Removal:
    """Removes commits of one log, in a transaction that is open.

    Attributes:
        log: The log.
        connection: The connection that has the transaction.
        head: The number of the newest commit in the log.
        removed: Told of every row that goes, or changes.
    """

    log: Log
    connection: Connection
    head: int
    removed: Removed | None = None

    def carry_out(self, seqs: Sequence[int]) -> tuple[int, int]:
        """Remove commits, and the versions that stood at none but them; return how many of each.

        Args:
            seqs: Their numbers, ascending; those that are gone already are passed over.

        Raises:
            CorruptError: What is to be removed is not as it was written.
        """
        name, wanted, last = self.log.name, set(seqs), seqs[-1] + 1
        query = select(COMMITS).where(COMMITS.c.name == name, COMMITS.c.seq <= last)
        rows = [as_row(row) for row in self.connection.execute(query.order_by(COMMITS.c.seq))]
        older = [commit_of(row, self.log.code).commit for row in rows]
        numbers = [each.seq for each in older]
        gone = wanted.intersection(numbers)
        if not gone:
            return 0, 0
        until, kept = last, [seq for seq in numbers if seq not in gone]
        since = bisect_left(numbers, min(gone))
        if self._is_unbroken(numbers[since]):
            # A version that goes was set, or superseded, by one of these.
            keys = {
                change.key
                for commit in older[since:]
                for change in commit.changes
                if change.kind != "same"
            }
        else:
            until = self.head
            every = select(COMMITS.c.seq).where(COMMITS.c.name == name).order_by(COMMITS.c.seq)
            kept = [seq for seq in map(seq_in, self.connection.scalars(every)) if seq not in gone]
            of_name = select(VERSIONS.c.key).where(VERSIONS.c.name == name)
            found = self.connection.scalars(of_name.distinct())
            keys = {name_in(key, f"the key {key!r:.60}") for key in found}
        if self.removed is not None:
            self.removed.commits.extend(row for row in rows if row["seq"] in gone)
        places = [{"of": name, "number": seq} for seq in sorted(gone)]
        self.connection.execute(_DELETE_COMMITS, places)
        return len(gone), sum(self._squash(key, kept, until) for key in sorted(keys))

    def _is_unbroken(self, since: int) -> bool:
        """Whether no commit was ever removed from this one on."""
        behind = select(func.count()).select_from(COMMITS)
        query = behind.where(COMMITS.c.name == self.log.name, COMMITS.c.seq >= since)
        return self.connection.scalar(query) == self.head - since + 1

    def _squash(self, key: str, kept: Sequence[int], until: int) -> int:
        """Remove the versions of a key, up to a commit, that stood at none that is kept."""
        links = self._links(key, until)
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
            staying.extend(self._links(key, until, behind=True))
        before = 0
        for link in staying:
            if link.previous != before:
                self._relink(key, link, before)
            before = link.seq
        if self.removed is not None:
            self.removed.versions.extend(self._rows(key, [each.seq for each in going]))
        name = self.log.name
        places = [{"of": name, "whose": key, "number": each.seq} for each in going]
        self.connection.execute(_DELETE_VERSIONS, places)
        return len(going)

    def _links(self, key: str, until: int, *, behind: bool = False) -> list[_Link]:
        """Return the versions of a key up to a commit, or the first one behind it."""
        columns = (VERSIONS.c.seq, VERSIONS.c.previous, VERSIONS.c.form)
        query = select(*columns).where(VERSIONS.c.name == self.log.name, VERSIONS.c.key == key)
        query = query.order_by(VERSIONS.c.seq)
        if behind:
            query = query.where(VERSIONS.c.seq > until).limit(1)
        else:
            query = query.where(VERSIONS.c.seq <= until)
        what = f"a version of {key!r:.60}"
        links = [
            _Link(*(number_in(each, what) for each in row))
            for row in self.connection.execute(query)
        ]
        before = 0
        for link in () if behind else links:
            if link.previous != before:
                raise lost(self.log.database.name, key, link.seq)
            before = link.seq
        return links

    def _relink(self, key: str, link: _Link, previous: int) -> None:
        """Tell a version which one is before it now; hold it alone if it leant on what goes."""
        (row,) = self._rows(key, [link.seq])
        check_version(row)
        if self.removed is not None:
            self.removed.versions.append(row)
        changes: dict[str, Any] = {"previous": previous}
        if row["form"] == Form.LEANING:
            alone = SupersededVersion(key, link.seq, self.log.encoded(row))
            data = self.log.delta.hold(alone)
            changes |= {"form": int(Form.ALONE), "ground": link.seq, "depth": 0, "data": data}
        values = changed_version(row, **changes)
        place = (VERSIONS.c.name == self.log.name, VERSIONS.c.key == key)
        self.connection.execute(
            update(VERSIONS).where(*place, VERSIONS.c.seq == link.seq).values(values)
        )

    def _rows(self, key: str, seqs: Sequence[int]) -> Iterator[Row]:
        """Iterate over the rows of versions of a key."""
        place = (VERSIONS.c.name == self.log.name, VERSIONS.c.key == key)
        for seq in seqs:
            query = select(VERSIONS).where(*place, VERSIONS.c.seq == seq)
            yield as_row(self.connection.execute(query).one())


def _is_any(seqs: Sequence[int], since: int, until: int) -> bool:
    """Whether one of these ascending numbers is from ``since`` on, and below ``until``."""
    place = bisect_left(seqs, since)
    return place < len(seqs) and seqs[place] < until
