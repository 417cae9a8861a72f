"""Making room: what is raw is made groups, then the pruning policy is asked, until it fits.

Policies are not trusted. Whatever they answer is held against what they were offered, and
nothing is touched before the whole plan fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from attrs import define

from backpack.budget import owned_cost
from backpack.draft import Workshop
from backpack.errors import BudgetError, PolicyError
from backpack.guard import name_of
from backpack.ids import parse_id
from backpack.plan import make_plan
from backpack.push import make_push
from backpack.records import PruneRequest, RetainedCommit
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.guard import Guard
    from backpack.history import History
    from backpack.plan import Plan
    from backpack.proposal import Proposal
    from backpack.protocols import PruningPolicy
    from backpack.push import Push
    from backpack.store import Store

__all__ = ["Candidates", "Room", "make_room"]


class Candidates(Collection[RetainedCommit]):
    """The commits a pruning policy may choose, oldest first, made as they are read.

    Neither a pinned commit is among them, nor one already chosen, nor the head, except in the
    last resort: where nothing else is left and a new commit is about to be the head.

    Args:
        history: The history; left alone.
        victims: Numbers of the commits already chosen.
        kept: Numbers of the commits the change is about.
        last_resort: Whether the newest commit may go too.
    """

    def __init__(
        self,
        history: History,
        victims: Collection[int] = (),
        kept: Collection[int] = (),
        *,
        last_resort: bool = False,
    ) -> None:
        self._history = history
        self._victims = victims
        self._kept = kept
        self._stop = len(history.commits) - (not last_resort)
        # The head may have been chosen without having been offered: by who had it erased.
        self._chosen = len(victims) - (not last_resort and history.made in victims)

    def __len__(self) -> int:
        """How many there are. O(1) while nothing is pinned."""
        if self._history.pins or self._kept:
            return sum(1 for _ in self._offered())
        return max(0, self._stop - self._chosen)

    def __iter__(self) -> Iterator[RetainedCommit]:
        commits, columns = self._history.commits, self._history.commits.columns
        for index in self._offered():
            yield RetainedCommit(
                commits[index],
                owned_cost(self._history, index),
                columns.accesses[index],
                columns.last_access[index],
            )

    def __contains__(self, item: object) -> bool:
        """Whether this commit, or the one with this id, may be chosen."""
        commit_id = item.id if isinstance(item, RetainedCommit) else item
        return isinstance(commit_id, str) and self.number_of(commit_id) is not None

    def number_of(self, commit_id: str) -> int | None:
        """Return the number of the candidate with this id, if it is one. O(log commits)."""
        seq, origin = parse_id(commit_id) or (0, "")
        index = self._history.commits.find(seq)
        if index is None or origin != self._history.commits.origin or not self._may_go(index):
            return None
        return seq

    def close(self) -> None:
        """Offer nothing any more: the question is over."""
        self._stop = 0

    def _may_go(self, index: int) -> bool:
        columns = self._history.commits.columns
        seq = columns.seq[index]
        return index < self._stop and not (
            columns.pinned[index] or seq in self._victims or seq in self._kept
        )

    def _offered(self) -> Iterator[int]:
        return filter(self._may_go, range(self._stop))


@define
class Room:
    """A plan that fits, and what was given up for it.

    Attributes:
        plan: The plan.
        victims: Numbers of the commits it prunes, ascending.
        freed_bytes: Bytes of history that pruning them frees.
    """

    plan: Plan | Push
    victims: Sequence[int] = ()
    freed_bytes: int = 0


def make_room(
    history: History,
    proposal: Proposal,
    *,
    policy: PruningPolicy,
    guard: Guard,
    store: Store,
    leaving: Collection[int] = (),
) -> Room:
    """Plan a proposal so that the history stays within its budget.

    Args:
        history: The history as it is; left alone.
        proposal: The change.
        policy: The pruning policy to ask for victims.
        guard: Puts the questions to it.
        store: Holds what leans on others.
        leaving: Numbers of the commits that are pruned in any case.

    Returns:
        The plan that fits.

    Raises:
        BudgetError: The change does not fit and nothing more is given up for it.
        PolicyError: A policy chose what it was not offered, or failed.
    """
    budget = history.budget if proposal.budget is None else proposal.budget
    push = None if leaving else make_push(history, proposal, store)
    if push is not None and push.history_bytes <= budget:
        return Room(push)
    workshop = Workshop(store)
    victims = set(leaving)
    plan, pressed = _compacted(history, proposal, workshop, budget, victims)
    unpruned = plan.history_bytes
    if leaving:
        unpruned = _unerased(history, proposal, workshop)
    if plan.history_bytes <= budget:
        freed = unpruned - plan.history_bytes
        return Room(plan, sorted(victims), freed)
    needed = plan.history_bytes - history.history_bytes
    kept = [amendment.seq for amendment in proposal.amended]
    while plan.history_bytes > budget:
        candidates = Candidates(history, victims, kept)
        if not candidates and proposal.commit is not None:
            candidates = Candidates(history, victims, kept, last_resort=True)
        chosen: set[int] = set()
        if candidates:
            request = PruneRequest(
                needed=plan.history_bytes - budget,
                budget=budget,
                used=plan.history_bytes,
                head=history.commits[-1],
                candidates=candidates,
            )
            chosen = _ask(policy, request, candidates, guard)
        if not chosen and proposal.budget is not None:
            raise _too_small(plan.history_bytes, budget, name_of(policy), history.pins)
        if not chosen:
            free = budget - plan.history_bytes + needed
            raise _refusal(needed, free, budget, name_of(policy), history.pins)
        victims |= chosen
        plan = make_plan(history, proposal, workshop, victims=victims, pressed=pressed)
    return Room(plan, sorted(victims), unpruned - plan.history_bytes)


def _unerased(history: History, proposal: Proposal, workshop: Workshop) -> int:
    """Return what the history would take with a proposal, and with what a caller has erased."""
    if proposal.commit is None:
        return history.history_bytes
    return make_plan(history, proposal, workshop).history_bytes


def _compacted(
    history: History,
    proposal: Proposal,
    workshop: Workshop,
    budget: int,
    victims: Collection[int],
) -> tuple[Plan, Mapping[str, None]]:
    """Plan a proposal, leaving as few versions raw as it takes to stay within the budget.

    Returns:
        The plan, which need not fit, and the keys in whose chains nothing is left raw.
    """
    plan = make_plan(history, proposal, workshop, victims=victims)
    pressed = dict.fromkeys(key for key, raw in plan.waiting.items() if not raw)
    if plan.history_bytes > budget:
        for keys in _raw_first(history, plan, budget):
            pressed.update(dict.fromkeys(keys))
            plan = make_plan(history, proposal, workshop, victims=victims, pressed=pressed)
            if plan.history_bytes <= budget:
                break
    return plan, pressed


def _raw_first(history: History, plan: Plan, budget: int) -> Iterator[list[str]]:
    """Iterate over the keys with raw versions, in portions that double what they may free.

    The key that waits longest comes first, those of the change itself last.
    """
    own = [key for key, bytes_raw in plan.waiting.items() if bytes_raw]
    missing = plan.history_bytes - budget
    portion: list[str] = []
    raw = 0
    for key, bytes_raw in history.waiting.items():
        if key not in plan.waiting:
            portion.append(key)
            raw += bytes_raw
            if raw >= missing:
                yield portion
                portion, raw, missing = [], 0, 2 * missing
    portion += own
    if portion:
        yield portion


def _ask(
    policy: PruningPolicy, request: PruneRequest, candidates: Candidates, guard: Guard
) -> set[int]:
    """Ask the policy once; return the numbers of the commits it chose, checked."""
    name = name_of(policy)

    def collect(request: PruneRequest) -> list[object]:
        answer: object = policy(request)
        if isinstance(answer, str) or not isinstance(answer, Iterable):
            raise PolicyError(
                f"pruning policy {name} must return the ids of the commits to prune, "
                f"not {described(answer)}",
                policy=name,
            )
        # One more than there can be is enough to see that a choice has no end.
        return list(islice(answer, len(candidates) + 1))

    try:
        chosen: set[int] = set()
        for commit_id in guard.ask(policy, collect, request):
            seq = candidates.number_of(commit_id) if isinstance(commit_id, str) else None
            if seq is None or seq in chosen:
                fault = "was not offered to it" if seq is None else "was chosen twice"
                raise PolicyError(
                    f"pruning policy {name} chose {described(commit_id)}, which {fault}; "
                    f"it was offered {len(candidates):,} commits and must return ids of these, "
                    "each once; nothing was changed",
                    policy=name,
                )
            chosen.add(seq)
        return chosen
    finally:
        candidates.close()


def _refusal(needed: int, free: int, budget: int, policy: str, pins: int) -> BudgetError:
    return BudgetError(
        f"the change needs {needed:,} bytes of history, but of the budget of {budget:,} only "
        f"{max(free, 0):,} are free and {policy} gives nothing more up; nothing was changed. "
        "What helps: a larger max_history_size, a smaller reference.max_value_size, "
        f"or another pruning policy{_or_unpin(pins)}",
        needed=needed,
        free=max(free, 0),
        budget=budget,
        policy=policy,
    )


def _too_small(needed: int, budget: int, policy: str, pins: int) -> BudgetError:
    return BudgetError(
        f"what the history has to keep takes {needed:,} bytes, more than the budget of {budget:,} "
        f"that it is to have, and {policy} gives nothing more up; nothing was changed. "
        f"What helps: a larger budget, or another pruning policy{_or_unpin(pins)}",
        needed=needed,
        free=budget,
        budget=budget,
        policy=policy,
    )


def _or_unpin(pins: int) -> str:
    return f", or to unpin some of the {pins:,} pinned commits" if pins else ""
