"""What an object stores in its attributes, read without running the object's own code."""

from __future__ import annotations

import dataclasses
from types import MemberDescriptorType
from typing import cast

from attrs import field, frozen

__all__ = ["Layout"]


def _declared_by(cls: type) -> tuple[str, ...] | None:
    """The fields of a record class (dataclass, attrs, pydantic); None for any other class."""
    if dataclasses.is_dataclass(cls):
        return tuple(declared.name for declared in dataclasses.fields(cls))
    of_attrs = getattr(cls, "__attrs_attrs__", None)
    if of_attrs is not None:
        return tuple(attribute.name for attribute in of_attrs)
    of_pydantic = getattr(cls, "__pydantic_fields__", None)
    if of_pydantic is not None:
        return (*of_pydantic, "__pydantic_extra__", "__pydantic_private__")
    return None


def _slots_of(cls: type) -> dict[str, MemberDescriptorType]:
    return {
        name: descriptor
        for base in reversed(cls.__mro__)
        for name, descriptor in vars(base).items()
        if isinstance(descriptor, MemberDescriptorType)
    }


@frozen
class Layout:
    """Where the instances of one class keep their attributes.

    Of a record class only the declared fields count: what else an instance carries (a cached
    property, a cached hash) is no part of its value.

    Args:
        cls: The class.

    >>> @dataclasses.dataclass
    ... class Plan:
    ...     goal: str
    ...     steps: list[str]
    >>> Layout(Plan).attributes(Plan("rest", ["sit", "breathe"]))
    [('goal', 'rest'), ('steps', ['sit', 'breathe'])]
    """

    cls: type
    declared: tuple[str, ...] | None = field(init=False)
    has_dict: bool = field(init=False)
    _slots: dict[str, MemberDescriptorType] = field(init=False, repr=False)

    @declared.default
    def _find_declared(self) -> tuple[str, ...] | None:
        return _declared_by(self.cls)

    @has_dict.default
    def _find_dict(self) -> bool:
        return self.cls.__dictoffset__ != 0

    @_slots.default
    def _find_slots(self) -> dict[str, MemberDescriptorType]:
        return _slots_of(self.cls)

    def attributes(self, instance: object) -> list[tuple[str, object]]:
        """Return ``(name, value)`` of the attributes that are set, in the order of the fields."""
        found: dict[str, object] = {}
        for name, slot in self._slots.items():
            try:
                found[name] = slot.__get__(instance)
            except AttributeError:
                continue
        if self.has_dict:
            found.update(cast("dict[str, object]", object.__getattribute__(instance, "__dict__")))
        if self.declared is None:
            return list(found.items())
        return [(name, found[name]) for name in self.declared if name in found]
