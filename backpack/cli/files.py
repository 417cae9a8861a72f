"""The commands that move a whole Backpack: ``save``, ``restore``, ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from backpack.cli.options import named
from backpack.cli.terminal import emit, line, progress
from backpack.opening import archives

__all__ = ["restore", "save", "verify_file"]


@click.command()
@click.argument("archive", metavar="ARCHIVE")
@click.argument("file", type=click.Path(path_type=Path))
@named
def save(archive: str, file: Path, name: str | None) -> None:
    """Write a Backpack in ARCHIVE, with all its past, to a checkpoint FILE.

    ARCHIVE is a URL, such as sqlite:///runs.db, or an SQLite file. A FILE that is there is replaced
    once the new one is whole.
    """
    with progress("saving") as advance:
        found = _checkpoints().save(archive, file, name, advance)
    emit(f"{line(found.name)}: {found.versions:,} versions saved to {file}\n")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("archive", metavar="ARCHIVE")
@named
def restore(file: Path, archive: str, name: str | None) -> None:
    """Enter the Backpack of a checkpoint FILE into ARCHIVE, from where Backpack.open goes on.

    ARCHIVE is a URL, such as sqlite:///runs.db or postgresql://user@host/database.
    """
    checkpoints = _checkpoints()
    with progress("restoring") as advance:
        found = checkpoints.unpack(file, checkpoints.SqlArchive(archive), name, advance)
    emit(f"{line(found.name)}: {found.versions:,} versions restored to {archive}\n")


@click.command(name="verify")
@click.argument("file", metavar="FILE")
@named
def verify_file(file: str, name: str | None) -> None:
    """Read all of a checkpoint or an archive, and say whether it is as it was written."""
    with progress("verifying") as advance:
        found, commits = _checkpoints().verify(file, name, advance)
    emit(f"{line(found.name)}: {commits:,} commits, {found.versions:,} versions: all as written\n")


def _checkpoints() -> Any:
    """Return the module of checkpoints, imported now.

    Raises:
        ArchiveError: What it needs is not installed.
    """
    return archives().checkpoint
