"""What contenders are held against: pruning that knows the future, and pruning that draws lots."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from random import Random
from typing import TYPE_CHECKING, Final

from attrs import define, field

from backpack.compare.survey import LookAhead, Survey
from backpack.config import Config, load_preset
from backpack.ids import parse_id
from backpack.policies.arguments import batch
from backpack.records import PruneRequest, Referenced, RetainedCommit

if TYPE_CHECKING:
    from backpack.records import Event
    from backpack.trace import Operation

__all__ = ["Clairvoyant", "DrawnLots", "Forecast", "unbounded"]

#: How much of what can go does go at once, as with the built-in policies.
_FRACTION: Final = 0.2
#: More than any history takes.
_WITHOUT_END: Final = 2**62


def unbounded() -> Config:
    """Return a configuration that keeps every commit, and every value whole.

    It stores as the preset ``default`` does, so that its peak is what keeping all would take.
    """
    return load_preset(
        "default",
        max_history_size=_WITHOUT_END,
        reference={"use": "stub", "max_value_size": _WITHOUT_END},
        pruning="none",
    )


@define
class DrawnLots:
    """Prunes commits at random, a fifth of them at a time.

    Attributes:
        seed: What the lots are drawn from; equal seeds draw the same.
    """

    seed: int
    _random: Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  Nothing is kept secret by it.

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return the ids of the candidates on whom the lot fell."""
        # Of all that it draws, Python promises the same only for random().
        lots = [(self._random.random(), candidate.id) for candidate in request.candidates]
        return [each for _, each in nsmallest(batch(_FRACTION, len(lots)), lots)]


class Forecast:
    """Which looks are still to come, at any point of a replay, and can be answered whole.

    Args:
        survey: What the trace looks back at.
    """

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._line = 0
        self._looks: dict[int, deque[LookAhead]] = {}
        for look in survey.looks:
            self._looks.setdefault(look.seq, deque()).append(look)
        self._seen = sorted(self._looks)

    def followed(self, operations: Iterable[Operation]) -> Iterator[Operation]:
        """Yield the operations, and note at which of them the replay is."""
        for operation in operations:
            self._line = operation.line
            yield operation

    def hear(self, event: Event) -> None:
        """Take in what a Backpack tells: a value that history leaves out will be missed.

        Once it is superseded, no look at a commit that shows it is answered whole.
        """
        if not isinstance(event, Referenced):
            return
        seq = (parse_id(event.commit) or (0, ""))[0]
        end = self._survey.superseded(event.key, seq)
        if end is None:
            return
        first, last = (bisect_left(self._seen, number) for number in (seq, end))
        for number in self._seen[first:last]:
            left = deque(look for look in self._looks[number] if look.made < end)
            self._looks[number] = left

    def ahead(self, seq: int) -> deque[LookAhead]:
        """Return the looks at a commit that are to come, the next one first."""
        looks = self._looks.get(seq, deque())
        while looks and looks[0].line <= self._line:
            looks.popleft()
        return looks


@define
class Clairvoyant:
    """Prunes what the trace never looks at again; then what its looks gain least from.

    Keeping a commit takes room until the last look at it. Where not all fit that will be looked
    at, those go first that take the most room for the longest time for each look they answer.

    Source: Belady's MIN ("A study of replacement algorithms for a virtual-storage computer", IBM
    Systems Journal 5(2), 1966) gives up what is needed farthest in the future. Here, what is given
    up does not come back and sizes differ, so room and looks are weighed with the time.

    Attributes:
        forecast: Knows the looks to come.
    """

    forecast: Forecast

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return the ids of the commits to give up."""
        idle: list[RetainedCommit] = []
        wanted: list[tuple[float, RetainedCommit]] = []
        now = request.head.seq
        for candidate in request.candidates:
            looks = self.forecast.ahead(candidate.commit.seq)
            if looks:
                wanted.append((_burden(candidate.size, now, looks), candidate))
            else:
                idle.append(candidate)
        if not idle:
            return [max(wanted, key=lambda each: (each[0], -each[1].commit.seq))[1].id]
        chosen, freed = 0, 0
        least = batch(_FRACTION, len(idle))
        while chosen < len(idle) and (chosen < least or freed < request.needed):
            freed += idle[chosen].size
            chosen += 1
        return [candidate.id for candidate in idle[:chosen]]


def _burden(size: int, now: int, looks: deque[LookAhead]) -> float:
    """Return what a commit takes for each look at it: bytes, times commits until the look.

    Of its looks, it is kept for those that take the least each.
    """
    return min(size * (look.made - now + 1) / number for number, look in enumerate(looks, start=1))
