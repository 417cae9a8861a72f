"""Sizing policies with one bug each, and odd ones without."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, Final
from uuid import uuid4

from attrs import frozen

from backpack.policies import StoredSize
from backpack.records import NewValue, digest

__all__ = ["BROKEN", "HANGING", "ODD"]


def _always(policy: object) -> Callable[[], object]:
    return lambda: policy


# --- PO1: it raises ----------------------------------------------------------------------------


def length(new: NewValue) -> int:
    """Take the length of whatever it is, numbers too."""
    value: Any = new.value
    return len(value)


def letters_of_letters(new: NewValue) -> int:
    """Walk into texts as into lists: the first letter of a letter is that letter."""

    def walk(value: Any) -> int:
        return 8 + sum(map(walk, value)) if isinstance(value, Iterable) else 8

    return walk(new.value)


# --- PO2: it changes what it is shown ----------------------------------------------------------


def sorts(new: NewValue) -> int:
    """Sort a list to count its items by kind."""
    if isinstance(new.value, list):
        new.value.sort(key=repr, reverse=True)
        new.value.sort(key=lambda item: type(item).__name__)
        new.value.append(None)
    return len(new.encoded)


def takes_apart(new: NewValue) -> int:
    """Take a dict apart to count its entries."""
    size = len(new.encoded)
    if isinstance(new.value, dict):
        while new.value:
            new.value.popitem()
            size += 8
    return size


def closes_lists(new: NewValue) -> int:
    """Put a mark at the end of every list inside a dict or a list."""
    inner: list[object] = []
    if isinstance(new.value, dict):
        inner.extend(new.value.values())
    elif isinstance(new.value, list):
        inner.extend(new.value)
    for item in inner:
        if isinstance(item, list):
            item.append("end")
    return len(new.encoded)


def lets_go(new: NewValue) -> int:
    """Empty the record to save memory."""
    size = len(new.encoded)
    object.__setattr__(new, "encoded", b"")
    return size


# --- PO3: it answers differently each time -----------------------------------------------------


class Marked:
    """Count the length of a mark of its own, which differs from one to the next."""

    def __init__(self) -> None:
        self._mark = uuid4().int

    def __call__(self, new: NewValue, /) -> int:
        return len(new.encoded) + self._mark % 1_000_003


# --- PO4: its copies do not answer as it does --------------------------------------------------


class Padded:
    """Round up to whole pages, and forget the length of a page where it is copied."""

    def __init__(self, page: int = 1) -> None:
        self._page = page

    def __reduce__(self) -> tuple[type[Padded], tuple[()]]:
        return type(self), ()

    def __call__(self, new: NewValue, /) -> int:
        return (len(new.encoded) // self._page + 1) * self._page


class PerThread:
    """Hold a buffer for each thread, which neither pickles nor copies."""

    def __init__(self) -> None:
        self._local = threading.local()

    def __call__(self, new: NewValue, /) -> int:
        self._local.size = len(new.encoded)
        return int(self._local.size)


# --- PO5: it never forgets ---------------------------------------------------------------------


@cache
def _measure(key: str, encoded: bytes) -> int:
    return len(key) + len(encoded)


def cached(new: NewValue) -> int:
    """Remember the size of every value it ever saw, in a cache without a limit."""
    return _measure(new.key, new.encoded)


class Ledger:
    """Write down every size by the digest of its value."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def __call__(self, new: NewValue, /) -> int:
        return self._sizes.setdefault(digest(new.encoded), len(new.encoded))


# --- SI1: its size is no size ------------------------------------------------------------------


def kibibytes(new: NewValue) -> float:
    """Count in KiB."""
    return len(new.encoded) / 1024


def rounded(new: NewValue) -> float:
    """Round to so many digits, which makes no int."""
    return round(len(new.encoded) * 1.1, 0)


def falsy(new: NewValue) -> object:
    """Answer False for what is empty."""
    return bool(new.value) and len(new.encoded)


def is_large(new: NewValue) -> bool:
    """Answer whether it is large, not how large it is."""
    return len(new.encoded) > 1024


def over_the_overhead(new: NewValue) -> int:
    """Take off an overhead that is more than a small value has."""
    return len(new.encoded) - 32


def unknown(new: NewValue) -> int:
    """Answer -1 for anything but a text."""
    return len(new.value) if isinstance(new.value, str) else -1


# --- SI2: its sizes of equal values differ -----------------------------------------------------


class FreeWhenSame:
    """Charge nothing for what it was asked about just before."""

    def __init__(self) -> None:
        self._last = b""

    def __call__(self, new: NewValue, /) -> int:
        if new.encoded == self._last:
            return 0
        self._last = new.encoded
        return len(new.encoded)


class Inflation:
    """Charge more each time."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, new: NewValue, /) -> int:
        self._calls += 1
        return len(new.encoded) + self._calls


def address(new: NewValue) -> int:
    """Count the lowest bits of the address along with the value."""
    return len(new.encoded) + id(new.value) // 16 % 4096


class SameObject:
    """Charge 8 bytes for a value that is the very object of the last time."""

    def __init__(self) -> None:
        self._last: object = object()
        self._encoded = b""

    def __call__(self, new: NewValue, /) -> int:
        known = new.value is self._last and new.encoded == self._encoded
        self._last, self._encoded = new.value, new.encoded
        return 8 if known else 16 + len(new.encoded)


class RemembersBefore:
    """Measure the difference in length from the value it saw last under the key."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = "", 0

    def __call__(self, new: NewValue, /) -> int:
        before = self._last[1] if self._last[0] == new.key else 0
        self._last = new.key, len(new.encoded)
        return abs(len(new.encoded) - before)


