"""What a change and its pruning would make of the history, worked out before anything is touched.

:func:`make_plan` is a pure function of the history, a proposal and a set of victims. It gives
the account to the byte, so that room is made on paper first: a proposal that cannot fit is
refused with nothing done, however many commits the pruning policy had offered to give up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, TypeVar

from attrs import define, field, frozen

from backpack.budget import CHAIN_BYTES, OWNED_BYTES, commit_cost, held_cost, name_cost, names_of
from backpack.history import TOMBSTONE, Chain, Retained
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from backpack.history import Current, Held, History
    from backpack.records import Commit

__all__ = ["Amendment", "Plan", "Proposal", "Step", "make_plan"]

T = TypeVar("T")


@frozen
class Step:
    """What a proposed commit does to the versions of one key.

    Attributes:
        key: The key.
        current: Its new version; None removes it.
        held: What history holds for the version it supersedes; None if there is none.
    """

    key: str
    current: Current | None
    held: Held | None


@frozen
class Amendment:
    """A new record for a retained commit.

    Attributes:
        retained: The retained commit.
        commit: Its new public record.
        pinned: Whether it must stay.
    """

    retained: Retained
    commit: Commit
    pinned: bool


@frozen
class Proposal:
    """A change that wants into the history: a new commit, or new records for old ones.

    Attributes:
        commit: The new commit, if there is one.
        steps: What it does, for the keys whose value it changes.
        amended: The new records.
    """

    commit: Commit | None = None
    steps: Sequence[Step] = ()
    amended: Sequence[Amendment] = ()


@define
class Plan:
    """The history after a change, as absolute values: applying it twice is applying it once.

    Attributes:
        history_bytes: What the history will take.
        current_bytes: What the current values will take.
        pins: How many commits will be pinned.
        versions: How many superseded versions the chains will hold.
        references: How many of them will be references.
        current: The current versions that change; None for a removed key.
        extended: Chains that grow: the chain, its length before, and what is put behind.
        replaced: Chains that lose versions or are new; None for one that goes.
        inherited: Commits that take keys over, with all they will own.
        amended: New records for retained commits, and whether they are pinned.
        survivors: Numbers and records of the commits that stay; None if all do.
        arrived: The new commit and its place behind the survivors.
        names: How many uses a name will have.
    """

    history_bytes: int
    current_bytes: int
    pins: int
    versions: int
    references: int
    current: list[tuple[str, Current | None]] = field(factory=list)
    extended: list[tuple[Chain, int, list[int], list[Held]]] = field(factory=list)
    replaced: dict[str, Chain | None] = field(factory=dict)
    inherited: list[tuple[Retained, tuple[str, ...]]] = field(factory=list)
    amended: list[tuple[Retained, Commit, bool]] = field(factory=list)
    survivors: tuple[list[int], list[Retained]] | None = None
    arrived: tuple[int, Retained] | None = None
    names: dict[str, int] = field(factory=dict)

    def hold(self, held: Held) -> None:
        """Account for a version that enters a chain."""
        self.history_bytes += held_cost(held)
        self.versions += 1
        self.references += isinstance(held, Reference)

    def free(self, held: Held) -> None:
        """Account for a version that leaves its chain."""
        self.history_bytes -= held_cost(held)
        self.versions -= 1
        self.references -= isinstance(held, Reference)


def make_plan(history: History, proposal: Proposal, victims: Collection[int] = ()) -> Plan:
    """Work out what a proposal, together with pruning these commits, makes of the history.

    Args:
        history: The history as it is; left alone.
        proposal: The change.
        victims: Numbers of the retained commits to prune. The newest one may be among them only
            if the proposal brings a new commit to be the head.

    Returns:
        The plan; its ``history_bytes`` tells whether it fits.
    """
    plan = Plan(
        history.history_bytes,
        history.current_bytes,
        history.pins,
        history.versions,
        history.references,
    )
    uses: defaultdict[str, int] = defaultdict(int)
    cuts: defaultdict[str, list[int]] = defaultdict(list)
    spans = _spans(history, victims) if victims else []
    _amend(plan, proposal.amended, uses)
    handed_over = _squash(plan, history, proposal, spans, uses, cuts)
    appended = _arrive(plan, history, proposal, spans, uses, handed_over)
    _rebuild_chains(plan, history, cuts, appended, uses)
    _count_names(plan, history, uses)
    return plan


def _spans(history: History, victims: Collection[int]) -> list[tuple[int, int]]:
    """Return the victims as runs of neighbours: index of the first, index behind the last."""
    spans: list[tuple[int, int]] = []
    for seq in sorted(victims):
        index = bisect_left(history.seqs, seq)
        if spans and spans[-1][1] == index:
            spans[-1] = (spans[-1][0], index + 1)
        else:
            spans.append((index, index + 1))
    return spans


def _amend(plan: Plan, amended: Iterable[Amendment], uses: defaultdict[str, int]) -> None:
    """Account for new records of retained commits."""
    for amendment in amended:
        retained, commit, pinned = amendment.retained, amendment.commit, amendment.pinned
        owned = len(retained.owned)
        plan.history_bytes += commit_cost(commit, owned) - commit_cost(retained.commit, owned)
        plan.pins += pinned - retained.pinned
        for name in names_of(commit):
            uses[name] += 1
        for name in names_of(retained.commit):
            uses[name] -= 1
        plan.amended.append((retained, commit, pinned))


def _squash(
    plan: Plan,
    history: History,
    proposal: Proposal,
    spans: list[tuple[int, int]],
    uses: defaultdict[str, int],
    cuts: defaultdict[str, list[int]],
) -> tuple[str, ...]:
    """Merge every run of victims into the commit behind it; return what the new commit inherits.

    Within a run, newest first, a key is handed over the first time it is met; whoever is older
    and owns it too has a version that nobody will see.
    """
    handed_over: list[str] = []
    for first, behind in spans:
        heir = history.retained[behind] if behind < len(history.retained) else None
        owned = tuple(step.key for step in proposal.steps) if heir is None else heir.owned
        seen = set(owned)
        kept: list[str] = []
        for victim in reversed(history.retained[first:behind]):
            plan.history_bytes -= commit_cost(victim.commit, len(victim.owned))
            for name in names_of(victim.commit):
                uses[name] -= 1
            for key in victim.owned:
                if key in seen:
                    _cut(history, key, victim.commit.seq, cuts)
                else:
                    seen.add(key)
                    kept.append(key)
        if heir is None:
            handed_over = kept
        elif kept:
            plan.inherited.append((heir, owned + tuple(kept)))
            plan.history_bytes += OWNED_BYTES * len(kept)
    if spans:
        plan.survivors = _without(history.seqs, spans), _without(history.retained, spans)
    return tuple(handed_over)


def _cut(history: History, key: str, seq: int, cuts: defaultdict[str, list[int]]) -> None:
    """Mark the version of a key that stood at ``seq`` as freed."""
    current = history.current.get(key)
    if current is not None and current.seq <= seq:
        return  # Superseded by the very change at hand: it never enters the chain.
    chain = history.chains.get(key)
    if chain is not None:
        index = bisect_right(chain.seqs, seq) - 1
        if index >= 0:  # A removal before which nothing is left was freed already.
            cuts[key].append(index)


def _arrive(
    plan: Plan,
    history: History,
    proposal: Proposal,
    spans: list[tuple[int, int]],
    uses: defaultdict[str, int],
    handed_over: tuple[str, ...],
) -> dict[str, list[tuple[int, Held]]]:
    """Account for the new commit; return what it puts at the end of the keys' chains."""
    commit = proposal.commit
    if commit is None:
        return {}
    appended: dict[str, list[tuple[int, Held]]] = {}
    staying = history.seqs if plan.survivors is None else plan.survivors[0]
    newest = staying[-1] if staying else 0
    for step in proposal.steps:
        entries: list[tuple[int, Held]] = []
        superseded = history.current.get(step.key)
        if superseded is not None:
            plan.current_bytes -= len(superseded.encoded)
            if step.held is not None and superseded.seq <= newest:
                entries.append((superseded.seq, step.held))
        if step.current is None:
            entries.append((commit.seq, TOMBSTONE))
        else:
            plan.current_bytes += len(step.current.encoded)
        plan.current.append((step.key, step.current))
        if entries:
            appended[step.key] = entries
    for name in names_of(commit):
        uses[name] += 1
    owned = tuple(step.key for step in proposal.steps) + handed_over
    plan.history_bytes += commit_cost(commit, len(owned))
    plan.arrived = len(staying), Retained(commit, owned, commit.seq)
    return appended


