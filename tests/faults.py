"""Faults of a disk that an archive may meet, made on purpose; what holds through all of them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from archives import Past, settings
from attrs import frozen
from sqlalchemy import event

from backpack import ArchiveError, Backpack
from backpack.archive import SqlArchive
from backpack.archive.database import Database
from backpack.audit import audit

__all__ = [
    "FAULTS",
    "ROOM",
    "WRITE",
    "Fault",
    "archive",
    "begun",
    "check_retained",
    "database_of",
    "handles",
    "mounted",
    "pack",
    "patience",
    "seen",
    "until_refused",
]

WRITE = ("on-prune", "on-commit")
#: Settings with little room.
ROOM = settings(max_history_size=16384)

#: Who may do nothing.
_NOBODY = 65534

_LOCKS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


def begun(url: str, write: str, count: int = 40, name: str = "it") -> tuple[Backpack, Past]:
    """Return a Backpack with an archive that was used for a while, and its past."""
    backpack = Backpack(**ROOM, archive=archive(url, write), name=name)
    past = Past()
    while len(past.commits) < count or backpack.memory_usage().headroom_bytes < 1500:
        pack(backpack, past)
    return backpack, past


def archive(url: str, write: str) -> SqlArchive:
    """Return an archive that is written then."""
    return SqlArchive(url, write=write)


def pack(backpack: Backpack, past: Past) -> None:
    """Make a commit of a value that takes its room, in history and in an archive."""
    chance = random.Random(len(past.commits))  # noqa: S311
    key = chance.choice("abc")
    state = past.current | {key: chance.randbytes(500).hex()}
    past.record(backpack.pack(key, state[key]), state)


def until_refused(backpack: Backpack, past: Past, most: int = 500) -> tuple[ArchiveError, int]:
    """Make commits until the archive refuses one; return how, and how many there were.

    The state is as before then.
    """
    for number in range(most):
        before = seen(backpack)
        try:
            pack(backpack, past)
        except ArchiveError as error:
            assert before == seen(backpack)
            return error, number
    raise AssertionError("nothing failed")


def seen(backpack: Backpack) -> object:
    """Return what can be seen of a Backpack without its archive; it is sound."""
    assert [] == audit(backpack)
    usage = backpack.memory_usage()
    assert usage.history_bytes <= usage.peak_history_bytes <= usage.budget_bytes
    return dict(backpack), backpack.head, usage


def check_retained(backpack: Backpack, past: Past) -> None:
    """What memory answers for is there, exactly, whatever became of the archive."""
    assert past.current == dict(backpack)
    for commit in past.commits[-backpack.memory_usage().commits_retained :]:
        past.check_at(backpack, commit.seq)


def database_of(backpack: Backpack) -> Database:
    """Return the database of a Backpack's archive."""
    scribe = backpack._engine.scribe
    assert scribe is not None
    database = scribe.log.database  # type: ignore[attr-defined]
    assert isinstance(database, Database)
    return database


def file_of(backpack: Backpack) -> Path:
    """Return the file of a Backpack's archive."""
    return Path(str(database_of(backpack)._url.database))


