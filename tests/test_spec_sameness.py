"""What it means to be the same."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import zoneinfo
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID, SafeUUID

import numpy as np
import pytest
from hypothesis import given
from pydantic import BaseModel, PrivateAttr

from backpack.spec.sameness import same
from backpack.spec.values import (
    Colour,
    Level,
    Message,
    Plan,
    Point,
    Rights,
    Tally,
    values,
)


class Model(BaseModel):
    """A model with every part of a state."""

    a: object = None
    _hidden: int = PrivateAttr(default=1)


@given(value=values())
def test_a_value_is_the_same_as_its_copy(value: object) -> None:
    """Copies made by others, NaN and all, are the same."""
    assert same(value, copy.deepcopy(value))
    assert same(value, pickle.loads(pickle.dumps(value)))


@given(one=values(max_leaves=3), other=values(max_leaves=3))
def test_sameness_is_symmetric_and_implies_equality(one: object, other: object) -> None:
    """It does not matter which comes first; what is the same is equal, NaN aside."""
    assert same(one, other) is same(other, one)
    assert not same(one, other) or one == other or "nan" in repr(one).lower()


@given(value=values())
def test_nothing_is_the_same_inside_something_else(value: object) -> None:
    """A value differs from one that holds it, and from one that holds more."""
    assert not same(value, [value])
    assert not same([value], [value, value])
    assert not same((value,), [value])
    assert not same({"a": value}, {"b": value})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (complex(0.0, 0.0), complex(0.0, -0.0)),
        (b"a", bytearray(b"a")),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("NaN"), Decimal("sNaN")),
        ({1: 1}, {1.0: 1}),
        ({1: 1, 2: 2}, {2: 2, 1: 1}),
        ({1}, {True}),
        ({1}, {1, 2}),
        ({1, 2}, {1}),
        ([[]], [{}]),
        ([[1, [2]]], [[1, [3]]]),
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1)),
        (datetime(2024, 1, 1), datetime(2024, 1, 1, fold=1)),
        (time(1, tzinfo=UTC), time(1, tzinfo=timezone(timedelta(0), "UTC"))),
        (time(1), time(1, fold=1)),
        (datetime(2024, 1, 1, tzinfo=zoneinfo.ZoneInfo("UTC")), datetime(2024, 1, 1, tzinfo=UTC)),
        (UUID(int=1), UUID(int=1, is_safe=SafeUUID.safe)),
        (PurePosixPath("a"), PureWindowsPath("a")),
        (PureWindowsPath("A"), PureWindowsPath("a")),
        (Level.LOW, 1),
        (Rights.READ, Rights.RUN),
        (Colour.RED, Colour.GREEN),
        (Point(1), (1, None)),
        (Plan(1), Plan(1.0)),
        (Tally(1), Tally(1, 2)),
        (Model(a=1), Model(a=2)),
        (Model(), Model(a=None)),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2), np.zeros(2, dtype="f4")),
        (np.zeros((2, 2)), np.asfortranarray(np.zeros((2, 2)))),
        (np.array(1), np.int64(1)),
        (np.str_("a"), np.str_("a\0")),
        (np.bytes_(b"a"), np.bytes_(b"a\0")),
    ],
)
def test_what_only_looks_alike_differs(one: object, other: object) -> None:
    """Values that are equal, or nearly, are told apart."""
    assert not same(one, other)
    assert not same({"k": [one]}, {"k": [other]})
    assert same([one, other], [one, other])


def test_attributes_that_are_no_fields_count() -> None:
    """Two records differ if one holds more than its fields, or lacks one."""
    plain, more, less = Message("a", 1), Message("a", 1), Message("a", 1)
    more.extra = 1  # type: ignore[attr-defined]
    del less.length

    assert not same(plain, more)
    assert not same(more, plain)
    assert not same(plain, less)
    assert dataclasses.asdict(plain) == dataclasses.asdict(more)


def test_private_attributes_of_models_count() -> None:
    """Two models differ if one hides something else."""
    one, other = Model(), Model()
    other._hidden = 2

    assert not same(one, other)
    assert same(one, Model())


def test_a_cached_hash_does_not_count() -> None:
    """A record whose hash was asked for is still the same."""
    used = Tally(1)
    hash(used)

    assert same(Tally(1), used)


def test_sameness_needs_no_recursion() -> None:
    """Values of any depth can be compared."""
    one: Any = 1
    other: Any = 1
    for _ in range(50_000):
        one, other = [one], [other]

    assert same(one, other)
    assert not same(one, [other])
