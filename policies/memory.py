"""The memory a value takes as Python objects, from what it is rather than how it came about.

``sys.getsizeof`` tells how an object happens to be laid out: a list that grew keeps spare room, a
dict remembers its deletions, a string may carry its UTF-8 form along. Equal values would get
different sizes. So the sizes here are those of a fresh, tight copy, computed from types, lengths
and contents.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import chain
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import (
    BuiltinFunctionType,
    EllipsisType,
    FunctionType,
    MethodType,
    ModuleType,
    NoneType,
    NotImplementedType,
)
from typing import Protocol, TypeAlias, cast

from attrs import frozen

from backpack.policies.attributes import Layout

__all__ = ["deep_size"]

_POINTER = 8
_COLLECTED = 16  # in front of every object the garbage collector looks after
_COLLECTED_FLAG = 1 << 14

_ASCII_HEADER = sys.getsizeof("") - 1
# Joined here and now: no other code can have asked this very string for its UTF-8 form.
_WIDE_HEADER = sys.getsizeof("".join(["\u0100", "\u0100"])) - 3 * 2
_BYTEARRAY = sys.getsizeof(bytearray())
_LIST = sys.getsizeof([])
_DICT = sys.getsizeof({})
_SET = sys.getsizeof(set())
_DEQUE = sys.getsizeof(deque())
_DECIMAL = sys.getsizeof(Decimal(0))
_PATH = sys.getsizeof(PurePosixPath())

# Up to this many attributes an instance keeps them in a plain array, its class knowing the names.
_SHARED_NAMES = 30
_ATTRIBUTE_ARRAY = 32


# --- leaves: objects that hold no others -------------------------------------------------------


def _nothing(_value: object) -> int:
    return 0


def _int(value: int) -> int:
    return 0 if -5 <= value <= 256 else sys.getsizeof(value)


def _str(value: str) -> int:
    length = len(value)
    if value.isascii():
        return _ASCII_HEADER + length + 1 if length > 1 else 0
    if length == 1 and value <= "\xff":
        return 0
    # The longer copy has no UTF-8 form beside it, and the same number of bytes a character.
    longer = sys.getsizeof(value + "\0")
    return longer - (longer - _WIDE_HEADER) // (length + 2)


def _bytes(value: bytes) -> int:
    return sys.getsizeof(value) if len(value) > 1 else 0


def _bytearray(value: bytearray) -> int:
    return _BYTEARRAY + (len(value) + 1 if value else 0)


def _decimal(value: Decimal) -> int:
    if sys.getsizeof(value) == _DECIMAL:
        return _DECIMAL
    words = -(-len(value.as_tuple().digits) // 19)
    return _DECIMAL + (words * _POINTER if words > 4 else 0)


def _path(value: object) -> int:
    return _PATH + _str(str(value))


_LEAVES: dict[type, Callable[..., int]] = {
    NoneType: _nothing,
    EllipsisType: _nothing,
    NotImplementedType: _nothing,
    bool: _nothing,
    int: _int,
    float: sys.getsizeof,
    complex: sys.getsizeof,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    date: sys.getsizeof,
    datetime: sys.getsizeof,
    time: sys.getsizeof,
    timedelta: sys.getsizeof,
    Decimal: _decimal,
    PurePosixPath: _path,
    PureWindowsPath: _path,
    PosixPath: _path,
    WindowsPath: _path,
    type: _nothing,
    FunctionType: _nothing,
    BuiltinFunctionType: _nothing,
    MethodType: _nothing,
    ModuleType: _nothing,
}


# --- containers: their own size, and what they hold --------------------------------------------

_Opened: TypeAlias = "tuple[int, Iterable[object]]"


def _dict_size(length: int, *, all_text: bool) -> int:
    """Bytes of a dict of so many keys, put in one by one; text keys need no room for hashes."""
    if not length:
        return _DICT
    slots = 8
    while (2 * slots) // 3 < length:
        slots *= 2
    index = 1 if slots < 2**8 else 2 if slots < 2**16 else 4 if slots < 2**32 else 8
    entry = (2 if all_text else 3) * _POINTER
    return _DICT + 4 * _POINTER + slots * index + (2 * slots) // 3 * entry


def _set_size(length: int) -> int:
    """Bytes of a set of so many members, put in one by one."""
    slots = 8
    while length * 5 >= (slots - 1) * 3:
        used = -(-(slots - 1) * 3 // 5)
        enough = used * (4 if used <= 50_000 else 2)
        while slots <= enough:
            slots *= 2
    return _SET + (slots * 2 * _POINTER if slots > 8 else 0)


def _open_dict(value: dict[object, object], names: set[str]) -> _Opened:
    other = [key for key in value if type(key) is not str]
    if other:
        names.update(key for key in value if type(key) is str)
    else:
        names.update(cast("dict[str, object]", value))
    return _dict_size(len(value), all_text=not other), chain(other, value.values())


def _open_list(value: list[object], _names: set[str]) -> _Opened:
    return _LIST + len(value) * _POINTER, value


def _open_tuple(value: tuple[object, ...], _names: set[str]) -> _Opened:
    return tuple.__sizeof__(value) + _COLLECTED if value else 0, value


def _open_set(value: set[object] | frozenset[object], _names: set[str]) -> _Opened:
    return _set_size(len(value)), value


def _open_deque(value: deque[object], _names: set[str]) -> _Opened:
    return _DEQUE + len(value) * _POINTER, value


_CONTAINERS: dict[type, Callable[..., _Opened]] = {
    dict: _open_dict,
    list: _open_list,
    tuple: _open_tuple,
    set: _open_set,
    frozenset: _open_set,
    deque: _open_deque,
}


# --- every other object ------------------------------------------------------------------------


@frozen
class _Shape:
    """How to size the instances of one class."""

    layout: Layout
    leaf: Callable[..., int] | None
    container: Callable[..., _Opened] | None
    is_array: bool
    is_shared: bool
    has_own_size: bool

    @classmethod
    def of(cls, kind: type) -> _Shape:
        numpy = sys.modules.get("numpy")
        return cls(
            layout=Layout(kind),
            leaf=next((_LEAVES[base] for base in kind.__mro__ if base in _LEAVES), None),
            container=next(
                (_CONTAINERS[base] for base in kind.__mro__ if base in _CONTAINERS), None
            ),
            is_array=numpy is not None and issubclass(kind, numpy.ndarray),
            is_shared=issubclass(kind, Enum | type),
            has_own_size=getattr(kind, "__sizeof__", None) != object.__sizeof__,
        )

    def open(self, value: object, names: set[str]) -> _Opened:
        """Return the size of the object itself, and the objects it holds."""
        if self.is_shared:
            return 0, ()
        attributes = self.layout.attributes(value)
        own, parts = self._open_core(value, names)
        if self.layout.has_dict:
            own += _attribute_room(len(attributes))
        return own, chain(parts, (part for _, part in attributes))

    def _open_core(self, value: object, names: set[str]) -> _Opened:
        if self.leaf is not None:
            return self.leaf(value), ()
        if self.container is not None:
            return self.container(value, names)
        kind = self.layout.cls
        if self.is_array:
            array = cast("_Array", value)
            return kind.__basicsize__ + 2 * _POINTER * array.ndim + array.nbytes, ()
        if self.has_own_size:
            return sys.getsizeof(value), ()
        return kind.__basicsize__ + (_COLLECTED if kind.__flags__ & _COLLECTED_FLAG else 0), ()


class _Array(Protocol):
    ndim: int
    nbytes: int


def _attribute_room(count: int) -> int:
    if count < _SHARED_NAMES:
        return _ATTRIBUTE_ARRAY + count * _POINTER
    return _dict_size(count, all_text=True)


def deep_size(value: object) -> int:
    """The bytes a fresh copy of a value takes as Python objects.

    Every occurrence of an object counts, as it does in the encoding: a list that stands in two
    places is two lists in a copy. Equal dict keys that are text count once, for a copy shares
    them. What a process has once counts nothing: None, True, small ints, one-letter strings,
    enum members, classes, functions, modules. A cycle counts once round.

    It is the same for equal values, except for objects of a class that says something else in
    ``__sizeof__``, whose word is taken.

    Args:
        value: Any value; it is only looked at.

    Returns:
        The size in bytes. Takes O(objects), memory for one number per container, and no
        recursion.

    >>> deep_size([1, 2, 3]) == sys.getsizeof([]) + 3 * 8
    True
    >>> shared = ["some text"]
    >>> deep_size([shared, shared]) == deep_size([["some text"], ["some text"]])
    True
    """
    names: set[str] = set()
    shapes: dict[type, _Shape] = {}
    # Of every container met: its size, once known; until then 0, which ends a cycle.
    known: dict[int, int] = {}
    path: list[int] = []
    pending: list[Iterator[object]] = [iter((value,))]
    totals = [0]
    while True:
        for part in pending[-1]:
            kind = type(part)
            leaf = _LEAVES.get(kind)
            if leaf is not None:
                totals[-1] += leaf(part)
                continue
            identity = id(part)
            if identity in known:
                totals[-1] += known[identity]
                continue
            container = _CONTAINERS.get(kind)
            if container is not None:
                own, parts = container(part, names)
            else:
                if kind not in shapes:
                    shapes[kind] = _Shape.of(kind)
                own, parts = shapes[kind].open(part, names)
            known[identity] = 0
            path.append(identity)
            pending.append(iter(parts))
            totals.append(own)
            break
        else:
            pending.pop()
            total = totals.pop()
            if not path:
                return total + sum(map(_str, names))
            known[path.pop()] = total
            totals[-1] += total
