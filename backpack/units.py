"""Sizes and durations as people write them: ``"50 MiB"`` to a number and back, ``"30 days"``."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

from backpack.errors import ConfigError
from backpack.wording import shown

__all__ = ["FIRST_SECOND", "LAST_SECOND", "format_size", "parse_duration", "parse_size"]

#: The years 1 to 9999, in seconds since the epoch, as datetime has them.
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799

_BINARY = {"kib": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}
_DECIMAL = {"kb": 1000, "mb": 1000**2, "gb": 1000**3, "tb": 1000**4}
_UNITS = {"": 1, "b": 1, **_BINARY, **_DECIMAL}

_SECONDS = {
    **dict.fromkeys(("", "s", "second", "seconds"), 1),
    **dict.fromkeys(("min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}

_AMOUNT = re.compile(r"\+?([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", re.ASCII)

# Larger than any memory, small enough for the 64-bit integers of file formats.
_LARGEST = 2**63 - 1

_DURATIONS = "write a number of seconds above 0, or a number and a unit, like '12 h' or '30 days'"
_ALLOWED = "write a whole number of bytes, or a number and a unit, like '50 MiB' or '1.5 GB'"


def parse_size(value: int | str, *, field: str | None = None) -> int:
    """Read a size.

    The units are B; KiB, MiB, GiB, TiB (powers of 1024); kB, MB, GB, TB (powers of 1000). Upper
    and lower case mean the same, with one exception: ``Mb`` and ``Kib`` are bits elsewhere, so
    they are refused; ``mb``, all in lower case, is megabytes. A bare ``K`` or ``M`` is refused
    too: it says neither 1000 nor 1024. A fraction of a unit is rounded down to whole bytes.

    Args:
        value: Bytes as an int, or text: a number, then optionally a unit.
        field: The setting it belongs to, for the error message.

    Returns:
        The size in bytes; at least 1.

    Raises:
        ConfigError: It is no size, a fraction of a byte, zero, negative, or above 2**63 - 1.

    >>> parse_size("50 MiB")
    52428800
    >>> parse_size("1.5 kB"), parse_size("4096"), parse_size(4096)
    (1500, 4096, 4096)
    """
    if isinstance(value, str):
        return _at_least_one(_parse_text(value, field), value, field)
    given: object = value
    # True is an int to Python, but no size to anyone.
    if isinstance(given, bool) or not isinstance(given, int):
        raise ConfigError(f"{shown(given)} is not a size; {_ALLOWED}", field=field)
    return _at_least_one(int(given), value, field)


def parse_duration(value: float | str, *, field: str | None = None) -> float:
    """Read how long something lasts.

    The units are s, min, h, d and w, or the whole words: seconds, minutes, hours, days, weeks. A
    month or a year is refused: it is not always as long.

    Args:
        value: Seconds, or text: a number, then optionally a unit.
        field: The setting it belongs to, for the error message.

    Returns:
        Seconds; above 0, and finite.

    Raises:
        ConfigError: It is no duration, zero, negative, or longer than time has been told.

    >>> parse_duration("30 days"), parse_duration("1.5 h"), parse_duration(90)
    (2592000.0, 5400.0, 90.0)
    """
    given: object = value
    if isinstance(given, str):
        match = _AMOUNT.fullmatch(given.strip()) if len(given) <= 200 else None
        factor = None if match is None else _SECONDS.get(match[2].lower())
        if match is None or factor is None:
            raise ConfigError(f"{shown(given)} is not a duration; {_DURATIONS}", field=field)
        seconds = float(match[1]) * factor
    elif isinstance(given, int | float) and not isinstance(given, bool):
        seconds = float(given) if abs(given) <= LAST_SECOND else math.inf
    else:
        raise ConfigError(f"{shown(given)} is not a duration; {_DURATIONS}", field=field)
    if not 0 < seconds <= LAST_SECOND:
        raise ConfigError(f"{shown(given)} is not a duration; {_DURATIONS}", field=field)
    return seconds


def format_size(size: int) -> str:
    """Write a size for people: in binary units, with one decimal at most.

    Args:
        size: Bytes; may be negative.

    Returns:
        The size with its unit.

    >>> format_size(52428800), format_size(1234), format_size(1)
    ('50 MiB', '1.2 KiB', '1 B')
    """
    if size < 0:
        return f"-{format_size(-size)}"
    if size < 1024:
        return f"{size} B"
    amount = size / 1024
    for unit in ("KiB", "MiB", "GiB"):
        # What would be shown as 1024 belongs to the next unit.
        if round(amount, 1) < 1024:
            return f"{_one_decimal(amount)} {unit}"
        amount /= 1024
    return f"{_one_decimal(amount)} TiB"


def _one_decimal(amount: float) -> str:
    """A number with one decimal, or none where that would be a zero."""
    return f"{amount:.1f}".removesuffix(".0")


def _parse_text(text: str, field: str | None) -> int:
    """The bytes a text stands for; may be zero."""
    match = _AMOUNT.fullmatch(text.strip())
    # Ten times the digits of the largest size: enough for every honest number, soon refused.
    if match is None or len(text) > 200:
        raise ConfigError(f"{shown(text)} is not a size; {_ALLOWED}", field=field)
    number, unit = match.groups()
    factor = _UNITS.get(unit.lower())
    if factor is None:
        raise ConfigError(
            f"{shown(text)} is not a size: there is no unit {shown(unit)}{_meant(unit)}",
            field=field,
        )
    if unit.endswith("b") and not unit.islower():
        raise ConfigError(
            f"{shown(text)} is not a size: '{unit}' means bits; write '{unit[:-1]}B' for bytes",
            field=field,
        )
    size = Fraction(number) * factor
    if factor == 1 and size.denominator != 1:
        raise ConfigError(
            f"{shown(text)} is not a whole number of bytes; did you forget the unit?", field=field
        )
    return int(size)


def _at_least_one(size: int, value: int | str, field: str | None) -> int:
    """Let a size through that a limit can be."""
    if size < 1:
        raise ConfigError(f"{shown(value)} is not a size; it must be at least 1 byte", field=field)
    if size > _LARGEST:
        raise ConfigError(f"{shown(value)} is too large; the most is 2**63 - 1 bytes", field=field)
    return size


def _meant(unit: str) -> str:
    """The end of the message about an unknown unit."""
    if unit.lower() in ("k", "m", "g", "t"):
        letter = unit.upper()
        return f"; did you mean '{letter}iB' (1024) or '{letter.replace('K', 'k')}B' (1000)?"
    return "; the units are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"
