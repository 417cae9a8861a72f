"""What policies are constructed with is checked, and refused in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.errors import ConfigError
from backpack.policies import Delta, LeastAccessed, Oldest, Preview, Stub, Thinning
from backpack.policies.arguments import batch, to_least
from backpack.units import parse_size

thousandths = st.integers(1, 1000)


@given(part=thousandths, candidates=st.integers(0, 10**6))
@example(part=70, candidates=100)
def test_batch_is_the_fraction_rounded_up(part: int, candidates: int) -> None:
    """A batch is the exact fraction rounded up, whatever floats make of it."""
    assert math.ceil(Fraction(part, 1000) * candidates) == batch(part / 1000, candidates)


@given(
    fraction=st.floats(0, 1, exclude_min=True, allow_subnormal=True),
    candidates=st.integers(1, 10**9),
)
def test_batch_makes_progress(fraction: float, candidates: int) -> None:
    """One candidate at least goes, and never more than there are."""
    assert 1 <= batch(fraction, candidates) <= candidates


@pytest.mark.parametrize("policy", [Oldest, LeastAccessed, Thinning])
@pytest.mark.parametrize("fraction", [1, 1.0, 0.2, 5e-324])
def test_fraction_is_allowed(policy: Callable[..., Oldest], fraction: float) -> None:
    """Any number above 0 and up to 1 is a fraction."""
    assert fraction == policy(fraction=fraction).fraction


@pytest.mark.parametrize("policy", [Oldest, LeastAccessed, Thinning])
@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0, "0"),
        (-0.0, "-0.0"),
        (1.0000001, "1.0000001"),
        (20, "20"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (True, "True"),
        ("0.2", "'0.2'"),
        (None, "None"),
        (Fraction(1, 5), "Fraction(1, 5)"),
    ],
)
def test_fraction_is_refused(policy: Callable[..., object], fraction: object, shown: str) -> None:
    """What is no number in (0, 1] is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        policy(fraction=fraction)
    assert caught.value.field == "fraction"
    assert (
        f"{shown} is not a fraction; write a number above 0 and at most 1, like 0.2"
        == caught.value.message
    )


@pytest.mark.parametrize("half_life", [1, 0.5, 1e300, 5e-324, math.inf])
def test_half_life_is_allowed(half_life: float) -> None:
    """Any number of commits above 0 is a half-life, and so is infinity."""
    assert half_life == LeastAccessed(half_life=half_life).half_life


@pytest.mark.parametrize(
    ("half_life", "shown"),
    [(0, "0"), (-1.5, "-1.5"), (math.nan, "nan"), (False, "False"), ("1000", "'1000'")],
)
def test_half_life_is_refused(half_life: float, shown: str) -> None:
    """What is no number above 0 is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        LeastAccessed(half_life=half_life)
    assert caught.value.field == "half_life"
    assert (
        f"{shown} is not a half-life; write a number of commits above 0, like 1000"
        == caught.value.message
    )


@pytest.mark.parametrize(
    ("characters", "shown"),
    [(0, "0"), (-3, "-3"), (2.0, "2.0"), (True, "True"), ("200", "'200'"), (None, "None")],
)
def test_characters_are_refused(characters: int, shown: str) -> None:
    """What is no whole number of at least 1 is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Preview(characters=characters)
    assert caught.value.field == "characters"
    assert (
        f"{shown} is not allowed; write a whole number of at least 1, like 200"
        == caught.value.message
    )


@pytest.mark.parametrize("policy", [Stub, Preview])
@pytest.mark.parametrize(("limit", "size"), [(1, 1), ("50 KiB", 51200), ("1.5 kB", 1500)])
def test_max_value_size_is_a_size(policy: Callable[..., Stub], limit: str, size: int) -> None:
    """The limit is a number of bytes, or a size as people write it."""
    assert size == policy(max_value_size=limit).max_value_size


@pytest.mark.parametrize("policy", [Stub, Preview])
@pytest.mark.parametrize("limit", [0, -1, True, "much", 1.5, None])
def test_max_value_size_is_refused(policy: Callable[..., object], limit: object) -> None:
    """What is no size is refused, naming the argument."""
    with pytest.raises(ConfigError) as caught:
        policy(max_value_size=limit)
    assert caught.value.field == "max_value_size"


@pytest.mark.parametrize(("least", "size"), [(1, 1), (600, 600), ("1 KiB", 1024), ("2 kB", 2000)])
def test_least_is_a_size(least: int | str, size: int) -> None:
    """From where on something is done is a number of bytes, or a size as people write it."""
    assert size == to_least(least)
    assert size == Delta(least=size).least


@pytest.mark.parametrize("least", [0, -1, True, "much", 1.5, None])
def test_least_is_refused(least: Any) -> None:
    """What is no size is refused, naming the argument, in the words of every size."""
    with pytest.raises(ConfigError) as caught:
        to_least(least)
    assert "least" == caught.value.field
    with pytest.raises(ConfigError) as other:
        parse_size(least, field="max_value_size")
    assert other.value.message == caught.value.message


def test_long_arguments_are_shortened() -> None:
    """An error shows the beginning and the end of a long argument, on one line."""
    with pytest.raises(ConfigError) as caught:
        Oldest(fraction="x\n" * 10_000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
