"""The store: asks the storage policy, checks its answers, and finds the way along the bases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backpack.entries import Entry, Form
from backpack.errors import PolicyError
from backpack.guard import name_of
from backpack.records import HeldVersion, SupersededVersion

if TYPE_CHECKING:
    from backpack.guard import Guard
    from backpack.protocols import StoragePolicy

__all__ = ["Store"]

#: So many versions are made a group at once, ...
_GROUP: Final = 8
#: ... and so many newer ones stay raw.
_RAW: Final = 16


class Store:
    """Turns superseded versions into what history holds of them, and back.

    Args:
        policy: The storage policy. With a ``span`` it is one that leans versions on each other.
        guard: Puts the questions to it.

    Attributes:
        longest_tail: How many versions a chain's tail holds raw before a group is made of them.
        kept: How many of these stay raw.
        span: Over how many versions at most one is read back; 0 if every version stands alone.
    """

    def __init__(self, policy: StoragePolicy, guard: Guard) -> None:
        self.span: int = getattr(policy, "span", 0)
        self.kept = min(_RAW, self.span)
        self.longest_tail = self.kept + min(_GROUP, self.span)
        self._least: int = getattr(policy, "least", 0)
        self._policy = policy
        self._guard = guard

    def arriving(self, key: str, seq: int, encoded: bytes) -> bytes | Entry:
        """Return what history holds of a version that is about to be superseded."""
        if not self.span:
            return self.hold(SupersededVersion(key, seq, encoded))
        if len(encoded) < self._least:
            return encoded
        return Entry(key, seq, Form.RAW, encoded)

    def hold(self, version: SupersededVersion) -> bytes:
        """Return what the policy holds of a version.

        Raises:
            PolicyError: It failed, or returned something else than bytes.
        """
        held: object = self._guard.ask(self._policy, self._policy.hold, version)
        if type(held) is not bytes:
            name = name_of(self._policy)
            raise PolicyError(
                f"storage policy {name} must return bytes to hold, not {type(held).__name__}; "
                "nothing was changed",
                policy=name,
            )
        return held

    def read(self, key: str, seq: int, held: bytes | Entry) -> bytes:
        """Return the encoded bytes of a version in a chain.

        One question to the policy, or two where the version at the bottom stands alone.

        Raises:
            PolicyError: The policy failed, or returned something else than bytes.
        """
        if isinstance(held, Entry):
            return self.encoded(held)
        return self._read(HeldVersion(key, seq, held)) if not self.span else held

    def encoded(self, entry: Entry) -> bytes:
        """Return the encoded bytes of an entry, read along its bases."""
        way: list[Entry] = []
        ground = entry
        while ground.base is not None:
            if ground.form is Form.LEANING:
                way.append(ground)
            ground = ground.base
        encoded = ground.data
        if ground.form is not Form.RAW:
            encoded = self._read(HeldVersion(ground.key, ground.seq, encoded))
        if not way:
            return encoded
        first, *others = way
        between = tuple(each.data for each in others)
        return self._read(HeldVersion(first.key, first.seq, first.data, encoded, between))

    def _read(self, held: HeldVersion) -> bytes:
        encoded: object = self._guard.ask(self._policy, self._policy.read, held)
        if not isinstance(encoded, bytes):
            name = name_of(self._policy)
            raise PolicyError(
                f"storage policy {name} must read back bytes, not {type(encoded).__name__}",
                policy=name,
            )
        return encoded
