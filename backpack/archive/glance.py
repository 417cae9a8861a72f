"""What is told of versions in a log without reading their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from backpack.archive.rows import Form, Row, as_row, check_version, name_in, reference_of
from backpack.archive.tables import VERSIONS
from backpack.logged import is_left_out

if TYPE_CHECKING:
    from backpack.archive.reading import LogReader

__all__ = ["before", "bytes_in_use", "count", "is_left_out_if_superseded", "is_superseded", "keys"]


def keys(log: LogReader) -> list[str]:
    """Return all keys of which there is a version, sorted.

    Raises:
        ArchiveError: They cannot be read.
        CorruptError: One was never written so.
    """
    query = select(VERSIONS.c.key).where(VERSIONS.c.name == log.name).distinct()
    with log.database.reading() as connection:
        return sorted(name_in(key, f"the key {key!r:.60}") for key in connection.scalars(query))


def before(log: LogReader, key: str, seq: int) -> tuple[int, int] | None:
    """Return which commit set what stood under a key before a commit, and its size in the row.

    Returns:
        None if nothing stood there.

    Raises:
        ArchiveError: It cannot be read.
        CorruptError: It is not as it was written.
    """
    query = (
        select(VERSIONS)
        .where(VERSIONS.c.name == log.name, VERSIONS.c.key == key, VERSIONS.c.seq < seq)
        .order_by(VERSIONS.c.seq.desc())
        .limit(1)
    )
    with log.database.reading() as connection:
        found = connection.execute(query).first()
    if found is None:
        return None
    row = as_row(found)
    check_version(row)
    return None if row["form"] == Form.REMOVED else (row["seq"], row["size"])


def count(log: LogReader) -> int:
    """Return how many versions there are.

    Raises:
        ArchiveError: They cannot be counted.
    """
    query = select(func.count()).select_from(VERSIONS).where(VERSIONS.c.name == log.name)
    with log.database.reading() as connection:
        return connection.scalar(query) or 0


def is_superseded(log: LogReader, key: str, seq: int) -> bool:
    """Whether the log has a newer version of a key than the one that a commit set.

    Raises:
        ArchiveError: It cannot be read.
    """
    query = (
        select(VERSIONS.c.seq)
        .where(VERSIONS.c.name == log.name, VERSIONS.c.key == key, VERSIONS.c.seq > seq)
        .limit(1)
    )
    with log.database.reading() as connection:
        return connection.execute(query).first() is not None


def is_left_out_if_superseded(row: Row) -> bool:
    """Whether history leaves out the value of a row, from when it is superseded on."""
    return is_left_out(reference_of(row))


def bytes_in_use(log: LogReader) -> int:
    """Return how many bytes of an SQLite file are in use, or those of a log on a server.

    Raises:
        ArchiveError: They cannot be counted.
    """
    with log.database.reading():
        return log.database.size(log.name)
