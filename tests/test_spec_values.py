"""The strategies draw what they say."""

from __future__ import annotations

import math
import zoneinfo
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backpack.spec.values import (
    Colour,
    Level,
    Message,
    Mode,
    Plan,
    Point,
    Rights,
    Tally,
    hashables,
    json_values,
    scalars,
    sized,
    values,
)


@given(value=hashables())
def test_hashables_can_be_hashed(value: object) -> None:
    """What is drawn can be a key and an element."""
    assert [value] == list({value: 1})
    assert 1 == len({value})


@given(value=json_values())
def test_json_values_are_plain(value: object) -> None:
    """What is drawn is dicts with str keys, lists and plain scalars, and nothing else."""
    todo = [value]
    while todo:
        item = todo.pop()
        assert type(item) in {dict, list, str, int, float, bool, type(None)}
        if type(item) is dict:
            assert {str} >= set(map(type, item))
            todo += item.values()
        elif type(item) is list:
            todo += item


@given(size=st.integers(30, 5_000), data=st.data())
def test_sized_values_are_near_their_size(size: int, data: st.DataObject) -> None:
    """The content of what is drawn is within 40 bytes of the size."""
    value = data.draw(sized(size))

    assert size - 40 <= len(repr(value)) <= size + 40


def test_sized_values_lie_on_both_sides() -> None:
    """Values under the limit are drawn, values over it, and each of the forms."""
    found = drawn(sized(100))
    texts = [value for value in found if isinstance(value, str) and len(value) > 60]

    assert min(map(len, texts)) < 100 < max(map(len, texts))
    assert {str, bytes, list, dict} == {type(value) for value in found}


def drawn(strategy: st.SearchStrategy[object]) -> list[object]:
    """Return many draws of a strategy, and what is inside them."""
    found: list[object] = []

    @settings(max_examples=1_000, phases=[Phase.generate], database=None, derandomize=True)
    @given(value=strategy)
    def draw(value: object) -> None:
        found.append(value)

    draw()
    for value in found:
        if isinstance(value, dict):
            found += [*value, *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            found += value
    return found


def test_every_type_is_drawn() -> None:
    """Each type there is comes up."""
    kinds = {
        *(type(None), bool, int, float, complex, str, bytes, bytearray),
        *(list, tuple, dict, set, frozenset),
        *(datetime, date, time, timedelta, Decimal, UUID),
        *(PurePosixPath, PureWindowsPath, type(Path())),
        *(Colour, Level, Mode, Rights, Point, Message, Plan, Tally),
    }

    assert kinds == {type(value) for value in drawn(values())}


def test_every_edge_is_drawn() -> None:
    """The values that break codecs come up, and falsy ones come up often."""
    found = drawn(scalars())
    edges: dict[str, Callable[[Any], bool]] = {
        "surrogate": lambda value: isinstance(value, str) and not is_utf8(value),
        "large int": lambda value: isinstance(value, int) and not -(2**63) <= value < 2**64,
        "nan": lambda value: isinstance(value, float) and math.isnan(value),
        "minus zero": lambda value: isinstance(value, float) and repr(value) == "-0.0",
        "signaling": lambda value: isinstance(value, Decimal) and value.is_snan(),
        "fold": lambda value: isinstance(value, datetime) and value.fold == 1,
        "zone": lambda value: isinstance(getattr(value, "tzinfo", None), zoneinfo.ZoneInfo),
        "flags": lambda value: isinstance(value, Rights) and value not in set(Rights),
    }

    assert [] == [name for name, is_edge in edges.items() if not any(map(is_edge, found))]
    assert sum(not value for value in found) > len(found) // 40


def is_utf8(text: str) -> bool:
    """Whether the text can be written as UTF-8."""
    return text.encode("utf-8", "ignore").decode() == text
