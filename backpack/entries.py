"""Entries: how a version is held where the storage policy leans versions on their neighbours.

A chain's *tail*, its most recent versions, is held raw. When it is long enough, its oldest
versions become a *group*: each leans on the next newer one, the newest is the *leader*, and the
leader of the group before leans on the oldest of this one::

    oldest                                                       newest
    1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8        9   10   11   12   13
    a group             the next   leader       raw

Once ``span`` versions reach the ground by a leader it is left as it is, a *keyframe*, and the next
group starts anew. So a version is read back over ``span`` others at most.

Older ones lean on newer ones only, so that the oldest can go without touching another. When one
goes that another leans on, that takes its place; one that is the same goes before, and the rest
lean on that. So on each leans one at most, beside those that are the same: few are held anew, and
nobody's way to the ground gets longer.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import define

__all__ = ["EMPTY_TAIL", "Entry", "Form", "Tail", "fingerprint"]

#: Up to this size all of a version goes into its fingerprint.
_SHORT: Final = 4096

#: How many bytes of a longer one are looked at in each of four places.
_SAMPLE: Final = 64


class Form(Enum):
    """What the data of an entry is."""

    #: The encoded bytes themselves.
    RAW = auto()
    #: What the storage policy holds of them alone.
    ALONE = auto()
    #: What the storage policy holds of them beside those of the base.
    LEANING = auto()
    #: Nothing: the encoded bytes are those of the base.
    SAME = auto()


@define(eq=False, weakref_slot=False)
class Entry:
    """One superseded version, held beside others.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        form: What its data is.
        data: The bytes held.
        base: The entry it leans on, or is the same as; None if it stands by itself.
        dependents: The entries whose base it is, the nearest first.
        mark: The fingerprint under which an equal version finds it; None if it is not to be
            found so.
    """

    key: str
    seq: int
    form: Form
    data: bytes
    base: Entry | None = None
    dependents: tuple[Entry, ...] = ()
    mark: int | None = None


@define(weakref_slot=False)
class Tail:
    """The newest end of a chain, where the next group is made. Nobody changes one.

    Attributes:
        leader: The leader of the newest group; None before the first group.
        reach: How many versions reach the ground by it, itself among them.
        raw: The versions since, oldest first, which lean on nothing and nothing on them.
        size: How many bytes these are.
    """

    leader: Entry | None = None
    reach: int = 0
    raw: tuple[Entry, ...] = ()
    size: int = 0

    @property
    def members(self) -> tuple[Entry, ...]:
        """The leader, if there is one, and the raw versions."""
        return self.raw if self.leader is None else (self.leader, *self.raw)


#: The tail of a chain without entries.
EMPTY_TAIL: Final = Tail()


def fingerprint(encoded: bytes) -> int:
    """Return a number that equal versions share, and others hardly ever.

    O(1): of a long version it looks at four places. Whoever uses it compares, too.
    """
    size = len(encoded)
    if size <= _SHORT:
        return hash(encoded)
    places = (0, size // 3, 2 * size // 3, size - _SAMPLE)
    return hash((size, *(encoded[place : place + _SAMPLE] for place in places)))
