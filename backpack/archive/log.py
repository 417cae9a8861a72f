"""The log of one Backpack in an archive: entered at its end, all or nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from attrs import define
from sqlalchemy import bindparam, delete, insert, select, update

from backpack.archive.reading import SPAN, LogReader
from backpack.archive.rows import (
    Form,
    Row,
    as_row,
    check_version,
    commit_row,
    pack_row,
    reference_of,
    version_row,
)
from backpack.archive.tables import COMMITS, PACKS, VERSIONS
from backpack.errors import StaleWriter
from backpack.records import SupersededVersion
from backpack.wording import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from backpack.archive.database import Database
    from backpack.logged import Entered, LoggedCommit, LoggedVersion

__all__ = ["Log"]

#: By so many times has a version to be smaller beside another.
_WORTH: Final = 2
#: So many keys are known by their last version; of others it is looked up.
_ENDS: Final = 4096
#: So many rows, and so many bytes, are written at a time.
_PORTION: Final = 500
_PORTION_BYTES: Final = 2 * 1024 * 1024

_MOVING: Final = ("head", "commits", "retained", "versions", "mark")
_SELECT_EPOCH: Final = (
    select(PACKS.c.epoch).where(PACKS.c.name == bindparam("of")).with_for_update()
)
_UPDATE_PACK: Final = (
    update(PACKS)
    .where(PACKS.c.name == bindparam("of"))
    .values({each: bindparam(f"new_{each}") for each in _MOVING})
)
_UPDATE_RETAINED: Final = (
    update(COMMITS)
    .where(COMMITS.c.name == bindparam("of"), COMMITS.c.seq == bindparam("number"))
    .values(retained=bindparam("is_retained"))
)
_UPDATE_ACCESSES: Final = (
    update(COMMITS)
    .where(COMMITS.c.name == bindparam("of"), COMMITS.c.seq == bindparam("number"))
    .values(accesses=bindparam("times"), last_access=bindparam("last"))
)
_INSERT_COMMITS: Final = insert(COMMITS)
_INSERT_VERSIONS: Final = insert(VERSIONS)


@define
class _End:
    """The last version of a key: what the next one leans on, and how far from the ground it is."""

    seq: int
    ground: int
    depth: int
    born: int


class Log(LogReader):
    """One Backpack's log, open to be written.

    Args:
        database: The database of the archive.
        row: The Backpack's row in it; it has the writer's epoch.

    Attributes:
        done: What was made durable last.
    """

    def __init__(self, database: Database, row: Row) -> None:
        super().__init__(database, row)
        self.done: Entered | None = None
        self._row = row
        self._next_row = row
        self._is_written = False
        self._doubtful: list[Entered] = []
        self._coming: dict[str, _End] = {}
        self._ends: OrderedDict[str, _End] = OrderedDict()

    def write(self, entered: Entered) -> None:
        """Write what is entered, in a transaction that is left open for :meth:`commit`.

        Raises:
            StaleWriter: Another writer has opened the log since.
            ArchiveError: It cannot be written.
        """
        with self.database.telling("cannot be written"):
            connection = self._begin()
            commits, written, retained = 0, 0, -len(entered.pruned)
            for some in _portions(commit_row(self.name, each) for each in entered.commits):
                connection.execute(_INSERT_COMMITS, some)
                commits += len(some)
                retained += sum(each["retained"] for each in some)
            ends = self._coming = {}
            for rows in _portions(self._version_rows(connection, entered.versions, ends)):
                connection.execute(_INSERT_VERSIONS, rows)
                written += len(rows)
            head = entered.commits[-1].commit.seq if commits else self.head
            self._move(connection, head, commits, retained, written)
            if entered.pruned:
                self._set_retained(connection, entered.pruned, is_retained=False)
            for amended, _ in entered.amended:
                self._amend(connection, amended)
            for key, seq in entered.spent:
                self._spend(connection, key, seq)
            self._is_written = True

    def commit(self, entered: Entered) -> None:
        """Make durable what was written; it is when :attr:`done` is this.

        Where it fails, or is interrupted, it may be there all the same: an answer can get lost,
        and what a failed fsync was to make durable looks so until power is lost. It was not
        acknowledged; the next one who writes takes it back first.

        Raises:
            ArchiveError: It cannot be made durable.
        """
        self._doubtful.append(entered)
        self._is_written = False
        with self.database.telling("cannot be written"):
            self.database.commit()
        self.done = entered
        self._doubtful.clear()
        self._row = self._next_row
        if entered.commits:
            self.head = entered.commits[-1].commit.seq
        for key, end in self._coming.items():
            self._remember(key, end)

    def _move(
        self, connection: Connection, head: int, commits: int, retained: int, versions: int
    ) -> None:
        """Move the head; so many commits, retained ones and versions have come."""
        row = self._row
        moved = {
            **row,
            "head": head,
            "commits": row["commits"] + commits,
            "retained": row["retained"] + retained,
            "versions": row["versions"] + versions,
        }
        del moved["mark"]
        self._next_row = moved = pack_row(**moved)
        self._put(connection, moved)

    def _put(self, connection: Connection, row: Row) -> None:
        values = {f"new_{each}": row[each] for each in _MOVING}
        connection.execute(_UPDATE_PACK, {"of": self.name, **values})

    def _amend(self, connection: Connection, logged: LoggedCommit) -> None:
        row = commit_row(self.name, logged)
        connection.execute(
            update(COMMITS)
            .where(COMMITS.c.name == self.name, COMMITS.c.seq == logged.commit.seq)
            .values({each: row[each] for each in ("tags", "pinned", "mark")})
        )

    def _spend(self, connection: Connection, key: str, seq: int) -> None:
        """Let go of a value that history has left out; nothing leans on it."""
        place = (VERSIONS.c.name == self.name, VERSIONS.c.key == key, VERSIONS.c.seq == seq)
        found = connection.execute(select(VERSIONS).where(*place)).first()
        if found is not None:
            row = as_row(found)
            check_version(row)
            connection.execute(
                update(VERSIONS)
                .where(*place)
                .values(
                    version_row(
                        self.name,
                        key,
                        seq,
                        Form.LEFT_OUT,
                        previous=row["previous"],
                        ground=0,
                        depth=0,
                        born=row["born"],
                        size=row["size"],
                        reference=reference_of(row),
                    )
                )
            )

    def _set_retained(
        self, connection: Connection, seqs: Sequence[int], *, is_retained: bool
    ) -> None:
        connection.execute(
            _UPDATE_RETAINED,
            [{"of": self.name, "number": seq, "is_retained": is_retained} for seq in seqs],
        )

    def _version_rows(
        self, connection: Connection, versions: Iterable[LoggedVersion], ends: dict[str, _End]
    ) -> Iterator[Row]:
        """Iterate over the rows of new versions, each leaning on the one before if it can."""
        for each in versions:
            end = ends.get(each.key) or self._ends.get(each.key) or self._end(connection, each.key)
            row = self._version_row(each, end)
            ends[each.key] = _End(each.seq, row["ground"], row["depth"], row["born"])
            yield row

    def _version_row(self, version: LoggedVersion, end: _End) -> Row:
        key, seq, encoded, base = version.key, version.seq, version.encoded, version.base
        form, ground, depth, data = Form.ALONE, seq, 0, None
        if encoded is None:
            form, ground = Form.REMOVED if version.reference is None else Form.LEFT_OUT, 0
        elif base is not None and version.base_seq == end.seq and end.depth < SPAN - 1:
            form, ground, depth = Form.LEANING, end.ground, end.depth + 1
            data = self._delta.hold(SupersededVersion(key, seq, encoded, base))
        if encoded is not None and (data is None or len(data) * _WORTH > len(encoded)):
            # What is hardly smaller beside another is read faster alone.
            alone = self._delta.hold(SupersededVersion(key, seq, encoded))
            if data is None or len(alone) < len(data) * _WORTH:
                form, ground, depth, data = Form.ALONE, seq, 0, alone
        return version_row(
            self.name,
            key,
            seq,
            form,
            previous=end.seq,
            ground=ground,
            depth=depth,
            born=0 if form is Form.REMOVED else version.born or end.born or seq,
            size=version.size,
            reference=version.reference,
            data=data,
        )

    def _end(self, connection: Connection, key: str) -> _End:
        """Look up the last version of a key."""
        row = connection.execute(
            select(VERSIONS.c.seq, VERSIONS.c.ground, VERSIONS.c.depth, VERSIONS.c.born)
            .where(VERSIONS.c.name == self.name, VERSIONS.c.key == key)
            .order_by(VERSIONS.c.seq.desc())
            .limit(1)
        ).first()
        return _End(0, 0, 0, 0) if row is None else _End(*row)

    def _remember(self, key: str, end: _End) -> None:
        self._ends[key] = end
        self._ends.move_to_end(key)
        if len(self._ends) > _ENDS:
            self._ends.popitem(last=False)

    def _settle(self) -> None:
        """Take back what was not acknowledged, so that nobody reads it."""
        if self._is_written:  # It was interrupted before it was committed.
            self.database.drop()
            self._is_written = False
        if self._doubtful:
            with self._changing():
                pass

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """Write what a block writes, in a transaction of its own."""
        with self.database.telling("cannot be written"):
            yield self._begin()
            self.database.commit()
            self._doubtful.clear()

    def _begin(self) -> Connection:
        """Begin to write, if nobody else has opened the log; take back what is in doubt."""
        connection = self.database.begin()
        # First of all the row of the log is locked: a stale writer writes nothing.
        if connection.scalar(_SELECT_EPOCH, {"of": self.name}) != self._row["epoch"]:
            raise StaleWriter(
                f"{shown(self.name)} in the archive {self.database.name} was opened by another "
                "writer since; nothing was written. Open it again to go on from there"
            )
        if self._doubtful:
            self._ends.clear()
            for table in (COMMITS, VERSIONS):
                behind = (table.c.name == self.name, table.c.seq > self.head)
                connection.execute(delete(table).where(*behind))
            for doubtful in reversed(self._doubtful):
                if doubtful.pruned:
                    self._set_retained(connection, doubtful.pruned, is_retained=True)
                for _, before in doubtful.amended:
                    self._amend(connection, before)
            self._put(connection, self._row)
        return connection

    def retain(self, seq: int) -> None:
        """Have a commit that was given up retained again: it is the newest.

        Raises:
            ArchiveError: It cannot be written.
        """
        with self._changing() as connection:
            self._set_retained(connection, [seq], is_retained=True)
            self._move(connection, self.head, 0, 1, 0)
        self._row = self._next_row

    def keep_accesses(self, accesses: Iterable[tuple[int, int, int]]) -> None:
        """Write down how often commits were looked at: their numbers, how often, when last.

        Raises:
            ArchiveError: It cannot be written.
        """
        rows = [
            {"of": self.name, "number": seq, "times": times, "last": last}
            for seq, times, last in accesses
        ]
        if rows:
            with self._changing() as connection:
                connection.execute(_UPDATE_ACCESSES, rows)


def _portions(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Iterate over rows, so many at a time that they take little memory."""
    portion: list[Row] = []
    size = 0
    for row in rows:
        portion.append(row)
        size += len(row.get("data") or b"")
        if size > _PORTION_BYTES or len(portion) == _PORTION:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion
