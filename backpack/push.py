"""The common change, planned the short way: one key gets another value, and there is room.

Nine changes in ten are of this kind, and what :func:`~backpack.plan.make_plan` works out for any
change comes to a dozen numbers here. A test holds the two against each other; everything out of
the ordinary goes the long way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from backpack.budget import COMMIT_BYTES, held_cost
from backpack.commits import row_of
from backpack.entries import Entry, Tail
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backpack.commits import Row
    from backpack.history import Chain, Current, Held, History
    from backpack.proposal import Proposal
    from backpack.store import Store

__all__ = ["Push", "make_push"]


@define
class Push:
    """The history after such a change: as a plan, carrying it out twice is carrying it out once.

    Attributes:
        history_bytes: What the history will take.
        current_bytes: What the current values will take.
        versions: How many superseded versions the chains will hold.
        references: How many versions will be references.
        raw_bytes: How many bytes all tails will hold raw.
        key: The key.
        current: Its new version.
        chain: Where the version before goes.
        length: How many versions are before it there.
        seq: The number of the commit that set it.
        held: What is held of it.
        tail: What the tail of the chain will be.
        raw: How many bytes that tail will hold raw, with its leader.
        row: The row of the new commit.
        staying: How many commits are before it.
        names: The numbers of the names it mentions, and how many uses they will have.
    """

    history_bytes: int
    current_bytes: int
    versions: int
    references: int
    raw_bytes: int
    key: str
    current: Current
    chain: Chain
    length: int
    seq: int
    held: Held
    tail: Tail
    raw: int
    row: Row
    staying: int
    names: dict[str, tuple[int, int]]

    def carry_out(self, history: History) -> None:
        """Make the history what this says."""
        history.commits.append(self.row, self.staying)
        chain = self.chain
        if len(chain.seqs) == self.length:
            chain.seqs.append(self.seq)
        if len(chain.held) == self.length:
            chain.held.append(self.held)
        chain.tail = self.tail
        history.current[self.key] = self.current
        history.names.put(self.names)
        if self.raw:
            history.waiting.pop(self.key, None)
            history.waiting[self.key] = self.raw
        history.made = self.row.seq
        history.count(self)


def make_push(history: History, proposal: Proposal, store: Store) -> Push | None:
    """Return what a proposal makes of the history; None where it is out of the ordinary.

    Args:
        history: The history as it is; left alone.
        proposal: The change.
        store: Tells how many versions a tail may hold raw.
    """
    commit, steps = proposal.commit, proposal.steps
    if commit is None or len(steps) != 1 or len(commit.changes) != 1:
        return None
    if commit.tags or commit.note is not None:
        return None
    key, current, held = steps[0].key, steps[0].current, steps[0].held
    chain = history.chains.get(key)
    if chain is None or held is None or current is None:
        return None
    names = _one_more(history.names.known, key, commit.by)
    if names is None:
        return None
    before = history.current[key]
    tail, raw = chain.tail, 0
    if type(held) is Entry:
        raw = len(held.data)
        if len(tail.raw) + 1 >= store.longest_tail or history.raw_bytes + raw > history.share:
            return None
        tail = Tail(tail.leader, tail.reach, (*tail.raw, held), tail.size + raw)
    return Push(
        history.history_bytes + held_cost(held) + COMMIT_BYTES,
        history.current_bytes + len(current.encoded) - len(before.encoded),
        history.versions + 1,
        history.references + (type(held) is Reference),
        history.raw_bytes + raw,
        key,
        current,
        chain,
        len(chain.seqs),
        before.seq,
        held,
        tail,
        history.waiting.get(key, 0) + raw,
        row_of(commit, lambda name: names[name][0]),
        len(history.commits),
        names,
    )


def _one_more(
    known: Mapping[str, tuple[int, int]], key: str, by: str | None
) -> dict[str, tuple[int, int]] | None:
    """Return the names with one more use each; None if one of them is new."""
    names: dict[str, tuple[int, int]] = {}
    for name in (key,) if by is None else (key, by):
        number, uses = names.get(name) or known.get(name) or (0, 0)
        if not uses:
            return None
        names[name] = number, uses + 1
    return names
