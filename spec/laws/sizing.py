"""The laws of sizing policies."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING

from backpack.spec.cases import Shown, after, again, question
from backpack.spec.drawing import cases
from backpack.spec.laws.law import law, require
from backpack.spec.laws.policy import answers, made
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.protocols import SizingPolicy

__all__: list[str] = []


@law("SI1", "sizing", cases=cases)
def sizes_are_counts(make: Callable[[], SizingPolicy], case: Shown) -> None:
    """A size is an int, never negative."""
    policy = made(make)
    for each in case.questions():
        with answers():
            size: object = policy(each)
        require(
            type(size) is int and 0 <= size < 2**63,
            "SI1",
            lambda: f"The size of {each.value!r:.200} is {described(size)}.",
        )


@law("SI2", "sizing", cases=cases)
def equal_values_have_equal_sizes(make: Callable[[], SizingPolicy], case: Shown) -> None:
    """Equal values, after equal ones, have equal sizes, whoever made them and whenever."""
    policy = made(make)
    with answers():
        first = [policy(each) for each in case.questions()]
    alone, behind = first[::2], first[1::2]
    for at, (key, value) in enumerate(case.values):
        before = case.before(at)
        for what, other in (("it", value), ("a copy", deepcopy(value)), *again(value)):
            with answers():
                measured = policy(question("sizing", key, other, case.times))
                follows = policy(after(key, other, before))
            require(
                measured == alone[at],
                "SI2",
                lambda: f"{value!r:.200} measured {alone[at]!r}, {what} later {measured!r}.",
            )
            require(
                follows == behind[at],
                "SI2",
                lambda: (
                    f"{value!r:.200} after {before!r:.100} measured {behind[at]!r}, {what} later "
                    f"{follows!r}."
                ),
            )
