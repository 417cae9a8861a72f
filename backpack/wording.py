"""Words for error messages: a value on one line, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

__all__ = [
    "counted",
    "cut",
    "described",
    "found",
    "nearest",
    "one_line",
    "one_of",
    "printable",
    "shown",
]

_LONGEST = 60
_LINE = 200


def one_line(text: str, *, longest: int = _LINE) -> str:
    """Text as one line of printable characters, cut where it is too long.

    Args:
        text: Any text.
        longest: The most characters to keep.

    Returns:
        The text with line breaks as spaces and other control characters escaped.
    """
    return cut(printable(" ".join(text[: longest * 4].split())), longest)


def printable(text: str) -> str:
    r"""Return a text with everything escaped that is not printable: nothing in it is obeyed.

    That is control characters, escape sequences, line ends, and marks that turn the direction of
    what is read.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def cut(text: str, longest: int = _LINE) -> str:
    """Return a text cut to so many characters.

    >>> cut("a long story", 8)
    'a lon...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def shown(value: object) -> str:
    """A value as an error message shows it: one line, bounded, running none of its code.

    >>> shown("50 MiB"), shown(0.5), shown([1, 2])
    ("'50 MiB'", '0.5', 'a list')
    """
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if type(value) is int and abs(value) >= 10**_LONGEST:
        return f"a number of more than {_LONGEST} digits"
    if type(value) in (int, float):
        return repr(value)
    if type(value) is str:
        text = repr(value[: _LONGEST + 1])
        return text if len(value) <= _LONGEST else f"{text[:_LONGEST]}...{text[-1]}"
    return found(value)


def described(value: object) -> str:
    """A value as a message to a programmer shows it: one line, bounded, running none of its code.

    >>> described("k"), described(3), described(None), described([1])
    ("'k'", 'int 3', 'None', 'a value of class list')
    """
    kind = type(value)
    if value is None:
        return "None"
    if kind is str:
        return shown(value)
    if kind in (bool, int, float):
        return f"{kind.__name__} {value if kind is bool else shown(value)}"
    return f"a value of class {kind.__qualname__}"


def found(value: object) -> str:
    """What kind of thing a value is, in the words of someone who writes a configuration."""
    if value is None or isinstance(value, bool):
        return shown(value)
    for kind, words in (
        (str, "text"),
        (int, "a whole number"),
        (float, "a number"),
        (list, "a list"),
        (Mapping, "a mapping"),
    ):
        if isinstance(value, kind):
            return words
    return f"an object of class {type(value).__name__}"


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 commit``, ``1,230 commits``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def one_of(names: Iterable[str]) -> str:
    """Names as a list in a sentence, sorted, each on one line."""
    return ", ".join(map(one_line, sorted(names)))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name most like the one that was written, if one is like it at all.

    >>> nearest("oldst", ["oldest", "none"])
    'oldest'
    """
    by_lower = {known.lower(): known for known in sorted(names)}
    matches = difflib.get_close_matches(name[:100].lower(), by_lower, n=1)
    return by_lower[matches[0]] if matches else None
