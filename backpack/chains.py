"""The part of a plan that is about the chains: versions leave them, arrive, and are made groups."""

from __future__ import annotations

from array import array
from itertools import chain as chain_of
from typing import TYPE_CHECKING

from backpack.budget import CHAIN_BYTES, entry_cost, held_cost
from backpack.entries import Entry
from backpack.history import TOMBSTONE, Chain
from backpack.splices import Splice, runs, without

if TYPE_CHECKING:
    from collections import defaultdict
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from backpack.draft import Draft
    from backpack.entries import Tail
    from backpack.history import Held, History
    from backpack.plan import Plan

__all__ = ["rebuild", "regroup"]


def rebuild(
    plan: Plan,
    history: History,
    cuts: dict[str, list[int]],
    appended: dict[str, list[tuple[int, Held]]],
    uses: defaultdict[str, int],
    draft: Draft,
) -> None:
    """Take the freed versions out of the chains and put the superseded ones behind."""
    for key in dict.fromkeys((*cuts, *appended)):
        chain = history.chains.get(key)
        entries = appended.get(key, ())
        if chain is None:
            _start_chain(plan, key, entries, uses)
            continue
        freed = _with_leading_tombstones(chain, sorted(cuts.get(key, ())))
        for index in freed:
            held = chain.held[index]
            plan.free(held)
            if isinstance(held, Entry):
                draft.drop(held)
        if len(freed) == len(chain.seqs):
            plan.chains[key] = None
            plan.history_bytes -= CHAIN_BYTES
            uses[key] -= 1
            _start_chain(plan, key, entries, uses)
            continue
        for _, held in entries:
            plan.hold(held)
        length = len(chain.seqs) - len(freed)
        spans = runs(freed)
        for column, items in (
            (chain.seqs, array("q", [seq for seq, _ in entries])),
            (chain.held, [held for _, held in entries]),
        ):
            plan.splices += without(column, spans)
            if items:
                plan.splices.append(Splice(column, length, length, length, items))


def regroup(
    plan: Plan,
    history: History,
    changed: Iterable[str],
    appended: Mapping[str, Sequence[tuple[int, Held]]],
    pressed: Collection[str],
    draft: Draft,
    share: int,
) -> None:
    """Make groups of the tails that are long enough or pressed, and account for what was held anew.

    All tails together hold raw no more than their share of the budget: where that is passed, the
    longest unchanged are pressed, and at last those that changed made groups of.

    Args:
        plan: The plan so far, with its chains rebuilt.
        history: The history as it is; left alone.
        changed: The keys whose chains lost or gained versions.
        appended: What was put at the end of the chains.
        pressed: The keys in whose chains nothing shall be left raw.
        draft: The draft in which versions that go were dropped.
        share: How many bytes all tails together may hold raw.
    """

    def end(key: str, making: Callable[[Tail], Tail]) -> None:
        """Give a chain the tail that is made of the one it has."""
        chain = plan.chains[key] if key in plan.chains else history.chains.get(key)
        raw = 0
        if chain is not None:
            before = plan.tails[key][1] if key in plan.tails else arrived(chain.tail, key)
            plan.tails[key] = chain, making(before)
            raw = draft.raw_bytes(plan.tails[key][1])
        waiting = plan.waiting.get(key, history.waiting.get(key, 0))
        plan.raw_bytes += raw - waiting
        if raw or waiting:
            plan.waiting[key] = raw

    def arrived(tail: Tail, key: str) -> Tail:
        arriving = [held for _, held in appended.get(key, ()) if isinstance(held, Entry)]
        return draft.tail(tail, arriving)

    for key in dict.fromkeys((*changed, *pressed)):
        end(key, draft.press if key in pressed else draft.group)
    if plan.raw_bytes > share:
        changed = [key for key, raw in plan.waiting.items() if raw]
        others = (key for key in history.waiting if key not in plan.waiting)
        for key in chain_of(others, changed):
            end(key, draft.close if key in changed else draft.press)
            if plan.raw_bytes <= share:
                break
    held_anew = draft.finished()
    plan.history_bytes += sum(
        entry_cost(new.form, new.data) - held_cost(new.entry) for new in held_anew
    )
    plan.rewritten = [*held_anew, *draft.released()]
    plan.marks = draft.marks


def _start_chain(
    plan: Plan, key: str, entries: Sequence[tuple[int, Held]], uses: defaultdict[str, int]
) -> None:
    """Make a key's chain, unless all there is to put in is a removal of nothing."""
    if entries and entries[0][1] is not TOMBSTONE:
        seqs = array("q", [seq for seq, _ in entries])
        plan.chains[key] = Chain(seqs, [held for _, held in entries])
        plan.history_bytes += CHAIN_BYTES
        uses[key] += 1
        for _, held in entries:
            plan.hold(held)


def _with_leading_tombstones(chain: Chain, freed: list[int]) -> list[int]:
    """Return the freed indexes and those of removals before which nothing would be left."""
    if not freed:
        return freed
    going = set(freed)
    for index, held in enumerate(chain.held):
        if index not in going:
            if held is not TOMBSTONE:
                break
            going.add(index)
    return sorted(going)
