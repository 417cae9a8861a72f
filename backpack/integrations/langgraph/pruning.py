"""The policies of a thread: whole checkpoints go, and none that another one needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from backpack.policies import Oldest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backpack.integrations.langgraph.ledger import Ledger
    from backpack.records import PruneRequest, RetainedCommit, SizedValue

__all__ = ["POLICY", "PruneCheckpoints", "keep_whole"]

#: Who refuses, in an error that tells of a thread.
POLICY: Final = "BackpackSaver"

#: Which share of the checkpoints is given up at a time: as that of commits in ``Oldest``.
_SHARE: Final = 0.2


def keep_whole(_: SizedValue) -> None:
    """Keep every value, whatever its size: a checkpoint without one could not be resumed."""


class PruneCheckpoints:
    """Give up the oldest checkpoints that no other one needs; first the commits nobody needs.

    Source: ours. What needs what is LangGraph's: a delta channel is rebuilt from the writes of
    the ancestors of its checkpoint, and a graph is resumed with the states of its subgraphs.

    Args:
        ledger: What the commits of the thread are for.
        keeps_all: Whether what is given up can be read all the same, in an archive.
    """

    def __init__(self, ledger: Ledger, *, keeps_all: bool) -> None:
        self._ledger = ledger
        self._keeps_all = keeps_all

    def __call__(self, request: PruneRequest) -> Iterable[str]:
        """Return ids of commits to prune; none where every checkpoint is needed."""
        ledger, candidates = self._ledger, request.candidates
        if self._keeps_all or not ledger.is_read:
            return Oldest(_SHARE)(request)
        name = _Names(request.head.origin, candidates)
        surplus = name.offered(ledger.surplus)
        if surplus:
            return surplus
        chosen = ledger.choose(name.is_offered, _SHARE)
        return name.offered(seq for each in chosen for seq in (each.seq, each.late))


class _Names:
    """Turns the numbers of commits into ids of candidates.

    Args:
        origin: What the ids end with.
        candidates: The candidates.
    """

    def __init__(self, origin: str, candidates: Collection[RetainedCommit]) -> None:
        self._origin = origin
        self._candidates = candidates

    def is_offered(self, seq: int) -> bool:
        """Whether the commit with this number is a candidate."""
        candidates: Collection[object] = self._candidates
        return f"{seq}-{self._origin}" in candidates

    def offered(self, seqs: Iterable[int]) -> list[str]:
        """Return the ids of those that are."""
        return [f"{seq}-{self._origin}" for seq in seqs if seq and self.is_offered(seq)]
