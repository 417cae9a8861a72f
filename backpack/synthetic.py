"""Made-up values: as large as the real ones, and as much like the ones before.

A trace need not hold what an agent worked with. From the size of a value and from how much of it
was new, one is made up that takes about as much in a history: what is not new is shared with the
value before, what is new is text that compresses about as well as that of agents.
"""

from __future__ import annotations

from hashlib import shake_128
from typing import Final

from backpack.policies.patches import LONGEST, stretches

__all__ = ["new_bytes", "synthetic"]

#: How often which character stands in what is drawn, in 256: so often that Zstandard makes two
#: fifths of it, about as of the messages and tool results of agents.
_OFTEN: Final = {
    "e": 112,
    " ": 64,
    "t": 32,
    "a": 16,
    "o": 12,
    "n": 8,
    "i": 4,
    "r": 4,
    "s": 2,
    "h": 2,
}
_LETTERS: Final = "".join(letter * times for letter, times in _OFTEN.items()).encode()

#: The longest text behind each header of the encoding, and the bytes of the header.
_HEADERS: Final = ((31, 1), (255, 2), (65_535, 3))
_LONGEST_HEADER: Final = 5

#: So many values take one byte.
_ONE_BYTE: Final = 128


def new_bytes(encoded: bytes, before: bytes | None) -> int:
    """Return how many encoded bytes of a value the one before it does not have.

    >>> new_bytes(b"one message and the next" * 9 + b", and more", b"one message and the next" * 9)
    10
    """
    if before is None or max(len(encoded), len(before)) > LONGEST:
        return len(encoded)
    if encoded == before:
        return 0
    return len(encoded) - sum(length for _, _, length in stretches(encoded, before))


def synthetic(before: object, size: int, new: int, seed: str) -> object:
    """Return a value of a size, the same for the same arguments.

    What it shares with the value before it is that one's end: what was added last is what stays.

    Args:
        before: The value made up before under the same key; anything else if there is none.
        size: Bytes that the default codec encodes it in.
        new: How many of them the value before does not have. With none, and the size it has, that
            value is returned.
        seed: What the new part is drawn from.

    >>> first = synthetic(None, 100, 100, "1")
    >>> second = synthetic(first, 130, 30, "2")
    >>> len(first), len(second), second.startswith(first)
    (98, 128, True)
    """
    if size <= 1:
        return _one_byte(before, new, seed)
    length = _length(size)
    text = before if isinstance(before, str) else ""
    kept = min(size - new, len(text), length)
    old = text[len(text) - kept :]
    made = old + _drawn(seed, length - kept)
    if made == before and new:
        # Only of a few letters can the same be drawn again.
        made = made[:-1] + ("x" if made[-1] != "x" else "y")
    return made


def _one_byte(before: object, new: int, seed: str) -> int:
    """Return a number that takes one byte, another one if it is new."""
    if isinstance(before, int):
        return (before + 1) % _ONE_BYTE if new else before
    return shake_128(seed.encode()).digest(1)[0] % _ONE_BYTE


def _length(size: int) -> int:
    """Return how many ASCII characters a string has that is encoded in so many bytes."""
    for longest, header in _HEADERS:
        if size <= longest + header:
            return size - header
    return size - _LONGEST_HEADER


def _drawn(seed: str, length: int) -> str:
    return shake_128(seed.encode()).digest(length).translate(_LETTERS).decode("ascii")
