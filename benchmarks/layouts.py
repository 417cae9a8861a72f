"""Compare ways to lean versions on each other: what they take, and how long a look back takes.

    python benchmarks/layouts.py [TRACE]

Texts are held backwards, the newest first, as history holds them: version 0 is raw, version ``i``
a difference from version ``base(i)``. Differences are patches, as ``storage: {use: delta}`` makes
them, or Zstandard frames with the other version as prefix, level 2. Every version is read back and
compared. With a TRACE (see docs/trace-format.md) its message lists are a third workload.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median
from time import perf_counter

from attrs import frozen
from traced import changes_in

from backpack.codec import MsgpackCodec
from backpack.operations import Append, Pack, Remove
from backpack.policies.frames import FRAME, compress, decompress
from backpack.policies.patches import apply, make_patch, stretches

LEVEL = 2
READS = 300

Base = Callable[[int], int]


def chain(span: int) -> Base:
    """Each leans on the next newer one; every ``span``-th stands alone."""
    return lambda at: at if at % span == 0 else at - 1


def star(span: int) -> Base:
    """Each leans on the one of its group that stands alone."""
    return lambda at: at - at % span


def two_level(span: int) -> Base:
    """Each leans on the next newer of its group, the first of a group on the first of the next."""

    def base(at: int) -> int:
        if at % (span * span) == 0:
            return at
        return at - 1 if at % span else at - span

    return base


def tree(span: int) -> Base:
    """Each leans on the one whose number lacks its lowest set bit, as in a Fenwick tree."""
    return lambda at: at if at % span == 0 else at & (at - 1)


@frozen
class Way:
    """How a difference is made, and how a version is read back over several.

    Attributes:
        hold: The difference of a text from its base.
        read: The text, of its differences (its own first) and the text at the bottom.
    """

    hold: Callable[[bytes, bytes], bytes]
    read: Callable[[list[bytes], bytes], bytes]


def _through_frames(held: list[bytes], text: bytes) -> bytes:
    for frame in reversed(held):
        text = decompress(frame, "a version", text)
    return text


FRAMES = Way(lambda text, base: FRAME + compress(text, LEVEL, base), _through_frames)
PATCHES = Way(lambda text, base: make_patch(text, stretches(text, base)), apply)


def _trimmed(text: bytes, base: bytes) -> bytes:
    """Take off what the two start and end with alike; what is between is a frame of its own."""
    common = [each for each in stretches(text, base) if _is_at_an_end(each, text, base)]
    return bytes([3]) + compress(make_patch(text, common), LEVEL)


def _is_at_an_end(stretch: tuple[int, int, int], text: bytes, base: bytes) -> bool:
    start, first, length = stretch
    return start == first or len(text) - start - length == len(base) - first - length


def _through_trimmed(held: list[bytes], text: bytes) -> bytes:
    return apply([decompress(FRAME + each[1:], "a version") for each in held], text)


TRIMMED = Way(_trimmed, _through_trimmed)

LAYOUTS: dict[str, tuple[Base, Way]] = {
    "chain of 16, frames": (chain(16), FRAMES),
    "chain of 64, frames": (chain(64), FRAMES),
    "group of 16, frames": (star(16), FRAMES),
    "two levels of 8, frames": (two_level(8), FRAMES),
    "tree of 64, frames": (tree(64), FRAMES),
    "chain of 64, ends trimmed, frames": (chain(64), TRIMMED),
    "tree of 64, patches": (tree(64), PATCHES),
    "chain of 64, patches": (chain(64), PATCHES),
    "chain of 96, patches (delta)": (chain(96), PATCHES),
}


def message(number: int, length: int, chance: random.Random) -> dict[str, object]:
    """Return a message of about so many characters."""
    text = ""
    while len(text) < length:
        text += f"{chance.choice(WORDS)} "
    return {"role": "user" if number % 2 else "assistant", "id": number, "content": text}


_LETTERS = random.Random(1)
WORDS = ["".join(_LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(3000)]


def window(steps: int = 960) -> list[bytes]:
    """Return 50 messages of 1 KB, of which one goes and one comes every step."""
    codec, chance = MsgpackCodec(), random.Random(2)
    messages = [message(number, 950, chance) for number in range(50)]
    texts: list[bytes] = []
    for number in range(steps):
        messages = [*messages[1:], message(number + 50, 950, chance)]
        texts.append(codec.encode(messages))
    return texts


def growing(steps: int = 960) -> list[bytes]:
    """Return a list that grows by a message of 500 bytes every step, to half a megabyte."""
    codec, chance = MsgpackCodec(), random.Random(3)
    messages: list[object] = []
    texts: list[bytes] = []
    for number in range(steps):
        messages.append(message(number, 450, chance))
        texts.append(codec.encode(messages))
    return texts


def traced(path: str) -> Iterator[list[bytes]]:
    """Iterate over the versions of each key of a trace, a removed key's before and after apart."""
    codec = MsgpackCodec()
    state: dict[str, object] = {}
    texts: defaultdict[str, list[bytes]] = defaultdict(list)
    for change in changes_in(path):
        match change:
            case Pack(key=key, value=value):
                state[key] = value
            case Append(key=key, item=item):
                items = state[key]
                state[key] = [*items, item] if isinstance(items, list) else [item]
            case Remove(key=key):
                del state[key]
                yield texts.pop(key)
                continue
        texts[change.key].append(codec.encode(state[change.key]))
    yield from texts.values()


