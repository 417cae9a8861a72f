"""Programs of the state machine end with one of each thing that random ones come to seldom."""

from __future__ import annotations

import inspect

import pytest

from backpack.spec import machine_for, standard_backpack
from backpack.spec.machine import BackpackMachine
from backpack.spec.machine.base import KEYS
from backpack.spec.machine.closing import closing


@pytest.mark.parametrize("turn", [0, 1, 7, 58])
def test_every_step_is_a_rule_and_can_be_called(turn: int) -> None:
    """With the arguments that the rule has."""
    for name, arguments in closing(turn):
        rule = getattr(BackpackMachine, name)
        inspect.signature(inspect.unwrap(rule)).bind(None, **arguments)


def test_a_program_is_closed() -> None:
    """All the steps are done, and noted down like any other."""
    machine = machine_for(standard_backpack)()
    machine.begin(budget=0)
    machine.pack(program=[(key, key) for key in KEYS], by=None, note=None)
    turn = len(machine.model.commits)
    machine.teardown()
    assert [name for name, _ in closing(turn)] == [name for name, _ in machine.program[2:]]


def test_a_program_of_some_rules_is_closed_with_those() -> None:
    """What was not asked for is not done."""
    machine = machine_for(standard_backpack, rules={"pack", "diff"})()
    machine.begin(budget=0)
    machine.pack(program=[("k", 1)], by=None, note=None)
    machine.teardown()
    assert {"begin", "pack", "diff"} == {name for name, _ in machine.program}


def test_what_is_over_is_not_closed() -> None:
    """A program in which something has gone wrong has nothing more to say."""
    machine = machine_for(standard_backpack)()
    machine.teardown()  # Nothing was begun.
    machine.begin(budget=0)
    machine.over = True
    machine.teardown()
    assert [("begin", {"budget": 0})] == machine.program


@pytest.mark.parametrize("turn", range(5))
def test_all_keys_have_their_turn(turn: int) -> None:
    """What is done to one key this time is done to another next time."""
    changed = {arguments["key"] for _, arguments in closing(turn) if "key" in arguments}
    assert 3 == len(changed)
    assert KEYS[turn % len(KEYS)] in changed
