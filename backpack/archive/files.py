"""The file an archive is in, before SQLite sees it: is there one, and has it been emptied?"""

from __future__ import annotations

import os
from glob import escape
from typing import TYPE_CHECKING

from backpack.errors import ArchiveError, CorruptError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file"]


def check_file(path: Path, *, must_exist: bool) -> None:
    """Refuse a file that is not there, or that was an archive and is empty.

    To SQLite an empty file is a new database: an archive that lost all would be begun anew.

    Raises:
        ArchiveError: It has to be there, and is not, or is empty; or it may not be read.
        CorruptError: It was an archive once.
    """
    _check_permission(path)
    if must_exist and not path.exists():
        raise ArchiveError(f"there is no archive {path}")
    if must_exist and _is_empty(path):
        raise ArchiveError(f"{path} is empty: no archive or checkpoint of Backpack is in it")
    # Looked at twice, since it may just be made.
    if _is_empty(path) and _is_used(path) and _is_empty(path):
        raise CorruptError(
            f"the archive {path} is empty, and was not: its lock or its write-ahead log is beside "
            "it; put a copy in its place, or delete them all to begin anew"
        )


def _check_permission(path: Path) -> None:
    """Refuse a file that may not be read, of which SQLite says no more than that it cannot.

    Raises:
        ArchiveError: It is there, or its folder is, and it may not be read.
    """
    try:
        is_closed = path.exists() and not os.access(path, os.R_OK)
    except PermissionError:
        is_closed = True
    if is_closed:
        raise ArchiveError(f"{path} may not be read: see that this user may read it and its folder")


def _is_empty(path: Path) -> bool:
    """Whether SQLite takes a file for empty, as it does one of a single byte."""
    return path.is_file() and path.stat().st_size <= 1


def _is_used(path: Path) -> bool:
    """Whether there is something beside a file that comes only once it is an archive."""
    log = path.with_name(f"{path.name}-wal")
    locks = path.parent.glob(f"{escape(path.name)}.*.lock")
    return any(locks) or (log.is_file() and not _is_empty(log))
