"""The archive in a database: an SQLite file, or PostgreSQL."""

from __future__ import annotations

import secrets
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from attrs import field, frozen
from sqlalchemy import delete, insert, select, update

from backpack.archive.counts import check_counts
from backpack.archive.database import Database, Sync
from backpack.archive.files import is_begun
from backpack.archive.leftovers import clear_leftovers
from backpack.archive.log import Log
from backpack.archive.reading import LogReader
from backpack.archive.retention import Retention, to_max_age, to_max_commits, to_max_size
from backpack.archive.rows import as_row, check_pack, pack_row
from backpack.archive.tables import COMMITS, PACKS, VERSIONS
from backpack.archive.url import hidden, parsed
from backpack.errors import ArchiveError, ConfigError, CorruptError, UnknownName
from backpack.labels import check_name
from backpack.wording import one_of, shown

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from backpack.archive.rows import Row
    from backpack.logged import Entered

__all__ = ["SqlArchive"]

Write = Literal["on-prune", "on-commit"]

#: The first epoch is drawn among so many bits; from there on they are counted, up to 62 bits.
_EPOCH_BITS: Final = 61


def _to_write(value: str) -> str:
    return _one_of(value, "write", get_args(Write))


def _to_sync(value: str) -> str:
    return _one_of(value, "sync", get_args(Sync))


def _to_url(value: str) -> str:
    return parsed(value).render_as_string(hide_password=False)


