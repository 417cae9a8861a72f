"""Texts out of a file as they are shown: on one line, escaped wherever they could do anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from backpack.wording import cut

__all__ = ["moment", "quoted_if_odd"]

_LONGEST: Final = 200


def quoted_if_odd(text: str, longest: int = _LONGEST) -> str:
    r"""Return a key, a name or a tag as it is, or quoted where that would not be told from others.

    >>> print(quoted_if_odd("plan"), quoted_if_odd("my plan"), quoted_if_odd("plan "))
    plan my plan 'plan '
    """
    text = text[: longest + 1]
    is_odd = not text.isprintable() or text != " ".join(text.split(" ")).strip() or not text
    return cut(repr(text) if is_odd or text[0] in "'\"" else text, longest)


def moment(time: float) -> str:
    """Return a time, in seconds since the epoch, as people read it, in UTC.

    >>> moment(0.5)
    '1970-01-01 00:00:00'
    """
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
