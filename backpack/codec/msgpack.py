"""The codec Backpack uses unless told otherwise: exact, compact, and safe to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from backpack.codec.careful import encode_careful
from backpack.codec.classes import ClassRegistry
from backpack.codec.decode import decode_value
from backpack.codec.encode import NeedsCare, encode_fast

__all__ = ["MsgpackCodec"]

T = TypeVar("T")


class MsgpackCodec:
    """Turns values into bytes and back, exactly, type for type; decoding runs no code of the data.

    None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset,
    datetime, date, time, timedelta, Decimal, UUID, Enum, Path, dataclass, attrs, NamedTuple,
    pydantic models and numpy arrays and scalars. The order of a dict is part of its value, that of
    a set is not. Exactly these classes: a subclass counts as a class of its own.

    An instance of a record-like class (dataclass, attrs, NamedTuple, Enum, pydantic) makes its
    class known to the codec as it goes in. What comes from elsewhere, such as a file, needs the
    class in ``classes`` or its name in ``allow``.

    Args:
        classes: Record-like classes to give back.
        allow: Names ``package.module:Class`` of classes to give back, imported when first met.

    Raises:
        ConfigError: A class cannot be registered, or a name is not of that form.

    >>> codec = MsgpackCodec()
    >>> codec.decode(codec.encode({"plan": ("look", "leap"), 7: {1.0, 2.0}}))
    {'plan': ('look', 'leap'), 7: {1.0, 2.0}}
    >>> codec.encode({"steps": [{"client": open}]}, "plan")
    Traceback (most recent call last):
        ...
    backpack.errors.UnpackableValue: plan.steps[0].client: a value of class \
builtin_function_or_method cannot be packed; pack the data it is made from, or register the class \
with encode and decode functions
    """

    __slots__ = ("_classes",)

    def __init__(self, classes: Iterable[type] = (), allow: Iterable[str] = ()) -> None:
        self._classes = ClassRegistry(allow)
        for cls in classes:
            self.register(cls)

    def register(
        self,
        cls: type[T],
        *,
        name: str | None = None,
        encode: Callable[[T], object] | None = None,
        decode: Callable[[Any], T] | None = None,
    ) -> None:
        """Make a class one that goes in and comes back.

        It covers exactly this class, not its subclasses.

        Args:
            cls: The class.
            name: What it is called in stored bytes; ``module:qualname`` if None. Give one where
                that may change or is taken.
            encode: Takes an instance, returns a value that can be packed, equal for equal
                instances. Record-like classes need none.
            decode: Takes that value, returns an instance of exactly this class.

        Raises:
            ConfigError: The class needs functions, has a name already, or the name is taken.

        >>> from collections import deque
        >>> codec = MsgpackCodec()
        >>> codec.register(deque, encode=list, decode=deque)
        >>> codec.decode(codec.encode(deque("abc")))
        deque(['a', 'b', 'c'])
        """
        self._classes.register(cls, name, encode, decode)

    def encode(self, value: object, path: str = "", /) -> bytes:
        """Return the value's bytes: equal bytes if and only if the values are the same.

        It takes time linear in the size of the value.

        Args:
            value: The value.
            path: Its name in errors, the key it is packed under.

        Raises:
            UnpackableValue: It cannot be kept exactly; the path inside the value is named.
        """
        try:
            return encode_fast(value, self._classes)
        except NeedsCare:
            pass
        return encode_careful(value, path, self._classes)

    def decode(self, data: bytes, /) -> object:
        """Return a new value, the caller's to change.

        Raises:
            CorruptError: These bytes are not what ``encode`` makes.
            UnpackableValue: They hold a class that is neither registered nor allowed, or a numpy
                value where numpy is not installed.
        """
        return decode_value(data, self._classes)
