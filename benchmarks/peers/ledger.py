"""What was committed, as digests, and whether an answer is what was committed."""

from __future__ import annotations

import hashlib
import random
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from time import perf_counter, perf_counter_ns
from typing import Any, Protocol

from backpack.replay import fingerprint

__all__ = ["Gone", "Ledger", "Readable", "WrongAnswer", "timed_reads", "verify"]

_DIGEST = 8


class Gone(Exception):
    """The store says itself that it no longer has what was asked for."""


class WrongAnswer(Exception):
    """The store returned something else than what was committed."""


class Readable(Protocol):
    """What can be read as of a commit."""

    def read(self, commit: int, key: str) -> Any:
        """Return the key's value as of a commit, counted from 0, or raise :class:`Gone`."""
        ...


class Ledger:
    """Every step's key and the digest of its value.

    All of its memory that grows with the steps is taken and touched at the start, so that what a
    process grows by later is the store's.
    """

    def __init__(self, steps: int) -> None:
        self._digests = bytearray(b"\xff") * (steps * _DIGEST)
        self._keys = array("I", b"\xff" * (4 * steps))
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._commits: dict[str, array[int]] = {}
        self.made = 0

    def note(self, key: str, value: object) -> None:
        """Remember the next step."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._names)
            self._names.append(key)
        self._keys[self.made] = number
        place = self.made * _DIGEST
        self._digests[place : place + _DIGEST] = _digest(value)
        self.made += 1

    def settle(self) -> None:
        """Index what was noted; do it after memory was measured."""
        self._commits = {name: array("I") for name in self._names}
        for commit in range(self.made):
            self._commits[self.key_of(commit)].append(commit)

    def key_of(self, commit: int) -> str:
        """Return the key that a commit changed."""
        return self._names[self._keys[commit]]

    def check(self, store: Readable, commit: int, key: str) -> int:
        """Read a key as of a commit, and return how long that took, in nanoseconds.

        Raises:
            Gone: The store says that it does not have it.
            WrongAnswer: What came back is not what was committed.
        """
        start = perf_counter_ns()
        value = store.read(commit, key)
        took = perf_counter_ns() - start
        commits = self._commits[key]
        last = commits[bisect_right(commits, commit) - 1]
        if _digest(value) != self._digests[last * _DIGEST : (last + 1) * _DIGEST]:
            raise WrongAnswer(
                f"{key!r} as of commit {commit} is not what commit {last} made of it: "
                f"{value!r:.200}"
            )
        return took


def verify(store: Readable, ledger: Ledger, seconds: float) -> tuple[list[int], int]:
    """Read commits back in random order until all were or the time is up.

    Of each, the key it changed is read, and a key that an earlier commit changed.

    Returns:
        The commits that still have the value they committed, ascending, and how many were looked
        at. A store may say that a value is gone; it may not return another one.
    """
    draws = random.Random(6)
    order = list(range(ledger.made))
    draws.shuffle(order)
    end = perf_counter() + seconds
    readable: list[int] = []
    checked = 0
    for commit in order:
        own = ledger.key_of(commit)
        checked += 1
        if _has(store, ledger, commit, own):
            readable.append(commit)
        other = ledger.key_of(draws.randrange(commit + 1))
        if other != own:
            _has(store, ledger, commit, other)
        if perf_counter() > end:
            break
    return sorted(readable), checked


def timed_reads(
    store: Readable, ledger: Ledger, commits: Iterable[int], seconds: float
) -> array[int]:
    """Read a key as of each commit until the time is up; return how long each took."""
    draws = random.Random(7)
    times = array("Q")
    end = perf_counter() + seconds
    for commit in commits:
        key = ledger.key_of(draws.randrange(commit + 1))
        try:
            times.append(ledger.check(store, commit, key))
        except Gone:
            continue
        if perf_counter() > end:
            break
    return times


def _has(store: Readable, ledger: Ledger, commit: int, key: str) -> bool:
    try:
        ledger.check(store, commit, key)
    except Gone:
        return False
    return True


def _digest(value: object) -> bytes:
    return hashlib.blake2b(fingerprint(value), digest_size=_DIGEST).digest()
