"""Pruning policies: which commits go?"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from backpack.errors import ConfigError
from backpack.policies.arguments import batch, check_fraction, check_half_life
from backpack.policies.thinning import Thinning
from backpack.protocols import PruningPolicy
from backpack.records import RetainedCommit

if TYPE_CHECKING:
    from attrs import Attribute

    from backpack.records import PruneRequest

__all__ = ["KeepAll", "KeepTagged", "LeastAccessed", "Oldest", "Thinning"]


@frozen
class Oldest:
    """Prune the oldest commits, a fraction of them at a time.

    When to use: the recent past matters most and every commit of it counts; the default.

    Cost: reads the records of the commits it chooses and no others. One call in about
    ``fraction * retained`` packs prunes, so a pack pays O(1) on average.

    Source: first in, first out; the fraction is the ``prunePercentage`` of the Backpack this
    library goes back to.

    Args:
        fraction: How many of the candidates go at a time, above 0 and at most 1; rounded up.

    >>> from backpack.records import Commit, PruneRequest, RetainedCommit
    >>> commits = [Commit("k3fq7x", seq, 0.0, ()) for seq in range(1, 8)]
    >>> request = PruneRequest(
    ...     needed=1, budget=100, used=101, head=commits[-1],
    ...     candidates=[RetainedCommit(commit, size=10) for commit in commits[:-1]],
    ... )
    >>> Oldest(fraction=0.5)(request)
    ['1-k3fq7x', '2-k3fq7x', '3-k3fq7x']
    """

    fraction: float = field(default=0.2, validator=check_fraction)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return the ids of the oldest candidates, oldest first."""
        count = batch(self.fraction, len(request.candidates))
        return [candidate.id for candidate in islice(request.candidates, count)]


