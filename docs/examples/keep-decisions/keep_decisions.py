"""A pruning policy: keep the decisions, thin the chatter."""

from __future__ import annotations

import math

from attrs import frozen

from backpack.records import Commit, PruneRequest


@frozen
class KeepDecisions:
    """Give up chatter where it is dense for its age; decisions go last.

    A commit is a decision if it has one of the tags; all others are chatter. Of the last minutes
    nearly all stays, of the first hour little; but no stretch of a run is ever without any.

    Args:
        tags: What decisions are tagged with.
        fraction: How much of the chatter goes at a time, above 0 and at most a half.
    """

    tags: frozenset[str] = frozenset({"decided"})
    fraction: float = 0.2

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return ids to prune: of chatter, and where there is none, of decisions."""
        chatter: list[Commit] = []
        decisions: list[Commit] = []
        for candidate in request.candidates:
            is_decision = not self.tags.isdisjoint(candidate.commit.tags)
            (decisions if is_decision else chatter).append(candidate.commit)
        pool = [*(chatter or decisions), request.head]

        def stands_for(at: int) -> float:
            """Return how long a stretch a commit stands for, in terms of its age."""
            before = pool[at - 1].seq if at else 0
            # Plus one: the last that may be offered is the head itself, of age 0.
            return (pool[at + 1].seq - before) / (request.head.seq + 1 - pool[at].seq)

        number = len(pool) - 1
        # Every other one only, so that no two neighbours go at once; the last among them.
        places = sorted(range(1 - number % 2, number, 2), key=stands_for)
        return [pool[at].id for at in places[: math.ceil(self.fraction * number)]]
