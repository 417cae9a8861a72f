"""The fast way to bytes: one msgpack call, with a hook for what is not plain.

A value of plain lists, dicts and scalars costs exactly that call. With tuples, records and the
like it costs one more for each of them, a few levels deep. Whatever does not go this way (keys
that are not plain str, lone surrogates, deep nesting, anything that has to be refused) raises
:class:`NeedsCare`, and :mod:`backpack.codec.careful` writes the same bytes, or knows the reason.
"""

from __future__ import annotations

import functools
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

# From this size on the C library asks the system for memory of its own for a block.
_LARGE: Final = 128 * 1024

# Up to this size Python manages blocks itself, and leaves no holes.
_SMALL: Final = 512

# The headers of bytes: lengths of one byte, of two and, in large values only, of four.
_BYTES: Final = (b"\xc4", b"\xc5", b"\xc6")
_SHORT_BYTES: Final = _BYTES[:2]

# The headers of what holds a number, and how many bytes that has: floats, integers, and the
# lengths of texts, lists and dicts.
_WIDTHS: Final = (
    dict.fromkeys((0xCC, 0xD0, 0xD9), 1)
    | dict.fromkeys((0xCD, 0xD1, 0xDA, 0xDC, 0xDE), 2)
    | dict.fromkeys((0xCA, 0xCE, 0xD2, 0xDB, 0xDD, 0xDF), 4)
    | dict.fromkeys((0xCB, 0xCF, 0xD3), 8)
)

# After so many, searching the value takes no longer.
_TRIES: Final = 200

_CONTAINERS: Final = frozenset((list, dict))


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
    if _may_hold_bytes(data) and _holds_buffer(value):
        raise NeedsCare
    if len(data) > _LARGE:
        _keep_large_blocks()
        return data
    # msgpack writes to a block of up to twice the size and cuts it off: beside a value that is
    # kept stays a hole that the next one does not fit in. A copy takes what it needs.
    return bytes(memoryview(data)) if len(data) > _SMALL else data


@functools.cache
def _keep_large_blocks() -> None:
    """Have the C library keep the memory of large values for the next ones.

    glibc gives a large block back to the system when it is freed, and every page of the next one
    is a fault: four fifths of the time it takes to encode a value of 500 KB. Once it has freed a
    larger block, which need not have been touched, it keeps what is smaller. (``mallopt(3)``, "the
    dynamic mmap threshold"; other libraries do as they always do.)
    """
    bytes(4 * 1024 * 1024)


def is_plain(value: object) -> bool:
    """Return whether msgpack writes all of this value exactly, without a hook."""
    try:
        return not (_may_hold_bytes(pack(value)) and _holds_buffer(value))
    except TypeError:
        return False


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
        # Behind an extension any byte may stand before a header.
        if any(header in data for header in _BYTES) and _holds_buffer(value):
            raise NeedsCare
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


def _may_hold_bytes(data: bytes) -> bool:
    """Whether msgpack, in what it wrote without a hook, may have taken something for bytes.

    It takes a bytearray or a memoryview for bytes without asking. Only where one of the three
    headers of bytes occurs can there be one; most that occur are parts of numbers.
    """
    tries = _TRIES
    for header in _BYTES if len(data) > 0xFFFF else _SHORT_BYTES:
        place = data.find(header)
        while place >= 0:
            tries -= 1
            if not tries or not _is_in_number(data, place):
                return True
            place = data.find(header, place + 1)
    return False


def _is_in_number(data: bytes, place: int) -> bool:
    """Whether what stands there is surely part of a number, or of a length.

    Surely, because what looks like the header of one is no part of a text (no continuation byte
    follows, so it would not be UTF-8), nor of another number (none can reach so far); and of
    bytes only if there were some before, whose header was met first.
    """
    for first in range(place - 1, max(place - 9, -1), -1):
        width = _WIDTHS.get(data[first], 0)
        if place - first <= width:
            follows = data[first + 1]
            return (
                not 0x80 <= follows < 0xC0
                and max(data[max(first - 8, 0) : first], default=0) < 0xC0
            )
    return False


def _holds_buffer(value: object) -> bool:
    kinds: set[type] = {type(value)}
    level: list[object] = [value]
    while bytearray not in kinds and memoryview not in kinds:
        # Most levels are all containers, or all leaves: then they are not gone through.
        if list not in kinds and dict not in kinds:
            return False
        if not kinds <= _CONTAINERS:
            level = [item for item in level if type(item) is list or type(item) is dict]
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
