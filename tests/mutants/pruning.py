# ruff: noqa: S311
"""Pruning policies with one bug each, and odd ones without."""

from __future__ import annotations

import math
import os
import random
import statistics
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice, takewhile
from typing import Any, ClassVar, Final
from weakref import WeakKeyDictionary

from attrs import field, frozen

from backpack.records import PruneRequest, RetainedCommit

__all__ = ["BROKEN", "HANGING", "ODD"]


def _fifth(request: PruneRequest) -> int:
    return -(-len(request.candidates) // 5)


def _half(request: PruneRequest) -> int:
    return -(-len(request.candidates) // 2)


def _oldest(request: PruneRequest, count: int) -> list[str]:
    return [item.id for item in islice(request.candidates, count)]


def _newest(request: PruneRequest, count: int) -> list[str]:
    ids = [item.id for item in request.candidates]
    return ids[len(ids) - count :]


def _mixed(request: PruneRequest, salt: object) -> list[str]:
    """Half of the candidates, another half for another salt."""
    ids = sorted(
        (item.id for item in request.candidates),
        key=lambda name: zlib.crc32(f"{salt} {name}".encode()),
    )
    return ids[: _half(request)]


def _always(policy: object) -> Callable[[], object]:
    return lambda: policy


# --- PO1: it raises ----------------------------------------------------------------------------


def first_tag_first(request: PruneRequest) -> list[str]:
    """Take it that every commit has a tag."""
    items = sorted(request.candidates, key=lambda item: item.commit.tags[0])
    return [item.id for item in items[: _fifth(request)]]


def drafts_go(request: PruneRequest) -> list[str]:
    """Take it that every commit says who made it."""
    authors: dict[str, Any] = {item.id: item.commit.by for item in request.candidates}
    drafts = [name for name, by in authors.items() if by.lower() == "drafter"]
    return drafts or _oldest(request, 1)


def five_at_random(request: PruneRequest) -> list[str]:
    """Take it that there are five candidates at least."""
    return random.sample([item.id for item in request.candidates], 5)


def least_read(request: PruneRequest) -> list[str]:
    """Take the logarithm of accesses that may be 0."""
    items = sorted(request.candidates, key=lambda item: math.log(item.accesses))
    return [item.id for item in items[: _fifth(request)]]


# --- PO2: it changes what it is shown ----------------------------------------------------------


def counts_down(request: PruneRequest) -> list[str]:
    """Count the need down in the request itself."""
    chosen = []
    for item in request.candidates:
        if request.needed <= 0:
            break
        chosen.append(item.id)
        object.__setattr__(request, "needed", request.needed - item.size)
    return chosen


def labels_head(request: PruneRequest) -> list[str]:
    """Note in the head what went for it."""
    chosen = _oldest(request, _fifth(request))
    object.__setattr__(request.head, "note", f"{len(chosen)} commits went")
    return chosen


# --- PO3: it answers differently each time -----------------------------------------------------


def by_entropy(request: PruneRequest) -> list[str]:
    """Choose with the random numbers of the operating system."""
    return _mixed(request, os.urandom(8))


def by_clock(request: PruneRequest) -> list[str]:
    """Choose by the nanosecond in which it is asked."""
    return _mixed(request, time.perf_counter_ns())


class Unseeded:
    """Choose with a generator of its own that nobody seeded."""

    def __init__(self) -> None:
        self._random = random.Random()

    def __call__(self, request: PruneRequest, /) -> list[str]:
        return _mixed(request, self._random.random())


class CountsTogether:
    """Count its calls in the class, for all of its kind at once."""

    calls: ClassVar[int] = 0

    def __call__(self, request: PruneRequest, /) -> list[str]:
        type(self).calls += 1
        return _mixed(request, self.calls)


# --- PO4: its copies do not answer as it does --------------------------------------------------


class Locked:
    """Hold a lock, which neither pickles nor copies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, request: PruneRequest, /) -> list[str]:
        with self._lock:
            return _oldest(request, _fifth(request))


class Generating:
    """Hold a running generator, which neither pickles nor copies."""

    def __init__(self) -> None:
        self._divisors = self._make_divisors()

    @staticmethod
    def _make_divisors() -> Iterator[int]:
        while True:
            yield from (2, 3, 5)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        return _oldest(request, -(-len(request.candidates) // next(self._divisors)))


class Keyed:
    """Hold a lambda, which does not pickle."""

    def __init__(self) -> None:
        self._key: Callable[[RetainedCommit], int] = lambda item: -item.size

    def __call__(self, request: PruneRequest, /) -> list[str]:
        items = sorted(request.candidates, key=self._key)
        return [item.id for item in items[: _fifth(request)]]


class Forgetful:
    """Leave its count of calls out of its copies."""

    def __init__(self) -> None:
        self._calls = 0

    def __getstate__(self) -> dict[str, int]:
        return {"_calls": 0}

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self._calls += 1
        return _mixed(request, self._calls)


class Shared:
    """Share its count of calls with its copies, through a table of counts."""

    counts: ClassVar[dict[int, int]] = {}

    def __init__(self, number: int | None = None) -> None:
        self._number = len(self.counts) if number is None else number
        self.counts.setdefault(self._number, 0)

    def __reduce__(self) -> tuple[type[Shared], tuple[int]]:
        return type(self), (self._number,)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self.counts[self._number] += 1
        return _mixed(request, self.counts[self._number])


_CALLS: Final[WeakKeyDictionary[object, int]] = WeakKeyDictionary()


class Beside:
    """Keep its count of calls beside itself, where no copy takes it along."""

    def __call__(self, request: PruneRequest, /) -> list[str]:
        _CALLS[self] = _CALLS.get(self, 0) + 1
        return _mixed(request, _CALLS[self])


def make_closure() -> Callable[[PruneRequest], list[str]]:
    """Return a function that counts its calls in a variable around it."""
    calls = 0

    def choose(request: PruneRequest) -> list[str]:
        nonlocal calls
        calls += 1
        return _mixed(request, calls)

    return choose


# --- PO5: it never forgets ---------------------------------------------------------------------


class KeepsQuestions:
    """Remember every question."""

    def __init__(self) -> None:
        self._asked: list[PruneRequest] = []

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self._asked.append(request)
        return _oldest(request, _fifth(request))


class KeepsAnswers:
    """Remember every answer, so as to give it again."""

    def __init__(self) -> None:
        self._log: list[tuple[int, str, list[str]]] = []

    def __call__(self, request: PruneRequest, /) -> list[str]:
        chosen = _newest(request, _fifth(request))
        self._log.append((len(chosen), request.head.id, chosen))
        return chosen


# --- PR1: it chooses what it is not offered, or one thing twice --------------------------------


def records(request: PruneRequest) -> list[RetainedCommit]:
    """Return records, not ids."""
    return list(islice(request.candidates, _fifth(request)))


def numbers(request: PruneRequest) -> list[int]:
    """Return the numbers of commits, not their ids."""
    return [item.commit.seq for item in islice(request.candidates, _fifth(request))]


def bare_id(request: PruneRequest) -> Iterable[str]:
    """Return one id instead of a list of one, so that its letters are what is chosen."""
    return next((item.id for item in request.candidates), "")


def as_text(request: PruneRequest) -> Iterable[str]:
    """Return the records as text."""
    return map(str, islice(request.candidates, _fifth(request)))


def as_bytes(request: PruneRequest) -> set[bytes]:
    """Return ids as bytes."""
    return {name.encode() for name in _oldest(request, _fifth(request))}


def with_head(request: PruneRequest) -> list[str]:
    """Choose the head once there is nothing else to choose from but one."""
    ids = _oldest(request, _half(request))
    return [*ids, request.head.id] if len(request.candidates) == len(ids) else ids


def old_and_large(request: PruneRequest) -> list[str]:
    """Choose the oldest half and the largest half, and what is both twice."""
    items = sorted(request.candidates, key=lambda item: -item.size)
    return _oldest(request, _half(request)) + [item.id for item in items[: _half(request)]]


def counts_from_one(request: PruneRequest) -> list[str]:
    """Take it that no commit was ever pruned: the oldest is number 1."""
    origin = request.head.origin
    return [f"{seq}-{origin}" for seq in range(1, _fifth(request) + 1)]


# --- PR2: it stops before the need is met ------------------------------------------------------


@frozen
class RoundsDown:
    """Round a fraction of the candidates down, to nothing where there are few."""

    fraction: float = 0.2

    def __call__(self, request: PruneRequest, /) -> list[str]:
        return _oldest(request, int(self.fraction * len(request.candidates)))


def all_but_last(request: PruneRequest) -> list[str]:
    """Never give up the last candidate."""
    return [item.id for item in request.candidates][:-1]


def all_but_first(request: PruneRequest) -> Iterator[str]:
    """Never give up the first candidate, the beginning of everything."""
    return (item.id for item in islice(request.candidates, 1, None))


def only_tagged(request: PruneRequest) -> list[str]:
    """Give up tagged commits and no others."""
    return [item.id for item in request.candidates if item.commit.tags]


def only_unread(request: PruneRequest) -> set[str]:
    """Give up what nobody looked at, and nothing else."""
    return {item.id for item in request.candidates if not item.accesses}


def only_heavy(request: PruneRequest) -> list[str]:
    """Give up what is larger than the mean, which nothing is where all are the same."""
    total = sum(item.size for item in request.candidates)
    count = len(request.candidates)
    return [item.id for item in request.candidates if item.size * count > total]


def stays_below(request: PruneRequest) -> list[str]:
    """Stop before the need is met, not after."""
    freed = 0
    chosen = []
    for item in request.candidates:
        freed += item.size
        if freed >= request.needed:
            break
        chosen.append(item.id)
    return chosen


def exhausted(request: PruneRequest) -> list[str]:
    """Look whether there are any with the very iterator it then chooses from."""
    ids = (item.id for item in request.candidates)
    if not any(ids):
        return []
    return list(islice(ids, _fifth(request)))


def until_tagged(request: PruneRequest) -> list[str]:
    """Stop at the first tagged commit, even if it is the oldest."""
    return [item.id for item in takewhile(lambda item: not item.commit.tags, request.candidates)]


class EveryOther:
    """Give up something every other time only."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self._calls += 1
        return _oldest(request, 1) if self._calls % 2 else []


# --- PR3: it does not cope with the edges ------------------------------------------------------


def by_position_in_time(request: PruneRequest) -> list[str]:
    """Divide by the time between the first and the last candidate, which may be none."""
    times = [item.commit.timestamp for item in request.candidates]
    if not times:
        return []
    first, span = times[0], times[-1] - times[0]
    early = [item.id for item in request.candidates if (item.commit.timestamp - first) / span < 0.2]
    return early or _oldest(request, 1)


def ties(request: PruneRequest) -> list[str]:
    """Sort pairs of time and record, which compares the records where times are equal."""
    pairs: list[Any] = sorted((item.commit.timestamp, item) for item in request.candidates)
    return [item.id for _, item in pairs[: _fifth(request)]]


def by_log_of_age(request: PruneRequest) -> list[str]:
    """Take the logarithm of ages, which are negative once the clock has stepped back."""
    now = request.head.timestamp
    items = sorted(
        request.candidates, key=lambda item: -math.log(now - item.commit.timestamp + 1e-9)
    )
    return [item.id for item in items[: _fifth(request)]]


def only_the_past(request: PruneRequest) -> list[str]:
    """Give up what is older than the head by the clock, and nothing where the clock stood."""
    now = request.head.timestamp
    past = [item.id for item in request.candidates if item.commit.timestamp < now]
    return past[: -(-len(past) // 5)]


def first_of_none(request: PruneRequest) -> list[str]:
    """Take it that there is a candidate."""
    return [next(iter(request.candidates)).id]


def smallest_of_none(request: PruneRequest) -> list[str]:
    """Take the least of the sizes, also where there are none."""
    least = min(item.size for item in request.candidates)
    return [item.id for item in request.candidates if item.size <= least * 2]


def outliers(request: PruneRequest) -> list[str]:
    """Take the standard deviation of the sizes, also of a single one."""
    if not request.candidates:
        return []
    sizes = [item.size for item in request.candidates]
    limit = statistics.mean(sizes) + statistics.stdev(sizes)
    return [item.id for item in request.candidates if item.size > limit] or _oldest(request, 1)


def by_pressure(request: PruneRequest) -> list[str]:
    """Divide by what the need leaves of the budget, which may be nothing."""
    pressure = request.needed / (request.budget - request.needed)
    share = min(max(pressure, 0.2), 1.0)
    return _oldest(request, math.ceil(share * len(request.candidates)))


def by_age(request: PruneRequest) -> list[str]:
    """Divide by the age, which is none where the head itself is the last to go."""
    worth = {
        item.id: item.accesses / (request.head.seq - item.commit.seq) for item in request.candidates
    }
    return sorted(worth, key=worth.__getitem__)[: _fifth(request)]


# --- PR4: it reads too much --------------------------------------------------------------------


def least_of_all(request: PruneRequest) -> list[str]:
    """Read everything to give up one commit."""
    smallest = min(request.candidates, key=lambda item: item.size, default=None)
    return [] if smallest is None else [smallest.id]


def first_of_list(request: PruneRequest) -> list[str]:
    """Make a list of everything to take its first."""
    return [item.id for item in list(request.candidates)[:1]]


def three_newest(request: PruneRequest) -> Iterator[str]:
    """Read everything to give up three commits."""
    items = sorted(request.candidates, key=lambda item: -item.commit.seq)
    return (item.id for item in items[:3])


def by_rank(request: PruneRequest) -> list[str]:
    """Read everything again for every candidate."""
    ranks = {
        item.id: sum(other.size > item.size for other in request.candidates)
        for item in request.candidates
    }
    return sorted(ranks, key=ranks.__getitem__)[: _fifth(request)]


def walks_again(request: PruneRequest) -> list[str]:
    """Walk from the beginning for each commit it chooses."""
    return [
        next(islice(request.candidates, position, None)).id for position in range(_fifth(request))
    ]


# --- those that never come back ----------------------------------------------------------------


def spins(request: PruneRequest) -> list[str]:
    """Wait for a need that nothing changes."""
    while request.needed >= 0 or request.candidates:
        pass
    return []


def never_done(request: PruneRequest) -> Iterator[str]:
    """Answer, and then look for more without end."""
    yield from _oldest(request, _fifth(request))
    while True:
        pass


def leaves(request: PruneRequest) -> list[str]:
    """End the program where history is full."""
    sys.exit(f"{request.needed} bytes are missing")


def drops_dead(request: PruneRequest) -> list[str]:
    """End the process on the spot."""
    os._exit(request.needed & 127)


class NeverReleases:
    """Take its lock and keep it, so that the second question waits for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[NeverReleases], tuple[()]]:
        return type(self), ()

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self._lock.acquire()
        return _oldest(request, _fifth(request))


# --- odd, but lawful ---------------------------------------------------------------------------


def chance(request: PruneRequest) -> list[str]:
    """Choose a fifth at random."""
    return random.sample([item.id for item in request.candidates], _fifth(request))


def newest_first(request: PruneRequest) -> list[str]:
    """Choose the newest fifth."""
    return _newest(request, _fifth(request))


def everything(request: PruneRequest) -> list[str]:
    """Choose all there is."""
    return [item.id for item in request.candidates]


def nothing(request: PruneRequest) -> tuple[str, ...]:
    """Choose nothing."""
    return ()


def one_oldest(request: PruneRequest) -> list[str]:
    """Choose the oldest commit, one at a time."""
    oldest = next(iter(request.candidates), None)
    return [] if oldest is None else [oldest.id]


def as_set(request: PruneRequest) -> set[str]:
    """Answer with a set."""
    return set(_oldest(request, _fifth(request)))


def as_dict(request: PruneRequest) -> dict[str, int]:
    """Answer with a dict, whose keys are the ids."""
    return {item.id: item.size for item in islice(request.candidates, _half(request))}


def as_it_goes(request: PruneRequest) -> Iterator[str]:
    """Answer with a generator that frees what is needed and no more."""
    freed = 0
    for item in request.candidates:
        yield item.id
        freed += item.size
        if freed >= request.needed:
            return


def share(divisor: int, request: PruneRequest) -> list[str]:
    """Choose the largest of the candidates, so much of them."""
    items = sorted(request.candidates, key=lambda item: -item.size)
    return [item.id for item in items[: -(-len(items) // divisor)]]


@frozen
class OwnRandom:
    """Choose with a generator of its own, seeded."""

    _random: random.Random = field(factory=partial(random.Random, 7), eq=False)

    def __call__(self, request: PruneRequest, /) -> list[str]:
        return self._random.sample([item.id for item in request.candidates], _fifth(request))


class ByTurns:
    """Choose the oldest and the newest by turns, and count the turns."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, request: PruneRequest, /) -> list[str]:
        self._calls += 1
        return (_oldest if self._calls % 2 else _newest)(request, _half(request))


class NotAgain:
    """Choose the oldest fifth, but not again what it chose last: that may be stuck."""

    def __init__(self) -> None:
        self._last: frozenset[str] = frozenset()

    def __call__(self, request: PruneRequest, /) -> list[str]:
        ids = [item.id for item in request.candidates]
        fresh = [each for each in ids if each not in self._last] or ids
        chosen = fresh[: -(-len(fresh) // 5)]
        self._last = frozenset(chosen)
        return chosen


def by_lot(request: PruneRequest) -> list[str]:
    """Choose a fifth by a generator that is seeded by the head."""
    drawn = random.Random(request.head.seq)
    return drawn.sample([item.id for item in request.candidates], _fifth(request))


class ByMethod:
    """Choose by a method that is not a call."""

    def choose(self, request: PruneRequest, /) -> list[str]:
        """Choose the oldest third."""
        return _oldest(request, -(-len(request.candidates) // 3))


def make_method() -> object:
    """Return a bound method."""
    return ByMethod().choose


def counts_on(request: PruneRequest) -> list[str]:
    """Work the ids out from the oldest, though numbers have gaps."""
    count = -(-len(request.candidates) // 5)
    oldest = next(iter(request.candidates), None)
    if oldest is None:
        return []
    first = oldest.commit.seq
    return [f"{seq}-{oldest.commit.origin}" for seq in range(first, first + count)]


def checkpoints(request: PruneRequest) -> list[str]:
    """Never give up every tenth commit."""
    return [each.id for each in request.candidates if each.commit.seq % 10]


BROKEN: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it takes it that every commit is tagged": ("PO1", _always(first_tag_first)),
    "it takes it that every commit says who made it": ("PO1", _always(drafts_go)),
    "it takes it that there are five candidates": ("PO1", _always(five_at_random)),
    "it takes the logarithm of no accesses": ("PO1", _always(least_read)),
    "it counts the need down in the request": ("PO2", _always(counts_down)),
    "it writes a note into the head": ("PO2", _always(labels_head)),
    "it chooses by the entropy of the system": ("PO3", _always(by_entropy)),
    "it chooses by the clock": ("PO3", _always(by_clock)),
    "it chooses by a generator nobody seeded": ("PO3", Unseeded),
    "it counts its calls in its class": ("PO3", CountsTogether),
    "it holds a lock": ("PO4", Locked),
    "it holds a running generator": ("PO4", Generating),
    "it holds a lambda": ("PO4", Keyed),
    "it leaves its count out of its copies": ("PO4", Forgetful),
    "it shares its count with its copies": ("PO4", Shared),
    "it keeps its count beside itself": ("PO4", Beside),
    "it keeps its count in a closure": ("PO4", make_closure),
    "it remembers every question about pruning": ("PO5", KeepsQuestions),
    "it remembers every choice": ("PO5", KeepsAnswers),
    "it chooses records": ("PR1", _always(records)),
    "it chooses numbers": ("PR1", _always(numbers)),
    "it answers with a bare id": ("PR1", _always(bare_id)),
    "it answers with the text of records": ("PR1", _always(as_text)),
    "it answers with ids in bytes": ("PR1", _always(as_bytes)),
    "it chooses the head where little else is left": ("PR1", _always(with_head)),
    "it chooses the old and large twice": ("PR1", _always(old_and_large)),
    "it counts commits from one": ("PR1", _always(counts_from_one)),
    "it rounds a fraction down to nothing": ("PR2", RoundsDown),
    "it never gives up the last candidate": ("PR2", _always(all_but_last)),
    "it never gives up the first candidate": ("PR2", _always(all_but_first)),
    "it gives up tagged commits only": ("PR2", _always(only_tagged)),
    "it gives up unread commits only": ("PR2", _always(only_unread)),
    "it gives up what is above the mean only": ("PR2", _always(only_heavy)),
    "it stops before the need is met": ("PR2", _always(stays_below)),
    "it exhausts its iterator by looking": ("PR2", _always(exhausted)),
    "it stops at the first tagged commit": ("PR2", _always(until_tagged)),
    "it gives up something every other time": ("PR2", EveryOther),
    "it divides by the time between commits": ("PR3", _always(by_position_in_time)),
    "it compares records where times are equal": ("PR3", _always(ties)),
    "it takes the logarithm of a negative age": ("PR3", _always(by_log_of_age)),
    "it gives up only what is past by the clock": ("PR3", _always(only_the_past)),
    "it takes the first of no candidates": ("PR3", _always(first_of_none)),
    "it takes the smallest of no candidates": ("PR3", _always(smallest_of_none)),
    "it takes the deviation of one candidate": ("PR3", _always(outliers)),
    "it divides by what is left of the budget": ("PR3", _always(by_pressure)),
    "it divides by the age of the head": ("PR3", _always(by_age)),
    "it reads everything to give up the smallest": ("PR4", _always(least_of_all)),
    "it lists everything to take the first": ("PR4", _always(first_of_list)),
    "it reads everything to give up three": ("PR4", _always(three_newest)),
    "it reads everything for every candidate": ("PR4", _always(by_rank)),
    "it walks from the beginning for each choice": ("PR4", _always(walks_again)),
    "it counts on from the oldest": ("PR1", _always(counts_on)),
    "it never gives up every tenth": ("PR2", _always(checkpoints)),
    "it does not choose again what it chose last": ("PR5", NotAgain),
    "it counts its turns": ("PR5", ByTurns),
    "it draws from a generator that goes on": ("PR5", OwnRandom),
}

HANGING: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it waits for a need that stays": ("PO1", _always(spins)),
    "it looks for more to prune without end": ("PO1", _always(never_done)),
    "it exits where history is full": ("PO1", _always(leaves)),
    "it drops dead": ("PO1", _always(drops_dead)),
    "it never releases its lock": ("PO1", NeverReleases),
}

ODD: Final[dict[str, Callable[[], object]]] = {
    "it chooses at random": _always(chance),
    "it chooses the newest": _always(newest_first),
    "it chooses everything": _always(everything),
    "it chooses nothing": _always(nothing),
    "it chooses one oldest at a time": _always(one_oldest),
    "it answers with a set": _always(as_set),
    "it answers with a dict": _always(as_dict),
    "it answers with a generator": _always(as_it_goes),
    "it is a partial of a function": lambda: partial(share, 4),
    "it draws by the number of the head": _always(by_lot),
    "it is a bound method": make_method,
}
