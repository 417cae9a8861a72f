"""What callers write beside a value: keys, and who did it, tags and a note."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from backpack.errors import InvalidKey

__all__ = ["Labels", "check_key", "check_labels", "check_tags"]


class Labels(NamedTuple):
    """Who made a commit, its tags and its note, as they are recorded."""

    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


def check_key(key: object) -> str:
    """Return a key as a plain string.

    Raises:
        InvalidKey: It is no string, empty, or not valid Unicode.
    """
    if type(key) is not str:
        if not isinstance(key, str):
            raise InvalidKey(
                f"a key must be a non-empty string, not {type(key).__name__} {key!r:.60}"
            )
        key = str.__str__(key)
    if not key:
        raise InvalidKey("a key must be a non-empty string, not ''")
    if not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            raise InvalidKey(
                f"a key must be valid Unicode, without lone surrogates: {key!r:.60}"
            ) from None
    return key


def check_labels(by: object, tags: object, note: object) -> Labels:
    """Return the labels of a commit, checked.

    Raises:
        TypeError: One of them is not what it must be.
    """
    if by is not None and not isinstance(by, str):
        raise TypeError(
            f"by must be the name of a node or None, not {type(by).__name__} {by!r:.60}"
        )
    if note is not None and not isinstance(note, str):
        raise TypeError(f"note must be a string or None, not {type(note).__name__} {note!r:.60}")
    return Labels(by, check_tags(tags) if tags else (), note)


def check_tags(tags: object) -> tuple[str, ...]:
    """Return tags sorted, each once.

    Raises:
        TypeError: It is no collection of non-empty strings.
    """
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise TypeError(
            f"tags must be a collection of strings, such as ('plan',), not {tags!r:.60}"
        )
    checked = set()
    for tag in tags:
        if not isinstance(tag, str) or not tag:
            raise TypeError(f"a tag must be a non-empty string, not {tag!r:.60}")
        checked.add(tag)
    return tuple(sorted(checked))
