"""The state and its history: per key a chain of versions, and the commits that still see them.

The current state is one version a key. When a change supersedes it, it moves to the end of the
key's chain, where it stands for every commit from the one that set it to the one before the
next in the chain. A snapshot at commit ``s`` finds the newest version not newer than ``s`` by
bisection; nothing is replayed.

**Pruning is squashing.** Every retained commit *owns* the keys that changed since the retained
commit before it. A pruned commit hands the keys it owns to the next retained one; where that
owns the key too, nobody is left to see the older version, and it is freed.
:mod:`backpack.plan` works this out; :meth:`History.apply` carries it out.

A change is applied as a redo record: the :class:`~backpack.plan.Plan` is put down first, in one
assignment, and carrying it out twice is the same as once. An interruption at any instant (Ctrl-C,
no memory) leaves a plan that the next look finishes: the state is as before the change or as
after it, never between.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define, field, frozen

from backpack.entries import EMPTY_TAIL, Entry, Tail
from backpack.records import Commit, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.plan import Plan

__all__ = ["TOMBSTONE", "Chain", "Current", "Held", "History", "Retained", "Tombstone"]


class Tombstone(Enum):
    """What a chain holds from the commit that removed a key on."""

    TOMBSTONE = "removed"


TOMBSTONE: Final = Tombstone.TOMBSTONE

#: What a chain holds for one version: bytes as the storage policy made them, an entry that leans
#: on others, what the reference policy left in their place, or the mark of a removal.
Held: TypeAlias = bytes | Entry | Reference | Tombstone


@frozen
class Current:
    """The newest version of a key.

    Attributes:
        seq: The number of the commit that set it.
        encoded: Its encoded bytes.
        size: Bytes, as the sizing policy measured it.
        reference: What history keeps in its place once it is superseded; None keeps the value.
    """

    seq: int
    encoded: bytes
    size: int
    reference: Reference | None


@define(eq=False)
class Chain:
    """The superseded versions of one key, oldest first, as two columns.

    Attributes:
        seqs: The numbers of the commits that set them, ascending.
        held: What is held for them.
        tail: Its newest end, where versions that lean on each other are made a group.
    """

    seqs: list[int] = field(factory=list)
    held: list[Held] = field(factory=list)
    tail: Tail = EMPTY_TAIL

    def at(self, seq: int) -> tuple[int, Held]:
        """Return what stood at commit ``seq`` and who set it; a tombstone if that was nothing."""
        index = bisect_right(self.seqs, seq) - 1
        return (self.seqs[index], self.held[index]) if index >= 0 else (0, TOMBSTONE)


@define(eq=False)
class Retained:
    """A commit that snapshots still answer for.

    Attributes:
        commit: Its public record.
        owned: The keys that changed since the retained commit before it.
        pinned: Whether it must stay.
        accesses: How often a snapshot of it was opened, read or diffed.
        last_access: The number of the newest commit at the last access.
    """

    commit: Commit
    owned: tuple[str, ...]
    last_access: int
    accesses: int = 0
    pinned: bool = False


class History:
    """The current state, the chains, and the retained commits, with their running account.

    Attributes:
        current: ``{key: Current}`` of the keys that exist.
        chains: ``{key: Chain}`` of the keys with superseded versions.
        seqs: The numbers of the retained commits, ascending.
        retained: The retained commits, in the same order.
        names: ``{name: (name, uses)}`` of the keys, nodes and tags that chains and retained
            commits mention. Equal names are one object, paid for once.
        marks: ``{fingerprint: entry}`` of the entries that an equal version is to find.
        waiting: ``{key: bytes}`` that the tail of its chain holds raw, if any; the longest
            unchanged first.
        made: How many commits were ever made; the number of the newest.
        pins: How many retained commits are pinned.
        history_bytes: What the history takes, by the account of :mod:`backpack.budget`.
        peak_bytes: The most it ever took.
        current_bytes: Encoded bytes of the current values.
        versions: How many superseded versions the chains hold.
        references: How many of them are references.
        raw_bytes: How many bytes the tails of all chains hold raw.
    """

    def __init__(self) -> None:
        self.current: dict[str, Current] = {}
        self.chains: dict[str, Chain] = {}
        self.seqs: list[int] = []
        self.retained: list[Retained] = []
        self.names: dict[str, tuple[str, int]] = {}
        self.marks: dict[int, Entry] = {}
        self.waiting: dict[str, int] = {}
        self.made = 0
        self.pins = 0
        self.history_bytes = 0
        self.peak_bytes = 0
        self.current_bytes = 0
        self.versions = 0
        self.references = 0
        self.raw_bytes = 0
        self._pending: Plan | None = None

    @property
    def head(self) -> Retained | None:
        """The newest commit; always retained."""
        return self.retained[-1] if self.retained else None

    def find(self, seq: int) -> Retained | None:
        """Return the retained commit with this number, if it is one.

        O(1) where no newer commit was pruned, O(log commits) otherwise.
        """
        # Where no newer commit is missing, this is its place; otherwise it lies behind.
        index = max(0, len(self.seqs) - 1 - (self.made - seq))
        if index < len(self.seqs) and self.seqs[index] != seq:
            index = bisect_left(self.seqs, seq, index)
        if index < len(self.seqs) and self.seqs[index] == seq:
            return self.retained[index]
        return None

    def version_at(self, key: str, seq: int) -> tuple[int, Current | Held]:
        """Return what stood under ``key`` at commit ``seq``, and the number of who set it.

        O(log versions).
        """
        current = self.current.get(key)
        if current is not None and current.seq <= seq:
            return current.seq, current
        chain = self.chains.get(key)
        return (0, TOMBSTONE) if chain is None else chain.at(seq)

    def keys_at(self, seq: int) -> Iterator[str]:
        """Iterate over the keys that existed at commit ``seq``. O(keys log versions)."""
        for key, current in self.current.items():
            if current.seq <= seq:
                yield key
        for key, chain in self.chains.items():
            live = self.current.get(key)
            if (live is None or live.seq > seq) and chain.at(seq)[1] is not TOMBSTONE:
                yield key

    def apply(self, plan: Plan) -> None:
        """Carry out a plan, wholly or, if interrupted, at the next :meth:`settle`."""
        self._pending = plan
        self.settle()

    def settle(self) -> None:
        """Finish a plan whose carrying out was interrupted. Every reader calls this first."""
        plan = self._pending
        if plan is None:
            return
        # Whatever is below may have been done already.
        for splice in plan.splices[plan.done :]:
            if len(splice.column) == splice.length:
                splice.column[splice.first : splice.behind] = splice.items
            plan.done += 1
        for key, current in plan.current:
            if current is None:
                self.current.pop(key, None)
            else:
                self.current[key] = current
        for key, chain in plan.chains.items():
            if chain is None:
                self.chains.pop(key, None)
            else:
                self.chains[key] = chain
        for chain, tail in plan.tails.values():
            chain.tail = tail
        for new in plan.rewritten:
            entry = new.entry
            entry.form, entry.data, entry.base = new.form, new.data, new.base
            entry.dependents, entry.mark = new.dependents, new.mark
        for mark, marked in plan.marks.items():
            if marked is None:
                self.marks.pop(mark, None)
            else:
                self.marks[mark] = marked
        for key, raw in plan.waiting.items():
            self.waiting.pop(key, None)
            if raw:
                self.waiting[key] = raw
        for retained, owned in plan.inherited:
            retained.owned = owned
        for retained, commit, pinned in plan.amended:
            retained.commit = commit
            retained.pinned = pinned
        for name, uses in plan.names.items():
            if uses:
                self.names[name] = (self.names.get(name, (name, 0))[0], uses)
            else:
                self.names.pop(name, None)
        self._shrink(plan)
        self.made = plan.made
        self.pins = plan.pins
        self.history_bytes = plan.history_bytes
        self.peak_bytes = max(self.peak_bytes, plan.history_bytes)
        self.current_bytes = plan.current_bytes
        self.versions = plan.versions
        self.references = plan.references
        self.raw_bytes = plan.raw_bytes
        self._pending = None

    def _shrink(self, plan: Plan) -> None:
        """Give back what tables keep when most of their entries are gone."""
        if len(plan.names) > len(self.names):
            self.names = dict(self.names)
        if len(plan.chains) > len(self.chains):
            self.chains = dict(self.chains)
        if len(plan.marks) > len(self.marks):
            self.marks = dict(self.marks)
        if len(plan.waiting) > len(self.waiting):
            self.waiting = dict(self.waiting)
