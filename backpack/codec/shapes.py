"""How an instance of a class is taken apart and made again without running its ``__init__``.

One shape per kind of class: records (dataclass, attrs), named tuples, enums, pydantic models, and
classes that came with functions of their own. Kinds are told by what the class carries, so that
attrs and pydantic need not be imported.
"""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from attrs import frozen

from backpack.codec import layout
from backpack.codec.layout import Refused, class_name

__all__ = ["CustomShape", "Shape", "shape_for"]

# attrs keeps a computed hash here; str hashes differ from process to process.
_CACHED_HASH = "_attrs_cached_hash"
# typing notes here how a generic class was called: Box[int](1).
_TYPING = "__orig_class__"
_HEAP_TYPE = 1 << 9


class Shape(Protocol):
    """What the codec knows of one class."""

    code: ClassVar[int]

    @property
    def cls(self) -> type:
        """The class."""
        ...

    def take(self, value: Any) -> list[object]:
        """Return the body: what the instance holds, equal for equal instances."""
        ...

    def make(self, *body: Any) -> object:
        """Return a new instance from the body; any exception means a broken body."""
        ...


@frozen
class RecordShape:
    """A dataclass or an attrs class: its ``__dict__`` and its slots."""

    code: ClassVar[int] = layout.RECORD
    cls: type
    names: tuple[str, ...]
    slots: Mapping[str, types.MemberDescriptorType]

    def take(self, value: Any) -> list[object]:
        """Return the attributes in field order, any others after them by name."""
        held = dict(getattr(value, "__dict__", ()))
        for name, slot in self.slots.items():
            try:
                held[name] = slot.__get__(value, self.cls)
            except AttributeError:  # never assigned
                continue
        held.pop(_TYPING, None)
        if _CACHED_HASH in held:
            held[_CACHED_HASH] = None
        return [_ordered(held, self.names)]

    def make(self, state: dict[str, object]) -> object:
        """Return an instance that holds these attributes."""
        made: object = object.__new__(self.cls)
        for name, slot in self.slots.items():
            if name in state:
                slot.__set__(made, state.pop(name))
        if state:
            vars(made).update(state)
        return made


@frozen
class NamedTupleShape:
    """A NamedTuple: its fields by name."""

    code: ClassVar[int] = layout.NAMED_TUPLE
    cls: type[tuple[object, ...]]
    names: tuple[str, ...]

    def take(self, value: Any) -> list[object]:
        """Return the fields."""
        if getattr(value, "__dict__", None):
            raise Refused(
                f"{class_name(self.cls)} is a NamedTuple with attributes beside its fields"
                f" ({', '.join(sorted(vars(value)))}); make them fields"
            )
        return [dict(zip(self.names, tuple(value), strict=True))]

    def make(self, state: dict[str, object]) -> object:
        """Return a tuple of these fields, and no others."""
        if state.keys() != set(self.names):
            raise ValueError(f"its fields are {list(self.names)}, not {list(state)}")
        return tuple.__new__(self.cls, [state[name] for name in self.names])


@frozen
class EnumShape:
    """An Enum: the name of the member, or the bits of a Flag that has none."""

    code: ClassVar[int] = layout.ENUM
    cls: type[enum.Enum]

    def take(self, value: Any) -> list[object]:
        """Return the name or the bits."""
        name = value._name_
        if self.cls.__members__.get(name) is value:
            return [name]
        if not issubclass(self.cls, enum.Flag):
            raise Refused(
                f"{value!r} is none of the members of {class_name(self.cls)};"
                " pack a member, or the value it stands for"
            )
        return [int(value._value_)]

    def make(self, member: object) -> object:
        """Return the member itself, not a copy."""
        if isinstance(member, str):
            return self.cls.__members__[member]
        if not issubclass(self.cls, enum.Flag):
            raise ValueError(f"no member {member!r}")
        return self.cls(member)


@frozen
class ModelShape:
    """A pydantic model: attributes, which were set, extra and private ones; nothing validated."""

    code: ClassVar[int] = layout.MODEL
    cls: type
    names: tuple[str, ...]

    def take(self, value: Any) -> list[object]:
        """Return the four parts of a model's state."""
        fields_set = value.__pydantic_fields_set__
        return [
            _ordered(vars(value), self.names),
            sorted(fields_set),
            value.__pydantic_extra__,
            value.__pydantic_private__,
        ]

    def make(self, state: Any, fields_set: Any, extra: Any, private: Any) -> object:
        """Return an instance that holds this state."""
        made: object = object.__new__(self.cls)
        # The class has a __setattr__ that validates.
        object.__setattr__(made, "__dict__", state)
        object.__setattr__(made, "__pydantic_fields_set__", set(fields_set))
        for name, part in (("__pydantic_extra__", extra), ("__pydantic_private__", private)):
            # A root model has None for it in its class, where there is nothing to set.
            if getattr(made, name, made) is not part:
                object.__setattr__(made, name, part)
        return made


@frozen
class CustomShape:
    """A class that was registered with functions of its own.

    Attributes:
        cls: The class.
        encode: Takes an instance, returns a value that can be packed.
        decode: Takes that value back, returns an instance.
    """

    code: ClassVar[int] = layout.CUSTOM
    cls: type
    encode: Callable[[Any], object]
    decode: Callable[[Any], object]

    def take(self, value: Any) -> list[object]:
        """Return what ``encode`` returns."""
        try:
            return [self.encode(value)]
        except Exception as error:
            raise Refused(
                f"the encode function registered for {class_name(self.cls)} raised"
                f" {type(error).__name__}: {error}"
            ) from error

    def make(self, body: object) -> object:
        """Return what ``decode`` returns."""
        made = self.decode(body)
        if type(made) is not self.cls:
            raise TypeError(f"its registered decode function returned a {type(made).__name__}")
        return made


def shape_for(cls: type) -> Shape | None:
    """Return the shape of a record-like class; None where the class needs functions of its own."""
    if issubclass(cls, enum.Enum):
        return EnumShape(cls)
    if issubclass(cls, tuple):
        names = getattr(cls, "_fields", None)
        return NamedTupleShape(cls, names) if isinstance(names, tuple) else None
    if not _starts_empty(cls):
        return None
    # BaseModel is loaded from here; asking pydantic itself for it could import more.
    model = getattr(sys.modules.get("pydantic.main"), "BaseModel", None)
    if model is not None and issubclass(cls, model):
        return ModelShape(cls, tuple(cls.model_fields))  # type: ignore[attr-defined]
    attributes = getattr(cls, "__attrs_attrs__", None)
    if attributes is None and (fields := getattr(cls, "__dataclass_fields__", None)) is not None:
        attributes = fields.values()
    if attributes is None:
        return None
    return RecordShape(cls, tuple(attribute.name for attribute in attributes), _slots(cls))


def _ordered(held: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    ordered = {name: held[name] for name in names if name in held}
    if len(ordered) < len(held):
        others = sorted(held.keys() - ordered.keys(), key=str)
        ordered.update((name, held[name]) for name in others)
    return ordered


def _starts_empty(cls: type) -> bool:
    """Whether ``__dict__`` and slots hold it all: no list, dict or Exception below."""
    return all(base is object or base.__flags__ & _HEAP_TYPE for base in cls.__mro__)


def _slots(cls: type) -> dict[str, types.MemberDescriptorType]:
    found: dict[str, types.MemberDescriptorType] = {}
    for base in reversed(cls.__mro__):
        for name, member in vars(base).items():
            if isinstance(member, types.MemberDescriptorType):
                found[name] = member
    return found
