"""What a program does to the files of a folder, as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

__all__ = [
    "Acknowledge",
    "Create",
    "Event",
    "Rename",
    "Sync",
    "SyncFolder",
    "Truncate",
    "Unlink",
    "Write",
    "record",
    "why_not",
]


@frozen
class Create:
    """A file that was not there is made."""

    name: str


@frozen
class Write:
    """Bytes are written into a file."""

    name: str
    offset: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen
class Truncate:
    """A file is made shorter or longer."""

    name: str
    size: int


@frozen
class Sync:
    """All that was written into a file is on the disk."""

    name: str


@frozen
class SyncFolder:
    """Which files there are, and what they are called, is on the disk."""


@frozen
class Rename:
    """A file is called something else, in place of what was called so."""

    name: str
    to: str


@frozen
class Unlink:
    """A file is removed."""

    name: str


@frozen
class Acknowledge:
    """The program says that it is done with so many operations."""

    number: int


Event = Create | Write | Truncate | Sync | SyncFolder | Rename | Unlink | Acknowledge

#: All that changes a file or a folder; a question mark: not every machine has it.
_CALLS: Final = (
    "?open,openat,?creat,write,writev,pwrite64,pwritev,?pwritev2,ftruncate,truncate,fallocate,"
    "fsync,fdatasync,sync,syncfs,?sync_file_range,msync,?rename,?renameat,renameat2,?unlink,"
    "unlinkat,?link,linkat,?symlink,symlinkat,mmap,?copy_file_range,sendfile"
)
#: Those of them that have paths as their arguments, and no handles but those of folders.
_BY_PATH: Final = re.compile("(open|creat|truncate|rename|unlink|link|symlink)(at|at2)?")
_STRACE: Final = ("strace", "-f", "-y", "-xx", "-qq", "-s", "1000000", "-e", "signal=none")
#: What most of the lines are: these say where, if not in what they are given, in what they return.
_ELSEWHERE: Final = re.compile(r"\d+ +(openat|mmap|write)\((?!1<)")
_LINE: Final = re.compile(r"\d+ +(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)(?:[ <].*)?")
_TEXT: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_HANDLE: Final = re.compile(r"(\w+)<((?:\\x[0-9a-f]{2})*)>(\(deleted\))?")


def why_not() -> str | None:
    """Return why nothing can be recorded on this machine; None if it can."""
    if sys.platform != "linux":
        return "writes are recorded with strace, which is Linux's"
    if shutil.which("strace") is None:
        return "writes are recorded with strace, which is not installed"
    tried = subprocess.run([*_STRACE, "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode:
        return f"strace is not permitted here: {tried.stderr.strip()[:200]}"
    return None


def record(command: Sequence[str], folder: Path, **options: str) -> list[Event]:
    """Run a program; return what it did to the files of a folder, and what it acknowledged.

    The index of a write-ahead log is left out: it is mapped into memory, and SQLite makes it anew
    whenever nobody has it open.

    Args:
        command: The program; it writes the number of operations it is done with, one a line.
        folder: The folder, which is empty.
        **options: What its environment has beside that of the tests.
    """
    log = folder.parent / f"{folder.name}.strace"
    done = subprocess.run(
        [*_STRACE, "-e", f"trace={_CALLS}", "-o", str(log), *command],
        capture_output=True,
        text=True,
        env={**os.environ, **options},
    )
    assert not done.returncode, done.stderr
    with log.open() as lines:
        events = list(_Reader(folder.resolve()).events(lines))
    log.unlink()
    return events


@define
class _Reader:
    """Reads what strace wrote.

    Attributes:
        folder: What is of interest.
        names: The files in it.
    """

    folder: Path
    names: set[str] = field(factory=set)
    _mark: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._mark = "".join(f"\\x{byte:02x}" for byte in bytes(self.folder))

    def events(self, lines: Iterator[str]) -> Iterator[Event]:
        """Iterate over what was done, in order."""
        for line in lines:
            if self._mark not in line and _ELSEWHERE.match(line):
                continue
            found = _LINE.fullmatch(line.strip())
            assert found or " exited with " in line, f"cannot be read: {line[:200]}"
            if found and not found[3].startswith("-"):
                yield from self._events(found[1], found[2], found[3])

    def _events(self, call: str, arguments: str, result: str) -> Iterator[Event]:
        texts = [_bytes(each[1]) for each in _TEXT.finditer(arguments)]
        handles = [each for each in _HANDLE.finditer(arguments) if not each[3]]
        if call == "write" and arguments.startswith("1<"):
            yield from (Acknowledge(int(number)) for number in texts[0].split())
            return
        paths = [Path(_bytes(each[2]).decode()) for each in handles]
        if _BY_PATH.fullmatch(call):
            paths = [Path(*paths[:1], each.decode()) for each in texts]
            assert all(each.is_absolute() for each in paths), f"{call} of a path that is not whole"
        if self.folder in paths:
            assert call in ("fsync", "fdatasync", "openat"), f"{call} of the folder"
            if call != "openat":
                yield SyncFolder()
            return
        names = [self._name(each) for each in paths]
        if any(name is not None and not name.endswith("-shm") for name in names):
            assert not any(each[2] for each in _TEXT.finditer(arguments)), "cut short by strace"
            yield from self._of_files([str(name) for name in names], call, arguments, result)

    def _of_files(
        self, names: list[str], call: str, arguments: str, result: str
    ) -> Iterator[Event]:
        name, *others = names
        numbers = arguments.rsplit(", ", 1)
        match call:
            case "openat":
                if name not in self.names and "O_CREAT" in arguments:
                    self.names.add(name)
                    yield Create(name)
                elif "O_TRUNC" in arguments:
                    yield Truncate(name, 0)
            case "pwrite64":
                text = _TEXT.search(arguments)
                assert text
                yield Write(name, int(numbers[-1]), _bytes(text[1])[: int(result)])
            case "ftruncate":
                yield Truncate(name, int(numbers[-1]))
            case "fsync" | "fdatasync":
                yield Sync(name)
            case "rename" | "renameat" | "renameat2":
                assert "RENAME_" not in arguments, "a rename of another kind"
                self.names.remove(name)
                self.names.add(others[0])
                yield Rename(name, others[0])
            case "unlink" | "unlinkat":
                self.names.remove(name)
                yield Unlink(name)
            case "mmap":
                assert "MAP_SHARED" not in arguments, f"{name} is written in memory"
            case _:
                raise AssertionError(f"{call} of {name} is not known here")

    def _name(self, path: Path) -> str | None:
        """Return what a file of the folder is called; None if it is of another."""
        return path.name if path.parent == self.folder else None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
