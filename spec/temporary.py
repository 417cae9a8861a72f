"""Archives for a while: SQLite files in a folder that goes when nobody has the archive any more."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backpack.errors import ArchiveError
from backpack.opening import archives

if TYPE_CHECKING:
    from backpack.container import Backpack

__all__ = ["abandon", "copied", "folder_of", "missing", "removed", "temporary_archive"]

_FILE = "archive.db"


def missing() -> str | None:
    """Say what archives need that is not installed; None if all is there."""
    try:
        archives()
    except ArchiveError as error:
        return str(error)
    return None


def temporary_archive(*, write: str = "on-prune") -> Any:
    """Return an archive in a folder of its own, which goes with it.

    Args:
        write: When it is written, as for :class:`~backpack.archive.SqlArchive`.

    Raises:
        ArchiveError: What archives need is not installed.
    """
    sql = archives().SqlArchive
    folder = tempfile.mkdtemp(prefix="backpack-")
    archive = sql(f"sqlite:///{Path(folder, _FILE).as_posix()}", write=write)
    weakref.finalize(archive, shutil.rmtree, folder, ignore_errors=True)
    return archive


def folder_of(archive: Any) -> Path:
    """Return the folder of a temporary archive."""
    return Path(archive.parsed.database).parent


def copied(archive: Any) -> Any:
    """Return a temporary archive of what is on disk of another at this moment.

    It is what is found if the process that writes the other one is killed now.
    """
    image = temporary_archive(write=archive.write)
    for path in folder_of(archive).glob(f"{_FILE}*"):
        if path.suffix != ".lock" and not path.name.endswith("-shm"):
            shutil.copyfile(path, folder_of(image) / path.name)
    return image


def removed(archive: Any) -> None:
    """Remove the folder of a temporary archive now; a process may end without looking back."""
    shutil.rmtree(folder_of(archive), ignore_errors=True)


def abandon(backpack: Backpack) -> None:
    """Let go of a Backpack's archive as the end of its process does: nothing is written."""
    scribe = backpack._engine.scribe
    if scribe is not None:
        scribe.log.close()
