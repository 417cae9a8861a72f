"""Sizing policies: how many bytes is this value?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from backpack.policies.memory import deep_size

if TYPE_CHECKING:
    from backpack.records import NewValue

__all__ = ["DeepSize", "EncodedSize"]


@frozen
class EncodedSize:
    r"""The length of the encoded value, in bytes.

    When to use: nearly always; it is what history has to hold, before any compression.

    Cost: O(1).

    Source: ours.

    >>> from backpack.records import NewValue
    >>> EncodedSize()(NewValue(key="plan", value=[1, 2], encoded=b"\x92\x01\x02"))
    3
    """

    def __call__(self, new: NewValue, /) -> int:
        """Return the length of ``new.encoded``."""
        return len(new.encoded)


@frozen
class DeepSize:
    """The memory the value takes once it is unpacked, as Python objects, in bytes.

    It is the size of a fresh copy: every occurrence counts, equal text keys once, and what a
    process has only once (None, small ints, enum members, classes) nothing. So equal values have
    equal sizes, however the caller's own came about.

    When to use: the limit is meant for what values cost while they are worked with. A list of
    small numbers is ten to forty times as large in memory as it is encoded.

    Cost: O(objects in the value) for every pack, about 0.3 µs for a leaf and 1 µs for a
    container; usually more than encoding takes.

    Source: ours; the sizes follow CPython's object layouts.

    >>> from backpack.records import NewValue
    >>> deep = DeepSize()
    >>> deep(NewValue(key="zeros", value=[0] * 1000, encoded=b"...")) > 8000
    True
    """

    def __call__(self, new: NewValue, /) -> int:
        """Return the size of a fresh copy of ``new.value``."""
        return deep_size(new.value)
