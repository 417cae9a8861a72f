"""Previews show the beginning of a value, with no more work than that is worth."""

from __future__ import annotations

import enum
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from datetime import time as clock_time
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.policies.rendering import render

FAR = 10**9

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
values = st.recursive(
    json_values | st.binary() | st.decimals() | st.datetimes() | st.uuids(),
    lambda inner: (
        st.lists(inner).map(tuple) | st.sets(st.integers()) | st.frozensets(st.text(max_size=3))
    ),
    max_leaves=20,
)


class Colour(enum.Enum):
    """A few constants."""

    RED = 1


class Access(enum.Flag):
    """Constants that combine."""

    READ = 1
    WRITE = 2


class Text(enum.StrEnum):
    """Constants that are text."""

    HELLO = "hello"


@dataclass
class Plan:
    """A record."""

    goal: str
    steps: list[object]


class Pair(NamedTuple):
    """A tuple with names."""

    left: object
    right: object


class LoudPair(Pair):
    """A tuple with names whose own code must not run."""

    __slots__ = ()

    def __iter__(self) -> Iterator[object]:
        raise AssertionError


class Model(pydantic.BaseModel):
    """A pydantic model."""

    name: str
    _secret: int = 3


class Loud:
    """A class whose own code must not run."""

    def __repr__(self) -> str:
        raise AssertionError

    __str__ = __repr__


class LoudList(list[object]):
    """A list whose own code must not run."""

    def __repr__(self) -> str:
        raise AssertionError

    def __iter__(self) -> Iterator[object]:
        raise AssertionError


class LoudZone(tzinfo):
    """A time zone whose own code must not run."""

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        """Never asked."""
        raise AssertionError

    dst = utcoffset

    def tzname(self, _moment: datetime | None) -> str:
        """Never asked."""
        raise AssertionError


class LoudText(str):
    """Text whose own code must not run."""

    __slots__ = ()

    def __getitem__(self, index: object) -> str:
        raise AssertionError

    __repr__ = __str__ = Loud.__repr__


@given(text=st.text(), characters=st.integers(1, 30))
def test_text_is_shown_as_it_is(text: str, characters: int) -> None:
    """Of a str the first characters are shown, as they are."""
    assert text[:characters] == render(text, characters)
    shown = render(LoudText(text), characters)
    assert text[:characters] == shown
    assert type(shown) is str


@given(value=json_values.filter(lambda value: not isinstance(value, str)))
def test_data_is_shown_as_repr_shows_it(value: object) -> None:
    """With room enough, data is shown as ``repr`` shows it."""
    assert repr(value) == render(value, FAR)


@given(value=values, characters=st.integers(1, 60))
def test_a_shorter_preview_is_the_beginning_of_a_longer(value: object, characters: int) -> None:
    """The text never exceeds the limit and is the beginning of the whole text."""
    assert render(value, FAR)[:characters] == render(value, characters)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (..., "Ellipsis"),
        (-1.5, "-1.5"),
        (2j, "2j"),
        (10**30, "1" + 30 * "0"),
        (2**4000, "<int of 4,001 bits>"),
        (b"\x00ab", r"b'\x00ab'"),
        (bytearray(b"ab"), "bytearray(b'ab')"),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, "a"), "(1, 'a')"),
        ({1: [2], "b": {}}, "{1: [2], 'b': {}}"),
        (set(), "set()"),
        (frozenset(), "frozenset()"),
        ({3, 1, 2}, "{1, 2, 3}"),
        (frozenset({"b", "a"}), "frozenset({'a', 'b'})"),
        ({1, "a"}, "<set of 2>"),
        (frozenset({(1,)}), "<frozenset of 1>"),
        (set(range(5000)), "<set of 5,000>"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (Decimal("1" * 100_000), "<Decimal>"),
        (UUID(int=5), "UUID('00000000-0000-0000-0000-000000000005')"),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4, tzinfo=UTC), "2024-01-02T03:04:00+00:00"),
        (datetime(2024, 1, 2, tzinfo=ZoneInfo("UTC")), "2024-01-02T00:00:00+00:00"),
        (datetime(2024, 1, 2, tzinfo=LoudZone()), "<datetime>"),
        (clock_time(3, 4, tzinfo=timezone(timedelta(hours=1))), "03:04:00+01:00"),
        (timedelta(days=1, seconds=5), "1 day, 0:00:05"),
        (PurePosixPath("/a"), "PurePosixPath('/a')"),
        (PureWindowsPath("a"), "PureWindowsPath('a')"),
        (Colour.RED, "Colour.RED"),
        (Access.READ | Access.WRITE, "Access.READ|WRITE"),
        (Text.HELLO, "Text.HELLO"),
        (Plan("rest", [Pair(1, 2)]), "Plan(goal='rest', steps=[Pair(left=1, right=2)])"),
        (Model(name="n"), "Model(name='n')"),
        (Loud(), "<Loud>"),
        ([LoudList([1])], "[<LoudList>]"),
        ([Loud], "[<type>]"),
        (LoudPair(1, 2), "LoudPair(left=1, right=2)"),
        (np.zeros(3), "<ndarray>"),
    ],
)
def test_examples(value: object, shown: str) -> None:
    """Values are shown as people write them; of an unknown object its class is named."""
    assert shown == render(value, FAR)


def test_nameless_flags_show_their_class() -> None:
    """A combination of no flags has no name, so its class stands for it."""
    assert render(Access(0), FAR) == "<Access>"


def test_sets_are_shown_in_order() -> None:
    """Equal sets are shown alike, whatever order they were filled in."""
    names = [f"name {number}" for number in range(100)]
    backwards = names[::-1]
    assert render(set(names), FAR) == render(set(backwards), FAR)


def test_depth_is_bounded() -> None:
    """Below 40 levels dots stand for the rest, and a value that holds itself is no trouble."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert render(deep, FAR) == "[" * 40 + "..." + "]" * 40
    loop: list[object] = []
    loop.append(loop)
    assert render(loop, FAR) == "[" * 40 + "..." + "]" * 40
    assert render(loop, 7) == "[" * 7


@pytest.mark.parametrize(
    "value",
    [
        [["some text"] * 1000] * 1000,
        {"key": "x" * 20_000_000},
        {number: number for number in range(1_000_000)},
        [bytes(20_000_000)],
        set(range(500_000)),
        7**1_000_000,
        np.zeros(1_000_000),
        Plan("x" * 20_000_000, []),
    ],
    ids=["lists", "text", "dict", "bytes", "set", "int", "array", "record"],
)
def test_huge_values_cost_little(value: object) -> None:
    """A preview of a huge value takes a few kilobytes and no noticeable time."""
    tracemalloc.start()
    try:
        started = time.perf_counter()
        assert 0 < len(render(value, 200)) <= 200
        seconds = time.perf_counter() - started
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    assert seconds < 1
