"""What changed between two commits: which keys, and what inside their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from backpack.codec.foreign import decode_foreign
from backpack.errors import UnknownKey
from backpack.looking.changes import ABSENT, Difference, differences
from backpack.records import Unavailable, digest
from backpack.wording import nearest, shown

if TYPE_CHECKING:
    from backpack.past import Past

__all__ = ["KeyChange", "between", "size_of"]


@frozen(eq=False)
class KeyChange:
    """What changed of one key.

    Attributes:
        key: The key.
        kind: ``added``, ``removed`` or ``changed``.
        before: Its encoded bytes, what history has in their place, or None if it was not there.
        after: The same of the later state.
        is_readable: Whether the bytes can be decoded without running code of them.
    """

    key: str
    kind: Literal["added", "removed", "changed"]
    before: bytes | Unavailable | None
    after: bytes | Unavailable | None
    is_readable: bool = True

    @property
    def size_before(self) -> int:
        """Bytes, encoded, or as they were measured where history left them out; 0 if absent."""
        return size_of(self.before)

    @property
    def size_after(self) -> int:
        """The same of the later state."""
        return size_of(self.after)

    def inside(self) -> tuple[Difference, ...]:
        """Return what changed inside its value.

        Raises:
            ConfigError: deepdiff is not installed.
        """
        if self.kind != "changed":
            before, after = self.value("before"), self.value("after")
            return (Difference(self.key, self.kind, before, after),)
        if isinstance(self.before, bytes) and isinstance(self.after, bytes) and self.is_readable:
            return differences(self.before, self.after, self.key)
        note = None if self.is_readable else "its codec may run code of what it reads"
        before, after = self.value("before"), self.value("after")
        return (Difference(self.key, "changed", before, after, note),)

    def value(self, when: Literal["before", "after"]) -> object:
        """Return its value, or what stands for it."""
        encoded = self.before if when == "before" else self.after
        if encoded is None:
            return ABSENT
        if isinstance(encoded, Unavailable):
            return encoded
        if not self.is_readable:
            note = "its codec may run code of what it reads"
            return Unavailable(
                self.key, len(encoded), note, "read it in a program", digest(encoded)
            )
        return decode_foreign(encoded)


def between(past: Past, first: int, second: int, key: str | None = None) -> Iterator[KeyChange]:
    """Iterate over the keys that differ between two commits: those of the first, then new ones.

    Args:
        past: The Backpack.
        first: The number of the one commit.
        second: That of the other.
        key: Look at this key only.

    Raises:
        UnknownKey: There is no such key at either.
        ArchiveError: They cannot be read.
        CorruptError: Something is missing, or not as it was written.
    """
    before, after = past.setters_at(first), past.setters_at(second)
    keys = dict.fromkeys([*before, *after])
    if key is not None:
        if key not in keys:
            near = nearest(key, past.keys())
            meant = "" if near is None else f"; did you mean {shown(near)}?"
            raise UnknownKey(f"there is no key {shown(key)} at either commit{meant}")
        keys = {key: None}
    for each in keys:
        if each in before and each in after:
            if before[each] == after[each]:
                continue
            old, new = past.encoded(each, first), past.encoded(each, second)
            if _digest(old) != _digest(new):
                yield KeyChange(each, "changed", old, new, past.is_readable)
        elif each in before:
            yield KeyChange(each, "removed", past.encoded(each, first), None, past.is_readable)
        else:
            yield KeyChange(each, "added", None, past.encoded(each, second), past.is_readable)


def _digest(encoded: bytes | Unavailable) -> str:
    return encoded.digest if isinstance(encoded, Unavailable) else digest(encoded)


def size_of(encoded: bytes | Unavailable | None) -> int:
    """Return encoded bytes, or those that were measured of what history left out; 0 for None."""
    if encoded is None:
        return 0
    return encoded.size if isinstance(encoded, Unavailable) else len(encoded)
