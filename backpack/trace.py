"""Reads a trace: a recorded agent run, one operation a line, as a stream."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from backpack.errors import TraceError
from backpack.wording import nearest, shown

__all__ = ["Append", "Look", "Operation", "Pack", "Remove", "read_trace"]

_GZIP_MAGIC = b"\x1f\x8b"
_LINE_LIMIT = 256 * 2**20
_LINES_PER_REPORT = 64


@frozen
class Pack:
    """Set a key.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key.
        value: The value, as JSON says it.
        by: Which node did it, if the trace says.
    """

    line: int
    key: str
    value: object
    by: str | None = None


@frozen
class Append:
    """Read the list under a key, append an item, pack the list again.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key; it holds a list.
        item: The item, as JSON says it.
        by: Which node did it, if the trace says.
    """

    line: int
    key: str
    item: object
    by: str | None = None


@frozen
class Remove:
    """Delete a key.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key; it exists.
        by: Which node did it, if the trace says.
    """

    line: int
    key: str
    by: str | None = None


@frozen
class Look:
    """Read the whole state as of some commits ago.

    Attributes:
        line: Its line in the trace, from 1.
        back: How many commits ago; 0 is the newest commit.
    """

    line: int
    back: int


Operation: TypeAlias = Pack | Append | Remove | Look

# Required fields first; `by` may be left out everywhere it may stand.
_FIELDS: dict[str, tuple[str, ...]] = {
    "pack": ("key", "value", "by"),
    "append": ("key", "item", "by"),
    "remove": ("key", "by"),
    "snapshot": ("back",),
}
_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def read_trace(
    path: Path | str,
    *,
    progress: Callable[[int, int], None] | None = None,
    line_limit: int = _LINE_LIMIT,
) -> Iterator[Operation]:
    """Yield the operations of a trace, each one checked against those before it.

    The file is read as a stream: memory holds one line and the names of the keys. Whether it is
    compressed is seen from its first bytes, not from its name.

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
    for number, line in _lines(path, progress, line_limit):
        if line.isspace():
            continue
        try:
            operation = _operation(number, _parsed(line, first=number == 1))
            so_far.accept(operation)
        except _Wrong as wrong:
            raise TraceError(str(wrong), where=f"{path}:{number}") from None
        yield operation
    if not so_far.operations:
        raise TraceError(
            "the file holds no operations; a trace has one JSON object a line", where=str(path)
        )


class _Wrong(Exception):
    """What is wrong with a line; the reader adds where."""


@define
class _SoFar:
    """What the operations so far imply: enough to tell one that cannot follow them."""

    operations: int = 0
    commits: int = 0
    kinds: dict[str, str] = field(factory=dict)

    def accept(self, operation: Operation) -> None:
        """Take the next operation, or raise :class:`_Wrong`."""
        match operation:
            case Pack(key=key, value=value):
                self.kinds[key] = _kind(value)
            case Append(key=key):
                kind = self._kind_of(key, "append to")
                if kind != "a list":
                    raise _Wrong(f"append to {shown(key)}, which holds {kind}; append needs a list")
            case Remove(key=key):
                self._kind_of(key, "remove")
                del self.kinds[key]
            case Look(back=back) if back >= self.commits:
                most = f"at most {self.commits - 1}" if self.commits else "there is no commit yet"
                raise _Wrong(
                    f"snapshot looks {back} commits back, but {self.commits} were made before it; "
                    f"{most}"
                )
        self.operations += 1
        self.commits += not isinstance(operation, Look)

    def _kind_of(self, key: str, what: str) -> str:
        try:
            return self.kinds[key]
        except KeyError:
            raise _Wrong(
                f"{what} {shown(key)}, which does not exist here; a pack must come first"
                f"{_nearest(key, self.kinds)}"
            ) from None


def _lines(
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
        return "is a directory; a trace is a file of JSON Lines, plain or gzip"
    if path.exists():
        return "is no regular file; a trace is read twice, so it cannot come through a pipe"
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"there is no such file{_nearest(path.name, siblings)}"


def _parsed(line: bytes, *, first: bool) -> object:
    try:
        # A byte order mark is what some editors put at the start of a file.
        text = line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        raise _Wrong(
            f"byte {error.start + 1} is no UTF-8; a trace is JSON Lines in UTF-8, plain or gzip"
        ) from None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not line.endswith(b"\n"):
            raise _Wrong(
                f"the last line ends in the middle of its JSON ({error.msg}, column "
                f"{error.colno}); the file was cut off"
            ) from None
        raise _Wrong(
            f"no JSON ({error.msg}, column {error.colno}); one JSON object a line is expected"
        ) from None
    except RecursionError:
        raise _Wrong("the JSON is nested too deeply to be read") from None
    except ValueError as error:
        # Python limits how many digits a number may have.
        raise _Wrong(f"the JSON cannot be read ({str(error).partition(';')[0]})") from None


def _operation(number: int, data: object) -> Operation:
    if not isinstance(data, dict):
        raise _Wrong(f"the line is {_kind(data)}; an object with the field 'op' is expected")
    if "op" not in data:
        raise _Wrong(f"there is no field 'op'; it says what to do: {_listed(_FIELDS)}")
    name = data.pop("op")
    if not isinstance(name, str):
        raise _Wrong(f"op is {_kind(name)}; expected is one of {_listed(_FIELDS)}")
    if name not in _FIELDS:
        raise _Wrong(
            f"there is no operation {shown(name)}; expected is one of {_listed(_FIELDS)}"
            f"{_nearest(name, _FIELDS)}"
        )
    fields = _FIELDS[name]
    for found in data:
        if found not in fields:
            raise _Wrong(
                f"{name} has no field {shown(found)}; its fields are {_listed(fields)}"
                f"{_nearest(found, fields)}"
            )
    for wanted in fields:
        if wanted not in data and wanted != "by":
            raise _Wrong(f"{name} lacks its field '{wanted}'; its fields are {_listed(fields)}")
    if name == "snapshot":
        return Look(number, _back(data["back"]))
    key = _text(data["key"], f"{name}.key")
    by = data.get("by")
    if by is not None:
        by = _text(by, f"{name}.by")
    if name == "pack":
        return Pack(number, key, data["value"], by)
    if name == "append":
        return Append(number, key, data["item"], by)
    return Remove(number, key, by)


def _back(back: object) -> int:
    if type(back) is not int:
        raise _Wrong(f"snapshot.back is {_kind(back)}; a whole number of commits is expected")
    if back < 0:
        raise _Wrong(f"snapshot.back is {back}; 0 is the newest commit, 1 the one before it")
    return back


def _text(text: object, name: str) -> str:
    if not isinstance(text, str):
        raise _Wrong(f"{name} is {_kind(text)}; a string is expected")
    if not text:
        raise _Wrong(f"{name} is an empty string; a name is expected")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Wrong(f"{name} is {shown(text)}, which is no valid Unicode") from None
    return text


def _kind(value: object) -> str:
    return _KINDS[type(value)]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _nearest(name: str, names: Iterable[str]) -> str:
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {shown(near)}?"
