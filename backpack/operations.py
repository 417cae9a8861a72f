"""The operations of a trace: what one line says, checked on its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

from backpack.wording import nearest, shown

__all__ = [
    "LONGEST",
    "Append",
    "Change",
    "Look",
    "Operation",
    "Pack",
    "Remove",
    "Several",
    "Sized",
    "Wrong",
    "changes_of",
    "kind_of",
    "meant",
    "operation_of",
]

#: The longest line of a trace, and the largest value that it gives the size of; in bytes.
LONGEST: Final = 256 * 2**20


@frozen
class Pack:
    """Set a key.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key.
        value: The value, as JSON says it; where the line says only how large it is, one that was
            made up for it.
        by: Which node did it, if the trace says.
        tags: The tags of the commit.
        note: The note of the commit, if it has one.
    """

    line: int
    key: str
    value: object
    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


@frozen
class Append:
    """Read the list under a key, append an item, pack the list again.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key; it holds a list.
        item: The item, as JSON says it.
        by: Which node did it, if the trace says.
        tags: The tags of the commit.
        note: The note of the commit, if it has one.
    """

    line: int
    key: str
    item: object
    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


@frozen
class Remove:
    """Delete a key.

    Attributes:
        line: Its line in the trace, from 1.
        key: The key; it exists.
        by: Which node did it, if the trace says.
        tags: The tags of the commit.
        note: The note of the commit, if it has one.
    """

    line: int
    key: str
    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


Change: TypeAlias = Pack | Append | Remove


@frozen
class Several:
    """Make one commit of several changes, or of none.

    Attributes:
        line: Its line in the trace, from 1.
        changes: What it does, each key once; who did it and the like stands here alone.
        by: Which node did it, if the trace says.
        tags: The tags of the commit.
        note: The note of the commit, if it has one.
    """

    line: int
    changes: tuple[Change, ...]
    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


@frozen
class Look:
    """Read the whole state as of some commits ago.

    Attributes:
        line: Its line in the trace, from 1.
        back: How many commits ago; 0 is the newest commit.
    """

    line: int
    back: int


Operation: TypeAlias = Pack | Append | Remove | Several | Look


@frozen
class Sized:
    """In place of a value: how large it is.

    Attributes:
        size: Encoded bytes.
        new: How many of them the value before under the key does not have.
    """

    size: int
    new: int


class Wrong(Exception):
    """What is wrong with a line; the reader adds where."""


#: What says of a commit who made it and why; may be left out everywhere it may stand.
_LABELS: Final = ("by", "tags", "note")
_CHANGES: Final[Mapping[str, tuple[str, ...]]] = {
    "pack": ("key", "value"),
    "append": ("key", "item"),
    "remove": ("key",),
}
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    **{name: (*fields, *_LABELS) for name, fields in _CHANGES.items()},
    "commit": ("changes", *_LABELS),
    "snapshot": ("back",),
}
#: What a pack may have in the place of its value.
_SIZES: Final = ("size", "new")
_KINDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def operation_of(line: int, data: object) -> Operation:
    """Return the operation that the JSON of a line says.

    A pack of which only the size is given has a :class:`Sized` for its value.

    Raises:
        Wrong: It says none.
    """
    name, fields = _named(data, "", _FIELDS)
    if name == "snapshot":
        return Look(line, _back(fields["back"]))
    by, note = fields.get("by"), fields.get("note")
    by = None if by is None else _text(by, f"{name}.by")
    note = None if note is None else _text(note, f"{name}.note", empty=True)
    labels = (by, _tags(fields.get("tags"), f"{name}.tags"), note)
    if name == "commit":
        return Several(line, _changes(line, fields["changes"]), *labels)
    return _change(line, name, fields, "", *labels)


def changes_of(operation: Change | Several) -> tuple[Change, ...]:
    """Return what a commit of a trace does."""
    return operation.changes if isinstance(operation, Several) else (operation,)


def kind_of(value: object) -> str:
    """Return in words what kind of JSON a value is.

    >>> kind_of([1]), kind_of(True)
    ('a list', 'a truth value')
    """
    return _KINDS[type(value)]


def meant(name: str, names: Iterable[str]) -> str:
    """Return the end of an error that names what was probably meant, if anything."""
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {shown(near)}?"


def _named(
    data: object, where: str, known: Mapping[str, tuple[str, ...]]
) -> tuple[str, dict[str, Any]]:
    """Return the name of an operation and its fields, none too many and none too few."""
    if not isinstance(data, dict):
        what = where.removesuffix(": ") or "the line"
        raise Wrong(f"{what} is {kind_of(data)}; an object with the field 'op' is expected")
    if "op" not in data:
        raise Wrong(f"{where}there is no field 'op'; it says what to do: {_listed(known)}")
    name = data.pop("op")
    if not isinstance(name, str):
        raise Wrong(f"{where}op is {kind_of(name)}; expected is one of {_listed(known)}")
    if name not in known:
        raise Wrong(
            f"{where}there is no operation {shown(name)}; expected is one of {_listed(known)}"
            f"{meant(name, known)}"
        )
    fields = known[name]
    if name == "pack" and not data.keys().isdisjoint(_SIZES):
        fields = tuple(each for each in (*fields, *_SIZES) if each != "value")
        if "value" in data:
            raise Wrong(f"{where}pack has a value and its size; either of them is expected")
    for found in data:
        if found not in fields:
            raise Wrong(
                f"{where}{name} has no field {shown(found)}; its fields are {_listed(fields)}"
                f"{meant(found, fields)}"
            )
    for wanted in fields:
        if wanted not in data and wanted not in (*_LABELS, "new"):
            raise Wrong(
                f"{where}{name} lacks its field '{wanted}'; its fields are {_listed(fields)}"
            )
    return name, data


def _change(
    line: int,
    name: str,
    fields: dict[str, Any],
    where: str,
    by: str | None = None,
    tags: tuple[str, ...] = (),
    note: str | None = None,
) -> Change:
    key = _text(fields["key"], f"{where}{name}.key")
    if name == "append":
        return Append(line, key, fields["item"], by, tags, note)
    if name == "remove":
        return Remove(line, key, by, tags, note)
    value = _sized(fields, where) if "size" in fields else fields["value"]
    return Pack(line, key, value, by, tags, note)


def _changes(line: int, found: object) -> tuple[Change, ...]:
    if not isinstance(found, list):
        raise Wrong(f"commit.changes is {kind_of(found)}; a list of operations is expected")
    changes: dict[str, Change] = {}
    for index, data in enumerate(found):
        where = f"commit.changes[{index}]: "
        name, fields = _named(data, where, _CHANGES)
        change = _change(line, name, fields, where)
        if change.key in changes:
            raise Wrong(f"{where}{shown(change.key)} is changed already; a commit changes it once")
        changes[change.key] = change
    return tuple(changes.values())


def _sized(fields: dict[str, Any], where: str) -> Sized:
    size = fields["size"]
    new = fields.get("new", size)
    for number, name, most in ((size, "size", LONGEST), (new, "new", size)):
        if type(number) is not int:
            raise Wrong(f"{where}pack.{name} is {kind_of(number)}; a number of bytes is expected")
        if not 0 <= number <= most:
            raise Wrong(f"{where}pack.{name} is {shown(number)}; 0 to {most:,} bytes are expected")
    return Sized(size, new)


def _back(back: object) -> int:
    if type(back) is not int:
        raise Wrong(f"snapshot.back is {kind_of(back)}; a whole number of commits is expected")
    if back < 0:
        raise Wrong(f"snapshot.back is {back}; 0 is the newest commit, 1 the one before it")
    return back


def _tags(tags: object, name: str) -> tuple[str, ...]:
    if tags is None:
        return ()
    if not isinstance(tags, list):
        raise Wrong(f"{name} is {kind_of(tags)}; a list of strings is expected")
    return tuple(_text(tag, f"{name}[{index}]") for index, tag in enumerate(tags))


def _text(text: object, name: str, *, empty: bool = False) -> str:
    if not isinstance(text, str):
        raise Wrong(f"{name} is {kind_of(text)}; a string is expected")
    if not text and not empty:
        raise Wrong(f"{name} is an empty string; a name is expected")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Wrong(f"{name} is {shown(text)}, which is no valid Unicode") from None
    return text


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
