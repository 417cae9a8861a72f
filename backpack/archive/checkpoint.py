"""The checkpoint: a whole Backpack in one file.

It is an SQLite archive of one Backpack: what it retains, and what it had archived if that is asked
for. It is written under another name, synchronized and renamed: whoever finds a file of its name
finds a whole one.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import evolve, frozen
from sqlalchemy import URL, insert, select

from backpack.archive.database import Database
from backpack.archive.glance import count
from backpack.archive.log import Log
from backpack.archive.reading import LogReader
from backpack.archive.rows import as_row, check_pack, pack_row
from backpack.archive.sql import SqlArchive
from backpack.archive.tables import PACKS
from backpack.archive.url import parsed
from backpack.errors import ArchiveError, UnknownName
from backpack.logged import Entered, Saved, logged_again
from backpack.overwriting import is_same, obstacle
from backpack.unicode import is_unicode
from backpack.wording import cut, described, one_line, one_of, printable, shown

try:
    import fcntl
except ModuleNotFoundError:  # Windows has none.
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from backpack.logged import LoggedVersion, Read

__all__ = [
    "Found",
    "all_of",
    "check_apart",
    "count_of",
    "look_into",
    "opened",
    "save",
    "unpack",
    "verify",
    "write",
]

V = TypeVar("V", bound="LoggedVersion | Read")

#: Told how many versions are done, and of how many, where that is known.
Progress = Callable[[int, int], None]

#: Progress is told every so many versions, or bytes of them.
_EVERY: Final = 100
_EVERY_BYTES: Final = 1024 * 1024
#: A message shows so many characters of a path.
_LONGEST_PATH: Final = 500
#: So many bytes of a file's name are in that of what becomes the file: a name has 255 at most.
_LONGEST_NAME: Final = 200


@frozen
class Found:
    """A Backpack in an SQLite archive or a checkpoint.

    Attributes:
        name: What it is called there.
        versions: How many versions of it there are.
    """

    name: str
    versions: int


def write(
    path: str | os.PathLike[str],
    saved: Saved,
    progress: Progress | None = None,
    source: object = None,
) -> None:
    """Write a checkpoint; a file that is there is replaced once the new one is whole.

    Args:
        path: The file.
        saved: What goes into it.
        progress: Told how many versions are done.
        source: The log it is saved from, whose file is not replaced.

    Raises:
        ArchiveError: It cannot be written, or is a database that somebody has open; what was there
            is as before.
    """
    final = _path(path)
    _check_target(final, source)
    name = final.name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    part = final.with_name(f".{name}.{secrets.token_hex(4)}.part")
    try:
        # Whoever stops this keeps nothing that is read: neither a transaction nor its locks.
        with closing(saved.versions), closing(Database(_url(part), becomes=final)) as database:
            row = pack_row(saved.name, saved.code, saved.codec, saved.settings)
            with database.telling("cannot be written"):
                database.begin().execute(insert(PACKS), row)
                database.commit()
            log = Log(database, row)
            versions = _counted(saved.versions, saved.count, progress)
            entered = Entered(saved.commits, versions)
            log.write(entered)
            log.commit(entered)
        _synchronize(part)
        # Writing took a while, in which somebody may have opened what is to be replaced.
        _check_target(final, source)
        part.replace(final)
        _synchronize(final.parent)
    except OSError as error:
        raise ArchiveError(
            f"the checkpoint {final} cannot be written: {one_line(str(error))}; nothing was changed"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()


def look_into(place: str | os.PathLike[str], name: str | None = None) -> Found:
    """Find the Backpack in a checkpoint, or the one of a name in an archive.

    Args:
        place: The file, or the URL of an archive.
        name: Which one; the only one if left out.

    Raises:
        UnknownName: There is none, or none of that name, or which one is meant is not told.
        ArchiveError: It is no such file, or a newer one.
        CorruptError: It is damaged.
    """
    database = Database(_url(place), read_only=True)
    with closing(database), database.reading() as connection:
        rows = connection.execute(select(PACKS).order_by(PACKS.c.name)).all()
    for row in rows:
        check_pack(as_row(row))
    found = {row.name: Found(row.name, row.versions) for row in rows}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if name is not None and name in found:
        return found[name]
    there = f"there are: {one_of(found)}" if found else "it has none at all"
    asked = "which Backpack?" if name is None else f"there is no {shown(name)}"
    raise UnknownName(f"{database.name}: {asked}; {there}")


def opened(place: str | os.PathLike[str], found: Found) -> LogReader:
    """Open what was found to read it.

    Raises:
        ArchiveError: It cannot be read.
        CorruptError: Something of it is missing.
    """
    return SqlArchive(_url(place).render_as_string(hide_password=False)).look(found.name)


def save(
    place: str | os.PathLike[str],
    path: str | os.PathLike[str],
    name: str | None = None,
    progress: Progress | None = None,
) -> Found:
    """Write a checkpoint of a Backpack in an archive, with all that is in it; return which it is.

    Raises:
        UnknownName: There is none of that name.
        ArchiveError: The archive cannot be read, or the checkpoint not be written.
        CorruptError: The archive is damaged.
    """
    found = look_into(place, name)
    with closing(opened(place, found)) as log:
        commits, versions = list(log.commits(newest_first=False)), logged_again(log)
        saved = Saved(
            found.name,
            log.code,
            log.codec,
            log.settings,
            commits,
            versions,
            found.versions,
        )
        write(path, saved, progress, log)
    return found


def unpack(
    path: str | os.PathLike[str],
    archive: SqlArchive,
    name: str | None = None,
    progress: Progress | None = None,
) -> Found:
    """Enter a Backpack of a checkpoint into an archive; return which it is.

    Raises:
        UnknownName: There is none of that name.
        ArchiveError: It cannot be read or written, or the archive has one of that name.
        CorruptError: The checkpoint is damaged.
    """
    check_apart(path, archive)
    found = look_into(path, name)
    with closing(opened(path, found)) as source:
        entered = all_of(source, found.versions, progress)
        archive.start(found.name, source.code, source.codec, source.settings, entered).close()
    return found


def check_apart(place: str | os.PathLike[str], archive: object) -> None:
    """Refuse to enter what is in a file into the same file.

    Args:
        place: The file, or the URL of an archive.
        archive: The archive; what is none of these is none of them.

    Raises:
        ArchiveError: They are one file.
    """
    if not isinstance(archive, SqlArchive):
        return
    source, target = _url(place), archive.parsed
    are_files = {source.get_backend_name(), target.get_backend_name()} == {"sqlite"}
    if are_files and is_same(Path(str(source.database)), Path(str(target.database))):
        raise ArchiveError(
            f"{one_line(str(source.database))} cannot be restored into itself; name another file "
            "for the archive, or go on with what is in it by Backpack.open"
        )


def all_of(
    source: LogReader,
    count: int = 0,
    progress: Progress | None = None,
    *,
    retained: Collection[int] | None = None,
) -> Entered:
    """Return all that is in a log, to be entered into another.

    Args:
        source: The log.
        count: How many versions there are, for the progress.
        progress: Told how many are done.
        retained: The numbers of the commits that are retained; those that were if left out.
    """
    commits = list(source.commits(newest_first=False))
    if retained is not None:
        commits = [evolve(each, retained=each.commit.seq in retained) for each in commits]
    return Entered(commits, _counted(logged_again(source), count, progress))


def count_of(log: object) -> int | None:
    """Return how many versions are in a log; None if it is none of these archives.

    Raises:
        ArchiveError: They cannot be counted.
    """
    return count(log) if isinstance(log, LogReader) else None


def verify(
    place: str | os.PathLike[str], name: str | None = None, progress: Progress | None = None
) -> tuple[Found, int]:
    """Read all that there is of a Backpack in a checkpoint or an archive.

    Values are not decoded: what they are made of is held against its checksums.

    Returns:
        Which it is, and how many commits it has.

    Raises:
        UnknownName: There is none of that name.
        ArchiveError: It is no such file, or a newer one.
        CorruptError: Something of it is missing, or not as it was written.
    """
    found = look_into(place, name)
    with closing(opened(place, found)) as log:
        commits = sum(1 for _ in log.commits())
        for _ in _counted(log.versions(0), found.versions, progress):
            pass
    return found, commits


def _counted(versions: Iterable[V], count: int, progress: Progress | None) -> Iterator[V]:
    """Iterate over versions, and tell how far that is."""
    untold = 0
    for number, each in enumerate(versions):
        untold += 0 if each.encoded is None else len(each.encoded)
        if progress is not None and (number % _EVERY == 0 or untold > _EVERY_BYTES):
            progress(number, count)
            untold = 0
        yield each
    if progress is not None:
        progress(count, count)


def _url(place: str | os.PathLike[str]) -> URL:
    """Return the URL of an archive; a path is that of an SQLite file.

    Raises:
        ArchiveError: It is neither.
    """
    if isinstance(place, str) and "://" in place:
        return parsed(place)
    return URL.create("sqlite", database=str(_path(place)))


def _path(place: object) -> Path:
    """Return an absolute path.

    Raises:
        ArchiveError: It is none that a file could have.
    """
    text: object = os.fspath(place) if isinstance(place, os.PathLike) else place
    if not isinstance(text, str) or not text or "\0" in text or not is_unicode(text):
        raise ArchiveError(f"{described(text)} is no path of a file; give one as text, or a Path")
    return Path(text).absolute()


def _check_target(final: Path, source: object) -> None:
    """Refuse to replace what a rename would take from somebody.

    Raises:
        ArchiveError: It is what is saved, a database that somebody has open, or no plain file.
    """
    file = source.database.path if isinstance(source, LogReader) else None
    if file is not None and is_same(final, file):
        raise ArchiveError(
            f"{final} is the archive that is saved; name another file for the checkpoint"
        )
    reason = obstacle(final)
    if reason is not None:
        raise ArchiveError(f"{cut(printable(str(final)), _LONGEST_PATH)} {reason}")


def _synchronize(path: Path) -> None:
    """Have the system write what it has of a file or a folder, where it can."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        if hasattr(fcntl, "F_FULLFSYNC"):  # On macOS, fsync leaves it in the cache of the drive,
            with suppress(OSError):  # and not every file system knows better.
                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        os.fsync(handle)
    finally:
        os.close(handle)
