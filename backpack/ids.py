"""Commit ids: the commit's number and its Backpack's code, ``412-k3fq7x``.

An id is computed, never stored, so that a pruned commit can still be told from one that never
was without remembering every id. The code tells the ids of one Backpack from another's.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

__all__ = ["new_code", "parse_id"]

# Crockford's base 32 in lower case: no i, l, o, u to be misread.
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS: Final = _DIGITS[10:]
_CODE_LENGTH: Final = 6
_ID: Final = re.compile(r"([1-9][0-9]{0,17})-([0-9a-z]+)", re.ASCII)


def new_code() -> str:
    """Return a random code for a new Backpack; the first character is a letter."""
    rest = (secrets.choice(_DIGITS) for _ in range(_CODE_LENGTH - 1))
    return secrets.choice(_LETTERS) + "".join(rest)


def parse_id(text: str) -> tuple[int, str] | None:
    """Return the number and the code of a commit id, or None if it is none.

    >>> parse_id("412-k3fq7x")
    (412, 'k3fq7x')
    >>> parse_id("HEAD") is None
    True
    """
    match = _ID.fullmatch(text)
    if match is None:
        return None
    number, code = match.groups()
    return int(number), code
