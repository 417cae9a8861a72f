"""Values whose classes are not here: all that is stored of them is told, and no code is run."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import fields
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, PrivateAttr

from backpack import CorruptError, MsgpackCodec
from backpack.codec import layout
from backpack.codec.foreign import Foreign, decode_foreign
from backpack.codec.layout import class_name, pack
from backpack.spec.sameness import same
from backpack.spec.values import Colour, Level, Message, Plan, Point, Rights, json_values, values


class Order(BaseModel):
    """A model with all that one can have."""

    model_config = ConfigDict(extra="allow")
    item: str = "book"
    count: int = 1
    _seen: int = PrivateAttr(default=0)


def has_foreign(value: object) -> bool:
    """Whether there is an instance of a class anywhere in a value; values here are shallow."""
    if isinstance(value, Foreign):
        return True
    if isinstance(value, dict):
        return any(map(has_foreign, [*value, *value.values()]))
    return isinstance(value, list | tuple | set | frozenset) and any(map(has_foreign, value))


@settings(max_examples=40)
@given(values(8))
def test_it_reads_what_the_codec_writes(value: object) -> None:
    """Whatever the value; and the same as the codec itself, where it has no class in it."""
    codec = MsgpackCodec()
    encoded = codec.encode(value)
    read = decode_foreign(encoded)
    if not has_foreign(read):
        assert same(value, read)
        assert encoded == codec.encode(read)


@settings(max_examples=30)
@given(values(6), values(6))
def test_two_are_told_apart_exactly_if_their_bytes_differ(one: object, other: object) -> None:
    """What is read of two values is the same exactly if they are."""
    codec = MsgpackCodec()
    first, second = codec.encode(one), codec.encode(other)
    again = [codec.encode(decode_foreign(each)) for each in (first, first, second)]
    assert again[0] == again[1]
    assert (first == second) == (again[0] == again[2])


@settings(max_examples=20)
@given(st.builds(Order, item=st.text(), count=st.integers(), more=json_values(4)), st.booleans())
def test_a_model_is_told_with_what_it_has_beside_its_fields(order: Order, is_set: bool) -> None:
    """Its extra attributes are among the others; the rest tells which fields were set."""
    if not is_set:
        order.__pydantic_fields_set__.discard("count")
    found: Any = decode_foreign(MsgpackCodec().encode(order))
    assert ("model", class_name(Order)) == (found.kind, found.name)
    extra = order.model_extra or {}
    assert same({"item": order.item, "count": order.count, **extra}, found.value)
    assert same([sorted(order.model_fields_set), order.model_extra, {"_seen": 0}], list(found.rest))


@settings(max_examples=20)
@given(json_values(5), json_values(5))
def test_an_instance_is_told_by_its_fields(goal: object, steps: object) -> None:
    """In their order, by name, with their exact types."""
    encode = MsgpackCodec().encode
    found: Any = decode_foreign(encode(Plan(goal, steps)))
    assert ("record", "backpack.spec.values:Plan") == (found.kind, found.name)
    point: Any = decode_foreign(encode(Point(goal, steps)))
    assert ("named tuple", "backpack.spec.values:Point") == (point.kind, point.name)
    assert same({"goal": goal, "steps": steps}, found.value)
    assert same({"x": goal, "y": steps}, point.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, ("enum", "backpack.spec.values:Colour", "RED")),
        (Level.HIGH, ("enum", "backpack.spec.values:Level", "HIGH")),
        (Rights.READ | Rights.RUN, ("enum", "backpack.spec.values:Rights", 5)),
        (deque([1, 2]), ("other", "collections:deque", [1, 2])),
    ],
)
def test_what_is_no_record_is_told(value: object, expected: tuple[object, ...]) -> None:
    """A member by its name, a combination by its bits, any other class by what it was made."""
    codec = MsgpackCodec()
    codec.register(deque, encode=list, decode=deque)
    found: Any = decode_foreign(codec.encode(value))
    assert expected == (found.kind, found.name, found.value)


def test_no_module_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that is there, and named in the data."""
    (tmp_path / "trap.py").write_text("raise SystemExit('it was imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for code in (layout.RECORD, layout.NAMED_TUPLE, layout.ENUM, layout.CUSTOM):
        found: Any = decode_foreign(extension(code, ["trap:Trap", {"a": 1}]))
        assert ("trap:Trap", {"a": 1}) == (found.name, found.value)
    assert "trap" not in sys.modules


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        *(
            pytest.param(lambda body=body: extension(layout.RECORD, body), id=str(body))
            for body in ([], [1, {}], ["a"], ["a", 1, 2])
        ),
        pytest.param(lambda: extension(layout.MODEL, ["a", 1, [], None, None]), id="a model"),
        pytest.param(lambda: extension(99, []), id="an unknown code"),
    ],
)
def test_what_the_codec_does_not_write_is_refused(encoded: Any) -> None:
    """As what it is: no value."""
    with pytest.raises(CorruptError):
        decode_foreign(encoded if isinstance(encoded, bytes) else encoded())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Nothing else is raised, whatever they are."""
    with suppress(CorruptError):
        decode_foreign(data)


def test_a_class_whose_fields_are_named_oddly_is_told() -> None:
    """A field that was added beside the others comes last."""
    plan = Message("user", 1)
    plan.__dict__["extra"] = 2
    found: Any = decode_foreign(MsgpackCodec().encode(plan))
    assert {"role": "user", "content": 1, "length": 4, "extra": 2} == found.value
    assert ["kind", "name", "value", "rest"] == [each.name for each in fields(Foreign)]


def extension(code: int, body: list[object]) -> bytes:
    """Return the bytes of an extension."""
    import ormsgpack

    return ormsgpack.packb(ormsgpack.Ext(code, pack(body)))
