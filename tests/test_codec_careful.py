"""The careful way: what is refused is named with the path to it, and limits hold exactly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from backpack.codec import MsgpackCodec
from backpack.codec.layout import LEVELS, PLAIN_LEVELS
from backpack.errors import UnpackableValue
from backpack.spec.values import Message, Plan, Point, hashables, values

CODEC = MsgpackCodec()
BAD = object()


class Model(BaseModel):
    """A model that holds anything, some of it in private."""

    inner: Any = None
    _client: Any = None


def refusal(value: object, path: str = "plan") -> UnpackableValue:
    """Return the error that packing raises."""
    with pytest.raises(UnpackableValue) as caught:
        CODEC.encode(value, path)
    return caught.value


Wrap = Callable[[Any, Any], tuple[Any, str]]

WRAPS: list[Wrap] = [
    lambda value, other: ([other, value], "[1]"),
    lambda value, other: ((value, other), "[0]"),
    lambda value, other: ({"other": other, "steps": value}, ".steps"),
    lambda value, other: ({"no name": value}, "['no name']"),
    lambda value, other: ({(1, "a"): value, "other": other}, "[(1, 'a')]"),
    lambda value, other: ({7: other, "steps": value}, ".steps"),
    lambda value, other: (Plan(other, value), ".steps"),
    lambda value, other: (Point(value, other), ".x"),
    lambda value, other: (Message("user", value), ".content"),
    lambda value, other: (Model(inner=value), ".inner"),
]


@given(wraps=st.lists(st.sampled_from(WRAPS), max_size=6), other=values(max_leaves=3))
def test_the_path_leads_to_what_is_wrong(wraps: list[Wrap], other: object) -> None:
    """However it is nested, the path names the way to the value that cannot be packed."""
    value: Any = BAD
    path = ""
    for wrap in wraps:
        value, step = wrap(value, other)
        path = step + path
    assume(len(path) < 190)

    assert f"plan{path}" == refusal(value).path


@given(value=values(), key=hashables())
def test_a_refused_value_changes_nothing(value: object, key: object) -> None:
    """A refusal is the same the second time, and the rest can be packed as before."""
    bad = {key: [value, BAD]}

    assert str(refusal(bad)) == str(refusal(bad))
    assert CODEC.encode(value) == CODEC.encode(value)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (BAD, "plan"),
        ([{"client": BAD}], "plan[0].client"),
        ({BAD}, "plan{...}"),
        (frozenset([(BAD,)]), "plan{...}[0]"),
        ({BAD: 1}, "plan.keys()[0]"),
        ({1: 1, (2, BAD): 1}, "plan.keys()[1][1]"),
        ({"\ud800": BAD}, "plan['\\ud800']"),
        ({"é à": BAD}, "plan['\\xe9 \\xe0']"),
        ({"x" * 30 + " " + "y" * 30: BAD}, "plan['" + "x" * 30 + " yyyyy...]"),
        ({"a\nb": BAD}, "plan['a\\nb']"),
        (Model.model_construct(inner=[BAD]), "plan.inner[0]"),
    ],
)
def test_each_step_of_a_path_is_written(value: object, path: str) -> None:
    """Attributes, keys, indexes, elements, and keys that are wrong themselves, in one line."""
    assert path == refusal(value).path


def test_private_attributes_are_on_the_path() -> None:
    """What a model hides is named too."""
    model = Model()
    model._client = BAD

    assert "plan._client" == refusal(model).path


def test_the_path_can_start_with_nothing() -> None:
    """Without a name for the value, the path starts inside it."""
    assert "a[0]" == refusal({"a": [BAD]}, "").path
    assert str(refusal(BAD, "")).startswith("a value of class object cannot be packed")


def test_keys_whose_repr_fails_are_named_by_class() -> None:
    """A key that cannot even show itself does not hide the error."""

    class Shy(Point):
        __slots__ = ()

        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert refusal({Shy(1): BAD}).path.startswith("plan[<test_codec_careful:test_keys_whose")


def test_long_paths_are_shortened() -> None:
    """A path of any depth stays one line that can be read."""
    value: Any = BAD
    for _ in range(200):
        value = {"step": value}
    path = refusal(value).path

    assert path.startswith("plan.step.step")
    assert path.endswith(".step.step")
    assert " ... " in path
    assert len(path) < 200


@pytest.mark.parametrize("tie", [
    lambda inner: [inner],
    lambda inner: {"a": inner},
    lambda inner: {1: inner},
    lambda inner: [(inner,)],
    lambda inner: [Plan(inner)],
    lambda inner: [[(1,)], {2: (3,)}, inner],
    lambda inner: [[0, 1, [Model(inner=inner)]]],
])  # fmt: skip
def test_cycles_are_refused(tie: Callable[[Any], Any]) -> None:
    """A value inside itself is refused, with both ends of the cycle."""
    cycle: list[Any] = []
    cycle.append(tie(cycle))

    assert refusal({"loop": cycle}).message == (
        "the list at plan.loop is inside itself here; a cycle cannot be packed, break it"
    )
    assert "the list at the top is inside itself here" in str(refusal(cycle, ""))


def test_the_same_object_twice_is_no_cycle() -> None:
    """A part that occurs twice side by side is packed twice."""
    part = {1: [2]}

    assert [part, (part, part)] == CODEC.decode(CODEC.encode([part, (part, part)]))


def nested(levels: int, wrap: Callable[[Any], Any]) -> Any:
    """Return 1 inside so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = wrap(value)
    return value


