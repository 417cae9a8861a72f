"""Reads a trace: a recorded agent run, one operation a line, as a stream."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

from attrs import define, evolve, field

from backpack.errors import TraceError
from backpack.operations import (
    LONGEST,
    Append,
    Change,
    Look,
    Operation,
    Pack,
    Remove,
    Several,
    Sized,
    Wrong,
    kind_of,
    meant,
    operation_of,
)
from backpack.synthetic import synthetic
from backpack.wording import shown

__all__ = [
    "Append",
    "Look",
    "Operation",
    "Pack",
    "Remove",
    "Several",
    "lines",
    "parsed",
    "read_trace",
]

_GZIP_MAGIC = b"\x1f\x8b"
_LINES_PER_REPORT = 64


def read_trace(
    path: Path | str,
    *,
    progress: Callable[[int, int], None] | None = None,
    line_limit: int = LONGEST,
) -> Iterator[Operation]:
    """Yield the operations of a trace, each one checked against those before it.

    The file is read as a stream: memory holds one line, the names of the keys, and the values that
    were made up where the trace says only how large they are. Whether it is compressed is seen from
    its first bytes, not from its name.

    Args:
        path: A file of JSON Lines, plain or gzip.
        progress: Called now and then with the bytes of the file read so far and its size.
        line_limit: The longest line accepted, in bytes; a guard against files that are no trace.

    Yields:
        The operations, in the order of the file.

    Raises:
        TraceError: The file cannot be read, or a line is no operation that can follow the ones
            before it. Everything yielded until then is sound.
    """
    path = Path(path)
    so_far = _SoFar()
    for number, line in lines(path, progress, line_limit):
        if line.isspace():
            continue
        try:
            operation = so_far.accept(operation_of(number, parsed(line, first=number == 1)))
        except Wrong as wrong:
            raise TraceError(str(wrong), where=f"{path}:{number}") from None
        yield operation
    if not so_far.operations:
        raise TraceError(
            "the file holds no operations; a trace has one JSON object a line", where=str(path)
        )


@define
class _SoFar:
    """What the operations so far imply: enough to tell one that cannot follow them.

    Attributes:
        operations: How many there were.
        commits: How many of them made a commit.
        kinds: What kind of JSON each key holds, in words.
        made_up: The values of keys of which the trace says only how large they are.
    """

    operations: int = 0
    commits: int = 0
    kinds: dict[str, str] = field(factory=dict)
    made_up: dict[str, object] = field(factory=dict)

    def accept(self, operation: Operation) -> Operation:
        """Take the next operation and return it with every value in its place.

        Raises:
            Wrong: It cannot follow those before it.
        """
        match operation:
            case Look(back=back):
                if back >= self.commits:
                    most = self.commits - 1
                    raise Wrong(
                        f"snapshot looks {back} commits back, but {self.commits} were made before "
                        f"it; {f'at most {most}' if self.commits else 'there is no commit yet'}"
                    )
            case Several(changes=changes):
                accepted = tuple(self._change(each, n) for n, each in enumerate(changes))
                operation = evolve(operation, changes=accepted)
            case _:
                operation = self._change(operation)
        self.operations += 1
        self.commits += not isinstance(operation, Look)
        return operation

    def _change(self, change: Change, place: int = 0) -> Change:
        key = change.key
        before = self.made_up.pop(key, None)
        match change:
            case Pack(value=Sized(size=size, new=new)):
                value = synthetic(before, size, new, f"{change.line}.{place}")
                self.made_up[key] = value
                self.kinds[key] = kind_of(value)
                return evolve(change, value=value)
            case Pack(value=value):
                self.kinds[key] = kind_of(value)
            case Append():
                kind = self._kind_of(key, "append to")
                if kind != "a list":
                    raise Wrong(f"append to {shown(key)}, which holds {kind}; append needs a list")
            case Remove():
                self._kind_of(key, "remove")
                del self.kinds[key]
        return change

    def _kind_of(self, key: str, what: str) -> str:
        try:
            return self.kinds[key]
        except KeyError:
            raise Wrong(
                f"{what} {shown(key)}, which does not exist here; a pack must come first"
                f"{meant(key, self.kinds)}"
            ) from None


def lines(
    path: Path, progress: Callable[[int, int], None] | None, limit: int
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, from 1; whatever the file does, only TraceError."""
    number = 0
    try:
        if not path.is_file():
            raise TraceError(_no_file(path), where=str(path))
        size = path.stat().st_size
        with path.open("rb") as raw:
            source = _source(raw)
            while line := source.readline(limit + 1):
                number += 1
                if len(line) > limit:
                    raise TraceError(
                        f"the line is longer than {limit:,} bytes; an operation is expected",
                        where=f"{path}:{number}",
                    )
                yield number, line
                if progress is not None and number % _LINES_PER_REPORT == 0:
                    progress(raw.tell(), size)
            if progress is not None:
                progress(size, size)
    except EOFError:
        raise TraceError(
            "the compressed data ends here, too early; the file was cut off",
            where=f"{path}:{number + 1}",
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise TraceError(
            f"the compressed data is damaged from here on ({error})", where=f"{path}:{number + 1}"
        ) from None
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _source(raw: BufferedReader) -> BufferedReader | gzip.GzipFile:
    compressed = raw.peek(2)[:2] == _GZIP_MAGIC
    return gzip.GzipFile(fileobj=raw, mode="rb") if compressed else raw


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a directory; name a file of JSON Lines, plain or gzip"
    if path.exists():
        return "is no regular file; a trace is read twice, so it cannot come through a pipe"
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"there is no such file{meant(path.name, siblings)}"


def parsed(line: bytes, *, first: bool) -> object:
    """Return the JSON of a line.

    Args:
        line: The line, with its end.
        first: Whether it is the first of its file.

    Raises:
        Wrong: It is none.
    """
    try:
        # A byte order mark is what some editors put at the start of a file.
        text = line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise Wrong(
            f"byte {error.start + 1} is no UTF-8; a trace is JSON Lines in UTF-8, plain or gzip"
        ) from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not line.endswith(b"\n"):
            raise Wrong(
                f"the last line ends in the middle of its JSON ({error.msg}, column "
                f"{error.colno}); the file was cut off"
            ) from None
        raise Wrong(
            f"no JSON ({error.msg}, column {error.colno}); one JSON object a line is expected"
        ) from None
    except RecursionError:
        raise Wrong("the JSON is nested too deeply to be read") from None
    except ValueError as error:
        # Python limits how many digits a number may have.
        raise Wrong(f"the JSON cannot be read ({str(error).partition(';')[0]})") from None
