"""Attributes are read where they are stored, without running the object's code."""

from __future__ import annotations

import enum
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from typing import ClassVar

import attrs
import pydantic

from backpack.policies.attributes import Layout


@dataclass
class Plan:
    """A dataclass with all that is no field."""

    goal: str
    steps: list[str] = field(default_factory=list)
    shared: ClassVar[int] = 1
    seed: InitVar[int] = 0

    @cached_property
    def length(self) -> int:
        """Something derived."""
        return len(self.goal)


@attrs.frozen(cache_hash=True)
class Point:
    """An attrs class with slots, one of them for its hash."""

    x: int
    y: int


@dataclass(slots=True)
class Slotted:
    """A dataclass with slots."""

    x: int
    y: int


class Model(pydantic.BaseModel):
    """A pydantic model with extra fields and a private one."""

    model_config = pydantic.ConfigDict(extra="allow")
    name: str
    _secret: str = pydantic.PrivateAttr(default="s")


class Hostile:
    """A class whose own code must not run."""

    __slots__ = ("__dict__", "slot", "unset")

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(name)

    def __repr__(self) -> str:
        raise AssertionError


class Left:
    """A base with a slot."""

    __slots__ = ("left",)


class Right(Left):
    """A class with a slot of its own and an inherited one."""

    __slots__ = ("right",)


def test_dataclass_shows_its_fields() -> None:
    """Of a dataclass the fields are read, not what else its instances carry."""
    plan = Plan("rest", ["sit"])
    assert plan.length == 4
    assert Layout(Plan).attributes(plan) == [("goal", "rest"), ("steps", ["sit"])]


def test_attrs_class_shows_its_fields() -> None:
    """Of an attrs class the fields are read, not the cached hash."""
    point = Point(1, 2)
    hash(point)
    assert Layout(Point).attributes(point) == [("x", 1), ("y", 2)]


def test_slots_are_read() -> None:
    """Fields in slots are read; those that are not set are left out."""
    slotted = Slotted(1, 2)
    assert Layout(Slotted).attributes(slotted) == [("x", 1), ("y", 2)]
    del slotted.x
    assert Layout(Slotted).attributes(slotted) == [("y", 2)]


def test_inherited_slots_are_read() -> None:
    """Slots of base classes count as the class's own."""
    right = Right()
    right.left, right.right = 1, 2  # type: ignore[attr-defined]
    assert Layout(Right).attributes(right) == [("left", 1), ("right", 2)]


def test_pydantic_model_shows_all_it_holds() -> None:
    """Of a pydantic model the fields, the extra fields and the private ones are read."""
    model = Model(name="n", more=3)  # type: ignore[call-arg]
    assert Layout(Model).attributes(model) == [
        ("name", "n"),
        ("__pydantic_extra__", {"more": 3}),
        ("__pydantic_private__", {"_secret": "s"}),
    ]


def test_no_code_of_the_object_runs() -> None:
    """The object's own ``__getattribute__`` is not asked, whatever it would do."""
    hostile = Hostile()
    object.__setattr__(hostile, "slot", 1)
    object.__setattr__(hostile, "other", 2)
    assert dict(Layout(Hostile).attributes(hostile)) == {"slot": 1, "other": 2}


def test_an_object_without_attributes_has_none() -> None:
    """What stores no attributes shows none."""
    assert Layout(object).attributes(object()) == []
    assert Layout(int).attributes(5) == []


def test_declared_names_are_told_from_found_ones() -> None:
    """Record classes declare their fields, other classes don't."""
    assert Layout(Plan).declared == ("goal", "steps")
    assert Layout(Point).declared == ("x", "y")
    assert Layout(Hostile).declared is None
    assert Layout(enum.Enum).declared is None
