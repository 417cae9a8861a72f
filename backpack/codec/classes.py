"""Which classes a codec gives back, and by which name: registered, seen going in, or allowed."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

from backpack.codec.atoms import ATOM_WRITERS
from backpack.codec.layout import Refused, class_name
from backpack.codec.shapes import CustomShape, Shape, shape_for
from backpack.errors import ConfigError

__all__ = ["ClassRegistry"]

_NATIVE = frozenset(
    {bool, bytes, dict, float, frozenset, list, set, tuple, type(None), *ATOM_WRITERS}
)
_ADDRESS = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


class ClassRegistry:
    """The classes of one codec, by class and by name; safe from several threads.

    Args:
        allow: Names ``module:qualname`` that may be imported when they are met.
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        if isinstance(allow, str):
            raise ConfigError(f"one string, {allow!r}; give a list of names", field="allow")
        self._allowed = frozenset(allow)
        for name in self._allowed:
            if not _ADDRESS.fullmatch(name):
                raise ConfigError(
                    f"{name!r} is no class name; write it as 'package.module:Class'", field="allow"
                )
        self._by_class: dict[type, tuple[str, Shape]] = {}
        self._by_name: dict[str, Shape] = {}
        self._lock = threading.Lock()

    def register(
        self,
        cls: type,
        name: str | None,
        encode: Callable[[Any], object] | None,
        decode: Callable[[Any], object] | None,
    ) -> None:
        """Make a class known.

        Raises:
            ConfigError: It cannot be registered so.
        """
        if not isinstance(cls, type):
            raise ConfigError(f"{cls!r} is not a class; register the class", field="classes")
        if cls in _NATIVE:
            raise ConfigError(
                f"{cls.__name__} is kept as it is and needs no registering", field="classes"
            )
        if (encode is None) != (decode is None):
            raise ConfigError(
                f"{class_name(cls)} came with only one of encode and decode; give both",
                field="classes",
            )
        if name is not None and not _is_text(name):
            raise ConfigError(f"{name!r} is no name for a class; give a string", field="classes")
        shape = CustomShape(cls, encode, decode) if encode and decode else shape_for(cls)
        if shape is None:
            raise ConfigError(
                f"{class_name(cls)} is no dataclass, attrs class, NamedTuple, Enum or pydantic"
                " model; register it with encode and decode functions",
                field="classes",
            )
        try:
            self._add(cls, name or class_name(cls), shape)
        except Refused as refusal:
            raise ConfigError(str(refusal), field="classes") from None

    def holds(self, cls: type) -> bool:
        """Return whether the class has been registered or learned."""
        return cls in self._by_class

    def known(self, cls: type) -> tuple[str, Shape]:
        """Return the name and the shape of a class on its way in; record-like ones are learned.

        Raises:
            Refused: It is neither registered nor record-like, or its name is another class's.
        """
        known = self._by_class.get(cls)
        if known is not None:
            return known
        shape = shape_for(cls)
        if shape is None:
            raise Refused(_why_not(cls))
        return self._add(cls, class_name(cls), shape)

    def instance(self, code: int, name: object, *state: Any) -> object:
        """Return an instance of the class with this name.

        Args:
            code: What kind of class it is.
            name: Its name.
            *state: What was stored of the instance.

        Raises:
            Refused: It may not be given back.
            ValueError: It is not what was stored.
        """
        shape = self.named(name)
        if shape.code != code:
            raise ValueError(f"class {name} was stored as another kind of class")
        try:
            return shape.make(*state)
        except Exception as error:
            raise ValueError(f"class {name}: {type(error).__name__}: {error}") from error

    def named(self, name: object) -> Shape:
        """Return the shape of the class with this name, imported now if it is allowed to be.

        Raises:
            Refused: It is not registered, or it is allowed and cannot be imported.
            TypeError: That is no name.
        """
        if type(name) is not str:
            raise TypeError(f"a class is named by a string, not by {type(name).__name__}")
        shape = self._by_name.get(name)
        if shape is not None:
            return shape
        if name not in self._allowed:
            raise Refused(
                f"class {name} is not registered; pass it as MsgpackCodec(classes=[...])"
                " or allow it by name"
            )
        cls = _import(name)
        shape = self._by_class[cls][1] if cls in self._by_class else shape_for(cls)
        # The import itself may have registered it.
        shape = self._by_name.get(name, shape)
        if shape is None:
            raise Refused(
                f"class {name} is allowed but is no dataclass, attrs class, NamedTuple, Enum or"
                " pydantic model; register it with encode and decode functions"
            )
        with self._lock:
            return self._by_name.setdefault(name, shape)

    def _add(self, cls: type, name: str, shape: Shape) -> tuple[str, Shape]:
        with self._lock:
            holder = self._by_name.get(name)
            if holder is not None and holder.cls is not cls:
                raise Refused(
                    f"two classes are called {name}; register one under a name of its own:"
                    " codec.register(cls, name='...')"
                )
            known = self._by_class.get(cls)
            if known is not None and known[0] != name:
                raise Refused(
                    f"{class_name(cls)} is already registered as {known[0]!r};"
                    " a class has one name in a codec"
                )
            if known is not None and known[1] != shape:
                raise Refused(
                    f"{class_name(cls)} is already registered in another way;"
                    " register a class once, before it is first packed"
                )
            self._by_name[name] = shape
            return self._by_class.setdefault(cls, (name, shape))


def _is_text(name: str) -> bool:
    return bool(name) and not any("\ud800" <= letter <= "\udfff" for letter in name)


def _import(name: str) -> type:
    module, _, qualname = name.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in qualname.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise Refused(
            f"class {name} is allowed but cannot be imported"
            f" ({type(error).__name__}: {error}); register it under this name"
        ) from error
    if not isinstance(found, type):
        raise Refused(f"{name} is allowed but is no class; allow the class itself")
    return found


def _why_not(cls: type) -> str:
    name = class_name(cls).removeprefix("builtins:")
    for base in cls.__mro__:
        if base in _NATIVE:
            return (
                f"{name} is a subclass of {base.__name__}, and only {base.__name__} itself is kept;"
                f" convert the value to {base.__name__}, or register the class with encode and"
                " decode functions"
            )
    if cls is memoryview:
        return "a memoryview cannot be packed: its memory is another object's; pack bytes(value)"
    return (
        f"a value of class {name} cannot be packed; pack the data it is made from,"
        " or register the class with encode and decode functions"
    )
