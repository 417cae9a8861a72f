"""Telling text that UTF-8 can write from text that it cannot."""

from __future__ import annotations

__all__ = ["is_unicode"]


def is_unicode(text: str) -> bool:
    r"""Return whether a string is valid Unicode: without lone surrogates. O(characters).

    >>> is_unicode("café"), is_unicode("caf\ud800")
    (True, False)
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
