"""The size of an object graph: as a fresh copy takes it, the same for equal values."""

from __future__ import annotations

import copy
import ctypes
import enum
import gc
import json
import math
import sys
import tracemalloc
from array import array
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.policies.memory import deep_size

POINTER = 8

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.binary().map(bytearray)
    | st.decimals()
    | st.datetimes()
)
hashables = st.recursive(
    st.integers() | st.text() | st.binary(), lambda inner: st.frozensets(inner) | st.tuples(inner)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(hashables, inner)
        | st.sets(hashables)
    ),
    max_leaves=20,
)


@dataclass
class Plan:
    """A record with a dict, which caches something."""

    goal: str
    steps: list[object]

    @cached_property
    def title(self) -> str:
        """Something derived, and large."""
        return self.goal * 1000


@dataclass(slots=True)
class Node:
    """A record with slots."""

    next: object = None


class Colour(enum.Enum):
    """A few constants."""

    RED = "red" * 100


class Pair(NamedTuple):
    """A tuple with names."""

    left: object
    right: object


class Opinionated:
    """A class with its own idea of its size."""

    def __sizeof__(self) -> int:
        return 5000


@given(value=values)
def test_equal_values_have_equal_sizes(value: object) -> None:
    """A copy is as large as the value, whatever it shares and however it was made."""
    assert deep_size(value) == deep_size(copy.deepcopy(value))
    assert deep_size([value, value]) == deep_size([value, copy.deepcopy(value)])


@given(text=st.text() | st.text(st.characters(codec="latin-1")))
def test_text_is_measured_without_its_utf8_form(text: str) -> None:
    """A string is as large as a fresh one, also once its UTF-8 form was asked for."""
    fresh = "".join(list(text))
    expected = sys.getsizeof(fresh)
    assert ctypes.pythonapi.PyUnicode_AsUTF8(ctypes.py_object(fresh))
    single = len(text) < 2 and text <= "\xff"
    assert (0 if single else expected) == deep_size(fresh)


@given(length=st.integers(0, 3000))
def test_dicts_are_measured_as_they_are_built(length: int) -> None:
    """A dict is as large as one whose keys were put in one by one, for any kind of keys."""
    named = {f"key {number}": None for number in range(length)}
    keys = sum(map(sys.getsizeof, named))
    assert sys.getsizeof(named) + keys == deep_size(named)
    numbered = dict.fromkeys(range(1000, 1000 + length))
    built = {number: None for number in numbered}  # noqa: C420  # one by one is the point
    assert sys.getsizeof(built) + sum(map(sys.getsizeof, built)) == deep_size(numbered)


@given(length=st.integers(0, 3000))
@example(length=78_642)
@example(length=78_643)
def test_sets_are_measured_as_they_are_built(length: int) -> None:
    """A set is as large as one whose members were put in one by one."""
    built = set()
    for number in range(1000, 1000 + length):
        built.add(number)
    assert sys.getsizeof(built) + sum(map(sys.getsizeof, built)) == deep_size(built)


@given(items=st.lists(st.integers(1000, 2000)))
def test_spare_room_does_not_count(items: list[int]) -> None:
    """A list, a bytearray, a dict and a set that shrank are as large as those that did not."""
    grown = [*items, *range(500)]
    del grown[len(items) :]
    assert deep_size(list(items)) == deep_size(grown)
    mapping = dict.fromkeys((*range(500), *items))
    for number in range(500):
        del mapping[number]
    assert deep_size(dict.fromkeys(items)) == deep_size(mapping)
    buffer = bytearray(bytes(1000))
    del buffer[len(items) :]
    assert deep_size(bytearray(len(items))) == deep_size(buffer)


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "x" * 300, "n": n * 1000, "t": n / 3} for n in range(500)],
        [["größer als ASCII", "漢字" * 20, "😀" * 9, n * 1000] for n in range(500)],
        {f"key {n}": {"deep": [n * 1000, [n / 7]]} for n in range(500)},
        list(range(50_000)),
    ],
    ids=["messages", "wide text", "nested", "numbers"],
)
def test_the_size_is_real(value: object) -> None:
    """A copy takes that much memory, to within the room its lists keep to grow."""
    encoded = json.dumps(value)
    json.loads(encoded)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        decoded = json.loads(encoded)
        gc.collect()
        real = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.85 * real <= deep_size(decoded) <= 1.01 * real


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, ..., NotImplemented, 0, -5, 256, "", "x", "é", b"", b"x", (), Colour.RED),
        *(int, Colour, enum.EnumMeta, len, json, test_equal_values_have_equal_sizes, "".join),
    ],
    ids=lambda value: getattr(value, "__qualname__", None) or type(value).__name__,
)
def test_what_a_process_has_once_costs_nothing(value: object) -> None:
    """Constants, enum members, classes, functions and modules belong to no value."""
    assert deep_size(value) == 0
    assert deep_size([None]) == deep_size([value])


