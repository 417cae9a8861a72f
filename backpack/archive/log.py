"""The log of one Backpack in an archive: entered at its end, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from attrs import frozen
from sqlalchemy import bindparam, delete, insert, select, update

from backpack.archive.counts import check_counts, counted
from backpack.archive.ends import Ends
from backpack.archive.leftovers import clear_leftovers
from backpack.archive.reading import LogReader
from backpack.archive.removal import Removed
from backpack.archive.retention import Retention
from backpack.archive.rows import (
    Form,
    Row,
    as_row,
    changed_version,
    check_version,
    commit_row,
    pack_row,
)
from backpack.archive.sweep import Sweeper
from backpack.archive.tables import COMMITS, PACKS, ROW_BYTES, VERSIONS
from backpack.errors import ArchiveError, StaleWriter
from backpack.events import log as tell
from backpack.logged import Entered
from backpack.wording import shown

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from backpack.archive.database import Database
    from backpack.logged import LoggedCommit

__all__ = ["Log"]

#: So many rows, and so many bytes, are written at a time.
_PORTION: Final = 500
_PORTION_BYTES: Final = 2 * 1024 * 1024

_MOVING: Final = ("head", "commits", "retained", "versions", "mark")
_SELECT_PACK: Final = (
    select(PACKS.c.epoch, PACKS.c.mark).where(PACKS.c.name == bindparam("of")).with_for_update()
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


#: What keeps everything.
_ALL: Final = Retention()


@frozen(eq=False)
class _Try:
    """What was to be made durable, if it was entered; the row that says so; what it removed."""

    entered: Entered | None
    row: Row
    removed: Removed | None = None


class Log(LogReader):
    """One Backpack's log, open to be written.

    Args:
        database: The database of the archive.
        row: The Backpack's row in it; it has the writer's epoch.
        retention: How much of it is kept.
    """

    # What is known to be durable is what the row says. It is replaced in one step: whatever
    # interrupts that, a write was made durable and everything follows from it, or it was not.

    def __init__(self, database: Database, row: Row, retention: Retention = _ALL) -> None:
        super().__init__(database, row)
        self._next_row = row
        self._tries: list[_Try] = []
        self._removed: Removed | None = None
        self._is_clear = True
        self._time = (0, 0.0)
        self._sweeper = Sweeper(self, retention)
        self._ends = Ends(self.name, self.delta)

    def write(self, entered: Entered) -> None:
        """Write what is entered, in a transaction that is left open for :meth:`commit`.

        Raises:
            StaleWriter: Another writer has opened the log since.
            ArchiveError: It cannot be written, or is not as it was left.
        """
        with self.database.telling("cannot be written"):
            self.enter(self._begin(), entered)

    def enter(self, connection: Connection, entered: Entered) -> None:
        """Write what is entered, in a transaction that somebody else ends.

        Where that makes it durable, :meth:`follow` has to be called.
        """
        commits, written, retained = 0, 0, -len(entered.pruned)
        for some in _portions(commit_row(self.name, each) for each in entered.commits):
            connection.execute(_INSERT_COMMITS, some)
            commits += len(some)
            retained += sum(each["retained"] for each in some)
        for rows in _portions(self._ends.rows(connection, entered.versions)):
            connection.execute(_INSERT_VERSIONS, rows)
            written += len(rows)
            self._sweeper.grow(sum(len(each["data"] or b"") + ROW_BYTES for each in rows))
        head = entered.commits[-1].commit.seq if commits else self.head
        self._move(connection, head, commits, retained, written)
        if entered.pruned:
            self._set_retained(connection, entered.pruned, is_retained=False)
        for amended, _ in entered.amended:
            self._amend(connection, amended)
        for key, seq in entered.spent:
            self._spend(connection, key, seq)
        if entered.erased:
            self._erase(connection, entered.erased)

    def commit(self, entered: Entered) -> None:
        """Make durable what was written; it is when :attr:`done` is this.

        Where it fails, or is interrupted, it may be there all the same: an answer can get lost,
        and what a failed fsync was to make durable looks so until power is lost. It was not
        acknowledged; the next one who writes takes it back first.

        Raises:
            ArchiveError: It cannot be made durable.
        """
        if entered.amended:
            self._sweeper.forget()
        self._ends.doubt()
        with self.database.telling("cannot be written"):
            self._make_durable(entered)
        self.follow()

    def follow(self) -> None:
        """Be where the log is, now that what was entered is durable."""
        self._row = self._next_row
        self._ends.follow()

    @property
    def done(self) -> Entered | None:
        """What was made durable last."""
        return self._tries[-1].entered if self._tries and not self._is_unsure else None

    @property
    def _is_unsure(self) -> bool:
        """Whether something may have been written that was not acknowledged."""
        return bool(self._tries) and self._tries[-1].row is not self._row

    def _possible_rows(self) -> Iterator[Row]:
        """Iterate over the rows that may be in the archive: the last, or one that is in doubt."""
        yield self._row
        if self._is_unsure:
            yield from (each.row for each in self._tries)

    def _make_durable(self, entered: Entered | None = None) -> None:
        """Commit what was written; from then on it is what is known."""
        if not self._is_unsure:
            self._tries.clear()
        self._tries.append(_Try(entered, self._next_row, self._removed))
        self._removed = None
        self.database.commit()
        self._row = self._next_row

    @property
    def time(self) -> float:
        """When the newest commit was made."""
        seq, time = self._time
        if seq != self.head:
            newest = self.commit_at(self.head)
            time = 0.0 if newest is None else newest.commit.timestamp
            self._time = self.head, time
        return time

    def has(self, seq: int) -> bool:
        """Whether a commit that was found in the log is there yet."""
        return seq > self._sweeper.swept or super().has(seq)

    def tidy(self) -> None:
        """Let go of what is done, and remove what is over the limits, in a transaction of its own.

        What was written is acknowledged by then: a failure is logged, and it is tried again after
        the next change.
        """
        done = self.done
        has_erased = done is not None and bool(done.erased)
        if has_erased:
            self._is_clear = False
        if done is not None:
            if done.commits:
                self._time = self.head, done.commits[-1].commit.timestamp
            self._tries.clear()
        try:
            with self.database.telling("cannot be tidied"):
                is_due = self._sweeper.is_due(self._row["commits"] - self._row["retained"])
            if is_due:
                self._sweep()
        except Exception as error:
            tell("warning", "archive_not_tidied", name=self.name, error=str(error))
        if not self._is_clear:
            again = not has_erased
            self._is_clear = clear_leftovers(self.database, self.name, again=again)

    def close(self) -> None:
        """Close the database, and let somebody else have the name."""
        try:
            if not self._is_clear:
                self._is_clear = clear_leftovers(self.database, self.name)
        finally:
            super().close()

    def _sweep(self) -> None:
        newest = self.time
        with self._changing() as connection:
            row = self._next_row
            archived = row["commits"] - row["retained"]
            commits, versions = self._sweeper.sweep(connection, archived, newest)
            self._move(connection, self.head, -commits, 0, -versions)
            self._ends.forget()
        with self.database.telling("cannot be made smaller"):
            self.database.shrink()

    def _move(
        self, connection: Connection, head: int, commits: int, retained: int, versions: int
    ) -> None:
        """Move the head; so many commits, retained ones and versions have come."""
        row = self._next_row
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
                .values(changed_version(row, form=int(Form.LEFT_OUT), ground=0, depth=0, data=None))
            )

    def _erase(self, connection: Connection, seqs: Sequence[int]) -> None:
        """Remove commits for good; what goes is kept for as long as that is in doubt."""
        self._removed = Removed()
        head = self._next_row["head"]
        commits, versions = self._sweeper.remove(connection, seqs, head, self._removed)
        self._move(connection, head, -commits, 0, -versions)
        self._ends.forget()

    def _set_retained(
        self, connection: Connection, seqs: Sequence[int], *, is_retained: bool
    ) -> None:
        connection.execute(
            _UPDATE_RETAINED,
            [{"of": self.name, "number": seq, "is_retained": is_retained} for seq in seqs],
        )

    def _settle(self) -> None:
        """Take back what was not acknowledged, so that nobody reads it."""
        if self.database.is_writing:  # It was interrupted before it was committed.
            self.database.drop()
        if self._is_unsure:
            with self._changing():
                pass

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """Write what a block writes, in a transaction of its own."""
        with self.database.telling("cannot be written"):
            yield self._begin()
            self._make_durable()

    def _begin(self) -> Connection:
        """Begin to write, if nobody else has opened the log; take back what is in doubt."""
        connection = self.database.begin()
        # First of all the row of the log is locked: a stale writer writes nothing.
        found = connection.execute(_SELECT_PACK, {"of": self.name}).first()
        if found is None or found.epoch != self._row["epoch"]:
            raise StaleWriter(
                f"{shown(self.name)} in the archive {self.database.name} was opened by another "
                "writer since; nothing was written. Open it again to go on from there"
            )
        if all(found.mark != each["mark"] for each in self._possible_rows()):
            raise ArchiveError(
                f"{shown(self.name)} in the archive {self.database.name} has lost what was durable "
                f"by commit {self.head}: its server went back to an older state, or its file was "
                "replaced by one; nothing was written. Save a checkpoint, and open it again to go "
                "on from where it is"
            )
        self._next_row = self._row
        self._removed = None
        if self._is_unsure:
            self._take_back(connection)
        return connection

    def _take_back(self, connection: Connection) -> None:
        """Undo what may have been written all the same; what was over the limits stays removed."""
        found = connection.execute(select(PACKS).where(PACKS.c.name == self.name)).one()
        check_counts(connection, self.database, as_row(found))
        self._ends.forget()
        self._sweeper.forget()
        for table in (COMMITS, VERSIONS):
            behind = (table.c.name == self.name, table.c.seq > self.head)
            connection.execute(delete(table).where(*behind))
        for each in reversed(self._tries):
            if each.removed is not None:
                each.removed.put_back(connection, self.head)
            entered = each.entered or Entered()
            if entered.pruned:
                self._set_retained(connection, entered.pruned, is_retained=True)
            for _, before in entered.amended:
                self._amend(connection, before)
        row = {each: self._row[each] for each in self._row if each != "mark"}
        self._next_row = pack_row(**{**row, **counted(connection, self.name)})
        self._put(connection, self._next_row)

    def retain(self, seq: int) -> None:
        """Have a commit that was given up retained again: it is the newest.

        Raises:
            ArchiveError: It cannot be written.
        """
        with self._changing() as connection:
            self._set_retained(connection, [seq], is_retained=True)
            self._move(connection, self.head, 0, 1, 0)

    def keep_accesses(self, accesses: Iterable[tuple[int, int, int]]) -> None:
        """Write down how often commits were looked at: their numbers, how often, when last.

        What is in doubt is taken back, also where none was: it is the last to be written.

        Raises:
            ArchiveError: It cannot be written.
        """
        rows = [
            {"of": self.name, "number": seq, "times": times, "last": last}
            for seq, times, last in accesses
        ]
        if rows or self._is_unsure:
            with self._changing() as connection:
                if rows:
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
