"""Writes a trace: lines of JSON, compressed if the name of the file ends in ``.gz``."""

from __future__ import annotations

import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from backpack.errors import TraceError
from backpack.overwriting import obstacle

if TYPE_CHECKING:
    from io import FileIO

__all__ = ["TraceFile"]

#: The fastest: what is recorded shall not be waited for.
_LEVEL: Final = 1
#: With so many, zlib writes what gzip reads.
_GZIP_WINDOW: Final = 31
#: Bytes that are kept back, to be written at once.
_AT_ONCE: Final = 256 * 1024


class TraceFile:
    """A new file of lines.

    Nothing is kept in buffers that Python writes when a process ends: a copy of this process, made
    by ``os.fork``, writes nothing.

    Args:
        path: The file.
        replace: Whether a file that is there is replaced.
        called: What errors call the file, if it is to have another name in the end.

    Raises:
        TraceError: It cannot be written, or is there.
    """

    def __init__(self, path: Path, *, replace: bool = False, called: Path | None = None) -> None:
        self.path = path
        where = str(called or path)
        reason = obstacle(path, plain=False) if replace else None
        if reason is not None:
            raise TraceError(reason, where=where)
        try:
            self._file: FileIO = path.open("wb" if replace else "xb", buffering=0)
        except FileExistsError:
            raise TraceError(
                "there is such a file, which is left alone; replace=True replaces it",
                where=where,
            ) from None
        except OSError as error:
            raise TraceError(f"cannot be written: {error.strerror or error}", where=where) from None
        is_compressed = path.name.endswith(".gz")
        options = (_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
        self._deflate = zlib.compressobj(*options) if is_compressed else None
        self._lines: list[bytes] = []
        self._waiting = 0
        self._good = 0

    def write(self, line: bytes) -> None:
        """Write a line; it may be kept back until :meth:`flush`.

        Raises:
            OSError: It cannot be written.
        """
        self._lines += (line, b"\n")
        self._waiting += len(line) + 1
        if self._waiting >= _AT_ONCE:
            self._write(None)

    def flush(self) -> None:
        """Have everything so far in the file, to be read even if nothing more comes.

        Raises:
            OSError: It cannot be written.
        """
        if self._waiting:
            self._write(zlib.Z_SYNC_FLUSH)

    def close(self) -> None:
        """End the file.

        Raises:
            OSError: It cannot be written; what was written before is there.
        """
        if not self._file.closed:
            with self._file:
                self._write(zlib.Z_FINISH)

    def _write(self, mode: int | None) -> None:
        data = b"".join(self._lines)
        self._lines.clear()
        self._waiting = 0
        if self._deflate is not None:
            data = self._deflate.compress(data)
            if mode is not None:
                data += self._deflate.flush(mode)
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            with self._file, suppress(OSError):
                # On a full disk, half a line: what is before it can be read.
                self._file.truncate(self._good)
            raise
        self._good += len(data)
