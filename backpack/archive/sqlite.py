"""How an SQLite file is connected to: safe against what it may hold, and as durable as wanted."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from backpack.archive.tables import TABLES

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect

__all__ = ["clear_journal", "connected", "expected", "give_back", "in_use", "objects"]

#: Nothing in an archive is longer, in bytes; a file that says otherwise is not believed.
_LONGEST: Final = 1_000_000_000
#: What is kept of the write-ahead log of a file, in bytes, once it is in the file.
_JOURNAL: Final = 4 * 1024 * 1024
#: Statements as they are sent, of all files: to make them anew takes as long, for a small file, as
#: all else that is done with it.
_COMPILED: Final[dict[Any, Any]] = {}
_SYNCHRONOUS: Final = {"none": "OFF", "process": "NORMAL", "power": "FULL"}


def connected(path: Path, sync: str, *, read_only: bool, patience: int) -> Engine:
    """Return what connects to a file.

    Args:
        path: The file.
        sync: What a commit has to survive: nothing (``none``), the loss of the ``process``, or
            that of ``power``.
        read_only: Whether nothing is to be written.
        patience: How many seconds to wait for a lock.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"

    def connect() -> Any:
        return sqlite3.connect(
            uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
        )

    def prepare(connection: DBAPIConnection, _: Any) -> None:
        raw: Any = connection
        for limit, number in (
            (sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0),
        ):
            raw.setlimit(limit, number)
        settings = {
            "trusted_schema": "OFF",
            "cell_size_check": "ON",
            "mmap_size": "0",
            "journal_size_limit": f"{_JOURNAL}",
            "synchronous": _SYNCHRONOUS[sync],
            # On macOS, what is synchronized otherwise is still in the cache of the drive.
            "fullfsync": "ON" if sync == "power" else "OFF",
            # What is deleted is overwritten, where SQLite was not built to do so by itself.
            "secure_delete": "OFF" if read_only else "ON",
        }
        for name, value in settings.items():
            raw.execute(f"PRAGMA {name}={value}").close()

    def undo(connection: DBAPIConnection | None, *_: Any) -> None:
        # SQLite closes one that a statement is not done with once that is collected, and has its
        # locks until then: an interruption leaves such.
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.rollback()

    pool = NullPool(connect, dialect=_dialect())
    event.listen(pool, "connect", prepare)
    event.listen(pool, "invalidate", undo)
    event.listen(pool, "close", undo)
    options = {"compiled_cache": _COMPILED}
    return Engine(pool, _dialect(), make_url("sqlite://"), execution_options=options)


@cache
def _dialect() -> Dialect:
    """Return how all files are spoken to; it has looked at what this SQLite can do."""
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.connect():
        return engine.dialect


def objects(connection: Connection) -> dict[str, str | None]:
    """Return ``{name: SQL}`` of everything in a file."""
    rows = connection.exec_driver_sql("SELECT type, name, sql FROM sqlite_master")
    return {f"{kind} {name}": sql for kind, name, sql in rows}


@cache
def expected() -> dict[str, str | None]:
    """Return ``{name: SQL}`` of everything in a new archive."""
    engine = create_engine("sqlite://", poolclass=NullPool)
    with engine.connect() as connection:
        TABLES.create_all(connection)
        return objects(connection)


def in_use(connection: Connection) -> int:
    """Return how many bytes of a file are in use."""
    pages, free, size = (
        int(connection.exec_driver_sql(f"PRAGMA {each}").scalar_one())
        for each in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def give_back(connection: Connection) -> None:
    """Give what is free in a file back to the system; not within a transaction."""
    raw: Any = connection.connection.driver_connection
    # Executed as a statement, it would give back one page and stop.
    raw.executescript("PRAGMA incremental_vacuum")


def clear_journal(connection: Connection) -> bool:
    """Empty the write-ahead log of a file, once all that it has is in the file.

    Nobody is waited for; not within a transaction.

    Returns:
        Whether it is empty; it is not where somebody reads what is in it.
    """
    patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={patience:d}")
    return not is_busy
