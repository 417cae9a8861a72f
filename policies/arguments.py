"""Checks of the numbers that built-in policies are constructed with."""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, TypeGuard

from backpack.errors import ConfigError
from backpack.units import parse_size

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = [
    "batch",
    "check_fraction",
    "check_half_life",
    "check_whole",
    "is_whole",
    "to_least",
    "to_max_value_size",
]


def to_max_value_size(value: int | str) -> int:
    """Turn a size limit into bytes; an attrs converter.

    Args:
        value: Bytes, or text with a unit (``"50 KiB"``).

    Returns:
        The limit in bytes.

    Raises:
        ConfigError: It is no size.
    """
    return parse_size(value, field="max_value_size")


def to_least(value: int | str) -> int:
    """Turn the least size of something into bytes; an attrs converter.

    Args:
        value: Bytes, or text with a unit (``"1 KiB"``).

    Returns:
        The size in bytes.

    Raises:
        ConfigError: It is no size.
    """
    return parse_size(value, field="least")


def check_fraction(_instance: object, attribute: Attribute[float], value: object) -> None:
    """Refuse anything but a number in (0, 1]; an attrs validator.

    Raises:
        ConfigError: It is no number, NaN, or out of range.
    """
    if not _is_number(value) or not 0 < value <= 1:
        raise ConfigError(
            f"{reprlib.repr(value)} is not a fraction; "
            "write a number above 0 and at most 1, like 0.2",
            field=attribute.name,
        )


def check_half_life(_instance: object, attribute: Attribute[float], value: object) -> None:
    """Refuse anything but a number above 0, infinity included; an attrs validator.

    Raises:
        ConfigError: It is no number, NaN, zero or negative.
    """
    if not _is_number(value) or not value > 0:
        raise ConfigError(
            f"{reprlib.repr(value)} is not a half-life; "
            "write a number of commits above 0, like 1000",
            field=attribute.name,
        )


def check_whole(_instance: object, attribute: Attribute[int], value: object) -> None:
    """Refuse anything but a whole number of at least 1; an attrs validator.

    Raises:
        ConfigError: It is no int, zero or negative.
    """
    if not is_whole(value) or value < 1:
        raise ConfigError(
            f"{reprlib.repr(value)} is not allowed; write a whole number of at least 1, like 200",
            field=attribute.name,
        )


def batch(fraction: float, candidates: int) -> int:
    """How many commits a fraction of the candidates is: rounded up, so that one at least goes.

    Args:
        fraction: In (0, 1].
        candidates: How many there are.

    Returns:
        A number from 1 to ``candidates``; 0 if there are none.

    >>> batch(0.2, 10), batch(0.2, 11), batch(0.2, 1), batch(0.2, 0)
    (2, 3, 1, 0)
    """
    # Without the rounding, 0.07 of 100 would be 8: 0.07 * 100 is 7.000000000000001.
    share = math.ceil(round(fraction * candidates, 6))
    return min(max(share, 1), candidates)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is an int; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is an int or float; a bool is neither, NaN stands for no number at all."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
