"""What a change and its pruning would make of the history, worked out before anything is touched.

:func:`make_plan` is a pure function of the history, a proposal and a set of victims. It gives
the account to the byte, so that room is made on paper first: a proposal that cannot fit is
refused with nothing done, however many commits the pruning policy had offered to give up.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, field

from backpack.budget import (
    COMMIT_BYTES,
    INHERITED_BYTES,
    held_cost,
    name_cost,
    names_of,
    remarks_cost,
    share_of,
)
from backpack.chains import rebuild, regroup
from backpack.commits import NOTHING, remarks_of, row_of
from backpack.draft import Draft
from backpack.history import TOMBSTONE
from backpack.records import Reference
from backpack.splices import Splice, exchanged, runs, without

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from backpack.commits import Remarks, Row
    from backpack.draft import Rewritten, Workshop
    from backpack.entries import Entry, Tail
    from backpack.history import Chain, Current, Held, History
    from backpack.proposal import Amendment, Proposal

__all__ = ["Plan", "make_plan"]


@define
class Plan:
    """The history after a change, so that carrying it out twice is carrying it out once.

    All but the splices and the new row are absolute values; how many splices are done is part of
    the plan, and a row is put behind so many others only.

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
        cut: The keys whose chains lose items.
        staying: How many of the retained commits stay.
        prunes: Whether others go.
        arrived: The row of the new commit, which comes behind those that stay.
        remarks: What will be out of the ordinary about commits; None for nothing.
        pinned: Whether commits must stay.
        names: The numbers that names have, and how many uses they will have.
        given: How many numbers will have been given to names.
        budget: What the history may take from then on; None leaves that as it is.
        done: How many splices are done.
    """

    history_bytes: int
    current_bytes: int
    pins: int
    versions: int
    references: int
    raw_bytes: int
    made: int
    given: int
    staying: int
    current: list[tuple[str, Current | None]] = field(factory=list)
    chains: dict[str, Chain | None] = field(factory=dict)
    splices: list[Splice] = field(factory=list)
    tails: dict[str, tuple[Chain, Tail]] = field(factory=dict)
    rewritten: list[Rewritten] = field(factory=list)
    marks: dict[int, Entry | None] = field(factory=dict)
    waiting: dict[str, int] = field(factory=dict)
    prunes: bool = False
    cut: Sequence[str] = ()
    arrived: Row | None = None
    remarks: dict[int, Remarks | None] = field(factory=dict)
    pinned: dict[int, bool] = field(factory=dict)
    names: dict[str, tuple[int, int]] = field(factory=dict)
    budget: int | None = None
    done: int = 0

    def carry_out(self, history: History) -> None:
        """Make the history what this says."""
        history.carry_out(self)

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

    def remark(self, seq: int, before: Remarks, after: Remarks) -> None:
        """Account for what is out of the ordinary about a commit, instead of what was."""
        self.history_bytes += remarks_cost(after) - remarks_cost(before)
        if after is not before:
            self.remarks[seq] = None if after is NOTHING else after


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
        history.names.given,
        len(history.commits),
    )
    uses: defaultdict[str, int] = defaultdict(int)
    cuts: defaultdict[str, list[int]] = defaultdict(list)
    spans = _spans(history, victims) if victims else []
    plan.staying -= len(victims)
    plan.prunes = bool(victims)
    plan.budget = proposal.budget
    _amend(plan, history, proposal.amended, uses)
    _squash(plan, history, proposal, spans, uses, cuts)
    appended = _arrive(plan, history, proposal, spans, uses)
    draft = Draft(history.marks, workshop)
    rebuild(plan, history, cuts, appended, uses, draft)
    if workshop.store.span:
        share = history.share if proposal.budget is None else share_of(proposal.budget)
        regroup(plan, history, (*cuts, *appended), appended, pressed, draft, share)
    plan.cut = tuple(cuts)
    _count_names(plan, history, uses)
    if proposal.commit is not None:
        plan.arrived = row_of(proposal.commit, partial(_number, plan, history))
    return plan


def _spans(history: History, victims: Collection[int]) -> list[tuple[int, int]]:
    """Return the victims as runs of neighbours: index of the first, index behind the last."""
    return runs([bisect_left(history.commits.seqs, seq) for seq in sorted(victims)])


def _amend(
    plan: Plan, history: History, amended: Iterable[Amendment], uses: defaultdict[str, int]
) -> None:
    """Account for new remarks on retained commits."""
    for amendment in amended:
        before = history.commits.remarks.get(amendment.seq, NOTHING)
        after = NOTHING if amendment.remarks == NOTHING else amendment.remarks
        plan.remark(amendment.seq, before, after)
        index = bisect_left(history.commits.seqs, amendment.seq)
        plan.pins += amendment.pinned - history.commits.columns.pinned[index]
        plan.pinned[amendment.seq] = amendment.pinned
        for tag in after.tags:
            uses[tag] += 1
        for tag in before.tags:
            uses[tag] -= 1


def _squash(
    plan: Plan,
    history: History,
    proposal: Proposal,
    spans: list[tuple[int, int]],
    uses: defaultdict[str, int],
    cuts: defaultdict[str, list[int]],
) -> None:
    """Merge every run of victims into the commit behind it, or into the new one.

    Within a run, newest first, a key is handed over the first time it is met; whoever is older
    and owns it too has a version that nobody will see.
    """
    commits, seqs = history.commits, history.commits.seqs
    heirs: list[tuple[int, int, array[int]]] = []
    heirlooms: list[tuple[int, int, list[str]]] = []
    for first, behind in spans:
        if behind < len(commits):
            heir, seen = seqs[behind], set(commits.owned(behind))
        else:
            heir, seen = history.made + 1, {step.key for step in proposal.steps}
        kept: list[tuple[str, int]] = []
        for index in range(behind - 1, first - 1, -1):
            seq = seqs[index]
            plan.history_bytes -= COMMIT_BYTES
            if seq in commits.remarks:
                plan.remark(seq, commits.remarks[seq], NOTHING)
            for name in commits.names(index):
                uses[name] -= 1
            for key in commits.owned(index):
                if key in seen:
                    _cut(history, key, seq, cuts)
                else:
                    seen.add(key)
                    kept.append((key, seq))
        inherited = [key for key, seq in kept if not _is_gone(history, key, seq, cuts)]
        # What the victims inherited themselves stands right before what the heir did.
        start, stop = commits.heritage(seqs[first], seqs[behind - 1])
        plan.history_bytes += INHERITED_BYTES * (len(inherited) - (stop - start))
        heirs.append((start, stop, array("q", [heir]) * len(inherited)))
        heirlooms.append((start, stop, inherited))
    if spans:
        for column in commits.columns:
            plan.splices += without(column, spans)
        plan.splices += exchanged(commits.heirs, heirs)
        plan.splices += exchanged(commits.inherited, heirlooms)


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
) -> dict[str, list[tuple[int, Held]]]:
    """Account for the new commit; return what it puts at the end of the keys' chains."""
    commit = proposal.commit
    if commit is None:
        return {}
    appended: dict[str, list[tuple[int, Held]]] = {}
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
    plan.history_bytes += COMMIT_BYTES
    remarks = remarks_of(commit)
    if remarks is not NOTHING:
        plan.remark(commit.seq, NOTHING, remarks)
    plan.made = commit.seq
    return appended


def _newest_survivor(history: History, spans: list[tuple[int, int]]) -> int:
    """Return the number of the newest retained commit that is no victim; 0 if there is none."""
    last = len(history.commits)
    if spans and spans[-1][1] == last:
        last = spans[-1][0]
    return history.commits.seqs[last - 1] if last else 0


def _count_names(plan: Plan, history: History, uses: dict[str, int]) -> None:
    """Account for the names that appear and disappear."""
    known = history.names.known
    for name, change in uses.items():
        number, before = known.get(name) or (plan.given, 0)
        after = before + change
        if change:
            plan.names[name] = number, after
            plan.given += not before
            plan.history_bytes += name_cost(name) * (bool(after) - bool(before))


def _number(plan: Plan, history: History, name: str) -> int:
    """Return the number that a name in use will have."""
    return (plan.names.get(name) or history.names.known[name])[0]
