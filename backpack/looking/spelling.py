"""What a value is written as: with exact types, for people; and in JSON, for programs."""

from __future__ import annotations

import json
import math
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from backpack.codec import MsgpackCodec
from backpack.codec.foreign import Foreign
from backpack.errors import UnpackableValue
from backpack.looking.changes import Absent
from backpack.looking.writing import Holder, on_one_line
from backpack.records import Unavailable
from backpack.wording import printable

__all__ = ["Shortly", "for_json", "for_people"]

#: Python writes no longer whole number in decimal digits, unless it is told to.
_DIGITS: Final = 10**4000
_PLAIN: Final = (bool, int, float, type(None))


def for_people(value: object) -> str | Holder:
    """Spell a value as Python would; an instance of a class as a call of it."""
    return _for_people(value, None)


class Shortly:
    """Spells values as :func:`for_people` does, long texts and arrays cut.

    Args:
        longest: How many characters, or bytes, of each are kept.

    Attributes:
        is_cut: Whether anything was cut.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self.is_cut = False

    def __call__(self, value: object) -> str | Holder:
        """Spell a value."""
        if type(value) in (str, bytes, bytearray):
            self.is_cut |= len(value) > self._longest  # type: ignore[arg-type]
        elif type(value).__name__ == "ndarray":
            self.is_cut = True
        return _for_people(value, self._longest)


def _for_people(value: Any, longest: int | None) -> str | Holder:
    kind = type(value)
    if kind is str or kind is bytes:
        is_long = longest is not None and len(value) > longest
        return f"{value[:longest]!r}..." if is_long else repr(value)
    if kind is int:
        return repr(value) if abs(value) < _DIGITS else hex(value)
    if kind is dict:
        return Holder("{", _pairs(value, longest), "}")
    if kind is list:
        return Holder("[", _unnamed(value), "]")
    if kind is tuple:
        return Holder("(", _unnamed(value), ")", "," if len(value) == 1 else "")
    if kind is set or kind is frozenset:
        brackets = ("{", "}") if kind is set and value else (f"{kind.__name__}(", ")")
        if kind is frozenset and value:
            brackets = "frozenset({", "})"
        return Holder(brackets[0], _unnamed(_in_order(value)), brackets[1])
    if kind is bytearray:
        inner = _for_people(bytes(value), longest)
        return f"bytearray({inner})"
    if kind is Foreign:
        return _called(value)
    if kind is Unavailable or kind is Absent:
        return printable(f"<{value}>" if kind is Unavailable else str(value))
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ndarray:
        return _array(value, longest)
    return printable(repr(value))


def _pairs(value: dict[object, object], longest: int | None) -> Iterator[tuple[str, object]]:
    for key, item in value.items():
        yield f"{_flat(key, longest)}: ", item


def _unnamed(values: Iterable[object]) -> Iterator[tuple[str, object]]:
    return (("", each) for each in values)


def _in_order(values: Iterable[Any]) -> list[object]:
    """Return the elements of a set in an order that is always the same."""
    elements = list(values)
    if len({type(each) for each in elements} - {str, int, float}) == 0:
        return sorted(elements, key=lambda each: (type(each).__name__, each))
    codec = MsgpackCodec()
    try:
        return sorted(elements, key=codec.encode)
    except UnpackableValue:  # As a Foreign is deeper than what it stands for, it may be too deep.
        return elements


def _flat(value: object, longest: int | None) -> str:
    """Return a key on one line."""
    try:
        return "".join(on_one_line(value, lambda inner: _for_people(inner, longest)))
    except RecursionError:  # Keys in keys in keys.
        return "..."


def _called(value: Foreign) -> str | Holder:
    name = printable(value.name.rpartition(":")[2] or value.name)
    inner = value.value
    if value.kind == "enum" and type(inner) is str:
        return f"{name}.{printable(inner)}"
    if value.kind in ("enum", "other") or type(inner) is not dict:
        return Holder(f"{name}(", [("", inner)], ")")
    fields = ((f"{printable(str(field))}=", each) for field, each in inner.items())
    return Holder(f"{name}(", fields, ")")


def _array(value: Any, longest: int | None) -> str | Holder:
    kind = repr(str(value.dtype))
    if longest is not None:
        return f"numpy.array(shape={value.shape!r}, dtype={kind})"
    items: list[tuple[str, object]] = [("", value.tolist()), ("dtype=", _Word(kind))]
    if value.flags.f_contiguous and not value.flags.c_contiguous:
        items.append(("order=", "F"))
    if 0 in value.shape:
        items.append(("shape=", value.shape))
    return Holder("numpy.array(", items, ")")


class _Word:
    """A text that is written without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


# --- JSON --------------------------------------------------------------------------------


def for_json(value: Any) -> str | Holder:
    """Spell a value in JSON: what JSON has as it is, anything else as ``{"$type": ...}``."""
    kind = type(value)
    if kind is float and not math.isfinite(value):
        return _tagged("float", repr(value))
    if kind is int and abs(value) >= 2**64:
        return _tagged("int", hex(value))
    if kind is str or kind in _PLAIN:
        return json.dumps(value)
    if kind is list:
        return Holder("[", _unnamed(value), "]")
    if kind is dict:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return Holder("{", ((f"{json.dumps(key)}: ", each) for key, each in value.items()), "}")
        return Holder('{"$dict": [', _unnamed([key, each] for key, each in value.items()), "]}")
    if kind is tuple:
        return Holder('{"$tuple": [', _unnamed(value), "]}")
    if kind is set or kind is frozenset:
        opening = f'{{"${kind.__name__}": ['
        return Holder(opening, _unnamed(_in_order(value)), "]}")
    if kind is bytes or kind is bytearray:
        return _tagged(kind.__name__, b64encode(value).decode())
    if kind is Foreign:
        opening = f'{{"$class": {json.dumps(value.name)}, "kind": {json.dumps(value.kind)}, '
        return Holder(opening, [('"value": ', value.value)], "}")
    if kind is Unavailable:
        names = ("key", "size", "reason", "hint", "digest", "preview")
        return _tagged("unavailable", {each: getattr(value, each) for each in names})
    return _special(value)


def _special(value: Any) -> str | Holder:
    """Spell what is of the standard library, or of numpy."""
    kind = type(value)
    if kind is datetime or kind is time:
        others = {"fold": 1} if value.fold else {}
        zone = {"zone": value.tzinfo.key} if isinstance(value.tzinfo, ZoneInfo) else {}
        return json.dumps({f"${kind.__name__}": value.isoformat(), **others, **zone})
    if kind is date:
        return _tagged("date", value.isoformat())
    if kind is timedelta:
        return _tagged("timedelta", [value.days, value.seconds, value.microseconds])
    if kind is Decimal or kind is UUID:
        return _tagged(kind.__name__.lower(), str(value))
    if isinstance(value, PurePath):
        return json.dumps({"$path": str(value), "kind": kind.__name__})
    if kind is complex:
        return _tagged("complex", [repr(value.real), repr(value.imag)])
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        opening = f'{{"$array": {json.dumps(str(value.dtype))}, "shape": {list(value.shape)}, '
        inner = value.tolist()
        if type(inner) is not kind:  # Of some numbers, Python has nothing that is as exact.
            return Holder(opening, [('"value": ', inner)], "}")
    return _tagged("text", repr(value))


def _tagged(name: str, content: object) -> str:
    return json.dumps({f"${name}": content})
