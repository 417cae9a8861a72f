"""What removal leaves behind in the files of an archive, and what sees that it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.archive.sqlite import clear_journal
from backpack.errors import ArchiveError, CorruptError
from backpack.events import log as tell

if TYPE_CHECKING:
    from backpack.archive.database import Database

__all__ = ["clear_leftovers"]


def clear_leftovers(database: Database, name: str, *, again: bool = False) -> bool:
    """See to it that nothing of what was removed is in an SQLite file, or in its write-ahead log.

    What was removed is removed, whatever becomes of this: where it fails, or somebody reads what
    is in the write-ahead log, that is logged. A server sees to its own files.

    Args:
        database: The database; not within a transaction.
        name: What the Backpack is called of which something was removed.
        again: Whether this was tried before, and what was in the way was logged.

    Returns:
        Whether nothing is left.
    """
    if not database.is_sqlite:
        return True
    try:
        with database.telling("cannot be made smaller"):
            database.shrink()
            is_clear = clear_journal(database.connection)
    except (ArchiveError, CorruptError) as error:
        if not again:
            tell("warning", "archive_not_cleared", name=name, error=str(error))
        return False
    if not is_clear and not again:
        tell(
            "warning",
            "archive_not_cleared",
            name=name,
            error=f"somebody reads the archive {database.name}: what was removed is in its "
            "file yet, until something is changed or the archive is closed with nobody reading it",
        )
    return is_clear
