"""The first characters of a value, for people; never more work than they are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from datetime import timezone as fixed_offset
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import EllipsisType, NoneType
from uuid import UUID
from zoneinfo import ZoneInfo

from backpack.policies.attributes import Layout

__all__ = ["render"]

_DEEPEST = 40

# Python refuses to write longer ints out in decimal if it is set up strictly.
_LONGEST_INT = 2000  # bits
_LONGEST_DECIMAL = 4096  # bytes

# Sets have no order of their own; larger ones are not worth sorting.
_LARGEST_SET = 1000
_SORTABLE = (str, int, float, bytes, date, UUID)


def render(value: object, characters: int) -> str:
    """Return the beginning of a value as text.

    Of a str, the str itself; of any other value, about what ``repr`` would say. No ``__repr__``
    or ``__str__`` of another class is run: of a record (dataclass, attrs, pydantic, NamedTuple)
    the fields are shown, of any other object its class.

    Args:
        value: Any value; it is only looked at.
        characters: The most characters to return.

    Returns:
        The text. Takes O(characters) time and memory, however large the value.

    >>> render("Once upon a time", 9)
    'Once upon'
    >>> render({"steps": [1, 2.5, None], "tags": {"b", "a"}}, 100)
    "{'steps': [1, 2.5, None], 'tags': {'a', 'b'}}"
    >>> render([[0] * 1000] * 1000, 10)
    '[[0, 0, 0,'
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return _beginning(value, characters)
    found: list[str] = []
    missing = characters
    for piece in _pieces(value, characters, 0):
        found.append(piece)
        missing -= len(piece)
        if missing <= 0:
            break
    return "".join(found)[:characters]


def _beginning(text: str, characters: int) -> str:
    """The first characters, as a str even of a subclass."""
    return str.__getitem__(text, slice(characters))


def _pieces(value: object, limit: int, depth: int) -> Iterator[str]:
    """The text of a value in pieces, none of them much longer than the limit."""
    kind = type(value)
    leaf = _LEAVES.get(kind)
    if leaf is not None:
        yield leaf(value, limit)
    elif issubclass(kind, Enum):
        yield _enum(value)
    elif depth >= _DEEPEST:
        yield "..."
    elif kind in _CONTAINERS:
        yield from _CONTAINERS[kind](value, limit, depth)
    else:
        yield from _object(value, limit, depth)


# --- values that hold no others ----------------------------------------------------------------


def _repr(value: object, _limit: int) -> str:
    return repr(value)


def _int(value: int, _limit: int) -> str:
    bits = value.bit_length()
    return repr(value) if bits <= _LONGEST_INT else f"<int of {bits:,} bits>"


def _text(value: str, limit: int) -> str:
    return repr(value[:limit])


def _bytes(value: bytes | bytearray, limit: int) -> str:
    return repr(value[:limit])


def _decimal(value: Decimal, _limit: int) -> str:
    return repr(value) if value.__sizeof__() <= _LONGEST_DECIMAL else "<Decimal>"


def _moment(value: datetime | time, _limit: int) -> str:
    known = type(value.tzinfo) in (NoneType, fixed_offset, ZoneInfo)
    return value.isoformat() if known else f"<{type(value).__name__}>"


def _path(value: object, limit: int) -> str:
    return f"{type(value).__name__}({str(value)[:limit]!r})"


_LEAVES: dict[type, Callable[..., str]] = {
    NoneType: _repr,
    EllipsisType: _repr,
    bool: _repr,
    int: _int,
    float: _repr,
    complex: _repr,
    str: _text,
    bytes: _bytes,
    bytearray: _bytes,
    Decimal: _decimal,
    UUID: _repr,
    date: lambda value, _limit: value.isoformat(),
    timedelta: lambda value, _limit: str(value),
    datetime: _moment,
    time: _moment,
    PurePosixPath: _path,
    PureWindowsPath: _path,
    PosixPath: _path,
    WindowsPath: _path,
}


# --- values that hold others -------------------------------------------------------------------


def _joined(items: Iterable[Iterator[str]]) -> Iterator[str]:
    for number, item in enumerate(items):
        if number:
            yield ", "
        yield from item


def _sequence(
    opening: str, items: Iterable[object], closing: str, limit: int, depth: int
) -> Iterator[str]:
    yield opening
    yield from _joined(_pieces(item, limit, depth + 1) for item in items)
    yield closing


def _dict(value: Mapping[object, object], limit: int, depth: int) -> Iterator[str]:
    def pair(key: object, item: object) -> Iterator[str]:
        yield from _pieces(key, limit, depth + 1)
        yield ": "
        yield from _pieces(item, limit, depth + 1)

    yield "{"
    yield from _joined(pair(key, item) for key, item in value.items())
    yield "}"


def _list(value: list[object], limit: int, depth: int) -> Iterator[str]:
    return _sequence("[", value, "]", limit, depth)


def _tuple(value: tuple[object, ...], limit: int, depth: int) -> Iterator[str]:
    return _sequence("(", value, ",)" if len(value) == 1 else ")", limit, depth)


def _set(value: set[object] | frozenset[object], limit: int, depth: int) -> Iterator[str]:
    name = type(value).__name__
    if not value:
        yield f"{name}()"
        return
    kinds = {type(item) for item in islice(value, _LARGEST_SET)}
    if len(value) > _LARGEST_SET or len(kinds) > 1 or not kinds.issubset(_SORTABLE):
        yield f"<{name} of {len(value):,}>"
        return
    members = sorted(value)  # type: ignore[type-var]  # all of one sortable class
    if name == "set":
        yield from _sequence("{", members, "}", limit, depth)
    else:
        yield from _sequence("frozenset({", members, "})", limit, depth)


_CONTAINERS: dict[type, Callable[..., Iterator[str]]] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _set,
}


# --- everything else ---------------------------------------------------------------------------


def _enum(value: object) -> str:
    kind = type(value)
    name = vars(value).get("_name_")
    return f"{kind.__name__}.{name}" if name else f"<{kind.__name__}>"


def _object(value: object, limit: int, depth: int) -> Iterator[str]:
    kind = type(value)
    fields = _fields(value)
    if fields is None:
        yield f"<{kind.__name__}>"
        return

    def pair(name: str, item: object) -> Iterator[str]:
        yield f"{name}="
        yield from _pieces(item, limit, depth + 1)

    yield f"{kind.__name__}("
    yield from _joined(pair(name, item) for name, item in fields)
    yield ")"


def _fields(value: object) -> Iterable[tuple[str, object]] | None:
    kind = type(value)
    if isinstance(value, tuple):
        names = getattr(kind, "_fields", None)
        return None if names is None else zip(names, tuple.__iter__(value), strict=False)
    layout = Layout(kind)
    if layout.declared is None:
        return None
    return (pair for pair in layout.attributes(value) if not pair[0].startswith("__"))
