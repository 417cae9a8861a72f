"""How the way to a value inside another is written: ``plan.steps[3].client``."""

from __future__ import annotations

from typing import Final

from backpack.codec.layout import class_name

__all__ = ["element_step", "index_step", "key_step", "no_step", "which_key_step"]

_KEY_LENGTH: Final = 40


def no_step(_: object) -> str:
    """Return what is written where a value is all that another holds: nothing."""
    return ""


def index_step(at: object) -> str:
    """Return the step to an item of a list or tuple.

    >>> index_step(3)
    '[3]'
    """
    return f"[{at}]"


def element_step(_: object) -> str:
    """Return the step to an element of a set."""
    return "{...}"


def which_key_step(at: object) -> str:
    """Return the step to a key itself, of which only its place is known."""
    return f".keys()[{at}]"


def key_step(key: object) -> str:
    """Return the step to the value under a key, or to an attribute; it is printable.

    >>> key_step("client"), key_step("no name"), key_step(7)
    ('.client', "['no name']", '[7]')
    """
    if type(key) is str and key.isidentifier():
        return f".{key}"
    try:
        text = repr(key)
    except Exception:
        text = f"<{class_name(type(key))}>"
    if len(text) > _KEY_LENGTH:
        text = f"{text[: _KEY_LENGTH - 3]}..."
    return f"[{text.encode('ascii', 'backslashreplace').decode()}]"
