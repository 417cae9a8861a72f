"""The database an archive is in: opened, looked at before it is trusted, and its errors told.

Transactions are opened and ended by hand: which of them can still fail, and when, is what the
promises of an archive rest on. After an error in the middle of one the connection is closed and
opened anew: what a failed write or fsync leaves of a connection is not to be trusted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Final, Literal

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from backpack.archive.files import check_file, identity
from backpack.archive.forking import forsaken, watch
from backpack.archive.server import connect_arguments
from backpack.archive.sqlite import connected, expected, give_back, in_use, objects
from backpack.archive.tables import ABOUT, COMMITS, ROW_BYTES, SCHEMA, TABLES, VERSIONS
from backpack.archive.trouble import told
from backpack.archive.url import hidden
from backpack.errors import ArchiveError, CorruptError, StaleWriter
from backpack.lock_files import lock_of
from backpack.wording import one_line, shown

if TYPE_CHECKING:
    from sqlalchemy import Row, Select

__all__ = ["Database", "Sync"]

Sync = Literal["process", "power"]

#: What an SQLite file of Backpack has in its header: "Back".
_APPLICATION: Final = 0x4261636B
#: So many rows a server sends at a time.
_STREAMED: Final = 8
#: Seconds to wait for a lock, or for a server to answer.
_PATIENCE: Final = 10
#: Seconds in which a server lets go of the lock of a session that has ended.
_LETTING_GO: Final = 2


class Database:
    """The database of an archive.

    Args:
        url: Where it is.
        sync: Whether what is written has to survive the loss of power, or of the process only.
        read_only: Whether nothing is to be written; then it must be there.
        becomes: What a new SQLite file, of which nobody else knows, is called once it is whole.

    Raises:
        ArchiveError: It cannot be opened, or it is of something else.
        CorruptError: It is damaged.
    """

    def __init__(
        self,
        url: URL,
        sync: Sync = "process",
        *,
        read_only: bool = False,
        becomes: Path | None = None,
    ) -> None:
        self.name = str(becomes or hidden(url.render_as_string(hide_password=False)))
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._url = url
        self._sync = sync
        self._read_only = read_only
        self._single_file = becomes is not None
        self._engine = self._made()
        self._connection: Connection | None = None
        self._is_open = True
        self._is_forked = False
        #: The file, if it is one; wherever the process goes from here, it is this one.
        self.path = Path(str(url.database)).absolute() if self.is_sqlite else None
        self._identity: tuple[int, int] | None = None
        self._is_reading = False
        self.is_writing = False
        self._is_locked = False
        self._locks: dict[str, FileLock | None] = {}
        watch(self)
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    @property
    def connection(self) -> Connection:
        """The connection; a new one where the last was lost."""
        if self._is_forked:
            raise ArchiveError(
                f"the archive {self.name} was opened before this process was forked, and is its "
                "parent's; open it in the process that uses it"
            )
        if not self._is_open:
            raise ArchiveError(f"the archive {self.name} is closed; Backpack.open opens it again")
        if self._connection is None:
            self._check_identity()
            with self.telling("cannot be opened"):
                self._connection = self._engine.connect()
        return self._connection

    def close(self) -> None:
        """Close it, and let others have the names it was written under."""
        self._is_open = False
        self.drop()
        for lock in self._locks.values():
            if lock is not None:
                lock.release()
        self._locks.clear()

    def forsake(self) -> None:
        """Let go of all without closing it: it is another process's."""
        forsaken(self._connection, self._locks)
        self._connection, self._locks, self._is_forked = None, {}, True
        self._engine.dispose(close=False)

    def drop(self, only: Connection | None = None) -> None:
        """Close the connection, whatever state it is in.

        Args:
            only: Only if it is this one yet; whichever it is if left out.
        """
        if only is not None and only is not self._connection:
            return
        connection, self._connection = self._connection, None
        self._is_reading = self.is_writing = self._is_locked = False
        if connection is not None:
            with suppress(SQLAlchemyError, sqlite3.Error):
                connection.invalidate()
            with suppress(SQLAlchemyError, sqlite3.Error):
                connection.close()

    @contextmanager
    def telling(self, what: str, only: Connection | None = None) -> Iterator[None]:
        """Raise the errors of a block as what they mean; the connection is not used again.

        Args:
            what: What is not done, for the message.
            only: The connection that the block uses, where another may have come since.
        """
        try:
            yield
        except ModuleNotFoundError as error:
            raise ArchiveError(
                f"the archive {self.name} needs the package {error.name}; "
                'pip install "backpack-memory[postgresql]" brings it'
            ) from error
        except (DBAPIError, sqlite3.Error) as error:
            self.drop(only)
            raise told(error, self.name, what, _PATIENCE) from error
        except (SQLAlchemyError, OSError, UnicodeError, OverflowError) as error:
            self.drop(only)
            raise ArchiveError(f"the archive {self.name} {what}: {one_line(str(error))}") from error
        except BaseException:
            self.drop(only)
            raise

    @contextmanager
    def reading(self, what: str = "cannot be read") -> Iterator[Connection]:
        """Read in one transaction: what is read is of one moment."""
        if self.is_writing:  # It was interrupted.
            self.drop()
        if self._is_reading:
            with self.telling(what, self.connection):
                yield self.connection
            return
        connection = self.begin_reading()
        # Whoever reads may stop in the middle, and be found out when another one writes.
        with self.telling(what, connection):
            yield connection
            connection.exec_driver_sql("COMMIT")
            self._is_reading = False

    def streamed(
        self, connection: Connection, query: Select[Any], place: dict[str, Any] | None = None
    ) -> Iterator[Row[Any]]:
        """Iterate over the rows of a query, of which few are in memory at a time."""
        # SQLite gives one row after the other; a server would send them all.
        options = {} if self.is_sqlite else {"stream_results": True, "yield_per": _STREAMED}
        rows = connection.execute(query, place, execution_options=options)
        try:
            for row in rows:
                yield row
                if connection is not self._connection:
                    raise ArchiveError(
                        f"the archive {self.name} was changed by who is told of the rows that are "
                        "read of it; do it again, and change nothing meanwhile"
                    )
        finally:  # Where not all were wanted, the server has them yet.
            if not self._is_forked:
                with suppress(SQLAlchemyError):
                    rows.close()

    def begin_reading(self) -> Connection:
        """Read from here on what is there at this moment, until the connection is closed."""
        with self.telling("cannot be read"):
            connection = self.connection
            begin = "BEGIN" if self.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            connection.exec_driver_sql(begin)
            self._is_reading = True
        return connection

    def begin(self) -> Connection:
        """Begin to write. Whoever calls this has to commit, or to drop the connection."""
        if self.is_writing or self._is_reading:  # It was interrupted.
            self.drop()
        self._check_identity()
        connection = self.connection
        if not self._is_locked:  # A lock on a server is that of the connection.
            for name, lock in self._locks.items():
                if lock is None:
                    self._lock_on_server(name)
            self._is_locked = True
        self.is_writing = True
        connection.exec_driver_sql("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        return connection

    def commit(self) -> None:
        """Make durable what was written since :meth:`begin`."""
        self.connection.exec_driver_sql("COMMIT")
        self.is_writing = False

    def size(self, name: str) -> int:
        """Return how many bytes are in use: of an SQLite file, or of a name's rows on a server."""
        connection = self.connection
        if self.is_sqlite:
            return in_use(connection)
        return sum(
            connection.scalar(
                select(
                    func.coalesce(func.sum(func.pg_column_size(data)) + ROW_BYTES * func.count(), 0)
                ).where(table.c.name == name)
            )
            for table, data in ((COMMITS, COMMITS.c.changes), (VERSIONS, VERSIONS.c.data))
        )

    def shrink(self) -> None:
        """Give what is free in an SQLite file back to the system; a server sees to it itself.

        Not within a transaction.
        """
        if self.is_sqlite:
            give_back(self.connection)

    def hold(self, name: str) -> None:
        """Be the one writer of a name, until it is closed or the process ends.

        Raises:
            StaleWriter: Somebody else is.
        """
        if self.path is None:
            self._lock_on_server(name)
            self._locks[name], self._is_locked = None, True
            return
        # Whichever thread closes the archive lets go of it.
        lock = FileLock(lock_of(self.path, name), timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise self._in_use(name) from None
        except OSError as error:
            raise ArchiveError(
                f"the archive {self.name} cannot be locked: {one_line(str(error))}; nothing was "
                "changed. See that its folder is there and may be written, and do it again"
            ) from error
        self._locks[name] = lock

    def _lock_on_server(self, name: str) -> None:
        key = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        taking, until = text("SELECT pg_try_advisory_lock(:key)"), monotonic() + _LETTING_GO
        with self.telling("cannot be locked"):
            while not self.connection.scalar(taking, {"key": key}):
                if monotonic() > until:
                    raise self._in_use(name)
                sleep(0.02)

    def _in_use(self, name: str) -> StaleWriter:
        return StaleWriter(
            f"{shown(name)} in the archive {self.name} has a writer that is alive; close that, or "
            "choose another name"
        )

    # --- opening -------------------------------------------------------------------------

    def _made(self) -> Engine:
        if not self.is_sqlite:
            with self.telling("cannot be opened"):
                return create_engine(
                    self._url,
                    poolclass=NullPool,
                    isolation_level="AUTOCOMMIT",
                    connect_args=connect_arguments(self._url, self._sync, _PATIENCE),
                )
        return connected(
            Path(str(self._url.database)),
            "none" if self._single_file else self._sync,
            read_only=self._read_only,
            patience=_PATIENCE,
        )

    def _look(self) -> None:
        """See what is there; make the tables where there is nothing, and trust nothing else."""
        if self.is_sqlite:
            self._look_at_file()
            return
        with self.telling("cannot be opened"):
            self.connection.exec_driver_sql("BEGIN")
            found = self.connection.scalar(text("SELECT to_regclass('backpack_about')"))
            if found is None and not self._read_only:
                # Two that make them at once take turns.
                self.connection.execute(text("SELECT pg_advisory_xact_lock(4261636)"))
                TABLES.create_all(self.connection)
                self._write_schema()
            self.connection.exec_driver_sql("COMMIT")
        if found is None and self._read_only:
            raise ArchiveError(f"the database {self.name} has no archive in it")
        self._check_schema()

    def _look_at_file(self) -> None:
        path = Path(str(self._url.database))
        check_file(path, must_exist=self._read_only, is_locked=not self._single_file)
        with self.telling("cannot be opened"):
            # Where another makes it at this moment, this waits until it has.
            found = objects(self.connection)
            if not found and not self._read_only:
                self.connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")
                self._set_journal()
                self.begin()
                if not objects(self.connection):
                    self.connection.exec_driver_sql(f"PRAGMA application_id={_APPLICATION}")
                    TABLES.create_all(self.connection, checkfirst=False)
                    self._write_schema()
                self.commit()
                found = objects(self.connection)
            application = self.connection.exec_driver_sql("PRAGMA application_id").scalar()
        if application != _APPLICATION:
            raise ArchiveError(f"{path} is an SQLite file, but no archive of Backpack")
        about = f"table {ABOUT.name}"
        # Looked at before it is read: a view of that name would be run.
        if found.get(about) != expected()[about]:
            raise CorruptError(f"the archive {path} is damaged, or is none: it has no {about}")
        self._check_schema()
        if found != expected():
            raise CorruptError(
                f"the archive {path} has tables, triggers or views that Backpack did not make"
            )
        if not self._read_only:
            with self.telling("cannot be opened"):
                self._set_journal()
        self._identity = identity(path)

    def _check_identity(self) -> None:
        """Refuse to go on with another file than the one that was opened, or with none."""
        if self._identity is not None and identity(self.path) != self._identity:
            raise ArchiveError(
                f"the archive {self.name} is not the file that was opened: it was removed, or "
                "another was put in its place; nothing was written. Put it back; or save a "
                "checkpoint, and open it again to go on from what is there"
            )

    def _set_journal(self) -> None:
        """Have an SQLite file written ahead, so that nobody who reads it has to wait.

        Where that fails, SQLite may go on in another mode without an error; and whoever made the
        file may have been stopped before, or have made it a checkpoint.
        """
        mode = "off" if self._single_file else "wal"
        found = self.connection.exec_driver_sql(f"PRAGMA journal_mode={mode}").scalar()
        if found != mode:
            raise ArchiveError(
                f"the archive {self.name} cannot be opened: there can be no write-ahead log "
                "beside it; nothing was changed. See what is wrong with the disk it is on, or "
                "keep it on a local one, and do it again"
            )

    def _write_schema(self) -> None:
        if self.connection.scalar(select(ABOUT.c.schema)) is None:
            self.connection.execute(ABOUT.insert(), {"id": 1, "schema": SCHEMA})

    def _check_schema(self) -> None:
        with self.telling("cannot be read"):
            schema = self.connection.scalar(select(ABOUT.c.schema))
        if type(schema) is int and schema > SCHEMA:
            raise ArchiveError(
                f"the archive {self.name} has schema {schema}, which is newer than this Backpack, "
                f"which knows {SCHEMA}; upgrade backpack-memory"
            )
        if schema != SCHEMA:
            raise CorruptError(f"the archive {self.name} has schema {shown(schema)}")
