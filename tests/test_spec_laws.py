"""The list of laws: their ids never change, and each is a function that says whether it holds."""

from __future__ import annotations

import pytest

from backpack import Backpack
from backpack.policies import Oldest
from backpack.spec import LAWS, REMOVED, LawBroken, Model, check_laws, laws_of, require
from backpack.spec.cases import Moment, Scene
from backpack.spec.laws.container import hold
from backpack.spec.laws.law import ARCHIVE, AXES, CONTAINER


def modelled() -> tuple[Backpack, Model]:
    """Return a Backpack to which something was done, and the model of it."""
    bp = Backpack()
    model = Model(bp.code, lambda key, value, previous: (len(bp.codec.encode(value, key)), None))
    model.record(bp.pack("k", [1]), {"k": [1]})
    model.record(bp.pack("k", 2, by="planner"), {"k": 2})
    model.record(bp.remove("k"), {"k": REMOVED})
    return bp, model


def test_the_ids_are_pinned() -> None:
    """An id is never given to another law; new ones come at the end of their group."""
    assert (
        *("B1", "B2", "B3", "B4", "S1", "S2", "S3", "S4", "S5", "S6", "P1", "P2", "P3", "P4"),
        *("R1", "R2", "F1", "F2", "X1", "C1", "E1", "Q1", "A1", "A2", "A3"),
    ) == laws_of(CONTAINER)
    assert laws_of(ARCHIVE) == ("A1", "A2", "A3")
    assert {
        "sizing": ("PO1", "PO2", "PO3", "PO4", "PO5", "SI1", "SI2"),
        "reference": ("PO1", "PO2", "PO3", "PO4", "PO5", "RE1", "RE2", "RE3", "RE4"),
        "storage": ("PO1", "PO2", "PO3", "PO4", "PO5", "ST1", "ST2", "ST3", "ST4", "ST5"),
        "pruning": ("PO1", "PO2", "PO3", "PO4", "PO5", "PR1", "PR2", "PR3", "PR4", "PR5"),
    } == {axis: laws_of(axis) for axis in AXES}


def test_every_law_is_a_sentence() -> None:
    """On one line, with a full stop."""
    for law_id, law in LAWS.items():
        assert law_id == law.id
        assert law.sentence.endswith(".")
        assert "\n" not in law.sentence


def test_the_laws_hold_on_what_the_model_knows() -> None:
    """Between two operations they can be asked of any Backpack."""
    bp, model = modelled()
    check_laws(bp, model)
    check_laws(bp, model, most=2, laws=["S1", "C1"])


def test_what_the_model_does_not_know_breaks_them() -> None:
    """And the error says which, and why."""
    bp, model = modelled()
    bp.pack("k", "behind its back")
    with pytest.raises(
        LawBroken, match="P1 is broken: The head and the pinned commits sur"
    ) as info:
        check_laws(bp, model, laws=["P1"])
    assert ("P1", True) == (info.value.law, info.value.why.startswith("The head is Commit("))
    check_laws(bp, model, laws=["B1"])


def test_what_cannot_be_looked_at_breaks_a_law() -> None:
    """An error is no answer."""
    with pytest.raises(LawBroken, match="R1 is broken: .* Looking raised TypeError: 'int' object"):
        hold("R1", LAWS["R1"], 42, None)


def test_a_law_that_is_seen_while_something_is_done_says_so() -> None:
    """It cannot be asked for between two operations."""
    with pytest.raises(TypeError, match="F1 is checked by the state machine, while something is"):
        LAWS["F1"](Backpack())


def test_a_policy_law_is_a_function_of_a_policy_and_a_case() -> None:
    """As the programs in reports call it."""
    LAWS["PR1"](Oldest, Scene((Moment(),), times=9))
    with pytest.raises(LawBroken, match="PR1 is broken"):
        LAWS["PR1"](lambda: lambda request: [request.head.id], Scene((Moment(),)))


def test_require_raises_what_is_asked_for() -> None:
    """And makes the message only then."""
    require(True, "B1", lambda: str(1 / 0))
    with pytest.raises(LawBroken, match="B1 is broken: .* seen"):
        require(False, "B1", lambda: "seen")
