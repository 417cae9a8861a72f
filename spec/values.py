"""Values to test with: strategies for all that can be packed, and what it means to be the same.

Nothing here uses the codec, so that it can bear witness for any.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import zoneinfo
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple

from attrs import field, frozen
from hypothesis import strategies as st

__all__ = [
    "LOOK_ALIKES",
    "SIZED_KINDS",
    "Colour",
    "Level",
    "Message",
    "Mode",
    "Plan",
    "Point",
    "Rights",
    "Tally",
    "hashables",
    "json_values",
    "records",
    "scalars",
    "sized",
    "sized_value",
    "values",
]


# --- classes to make values of -----------------------------------------------------------------


class Colour(enum.Enum):
    """An Enum whose values are no scalars."""

    RED = (1, 0, 0)
    GREEN = (0, 1, 0)


class Level(enum.IntEnum):
    """An Enum whose members equal ints."""

    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    """An Enum whose members equal strings."""

    FAST = "fast"
    SAFE = "safe"


class Rights(enum.Flag):
    """A Flag, whose members combine to ones without a name."""

    READ = 1
    WRITE = 2
    RUN = 4


class Point(NamedTuple):
    """A NamedTuple."""

    x: object
    y: object = None


@dataclasses.dataclass
class Message:
    """A dataclass with a field that ``__init__`` does not take."""

    role: str
    content: object
    length: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.length = len(self.role)


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """A frozen dataclass with slots."""

    goal: object
    steps: object = ()


@frozen(cache_hash=True)
class Tally:
    """A frozen attrs class with slots, a private field and a hash it keeps."""

    label: object
    _count: object = field(default=0)


# --- strategies --------------------------------------------------------------------------------

#: Values of which many are equal, and no two are the same.
LOOK_ALIKES: Final[tuple[Any, ...]] = (
    *(1, True, 1.0, Decimal(1), Level.LOW),
    *([0], [False], [0.0], [-0.0], (0,), {0}, frozenset({0})),
    *({"a": 1, "b": 2}, {"b": 2, "a": 1}, "a", b"a", bytearray(b"a"), "fast", Mode.FAST),
)

#: The kinds of :func:`sized_value`.
SIZED_KINDS: Final = range(8)

_PATTERN: Final = "".join(chr(97 + at * at % 26) for at in range(26 * 40))

_FALSY: list[object] = [None, False, 0, 0.0, -0.0, "", b"", Decimal(), timedelta(), Rights(0)]


def _texts() -> st.SearchStrategy[str]:
    # Surrogates stand alone in text cut in the middle of a pair.
    return st.text(max_size=12) | st.text(st.characters(exclude_categories=()), max_size=6)


def _ints() -> st.SearchStrategy[int]:
    bounds = [sign * 2**bits for bits in (7, 8, 63, 64, 128) for sign in (1, -1)]
    edges = [bound + step for bound in bounds for step in (-1, 0, 1)]
    return st.integers(-300, 300) | st.sampled_from(edges) | st.integers()


def _zones() -> st.SearchStrategy[timezone | zoneinfo.ZoneInfo]:
    offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23))
    return st.one_of(
        st.just(UTC),
        st.builds(timezone, offsets),
        st.builds(timezone, offsets, st.text(max_size=4)),
        st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]).map(zoneinfo.ZoneInfo),
    )


def _datetimes() -> st.SearchStrategy[datetime]:
    moments = st.datetimes(timezones=st.none() | _zones(), allow_imaginary=True)
    return st.builds(lambda moment, fold: moment.replace(fold=fold), moments, st.integers(0, 1))


def _times() -> st.SearchStrategy[time]:
    moments = st.times(timezones=st.none() | _zones())
    return st.builds(lambda moment, fold: moment.replace(fold=fold), moments, st.integers(0, 1))


def _decimals() -> st.SearchStrategy[Decimal]:
    odd = ["sNaN", "-sNaN7", "NaN123", "-0E+3", "0.00", "1E+999999", "-1E-999999", "Infinity"]
    return st.decimals() | st.sampled_from(odd).map(Decimal)


def _paths() -> st.SearchStrategy[PurePath]:
    parts = st.lists(st.text("ab .é", max_size=3), max_size=3)
    kinds = st.sampled_from([PurePosixPath, PureWindowsPath, type(Path())])
    return st.builds(lambda kind, texts: kind(*texts), kinds, parts)


def _enums() -> st.SearchStrategy[enum.Enum]:
    members: list[enum.Enum] = [*Colour, *Level, *Mode]
    return st.sampled_from(members) | st.integers(0, 7).map(Rights)


def _hashable_scalars() -> st.SearchStrategy[object]:
    edges: list[object] = [math.nan, -0.0, "\ud800", "a\udfffb", 2**63, 2**64, -(2**63) - 1]
    return st.one_of(
        st.sampled_from(edges),
        st.sampled_from(_FALSY),
        st.none(),
        st.booleans(),
        _ints(),
        st.floats(),
        st.complex_numbers(),
        _texts(),
        st.binary(max_size=12),
        _datetimes(),
        st.dates(),
        _times(),
        st.timedeltas(),
        _decimals().filter(lambda number: not number.is_snan()),
        st.uuids(),
        _paths(),
        _enums(),
    )


def scalars() -> st.SearchStrategy[object]:
    """Return values that hold no others, falsy ones and every edge of a type among them."""
    return st.one_of(
        st.sampled_from([*_FALSY, bytearray()]),
        _hashable_scalars(),
        _decimals(),
        st.binary(max_size=12).map(bytearray),
    )


def hashables(max_leaves: int = 5) -> st.SearchStrategy[Any]:
    """Return values that can be a key of a dict or an element of a set.

    Args:
        max_leaves: Scalars in one of them, about, at most.
    """
    return st.recursive(
        _hashable_scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(tuple),
            st.frozensets(inner, max_size=3),
            st.builds(Point, inner, inner),
            st.builds(Plan, inner, inner),
            st.builds(Tally, inner, inner),
        ),
        max_leaves=max_leaves,
    )


def records(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[object]:
    """Return instances of the record classes of this module.

    Args:
        inner: What they hold.
    """
    return st.one_of(
        st.builds(Point, inner, inner),
        st.builds(Message, st.text(max_size=5), inner),
        st.builds(Plan, inner, inner),
        st.builds(Tally, inner, inner),
    )


def values(max_leaves: int = 12) -> st.SearchStrategy[object]:
    """Return values of every type the standard library has that can be packed, nested.

    Args:
        max_leaves: Scalars in one of them, about, at most.
    """
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(st.text(max_size=4), inner, max_size=4),
            st.dictionaries(hashables(), inner, max_size=3),
            st.sets(hashables(), max_size=4),
            st.frozensets(hashables(), max_size=4),
            records(inner),
        ),
        max_leaves=max_leaves,
    )


def json_values(max_leaves: int = 20) -> st.SearchStrategy[object]:
    """Return what an agent's state mostly is: dicts with str keys, lists, and plain scalars.

    Args:
        max_leaves: Scalars in one of them, about, at most.
    """
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=20),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
        max_leaves=max_leaves,
    )


def sized_value(size: int, kind: int = 0) -> object:
    """Return a value whose encoded size is near so many bytes.

    Args:
        size: A text of so many characters has so many bytes of content, plus a few that any
            encoding adds.
        kind: 0 for a text, 1 for bytes, 2 for a message, 3 for two texts in a list, 4 for a text
            of wide letters, 5 for many short texts in a list, 6 for many keys, 7 for one long key.
    """
    if kind in (5, 6):
        short = [f"item {at:010}" for at in range(size // 16)]
        return short if kind == 5 else dict.fromkeys(short)
    if kind == 4:
        return "\N{GRINNING FACE}" * (size // 4) + "x" * (size % 4)
    text = (_PATTERN * (size // len(_PATTERN) + 1))[:size]
    if kind == 1:
        return text.encode()
    if kind == 2:
        return {"role": "user", "content": text[24:]}
    if kind == 7:
        return {text: True}
    return [text[: size // 2], text[size // 2 :]] if kind == 3 else text


def sized(size: int) -> st.SearchStrategy[object]:
    """Return values whose encoded size is near a limit: a little under, at it, a little over.

    Args:
        size: The limit in bytes.
    """
    return st.builds(
        sized_value, st.integers(max(0, size - 12), size + 12), st.sampled_from([0, 1, 2, 3])
    )