def _rebuild_chains(
    plan: Plan,
    history: History,
    cuts: dict[str, list[int]],
    appended: dict[str, list[tuple[int, Held]]],
    uses: defaultdict[str, int],
) -> None:
    """Take the freed versions out of the chains and put the superseded ones behind."""
    for key, entries in appended.items():
        chain = history.chains.get(key)
        if chain is None or key in cuts:
            continue
        length = len(chain.seqs)
        plan.extended.append((chain, length, [e[0] for e in entries], [e[1] for e in entries]))
        for _, held in entries:
            plan.hold(held)
    for key in (*cuts, *(key for key in appended if key not in cuts and key not in history.chains)):
        old = history.chains.get(key)
        if old is None:
            new = Chain()
        else:
            spans = [(index, index + 1) for index in sorted(cuts[key])]
            new = Chain(_without(old.seqs, spans), _without(old.held, spans))
            for index in cuts[key]:
                plan.free(old.held[index])
        for seq, held in appended.get(key, ()):
            new.seqs.append(seq)
            new.held.append(held)
            plan.hold(held)
        _drop_leading_tombstones(plan, new)
        if new.seqs:
            plan.replaced[key] = new
        elif old is not None:
            plan.replaced[key] = None
        existed, exists = old is not None, bool(new.seqs)
        plan.history_bytes += CHAIN_BYTES * (exists - existed)
        uses[key] += exists - existed


def _drop_leading_tombstones(plan: Plan, chain: Chain) -> None:
    """Free the removals before which nothing is left: no version says the same."""
    while chain.held and chain.held[0] is TOMBSTONE:
        plan.free(TOMBSTONE)
        del chain.seqs[0], chain.held[0]


def _count_names(plan: Plan, history: History, uses: dict[str, int]) -> None:
    """Account for the names that appear and disappear."""
    for name, change in uses.items():
        before = history.names[name][1] if name in history.names else 0
        after = before + change
        if change:
            plan.names[name] = after
            plan.history_bytes += name_cost(name) * (bool(after) - bool(before))


def _without(column: list[T], spans: list[tuple[int, int]]) -> list[T]:
    """Return a copy of a column without these runs of indexes."""
    kept: list[T] = []
    start = 0
    for first, behind in spans:
        kept += column[start:first]
        start = behind
    kept += column[start:]
    return kept
