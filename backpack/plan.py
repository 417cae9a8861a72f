"""What a change and its pruning would make of the history, worked out before anything is touched.

:func:`make_plan` is a pure function of the history, a proposal and a set of victims. It gives
the account to the byte, so that room is made on paper first: a proposal that cannot fit is
refused with nothing done, however many commits the pruning policy had offered to give up.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from backpack.budget import OWNED_BYTES, commit_cost, held_cost, name_cost, names_of
from backpack.chains import rebuild, regroup
from backpack.draft import Draft
from backpack.history import TOMBSTONE, Retained
from backpack.records import Reference
from backpack.splices import Splice, runs, without

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from backpack.draft import Rewritten, Workshop
    from backpack.entries import Entry, Tail
    from backpack.history import Chain, Current, Held, History
    from backpack.records import Commit

__all__ = ["Amendment", "Plan", "Proposal", "Step", "make_plan"]


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
    """The history after a change, so that carrying it out twice is carrying it out once.

    All but the splices are absolute values; how many splices are done is part of the plan.

    Attributes:
        history_bytes: What the history will take.
        current_bytes: What the current values will take.
        pins: How many commits will be pinned.
        versions: How many superseded versions the chains will hold.
        references: How many of them will be references.
        raw_bytes: How many bytes all tails will hold raw.
        made: The number of the newest commit.
        current: The current versions that change; None for a removed key.
        chains: Chains that are new; None for one that goes.
        splices: Columns that lose or gain items, in this order.
        tails: Chains, by key, and what their tails will be.
        rewritten: What entries will be.
        marks: What will be found under a fingerprint; None for nothing.
        waiting: How many bytes the tails of these keys will hold raw.
        inherited: Commits that take keys over, with all they will own.
        amended: New records for retained commits, and whether they are pinned.
        names: How many uses a name will have.
        done: How many splices are done.
    """

    history_bytes: int
    current_bytes: int
    pins: int
    versions: int
    references: int
    raw_bytes: int
    made: int
    current: list[tuple[str, Current | None]] = field(factory=list)
    chains: dict[str, Chain | None] = field(factory=dict)
    splices: list[Splice] = field(factory=list)
    tails: dict[str, tuple[Chain, Tail]] = field(factory=dict)
    rewritten: list[Rewritten] = field(factory=list)
    marks: dict[int, Entry | None] = field(factory=dict)
    waiting: dict[str, int] = field(factory=dict)
    inherited: list[tuple[Retained, tuple[str, ...]]] = field(factory=list)
    amended: list[tuple[Retained, Commit, bool]] = field(factory=list)
    names: dict[str, int] = field(factory=dict)
    done: int = 0

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


def make_plan(
    history: History,
    proposal: Proposal,
    workshop: Workshop,
    *,
    victims: Collection[int] = (),
    pressed: Collection[str] = (),
) -> Plan:
    """Work out what a proposal, together with pruning these commits, makes of the history.

    Args:
        history: The history as it is; left alone.
        proposal: The change.
        workshop: Reads and holds the versions that lean on others.
        victims: Numbers of the retained commits to prune. The newest one may be among them only
            if the proposal brings a new commit to be the head.
        pressed: The keys in whose chains nothing shall be left raw.

    Returns:
        The plan; its ``history_bytes`` tells whether it fits.

    Raises:
        PolicyError: The storage policy failed.
    """
    plan = Plan(
        history.history_bytes,
        history.current_bytes,
        history.pins,
        history.versions,
        history.references,
        history.raw_bytes,
        history.made,
    )
    uses: defaultdict[str, int] = defaultdict(int)
    cuts: defaultdict[str, list[int]] = defaultdict(list)
    spans = _spans(history, victims) if victims else []
    _amend(plan, proposal.amended, uses)
    handed_over = _squash(plan, history, proposal, spans, uses, cuts)
    appended = _arrive(plan, history, proposal, spans, uses, handed_over)
    draft = Draft(history.marks, workshop)
    rebuild(plan, history, cuts, appended, uses, draft)
    if workshop.span:
        regroup(plan, history, (*cuts, *appended), appended, pressed, draft)
    _count_names(plan, history, uses)
    return plan


def _spans(history: History, victims: Collection[int]) -> list[tuple[int, int]]:
    """Return the victims as runs of neighbours: index of the first, index behind the last."""
    return runs([bisect_left(history.seqs, seq) for seq in sorted(victims)])


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
    handed_over: tuple[str, ...] = ()
    for first, behind in spans:
        heir = history.retained[behind] if behind < len(history.retained) else None
        owned = tuple(step.key for step in proposal.steps) if heir is None else heir.owned
        seen = set(owned)
        kept: list[tuple[str, int]] = []
        for victim in reversed(history.retained[first:behind]):
            plan.history_bytes -= commit_cost(victim.commit, len(victim.owned))
            for name in names_of(victim.commit):
                uses[name] -= 1
            for key in victim.owned:
                if key in seen:
                    _cut(history, key, victim.commit.seq, cuts)
                else:
                    seen.add(key)
                    kept.append((key, victim.commit.seq))
        inherited = tuple(key for key, seq in kept if not _is_gone(history, key, seq, cuts))
        if heir is None:
            handed_over = inherited
        elif inherited:
            plan.inherited.append((heir, owned + inherited))
            plan.history_bytes += OWNED_BYTES * len(inherited)
    for column in (history.seqs, history.retained):
        plan.splices += without(column, spans)
    return handed_over


def _is_gone(history: History, key: str, seq: int, cuts: dict[str, list[int]]) -> bool:
    """Return whether what stood at ``seq`` is a removal before which nothing is left."""
    current = history.current.get(key)
    if current is not None and current.seq <= seq:
        return False
    chain = history.chains.get(key)
    index = -1 if chain is None else bisect_right(chain.seqs, seq) - 1
    if chain is None or index < 0:
        return True
    if chain.held[index] is not TOMBSTONE:
        return False
    cut = set(cuts.get(key, ()))
    return all(at in cut or chain.held[at] is TOMBSTONE for at in range(index))


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
    staying = len(history.seqs) - sum(behind - first for first, behind in spans)
    newest = _newest_survivor(history, spans)
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
    plan.splices.append(Splice(history.seqs, staying, staying, staying, (commit.seq,)))
    arrived = Retained(commit, owned, commit.seq)
    plan.splices.append(Splice(history.retained, staying, staying, staying, (arrived,)))
    plan.made = commit.seq
    return appended


def _newest_survivor(history: History, spans: list[tuple[int, int]]) -> int:
    """Return the number of the newest retained commit that is no victim; 0 if there is none."""
    last = len(history.seqs)
    if spans and spans[-1][1] == last:
        last = spans[-1][0]
    return history.seqs[last - 1] if last else 0


def _count_names(plan: Plan, history: History, uses: dict[str, int]) -> None:
    """Account for the names that appear and disappear."""
    for name, change in uses.items():
        before = history.names[name][1] if name in history.names else 0
        after = before + change
        if change:
            plan.names[name] = after
            plan.history_bytes += name_cost(name) * (bool(after) - bool(before))
