"""JSON forms: JSON values stay what they are, others keep their shape and about their size."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from backpack import MsgpackCodec, UnsafePickleCodec
from backpack.json_form import appended, as_json, form_of
from backpack.replay import fingerprint
from backpack.spec.values import values

CODEC = MsgpackCodec()
CODEC.register(deque, encode=list, decode=deque)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class Color(Enum):
    """A color."""

    RED = "#f00"


class Level(IntEnum):
    """A level."""

    HIGH = 3


class Point(NamedTuple):
    """A point."""

    x: int
    y: float


@frozen
class Trip:
    """A trip."""

    to: str
    on: date


class Model(BaseModel):
    """A model."""

    name: str


FORMS: list[tuple[object, object]] = [
    ((1, [2]), [1, [2]]),
    ({3}, [3]),
    (frozenset({"a"}), ["a"]),
    (Point(1, 2.5), {"x": 1, "y": 2.5}),
    ([Trip("Rome", date(2026, 5, 1))], [{"to": "Rome", "on": "2026-05-01"}]),
    (Model(name="n"), {"name": "n"}),
    (Color.RED, "RED"),
    ([Level.HIGH], ["HIGH"]),
    (deque([1, 2]), [1, 2]),
    (b"abc", "YWJj"),
    ([b"abc", 1], ["YWJj", 1]),
    (bytearray(b"abc"), "YWJj"),
    (np.array([1, 2], "u1"), {"dtype": "uint8", "shape": [2], "data": "AQI="}),
    (np.float32(0.5), 0.5),
    (datetime(2026, 5, 1, tzinfo=UTC), "2026-05-01T00:00:00+00:00"),
    (time(1, 2), "01:02:00"),
    (timedelta(days=1), "1 day, 0:00:00"),
    (Decimal("1.50"), "1.50"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (PurePosixPath("a/b"), "a/b"),
    (1 + 2j, [1.0, 2.0]),
    ({1: "a", None: "b", (1, 2): "c", "d": "e"}, {"1": "a", "null": "b", "[1,2]": "c", "d": "e"}),
    (10**4_000, 10**4_000),
    (1 << 20_000, hex(1 << 20_000)),
]


@pytest.mark.parametrize(("value", "form"), FORMS, ids=lambda each: f"{type(each).__name__}")
def test_what_json_cannot_say_keeps_its_shape(value: object, form: object) -> None:
    """As the document says, of each type."""
    assert form == json.loads(as_json(form_of(CODEC.encode(value), CODEC)))


@pytest.mark.parametrize("value", [each for each, _ in FORMS], ids=lambda each: type(each).__name__)
def test_a_codec_of_another_kind_gives_about_the_same(value: object) -> None:
    """Values are decoded, and instances are whatever they are."""
    codec = UnsafePickleCodec()
    try:
        form = json.loads(as_json(form_of(codec.encode(value), codec)))
    except TypeError as error:
        assert "has no JSON form" in str(error)  # noqa: PT017
        assert type(value) in (Model, deque, list)
    else:
        assert form is not None


@given(value=json_values)
def test_a_json_value_is_its_own_form(value: object) -> None:
    """Type for type, lone surrogates and all."""
    again = json.loads(as_json(form_of(CODEC.encode(value), CODEC)))
    assert fingerprint(value) == fingerprint(again)


@given(value=values())
def test_whatever_can_be_packed_has_a_form_of_about_its_size(value: object) -> None:
    """Or none, where it is nested too deeply."""
    encoded = CODEC.encode(value)
    form = json.loads(as_json(form_of(encoded, CODEC)))
    assert len(CODEC.encode(form)) <= 3 * len(encoded) + 60


@given(items=st.lists(json_values, max_size=40), item=json_values, others=st.lists(json_values))
def test_an_appended_item_is_seen_from_the_bytes(
    items: list[object], item: object, others: list[object]
) -> None:
    """Exactly where a list is the one before and one more."""
    before = CODEC.encode(items)
    found = appended(CODEC.encode([*items, item]), before, CODEC)
    assert found is not None
    assert fingerprint(item) == fingerprint(CODEC.decode(found))
    is_longer = fingerprint(others[:-1]) == fingerprint(items) and bool(others)
    assert is_longer == (appended(CODEC.encode(others), before, CODEC) is not None)


@pytest.mark.parametrize(
    ("make", "count"),
    [(lambda n: [0] * n, n) for n in (0, 15, 16, 65_535, 65_536)],
)
def test_lists_of_every_length_are_seen_to_grow(make: Callable[[int], Any], count: int) -> None:
    """Whatever header the encoding has."""
    before, after = CODEC.encode(make(count)), CODEC.encode(make(count + 1))
    assert b"\0" == appended(after, before, CODEC)
    assert appended(before, after, CODEC) is None
    assert appended(after, after, CODEC) is None


@pytest.mark.parametrize("value", [(1,), "text", {"a": 1}, {1}, None, 7])
def test_what_is_no_list_does_not_grow(value: object) -> None:
    """Nor does a value of another codec."""
    assert appended(CODEC.encode([1, 2]), CODEC.encode(value), CODEC) is None
    assert appended(CODEC.encode(value), CODEC.encode([]), CODEC) is None
    codec = UnsafePickleCodec()
    assert appended(codec.encode([1, 2]), codec.encode([1]), codec) is None
