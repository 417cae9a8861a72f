"""The JSON form of any value: itself if JSON can say it, else one of the same shape.

For a trace. The form is about as large as the value, so that a Backpack that is given the form has
about as much to hold.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ormsgpack import unpackb

from backpack.codec import MsgpackCodec
from backpack.codec.foreign import Foreign, decode_foreign

if TYPE_CHECKING:
    from backpack.protocols import Codec

__all__ = ["appended", "as_json", "form_of", "json_form"]

#: The default codec holds no more lists and dicts directly inside one another.
_LEVELS: Final = 250

#: Python reads no longer numbers, in decimal digits.
_BITS: Final = 14_000

_AS_TEXT: Final = (Decimal, UUID, PurePath, timedelta)
_WITH_ISO: Final = (datetime, date, time)


def form_of(encoded: bytes, codec: Codec) -> object:
    """Return the JSON form of an encoded value, for :func:`as_json`.

    Of values of the default codec no class is looked up, and no code is run.

    Raises:
        Exception: It has none, or does not decode.
    """
    if type(codec) is not MsgpackCodec:
        return json_form(codec.decode(encoded))
    try:
        return unpackb(encoded)
    except ValueError:  # It has more than msgpack can say.
        return json_form(decode_foreign(encoded))


def appended(encoded: bytes, before: bytes, codec: Codec) -> bytes | None:
    """Return the encoded item if a value is the list before and that item; else None.

    Of lists of the default codec this is seen from the bytes, without decoding anything.

    >>> codec = MsgpackCodec()
    >>> item = appended(codec.encode([1, "a", {"b": 2}]), codec.encode([1, "a"]), codec)
    >>> codec.decode(item)
    {'b': 2}
    """
    if type(codec) is not MsgpackCodec:
        return None
    count, header = _list_header(encoded)
    held, skipped = _list_header(before)
    if held < 0 or count != held + 1:
        return None
    items = memoryview(before)[skipped:]
    return encoded[header + len(items) :] if encoded.startswith(items, header) else None


def json_form(value: object, level: int = 0) -> object:
    """Return a value of dicts with string keys, lists, strings, numbers, truth values and None.

    Tuples and sets become lists, instances dicts of their fields, bytes Base64, other keys text.

    Raises:
        ValueError: It is nested too deeply.
        TypeError: It is of a class that is not known here.

    >>> json_form({"at": (1, 2.5), 7: b"abc"})
    {'at': [1, 2.5], '7': 'YWJj'}
    """
    kind = type(value)
    if kind in (str, bool, float) or value is None:
        return value
    if level > _LEVELS:
        raise ValueError(f"it has more than {_LEVELS} levels")
    for base, form in _FORMS:
        if isinstance(value, base):
            return form(value, level + 1)
    if kind.__module__.partition(".")[0] == "numpy":
        return _numpy(value, level + 1)
    raise TypeError(f"a value of class {kind.__qualname__} has no JSON form")


def as_json(data: object) -> bytes:
    """Return data as JSON on one line, in UTF-8; what JSON cannot say as :func:`json_form`."""
    try:
        return _PLAIN.encode(data).encode()
    except UnicodeEncodeError:  # Lone surrogates.
        return _ASCII.encode(data).encode()


_PLAIN: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=json_form)
_ASCII: Final = json.JSONEncoder(separators=(",", ":"), default=json_form)


def _number(value: int, level: int) -> object:
    return int(value) if value.bit_length() < _BITS else hex(value)


def _items(value: Any, level: int) -> object:
    return [json_form(each, level) for each in value]


def _mapping(value: Mapping[Any, object], level: int) -> object:
    return {_name(key): json_form(each, level) for key, each in value.items()}


def _name(key: object) -> str:
    if type(key) is str:
        return key
    form = json_form(key)
    return form if isinstance(form, str) else as_json(form).decode()


def _foreign(value: Foreign, level: int) -> object:
    return json_form(value.value, level)


#: Subclasses before what they are made of.
_FORMS: Final[tuple[tuple[type | tuple[type, ...], Callable[[Any, int], object]], ...]] = (
    (Enum, lambda value, level: json_form(value.value, level)),
    (str, lambda value, _: str.__str__(value)),
    (float, lambda value, _: float(value)),
    (int, _number),
    (Mapping, _mapping),
    ((list, tuple, set, frozenset), _items),
    ((bytes, bytearray), lambda value, _: base64.b64encode(value).decode()),
    (_WITH_ISO, lambda value, _: value.isoformat()),
    (_AS_TEXT, lambda value, _: str(value)),
    (complex, lambda value, _: [value.real, value.imag]),
    (Foreign, _foreign),
)


def _numpy(value: Any, level: int) -> object:
    """Return the form of an array, its bytes in Base64, or of one of numpy's scalars."""
    if not value.shape:
        return json_form(value.item(), level)
    data = base64.b64encode(value.tobytes()).decode()
    return {"dtype": str(value.dtype), "shape": list(value.shape), "data": data}


def _list_header(encoded: bytes) -> tuple[int, int]:
    """Return how many items a list has, -1 if it is none, and the length of its header."""
    first = encoded[0]
    if 0x90 <= first <= 0x9F:
        return first & 0x0F, 1
    if first == 0xDC:
        return int.from_bytes(encoded[1:3]), 3
    if first == 0xDD:
        return int.from_bytes(encoded[1:5]), 5
    return -1, 0
