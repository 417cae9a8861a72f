"""Instances of classes come back with all they held, and no code of the class has run."""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Any, ClassVar, Generic, TypeVar

import attrs
import pytest
from hypothesis import given
from ormsgpack import Ext, packb
from pydantic import BaseModel, PrivateAttr, RootModel

from backpack.codec import MsgpackCodec, layout
from backpack.codec.shapes import shape_for
from backpack.errors import CorruptError, UnpackableValue
from backpack.spec.sameness import same
from backpack.spec.values import Colour, Message, Mode, Plan, Point, Rights, Tally, hashables

CODEC = MsgpackCodec()
T = TypeVar("T")


def back(value: T) -> T:
    """Encode and decode."""
    decoded = CODEC.decode(CODEC.encode(value))
    assert type(decoded) is type(value)
    return decoded


class Model(BaseModel):
    """A model with extra and private attributes, that validates."""

    model_config: ClassVar[Any] = {"extra": "allow", "validate_assignment": True, "frozen": True}

    size: int = 1
    inner: object = None
    _secret: list[int] = PrivateAttr(default_factory=lambda: [7])


class Numbers(RootModel[list[int]]):
    """A model around one value."""


@dataclasses.dataclass
class Loud:
    """A dataclass whose making would be noticed."""

    x: object
    made: ClassVar[int] = 0

    def __post_init__(self) -> None:
        type(self).made += 1

    def __setattr__(self, name: str, value: object) -> None:
        if type(self).made > 1:
            raise AssertionError("code of the class ran")
        object.__setattr__(self, name, value)


@attrs.define
class Slotted:
    """An attrs class with slots and a cached property."""

    x: int
    late: int = attrs.field(init=False)

    @functools.cached_property
    def double(self) -> int:
        """Twice x."""
        return 2 * self.x


@attrs.define(slots=False)
class Open:
    """An attrs class with a dict."""

    x: int


@dataclasses.dataclass
class Box(Generic[T]):
    """A generic dataclass: calling ``Box[int]`` leaves a note in the instance."""

    x: T


class Steps(enum.IntFlag, boundary=enum.KEEP):
    """A flag that keeps bits it does not know."""

    ONE = 1


class Mutable(enum.Enum):
    """An Enum with an alias."""

    A = 1
    ALIAS = 1  # noqa: PIE796


@given(inner=hashables())
def test_records_come_back_the_same(inner: object) -> None:
    """Every kind of record comes back equal, and as hashable as it was."""
    for record in (Point(inner, 1), Plan(inner), Tally(inner)):
        assert same(record, back(record))
        # NaN differs from itself, and each hashes as it likes.
        assert record != back(record) or {record} == {back(record)}
    assert same(Message("user", inner), back(Message("user", inner)))


@given(inner=hashables())
def test_models_come_back_the_same(inner: object) -> None:
    """A pydantic model comes back in all four parts of its state."""
    model = Model.model_validate({"size": 3, "inner": inner, "more": (1,)})

    assert same(model, back(model))
    assert {"size", "inner", "more"} == back(model).model_fields_set
    assert [7] == back(model)._secret
    assert set() == back(Model()).model_fields_set


def test_models_are_not_validated() -> None:
    """What a model holds comes back, valid or not, in the order of its fields."""
    odd = Model.model_construct(inner=1, size="no number")

    assert "no number" == vars(back(odd))["size"]
    assert CODEC.encode(odd) == CODEC.encode(Model.model_construct(size="no number", inner=1))
    assert same(Numbers([1, 2]), back(Numbers([1, 2])))


def test_no_code_of_the_class_runs() -> None:
    """Neither ``__init__`` nor ``__post_init__`` nor ``__setattr__`` is called."""
    Loud.made = 0
    encoded = CODEC.encode(Loud(1))
    Loud.made = 2

    assert same(1, CODEC.decode(encoded).x)  # type: ignore[attr-defined]
    assert 2 == Loud.made


def test_attributes_that_are_not_fields_come_back() -> None:
    """What was hung onto an instance comes back; the order it was hung on does not show."""
    one, other = Message("user", 1), Message("user", 1)
    one.seen, one.by = True, "me"  # type: ignore[attr-defined]
    other.by, other.seen = "me", True  # type: ignore[attr-defined]
    del other.role
    other.role = "user"

    assert vars(one) == vars(back(one))
    assert CODEC.encode(one) == CODEC.encode(other)
    assert CODEC.encode(one) != CODEC.encode(Message("user", 1))


def test_names_that_are_no_strings_come_back() -> None:
    """Even a key of ``__dict__`` that no code could have written comes back."""
    odd = Message("user", 1)
    vars(odd)[1] = "one"  # type: ignore[index]

    assert vars(odd) == vars(back(odd))


def test_slots_that_were_never_set_stay_unset() -> None:
    """An attribute that is missing is missing afterwards."""
    slotted = back(Slotted(2))

    assert not hasattr(slotted, "late")
    assert 4 == slotted.double
    assert 4 == back(slotted).double


def test_records_with_dict_and_slots() -> None:
    """A class that adds a dict to inherited slots keeps both, private names too."""

    @dataclasses.dataclass(frozen=True)
    class More(Plan):
        __slots__ = ("__dict__", "__hidden")

        extra: object = None

    more = More(1, 2, 3)
    object.__setattr__(more, "_More__hidden", (2,))
    object.__setattr__(more, "free", 3)

    assert (2,) == back(more)._More__hidden  # type: ignore[attr-defined]
    assert 3 == back(more).free  # type: ignore[attr-defined]
    assert same(more, back(more))


