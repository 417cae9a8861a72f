"""Reading the log of one Backpack in an archive, anywhere.

Versions are held as what they differ in from the one before; one in :data:`SPAN` at most stands
alone. A version tells which one was before it, so that one that is missing is missed: the version
that stood at a commit is the newest up to it, and the next newer one has to know it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, select

from backpack.archive.rows import Form, Row, as_row, check_version, commit_of, reference_of
from backpack.archive.tables import COMMITS, VERSIONS
from backpack.errors import CorruptError
from backpack.logged import Read
from backpack.policies.delta import Delta
from backpack.records import HeldVersion

if TYPE_CHECKING:
    from backpack.archive.database import Database
    from backpack.logged import LoggedCommit

__all__ = ["SPAN", "LogReader"]

#: Over so many versions one is read at most.
SPAN: Final = 64
#: Encoded bytes of old versions that are kept at hand.
_AT_HAND: Final = 4 * 1024 * 1024
#: So many rows are fetched at a time.
_PORTION: Final = 500
#: So many versions are fetched at a time.
_STREAMED: Final = 50

#: What old snapshots ask again and again, made once.
_OF_NAME: Final = VERSIONS.c.name == bindparam("of")
_OF_KEY: Final = _OF_NAME & (VERSIONS.c.key == bindparam("which"))
_SELECT_STANDING: Final = (
    select(VERSIONS)
    .where(_OF_KEY, VERSIONS.c.seq <= bindparam("at"))
    .order_by(VERSIONS.c.seq.desc())
    .limit(1)
)
_SELECT_NEXT: Final = (
    select(VERSIONS.c.previous)
    .where(_OF_KEY, VERSIONS.c.seq > bindparam("at"))
    .order_by(VERSIONS.c.seq)
    .limit(1)
)
_STANDING: Final = (
    select(VERSIONS.c.key, func.max(VERSIONS.c.seq).label("seq"))
    .where(_OF_NAME, VERSIONS.c.seq <= bindparam("at"))
    .group_by(VERSIONS.c.key)
    .subquery()
)
_SELECT_KEYS: Final = (
    select(VERSIONS.c.key)
    .join(_STANDING, (VERSIONS.c.key == _STANDING.c.key) & (VERSIONS.c.seq == _STANDING.c.seq))
    .where(_OF_NAME, VERSIONS.c.form != int(Form.REMOVED))
    .order_by(VERSIONS.c.born, VERSIONS.c.seq)
)


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
        head: The number of the newest commit in the log.
    """

    def __init__(self, database: Database, row: Row) -> None:
        self.database = database
        self.name: str = row["name"]
        self.code: str = row["code"]
        self.codec: str = row["codec"]
        self.settings: str = row["settings"]
        self.head: int = row["head"]
        self._delta = Delta(span=SPAN)
        self._at_hand: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes_at_hand = 0

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
                select(COMMITS).where(COMMITS.c.name == self.name, COMMITS.c.seq == seq)
            ).first()
        return None if row is None else commit_of(as_row(row), self.code)

    def commits(
        self, *, retained: bool | None = None, newest_first: bool = True
    ) -> Iterator[LoggedCommit]:
        """Iterate over the commits in the log.

        Args:
            retained: Only those that are, or are not, answered for from memory.
            newest_first: Whether the newest come first.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: A commit is not as it was written.
        """
        order = COMMITS.c.seq.desc() if newest_first else COMMITS.c.seq
        query = select(COMMITS).where(COMMITS.c.name == self.name).order_by(order).limit(_PORTION)
        if retained is not None:
            query = query.where(COMMITS.c.retained == retained)
        bounded = query
        self._settle()
        while True:
            with self.database.telling("cannot be read"):
                rows = self.database.connection.execute(bounded).all()
            for row in rows:
                yield commit_of(as_row(row), self.code)
            if len(rows) < _PORTION:
                return
            last = rows[-1].seq
            bounded = query.where(COMMITS.c.seq < last if newest_first else COMMITS.c.seq > last)

    def version_at(self, key: str, seq: int) -> Read | None:
        """Return what stood under a key at a commit; None if nothing did.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: A version is not as it was written, or is missing.
        """
        place = {"of": self.name, "which": key, "at": seq}
        with self.database.telling("cannot be read"):
            connection = self.database.connection
            row = connection.execute(_SELECT_STANDING, place).first()
            next_one = connection.execute(_SELECT_NEXT, place).first()
        found = 0 if row is None else row.seq
        if next_one is not None and next_one.previous != found:
            raise self._lost(key, seq + 1)
        if row is None:
            return None
        version = as_row(row)
        check_version(version)
        if version["form"] == Form.REMOVED:
            return None
        encoded = None if version["form"] == Form.LEFT_OUT else self._encoded(version)
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
            .execution_options(stream_results=True, yield_per=_STREAMED)
        )
        before: Read | None = None
        with self.database.reading() as connection:
            for row in connection.execute(query):
                version = as_row(row)
                check_version(version)
                is_next = before is not None and before.key == version["key"]
                if is_next and before is not None and before.seq != version["previous"]:
                    raise self._lost(version["key"], version["seq"])
                encoded = None
                if version["form"] == Form.LEANING and is_next and before is not None:
                    if before.encoded is None:
                        raise self._lost(version["key"], version["seq"])
                    encoded = self._delta.read(
                        HeldVersion(before.key, version["seq"], version["data"], before.encoded)
                    )
                elif version["form"] in (Form.ALONE, Form.LEANING):
                    encoded = self._encoded(version)
                before = _read(version, encoded)
                yield before

    def _lost(self, key: str, seq: int) -> CorruptError:
        return CorruptError(
            f"the archive {self.database.name} has lost a version of {key!r:.60} before commit "
            f"{seq}"
        )

    def keys_at(self, seq: int) -> list[str]:
        """Return the keys that existed at a commit.

        Raises:
            ArchiveError: It cannot be read.
        """
        place = {"of": self.name, "at": seq}
        with self.database.telling("cannot be read"):
            return list(self.database.connection.scalars(_SELECT_KEYS, place))

    def _encoded(self, version: Any) -> bytes:
        """Return the encoded bytes of the version of a row."""
        key, seq, ground = version["key"], version["seq"], version["ground"]
        known = self._at_hand.get((key, seq))
        if known is not None:
            self._at_hand.move_to_end((key, seq))
            return known
        if version["form"] == Form.ALONE:
            encoded = self._delta.read(HeldVersion(key, seq, version["data"]))
        else:
            encoded = self._leaning(version, ground)
        self._keep_at_hand(key, seq, encoded)
        return encoded

    def _leaning(self, version: Any, ground: int) -> bytes:
        """Return the encoded bytes of a version that leans on others."""
        key, seq = version["key"], version["seq"]
        with self.database.telling("cannot be read"):
            rows = self.database.connection.execute(
                select(VERSIONS)
                .where(
                    VERSIONS.c.name == self.name,
                    VERSIONS.c.key == key,
                    VERSIONS.c.seq.between(ground, seq - 1),
                )
                .order_by(VERSIONS.c.seq)
                .limit(SPAN + 1)
            ).all()
        before = 0
        way = [as_row(each) for each in rows]
        for each in way:
            check_version(each)
            expected = Form.LEANING if before else Form.ALONE
            if each["form"] != expected or (before and each["previous"] != before):
                before = -1
                break
            before = each["seq"]
        if before != version["previous"] or not way:
            raise self._lost(key, seq)
        base = self._delta.read(HeldVersion(key, ground, way[0]["data"]))
        between = tuple(each["data"] for each in reversed(way[1:]))
        return self._delta.read(HeldVersion(key, seq, version["data"], base, between))

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
