"""Values as the page gets them: JSON that tells every type, written without recursion.

What JSON says itself stands for itself: null, true, false, strings, and whole numbers that a
page holds exactly. Everything else is a *node*, an array that begins with what it is:

=================================  =============================================================
``["list", [item, ...]]``          also ``tuple``, ``set`` and ``frozenset``
``["dict", [key, value, ...]]``    in its order
``["object", class, value]``       an instance of a class, which is not looked up; of a pydantic
                                   model, what else is stored of it comes behind
``["bytes", base64]``              also ``bytearray``
``["float", text]``                also ``int`` where it is large, ``datetime``, ``Decimal`` ...
``["array", about, [text, ...]]``  a numpy array: dtype and shape, and its first items
``["unavailable", {...}]``         what history left out: its size, and why
``["large", bytes]``               a value that is sent when it is asked for
``["beyond", bytes]``              one that is too large to be shown at all
``["unreadable", why]``            one that cannot be read
``["gone"]``                       one that is not in the file any more
=================================  =============================================================
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from attrs import define, field

from backpack.codec.foreign import Foreign
from backpack.records import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["node", "written"]

#: Beyond it, a page that reads a number does not have it exactly.
_EXACT: Final = 2**53 - 1
#: Numbers of more bits are written in base 16: base 10 takes quadratic time.
_MOST_BITS: Final = 10_000
#: So many items of an array are shown.
_ITEMS: Final = 200

_SEQUENCES: Final[dict[type, str]] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
}


def node(kind: str, *content: object) -> str:
    """Return the JSON of a node whose content is plain."""
    return json.dumps([kind, *content], separators=(",", ":"))


@define
class _Open:
    """A value whose parts are being written.

    Attributes:
        parts: The parts that are still to come.
        end: What stands behind the last.
        start: Where its parts begin, in all that is written, if they are to be sorted.
        marks: Where each part begins.
    """

    parts: Iterator[Any]
    end: str
    start: int = -1
    marks: list[int] = field(factory=list)


def written(value: object) -> str:
    """Return the JSON of any value that was packed.

    It takes no more of Python's stack for a value that is nested deeply, and writes the elements
    of a set in one order, whatever theirs is in this process.

    >>> written({"a": (1, 2.5)})
    '["dict",["a",["tuple",[1,["float","2.5"]]]]]'
    """
    pieces: list[str] = []
    stack = [_Open(iter((value,)), "")]
    while stack:
        opened = stack[-1]
        for part in opened.parts:
            if opened.marks:
                pieces.append(",")
            opened.marks.append(len(pieces))
            inner = _begun(part, pieces)
            if inner is not None:
                stack.append(inner)
                break
        else:
            if opened.start >= 0 and opened.marks:
                _sort(pieces, opened)
            pieces.append(opened.end)
            stack.pop()
    return "".join(pieces)


def _begun(value: Any, pieces: list[str]) -> _Open | None:
    """Write a value; of one that has parts, what stands before them."""
    kind = type(value)
    if kind in _SEQUENCES:
        pieces.append(f'["{_SEQUENCES[kind]}",[')
        is_set = kind in (set, frozenset)
        return _Open(iter(value), "]]", len(pieces) if is_set else -1)
    if kind is dict:
        pieces.append('["dict",[')
        return _Open((part for pair in value.items() for part in pair), "]]")
    if kind is Foreign:
        pieces.append(f'["object",{json.dumps(value.name)},')
        rest = () if value.rest is None else (value.rest,)
        return _Open(iter((value.value, *rest)), "]")
    pieces.append(_atom(value))
    return None


def _sort(pieces: list[str], opened: _Open) -> None:
    """Put the parts that were written last into the order of their texts."""
    ends = [*opened.marks[1:], len(pieces) + 1]
    # The comma that parts it from the next stands behind each.
    parts = ["".join(pieces[at : end - 1]) for at, end in zip(opened.marks, ends, strict=True)]
    pieces[opened.start :] = [",".join(sorted(parts))]


def _atom(value: Any) -> str:
    """Return the JSON of a value without parts."""
    kind = type(value)
    if value is None or kind in (bool, str):
        return json.dumps(value)
    if kind is int:
        return _whole(value)
    if kind is Unavailable:
        known = ("size", "reason", "hint", "digest", "preview")
        return node("unavailable", {each: getattr(value, each) for each in known})
    if kind in (bytes, bytearray):
        return node(kind.__name__, b64encode(value).decode("ascii"))
    if kind in _TEXTS:
        return node(kind.__name__, _TEXTS[kind](value))
    if isinstance(value, PurePath):
        return node(kind.__name__, str(value))
    return _of_numpy(value)


def _whole(value: int) -> str:
    if -_EXACT <= value <= _EXACT:
        return str(value)
    return node("int", hex(value) if value.bit_length() > _MOST_BITS else str(value))


def _moment(value: datetime | time) -> str:
    """Return a datetime or a time, with its zone and which of two that look alike it is."""
    zone = getattr(value.tzinfo, "key", None)
    named = f" [{zone}]" if isinstance(zone, str) else ""
    return f"{value.isoformat()}{named}{' (the second of two)' if value.fold else ''}"


_TEXTS: Final[dict[type, Callable[[Any], str]]] = {
    float: repr,
    complex: repr,
    datetime: _moment,
    time: _moment,
    date: date.isoformat,
    timedelta: lambda value: f"{value} ({value.total_seconds()!r} s)",
    Decimal: str,
    UUID: str,
}


def _of_numpy(value: Any) -> str:
    """Return the JSON of a numpy array or scalar; nothing else is left."""
    if not getattr(value, "ndim", 0):
        return node(f"numpy.{type(value).__name__}", str(value))
    about = f"{value.dtype} {'x'.join(map(str, value.shape))}"
    return node("array", about, list(_texts(value.flat)), int(value.size))


def _texts(items: Iterable[object]) -> Iterator[str]:
    """Iterate over the first items of an array as texts."""
    for _, item in zip(range(_ITEMS), items, strict=False):
        yield str(item)