class KnowsTheObject:
    """Charge nothing where the value before is the very object it measured last."""

    def __init__(self) -> None:
        self._last: object = None

    def __call__(self, new: NewValue, /) -> int:
        if new.previous is None:
            return 1 + len(new.encoded)
        known = new.previous is self._last
        self._last = new.previous
        return 0 if known else 1 + len(new.encoded)


def growth_only(new: NewValue) -> int:
    """Measure how much longer a value is than the one before, as if it could not be shorter."""
    return len(new.encoded) - len(new.previous or b"")


def needs_one_before(new: NewValue) -> int:
    """Take it that there is a value before."""
    previous: Any = new.previous
    return len(new.encoded) + len(previous)


# --- those that never come back ----------------------------------------------------------------


def never_pops(new: NewValue) -> int:
    """Walk with a stack it never takes anything off."""
    stack: list[object] = [new.value]
    size = 0
    while stack:
        size += len(str(type(stack[-1])))
    return size


# --- odd, but lawful ---------------------------------------------------------------------------


def zero(new: NewValue) -> int:
    """Charge nothing at all."""
    return 0


def seven(new: NewValue) -> int:
    """Charge 7 bytes for anything."""
    return 7


def huge(new: NewValue) -> int:
    """Charge a tebibyte and more."""
    return 2**40 + len(new.encoded)


def characters(new: NewValue) -> int:
    """Count a text by its characters, anything else by its encoded bytes."""
    return len(new.value) if isinstance(new.value, str) else len(new.encoded)


def times(factor: int, new: NewValue) -> int:
    """Charge so many times the length, and for the key."""
    return factor * len(new.encoded) + len(new.key)


@frozen
class Pages:
    """Round up to whole pages."""

    page: int = 4096

    def __call__(self, new: NewValue, /) -> int:
        return -(-len(new.encoded) // self.page) * self.page


def both(new: NewValue) -> int:
    """Charge for the value before as well."""
    return len(new.encoded) + len(new.previous or b"")


class LastOnly:
    """Remember the last value and its size."""

    def __init__(self) -> None:
        self._last: tuple[bytes, int] | None = None

    def __call__(self, new: NewValue, /) -> int:
        if self._last is None or self._last[0] != new.encoded:
            self._last = new.encoded, 3 * len(new.encoded)
        return self._last[1]


def pickled(new: NewValue) -> int:
    """Count the bytes of its pickle, where an object in two places counts once."""
    try:
        return len(pickle.dumps(new.value))
    except Exception:
        return len(new.encoded)


BROKEN: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it takes the length of a number": ("PO1", _always(length)),
    "it walks into the letters of letters": ("PO1", _always(letters_of_letters)),
    "it sorts a list and marks its end": ("PO2", _always(sorts)),
    "it takes a dict apart": ("PO2", _always(takes_apart)),
    "it appends to the lists inside": ("PO2", _always(closes_lists)),
    "it empties the record": ("PO2", _always(lets_go)),
    "it counts a mark of its own": ("PO3", Marked),
    "it forgets its page when it is copied": ("PO4", partial(Padded, 64)),
    "it holds a buffer for each thread": ("PO4", PerThread),
    "it caches without a limit": ("PO5", _always(cached)),
    "it writes down every size": ("PO5", Ledger),
    "it counts in KiB": ("SI1", _always(kibibytes)),
    "it rounds to no int": ("SI1", _always(rounded)),
    "it answers False for what is empty": ("SI1", _always(falsy)),
    "it answers whether a value is large": ("SI1", _always(is_large)),
    "it takes off more than there is": ("SI1", _always(over_the_overhead)),
    "it answers -1 for what it does not know": ("SI1", _always(unknown)),
    "it charges nothing the second time": ("SI2", FreeWhenSame),
    "it charges more each time": ("SI2", Inflation),
    "it counts the address": ("SI2", _always(address)),
    "it charges less for the same object": ("SI2", SameObject),
    "it remembers the value before": ("SI2", RemembersBefore),
    "it knows the value before by its object": ("SI2", KnowsTheObject),
    "it takes it that values only grow": ("SI1", _always(growth_only)),
    "it takes it that there is a value before": ("PO1", _always(needs_one_before)),
    "it counts the bytes of a pickle": ("SI2", _always(pickled)),
}

HANGING: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it never takes anything off its stack": ("PO1", _always(never_pops)),
}

ODD: Final[dict[str, Callable[[], object]]] = {
    "it charges nothing": _always(zero),
    "it charges seven bytes": _always(seven),
    "it charges a tebibyte": _always(huge),
    "it counts characters": _always(characters),
    "it charges three times the length": lambda: partial(times, 3),
    "it rounds up to pages": Pages,
    "it remembers the last size": LastOnly,
    "it measures what differs from the value before": partial(StoredSize, 1),
    "it charges the value before, too": _always(both),
}
