"""What callers write beside a value: keys, and who did it, tags and a note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from backpack.errors import ConfigError, InvalidKey
from backpack.unicode import is_unicode
from backpack.wording import described

__all__ = [
    "Labels",
    "check_key",
    "check_keys",
    "check_labels",
    "check_name",
    "check_node",
    "check_tags",
]


class Labels(NamedTuple):
    """Who made a commit, its tags and its note, as they are recorded."""

    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


_NO_LABELS: Final = Labels()

_LONGEST_NAME: Final = 200


def check_key(key: object) -> str:
    """Return a key as a plain string.

    Raises:
        InvalidKey: It is no string, empty, or not valid Unicode.
    """
    # A plain string, whatever subclass it comes as: an Enum, say.
    plain = key if type(key) is str else str.__str__(key) if isinstance(key, str) else ""
    if not plain:
        raise InvalidKey(f"a key must be a non-empty string, not {described(key)}")
    if not is_unicode(plain):
        raise InvalidKey(
            f"a key must be valid Unicode, without lone surrogates, not {described(plain)}"
        )
    return plain


def check_name(name: object) -> str:
    """Return the name of a Backpack in an archive as a plain string.

    Raises:
        ConfigError: It is no string, empty, too long, or not valid Unicode.
    """
    plain = str.__str__(name) if isinstance(name, str) else ""
    if not plain or len(plain) > _LONGEST_NAME or not is_unicode(plain):
        raise ConfigError(
            f"a Backpack in an archive is called by a string of 1 to {_LONGEST_NAME} characters, "
            f"not {described(name)}",
            field="name",
        )
    return plain


def check_keys(keys: object) -> tuple[str, ...]:
    """Return several keys, each once.

    Raises:
        TypeError: It is no collection of keys.
        InvalidKey: One of them is none.
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise TypeError(
            f"keys must be a collection of keys, such as ('plan',), not {described(keys)}"
        )
    return tuple(dict.fromkeys(map(check_key, keys)))


def check_labels(by: object, tags: object, note: object) -> Labels:
    """Return the labels of a commit, checked.

    Raises:
        TypeError: One of them is not what it must be.
    """
    if by is None and tags == () and note is None:
        return _NO_LABELS
    node = None if by is None else _text(by, "by", "the name of a node or None")
    remark = None if note is None else _text(note, "note", "a string or None", empty=True)
    return Labels(node, check_tags(tags), remark)


def check_node(name: object) -> str:
    """Return the name of a node as a plain string.

    Raises:
        TypeError: It is no string, empty, or not valid Unicode.
    """
    return _text(name, "the name of a node", "a non-empty string")


def check_tags(tags: object) -> tuple[str, ...]:
    """Return tags sorted, each once.

    Raises:
        TypeError: It is no collection of non-empty strings.
    """
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise TypeError(
            f"tags must be a collection of strings, such as ('plan',), not {described(tags)}"
        )
    return tuple(sorted({_text(tag, "a tag", "a non-empty string") for tag in tags}))


def _text(text: object, name: str, expected: str, *, empty: bool = False) -> str:
    plain = text if type(text) is str else str.__str__(text) if isinstance(text, str) else None
    if plain is None or not (plain or empty):
        raise TypeError(f"{name} must be {expected}, not {described(text)}")
    if not is_unicode(plain):
        raise TypeError(
            f"{name} must be valid Unicode, without lone surrogates, not {described(plain)}"
        )
    return plain
