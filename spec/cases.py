"""What policies are asked: cases as plain records, and how each is put to a policy.

A case is a frozen record whose ``repr`` is Python, so that a report can show what broke a law as
a program to paste. Each knows how to put itself to a policy and gives back the answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from itertools import islice, pairwise
from typing import Any, ClassVar, Final, TypeAlias

from attrs import frozen

from backpack.codec import MsgpackCodec
from backpack.protocols import PruningPolicy, StoragePolicy
from backpack.records import (
    Change,
    Commit,
    HeldVersion,
    NewValue,
    PruneRequest,
    RetainedCommit,
    SizedValue,
    SupersededVersion,
)
from backpack.spec.laws.law import LawBroken
from backpack.wording import described

__all__ = [
    "Case",
    "Moment",
    "Scene",
    "Shown",
    "Stored",
    "Versions",
    "View",
    "after",
    "again",
    "question",
    "span_of",
    "version",
]

_ORIGIN: Final = "k3fq7x"
_BEGINNING: Final = 1_700_000_000.0
_CODEC: Final = MsgpackCodec()


# --- pruning -------------------------------------------------------------------------------------


class View(Collection[RetainedCommit]):
    """The candidates of a question, as a Backpack offers them; it counts how often it is read.

    Args:
        candidates: The commits, oldest first.

    Attributes:
        reads: How many records were read, and how often it was asked for its length or whether
            it has something.
    """

    def __init__(self, candidates: Sequence[RetainedCommit]) -> None:
        self._candidates = candidates
        self.reads = 0

    def __len__(self) -> int:
        self.reads += 1
        return len(self._candidates)

    def __iter__(self) -> Iterator[RetainedCommit]:
        for each in self._candidates:
            self.reads += 1
            yield each

    def __contains__(self, item: object) -> bool:
        self.reads += 1
        wanted = item.id if isinstance(item, RetainedCommit) else item
        return any(each.id == wanted for each in self._candidates)


@frozen
class Moment:
    """One retained commit of a scene.

    Attributes:
        size: Bytes that history holds on its behalf.
        after: Seconds since the commit before it; time may stand still, and step back.
        by: The node that made it.
        tags: Its labels.
        keys: The keys it changed.
        accesses: How often it was looked at.
        pinned: Whether it is pinned, and so not offered.
    """

    size: int = 1000
    after: float = 1.0
    by: str | None = None
    tags: tuple[str, ...] = ()
    keys: tuple[str, ...] = ("plan",)
    accesses: int = 0
    pinned: bool = False


@frozen
class Scene:
    """A history that is full, and how much room it needs.

    Where all commits are chosen and more is needed, the head itself is offered, alone: the last
    resort of a new commit that is about to take its place.

    Attributes:
        moments: Its commits, oldest first; the head comes on top of them.
        times: How often they are repeated.
        needed: Bytes to be freed.
        first: The number of the oldest commit.
    """

    moments: tuple[Moment, ...]
    times: int = 1
    needed: int = 1000
    first: int = 1

    axis: ClassVar[str] = "pruning"

    def candidates(self) -> list[RetainedCommit]:
        """Return the commits as candidates, pinned ones included."""
        made: list[RetainedCommit] = []
        time = _BEGINNING
        for seq, moment in enumerate(self.moments * self.times, self.first):
            time += moment.after
            changes = tuple(Change(key, "set", moment.size) for key in moment.keys)
            commit = Commit(_ORIGIN, seq, time, changes, moment.by, tuple(sorted(moment.tags)))
            looked = min(seq + moment.accesses, self.first + len(self.moments) * self.times - 1)
            made.append(RetainedCommit(commit, moment.size, moment.accesses, looked))
        return made

    def request(self, left: Sequence[RetainedCommit], needed: int) -> PruneRequest:
        """Return the question that offers what is left.

        Args:
            left: The candidates that are left, oldest first.
            needed: Bytes that are still missing.
        """
        used = sum(each.size for each in left) + 1000
        return PruneRequest(
            needed=needed,
            budget=max(1, used - needed),
            used=max(used, needed + 1),
            head=self.head().commit,
            candidates=View(left),
        )

    def head(self) -> RetainedCommit:
        """Return the newest commit, on top of the others."""
        seq = self.first + len(self.moments) * self.times
        time = _BEGINNING + self.times * math.fsum(moment.after for moment in self.moments)
        return RetainedCommit(Commit(_ORIGIN, seq, time, (Change("plan", "set", 1000),)), 1000)

    def offered(self) -> list[RetainedCommit]:
        """Return the candidates of the first question."""
        moments = self.moments * self.times
        return [
            each
            for each, moment in zip(self.candidates(), moments, strict=True)
            if not moment.pinned
        ]

    def play(self, policy: PruningPolicy) -> Iterator[tuple[PruneRequest, list[Any]]]:
        """Ask a policy until there is room, it gives nothing more, or not even the head is left.

        Yields:
            Each question, its view with what is left; and the answer, cut off where it has more
            than there is.
        """
        left, needed, resort = self.offered(), self.needed, [self.head()]
        while True:
            request = self.request(left, needed)
            given: object = policy(request)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise LawBroken("PR1", f"It answered {described(given)}, not the ids of commits.")
            answer = list(islice(given, len(left) + 1))
            yield request, answer
            chosen = {each for each in answer if isinstance(each, str)}
            needed -= sum(each.size for each in left if each.id in chosen)
            rest = [each for each in left if each.id not in chosen]
            if needed <= 0 or (left and len(rest) == len(left)):
                return
            left, resort = (rest, resort) if rest else (resort, [])
            if not left:
                return

    def answers(self, policy: PruningPolicy) -> list[object]:
        """Return all that a policy answers."""
        return [answer for _, answer in self.play(policy)]


# --- sizing and reference ------------------------------------------------------------------------


@frozen
class Shown:
    """Values shown to a sizing or a reference policy, one after the other.

    Attributes:
        axis: Which of the two.
        values: ``(key, value)`` of each.
        times: How many times as large as its encoding a value is measured.
    """

    axis: str
    values: tuple[tuple[str, Any], ...]
    times: int = 1

    def questions(self) -> Iterator[NewValue | SizedValue]:
        """Make the questions, each with a value of its own.

        A sizing policy is asked about each value twice: by itself, and after the one before it.
        """
        for at, (key, value) in enumerate(self.values):
            yield question(self.axis, key, deepcopy(value), self.times)
            if self.axis == "sizing":
                yield after(key, deepcopy(value), self.before(at))

    def before(self, at: int) -> bytes:
        """Return the encoded bytes of the value before one; of the last before the first."""
        key, value = self.values[at - 1]
        return _CODEC.encode(value, key)

    def answers(self, policy: Callable[[Any], object]) -> list[object]:
        """Return all that a policy answers."""
        return [policy(each) for each in self.questions()]


def question(axis: str, key: str, value: object, times: int = 1) -> NewValue | SizedValue:
    """Return what a sizing or a reference policy is asked about a value.

    Args:
        axis: Which of the two.
        key: The key.
        value: The value.
        times: How many times as large as its encoding it is measured.
    """
    data = _CODEC.encode(value, key)
    if axis == "sizing":
        return NewValue(key, value, data)
    return SizedValue(key, value, data, len(data) * times)


def after(key: str, value: object, previous: bytes) -> NewValue:
    """Return what a sizing policy is asked about a value that is to supersede another."""
    return NewValue(key, value, _CODEC.encode(value, key), previous)


def again(value: object) -> Iterator[tuple[str, object]]:
    """Make an equal value in other ways: by decoding it, and a set in another order.

    Yields:
        In which way, and the value.
    """
    with suppress(Exception):
        yield "decoded anew, it", _CODEC.decode(_CODEC.encode(value))
    if type(value) is set:
        yield "filled in another order, it", set(list(value)[::-1])  # noqa: C415


# --- storage -------------------------------------------------------------------------------------


@frozen
class Stored:
    """One version to be held.

    Attributes:
        key: Whose.
        seq: The number of the commit that set it.
        encoded: Its bytes.
        lives: Whether it is read again after the others were discarded.
    """

    key: str
    seq: int
    encoded: bytes
    lives: bool = True


@frozen
class Versions:
    """Versions held by a storage policy, some of them discarded, the others read back.

    A policy that leans versions on others is asked to hold each alone, then as a chain, each beside
    the next; and once more without those that were discarded.

    Attributes:
        stored: The versions, in the order in which they are held.
        backwards: Whether they are read back newest first.
        times: How often the chain goes through them.
    """

    stored: tuple[Stored, ...]
    backwards: bool = False
    times: int = 1

    axis: ClassVar[str] = "storage"

    def asked(self, policy: StoragePolicy) -> list[Stored]:
        """Return the versions that a policy is asked about: not those below its ``least``."""
        least = getattr(policy, "least", 0) if span_of(policy) else 0
        return [each for each in self.stored if len(each.encoded) >= least]

    def pairs(self, policy: StoragePolicy) -> list[tuple[Stored, bytes | None]]:
        """Return what a policy is to hold: versions alone, then versions and their bases."""
        links = [
            (each, base.encoded) for chain in self._chains(policy) for each, base in pairwise(chain)
        ]
        return [*((each, None) for each in self.asked(policy)), *links]

    def hold(self, policy: StoragePolicy) -> list[bytes]:
        """Return what a policy holds for each of its pairs."""
        return [policy.hold(version(each, base)) for each, base in self.pairs(policy)]

    def kept(
        self, policy: StoragePolicy, held: Sequence[bytes]
    ) -> list[tuple[Stored, HeldVersion]]:
        """Return the versions that live with what they are read back from, in order.

        Args:
            policy: The policy.
            held: What it holds for each of its pairs.
        """
        alone = zip(self.asked(policy), held, strict=False)
        kept = [(each, HeldVersion(each.key, each.seq, data)) for each, data in alone if each.lives]
        for chain in self._chains(policy)[-1:]:
            span = span_of(policy)
            data = held[len(held) - len(chain) + 1 :]
            for at, each in enumerate(chain[: min(len(self.stored), len(chain) - 1)]):
                grounds = {min(at + steps, len(chain) - 1) for steps in (1, 1 + span // 2, span)}
                for ground in sorted(grounds):
                    base, between = chain[ground].encoded, tuple(data[at + 1 : ground])
                    leaning = HeldVersion(each.key, each.seq, data[at], base, between)
                    kept.append((each, leaning))
        return kept[::-1] if self.backwards else kept

    def answers(self, policy: StoragePolicy) -> list[object]:
        """Return all that a policy answers."""
        held = self.hold(policy)
        return [*held, *(policy.read(data) for _, data in self.kept(policy, held))]

    def _chains(self, policy: StoragePolicy) -> list[list[Stored]]:
        """Return the chains that a policy holds one after the other; the last is read."""
        if not span_of(policy):
            return []
        chain = self.asked(policy) * self.times
        living = [each for each in chain if each.lives]
        chains = [chain] if len(living) == len(chain) else [chain, living]
        return [each for each in chains if len(each) > 1]


def span_of(policy: object) -> int:
    """Return over how many versions a storage policy reads one back; 0 if each stands alone."""
    span: int = getattr(policy, "span", 0)
    return span


def version(stored: Stored, base: bytes | None = None) -> SupersededVersion:
    """Return what a storage policy is asked to hold, alone or beside the bytes of another."""
    return SupersededVersion(stored.key, stored.seq, stored.encoded, base)


Case: TypeAlias = Scene | Shown | Versions