def test_a_cached_hash_does_not_travel() -> None:
    """A hash that attrs keeps is computed again, and does not show in the bytes."""
    fresh, used = Tally("a"), Tally("a")
    hash(used)

    assert CODEC.encode(fresh) == CODEC.encode(used)
    assert hash(used) == hash(back(used))
    assert same(Open(1), back(Open(1)))


def test_generic_records_leave_typing_behind() -> None:
    """``Box[int](1)`` comes back although its note of how it was called cannot be packed."""
    assert Box(1) == back(Box[int](1))
    assert CODEC.encode(Box(1)) == CODEC.encode(Box[int](1))


@pytest.mark.parametrize(
    "member",
    [Colour.RED, Mode.SAFE, Rights(0), Rights.READ | Rights.RUN, Steps(5), ~Steps.ONE,
     Mutable.ALIAS],
)  # fmt: skip
def test_enums_come_back_as_the_member(member: enum.Enum) -> None:
    """A member comes back as itself, a combination of flags as the one there is."""
    assert member is back(member)
    assert {member: 1} == back({member: 1})


class Strange(enum.Enum):
    """An Enum that makes up members."""

    A = 1

    @classmethod
    def _missing_(cls, value: object) -> Any:
        made = object.__new__(cls)
        made._name_, made._value_ = "MADE", value  # type: ignore[assignment]
        return made


def test_members_that_are_made_up_are_refused() -> None:
    """A member that the class does not list is refused."""
    with pytest.raises(
        UnpackableValue, match=r"is none of the members of .*:Strange; pack a member"
    ):
        CODEC.encode(Strange(2), "mode")


def test_named_tuples_with_more_than_fields_are_refused() -> None:
    """A NamedTuple that was given attributes says which, and what to do."""

    class Named(Point):
        pass

    plain, named = Named(1), Named(1)
    named.extra = 1  # type: ignore[attr-defined]

    assert plain == back(plain)
    with pytest.raises(UnpackableValue, match=r"attributes beside its fields \(extra\); make them"):
        CODEC.encode(named, "at")


class Plain:
    """A class that is no record."""


@pytest.mark.parametrize("base", [dict, list, Exception, int])
def test_records_on_top_of_builtins_are_no_records(base: type) -> None:
    """What a builtin holds is in no field, so such a class needs functions."""
    cls = dataclasses.make_dataclass("Mixed", [("x", int, 1)], bases=(base,))

    assert None is shape_for(cls)


@pytest.mark.parametrize("cls", [Plain, type("Odd", (tuple,), {}), object])
def test_other_classes_have_no_shape(cls: type) -> None:
    """A class that lists no fields needs functions."""
    assert None is shape_for(cls)


@pytest.mark.parametrize(
    ("code", "body", "message"),
    [
        (layout.NAMED_TUPLE, ["Point", {"x": 1}], "ValueError: its fields are"),
        (layout.ENUM, ["Colour", "BLUE"], "KeyError: 'BLUE'"),
        (layout.ENUM, ["Colour", 1], "ValueError: no member 1"),
        (layout.ENUM, ["Rights", 99], "ValueError: "),
        (layout.RECORD, ["Plan", {"other": 1}], "TypeError: vars"),
        (layout.RECORD, ["Plan"], "TypeError: "),
        (layout.RECORD, ["Point", {}], "was stored as another kind of class"),
        (layout.RECORD, [1, {}], "a class is named by a string, not by int"),
        (layout.RECORD, [], "ValueError: not enough values"),
        (layout.RECORD, None, "TypeError: cannot unpack"),
    ],
)
def test_bodies_that_do_not_fit_are_corrupt(code: int, body: Any, message: str) -> None:
    """A body that is not one of the class raises CorruptError, which says what is wrong."""
    codec = MsgpackCodec()
    for cls in (Point, Colour, Rights, Plan):
        codec.register(cls, name=cls.__name__)

    with pytest.raises(CorruptError, match=rf"extension {code} does not decode: .*{message}"):
        codec.decode(packb(Ext(code, packb(body))))


def test_properties_are_never_set_by_data() -> None:
    """A name that is a property of the class lands beside it: its setter is not called."""
    ran: list[object] = []

    @dataclasses.dataclass
    class Guarded:
        x: int
        trap = property(lambda self: None, lambda self, value: ran.append(value))

    codec = MsgpackCodec()
    codec.register(Guarded, name="Guarded")
    codec.decode(packb(Ext(layout.RECORD, packb(["Guarded", {"x": 1, "trap": 2}]))))

    assert [] == ran


def test_functions_that_fail_are_named() -> None:
    """An error in a registered function says which class's it was."""
    codec = MsgpackCodec()
    codec.register(Plain, name="A", encode=lambda value: 1 / 0, decode=lambda _: None)  # type: ignore[arg-type, return-value]

    with pytest.raises(
        UnpackableValue,
        match=r"^key: the encode function registered for .*:Plain raised ZeroDivisionError: ",
    ) as caught:
        codec.encode(Plain(), "key")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(CorruptError, match="decode function returned a NoneType"):
        codec.decode(packb(Ext(layout.CUSTOM, packb(["A", 1]))))
