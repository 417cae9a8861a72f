"""Values as text: whole and streamed, in few lines or many, for any value and any depth.

What a value is written as is told by a function that takes one value apart, see
:mod:`backpack.looking.spelling`; this puts the parts together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeAlias

from attrs import frozen

__all__ = ["Holder", "Spelling", "on_lines", "on_one_line", "one_line_of", "shortened"]

_INDENT: Final = "  "
_WIDTH: Final = 88
#: Deeper than this, nothing more is indented: a thousand levels would be half a million spaces.
_DEEPEST: Final = 40


@frozen(eq=False)
class Holder:
    """A value that holds others, taken apart.

    Attributes:
        opening: What is written before them.
        items: What is written before each, and each.
        closing: What is written behind them.
        last: What is written behind the last where all is on one line.
    """

    opening: str
    items: Iterable[tuple[str, object]]
    closing: str
    last: str = ""


#: Takes a value apart, or returns its text.
Spelling: TypeAlias = Callable[[object], "str | Holder"]


def on_one_line(value: object, spelling: Spelling) -> Iterator[str]:
    """Iterate over the pieces of a value's text, on one line."""
    spelt = spelling(value)
    if isinstance(spelt, str):
        yield spelt
        return
    yield spelt.opening
    stack = [(iter(spelt.items), spelt)]
    is_first = True
    while stack:
        items, holder = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
            yield holder.last + holder.closing
            is_first = False
            continue
        prefix, inner = item
        yield prefix if is_first else f", {prefix}"
        spelt = spelling(inner)
        if isinstance(spelt, str):
            yield spelt
            is_first = False
        else:
            yield spelt.opening
            stack.append((iter(spelt.items), spelt))
            is_first = True


def one_line_of(value: object, spelling: Spelling, longest: int) -> str:
    """Return the text of a value on one line, cut where it is too long; no more of it is made."""
    text = _fitting(value, spelling, longest)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _fitting(value: object, spelling: Spelling, longest: int) -> str:
    """Return the text of a value on one line, or more of it than is wanted."""
    pieces: list[str] = []
    length = 0
    for piece in on_one_line(value, spelling):
        pieces.append(piece)
        length += len(piece)
        if length > longest:
            break
    return "".join(pieces)


def on_lines(value: object, spelling: Spelling, width: int = _WIDTH) -> Iterator[str]:
    """Iterate over the lines of a value's text; what fits stands on one."""
    stack: list[tuple[Iterator[tuple[str, object]], Holder]] = []
    prefix, inner = "", value
    while True:
        indent = _INDENT * min(len(stack), _DEEPEST)
        comma = "," if stack else ""
        spelt = spelling(inner)
        line = spelt if isinstance(spelt, str) else None
        if not isinstance(spelt, str):
            room = width - len(indent) - len(prefix) - len(comma)
            text = _fitting(inner, spelling, max(room, 2))
            line = text if len(text) <= max(room, 2) else None
        if line is not None:
            yield f"{indent}{prefix}{line}{comma}"
        elif not isinstance(spelt, str):
            yield f"{indent}{prefix}{spelt.opening}"
            stack.append((iter(spelt.items), spelt))
        while stack:
            item = next(stack[-1][0], None)
            if item is not None:
                prefix, inner = item
                break
            _, holder = stack.pop()
            indent = _INDENT * min(len(stack), _DEEPEST)
            yield f"{indent}{holder.closing}{',' if stack else ''}"
        else:
            return


def shortened(lines: Iterable[str], most: int, longest: int) -> tuple[list[str], bool]:
    """Return the first of some lines, each cut, and whether that is not all."""
    first = list(islice(lines, most + 1))
    cut = [line if len(line) <= longest else f"{line[: longest - 3]}..." for line in first[:most]]
    return cut, cut != first
