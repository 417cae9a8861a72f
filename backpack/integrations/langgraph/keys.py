"""Under which keys of a Backpack a thread keeps what.

``<namespace>/<kind>/<name>``, where the namespace is quoted so that it has no slash, and ``.``
stands for that of the graph itself: no two things have the same key, whatever they are called.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import quote, unquote

__all__ = ["CHANNEL", "CHECKPOINT", "LATE", "WRITES", "Key", "key_of", "parsed"]

CHANNEL: Final = "channel"
CHECKPOINT: Final = "checkpoint"
WRITES: Final = "writes"
LATE: Final = "late"

_ROOT: Final = "."
_PLAIN: Final = ":|-_ "


class Key(NamedTuple):
    """What a key says."""

    namespace: str
    kind: str
    name: str


def key_of(namespace: str, kind: str, name: str = "") -> str:
    """Return a key.

    >>> key_of("", CHANNEL, "messages")
    './channel/messages'
    >>> key_of("agent:1|tools:2", WRITES, "0")
    'agent:1|tools:2/writes/0'
    """
    return f"{_quoted(namespace)}/{kind}/{name}"


def parsed(key: str) -> Key:
    """Return what a key says.

    >>> parsed(key_of(".", CHANNEL, "a/b"))
    Key(namespace='.', kind='channel', name='a/b')
    """
    quoted, kind, name = key.split("/", 2)
    return Key("" if quoted == _ROOT else unquote(quoted), kind, name)


def _quoted(namespace: str) -> str:
    if not namespace:
        return _ROOT
    quoted = quote(namespace, safe=_PLAIN)
    return "%2E" if quoted == _ROOT else quoted
