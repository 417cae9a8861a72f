"""Reference policies with one bug each, and odd ones without."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import uuid4

from attrs import frozen

from backpack.records import Reference, SizedValue, digest

__all__ = ["BROKEN", "HANGING", "ODD"]


def _always(policy: object) -> Callable[[], object]:
    return lambda: policy


# --- PO1: it raises ----------------------------------------------------------------------------


def slices(value: SizedValue) -> Reference | None:
    """Take a slice of whatever it is, numbers too."""
    whole: Any = value.value
    return Reference.to(value, "left out", str(whole[:1])[:20])


def decodes(value: SizedValue) -> Reference | None:
    """Read the encoded bytes as if they were text."""
    return Reference.to(value, "left out", value.encoded.decode()[:20])


# --- PO2: it changes what it is shown ----------------------------------------------------------


def cuts(value: SizedValue) -> Reference | None:
    """Cut a list down to nothing, to preview it as empty."""
    if isinstance(value.value, list):
        del value.value[:]
    return None


def stamps(value: SizedValue) -> Reference | None:
    """Write the digest into a dict, so as to know it again."""
    if isinstance(value.value, dict):
        value.value["__digest__"] = digest(value.encoded)
    return None


def renames(value: SizedValue) -> Reference | None:
    """Write into the record itself."""
    object.__setattr__(value, "key", f"{value.key} (seen)")
    return None


# --- PO3: it answers differently each time -----------------------------------------------------


class Signed:
    """Sign its references with a name that differs from one to the next."""

    def __init__(self) -> None:
        self._name = uuid4().hex

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, f"left out by {self._name}")


# --- PO4: its copies do not answer as it does --------------------------------------------------


class Lenient:
    """Leave out what is above a limit, and forget the limit where it is copied."""

    def __init__(self, limit: int = 10**12) -> None:
        self._limit = limit

    def __getstate__(self) -> dict[str, int]:
        return {"_limit": 10**12}

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, "too large") if value.size > self._limit else None


class Guarded:
    """Hold a lock, which neither pickles nor copies."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __call__(self, value: SizedValue, /) -> Reference | None:
        with self._lock:
            return Reference.to(value, "left out") if value.size > 100 else None


# --- PO5: it never forgets ---------------------------------------------------------------------


class Remembers:
    """Remember every reference it made, so as to answer equally."""

    def __init__(self) -> None:
        self._made: dict[str, Reference] = {}

    def __call__(self, value: SizedValue, /) -> Reference | None:
        name = f"{value.size} {digest(value.encoded)}"
        if name not in self._made:
            self._made[name] = Reference.to(value, "left out")
        return self._made[name]


# --- RE1: it answers with no proper reference --------------------------------------------------


def truth(value: SizedValue) -> bool:
    """Answer whether, not what."""
    return value.size > 8


def text(value: SizedValue) -> str | None:
    """Answer with the reason alone."""
    return f"{value.key!r} is left out"


def class_itself(value: SizedValue) -> object:
    """Answer with the class of references."""
    return Reference


def no_reason(value: SizedValue) -> Reference | None:
    """Give no reason."""
    return Reference.to(value, "")


def excess(value: SizedValue) -> Reference | None:
    """Tell by how much the value is too large, not how large it is."""
    return Reference(max(value.size - 4, 0) // 2, digest(value.encoded), "too large")


def other_digest(value: SizedValue) -> Reference | None:
    """Tell another digest."""
    return Reference(value.size, hashlib.sha256(value.encoded).hexdigest(), "left out")


def digest_of_preview(value: SizedValue) -> Reference | None:
    """Tell the digest of the beginning only."""
    return Reference(value.size, digest(value.encoded[:-1]), "left out")


# --- RE2: it decides otherwise about equal values ----------------------------------------------


class SameAsLast:
    """Leave out what it was asked about just before."""

    def __init__(self) -> None:
        self._last = b""

    def __call__(self, value: SizedValue, /) -> Reference | None:
        known, self._last = value.encoded == self._last, value.encoded
        return Reference.to(value, "the same as before") if known else None


class EveryThird:
    """Leave out every third value."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, value: SizedValue, /) -> Reference | None:
        self._calls += 1
        return None if self._calls % 3 else Reference.to(value, "one in three")


class Numbered:
    """Number its references."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, value: SizedValue, /) -> Reference | None:
        self._number += 1
        return Reference.to(value, f"left out as number {self._number}")


def where_it_is(value: SizedValue) -> Reference | None:
    """Show where in memory the value is."""
    return Reference.to(value, "left out", object.__repr__(value.value))


# --- RE3: its references grow with the value ---------------------------------------------------


def whole(value: SizedValue) -> Reference | None:
    """Show all of the value."""
    return Reference.to(value, "left out", value.encoded.decode("latin-1"))


def tenth(value: SizedValue) -> Reference | None:
    """Show the first tenth of the value."""
    return Reference.to(value, "left out", value.encoded[: len(value.encoded) // 10].hex())


def tells_all(value: SizedValue) -> Reference | None:
    """Say in the reason what was left out."""
    return Reference.to(value, f"too large: {value.encoded!r}")


# --- RE4: it keeps what is above its limit -----------------------------------------------------


@frozen
class InKibibytes:
    """Take its limit for KiB where it compares."""

    max_value_size: int = 100

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, "too large") if value.size > self.max_value_size * 1024 else None


@frozen
class TextOnly:
    """Leave out large texts, and keep everything else."""

    max_value_size: int = 100

    def __call__(self, value: SizedValue, /) -> Reference | None:
        if not isinstance(value.value, str) or value.size <= self.max_value_size:
            return None
        return Reference.to(value, "too large")


@frozen
class OffByOne:
    """Keep what is above its limit by one byte."""

    max_value_size: int = 100

    def __call__(self, value: SizedValue, /) -> Reference | None:
        if value.size <= self.max_value_size + 1:
            return None
        return Reference.to(value, "too large")


@frozen
class WrongWayRound:
    """Leave out what is below its limit, and keep what is above."""

    max_value_size: int = 100

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, "too small") if value.size < self.max_value_size else None


# --- those that never come back ----------------------------------------------------------------


def halves(value: SizedValue) -> Reference | None:
    """Halve a preview until it is shorter than nothing."""
    shown = value.key
    while len(shown) >= 0:
        shown = shown[: len(shown) // 2]
    return Reference.to(value, "left out", shown)


def interrupts(value: SizedValue) -> Reference | None:
    """End the program where a value is met."""
    raise SystemExit(value.key)


# --- odd, but lawful ---------------------------------------------------------------------------


def nothing_kept(value: SizedValue) -> Reference | None:
    """Leave everything out."""
    return Reference.to(value, "history keeps nothing")


def all_kept(value: SizedValue) -> Reference | None:
    """Keep everything."""
    return None


@dataclass(frozen=True)
class ByKey:
    """Leave some keys out."""

    keys: frozenset[str] = frozenset({"scratch", "a", ""})

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, f"{value.key[:50]!r}") if value.key in self.keys else None


def by_last_byte(bit: int, value: SizedValue) -> Reference | None:
    """Leave out one half of the values, by their digest."""
    name = digest(value.encoded)
    return Reference.to(value, "\N{WAVING BLACK FLAG}", name) if int(name, 16) & bit else None


@frozen
class AllAbove:
    """Leave out what is above a limit of nothing."""

    max_value_size: int = 0

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, "x") if value.size > self.max_value_size else None


