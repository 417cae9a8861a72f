"""Making a program of steps smaller, for as long as it fails.

Steps are left out, by halves first and then one by one (the ddmin of Zeller and Hildebrandt,
"Simplifying and isolating failure-inducing input", IEEE Transactions on Software Engineering
28(2), 2002); then what they are called with is made smaller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

__all__ = ["Program", "smaller"]

#: ``(rule, {argument: value})`` of each step, in order.
Program: TypeAlias = tuple[tuple[str, dict[str, Any]], ...]


def smaller(program: Program, fails: Callable[[Program], bool], seconds: float) -> Program:
    """Return a program that fails, and of which less would do in no place, if there is time.

    Args:
        program: One that fails. Its first step stays.
        fails: Whether a program fails.
        seconds: How long to try.

    >>> program = (("begin", {}), ("a", {"n": 9}), ("b", {"n": 3}), ("c", {"n": 1}))
    >>> smaller(program, lambda steps: any(name == "b" for name, _ in steps), 1.0)
    (('begin', {}), ('b', {'n': 0}))
    """
    ends = time.monotonic() + seconds
    for less in (_shorter, _simpler):
        found = True
        while found and time.monotonic() < ends:
            found = False
            for candidate in less(program):
                if time.monotonic() > ends:
                    return program
                if fails(candidate):
                    program, found = candidate, True
                    break
    return program


def _shorter(program: Program) -> Iterator[Program]:
    """Leave steps out, many at a time at first."""
    head, steps = program[:1], program[1:]
    size = len(steps)
    while size:
        for start in range(len(steps) - size, -1, -size):
            yield head + steps[:start] + steps[start + size :]
        size //= 2


def _simpler(program: Program) -> Iterator[Program]:
    """Call a step with something smaller."""
    for at, (name, arguments) in enumerate(program):
        for argument, value in arguments.items():
            for less in _less(value):
                step = (name, {**arguments, argument: less})
                yield (*program[:at], step, *program[at + 1 :])


def _less(value: Any) -> Iterator[Any]:
    """Make a value smaller in one place; texts are left alone, since a key must stay one."""
    match value:
        case bool():
            if value:
                yield False
        case int():
            if value:
                yield 0
                yield from {abs(value) // 2, abs(value) - 1} - {0}
        case list():
            yield from _fewer(value)
            for at, each in enumerate(value):
                yield from ([*value[:at], less, *value[at + 1 :]] for less in _less(each))
        case tuple():
            for at, each in enumerate(value):
                yield from ((*value[:at], less, *value[at + 1 :]) for less in _less(each))
        case dict():
            for key in value:
                yield {name: each for name, each in value.items() if name != key}
        case set():
            for each in value:
                yield value - {each}


def _fewer(value: Sequence[Any]) -> Iterator[list[Any]]:
    if value:
        yield []
    if len(value) > 2:
        yield list(value[: len(value) // 2])
        yield list(value[len(value) // 2 :])
    for at in range(len(value)):
        yield [*value[:at], *value[at + 1 :]]
