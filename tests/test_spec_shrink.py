"""Programs are made smaller for as long as they fail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backpack.spec.shrink import Program, smaller

STEPS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-9, 9)), max_size=30)


def program_of(steps: list[tuple[str, int]]) -> Program:
    """Return a program of these steps."""
    return (("begin", {}), *((name, {"n": number}) for name, number in steps))


@given(steps=STEPS, wanted=st.lists(st.sampled_from("abcd"), min_size=1, max_size=3))
def test_nothing_can_be_left_out_of_what_comes_out(
    steps: list[tuple[str, int]], wanted: list[str]
) -> None:
    """What comes out fails, and without any of its steps it does not."""

    def fails(program: Program) -> bool:
        names = [name for name, _ in program]
        return names[0] == "begin" and all(names.count(each) for each in wanted)

    program = program_of(steps)
    if not fails(program):
        return
    less = smaller(program, fails, 10.0)
    assert fails(less)
    assert not any(fails(less[:at] + less[at + 1 :]) for at in range(1, len(less)))
    assert all(arguments == {"n": 0} for _, arguments in less[1:])


def test_arguments_are_made_smaller_in_every_place() -> None:
    """Lists are shortened, numbers go to nothing, texts stay."""
    step = {"l": [1, (5, "k"), 7], "d": {"a": 1, "b": 2}, "s": {1, 2}, "t": "text", "f": True}

    def fails(program: Program) -> bool:
        kept = program[-1][1]
        tuples = [each for each in kept.get("l", ()) if type(each) is tuple]
        return bool(tuples) and "b" in kept["d"]

    less = smaller((("begin", {}), ("a", step)), fails, 10.0)
    assert {"l": [(0, "k")], "d": {"b": 2}, "s": set(), "t": "text", "f": False} == less[-1][1]


def test_time_is_kept() -> None:
    """Without time, a program stays what it is."""
    program = program_of([("a", 1)] * 9)
    assert program == smaller(program, lambda _: True, 0.0)
