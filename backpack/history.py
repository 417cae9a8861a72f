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

from array import array
from bisect import bisect_left, bisect_right
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from attrs import define, field

from backpack.budget import EMPTY_BYTES, share_of
from backpack.commits import Commits
from backpack.entries import EMPTY_TAIL, Entry, Tail
from backpack.names import Names
from backpack.records import Reference
from backpack.splices import fitted, is_roomy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from backpack.draft import Rewritten
    from backpack.plan import Plan
    from backpack.push import Push
    from backpack.records import Commit

__all__ = ["TOMBSTONE", "Chain", "Current", "Held", "History", "Tombstone", "Writing"]


class Tombstone(Enum):
    """What a chain holds from the commit that removed a key on."""

    TOMBSTONE = "removed"


TOMBSTONE: Final = Tombstone.TOMBSTONE

#: What a chain holds for one version: bytes as the storage policy made them, an entry that leans
#: on others, what the reference policy left in their place, or the mark of a removal.
Held: TypeAlias = bytes | Entry | Reference | Tombstone


@define
class Current:
    """The newest version of a key. Nobody changes one; making a frozen record takes thrice as long.

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


class Writing(Protocol):
    """What has been written to a log and is to be made durable."""

    @property
    def is_done(self) -> bool:
        """Whether it is durable."""

    def commit(self) -> None:
        """Make it durable."""


@define(eq=False)
class Chain:
    """The superseded versions of one key, oldest first, as two columns.

    Attributes:
        seqs: The numbers of the commits that set them, ascending.
        held: What is held for them.
        tail: Its newest end, where versions that lean on each other are made a group.
    """

    seqs: array[int] = field(factory=lambda: array("q"))
    held: list[Held] = field(factory=list)
    tail: Tail = EMPTY_TAIL

    def at(self, seq: int) -> tuple[int, Held]:
        """Return what stood at commit ``seq`` and who set it; a tombstone if that was nothing."""
        index = bisect_right(self.seqs, seq) - 1
        return (self.seqs[index], self.held[index]) if index >= 0 else (0, TOMBSTONE)

    def copied(self) -> Chain:
        """Return a copy whose columns take no more room than their items."""
        return Chain(self.seqs[:], self.held[:], self.tail)


class History:
    """The current state, the chains, and the retained commits, with their running account.

    Args:
        origin: The code of the Backpack whose history it is.
        budget: What it may take, in bytes.

    Attributes:
        budget: What it may take, in bytes.
        share: How many of these the tails of all chains together may hold raw.
        current: ``{key: Current}`` of the keys that exist.
        chains: ``{key: Chain}`` of the keys with superseded versions.
        names: The keys, nodes and tags that chains and retained commits mention.
        commits: The retained commits.
        marks: ``{fingerprint: entry}`` of the entries that an equal version is to find.
        waiting: ``{key: bytes}`` that the tail of its chain holds raw, if any; the longest
            unchanged first.
        made: How many commits were ever made; the number of the newest.
        pins: How many retained commits are pinned.
        history_bytes: What the history takes, by the account of :mod:`backpack.budget`.
        peak_bytes: The most it took since it has its budget.
        current_bytes: Encoded bytes of the current values.
        versions: How many superseded versions the chains hold.
        references: How many of them are references.
        raw_bytes: How many bytes the tails of all chains hold raw.
    """

    def __init__(self, origin: str, budget: int) -> None:
        self.budget = budget
        self.share = share_of(budget)
        self.current: dict[str, Current] = {}
        self.chains: dict[str, Chain] = {}
        self.names = Names()
        self.commits = Commits(origin, self.names)
        self.marks: dict[int, Entry] = {}
        self.waiting: dict[str, int] = {}
        self.made = 0
        self.pins = 0
        self.history_bytes = EMPTY_BYTES
        self.peak_bytes = EMPTY_BYTES
        self.current_bytes = 0
        self.versions = 0
        self.references = 0
        self.raw_bytes = 0
        self._pending: Plan | Push | None = None
        self._writing: Writing | None = None

    @property
    def head(self) -> Commit | None:
        """The newest commit; always retained."""
        return self.commits[-1] if self.commits else None

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

    def apply(self, plan: Plan | Push, writing: Writing | None = None) -> None:
        """Carry out a plan, wholly or, if interrupted, at the next :meth:`settle`.

        Args:
            plan: The plan.
            writing: What has to be made durable first, if anything has.
        """
        self._writing = writing
        self._pending = plan
        if writing is not None:
            try:
                writing.commit()
            finally:  # Is it done, the plan is carried out even if this is interrupted here.
                self.settle()
        else:
            self.settle()

    def settle(self) -> None:
        """Finish a plan whose carrying out was interrupted. Every reader calls this first."""
        if self._pending is not None:
            if self._writing is None or self._writing.is_done:
                self._pending.carry_out(self)
            self._pending = None
            self._writing = None  # It has all that was written, outside the account.

    def carry_out(self, plan: Plan) -> None:
        """Make the history what a plan says; whatever is below may have been done already."""
        for splice in plan.splices[plan.done :]:
            if len(splice.column) == splice.length:
                splice.column[splice.first : splice.behind] = splice.items
            plan.done += 1
        if plan.arrived is not None:
            self.commits.append(plan.arrived, plan.staying)
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
        self.rewrite(plan.rewritten, plan.marks)
        for key, raw in plan.waiting.items():
            self.waiting.pop(key, None)
            if raw:
                self.waiting[key] = raw
        for seq, remarks in plan.remarks.items():
            if remarks is None:
                self.commits.remarks.pop(seq, None)
            else:
                self.commits.remarks[seq] = remarks
        for seq, pinned in plan.pinned.items():
            self.commits.columns.pinned[bisect_left(self.commits.seqs, seq)] = pinned
        self.names.put(plan.names)
        self.names.given = plan.given
        if plan.prunes or plan.rewritten or plan.arrived is None:
            self._shrink(plan)
        self.made = plan.made
        self.pins = plan.pins
        if plan.budget is not None:
            self.budget, self.share = plan.budget, share_of(plan.budget)
            self.peak_bytes = 0
        self.count(plan)

    def rewrite(self, rewritten: Iterable[Rewritten], marks: Mapping[int, Entry | None]) -> None:
        """Make entries what they shall be, and those found that shall be. Twice is once."""
        for new in rewritten:
            entry = new.entry
            entry.form, entry.data, entry.base = new.form, new.data, new.base
            entry.dependents, entry.mark = new.dependents, new.mark
        for mark, marked in marks.items():
            if marked is None:
                self.marks.pop(mark, None)
            else:
                self.marks[mark] = marked

    def count(self, plan: Plan | Push) -> None:
        """Set the running account to what a plan makes of it."""
        self.history_bytes = plan.history_bytes
        self.peak_bytes = max(self.peak_bytes, plan.history_bytes)
        self.current_bytes = plan.current_bytes
        self.versions = plan.versions
        self.references = plan.references
        self.raw_bytes = plan.raw_bytes

    def _shrink(self, plan: Plan) -> None:
        """Give back the room that tables and columns keep of what is gone."""
        self.names.shrink()
        self.chains = fitted(self.chains)
        self.marks = fitted(self.marks)
        self.waiting = fitted(self.waiting)
        self.commits.remarks = fitted(self.commits.remarks)
        if is_roomy(self.commits.seqs):
            self.commits.columns = self.commits.columns.copied()
        if is_roomy(self.commits.heirs):
            self.commits.heirs = self.commits.heirs[:]
        for key in plan.cut:
            chain = self.chains.get(key)
            if chain is not None and is_roomy(chain.seqs):
                self.chains[key] = chain.copied()
