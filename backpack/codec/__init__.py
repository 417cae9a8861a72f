"""Turning values into bytes and back: exact, type for type, and safe to read.

:mod:`~backpack.codec.layout` says what the bytes mean. A plain value takes the fast way of
:mod:`~backpack.codec.encode`, any other the one of :mod:`~backpack.codec.careful`; both write the
same bytes. :mod:`~backpack.codec.decode` reads them.
"""

from backpack.codec.msgpack import MsgpackCodec
from backpack.codec.unsafe_pickle import UnsafePickleCodec

__all__ = ["MsgpackCodec", "UnsafePickleCodec"]
