"""Changing every object inside a value, to see whether anybody else notices."""

from __future__ import annotations

from enum import Enum
from typing import Any

__all__ = ["spoil"]


def spoil(value: Any) -> None:
    """Change in place whatever can be changed in a value, the innermost first.

    >>> plan = {"steps": [1, 2]}
    >>> spoil(plan)
    >>> plan
    {'steps': [1, 2, 'spoiled'], 'spoiled': True}
    """
    match value:
        case dict():
            for each in value.values():
                spoil(each)
            value["spoiled"] = True
        case list():
            for each in value:
                spoil(each)
            value.append("spoiled")
        case tuple():
            for each in value:
                spoil(each)
        case set():
            value.add("spoiled")
        case bytearray():
            value.extend(b"spoiled")
        case Enum():
            pass  # There is one of each for everybody.
        case _:
            for each in getattr(value, "__dict__", {}).values():
                spoil(each)