def _one_of(value: object, field: str, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(f"found {shown(value)}; there are: {one_of(allowed)}", field=field)
    return value


@frozen
class SqlArchive:
    """Keep every commit in a database: nothing that history gives up is lost.

    When to use: whenever somebody may look back further than the budget reaches, or where an agent
    has to go on after it was stopped.

    Cost: what is archived is as compact as in history, one row a commit and one a version. With
    ``on-prune`` a pack costs what it does without an archive, but for the ones that prune; with
    ``on-commit`` each is a transaction.

    Source: an append-only log with a writer's epoch, as in Kafka's and BookKeeper's; deltas as
    those of :class:`~backpack.policies.Delta`, forwards.

    Args:
        url: Where: ``sqlite:///runs.db``, ``postgresql://user@host/database``.
        write: When: ``on-prune``, as commits are pruned and when it is closed; ``on-commit``,
            before ``pack`` returns.
        sync: What a written commit survives: the loss of the ``process``, or that of ``power``.
        max_age: How much older than the newest a commit may get: seconds, or ``"30 days"``.
        max_commits: How many archived commits are kept, besides those that are tagged or pinned.
        max_size: How many bytes it may take on disk: a number, or ``"1 GiB"``.

    Raises:
        ConfigError: One of them cannot be.
    """

    url: str = field(converter=_to_url, repr=lambda url: repr(hidden(url)))
    write: Write = field(default="on-prune", converter=_to_write)
    sync: Sync = field(default="process", converter=_to_sync)
    max_age: float | None = field(default=None, converter=to_max_age)
    max_commits: int | None = field(default=None, converter=to_max_commits)
    max_size: int | None = field(default=None, converter=to_max_size)

    @property
    def retention(self) -> Retention:
        """How much of the past it keeps."""
        return Retention(self.max_age, self.max_commits, self.max_size)

    @property
    def on_commit(self) -> bool:
        """Whether each commit is durable before ``pack`` returns."""
        return self.write == "on-commit"

    @property
    def parsed(self) -> URL:
        """The URL in parts."""
        return parsed(self.url)

    def start(
        self,
        name: str,
        code: str,
        codec: str,
        settings: str = "{}",
        entered: Entered | None = None,
    ) -> Log:
        """Begin a new log.

        Args:
            name: What the Backpack is called in the archive.
            code: What the ids of its commits end with.
            codec: The name of its codec's class.
            settings: Its settings, as JSON.
            entered: What is in it from the first, if anything is: all of it is there, or no log.

        Raises:
            ConfigError: No Backpack can be called so.
            ArchiveError: There is one of that name, or the archive cannot be used.
        """
        name = check_name(name)
        database = Database(self.parsed, self.sync)
        try:
            database.hold(name)
            with database.telling("cannot be written"):
                connection = database.begin()
                if self._row(connection, name) is not None:
                    raise ArchiveError(
                        f"there is a Backpack called {shown(name)} in the archive "
                        f"{database.name}; Backpack.open goes on with it, or choose another name"
                    )
                if self._has_commits(connection, name):
                    raise CorruptError(
                        f"the archive {database.name} has commits of {shown(name)}, and has lost "
                        "what else is known of it"
                    )
                # No writer of one of that name that was deleted has an epoch near it.
                row = pack_row(name, code, codec, settings, epoch=secrets.randbits(_EPOCH_BITS))
                connection.execute(insert(PACKS), row)
                log = Log(database, row, self.retention)
                if entered is not None:
                    log.enter(connection, entered)
                database.commit()
                log.follow()
        except BaseException:
            database.close()
            raise
        return log

    def resume(self, name: str) -> Log | None:
        """Open a log to go on with it, or return None if there is none of that name.

        From here on, whoever had it open cannot write any more.

        Args:
            name: What the Backpack is called in the archive.

        Raises:
            ConfigError: No Backpack can be called so.
            StaleWriter: It is open somewhere else.
            ArchiveError: The archive cannot be used.
            CorruptError: Something of it is missing.
        """
        name = check_name(name)
        database = Database(self.parsed, self.sync)
        try:
            database.hold(name)
            with database.telling("cannot be written"):
                connection = database.begin()
                found = self._row(connection, name)
                if found is not None:
                    check_counts(connection, database, found)
                    found = {each: found[each] for each in found if each != "mark"}
                    found = pack_row(**{**found, "epoch": found["epoch"] + 1})
                    connection.execute(update(PACKS).where(PACKS.c.name == name).values(found))
                database.commit()
        except BaseException:
            database.close()
            raise
        if found is None:
            database.close()
            return None
        return Log(database, found, self.retention)

    def look(self, name: str) -> LogReader:
        """Open a log to read it, as it is at this moment; whoever writes it is not disturbed.

        Raises:
            ConfigError: No Backpack can be called so.
            UnknownName: There is none of that name.
            ArchiveError: The archive cannot be used.
            CorruptError: Something of it is missing.
        """
        name = check_name(name)
        database = Database(self.parsed, self.sync, read_only=True)
        try:
            connection = database.begin_reading()
            with database.telling("cannot be read"):
                row = self._row(connection, name)
                if row is None:
                    raise UnknownName(
                        f"there is no Backpack called {shown(name)} in the archive {database.name}"
                    )
                check_counts(connection, database, row)
        except BaseException:
            database.close()
            raise
        return LogReader(database, row)

    def names(self) -> list[str]:
        """Return what the Backpacks in it are called, sorted; none where there is no file yet.

        Raises:
            ArchiveError: The archive cannot be used.
            CorruptError: It is damaged.
        """
        if not self._is_begun():
            return []
        database = Database(self.parsed, self.sync)
        with closing(database), database.reading() as connection:
            rows = [as_row(each) for each in connection.execute(select(PACKS))]
        for row in rows:
            check_pack(row)
        return sorted(row["name"] for row in rows)

    def delete(self, name: str) -> bool:
        """Delete a Backpack with all that is archived of it; the file of an SQLite archive shrinks.

        Args:
            name: What the Backpack is called in the archive.

        Returns:
            Whether there was one of that name; where there is none, nothing is made or changed.

        Raises:
            ConfigError: No Backpack can be called so.
            StaleWriter: It is open somewhere.
            ArchiveError: The archive cannot be written.
        """
        name = check_name(name)
        if not self._is_begun():
            return False
        database = Database(self.parsed, self.sync)
        try:
            with database.reading() as connection:
                row = self._row(connection, name)
                if row is None and not self._has_commits(connection, name):
                    return False
            database.hold(name)
            with database.telling("cannot be written"):
                connection = database.begin()
                is_there = self._row(connection, name) is not None
                for table in (VERSIONS, COMMITS, PACKS):
                    connection.execute(delete(table).where(table.c.name == name))
                database.commit()
            clear_leftovers(database, name)
        finally:
            database.close()
        return is_there

    def _is_begun(self) -> bool:
        """Whether there is anything in its file; a server is asked by whoever goes on."""
        if self.parsed.get_backend_name() != "sqlite":
            return True
        return is_begun(Path(str(self.parsed.database)))

    @staticmethod
    def _has_commits(connection: Connection, name: str) -> bool:
        query = select(COMMITS.c.seq).where(COMMITS.c.name == name).limit(1)
        return connection.execute(query).first() is not None

    @staticmethod
    def _row(connection: Connection, name: str) -> Row | None:
        row = connection.execute(select(PACKS).where(PACKS.c.name == name)).first()
        return None if row is None else as_row(row)
