"""Which classes come back: registered, learned or allowed, each under one name."""

from __future__ import annotations

import dataclasses
import sys
import threading
import types
from collections import OrderedDict, defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from backpack.codec import MsgpackCodec
from backpack.codec.classes import ClassRegistry
from backpack.codec.layout import Refused
from backpack.errors import ConfigError, UnpackableValue
from backpack.spec.values import Message, Plan


def made(name: str = "Made") -> type:
    """Return a new record class that is called as all others this returned."""
    return dataclasses.make_dataclass(name, [("x", int)], namespace={"__module__": "made"})


def test_classes_from_elsewhere_are_refused() -> None:
    """A class that is neither registered nor allowed does not come back; the message says how."""
    encoded = MsgpackCodec().encode({"plan": Plan(1)})

    with pytest.raises(
        UnpackableValue,
        match=r"^class backpack\.spec\.values:Plan is not registered;"
        r" pass it as MsgpackCodec\(classes=\[\.\.\.\]\) or allow it by name$",
    ):
        MsgpackCodec().decode(encoded)


def test_two_classes_of_one_name_are_refused() -> None:
    """A name stands for one class; the other needs a name of its own."""
    first, second = made(), made()
    codec = MsgpackCodec(classes=[first])

    with pytest.raises(
        UnpackableValue,
        match=r"^key: two classes are called made:Made; register one under a name of its own:"
        r" codec\.register\(cls, name='\.\.\.'\)$",
    ):
        codec.encode(second(1), "key")
    codec.register(second, name="made:Second")

    assert second is type(codec.decode(codec.encode(second(1))))
    assert first is type(codec.decode(codec.encode(first(1))))


def test_registering_twice_alike_is_nothing() -> None:
    """The same registration again changes nothing."""
    codec = MsgpackCodec(classes=[Plan, Plan])
    codec.register(Plan)
    codec.encode(Plan(1))
    codec.register(Plan)

    assert Plan(1) == codec.decode(codec.encode(Plan(1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cls": Plan(1)}, "is not a class; register the class"),
        ({"cls": list}, "list is kept as it is and needs no registering"),
        ({"cls": datetime}, "datetime is kept as it is and needs no registering"),
        (
            {"cls": deque, "encode": list},
            "deque came with only one of encode and decode; give both",
        ),
        ({"cls": deque}, "collections:deque is no dataclass, .*; register it with encode and"),
        ({"cls": Plan, "name": ""}, "'' is no name for a class; give a string"),
        ({"cls": Plan, "name": "\ud800"}, r"'\\ud800' is no name for a class"),
        ({"cls": Message, "name": "other"}, "Message is already registered as 'backpack.spec.val"),
        ({"cls": Plan, "name": "backpack.spec.values:Message"}, "two classes are called backpack"),
        ({"cls": Message, "encode": vars, "decode": vars}, "already registered in another way"),
    ],
)
def test_registrations_that_cannot_work_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    """Each is refused with what is wrong and what to do, and the setting is named."""
    codec = MsgpackCodec(classes=[Message])

    with pytest.raises(ConfigError, match=rf"^classes: .*{message}"):
        codec.register(**arguments)
    assert Message("a", 1) == codec.decode(codec.encode(Message("a", 1)))


@pytest.mark.parametrize("allow", [["Plan"], ["a.b:"], ["a b:c"], ["os.path"], [":a"]])
def test_names_that_are_none_are_refused(allow: list[str]) -> None:
    """A name must say module and class."""
    with pytest.raises(
        ConfigError, match=r"^allow: .* is no class name; write it as 'package\.mod"
    ):
        MsgpackCodec(allow=allow)


def test_one_name_is_no_list_of_names() -> None:
    """A single string is a common slip."""
    with pytest.raises(ConfigError, match=r"^allow: one string, 'a:B'; give a list of names$"):
        MsgpackCodec(allow="a:B")


def test_allowed_classes_are_imported_when_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is imported when the first instance comes back, not before."""
    (tmp_path / "lazy_plans.py").write_text(
        "import dataclasses\n"
        "class Outer:\n"
        "    @dataclasses.dataclass\n"
        "    class Plan:\n"
        "        x: int\n"
        "Alias = Outer.Plan\n"
        "class Odd: pass\n"
        "number = 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = ["lazy_plans:Outer.Plan", "lazy_plans:Alias", "lazy_plans:Odd", "lazy_plans:number"]
    registry = ClassRegistry([*names, "lazy_plans:Gone", "lazy_gone:A"])

    assert "lazy_plans" not in sys.modules
    shape = registry.named(names[0])
    assert sys.modules["lazy_plans"].Outer.Plan is shape.cls
    assert shape.cls is registry.named(names[1]).cls
    assert names[0] == registry.known(shape.cls)[0]
    assert shape.cls is registry.named(names[1]).cls
    with pytest.raises(Refused, match=r"class lazy_plans:Odd is allowed but is no dataclass"):
        registry.named(names[2])
    with pytest.raises(Refused, match="lazy_plans:number is allowed but is no class; allow the"):
        registry.named(names[3])
    with pytest.raises(Refused, match=r"Gone is allowed but cannot be imported \(AttributeError: "):
        registry.named("lazy_plans:Gone")
    with pytest.raises(Refused, match=r"\(ModuleNotFoundError: .*\); register it under this name"):
        registry.named("lazy_gone:A")
    monkeypatch.delitem(sys.modules, "lazy_plans")


def test_a_known_class_comes_back_under_an_allowed_name() -> None:
    """A class that has moved is found under the old name it is allowed by."""
    old = types.ModuleType("old_plans")
    old.Plan = Plan  # type: ignore[attr-defined]
    sys.modules["old_plans"] = old
    try:
        registry = ClassRegistry(["old_plans:Plan"])
        registry.register(Plan, None, None, None)

        assert Plan is registry.named("old_plans:Plan").cls
        assert "backpack.spec.values:Plan" == registry.known(Plan)[0]
    finally:
        del sys.modules["old_plans"]


class Sub(str):
    """A subclass of a builtin."""

    __slots__ = ()


class Moment(datetime):
    """A subclass of a class that is kept."""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (OrderedDict(), "collections:OrderedDict is a subclass of dict, and only dict itself is"),
        (
            defaultdict(list),
            "collections:defaultdict is a subclass of dict.*; convert the value to",
        ),
        (Sub("a"), "test_codec_classes:Sub is a subclass of str, and only str itself is kept"),
        (Moment(2024, 1, 1), "test_codec_classes:Moment is a subclass of datetime, and only"),
        (memoryview(b"a"), r"a memoryview cannot be packed: .*; pack bytes\(value\)"),
        (lambda: None, "a value of class function cannot be packed; pack the data it is made from"),
        (iter([]), "a value of class list_iterator cannot be packed"),
        (int, "a value of class type cannot be packed"),
        (..., "a value of class ellipsis cannot be packed"),
    ],
)
def test_other_classes_are_refused(value: object, message: str) -> None:
    """Each is refused with its class and what to do."""
    with pytest.raises(UnpackableValue, match=rf"^key: {message}"):
        MsgpackCodec().encode(value, "key")


def test_threads_agree_on_a_class() -> None:
    """Threads that pack and register the same class at once end with one name for it."""
    for _ in range(20):
        registry = ClassRegistry()
        cls = made()
        names: list[Any] = []

        def learn(
            registry: ClassRegistry = registry, cls: type = cls, names: list[Any] = names
        ) -> None:
            names.append(registry.known(cls))

        threads = [threading.Thread(target=learn) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 4 == len(names)
        assert all(name is names[0] for name in names)
