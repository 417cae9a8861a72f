"""Reading values whose classes are not here: what is known of an instance, in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen

from backpack.codec import layout
from backpack.codec.decode import decode_value

__all__ = ["Foreign", "Kind", "decode_foreign"]

Kind = Literal["record", "named tuple", "enum", "model", "other"]

_KINDS: Final[Mapping[int, Kind]] = {
    layout.RECORD: "record",
    layout.NAMED_TUPLE: "named tuple",
    layout.ENUM: "enum",
    layout.CUSTOM: "other",
}


@frozen(eq=False)
class Foreign:
    """An instance of a class that a reader does not have, or does not want to import.

    Attributes:
        kind: What its class is: a ``record`` (a dataclass or an attrs class), a ``named tuple``, an
            ``enum``, a ``model`` (of pydantic), or an ``other`` class that was registered.
        name: The name of the class: ``module:qualname``, or the one it was registered under.
        value: What is stored of it: its fields in order, by name; the name of a member, or the
            bits of a flag; or what its registered ``encode`` returned.
        rest: What is stored of a model besides: which fields were set, and its extra and private
            attributes; the extra ones are in ``value`` as well.
    """

    kind: Kind
    name: str
    value: object
    rest: object = None


class _Foreign:
    """Classes of which none is here."""

    def instance(self, code: int, name: object, *state: Any) -> Foreign:
        """Return what is known of an instance."""
        if type(name) is not str:
            raise TypeError(f"a class is named by a string, not by {type(name).__name__}")
        if code != layout.MODEL:
            (value,) = state
            return Foreign(_KINDS[code], name, value)
        attributes, _, extra, _ = state
        return Foreign("model", name, {**attributes, **(extra or {})}, state[1:])


def decode_foreign(data: bytes) -> object:
    """Return a new value, with a :class:`Foreign` wherever it has an instance of a class.

    No class is looked up, so nothing is imported and no code of the data is run.

    Args:
        data: What the codec wrote.

    Raises:
        CorruptError: These bytes are not what the codec writes.
        UnpackableValue: They hold a numpy value, and numpy is not installed.

    >>> from datetime import date
    >>> from attrs import frozen
    >>> from backpack import MsgpackCodec
    >>> @frozen
    ... class Trip:
    ...     to: str
    ...     on: date
    >>> found = decode_foreign(MsgpackCodec().encode([Trip("Rome", date(2026, 5, 1))]))
    >>> found[0].name.partition(":")[2], found[0].value
    ('Trip', {'to': 'Rome', 'on': datetime.date(2026, 5, 1)})
    """
    return decode_value(data, _Foreign())
