"""What is in the way of writing a file: a folder, a device, a database that somebody has open.

Nothing is opened but locks: who closes a file that SQLite has open in the same process lets go of
the locks that SQLite has on it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final

from backpack.lock_files import locks_of
from backpack.wording import one_line

try:
    import fcntl
except ModuleNotFoundError:  # Windows has none, and replaces no file that is open.
    fcntl = None  # type: ignore[assignment]

__all__ = ["is_same", "obstacle"]

#: What SQLite has beside a database that is open, or was not closed, and how many bytes of it mean
#: something. It takes what is there for part of whatever file has the name.
_BESIDE: Final = (("-wal", 1), ("-journal", 1), ("-shm", 0))


def obstacle(path: Path, *, plain: bool = True) -> str | None:
    """Return what is in the way of writing a file, new or over one that is there.

    Args:
        path: The file.
        plain: Whether it has to be a plain file, since it is replaced; otherwise it may be a
            device or a pipe.

    Returns:
        Why it is not written and what to do, to stand behind its name; None if nothing is in the
        way.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None
    except OSError as error:
        return f"cannot be written: {error.strerror or one_line(str(error))}; name another file"
    if mode is not None and S_ISDIR(mode):
        return "is a folder; name a file in it"
    if mode is not None and not S_ISREG(mode):
        return "is no plain file, and is not replaced; name another file" if plain else None
    # SQLite writes beside the file that a link leads to; what is beside the link may be old.
    places = dict.fromkeys((path.absolute(), Path(os.path.realpath(path))))
    return next(filter(None, map(_user, places)), None)


def is_same(one: Path, other: Path) -> bool:
    """Whether two paths are of one file that is there, by whatever name."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _user(path: Path) -> str | None:
    """Return what tells that somebody has a database open, or did not close it."""
    for lock in locks_of(path):
        if _is_held(lock):
            return (
                f"is an archive that has a writer, which holds {one_line(lock.name)}; close that, "
                "or name another file"
            )
    for ending, least in _BESIDE:
        beside = path.with_name(f"{path.name}{ending}")
        with suppress(OSError):
            if beside.stat().st_size >= least:
                return (
                    f"is a database that something has open, or did not close: beside it is "
                    f"{one_line(beside.name)}, which SQLite would take for part of the new file. "
                    "Name another file; or, if nothing has it open and it may be lost, delete it "
                    "with what is beside it"
                )
    return None


def _is_held(lock: Path) -> bool:
    """Whether a process, this one or another, holds a lock."""
    take = getattr(fcntl, "flock", None)
    if take is None:
        return False
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        take(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
