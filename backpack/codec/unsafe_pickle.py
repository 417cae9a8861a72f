"""Pickle as a codec, for values no other codec takes, in files no other hand has touched."""

from __future__ import annotations

import pickle

from backpack.errors import CorruptError, UnpackableValue

__all__ = ["UnsafePickleCodec"]


class UnsafePickleCodec:
    """Turns values into bytes and back with pickle: **unsafe** for bytes from elsewhere.

    Reading a pickle runs whatever code it names, with your rights. Use this codec only where every
    byte it will read was written by your own program and could be changed by nobody else.

    It takes nearly everything, cycles and subclasses included, and it gives up two things the
    default codec promises: equal values may have different bytes, so packing an equal value may
    count as a change; and what a class makes of its own pickling is the class's affair.

    >>> codec = UnsafePickleCodec()
    >>> codec.decode(codec.encode({"plan": range(3)}))
    {'plan': range(0, 3)}
    """

    __slots__ = ()

    def encode(self, value: object, path: str = "", /) -> bytes:
        """Return the value's pickle, in protocol 5.

        Args:
            value: The value.
            path: Its name in errors, the key it is packed under.

        Raises:
            UnpackableValue: Pickle refuses it.
        """
        try:
            return pickle.dumps(value, protocol=5)
        except Exception as error:
            raise UnpackableValue(
                f"pickle refuses this {type(value).__name__}: {type(error).__name__}: {error};"
                " pack the data it is made from",
                path=path,
            ) from error

    def decode(self, data: bytes, /) -> object:
        """Return a new value. Runs the code that the bytes name.

        Raises:
            CorruptError: These bytes are no pickle, or what they name is gone or fails.
        """
        try:
            return pickle.loads(data)  # noqa: S301
        except Exception as error:
            raise CorruptError(f"no pickle of a value: {type(error).__name__}: {error}") from error