def compare(name: str, chains: Sequence[Sequence[bytes]]) -> None:
    """Print a line for each layout."""
    versions = sum(map(len, chains))
    total = sum(len(text) for texts in chains for text in texts)
    print(f"\n{name}: {versions:,} versions, {total:,} bytes encoded")
    print(f"{'layout':<36}{'bytes':>9}{'holding':>10}{'reading':>10}{'steps':>8}{'most':>6}")
    for layout, (base, way) in LAYOUTS.items():
        held: list[dict[int, bytes]] = []
        start = perf_counter()
        for texts in chains:
            newest_first = texts[::-1]
            held.append(
                {
                    at: text if base(at) == at else way.hold(text, newest_first[base(at)])
                    for at, text in enumerate(newest_first)
                }
            )
        holding = (perf_counter() - start) / versions
        size = sum(len(data) for each in held for data in each.values())
        steps = [_steps(base, at) for each in held for at in each]
        reading = _read_times(chains, held, base, way)
        print(
            f"{layout:<36}{size / versions:>9,.0f}{holding * 1e6:>10.0f}{reading * 1e6:>10.0f}"
            f"{fmean(steps):>8.1f}{max(steps):>6}"
        )


def _steps(base: Base, at: int) -> int:
    steps = 0
    while base(at) != at:
        at, steps = base(at), steps + 1
    return steps


def _read_times(
    chains: Sequence[Sequence[bytes]], held: Sequence[dict[int, bytes]], base: Base, way: Way
) -> float:
    """Read versions at random, compare them, and return the median of the times."""
    chance, times = random.Random(4), []
    for _ in range(READS):
        number = chance.choices(range(len(chains)), weights=list(map(len, chains)))[0]
        at = chance.randrange(len(chains[number]))
        expected = chains[number][-1 - at]
        start = perf_counter()
        differences: list[bytes] = []
        while base(at) != at:
            differences.append(held[number][at])
            at = base(at)
        text = way.read(differences, held[number][at])
        times.append(perf_counter() - start)
        if text != expected:
            raise SystemExit(f"version {at} was read back wrong")
    return median(times)


def main() -> None:
    """Print a table for each workload: bytes a version, microseconds, and steps to the ground."""
    compare("a window of 50 messages", [window()])
    compare("a list that grows to 0.5 MB", [growing()])
    if len(sys.argv) > 1:
        compare("message lists of a trace", [texts for texts in traced(sys.argv[1]) if texts])


if __name__ == "__main__":
    main()
