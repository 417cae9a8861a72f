"""What changed inside a value: something is told exactly if the bytes differ, in bounded time."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from time import process_time
from typing import Any, cast

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpack import ConfigError, MsgpackCodec
from backpack.codec.foreign import Foreign
from backpack.looking.changes import ABSENT, Difference, differences
from backpack.looking.spelling import Shortly, for_json, for_people
from backpack.looking.writing import on_lines, on_one_line
from backpack.spec.sameness import same
from backpack.spec.values import LOOK_ALIKES, Colour, Level, Message, Plan, json_values, values

encode = MsgpackCodec().encode


def found(before: object, after: object, path: str = "v") -> tuple[Difference, ...]:
    """Return what differs between two values."""
    return differences(encode(before), encode(after), path)


def told(before: object, after: object) -> list[tuple[str, str, object, object]]:
    """Return what differs, as plain data."""
    return [(each.path, each.kind, each.before, each.after) for each in found(before, after)]


@st.composite
def edited(draw: st.DrawFn) -> tuple[object, object]:
    """Return two values that have much in common: one, and itself with something replaced."""
    value = draw(json_values(6) | values(4))
    other = draw(values(3))

    def edit(inner: Any, depth: int) -> object:
        if depth == 0 or not inner or type(inner) not in (list, dict, tuple):
            return other
        if type(inner) is dict:
            key = draw(st.sampled_from(list(inner)))
            return {**inner, key: edit(inner[key], depth - 1)}
        at = draw(st.integers(0, len(inner) - 1))
        return type(inner)([*inner[:at], edit(inner[at], depth - 1), *inner[at + 1 :]])

    return value, edit(value, draw(st.integers(0, 3)))


@settings(max_examples=25)
@given(edited() | st.tuples(values(4), values(4)) | st.tuples(*[st.sampled_from(LOOK_ALIKES)] * 2))
def test_something_is_told_exactly_if_the_bytes_differ(pair: tuple[object, object]) -> None:
    """On any two values; and each difference can be written, for people and for programs."""
    before, after = encode(pair[0]), encode(pair[1])
    differing = differences(before, after, "v")
    assert (before == after) == (not differing)
    assert () == differences(before, before)
    for each in differing:
        assert each.path.startswith("v")
        for value in (each.before, each.after):
            for spelling in (for_people, Shortly(5), for_json):
                assert "".join(on_one_line(value, spelling))
            assert all(line.isprintable() for line in on_lines(value, for_people))


@settings(max_examples=30)
@given(
    st.lists(json_values(2), max_size=12),
    st.lists(st.tuples(st.integers(0, 12), json_values(2)), max_size=3),
)
def test_a_list_is_told_by_what_was_put_in(items: list[object], new: list[Any]) -> None:
    """Never more is told than was put in, and what is told rebuilds the list."""
    after = list(items)
    for at, value in new:
        after.insert(at, value)
    differing = found(items, after)
    assert len(differing) <= 1 + 2 * len(new)
    assert {each.kind for each in differing} <= {"added", "changed", "type"}


@settings(max_examples=30)
@given(
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=6),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=6),
)
def test_what_is_told_of_dicts_makes_the_one_the_other(before: Any, after: Any) -> None:
    """Added, removed and changed keys are all there are."""
    counts = {
        "added": len(after.keys() - before.keys()),
        "removed": len(before.keys() - after.keys()),
        "changed": sum(before[key] != after[key] for key in before.keys() & after.keys()),
    }
    kinds = [each.kind for each in found(before, after)]
    assert counts == {kind: kinds.count(cast(Any, kind)) for kind in counts}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (1, 1.0, [("v", "type", 1, 1.0)]),
        (True, 1, [("v", "type", True, 1)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("v.a[0].b", "changed", 1, 2)]),
        ({"no name": 1}, {"no name": 2}, [("v['no name']", "changed", 1, 2)]),
        ({7: "a"}, {7: "b"}, [("v[7]", "changed", "a", "b")]),
        ({1: 2}, {True: 2}, [("v[1]", "removed", 2, ABSENT), ("v[True]", "added", ABSENT, 2)]),
        ((1, (2,)), (1, (3,)), [("v[1][0]", "changed", 2, 3)]),
        ([1, 2], (1, 2), [("v", "type", [1, 2], (1, 2))]),
        ({1}, {1, 2}, [("v{...}", "added", ABSENT, 2)]),
        (frozenset({1}), frozenset(), [("v{...}", "removed", 1, ABSENT)]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [("v", "order", ["a", "b"], ["b", "a"])]),
        ([1, 2, 3], [1, 3], [("v[1]", "removed", 2, ABSENT)]),
        (
            [{"a": 1}, {"a": 2}],
            [{"a": 0}, {"a": 1}, {"a": 2}],
            [("v[0]", "added", ABSENT, {"a": 0})],
        ),
        (
            [1, {"a": 1}],
            [0, 1, {"a": 2}],
            [("v[0]", "added", ABSENT, 0), ("v[2].a", "changed", 1, 2)],
        ),
        ([], {}, [("v", "type", [], {})]),
        (None, [], [("v", "type", None, [])]),
    ],
)
def test_differences_are_told(before: object, after: object, expected: object) -> None:
    """Where, how, from what and to what."""
    assert expected == told(before, after)


def test_what_is_nearly_the_same_is_told_apart() -> None:
    """Zeros, moments and numbers that are equal to Python, and not the same; NaN is the same."""
    assert 1 == len(found([0.0, math.nan], [-0.0, math.nan]))
    assert 1 == len(found(Decimal("1.0"), Decimal("1.00")))
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    assert 1 == len(found(moment, moment.astimezone()))
    assert () == found(Decimal("sNaN"), Decimal("sNaN"))
    assert 1 == len(found({"\ud800"}, {"a", "\ud800"}))


def test_instances_are_looked_into() -> None:
    """By their fields, as far as they are of one class; members are told whole."""
    assert [("v.content.a", "changed", 1, 2)] == told(
        Message("user", {"a": 1}), Message("user", {"a": 2})
    )
    (whole,) = found(Plan("a"), Message("a", 1))
    assert ("type", "backpack.spec.values:Plan") == (whole.kind, cast(Foreign, whole.before).name)
    (member,) = found(Colour.RED, Colour.GREEN)
    assert ("changed", "RED") == (member.kind, cast(Foreign, member.before).value)
    assert ["type"] == [each.kind for each in found(Level.LOW, 1)]
    assert 2 == len(found(Plan(1, 2), Plan(2, 1)))


def test_a_model_that_differs_beside_its_fields_is_told() -> None:
    """Though nothing else shows it."""
    from pydantic import BaseModel

    class Order(BaseModel):
        count: int = 1

    (each,) = found(Order(), Order(count=1))
    assert ("v", "changed") == (each.path, each.kind)


def test_bytes_that_the_codec_would_write_otherwise_are_told() -> None:
    """Only somebody else could have written them."""
    (each,) = differences(b"\x01", b"\xcc\x01", "v")
    assert ("changed", 1, 1, "the same value, stored differently") == (
        each.kind,
        each.before,
        each.after,
        each.note,
    )


def nested(levels: int, innermost: object) -> object:
    """Return a value that many levels deep."""
    value = innermost
    for level in range(levels):
        value = (value, level)
    return value


def records(levels: int, innermost: object) -> object:
    """Return instances inside instances."""
    value = innermost
    for _ in range(levels):
        value = Plan(value)
    return value


ITEMS: list[dict[str, Any]] = [{"n": number, "text": "text"} for number in range(10_000)]
AB = [number % 2 for number in range(10_000)]


@pytest.mark.parametrize(
    ("before", "after", "count", "noted"),
    [
        (ITEMS, [*ITEMS[:5000], "new", *ITEMS[5000:]], 1, False),
        (ITEMS, [*ITEMS[:9], *ITEMS[10:5000], {"n": -1}, *ITEMS[5000:]], 2, False),
        (ITEMS, ITEMS[::-1], 1, True),
        ([*AB], [7, *AB, 8], 1, True),
        (AB, [7, *AB[1:-1], 8], 2, False),
        (AB, [1 - each if at % 3 == 0 else each for at, each in enumerate(AB)], 3334, False),
        (ITEMS, [{**each, "n": -each["n"]} for each in ITEMS], 9_999, True),
        (dict.fromkeys(map(str, range(10_001))), {}, 10_000, True),
        (nested(35, 1), nested(35, 2), 1, False),
        (nested(900, 1), nested(900, 2), 1, True),
        (records(300, 1), records(300, 2), 1, True),
        (records(500, 1), records(500, 2), 1, True),
        ("x" * 10**6, "y" * 10**6, 1, False),
    ],
    ids=str.split(
        "in-the-middle in-and-out reversed alike ends alike-in-place all-changed all-removed "
        "deep too-deep records too-deep-records text"
    ),
)
def test_large_values_take_bounded_time(before: Any, after: Any, count: int, noted: bool) -> None:
    """And what was not looked into says so."""
    one, other = encode(before), encode(after)
    start = process_time()
    differing = differences(one, other, "v")
    assert process_time() - start < 10
    assert (count, noted) == (len(differing), any(each.note for each in differing))


def test_a_difference_that_was_left_out_is_told() -> None:
    """At the last of those that are told."""
    *_, last = found({}, dict.fromkeys(map(str, range(10_001))))
    assert last.note == "and more: only the first 10,000 differences are told"


def test_without_deepdiff_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that does."""
    monkeypatch.setitem(sys.modules, "deepdiff", None)
    with pytest.raises(ConfigError, match=r'pip install "backpack-memory\[look\]" brings it'):
        found(1, 2)
    assert () == found(1, 1)


@pytest.mark.parametrize("build", [nested, records])
def test_what_is_deep_can_be_written(build: Callable[[int, object], object]) -> None:
    """Whatever Python's own recursion limit is."""
    value = differences(encode(build(450, 1)), encode("a"))[0].before
    for spelling in (for_people, for_json):
        assert "".join(on_one_line(value, spelling)).count("1") >= 1
    assert len([*on_lines(value, for_people)]) > 450


def test_the_bytes_may_be_those_of_anybody() -> None:
    """Fields that are no dict are told as they are."""
    one, other = (
        ormsgpack.packb(ormsgpack.Ext(24, ormsgpack.packb(["a:B", each]))) for each in (1, 2)
    )
    (each,) = differences(one, other)
    assert "B(1)" == "".join(on_one_line(each.before, for_people))
    assert same(2, cast(Foreign, each.after).value)
