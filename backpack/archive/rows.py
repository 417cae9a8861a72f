"""Rows of an archive, made of records and read back: each with a mark that tells what was changed.

A row is a dictionary by the names of the columns. What comes out of a file may be anything; what
is not a row that was written here is a :class:`~backpack.errors.CorruptError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import IntEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypeVar

import ormsgpack

from backpack.commits import KINDS
from backpack.errors import CorruptError
from backpack.logged import LoggedCommit
from backpack.records import Change, Commit, Reference
from backpack.unicode import is_unicode
from backpack.units import FIRST_SECOND, LAST_SECOND

if TYPE_CHECKING:
    from sqlalchemy import Row as Fetched

__all__ = [
    "Form",
    "Row",
    "as_row",
    "changed_version",
    "check_pack",
    "check_version",
    "commit_of",
    "commit_row",
    "name_in",
    "number_in",
    "pack_row",
    "place_in",
    "reference_of",
    "seq_in",
    "time_in",
    "version_row",
]

Row = dict[str, Any]
T = TypeVar("T")

_LARGEST: Final = 2**62
#: No commit has a number as large: a million a second for a month.
_LAST_COMMIT: Final = 2**42
_CODE: Final = re.compile(r"[a-z][0-9a-z]{1,15}", re.ASCII)
_CLASS: Final = re.compile(r"[\w.<>]{1,200}:[\w.<>]{1,200}")
_MARKED_PACK: Final = (
    *("name", "code", "codec", "settings", "epoch", "head", "commits", "retained", "versions"),
)
_MARKED_COMMIT: Final = ("name", "seq", "time", "by", "tags", "note", "changes", "pinned")
_MARKED_VERSION: Final = (
    *("name", "key", "seq", "form", "previous", "ground", "depth", "born", "size"),
    *("reference", "data"),
)


class Form(IntEnum):
    """What the data of a version is."""

    #: Nothing: the key was removed.
    REMOVED = 0
    #: What the storage policy holds of the encoded bytes alone.
    ALONE = 1
    #: What it holds of them beside those of the version before.
    LEANING = 2
    #: Nothing: history left the value out.
    LEFT_OUT = 3


_FORMS: Final = frozenset(map(int, Form))


def as_row(found: Fetched[Any]) -> Row:
    """Return what was fetched as a row."""
    return dict(found._mapping)


def pack_row(
    name: str,
    code: str,
    codec: str,
    settings: str,
    *,
    epoch: int = 1,
    head: int = 0,
    commits: int = 0,
    retained: int = 0,
    versions: int = 0,
) -> Row:
    """Return the row of a Backpack; see :data:`~backpack.archive.tables.PACKS`."""
    row = {
        "name": name,
        "code": code,
        "codec": codec,
        "settings": settings,
        "epoch": epoch,
        "head": head,
        "commits": commits,
        "retained": retained,
        "versions": versions,
    }
    return _marked(row, _MARKED_PACK)


def check_pack(row: Mapping[str, Any]) -> None:
    """Hold the row of a Backpack against its mark.

    Raises:
        CorruptError: It is not what was written.
    """
    _check_mark(row, _MARKED_PACK, f"what is known of {row['name']!r:.60}")
    numbers = [row[each] for each in ("epoch", "head", "commits", "retained", "versions")]
    texts = [row[each] for each in ("name", "code", "codec", "settings")]
    if not (
        all(type(each) is int and 0 <= each < _LARGEST for each in numbers)
        and row["head"] < _LAST_COMMIT
        and all(type(each) is str for each in texts)
        and _CODE.fullmatch(row["code"])
        and _CLASS.fullmatch(row["codec"])
    ):
        raise CorruptError(f"what is known of {row['name']!r:.60} was never written so")


def commit_row(name: str, logged: LoggedCommit) -> Row:
    """Return the row of a commit."""
    commit = logged.commit
    changes = [[each.key, KINDS.index(each.kind), each.size] for each in commit.changes]
    row = {
        "name": name,
        "seq": commit.seq,
        "time": commit.timestamp,
        "by": commit.by,
        "tags": json.dumps(commit.tags, ensure_ascii=False) if commit.tags else None,
        "note": commit.note,
        "changes": ormsgpack.packb(changes),
        "retained": logged.retained,
        "pinned": logged.pinned,
        "accesses": logged.accesses,
        "last_access": logged.last_access,
    }
    return _marked(row, _MARKED_COMMIT)


def commit_of(row: Mapping[str, Any], code: str) -> LoggedCommit:
    """Return the commit of a row.

    Raises:
        CorruptError: It is not what was written.
    """
    _check_mark(row, _MARKED_COMMIT, f"commit {row['seq']!r:.40}")
    try:
        changes = tuple(
            Change(_name(key), KINDS[_whole(kind)], _whole(size))
            for key, kind, size in ormsgpack.unpackb(row["changes"])
        )
        tags = () if row["tags"] is None else tuple(map(_name, json.loads(row["tags"])))
        if sorted({*tags}) != [*tags] or len({each.key for each in changes}) != len(changes):
            raise ValueError("it has something twice, or not in order")
        by, note = (None if row[each] is None else _text(row[each]) for each in ("by", "note"))
        commit = Commit(code, _number(row["seq"]), _time(row["time"]), changes, by, tags, note)
        return LoggedCommit(
            commit,
            bool(row["retained"]),
            bool(row["pinned"]),
            min(_whole(row["accesses"]), _LAST_COMMIT),
            min(_whole(row["last_access"]), _LAST_COMMIT),
        )
    except (ValueError, TypeError, IndexError, RecursionError) as error:
        raise CorruptError(f"commit {row['seq']!r:.40} in the archive is none: {error}") from None


def number_in(value: object, what: str) -> int:
    """Return the whole number from 0 on of a column that is read alone.

    Args:
        value: What is in it.
        what: What it is of, for the message.

    Raises:
        CorruptError: It is none.
    """
    return _checked(_whole, value, what)


def place_in(value: object, what: str) -> int:
    """Return the place among keys of a column that is read alone; it may be below 0.

    Args:
        value: What is in it.
        what: What it is of, for the message.

    Raises:
        CorruptError: It is none.
    """
    return _checked(_integer, value, what)


def seq_in(value: object) -> int:
    """Return the number of a commit, of a column that is read alone.

    Raises:
        CorruptError: It is none.
    """
    return number_in(value, f"commit {value!r:.40}")


def time_in(value: object, what: str) -> float:
    """Return the time of a column that is read alone, in seconds since the epoch.

    Args:
        value: What is in it.
        what: What it is of, for the message.

    Raises:
        CorruptError: It is none.
    """
    return _checked(_time, value, what)


def name_in(value: object, what: str) -> str:
    """Return the name, or key, of a column that is read alone.

    Args:
        value: What is in it.
        what: What it is of, for the message.

    Raises:
        CorruptError: It is none.
    """
    return _checked(_name, value, what)


def version_row(
    name: str,
    key: str,
    seq: int,
    form: Form,
    *,
    previous: int,
    ground: int,
    depth: int,
    born: int,
    size: int,
    reference: Reference | None = None,
    data: bytes | None = None,
) -> Row:
    """Return the row of a version; see :data:`~backpack.archive.tables.VERSIONS`."""
    row = {
        "name": name,
        "key": key,
        "seq": seq,
        "form": int(form),
        "previous": previous,
        "ground": ground,
        "depth": depth,
        "born": born,
        "size": size,
        "reference": None if reference is None else _packed(reference),
        "data": data,
    }
    return _marked(row, _MARKED_VERSION)


def changed_version(row: Row, **changes: Any) -> Row:
    """Return the row of a version with something else in some columns, and another mark."""
    return _marked({**row, **changes}, _MARKED_VERSION)


def check_version(row: Mapping[str, Any]) -> None:
    """Hold a row of a version against its mark.

    Raises:
        CorruptError: It is not what was written.
    """
    what = f"the version of {row['key']!r:.60} that {row['seq']!r:.40} set"
    _check_mark(row, _MARKED_VERSION, what)
    has_data = row["form"] in (Form.ALONE, Form.LEANING)
    numbers = [row[each] for each in ("seq", "previous", "ground", "depth", "size")]
    if not (
        row["form"] in _FORMS
        and isinstance(row["data"], bytes) == has_data
        and (row["data"] is None) != has_data
        and (has_data or (row["reference"] is None) == (row["form"] == Form.REMOVED))
        and type(row["key"]) is str
        and row["key"]
        and type(row["born"]) is int
        and all(type(each) is int and 0 <= each < _LARGEST for each in numbers)
    ):
        raise CorruptError(f"{what} in the archive was never written so")


def reference_of(row: Mapping[str, Any]) -> Reference | None:
    """Return what history has in place of the version of a row, if it left that out.

    Raises:
        CorruptError: It is none.
    """
    if row["reference"] is None:
        return None
    try:
        size, text, reason, preview, spilled = ormsgpack.unpackb(row["reference"])
        shown = None if preview is None else _text(preview)
        return Reference(_whole(size), _text(text), _text(reason), shown, spilled=spilled is True)
    except (ValueError, TypeError) as error:
        raise CorruptError(f"a reference in the archive is none: {error}") from None


def _packed(reference: Reference) -> bytes:
    return ormsgpack.packb(
        [
            reference.size,
            reference.digest,
            reference.reason,
            reference.preview,
            reference.spilled,
        ]
    )


def _marked(row: Row, names: tuple[str, ...]) -> Row:
    row["mark"] = _mark(row, names)
    return row


def _mark(row: Mapping[str, Any], names: tuple[str, ...]) -> bytes:
    """Return the BLAKE2b-64 of what a row says."""
    values = [row[each] for each in names]
    return blake2b(ormsgpack.packb(values), digest_size=8).digest()


def _check_mark(row: Mapping[str, Any], names: tuple[str, ...], what: str) -> None:
    try:
        mark = _mark(row, names)
    except (TypeError, ValueError):
        mark = b""
    if mark != row["mark"]:
        raise CorruptError(f"{what} in the archive is not as it was written")


def _checked(check: Callable[[object], T], value: object, what: str) -> T:
    try:
        return check(value)
    except (TypeError, ValueError) as error:
        raise CorruptError(f"{what} in the archive was never written so: {error}") from None


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"a text is wanted, not {type(value).__name__}")
    return value


def _name(value: object) -> str:
    text = _text(value)
    if not text or not is_unicode(text):
        raise ValueError("a name is empty, or no Unicode")
    return text


def _time(value: object) -> float:
    if type(value) not in (float, int):
        raise TypeError(f"a time is wanted, not {type(value).__name__}")
    if not FIRST_SECOND <= value <= LAST_SECOND:  # type: ignore[operator]
        raise ValueError(f"{value} is no time of a commit")
    return float(value)  # type: ignore[arg-type]


def _whole(value: object) -> int:
    number = _integer(value)
    if not 0 <= number < _LARGEST:
        raise ValueError(f"{number} is out of range")
    return number


def _number(value: object) -> int:
    number = _whole(value)
    if number >= _LAST_COMMIT:
        raise ValueError(f"{number} is the number of no commit")
    return number


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number is wanted, not {type(value).__name__}")
    return value
