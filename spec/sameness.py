"""What it means that two values are the same.

Nothing here uses the codec, so that it can bear witness for any.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import struct
import sys
import zoneinfo
from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from pathlib import PurePath
from typing import Any
from uuid import UUID

__all__ = ["same"]

#: Of these, two that are equal are the same.
_PLAIN = frozenset((bool, bytes, int, str, type(None)))
#: These hold others, in an order that counts.
_ORDERED = frozenset((list, tuple, dict))


def same(one: object, other: object) -> bool:
    """Return whether two values are the same, type for type, at every level.

    Stricter than ``==``: 1, 1.0 and True differ, so do 0.0 and -0.0, so do two dicts in another
    order, two times that name the same moment, and two records of which one holds more. And not
    as strict: NaN is the same as NaN.

    It depends on no recursion limit.

    >>> same([1, float("nan")], [1, float("nan")])
    True
    >>> same({"a": 1}, {"a": True})
    False
    """
    pairs: list[tuple[Any, Any]] = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        kind = type(left)
        if kind is not type(right):
            return False
        if kind in _PLAIN:
            if left != right:
                return False
            continue
        if kind in _ORDERED:
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
            if kind is dict:
                pairs += zip(left.values(), right.values(), strict=True)
            continue
        if isinstance(left, set | frozenset):
            if not _same_elements(left, right):
                return False
            continue
        inside = _parts(left)
        if inside is None:
            if _mark(left) != _mark(right):
                return False
            continue
        names, parts = inside
        right_names, right_parts = _parts(right) or ([], [])
        if len(names) != len(right_names):
            return False
        pairs += zip(names, right_names, strict=True)
        pairs += zip(parts, right_parts, strict=True)
    return True


def _parts(value: Any) -> tuple[list[object], list[object]] | None:
    """Return what a value holds, and under which names; None where it holds nothing."""
    if isinstance(value, enum.Enum):
        return None
    if isinstance(value, list | tuple):
        return list(range(len(value))), list(value)
    if dataclasses.is_dataclass(value):
        names = [item.name for item in dataclasses.fields(value)]
    elif hasattr(type(value), "__attrs_attrs__"):
        names = [item.name for item in type(value).__attrs_attrs__]
    else:
        return _model_parts(value)
    held = [name for name in names if hasattr(value, name)]
    others = sorted(getattr(value, "__dict__", {}).keys() - set(held) - {"_attrs_cached_hash"})
    return [*held, *others], [getattr(value, name) for name in [*held, *others]]


def _model_parts(value: Any) -> tuple[list[object], list[object]] | None:
    names = ["__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"]
    if not hasattr(type(value), "__pydantic_fields_set__"):
        return None
    return list(names), [getattr(value, name) for name in names]


def _mark(value: Any) -> object:
    """Return something equal for two values of one type if and only if they are the same."""
    if isinstance(value, enum.Enum):
        return id(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes.__getitem__(value, slice(None))
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value)
    if isinstance(value, complex):
        return _mark(value.real), _mark(value.imag)
    if isinstance(value, Decimal):
        return value.as_tuple()
    if isinstance(value, datetime | time):
        return value.replace(tzinfo=None), value.fold, _zone_mark(value.tzinfo)
    if isinstance(value, UUID):
        return value.bytes, value.is_safe
    if isinstance(value, PurePath):
        return value, str(value)
    np = sys.modules.get("numpy")
    if np is not None and isinstance(value, np.ndarray | np.generic):
        flags = value.flags
        order = flags.c_contiguous, flags.f_contiguous, flags.writeable
        return value.dtype, value.shape, order, value.tobytes(), str(value)
    return value


def _zone_mark(zone: object) -> object:
    if isinstance(zone, zoneinfo.ZoneInfo):
        return zone.key
    return type(zone), repr(zone)


def _same_elements(one: Iterable[object], other: Iterable[object]) -> bool:
    """Whether each element of one has its own in the other; sets here are small."""
    rest = list(other)
    for element in one:
        for at, candidate in enumerate(rest):
            if same(element, candidate):
                del rest[at]
                break
        else:
            return False
    return not rest
