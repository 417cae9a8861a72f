"""Values and programs are written down so that they can be pasted and run."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given

from backpack.spec.cases import Moment, Scene
from backpack.spec.drawing import cases
from backpack.spec.program import Writer
from backpack.spec.sameness import same
from backpack.spec.values import Colour, Rights, sized_value, values


def run(writer: Writer, expression: str) -> Any:
    """Evaluate an expression with what it imports."""
    scope: dict[str, Any] = {}
    exec("\n".join(writer.imports), scope)  # noqa: S102
    return eval(expression, scope)  # noqa: S307


@given(value=values())
def test_what_is_written_is_the_value(value: object) -> None:
    """Whatever can be packed can be written down."""
    writer = Writer()
    assert same(value, run(writer, writer.write(value)))


@pytest.mark.parametrize("axis", ["pruning", "sizing", "reference", "storage"])
def test_cases_are_written_as_calls(axis: str) -> None:
    """What a law was broken with can be pasted."""

    @given(case=cases(axis))
    def check(case: Any) -> None:
        writer = Writer()
        assert same(case, run(writer, writer.write(case)))

    check()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ab" * 500, "'ab' * 500"),
        (b"a" * 100 + b"7", "(b'a' * 100 + b'7')"),
        (sized_value(260, 0), f"{sized_value(26, 0)!r} * 10"),
        (sized_value(261, 1), f"({sized_value(26, 1)!r} * 10 + b'a')"),
        (float("-inf"), "float('-inf')"),
        (complex(1, float("nan")), "complex(1.0, float('nan'))"),
        ((1,), "(1,)"),
        (set(), "set()"),
        (Colour.RED, "Colour.RED"),
        (Rights(3), "Rights(3)"),
        (PurePosixPath("a/b"), "PurePosixPath('a/b')"),
        (Scene((Moment(size=7),), needed=2), "Scene(moments=(Moment(size=7),), needed=2)"),
        (None, "None"),
    ],
)
def test_what_is_long_or_odd_is_written_short(value: object, text: str) -> None:
    """A report stays readable."""
    assert text == Writer().write(value)


def test_a_long_call_takes_several_lines() -> None:
    """A program stays readable."""
    writer = Writer()
    assert "f(1, b='x')" == writer.call("f", {"b": "x"}, "1")
    text = "abcdefghijklmnopqrstuvwxyz" * 2
    assert f"f(\n    a={text!r},\n    b={text!r},\n)" == writer.call("f", {"a": text, "b": text})
