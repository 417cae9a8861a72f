"""Sizing policies: how many bytes is this value?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from backpack.policies.delta import Delta
from backpack.policies.memory import deep_size
from backpack.records import SupersededVersion

if TYPE_CHECKING:
    from backpack.records import NewValue

__all__ = ["DeepSize", "EncodedSize", "StoredSize"]


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


@frozen
class StoredSize:
    r"""What a value costs in history: the bytes of its difference from the one before.

    When to use: with ``storage: {use: delta}``, where values grow or change little by little. A
    message list of megabytes that gains one message a step costs a message a step, and a limit on
    this size keeps all of its snapshots; the first value of a key costs its compressed bytes.

    Cost: that of making a delta, about 0.5 µs a kilobyte where little differs, up to 3 µs a
    kilobyte where all does.

    Source: ours.

    Args:
        level: That of the storage policy, from 1 (fast) to 22 (small).

    >>> from backpack.records import NewValue
    >>> stored = StoredSize()
    >>> before, after = bytes(range(256)) * 100, bytes(range(256)) * 100 + b"and more"
    >>> len(after), stored(NewValue("log", "...", after, before))
    (25608, 29)
    """

    level: int = 2
    _delta: Delta = field(init=False, eq=False, repr=False)

    @_delta.default
    def _make_delta(self) -> Delta:
        return Delta(self.level)

    def __call__(self, new: NewValue, /) -> int:
        """Return how many bytes history would hold of ``new``, the value before given."""
        if len(new.encoded) < self._delta.least:
            return len(new.encoded)
        return len(self._delta.hold(SupersededVersion(new.key, 0, new.encoded, new.previous)))
