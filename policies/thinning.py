"""The pruning policy that keeps history dense near the head and sparse far from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from backpack.policies.arguments import batch, check_fraction

if TYPE_CHECKING:
    from backpack.records import Commit, PruneRequest

__all__ = ["Thinning"]


@frozen
class Thinning:
    """Keep recent commits densely and old ones sparsely, like a backup rotation.

    Numbers fall into cells of 2, 4, 8, 16, ... A commit stands for the largest cell whose first
    retained commit it is. Its score is its age, in commits behind the head, over the length of
    that cell, and at least 1. The highest scores go; at equal scores the older, so the commit
    right before the head goes last.

    What stays is what a rotation of backups keeps: about as many commits between 1,000 and 2,000
    back as between 100 and 200 back. If the lowest score that ever went is ``c``, then the last
    ``c`` commits are all there, and where the older of two neighbours is ``a`` commits back, they
    are at most ``2 * a / c + 1`` apart. With room for 200 of 10,000 commits ``c`` is about 30:
    what happened ``a`` commits ago is known to within 7 % of ``a``.

    When to use: the run is long, the question "when did this go wrong?" may reach back to its
    beginning, and an approximate state from there is better than none.

    Cost: reads every candidate once a call, O(n log n) to order them. One call in about
    ``fraction * retained`` packs prunes, so a pack pays O(log n) on average. It frees less than
    its commits' sizes add up to: what the next retained commit still shows stays.

    Source: the pyramidal time frame of CluStream (Aggarwal, Han, Wang and Yu, "A framework for
    clustering evolving data streams", VLDB 2003), which keeps a fixed number of the snapshots
    divisible by each power of two; as a backup rotation, the Tower of Hanoi scheme. The score,
    which finds that number by itself, and the cells, which need no exact multiples, are ours.

    Args:
        fraction: How many of the candidates go at a time, above 0 and at most 1; rounded up.

    >>> from backpack.records import Commit, PruneRequest, RetainedCommit
    >>> commits = [Commit("k3fq7x", seq, 0.0, ()) for seq in range(1, 18)]
    >>> request = PruneRequest(
    ...     needed=1, budget=100, used=101, head=commits[-1],
    ...     candidates=[RetainedCommit(commit, size=10) for commit in commits[:-1]],
    ... )
    >>> gone = Thinning(fraction=0.5)(request)
    >>> [commit.seq for commit in commits if commit.id not in gone]
    [1, 4, 8, 10, 12, 14, 15, 16, 17]
    """

    fraction: float = field(default=0.2, validator=check_fraction)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return the ids of the commits that stand for least, given their age."""
        head = request.head.seq
        scored: list[tuple[float, int, Commit]] = []
        before = 0
        for candidate in request.candidates:
            commit = candidate.commit
            seq = commit.seq
            # The highest bit that changed since the neighbour: the largest cell that begins here.
            # Nothing is before the first one, so it stands for all.
            cell = 1 << (seq ^ before).bit_length() - 1 if before else head
            score = (head - seq) / cell
            scored.append((-score if score > 1.0 else -1.0, seq, commit))
            before = seq
        scored.sort()
        return [commit.id for _, _, commit in scored[: batch(self.fraction, len(scored))]]
