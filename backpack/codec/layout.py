"""The byte layout: which extension code stands for which type, and how deep values may nest.

An encoded value is one msgpack value. None, bool, float, bytes, list, str of valid Unicode, int
from -2**63 to 2**64-1 and dict whose keys are all such str are plain msgpack; everything else is
an extension:

====  =============  ========================================================================
code  type           payload
====  =============  ========================================================================
1     int            two's complement, big-endian, at least one byte
2     str            UTF-8 with lone surrogates passed through
3     complex        real and imaginary part, IEEE 754 doubles, big-endian
4     bytearray      its bytes
5     Decimal        its scientific string, ASCII
6     UUID           16 bytes; one more (1 safe, 2 unsafe) where ``is_safe`` is known
7     datetime       ``[year, month, day, hour, minute, second, microsecond, fold, zone]``
8     date           ``[year, month, day]``
9     time           ``[hour, minute, second, microsecond, fold, zone]``
10    timedelta      ``[days, seconds, microseconds]``
11    Path           one byte (0 PurePosixPath, 1 PureWindowsPath, 2 PosixPath, 3 WindowsPath),
                     then the string as in code 2
16    tuple          ``[item, ...]``
17    set            ``[element, ...]``, sorted by their encoded bytes
18    frozenset      as set
19    dict           ``[key, value, key, value, ...]``, where some key is not a plain str
24    record         ``[class, {attribute: value}]``: dataclass, attrs
25    NamedTuple     ``[class, {field: value}]``
26    Enum           ``[class, name of the member]``; a Flag without a name: ``[class, int]``
27    model          ``[class, attributes, fields set, extra, private]``: pydantic
28    other class    ``[class, what its registered encode returned]``
32    numpy array    ``[descr, shape, Fortran order, bytes]``, descr as in the .npy format
33    numpy scalar   ``[descr, bytes]``, ``["str", str]`` or ``["bytes", bytes]``
====  =============  ========================================================================

Payloads in brackets are msgpack values with the same extensions inside. A class is named
``module:qualname``. A zone is nil, an offset in microseconds, ``[offset, name as in code 2]``, or
the key of a ``ZoneInfo``.

A code never changes its meaning: a type stored another way gets a new code and a new
``FORMAT_VERSION``, and the old code stays readable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import ormsgpack

FORMAT_VERSION: Final = 1
"""The version of the table above: it rises when a code is added."""

BIG_INT: Final = 1
SURROGATE_STR: Final = 2
COMPLEX: Final = 3
BYTEARRAY: Final = 4
DECIMAL: Final = 5
UUID: Final = 6
DATETIME: Final = 7
DATE: Final = 8
TIME: Final = 9
TIMEDELTA: Final = 10
PATH: Final = 11
TUPLE: Final = 16
SET: Final = 17
FROZENSET: Final = 18
MAP: Final = 19
RECORD: Final = 24
NAMED_TUPLE: Final = 25
ENUM: Final = 26
MODEL: Final = 27
CUSTOM: Final = 28
ARRAY: Final = 32
SCALAR: Final = 33

PLAIN_LEVELS: Final = 255
"""Lists and dicts directly inside one another: the limit of the msgpack writer."""

LEVELS: Final = 1024
"""Levels of any kind. The reader takes no more, so that crafted bytes cannot make it slow."""

# Everything msgpack would write as something else goes to the hook instead.
OPTIONS: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

pack: Callable[[object], bytes] = functools.partial(ormsgpack.packb, option=OPTIONS)
"""Write a value that needs no hook; raises TypeError for any other."""


class Refused(Exception):
    """A value cannot be packed, or a class not be given back; why, and what to do.

    The codec turns it into :class:`~backpack.errors.UnpackableValue`, which adds the path.
    """


def text_to_bytes(text: str) -> bytes:
    """Return UTF-8, with lone surrogates passed through."""
    return text.encode("utf-8", "surrogatepass")


def bytes_to_text(data: bytes) -> str:
    """Return the text that :func:`text_to_bytes` was given."""
    return data.decode("utf-8", "surrogatepass")


def class_name(cls: type) -> str:
    """Return ``module:qualname``, the name a class has in stored bytes and in errors."""
    return f"{cls.__module__}:{cls.__qualname__}"