@frozen
class LeastAccessed:
    """Prune the commits that were least often looked back at; old looks count less.

    The score of a commit is its accesses, halved for every ``half_life`` commits made since the
    last of them; the lowest go, the older first where scores are equal.

    When to use: a few commits are looked back at again and again (a plan, a checkpoint to roll
    back to), and they should outlive the rest. Where nothing is ever looked at, it is
    :class:`Oldest`.

    Cost: stops reading as soon as it has met enough commits that were never looked at;
    O(candidates) records at most, and O(n log n) to order those that were.

    Source: least frequently used, with ageing: the weight ``(1/2) ** (λ * age)`` of LRFU (Lee,
    Choi, Kim, Noh, Min, Cho and Kim, "LRFU: a spectrum of policies that subsumes the least
    recently used and least frequently used policies", IEEE Transactions on Computers 50(12),
    2001), applied to all accesses as if they were as old as the last one.

    Args:
        fraction: How many of the candidates go at a time, above 0 and at most 1; rounded up.
        half_life: After how many commits an access counts half; infinity never forgets.

    >>> from backpack.records import Commit, PruneRequest, RetainedCommit
    >>> commits = [Commit("k3fq7x", seq, 0.0, ()) for seq in range(1, 6)]
    >>> looks = {1: 5, 2: 0, 3: 0, 4: 1}
    >>> request = PruneRequest(
    ...     needed=1, budget=100, used=101, head=commits[-1],
    ...     candidates=[
    ...         RetainedCommit(commit, size=10, accesses=looks[commit.seq], last_access=5)
    ...         for commit in commits[:-1]
    ...     ],
    ... )
    >>> LeastAccessed(fraction=0.75)(request)
    ['2-k3fq7x', '3-k3fq7x', '4-k3fq7x']
    """

    fraction: float = field(default=0.2, validator=check_fraction)
    half_life: float = field(default=1000.0, validator=check_half_life)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return the ids of the least accessed candidates, lowest score first."""
        count = batch(self.fraction, len(request.candidates))
        head = request.head.seq
        unread: list[str] = []
        read: list[tuple[float, int, RetainedCommit]] = []
        for position, candidate in enumerate(request.candidates):
            if candidate.accesses:
                # The logarithm of the score orders as the score does, and never underflows.
                score = math.log2(candidate.accesses)
                score -= (head - candidate.last_access) / self.half_life
                read.append((score, position, candidate))
            else:
                unread.append(candidate.id)
                if len(unread) == count:
                    return unread
        read.sort()
        return unread + [candidate.id for _, _, candidate in read[: count - len(unread)]]


@frozen
class KeepAll:
    """Prune nothing: once history is full, a change that needs room is refused.

    When to use: a short run whose every commit must stay, under a budget that is large enough;
    then running out of room is an error somebody should hear about.

    Cost: none.

    Source: ours.

    >>> from backpack.records import Commit, PruneRequest
    >>> head = Commit("k3fq7x", 9, 0.0, ())
    >>> KeepAll()(PruneRequest(needed=1, budget=100, used=101, head=head, candidates=[]))
    ()
    """

    def __call__(self, request: PruneRequest, /) -> tuple[str, ...]:
        """Return nothing."""
        return ()


def _to_tags(value: Iterable[str] | None) -> tuple[str, ...] | None:
    """Sort the tags and drop duplicates; an attrs converter."""
    if value is None:
        return None
    tags = () if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not tags or not all(isinstance(tag, str) for tag in tags):
        raise ConfigError(
            f"{reprlib.repr(value)} is no list of tags; write one with a tag or more, like "
            "['milestone'], or leave tags out to spare every tagged commit",
            field="tags",
        )
    return tuple(sorted(set(tags)))


def _check_inner(_instance: object, attribute: Attribute[PruningPolicy], value: object) -> None:
    # A class is callable too, but calling it only constructs.
    if isinstance(value, type) or not callable(value):
        raise ConfigError(
            f"{reprlib.repr(value)} is not a pruning policy; pass an object or a function that "
            "is called with a PruneRequest, like Oldest()",
            field=attribute.name,
        )


@frozen
class KeepTagged:
    """Prune by another policy, sparing tagged commits while there are others.

    The inner policy is offered the commits that are not spared; only when every candidate is
    spared is it offered those.

    When to use: some commits are milestones, and a tag is how you say so. Unlike a pinned
    commit a tagged one never makes a change fail: where it is the tagged ones or nothing, they
    go.

    Cost: that of the inner policy, and O(candidates) records a call to leave out the spared.

    Source: ours; ``restic forget --keep-tag`` spares tagged snapshots in the same way.

    Args:
        inner: The policy that chooses.
        tags: Spare commits with one of these tags; None spares those with any tag.

    >>> from backpack.records import Commit, PruneRequest, RetainedCommit
    >>> commits = [
    ...     Commit("k3fq7x", 1, 0.0, (), tags=("milestone",)),
    ...     Commit("k3fq7x", 2, 0.0, ()),
    ...     Commit("k3fq7x", 3, 0.0, ()),
    ... ]
    >>> request = PruneRequest(
    ...     needed=1, budget=100, used=101, head=commits[-1],
    ...     candidates=[RetainedCommit(commit, size=10) for commit in commits[:-1]],
    ... )
    >>> KeepTagged(inner=Oldest(fraction=0.5))(request)
    ['2-k3fq7x']
    """

    inner: PruningPolicy = field(factory=Oldest, validator=_check_inner)
    tags: tuple[str, ...] | None = field(default=None, converter=_to_tags)

    def __call__(self, request: PruneRequest, /) -> Iterable[str]:
        """Return what the inner policy chooses of the commits it is offered."""
        others = _Others(request.candidates, None if self.tags is None else frozenset(self.tags))
        if next(iter(others), None) is None:
            return self.inner(request)
        return self.inner(evolve(request, candidates=others))


class _Others(Collection[RetainedCommit]):
    """The candidates that are not spared, found as they are asked for."""

    def __init__(
        self, candidates: Collection[RetainedCommit], spared: frozenset[str] | None
    ) -> None:
        self._candidates = candidates
        self._spared = spared
        self._length: int | None = None

    def __iter__(self) -> Iterator[RetainedCommit]:
        return (candidate for candidate in self._candidates if not self._spares(candidate))

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self)
        return self._length

    def __contains__(self, item: object) -> bool:
        return (
            isinstance(item, RetainedCommit) and not self._spares(item) and item in self._candidates
        )

    def _spares(self, candidate: RetainedCommit) -> bool:
        tags = candidate.commit.tags
        return bool(tags) if self._spared is None else not self._spared.isdisjoint(tags)
