"""The file an archive is in, before SQLite sees it: is there one, and has it been emptied?"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from backpack.errors import ArchiveError, CorruptError
from backpack.lock_files import LONGEST_LOCK, locks_of
from backpack.wording import one_line

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_file", "identity", "is_begun"]


def check_file(path: Path, *, must_exist: bool, is_locked: bool = True) -> None:
    """Refuse a file that is not there, or that was an archive and is empty.

    To SQLite an empty file is a new database: an archive that lost all would be begun anew.

    Args:
        path: The file.
        must_exist: Whether it has to be there.
        is_locked: Whether there are locks beside it, once it is.

    Raises:
        ArchiveError: It has to be there, and is not, or is empty; or it may not be read, or is no
            plain file.
        CorruptError: It was an archive once.
    """
    found = _status(path)
    if found is not None and not os.access(path, os.R_OK):
        raise _closed(path)
    if found is not None and S_ISDIR(found.st_mode):
        raise ArchiveError(f"{path} is a folder; name a file in it")
    if found is not None and not S_ISREG(found.st_mode):
        raise ArchiveError(f"{path} is no plain file, such as an archive is; name another")
    if not must_exist and found is None:
        # A file whose name has no room for what is beside it would be left there, empty.
        room = LONGEST_LOCK if is_locked else len("-journal")
        _status(path.with_name(f"{path.name}{'-' * room}"))
    if must_exist and found is None:
        raise ArchiveError(f"there is no archive {path}")
    if must_exist and _is_empty(path):
        raise ArchiveError(f"{path} is empty: no archive or checkpoint of Backpack is in it")
    # Looked at twice, since it may just be made.
    if _is_empty(path) and _is_used(path) and _is_empty(path):
        raise CorruptError(
            f"the archive {path} is empty, and was not: its lock or its write-ahead log is beside "
            "it; put a copy in its place, or delete them all to begin anew"
        )


def identity(path: Path | None) -> tuple[int, int] | None:
    """Return what tells a file from another of the same name; None if there is none."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_begun(path: Path) -> bool:
    """Whether there is anything in a file, which need not be there.

    Raises:
        ArchiveError: It may not be read, or is no plain file.
        CorruptError: It was an archive once.
    """
    check_file(path, must_exist=False)
    return path.exists() and not _is_empty(path)


def _status(path: Path) -> os.stat_result | None:
    """Return what the system tells of a file; None if there is none.

    Raises:
        ArchiveError: It tells nothing; SQLite would say no more than that it cannot open it.
    """
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise _closed(path) from None
    except OSError as error:
        reason = error.strerror or one_line(str(error))
        raise ArchiveError(
            f"there can be no archive {one_line(str(path))}: {reason}; name another file"
        ) from None


def _closed(path: Path) -> ArchiveError:
    return ArchiveError(f"{path} may not be read: see that this user may read it and its folder")


def _is_empty(path: Path) -> bool:
    """Whether SQLite takes a file for empty, as it does one of a single byte."""
    return path.is_file() and path.stat().st_size <= 1


def _is_used(path: Path) -> bool:
    """Whether there is something beside a file that comes only once it is an archive."""
    log = path.with_name(f"{path.name}-wal")
    return bool(locks_of(path)) or (log.is_file() and not _is_empty(log))