@frozen
class StricterThanItSays:
    """Leave out what is at its limit, too."""

    max_value_size: int = 100

    def __call__(self, value: SizedValue, /) -> Reference | None:
        return Reference.to(value, "large") if value.size >= self.max_value_size else None


@frozen
class ByEncoding:
    """Compare the limit with the encoded length, not with what the sizing policy measured."""

    max_value_size: int = 1024

    def __call__(self, value: SizedValue, /) -> Reference | None:
        if len(value.encoded) <= self.max_value_size:
            return None
        return Reference.to(value, f"larger than {self.max_value_size} bytes")


@frozen
class ReprPreview:
    """Preview the repr, in which the order of a set depends on how it was filled."""

    max_value_size: int = 1024

    def __call__(self, value: SizedValue, /) -> Reference | None:
        if value.size <= self.max_value_size:
            return None
        try:
            preview = repr(value.value)[:100]
        except ValueError:  # An int of too many digits.
            preview = ""
        return Reference.to(value, f"larger than {self.max_value_size} bytes", preview)


def lists_keys(value: SizedValue) -> Reference | None:
    """Preview a dict by its keys, and each key by its beginning."""
    if value.size <= 9_000:
        return None
    keys = value.value if isinstance(value.value, dict) else ()
    return Reference.to(value, "too large", ", ".join(sorted(str(key)[:20] for key in keys)))


BROKEN: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it slices a number": ("PO1", _always(slices)),
    "it decodes what is not text": ("PO1", _always(decodes)),
    "it cuts a list": ("PO2", _always(cuts)),
    "it writes a digest into a dict": ("PO2", _always(stamps)),
    "it renames the record": ("PO2", _always(renames)),
    "it signs with a name of its own": ("PO3", Signed),
    "it forgets its limit when it is copied": ("PO4", partial(Lenient, 4)),
    "it guards itself with a lock": ("PO4", Guarded),
    "it remembers every reference": ("PO5", Remembers),
    "it answers True": ("RE1", _always(truth)),
    "it answers with the reason alone": ("RE1", _always(text)),
    "it answers with the class": ("RE1", _always(class_itself)),
    "it gives an empty reason": ("RE1", _always(no_reason)),
    "it tells another size": ("RE1", _always(excess)),
    "it tells another digest": ("RE1", _always(other_digest)),
    "it tells the digest of the beginning": ("RE1", _always(digest_of_preview)),
    "it leaves out what is the same as before": ("RE2", SameAsLast),
    "it leaves out every third value": ("RE2", EveryThird),
    "it numbers its references": ("RE2", Numbered),
    "it previews the address": ("RE2", _always(where_it_is)),
    "it previews the whole value": ("RE3", _always(whole)),
    "it previews a tenth of the value": ("RE3", _always(tenth)),
    "it previews all keys, each cut short": ("RE3", _always(lists_keys)),
    "it tells the value in the reason": ("RE3", _always(tells_all)),
    "it takes its limit for KiB": ("RE4", InKibibytes),
    "it leaves out texts only": ("RE4", TextOnly),
    "it keeps what is one above its limit": ("RE4", OffByOne),
    "it leaves out the small and keeps the large": ("RE4", WrongWayRound),
    "it measures a value itself": ("RE4", ByEncoding),
    "it previews a set as it was filled": ("RE2", ReprPreview),
}

HANGING: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it halves a preview without end": ("PO1", _always(halves)),
    "it exits where it meets a value": ("PO1", _always(interrupts)),
}

ODD: Final[dict[str, Callable[[], object]]] = {
    "it leaves everything out": _always(nothing_kept),
    "it keeps everything": _always(all_kept),
    "it leaves out by key": ByKey,
    "it leaves out by digest": lambda: partial(by_last_byte, 1),
    "it has a limit of nothing": AllAbove,
    "it leaves out what is at its limit": StricterThanItSays,
}
