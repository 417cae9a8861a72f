"""The laws of reference policies."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from backpack.records import Reference, digest
from backpack.spec.cases import Shown, again, question
from backpack.spec.drawing import cases
from backpack.spec.laws.law import LawBroken, NotApplicable, law, require
from backpack.spec.laws.policy import answers, made
from backpack.spec.values import SIZED_KINDS, sized_value
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.protocols import ReferencePolicy
    from backpack.records import SizedValue

__all__ = ["limit_of"]

#: The least size of a value whose reference is weighed, and how much larger the other one is.
_LARGE: Final = 50_000
_LARGER: Final = 4
#: Characters by which a reference may be longer for a value so much larger: a number or two.
_SLACK: Final = 64


def limit_of(policy: object) -> int | None:
    """Return the per-value limit a reference policy declares, in bytes; None if it does not."""
    limit = getattr(policy, "max_value_size", None)
    return limit if type(limit) is int and limit > 0 else None


def _left(policy: ReferencePolicy, asked: SizedValue) -> Reference | None:
    with answers():
        left = policy(asked)
    if left is not None and type(left) is not Reference:
        raise LawBroken("RE1", f"It answered {described(left)}, neither None nor a Reference.")
    return left


@law("RE1", "reference", cases=cases)
def references_tell(make: Callable[[], ReferencePolicy], case: Shown) -> None:
    """It answers None, or a Reference that tells the value's own size, digest and a reason."""
    policy = made(make)
    for each in case.questions():
        left = _left(policy, each)  # type: ignore[arg-type]
        if left is None:
            continue
        size, mark = each.size, digest(each.encoded)  # type: ignore[union-attr]
        told = f"For a value of {size:,} bytes it answered {left!r:.300}."
        require((left.size, left.digest) == (size, mark), "RE1", told)
        require(type(left.reason) is str and left.reason.strip(), "RE1", told)
        require(left.preview is None or type(left.preview) is str, "RE1", told)


@law("RE2", "reference", cases=cases)
def equal_values_are_decided_equally(make: Callable[[], ReferencePolicy], case: Shown) -> None:
    """Equal values are decided equally, whoever made them and whenever."""
    policy = made(make)
    first = [_left(policy, each) for each in case.questions()]  # type: ignore[arg-type]
    for (key, value), left in zip(case.values, first, strict=True):
        for what, other in (("it", value), ("a copy", deepcopy(value)), *again(value)):
            later = _left(policy, question("reference", key, other, case.times))  # type: ignore[arg-type]
            require(
                later == left,
                "RE2",
                lambda: f"{value!r:.200} was answered {left!r:.200}, {what} later {later!r:.200}.",
            )


@law("RE3", "reference")
def references_are_small(make: Callable[[], ReferencePolicy]) -> None:
    """A reference is small: what it keeps does not grow with the value."""
    policy = made(make)
    size = max(_LARGE, 2 * (limit_of(policy) or 0))
    is_left_out = False
    for kind in SIZED_KINDS:
        lengths = []
        for each in (size, size * _LARGER):
            asked = question("reference", "plan", sized_value(each, kind))
            left = _left(policy, asked)  # type: ignore[arg-type]
            if left is not None:
                lengths.append(len(left.reason) + len(left.preview or "") + len(left.digest))
        is_left_out = is_left_out or bool(lengths)
        require(
            len(lengths) < 2 or lengths[1] <= lengths[0] + _SLACK,
            "RE3",
            lambda: (
                f"For a value of {size:,} bytes it keeps {lengths[0]:,} characters, for one "
                f"{_LARGER} times as large {lengths[1]:,}."
            ),
        )
    if not is_left_out:
        raise NotApplicable(f"it leaves no value of {size:,} or {size * _LARGER:,} bytes out")


def _around(axis: str) -> st.SearchStrategy[tuple[int, int, int]]:
    return st.tuples(st.integers(-12, 12), st.sampled_from(SIZED_KINDS), st.sampled_from([1, 3]))


@law("RE4", "reference", cases=_around)
def the_limit_is_a_limit(make: Callable[[], ReferencePolicy], around: tuple[int, int, int]) -> None:
    """What is above its ``max_value_size`` is left out, whatever else is."""
    policy = made(make)
    limit = limit_of(policy)
    if limit is None:
        raise NotApplicable("it declares no max_value_size")
    beside, kind, times = around
    for size in (limit // times + beside, 2 * limit // times + beside):
        asked = question("reference", "plan", sized_value(max(0, size), kind), times)
        left = _left(policy, asked)  # type: ignore[arg-type]
        above = asked.size > limit  # type: ignore[union-attr]
        require(
            left is not None or not above,
            "RE4",
            f"It keeps a value of size {asked.size:,}, above its limit of {limit:,}.",  # type: ignore[union-attr]
        )
