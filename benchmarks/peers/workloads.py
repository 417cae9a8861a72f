"""What is committed: the same values for every contender, made step by step and never kept.

A workload yields ``(key, value)``. A value is a new list or dict each time; the messages in it may
be the very objects of the value before, as they are where an agent appends to its list.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from attrs import frozen
from traced import changes_in

from backpack.codec import MsgpackCodec
from backpack.operations import Append, Pack, Remove
from peers.records import Shape

__all__ = ["WORKLOADS", "Step", "Text", "Workload", "shape_of_trace", "steps_of"]

Step: TypeAlias = tuple[str, Any]

_ROLES = ("user", "assistant", "tool")
_SMALL_KEYS = 1_000


class Text:
    """Seeded text of words that look real: some are frequent, most are rare."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        parts = [
            consonant + vowel + end
            for consonant in (
                "b",
                "c",
                "d",
                "f",
                "gr",
                "l",
                "m",
                "n",
                "p",
                "r",
                "s",
                "st",
                "t",
                "v",
            )
            for vowel in "aeiou"
            for end in ("", "n", "r", "s")
        ]
        self._words = ["".join(self._random.choices(parts, k=1 + n % 3)) for n in range(3_000)]
        self._weights = list(itertools.accumulate(1 / (n + 2) for n in range(3_000)))

    def text(self, characters: int) -> str:
        """Return so many characters of words."""
        chosen = self._random.choices(self._words, cum_weights=self._weights, k=characters // 3 + 1)
        return " ".join(chosen)[:characters]

    def message(self, number: int, characters: int) -> dict[str, Any]:
        """Return a chat message."""
        role = _ROLES[number % len(_ROLES)]
        return {"role": role, "id": f"message-{number:08}", "content": self.text(characters)}


def window(steps: int) -> Iterator[Step]:
    """Yield the last 50 messages of about 1 KB each; with every step comes one and goes one."""
    text = Text(seed=1)
    messages = deque((text.message(number, 950) for number in range(49)), maxlen=50)
    for number in range(49, 49 + steps):
        messages.append(text.message(number, 950))
        yield "messages", list(messages)


def unrelated(steps: int) -> Iterator[Step]:
    """Yield 50 KB of random bytes under one key."""
    draws = random.Random(2)
    for number in range(steps):
        yield "data", {"number": number, "data": draws.randbytes(49_970)}


def keys(steps: int) -> Iterator[Step]:
    """Yield 50 KB of random bytes, each under a key of its own."""
    draws = random.Random(3)
    for number in range(steps):
        yield f"result-{number:06}", {"number": number, "data": draws.randbytes(49_970)}


def growing(steps: int) -> Iterator[Step]:
    """Yield a list of messages that grows by about 500 bytes a step."""
    text = Text(seed=4)
    messages: list[Any] = []
    for number in range(steps):
        messages = [*messages, text.message(number, 456)]
        yield "messages", messages


def small(steps: int) -> Iterator[Step]:
    """Yield texts of 100 characters, no two alike, under 1,000 keys in random order."""
    draws = random.Random(5)
    pool = Text(seed=5).text(100_000)
    for number in range(steps):
        start = draws.randrange(len(pool) - 100)
        key = draws.randrange(_SMALL_KEYS)
        yield f"key-{key:04}", f"{number:08}{pool[start : start + 92]}"


def traced(path: str) -> Iterator[Step]:
    """Yield what a trace packs and appends, key by key; a removal becomes None: not all have it."""
    lists: dict[str, list[Any]] = {}
    for change in changes_in(path):
        match change:
            case Pack(key=key, value=value):
                if isinstance(value, list):
                    lists[key] = value
                yield key, value
            case Append(key=key, item=item):
                lists[key] = [*lists[key], item]
                yield key, lists[key]
            case Remove(key=key):
                yield key, None


@frozen
class Workload:
    """A workload at its full length.

    Attributes:
        name: Its name.
        sentence: What it is, in a line.
        make: Yields so many steps; None if they come from a trace.
        shape: About how large it is.
        shrinks_keys: Whether fewer steps have fewer keys.
    """

    name: str
    sentence: str
    make: Callable[[int], Iterator[Step]] | None
    shape: Shape
    shrinks_keys: bool = False

    def shape_at(self, steps: int) -> Shape:
        """Return about how large so many steps are."""
        return Shape(
            steps=steps,
            encoded=self.shape.encoded,
            fresh=self.shape.fresh,
            parts=self.shape.parts,
            keys=steps // 2 if self.shrinks_keys else self.shape.keys,
        )


_CHAT = {"encoded": 50_000, "fresh": 1_000, "parts": 50, "keys": 1}

WORKLOADS: dict[str, Workload] = {
    each.name: each
    for each in (
        Workload(
            "window",
            "an hour of work: a sliding window of 50 messages of 1 KB",
            window,
            Shape(steps=10_000, **_CHAT),
        ),
        Workload(
            "random",
            "50 KB of random bytes under one key, nothing in common",
            unrelated,
            Shape(steps=10_000, encoded=50_000, fresh=50_000, parts=1, keys=1),
        ),
        Workload(
            "keys",
            "50 KB of random bytes, each under its own key: all of them are current",
            keys,
            Shape(steps=10_000, encoded=50_000, fresh=50_000, parts=1, keys=5_000),
            shrinks_keys=True,
        ),
        Workload(
            "growing",
            "a message list that grows to 1 MB, by 500 bytes a commit",
            growing,
            Shape(steps=2_000, encoded=500_000, fresh=500, parts=1_000, keys=1),
        ),
        Workload(
            "window-2000",
            "the sliding window, its first 2,000 commits",
            window,
            Shape(steps=2_000, **_CHAT),
        ),
        Workload(
            "airline",
            "a real agent's trace, given by its path",
            None,
            Shape(steps=0, encoded=0, fresh=0, parts=0, keys=0),
        ),
        Workload(
            "small",
            "100 bytes under 1,000 keys, a million times",
            small,
            Shape(steps=1_000_000, encoded=100, fresh=150, parts=0, keys=_SMALL_KEYS),
        ),
    )
}


def steps_of(name: str, steps: int, trace: str | None) -> Iterator[Step]:
    """Return the first so many steps of a workload."""
    make = WORKLOADS[name].make
    if make is not None:
        return make(steps)
    if trace is None:
        raise ValueError(f"the workload {name!r} needs a trace")
    return itertools.islice(traced(trace), steps)


def shape_of_trace(path: str) -> Shape:
    """Return how large a trace is, by going through it once."""
    encode = MsgpackCodec().encode
    count = size = parts = 0
    seen: set[str] = set()
    for key, value in traced(path):
        count += 1
        size += len(encode(value))
        parts += len(value) if isinstance(value, list) else 1
        seen.add(key)
    mean = size // count
    return Shape(steps=count, encoded=mean, fresh=mean, parts=parts // count, keys=len(seen))