def same_depth(one: Any, other: Any) -> bool:
    """Whether two values of one item a level are the same; no recursion, so for any depth."""
    while type(one) is type(other) and one != 1:
        if isinstance(one, dict):
            one, other = next(iter(one.items())), next(iter(other.items()))
            if one[0] != other[0]:
                return False
            one, other = one[1], other[1]
        elif isinstance(one, Plan):
            one, other = one.goal, other.goal
        else:
            one, other = one[0], other[0]
    return bool(one == other == 1)


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
def test_the_limit_of_plain_levels_is_exact(wrap: Callable[[Any], Any]) -> None:
    """So many lists or dicts inside one another are packed, one more is refused."""
    value = nested(PLAIN_LEVELS, wrap)

    assert same_depth(value, CODEC.decode(CODEC.encode(value)))
    assert str(refusal(wrap(value))) == (
        "plan: more than 255 lists and dicts inside one another;"
        " pack the inner ones under keys of their own"
    )


@pytest.mark.parametrize(
    ("wrap", "levels"),
    [
        (lambda value: (value,), LEVELS),
        (lambda value: {1: value}, LEVELS),
        (lambda value: ([[[value]]],), LEVELS // 4),
        (lambda value: Plan(value), LEVELS // 2 - 1),  # the innermost one holds a tuple
        (lambda value: Plan([value]), LEVELS // 3),
    ],
)
def test_the_limit_of_all_levels_is_exact(wrap: Callable[[Any], Any], levels: int) -> None:
    """The same for levels of any kind; what is packed comes back."""
    value = nested(levels, wrap)

    assert same_depth(value, CODEC.decode(CODEC.encode(value)))
    error = refusal(nested(levels + 1, wrap))
    assert error.message == (
        "more than 1,024 levels of values inside one another;"
        " pack the inner ones under keys of their own"
    )


@given(kinds=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 255)), max_size=9))
@example(kinds=[(0, 254), (2, 1)] * 4)
@example(kinds=[(0, 204), (2, 1)] * 5)
@example(kinds=[(1, 200), (2, 1)] * 5 + [(0, 19)])
@example(kinds=[(1, 200), (2, 1)] * 5 + [(0, 20)])
def test_the_limits_hold_in_any_mix(kinds: list[tuple[int, int]]) -> None:
    """A value of any mix of levels comes back if it is inside both limits, else is refused."""
    wraps: list[Callable[[Any], Any]] = [
        lambda value: [value],
        lambda value: {"a": value},
        lambda value: (value,),
        lambda value: {1: value},
    ]
    value: Any = 1
    run = longest = 0
    for kind, levels in kinds:
        for _ in range(levels):
            value = wraps[kind](value)
            run += 1
            longest = max(longest, run)
            if kind >= 2:
                run = 0  # a tuple ends a run, and is a level of it
    fits = sum(levels for _, levels in kinds) <= LEVELS and longest <= PLAIN_LEVELS

    if fits:
        assert same_depth(value, CODEC.decode(CODEC.encode(value)))
    else:
        assert "inside one another; pack the inner ones" in refusal(value).message


def test_functions_that_never_end_are_refused() -> None:
    """A registered function that returns its own class again and again meets the limit."""
    codec = MsgpackCodec()
    codec.register(deque, encode=lambda value: [deque(value)], decode=deque)

    with pytest.raises(UnpackableValue, match="more than 1,024 levels of values"):
        codec.encode(deque(), "key")