@pytest.mark.parametrize(
    "value",
    [
        *(257, 10**50, 1.5, 2j, "xy", b"xy", date(2024, 1, 2), datetime(2024, 1, 2, tzinfo=UTC)),
        *(timedelta(1), Decimal("1.5"), Decimal("1" * 500)),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_leaves_cost_what_python_says(value: object) -> None:
    """Of what has one size only, that size counts."""
    assert sys.getsizeof(value) == deep_size(value)


def test_text_keys_count_once() -> None:
    """Equal text keys count once a value, as a decoder shares them; other keys every time."""
    name = "a fairly long name"
    one, two = [{name: 0}], [{name: 0}, {"".join(list(name)): 0}]
    assert deep_size([{}]) - deep_size({}) == deep_size([0])
    assert deep_size(two) - deep_size(one) == POINTER + sys.getsizeof({name: 0})
    mixed: dict[object, int] = {name: 0, 5000: 0}
    assert deep_size([mixed, mixed]) == (
        deep_size([0, 0]) + 2 * sys.getsizeof({5000: 0, 5001: 0}) + 2 * 28 + sys.getsizeof(name)
    )


def test_cycles_count_once_round() -> None:
    """A value that holds itself has a size, and so have two that hold each other."""
    loop: list[object] = [1000]
    loop.append(loop)
    assert deep_size([1000, 0]) == deep_size(loop)
    first, second = Node(), Node()
    first.next, second.next = second, first
    assert 2 * deep_size(Node()) == deep_size(first)


def test_depth_is_no_limit() -> None:
    """Nesting far below the recursion limit is measured like any other."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert 100_000 * deep_size([0]) + deep_size([]) == deep_size(deep)


def test_sharing_takes_no_time() -> None:
    """What stands in 2**60 places is counted as often, but measured once."""
    value: list[object] = [0.5]
    for _ in range(60):
        value = [value, value]
    assert deep_size(value) > 2**60


def test_records_count_their_fields_only() -> None:
    """A record is as large before and after it cached something; its fields count."""
    plan = Plan("rest", ["sit" * 10])
    size = deep_size(plan)
    assert len(plan.title) == 4000
    assert size == deep_size(plan) == deep_size(Plan("rest", ["sit" * 10]))
    assert sys.getsizeof("sit" * 10 + "x" * 500) == 500 + deep_size("sit" * 10)
    assert size + 500 == deep_size(Plan("rest" + "x" * 500, ["sit" * 10]))


def test_instances_cost_about_what_they_take() -> None:
    """Instances with a dict and with slots are measured to within 20 %."""
    for make, count in ((lambda: Plan("", []), 1000), (Node, 1000)):
        kept: list[object] = [None] * count
        [make() for _ in range(100)]
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(count):
                kept[number] = make()
            real = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert math.isclose(real, count * deep_size(kept[0]), rel_tol=0.2)


def test_many_attributes_need_a_dict() -> None:
    """An instance with more attributes than a class shares names for pays for a dict."""
    few, many = OpenObject(), OpenObject()
    vars(few).update({f"a{number}": None for number in range(29)})
    vars(many).update({f"a{number}": None for number in range(30)})
    assert deep_size(many) - deep_size(few) > sys.getsizeof(dict.fromkeys("abcdefghijklmn")) / 2


class OpenObject:
    """A class without declared fields."""


def test_subclasses_of_containers_count_their_content() -> None:
    """A NamedTuple, a deque, an OrderedDict and a list with attributes count what they hold."""
    text = "some text"
    size = sys.getsizeof(text)
    assert sys.getsizeof(Pair(1, text)) + size == deep_size(Pair(1, text))
    assert deep_size(deque()) + 2 * POINTER + size == deep_size(deque([1, text]))
    assert deep_size({5000: text}) <= deep_size(OrderedDict({5000: text}))

    class Annotated(list[object]):
        remark: str

    annotated = Annotated([text])
    annotated.remark = text
    assert deep_size([text]) + size < deep_size(annotated)


def test_arrays_count_their_data() -> None:
    """An array counts its elements, and so does a view, which owns none."""
    zeros = np.zeros(1000)
    assert 8000 < deep_size(zeros) < 8200
    assert deep_size(zeros) == deep_size(zeros[:]) == deep_size(np.zeros(2000)[::2])
    assert sys.getsizeof(np.float64(1)) == deep_size(np.float64(1))


def test_other_leaves() -> None:
    """Ids, paths and arrays of the standard library have plausible sizes."""
    assert 70 < deep_size(UUID(int=2**127)) < 150
    path = PurePosixPath("/some/where")
    size = deep_size(path)
    assert str(path).endswith("where")
    hash(path)
    assert size == deep_size(path) == deep_size(PurePosixPath("/some/where"))
    assert size + 10 == deep_size(PurePosixPath("/some/where0123456789"))
    assert sys.getsizeof(array("d", [1.0])) == deep_size(array("d", [1.0]))


def test_a_class_may_have_its_say() -> None:
    """What a class says in ``__sizeof__`` is taken for its instances."""
    assert 5000 <= deep_size(Opinionated()) < 5100
