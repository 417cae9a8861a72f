"""The fast way to bytes: one msgpack call, with a hook for what is not plain.

A value of plain lists, dicts and scalars costs exactly that call. With tuples, records and the
like it costs one more for each of them, a few levels deep. Whatever does not go this way (keys
that are not plain str, lone surrogates, deep nesting, anything that has to be refused) raises
:class:`NeedsCare`, and :mod:`backpack.codec.careful` writes the same bytes, or knows the reason.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from typing import Final

from ormsgpack import Ext, packb

from backpack.codec import arrays, layout
from backpack.codec.atoms import ATOM_WRITERS
from backpack.codec.classes import ClassRegistry
from backpack.codec.layout import OPTIONS, PLAIN_LEVELS, pack

__all__ = ["NeedsCare", "encode_fast", "is_plain", "opened"]

# Levels of values inside hooks: each may nest PLAIN_LEVELS lists on the C stack, so few enough for
# a thread with a small one, and together never above LEVELS.
_HOOK_LEVELS: Final = 3


class NeedsCare(Exception):
    """The fast way cannot write this value."""


def encode_fast(value: object, classes: ClassRegistry) -> bytes:
    """Return the value's bytes.

    Raises:
        NeedsCare: It is not for the fast way, or not to be packed at all.
    """
    try:
        data = pack(value)
    except TypeError:
        fast = _FastPass(classes)
        try:
            return fast.write(value, 0)
        finally:
            fast.close()
    _check_buffers(value, data)
    return data


def is_plain(value: object) -> bool:
    """Return whether msgpack writes all of this value exactly, without a hook."""
    try:
        _check_buffers(value, pack(value))
    except (TypeError, NeedsCare):
        return False
    return True


def opened(value: object, classes: ClassRegistry) -> tuple[int, list[object]]:
    """Return the extension code of a value that holds others, and them as a list.

    Raises:
        Refused: It cannot be packed.
    """
    kind = type(value)
    if kind is tuple:
        return layout.TUPLE, list(value)  # type: ignore[call-overload]
    if kind is set:
        return layout.SET, list(value)  # type: ignore[call-overload]
    if kind is frozenset:
        return layout.FROZENSET, list(value)  # type: ignore[call-overload]
    if not classes.holds(kind) and arrays.is_numpy(kind):
        return arrays.take(value)
    name, shape = classes.known(kind)
    return shape.code, [name, *shape.take(value)]


class _FastPass:
    """One try at one value."""

    __slots__ = ("_classes", "_hooks", "_raised")

    def __init__(self, classes: ClassRegistry) -> None:
        self._classes = classes
        self._hooks: list[Callable[[object], Ext | None]] = []
        self._raised: BaseException | None = None

    def write(self, value: object, level: int) -> bytes:
        """Return the bytes of a value that is ``level`` hooks deep."""
        if level == len(self._hooks):
            if level > _HOOK_LEVELS:
                raise NeedsCare
            hook = self._hook(level + 1)
            next(hook)
            self._hooks.append(hook.send)
        value = _own_shells(value, PLAIN_LEVELS)
        try:
            data = packb(value, self._hooks[level], OPTIONS)
        except TypeError:
            raised, self._raised = self._raised, None
            raise raised or NeedsCare from None
        _check_buffers(value, data)
        return data

    def close(self) -> None:
        """End the hooks, which hold on to this object and to the last value each was given."""
        self._hooks.clear()

    def _hook(self, level: int) -> Generator[Ext | None, object, None]:
        """Answer each object sent with the extension that stands for it.

        msgpack drops whatever its hook raises, Ctrl-C included, so it is kept for ``write``. This
        is a generator because a signal may be handled on the first instruction: of a function
        that is outside any ``try``, while a generator resumes inside it.
        """
        extension = None
        try:
            while True:
                value = yield extension
                extension = self._extension(value, level)
        except GeneratorExit:
            return
        except Exception:
            self._raised = NeedsCare()
            raise
        except BaseException as interrupt:
            self._raised = interrupt
            raise

    def _extension(self, value: object, level: int) -> Ext:
        atom = ATOM_WRITERS.get(type(value))
        if atom is not None:
            return atom(value)
        code, body = opened(value, self._classes)
        if code == layout.SET or code == layout.FROZENSET:
            body.sort(key=lambda element: self.write(element, level))
        return Ext(code, self.write(body, level))


def _own_shells(value: object, levels: int) -> object:
    """Return a value whose plain lists and dicts nobody else knows; what they hold is the same.

    A hook runs Python in the middle of msgpack's walk, and with it perhaps another thread, or a
    class's own code. Were the containers anybody else's, a change would pull them from under it.

    Raises:
        NeedsCare: They nest too deep for the fast way.
    """
    if levels < 0:
        raise NeedsCare
    if type(value) is list:
        items = value.copy()
        for index, item in enumerate(items):
            if type(item) is list or type(item) is dict:
                items[index] = _own_shells(item, levels - 1)
        return items
    if type(value) is dict:
        entries = value.copy()
        for key, item in entries.items():
            if type(item) is list or type(item) is dict:
                entries[key] = _own_shells(item, levels - 1)
        return entries
    return value


def _check_buffers(value: object, data: bytes) -> None:
    """Raise NeedsCare if msgpack took a bytearray or a memoryview for bytes.

    It does so without asking the hook. Only where one of the three headers of bytes occurs, in
    text or numbers too, can there be one: then the value is searched.
    """
    suspected = b"\xc4" in data or b"\xc5" in data or (len(data) > 0xFFFF and b"\xc6" in data)
    if suspected and _holds_buffer(value):
        raise NeedsCare


def _holds_buffer(value: object) -> bool:
    kinds: set[type] = {type(value)}
    level: list[object] = [value]
    while bytearray not in kinds and memoryview not in kinds:
        level = [item for item in level if type(item) is list or type(item) is dict]
        if not level:
            return False
        level = gc.get_referents(*level)
        if level and type(level[0]) is float and _all_numbers(level):
            return False
        kinds = set(map(type, level))
    return True


def _all_numbers(items: list[object]) -> bool:
    """Whether msgpack wrote all of them as numbers; for long vectors, at a fifth of the cost."""
    try:
        sum(items)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True
