"""Writing values and programs down as Python that can be pasted and run."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import attrs
from attrs import field, frozen

__all__ = ["Writer"]

_LONG: Final = 60
_WIDTH: Final = 96


@frozen
class Writer:
    """Writes values as expressions, and keeps what has to be imported for them.

    Attributes:
        imports: The import statements, in no order.

    >>> writer = Writer()
    >>> writer.write([float("nan"), Decimal("0.10"), "ab" * 500])
    "[float('nan'), Decimal('0.10'), 'ab' * 500]"
    >>> writer.imports
    {'from decimal import Decimal'}
    """

    imports: set[str] = field(factory=set)

    def write(self, value: Any) -> str:
        """Return an expression for a value; of an unknown class, its ``repr``."""
        kind = type(value)
        if isinstance(value, enum.Enum):
            return self._member(value)
        if kind in _PARTS:
            return _PARTS[kind](self, value)
        if isinstance(value, PurePath):
            self.imports.add(f"from pathlib import {kind.__name__}")
            return repr(value)
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return self._call(kind, zip(kind._fields, value, strict=True))
        if attrs.has(kind):
            return self._call(kind, _attributes(kind, value))
        if dataclasses.is_dataclass(value):
            fields = [item for item in dataclasses.fields(value) if item.init]
            return self._call(kind, ((item.name, getattr(value, item.name)) for item in fields))
        return repr(value)

    def call(self, function: str, arguments: Mapping[str, Any], *before: str) -> str:
        """Return a call with named arguments, on several lines where it is long.

        Args:
            function: What is called.
            arguments: ``{name: value}`` to call it with.
            *before: Arguments that are written down already.
        """
        written = [*before, *(f"{name}={self.write(each)}" for name, each in arguments.items())]
        line = f"{function}({', '.join(written)})"
        if len(line) <= _WIDTH:
            return line
        return "\n".join([f"{function}(", *(f"    {each}," for each in written), ")"])

    def name(self, kind: type) -> str:
        """Return the name of a class or function, which is then imported."""
        outer = kind.__qualname__.split(".")[0]
        if kind.__module__ != "builtins":
            self.imports.add(f"from {kind.__module__} import {outer}")
        return kind.__qualname__

    def _call(self, kind: type, arguments: Iterable[tuple[str, Any]]) -> str:
        written = ", ".join(f"{name}={self.write(value)}" for name, value in arguments)
        return f"{self.name(kind)}({written})"

    def _member(self, value: enum.Enum) -> str:
        name = self.name(type(value))
        if str(value.name) in type(value).__members__:
            return f"{name}.{value.name}"
        return f"{name}({value.value!r})"

    def _several(self, opening: str, values: Iterable[Any], closing: str) -> str:
        return f"{opening}{', '.join(map(self.write, values))}{closing}"

    def _tuple(self, value: tuple[Any, ...]) -> str:
        return self._several("(", value, ",)" if len(value) == 1 else ")")

    def _set(self, value: set[Any]) -> str:
        return self._several("{", value, "}") if value else "set()"

    def _dict(self, value: dict[Any, Any]) -> str:
        items = (f"{self.write(key)}: {self.write(each)}" for key, each in value.items())
        return f"{{{', '.join(items)}}}"

    def _float(self, value: float) -> str:
        return repr(value) if math.isfinite(value) else f"float('{value}')"

    def _complex(self, value: complex) -> str:
        return f"complex({self._float(value.real)}, {self._float(value.imag)})"

    def _imported(self, statement: str, text: str) -> str:
        self.imports.add(statement)
        return text


def _attributes(kind: type, value: Any) -> Iterable[tuple[str, Any]]:
    """Return the attributes of an attrs object that differ from their defaults."""
    for each in attrs.fields(kind):
        held = getattr(value, each.name)
        if each.init and not (type(held) is type(each.default) and held == each.default):
            yield each.alias or each.name, held


def _text(value: str | bytes) -> str:
    """Write a text, with a product for each stretch that says the same again and again."""
    if len(value) <= _LONG:
        return repr(value)
    parts: list[str] = []
    plain = at = 0
    while at < len(value):
        period, times = _repeated(value, at)
        if times == 1:
            at += 1
            continue
        if plain < at:
            parts.append(repr(value[plain:at]))
        parts.append(f"{value[at : at + period]!r} * {times}")
        plain = at = at + period * times
    if plain < len(value):
        parts.append(repr(value[plain:]))
    return parts[0] if len(parts) == 1 else f"({' + '.join(parts)})"


def _repeated(value: str | bytes, at: int) -> tuple[int, int]:
    """Return the length of what stands there again and again, and how many times; or none."""
    for period in range(1, _LONG):
        piece = value[at : at + period]
        times = 1
        while value.startswith(piece, at + period * times):  # type: ignore[arg-type]
            times += 1
        if times > 1 and period * times >= _LONG:
            return period, times
    return 1, 1


_PARTS: Final[dict[type, Callable[[Writer, Any], str]]] = {
    str: lambda writer, value: _text(value),
    bytes: lambda writer, value: _text(value),
    float: Writer._float,
    complex: Writer._complex,
    list: lambda writer, value: writer._several("[", value, "]"),
    tuple: Writer._tuple,
    set: Writer._set,
    frozenset: lambda writer, value: f"frozenset({writer._several('[', value, ']')})",
    dict: Writer._dict,
    Decimal: lambda writer, value: writer._imported("from decimal import Decimal", repr(value)),
    UUID: lambda writer, value: writer._imported("from uuid import UUID", repr(value)),
    **{
        kind: lambda writer, value: writer._imported(
            "import datetime\nimport zoneinfo", repr(value)
        )
        for kind in (
            datetime.datetime,
            datetime.date,
            datetime.time,
            datetime.timedelta,
            datetime.timezone,
            zoneinfo.ZoneInfo,
        )
    },
}
