"""Patches: a text as copies of stretches of another, and what has to be inserted between them.

The instructions are those of the deltas in git's packs and of VCDIFF (RFC 3284, Korn, MacDonald,
Mogul and Vo, 2002): copy, insert. Patches of patches need not be carried out one by one: what a
copy copies is followed from patch to patch down to the text at the bottom, so that reading along
a long chain costs about a microsecond a link, however large the text is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import islice
from struct import Struct
from typing import Final

from attrs import define, field

__all__ = ["LONGEST", "PATCH", "Stretch", "apply", "make_patch", "stretches"]

#: What a patch starts with.
PATCH: Final = b"\x02"

#: What a patch inserts, or ``(level, start, stop)``: the part it copies of the text that the next
#: patch makes.
_Part = bytes | tuple[int, int, int]

#: ``(start in the text, start in the base, length)`` of bytes that both have.
Stretch = tuple[int, int, int]

#: A shorter stretch is not worth an instruction.
_LEAST: Final = 24

#: How many bytes are looked for at a time.
_ANCHOR: Final = 32

#: So many times is something looked for in vain, and so many in all.
_PATIENCE: Final = 8
_SEARCHES: Final = 64

#: Longer texts have no patches: their numbers do not fit.
LONGEST: Final = 2**32 - 1


@define
class _Search:
    """Stretches that a text has in common with a base, in the order of both.

    Attributes:
        text: The text.
        base: The other.
        found: What is found so far.
        vain: How many searches may still be in vain.
        left: How many searches may still be made.
    """

    text: bytes
    base: bytes
    found: list[Stretch] = field(factory=list)
    vain: int = _PATIENCE
    left: int = _SEARCHES

    def between(self, start: int, stop: int, first: int, last: int) -> None:
        """Find what ``text[start:stop]`` and ``base[first:last]`` have in common.

        Both ends first; then what stands in the middle of the rest is looked for.
        """
        if stop - start < _LEAST or last - first < _LEAST:
            return
        ahead = _common(self.text, start, stop, self.base, first, last)
        if ahead >= _LEAST:
            self.found.append((start, first, ahead))
            start, first = start + ahead, first + ahead
        behind = _common_end(self.text, start, stop, self.base, first, last)
        behind = behind if behind >= _LEAST else 0
        stop, last = stop - behind, last - behind
        if min(stop - start, last - first) >= _ANCHOR and self.vain and self.left:
            self._within(start, stop, first, last)
        if behind:
            self.found.append((stop, last, behind))

    def _within(self, start: int, stop: int, first: int, last: int) -> None:
        self.left -= 1
        middle = (start + stop - _ANCHOR) // 2
        place = self._place(middle, start, stop, first, last)
        if place < 0:
            self.vain -= 1
            self.between(start, middle, first, last)
            if self.found:
                _, at, length = self.found[-1]
                first = max(first, at + length)
            self.between(middle, stop, first, last)
            return
        back = _common_end(self.text, start, middle, self.base, first, place)
        self.between(start, middle - back, first, place - back)
        ahead = _common(self.text, middle, stop, self.base, place, last)
        self.found.append((middle - back, place - back, back + ahead))
        self.between(middle + ahead, stop, place + ahead, last)

    def _place(self, middle: int, start: int, stop: int, first: int, last: int) -> int:
        """Return where the base has what the text has at ``middle``; -1 if nowhere."""
        anchor = self.text[middle : middle + _ANCHOR]
        # Where nothing was put in or taken out, it is as far from one of the ends.
        for place in (first + middle - start, last - (stop - middle)):
            if first <= place <= last - _ANCHOR and self.base.startswith(anchor, place):
                return place
        return self.base.find(anchor, first, last)


def stretches(text: bytes, base: bytes) -> list[Stretch]:
    """Return stretches that two texts have in common, in the order of both.

    Finds all that is worth it where few places differ, and gives up early where nothing is alike.
    A few microseconds for each stretch, and one pass over the texts.

    >>> old = b"one message after the other, and the last one"
    >>> stretches(old, b"[7] " + old + b", and more")
    [(0, 4, 45)]
    """
    search = _Search(text, base)
    search.between(0, len(text), 0, len(base))
    return search.found


def _common(text: bytes, start: int, stop: int, base: bytes, first: int, last: int) -> int:
    """Return how many bytes ``text[start:stop]`` and ``base[first:last]`` start alike with."""
    most = min(stop - start, last - first)
    view = memoryview(text)
    if base.startswith(view[start : start + most], first):
        return most
    same, step = 0, _ANCHOR
    while same + step <= most and base.startswith(
        view[start + same : start + same + step], first + same
    ):
        same += step
        step *= 2
    # The first that differs is within the next step.
    short = min(same + step, most)
    while short - same > 1:
        middle = (same + short) // 2
        if base.startswith(view[start + same : start + middle], first + same):
            same = middle
        else:
            short = middle
    return same


def _common_end(text: bytes, start: int, stop: int, base: bytes, first: int, last: int) -> int:
    """Return how many bytes ``text[start:stop]`` and ``base[first:last]`` end alike with."""
    most = min(stop - start, last - first)
    view = memoryview(text)
    if base.startswith(view[stop - most : stop], last - most):
        return most
    same, step = 0, _ANCHOR
    while same + step <= most and base.startswith(
        view[stop - same - step : stop - same], last - same - step
    ):
        same += step
        step *= 2
    short = min(same + step, most)
    while short - same > 1:
        middle = (same + short) // 2
        if base.startswith(view[stop - middle : stop - same], last - middle):
            same = middle
        else:
            short = middle
    return same


def make_patch(text: bytes, common: Sequence[Stretch]) -> bytes:
    """Return the patch that makes a text of the base, given what they have in common.

    A marker; the number of copies; for each of them the length of what is inserted before it, and
    its start and length in the base; the length of what is inserted behind the last; and all that
    is inserted, one after the other. Numbers are of four bytes, the lowest first.
    """
    numbers = [len(common)]
    inserted: list[bytes] = []
    at = 0
    for start, first, length in common:
        numbers += (start - at, first, length)
        inserted.append(text[at:start])
        at = start + length
    inserted.append(text[at:])
    numbers.append(len(text) - at)
    return b"".join((PATCH, _numbers(len(numbers)).pack(*numbers), *inserted))


def apply(patches: Sequence[bytes], base: bytes) -> bytes:
    """Carry out patches, the last of which is one of the base.

    Args:
        patches: The patch that makes the text wanted; the one that makes what that is a patch
            of; and so on.
        base: What the last is a patch of.

    Raises:
        ValueError: One of them is not what :func:`make_patch` returns, or not in its place.

    >>> first, second, third = b"0123456789" * 10, b"+" + b"0123456789" * 10, b"0123456789" * 9
    >>> patch = make_patch(second, stretches(second, third))
    >>> apply([make_patch(first, stretches(first, second)), patch], third) == first
    True
    """
    if not patches:
        return base
    length = _length(patches[0])
    text = b"".join(_followed(patches, length, memoryview(base)))
    if len(text) != length:
        raise ValueError(f"a patch makes {len(text):,} bytes of {length:,}")
    return text


def _followed(
    patches: Sequence[bytes], length: int, ground: memoryview
) -> list[bytes | memoryview]:
    """Return, piece by piece, the text of so many bytes that the first patch makes."""
    out: list[bytes | memoryview] = []
    # What is to come, the next at the end: bytes, or a part of the text that a patch makes.
    rest: list[_Part] = [(0, 0, length)]
    while rest:
        part = rest.pop()
        if isinstance(part, bytes):
            out.append(part)
            continue
        level, start, stop = part
        for patch in islice(patches, level, None):
            level += 1
            if patch.startswith(_ONE_COPY) and len(patch) >= _INSERTED:
                # By far the most have one copy, and what is wanted ends in it.
                ahead, first, length, _ = _FOUR.unpack_from(patch, _NUMBERS)
                if ahead < stop <= ahead + length:
                    if start < ahead:
                        out.append(patch[_INSERTED + start : _INSERTED + ahead])
                        start = ahead
                    start, stop = first + start - ahead, first + stop - ahead
                    continue
            parts = _parts(patch, level, start, stop)
            while parts:
                part = parts.pop()
                if not isinstance(part, bytes):
                    break
                out.append(part)
            else:
                break
            _, start, stop = part
            rest += parts
        else:
            if stop > len(ground):
                raise ValueError(f"a patch copies up to byte {stop:,} of a text of {len(ground):,}")
            out.append(ground[start:stop])
    return out


def _parts(patch: bytes, level: int, start: int, stop: int) -> list[_Part]:
    """Return the parts of what the text that a patch makes has between two places, the last first.

    Args:
        patch: The patch.
        level: The place of the next.
        start: Where in its text.
        stop: Up to where.
    """
    parts: list[_Part] = []
    count, numbers = _read(patch)
    inserted = _NUMBERS + 4 * len(numbers)
    at = place = 0
    while True:
        ahead = numbers[place]
        if ahead and at < stop and at + ahead > start:
            parts.append(patch[inserted + max(start - at, 0) : inserted + min(stop - at, ahead)])
        at += ahead
        inserted += ahead
        if at >= stop or place == 3 * count:
            break
        first, length = numbers[place + 1], numbers[place + 2]
        if at + length > start:
            parts.append((level, first + max(start - at, 0), first + min(stop - at, length)))
        at += length
        place += 3
    parts.reverse()
    return parts


#: Where the numbers of the instructions are, behind their count.
_NUMBERS: Final = len(PATCH) + 4
#: How a patch with one copy starts, and where what it inserts is.
_ONE_COPY: Final = PATCH + b"\1\0\0\0"
_FOUR: Final = Struct("<4I")
_INSERTED: Final = _NUMBERS + _FOUR.size


@cache
def _numbers(count: int) -> Struct:
    return Struct(f"<{count}I")


def _read(patch: bytes) -> tuple[int, tuple[int, ...]]:
    """Return how many copies a patch makes, and the numbers of its instructions."""
    size = len(patch)
    count = int.from_bytes(patch[1:_NUMBERS], "little")
    if not patch.startswith(PATCH) or size < _NUMBERS + 4 or count > (size - _NUMBERS - 4) // 12:
        raise ValueError(f"{patch[:16]!r} is not how a patch starts")
    return count, _numbers(3 * count + 1).unpack_from(patch, _NUMBERS)


def _length(patch: bytes) -> int:
    """Return the length of the text that a patch makes."""
    _, numbers = _read(patch)
    return sum(numbers[0::3]) + sum(numbers[2::3])