def handles(path: Path) -> set[str]:
    """Return the files of an SQLite database that this process has open."""
    found = set()
    for handle in Path("/proc/self/fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:  # That of the listing itself.
            continue
        if target in {f"{path}{end}" for end in ("", "-wal", "-shm", "-journal")}:
            found.add(target)
    return found


def patience(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Wait for locks and servers for so long only."""
    monkeypatch.setattr("backpack.archive.database._PATIENCE", seconds)


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Have something mounted on a folder."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a file system takes Linux, its command mount, and root")
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full_disk(backpack: Backpack) -> Iterator[None]:
    """Leave no room where the archive is: a file system of its own, or nothing is filled."""
    ballast = file_of(backpack).with_name("ballast")
    assert ballast.parent.is_mount()
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    yield
    ballast.unlink()


@contextmanager
def no_larger_file(_: Backpack) -> Iterator[None]:
    """Let this process write to no file, as a quota would."""
    resource = pytest.importorskip("resource", reason="limits of a process take POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_more_pages(backpack: Backpack) -> Iterator[None]:
    """Have SQLite make its file no longer: it says that the disk is full."""
    database = database_of(backpack)

    def limit(connection: object, _: object) -> None:
        connection.execute("PRAGMA max_page_count=1").close()  # type: ignore[attr-defined]

    event.listen(database._engine, "connect", limit)
    database.drop()
    yield
    event.remove(database._engine, "connect", limit)
    database.drop()


@contextmanager
def read_only_mount(backpack: Backpack) -> Iterator[None]:
    """Have the file system be read-only for whoever opens a file from here on."""
    folder = file_of(backpack).parent
    with mounted(folder, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        database_of(backpack).drop()
        yield
        database_of(backpack).drop()


@contextmanager
def _without_rights(backpack: Backpack, what: Callable[[Path], list[Path]]) -> Iterator[None]:
    """Have some paths read-only, and be nobody who may write all the same."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions of files take POSIX")
    database_of(backpack).drop()
    modes = {path: path.stat().st_mode for path in what(file_of(backpack))}
    for path, mode in modes.items():
        path.chmod(mode & 0o555)
    before = os.geteuid()
    if before == 0:  # Root may write anything.
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
        for path, mode in modes.items():
            path.chmod(mode)


def read_only_folder(backpack: Backpack) -> AbstractContextManager[None]:
    """Take away the permission to write the folder of the archive, and all that is in it."""
    return _without_rights(backpack, lambda file: [file.parent, *file.parent.iterdir()])


def read_only_file(backpack: Backpack) -> AbstractContextManager[None]:
    """Take away the permission to write the file of the archive; its folder may be written."""

    def file_only(file: Path) -> list[Path]:
        file.parent.chmod(0o777)
        return [file]

    return _without_rights(backpack, file_only)


@contextmanager
def locked_file(backpack: Backpack) -> Iterator[None]:
    """Have another process lock the file for longer than anybody waits."""
    command = [sys.executable, "-c", _LOCKS, str(file_of(backpack))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert "locked" == other.stdout.readline().strip()
        yield
        other.communicate()


@frozen
class Fault:
    """A fault of the disk.

    Attributes:
        make: Makes it for the archive of a Backpack, while a block runs.
        told: What the error says: the cause, and what to do.
        spoils_folder: Whether nothing at all can be written where the archive is.
        spoils_reading: Whether the archive cannot be read meanwhile either.
        spares_changes: Whether what only changes what is there can be written.
        disk: Whether it takes a file system of its own.
    """

    make: Callable[[Backpack], AbstractContextManager[None]]
    told: str
    spoils_folder: bool = False
    spoils_reading: bool = False
    spares_changes: bool = False
    disk: bool = False


_FULL = "database or disk is full; nothing was changed. Free some room where it is, and do it again"
_CLOSED = "unable to open database file; nothing was changed. See that its folder is there and may"
_READ_ONLY = "attempt to write a readonly database; nothing was changed. See that it, and the fold"
_LOCKED = "database is locked; nothing was changed. See which process has had it locked for 1 seco"

FAULTS = {
    "full disk": Fault(full_disk, _FULL, spoils_folder=True, disk=True),
    "no larger file": Fault(
        no_larger_file,
        "disk I/O error; nothing was changed. See what is wrong with the disk it is on, and do it",
        spoils_folder=True,
        spoils_reading=True,
    ),
    "no more pages": Fault(no_more_pages, _FULL, spares_changes=True),
    "read-only mount": Fault(
        read_only_mount, f"{_CLOSED}|{_READ_ONLY}", spoils_folder=True, spoils_reading=True
    ),
    "read-only folder": Fault(
        read_only_folder, f"{_CLOSED}|{_READ_ONLY}", spoils_folder=True, spoils_reading=True
    ),
    "read-only file": Fault(read_only_file, _READ_ONLY),
    "locked file": Fault(locked_file, _LOCKED),
}
