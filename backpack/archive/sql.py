"""The archive in a database: an SQLite file, or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from attrs import field, frozen
from sqlalchemy import false, func, insert, or_, select, true, update

from backpack.archive.database import Database, Sync, parsed
from backpack.archive.log import Log
from backpack.archive.reading import LogReader
from backpack.archive.rows import as_row, check_pack, pack_row
from backpack.archive.tables import COMMITS, PACKS, VERSIONS
from backpack.errors import ArchiveError, ConfigError, CorruptError, UnknownName
from backpack.wording import one_of, shown

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

    from backpack.archive.rows import Row

__all__ = ["SqlArchive"]

Write = Literal["on-prune", "on-commit"]


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

    Raises:
        ConfigError: One of them cannot be.
    """

    url: str = field(converter=_to_url, repr=lambda url: repr(parsed(url).render_as_string()))
    write: Write = field(default="on-prune", converter=_to_write)
    sync: Sync = field(default="process", converter=_to_sync)

    @property
    def on_commit(self) -> bool:
        """Whether each commit is durable before ``pack`` returns."""
        return self.write == "on-commit"

    @property
    def parsed(self) -> URL:
        """The URL in parts."""
        return parsed(self.url)

    def start(self, name: str, code: str, codec: str, settings: str = "{}") -> Log:
        """Begin a new log.

        Args:
            name: What the Backpack is called in the archive.
            code: What the ids of its commits end with.
            codec: The name of its codec's class.
            settings: Its settings, as JSON.

        Raises:
            ArchiveError: There is one of that name, or the archive cannot be used.
        """
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
                row = pack_row(name, code, codec, settings)
                connection.execute(insert(PACKS), row)
                database.commit()
        except BaseException:
            database.close()
            raise
        return Log(database, row)

    def resume(self, name: str) -> Log | None:
        """Open a log to go on with it, or return None if there is none of that name.

        From here on, whoever had it open cannot write any more.

        Args:
            name: What the Backpack is called in the archive.

        Raises:
            StaleWriter: It is open somewhere else.
            ArchiveError: The archive cannot be used.
            CorruptError: Something of it is missing.
        """
        database = Database(self.parsed, self.sync)
        try:
            database.hold(name)
            with database.telling("cannot be written"):
                connection = database.begin()
                found = self._row(connection, name)
                if found is not None:
                    _check(connection, database, found)
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
        return Log(database, found)

    def look(self, name: str) -> LogReader:
        """Open a log to read it; whoever writes it is not disturbed.

        Raises:
            UnknownName: There is none of that name.
            ArchiveError: The archive cannot be used.
            CorruptError: Something of it is missing.
        """
        database = Database(self.parsed, self.sync, read_only=True)
        try:
            with database.reading() as connection:
                row = self._row(connection, name)
                if row is None:
                    raise UnknownName(
                        f"there is no Backpack called {shown(name)} in the archive {database.name}"
                    )
                _check(connection, database, row)
        except BaseException:
            database.close()
            raise
        return LogReader(database, row)

    @staticmethod
    def _has_commits(connection: Connection, name: str) -> bool:
        query = select(COMMITS.c.seq).where(COMMITS.c.name == name).limit(1)
        return connection.execute(query).first() is not None

    @staticmethod
    def _row(connection: Connection, name: str) -> Row | None:
        row = connection.execute(select(PACKS).where(PACKS.c.name == name)).first()
        return None if row is None else as_row(row)


def _check(connection: Connection, database: Database, row: Row) -> None:
    """Refuse a log of which rows are missing."""
    check_pack(row)
    of_name = {table: table.c.name == row["name"] for table in (COMMITS, VERSIONS)}
    for table, what, which in (
        (COMMITS, "commits", or_(COMMITS.c.retained == true(), COMMITS.c.retained == false())),
        (COMMITS, "retained", COMMITS.c.retained == true()),
        (VERSIONS, "versions", true()),
    ):
        query = select(func.count()).select_from(table).where(of_name[table], which)
        found = connection.scalar(query)
        if found != row[what]:
            raise CorruptError(
                f"{shown(row['name'])} in the archive {database.name} has {found} {what}, and "
                f"{row[what]} were written"
            )
    for table in (COMMITS, VERSIONS):
        ends = connection.execute(
            select(func.min(table.c.seq), func.max(table.c.seq)).where(of_name[table])
        ).one()
        first, last = (1, 0) if ends[0] is None else ends
        if (
            type(first) is not int
            or type(last) is not int
            or first < 1
            or last > row["head"]
            or (table is COMMITS and last != row["head"])
        ):
            raise CorruptError(
                f"{shown(row['name'])} in the archive {database.name} does not end with commit "
                f"{row['head']}"
            )
