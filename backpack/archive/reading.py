"""Reading the log of one Backpack in an archive, anywhere.

Versions are held as what they differ in from the one before; one in :data:`SPAN` at most stands
alone. A version tells which one was before it, so that one that is missing is missed: the version
that stood at a commit is the newest up to it, and the next newer one has to know it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, func, select

from backpack.archive.rows import Form, Row, as_row, check_version, commit_of, reference_of
from backpack.archive.tables import COMMITS, VERSIONS
from backpack.errors import CorruptError
from backpack.logged import Read
from backpack.policies.delta import Delta
from backpack.records import HeldVersion

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select
    from sqlalchemy import Row as Fetched

    from backpack.archive.database import Database
    from backpack.logged import LoggedCommit

__all__ = ["SPAN", "LogReader", "lost"]

#: Over so many versions one is read at most.
SPAN: Final = 64
#: Encoded bytes of old versions that are kept at hand.
_AT_HAND: Final = 4 * 1024 * 1024
#: So many rows are fetched at a time.
_PORTION: Final = 500

_OF_NAME: Final = VERSIONS.c.name == bindparam("of")
_OF_KEY: Final = _OF_NAME & (VERSIONS.c.key == bindparam("of_key"))
_UP_TO: Final = VERSIONS.c.seq <= bindparam("at")
_LATER: Final = VERSIONS.c.seq > bindparam("at")

_SELECT_COMMIT: Final = select(COMMITS).where(
    COMMITS.c.name == bindparam("of"), COMMITS.c.seq == bindparam("at")
)
_SELECT_VERSION: Final = (
    select(VERSIONS).where(_OF_KEY, _UP_TO).order_by(VERSIONS.c.seq.desc()).limit(1)
)
#: What tells which version was before one: that there was none is held against its mark.
_FOLLOWING: Final = [
    case((VERSIONS.c.previous == 0, each)).label(each.name) if each is VERSIONS.c.data else each
    for each in VERSIONS.c
]
_SELECT_NEXT: Final = select(*_FOLLOWING).where(_OF_KEY, _LATER).order_by(VERSIONS.c.seq).limit(1)


def _at_ends(end: Any, side: ColumnElement[bool], *columns: Any) -> Select[Any]:
    """Return what selects the last, or first, version of each key on one side of a commit.

    A key of which that cannot be found is there, and has nothing else.
    """
    ends = (
        select(VERSIONS.c.key, end(VERSIONS.c.seq).label("seq"))
        .where(_OF_NAME, side)
        .group_by(VERSIONS.c.key)
        .subquery()
    )
    is_it = _OF_NAME & (VERSIONS.c.key == ends.c.key) & (VERSIONS.c.seq == ends.c.seq)
    return select(ends.c.key.label("of_key"), *columns).outerjoin(VERSIONS, is_it)


_SELECT_ALL: Final = _at_ends(func.max, _UP_TO, VERSIONS)
_SELECT_ALL_NEXT: Final = _at_ends(func.min, _LATER, *_FOLLOWING)


class LogReader:
    """One Backpack's log, open to be read.

    Args:
        database: The database of the archive.
        row: The Backpack's row in it.

    Attributes:
        database: The database.
        name: What the Backpack is called in the archive.
        code: What the ids of its commits end with.
        codec: The name of the class of the codec that wrote its values.
        settings: The settings it was begun with, as JSON.
        delta: Holds its versions, and reads them.
    """

    def __init__(self, database: Database, row: Row) -> None:
        self.database = database
        self.name: str = row["name"]
        self.code: str = row["code"]
        self.codec: str = row["codec"]
        self.settings: str = row["settings"]
        self._row = row
        self.delta = Delta(span=SPAN)
        self._at_hand: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes_at_hand = 0

    @property
    def head(self) -> int:
        """The number of the newest commit in the log; 0 if there is none."""
        head: int = self._row["head"]
        return head

    def close(self) -> None:
        """Close the database, and let somebody else have the name."""
        self.database.close()

    def commit_at(self, seq: int) -> LoggedCommit | None:
        """Return the commit with this number, if it is in the log.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: It is not as it was written.
        """
        self._settle()
        with self.database.telling("cannot be read"):
            row = self.database.connection.execute(
                _SELECT_COMMIT, {"of": self.name, "at": seq}
            ).first()
        if row is None and 0 < seq <= self.head == self._row["commits"]:
            raise CorruptError(f"the archive {self.database.name} has lost commit {seq}")
        return None if row is None else commit_of(as_row(row), self.code)

    def has(self, seq: int) -> bool:
        """Whether a commit that was found in the log is there yet."""
        return self.commit_at(seq) is not None

    def commits(
        self,
        *,
        retained: bool | None = None,
        tagged: bool = False,
        newest_first: bool = True,
        skipped: int = 0,
    ) -> Iterator[LoggedCommit]:
        """Iterate over the commits in the log.

        Args:
            retained: Only those that are, or are not, answered for from memory.
            tagged: Only those that have tags.
            newest_first: Whether the newest come first.
            skipped: So many are passed over first, unread.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: A commit is not as it was written.
        """
        order = COMMITS.c.seq.desc() if newest_first else COMMITS.c.seq
        query = select(COMMITS).where(COMMITS.c.name == self.name).order_by(order).limit(_PORTION)
        if retained is not None:
            query = query.where(COMMITS.c.retained == retained)
        if tagged:
            query = query.where(COMMITS.c.tags.is_not(None))
        bounded = query.offset(skipped) if skipped else query
        last: int | None = None
        self._settle()
        while True:
            with self.database.telling("cannot be read"):
                rows = self.database.connection.execute(bounded).all()
            for row in rows:
                logged = commit_of(as_row(row), self.code)
                seq = logged.commit.seq
                if last is not None and not (seq < last if newest_first else seq > last):
                    raise CorruptError(
                        f"the archive {self.database.name} has commit {seq} where it does not "
                        "belong"
                    )
                last = seq
                yield logged
            if len(rows) < _PORTION:
                return
            bounded = query.where(COMMITS.c.seq < last if newest_first else COMMITS.c.seq > last)

    def version_at(self, key: str, seq: int) -> Read | None:
        """Return what stood under a key at a commit; None if nothing did.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: A version is not as it was written, or is missing.
        """
        place = {"of": self.name, "of_key": key, "at": seq}
        with self.database.telling("cannot be read"):
            connection = self.database.connection
            row = connection.execute(_SELECT_VERSION, place).first()
            next_one = connection.execute(_SELECT_NEXT, place).first()
        if next_one is not None and _before(next_one) != (0 if row is None else row.seq):
            raise self._lost(key, seq + 1)
        if row is None:
            return None
        version = as_row(row)
        check_version(version)
        if version["form"] == Form.REMOVED:
            return None
        encoded = None if version["form"] == Form.LEFT_OUT else self.encoded(version)
        return _read(version, encoded)

    def versions(self, since: int) -> Iterator[Read]:
        """Iterate over all that stood under any key at a commit or later, key by key, in order.

        Args:
            since: The number of the commit.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: One is not as it was written, or is missing.
        """
        newest = (
            select(VERSIONS.c.key, func.max(VERSIONS.c.seq).label("seq"))
            .where(VERSIONS.c.name == self.name, VERSIONS.c.seq <= since)
            .group_by(VERSIONS.c.key)
            .subquery()
        )
        query = (
            select(VERSIONS)
            .outerjoin(newest, VERSIONS.c.key == newest.c.key)
            .where(VERSIONS.c.name == self.name)
            .where((VERSIONS.c.seq > since) | (VERSIONS.c.seq == newest.c.seq))
            .order_by(VERSIONS.c.key, VERSIONS.c.seq)
        )
        before: Read | None = None
        with self.database.reading() as connection:
            for row in self.database.streamed(connection, query):
                version = as_row(row)
                check_version(version)
                is_next = before is not None and before.key == version["key"]
                if is_next and before is not None and before.seq != version["previous"]:
                    raise self._lost(version["key"], version["seq"])
                encoded = None
                if version["form"] == Form.LEANING and is_next and before is not None:
                    if before.encoded is None:
                        raise self._lost(version["key"], version["seq"])
                    encoded = self.delta.read(
                        HeldVersion(before.key, version["seq"], version["data"], before.encoded)
                    )
                elif version["form"] in (Form.ALONE, Form.LEANING):
                    encoded = self.encoded(version)
                before = _read(version, encoded)
                yield before

    def rows(self) -> Iterator[Row]:
        """Iterate over the rows of all versions, key by key, in order.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: One is not as it was written.
        """
        query = (
            select(VERSIONS)
            .where(VERSIONS.c.name == self.name)
            .order_by(VERSIONS.c.key, VERSIONS.c.seq)
        )
        with self.database.reading() as connection:
            for each in self.database.streamed(connection, query):
                row = as_row(each)
                check_version(row)
                yield row

    def _lost(self, key: str, seq: int) -> CorruptError:
        return lost(self.database.name, key, seq)

    def keys_at(self, seq: int) -> list[str]:
        """Return the keys that existed at a commit, in their order; see :meth:`setters_at`."""
        return list(self.setters_at(seq))

    def setters_at(self, seq: int) -> dict[str, int]:
        """Return ``{key: number of the commit that set it}`` of those that existed at a commit.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: A version is not as it was written, or is missing.
        """
        place = {"of": self.name, "at": seq}
        found: list[tuple[int, str, int]] = []
        with self.database.reading() as connection:
            later = self.database.streamed(connection, _SELECT_ALL_NEXT, place)
            before = {row.of_key: _before(row) for row in later}
            for row in self.database.streamed(connection, _SELECT_ALL, place):
                version = as_row(row)
                check_version(version)
                key, setter = version["key"], version["seq"]
                if before.pop(key, setter) != setter:
                    raise self._lost(key, seq + 1)
                if version["form"] != Form.REMOVED:
                    found.append((version["born"], key, setter))
        for key, previous in before.items():
            if previous != 0:
                raise self._lost(key, seq + 1)
        return {key: setter for _, key, setter in sorted(found)}

    def encoded(self, version: Any) -> bytes:
        """Return the encoded bytes of the version of a row; it has some."""
        key, seq = version["key"], version["seq"]
        known = self._at_hand.get((key, seq))
        if known is not None:
            self._at_hand.move_to_end((key, seq))
            return known
        if version["form"] == Form.ALONE:
            encoded = self.delta.read(HeldVersion(key, seq, version["data"]))
        else:
            encoded = self._leaning(version)
        self._keep_at_hand(key, seq, encoded)
        return encoded

    def _leaning(self, version: Any) -> bytes:
        """Return the encoded bytes of a version that leans on others.

        What it leant on may be gone since: then a nearer one stands alone.
        """
        key, seq = version["key"], version["seq"]
        with self.database.telling("cannot be read"):
            rows = self.database.connection.execute(
                select(VERSIONS)
                .where(
                    VERSIONS.c.name == self.name,
                    VERSIONS.c.key == key,
                    VERSIONS.c.seq.between(version["ground"], seq - 1),
                )
                .order_by(VERSIONS.c.seq)
                .limit(SPAN + 1)
            ).all()
        way = [version]
        for row in reversed(rows):
            before = as_row(row)
            check_version(before)
            if before["seq"] != way[-1]["previous"]:
                break
            way.append(before)
            if before["form"] != Form.LEANING:
                break
        ground = way.pop()
        if ground["form"] != Form.ALONE:
            raise self._lost(key, seq)
        base = self.delta.read(HeldVersion(key, ground["seq"], ground["data"]))
        between = tuple(each["data"] for each in way[1:])
        return self.delta.read(HeldVersion(key, seq, version["data"], base, between))

    def _keep_at_hand(self, key: str, seq: int, encoded: bytes) -> None:
        if len(encoded) > _AT_HAND // 4:
            return
        self._at_hand[key, seq] = encoded
        self._bytes_at_hand += len(encoded)
        while self._bytes_at_hand > _AT_HAND:
            _, gone = self._at_hand.popitem(last=False)
            self._bytes_at_hand -= len(gone)

    def _settle(self) -> None:
        """See to it that nothing is read that was not acknowledged."""


def lost(archive: str, key: str, seq: int) -> CorruptError:
    """Return the error that says that the version before one is not there."""
    return CorruptError(
        f"the archive {archive} has lost a version of {key!r:.60} before commit {seq}"
    )


def _before(row: Fetched[Any]) -> int:
    """Return the number of the commit that set the version before that of a row; 0 if none did.

    Raises:
        CorruptError: The row says that there was none, and is not as it was written.
    """
    if row.previous == 0:
        check_version(as_row(row))
    previous: int = row.previous
    return previous


def _read(version: Any, encoded: bytes | None) -> Read:
    """Return the version of a row."""
    return Read(
        version["key"],
        version["seq"],
        encoded,
        version["size"],
        reference_of(version),
        version["born"],
    )
