"""From bytes back to a value: new objects, no code from the data, bounded work for any input."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from attrs import define
from ormsgpack import unpackb

from backpack.codec import arrays, layout
from backpack.codec.atoms import ATOM_READERS
from backpack.codec.layout import LEVELS, Refused
from backpack.errors import CorruptError, UnpackableValue

__all__ = ["Classes", "decode_value"]

# msgpack ignores what follows a value. Read as the first of two, with this as the second, a value
# with anything after it is found out; nobody can append what is drawn for each process.
_END: Final = os.urandom(8)
_END_BYTES: Final = b"\xc4\x08" + _END


class Classes(Protocol):
    """What gives instances of classes back."""

    def instance(self, code: int, name: Any, /, *state: Any) -> object:
        """Return an instance of the class with a name, made of what was stored of it."""
        ...


def decode_value(data: bytes, classes: Classes) -> object:
    """Return a new value.

    Args:
        data: What the codec wrote.
        classes: The classes of the codec.

    Raises:
        CorruptError: These bytes are not what the codec writes.
        UnpackableValue: They hold a class the codec may not give back, or numpy is missing.
    """
    try:
        return _read(data)
    except ValueError:
        # Broken, or not plain.
        return _decode_rich(data, classes)


@define
class _Opened:
    """An extension whose payload is read, with the extensions found inside it still to be made.

    Attributes:
        code: What it is; None for the whole value.
        holder: A list of one: the payload.
        todo: ``(container, key or index, code, payload)`` of each extension inside.
    """

    code: int | None
    holder: list[Any]
    todo: list[tuple[Any, Any, int, bytes]]


def _decode_rich(data: bytes, classes: Classes) -> object:
    """Go down into payloads and up again with what they become, on a stack of its own."""
    stack = [_open(None, data)]
    while True:
        opened = stack[-1]
        if opened.todo:
            container, at, code, payload = opened.todo[-1]
            made: object
            if code in ATOM_READERS:
                made = _make(code, payload, classes)
            else:
                try:
                    body = _read(payload)
                except ValueError:
                    if len(stack) > LEVELS:
                        raise CorruptError(f"more than {LEVELS:,} levels of values") from None
                    stack.append(_open(code, payload))
                    continue
                made = _make(code, body, classes)
        elif opened.code is None:
            return opened.holder[0]
        else:
            stack.pop()
            made = _make(opened.code, opened.holder[0], classes)
            container, at, _, _ = stack[-1].todo[-1]
        container[at] = made
        stack[-1].todo.pop()


def _read(data: bytes, hook: Callable[[int, bytes], object] | None = None) -> Any:
    """Return the one msgpack value in these bytes; raises ValueError if they are anything else."""
    value, end = unpackb(b"".join((b"\x92", data, _END_BYTES)), ext_hook=hook)
    if end != _END:
        raise ValueError("more bytes follow the value")
    return value


def _open(code: int | None, payload: bytes) -> _Opened:
    try:
        # slice is the hook: it makes, at C speed and with no Python code in between, an object
        # that holds both arguments and that msgpack makes for nothing else.
        holder = [_read(payload, slice)]
    except ValueError as error:
        raise CorruptError(f"these are not the bytes of a value: {error}") from None
    todo = []
    containers: list[Any] = [holder]
    for container in containers:
        items = container.items() if type(container) is dict else enumerate(container)
        for at, item in items:
            kind = type(item)
            if kind is slice:
                todo.append((container, at, item.start, item.stop))
            elif kind is list or kind is dict:
                containers.append(item)
    return _Opened(code, holder, todo)


def _make(code: int, source: Any, classes: Classes) -> object:
    """Return the value of an extension, from its payload (atoms) or what that holds (others)."""
    try:
        if code in _MAKERS:
            return _MAKERS[code](source)
        if code in _CLASS_CODES:
            name, *state = source
            return classes.instance(code, name, *state)
    except Refused as refusal:
        raise UnpackableValue(str(refusal), path="") from refusal.__cause__
    except Exception as error:
        raise CorruptError(
            f"extension {code} does not decode: {type(error).__name__}: {error}"
        ) from error
    raise CorruptError(f"unknown extension code {code}; it may be of a newer version")


def _dict(pairs: Any) -> object:
    made = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if 2 * len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made


def _set(elements: Any) -> object:
    made = set(elements)
    if len(made) != len(elements):
        raise ValueError("an element occurs twice")
    return made


_MAKERS: Mapping[int, Callable[[Any], object]] = MappingProxyType(
    {
        **ATOM_READERS,
        layout.TUPLE: tuple,
        layout.SET: _set,
        layout.FROZENSET: lambda elements: frozenset(_set(elements)),  # type: ignore[call-overload]
        layout.MAP: _dict,
        layout.ARRAY: arrays.make_array,
        layout.SCALAR: arrays.make_scalar,
    }
)

_CLASS_CODES = frozenset(
    {layout.RECORD, layout.NAMED_TUPLE, layout.ENUM, layout.MODEL, layout.CUSTOM}
)
