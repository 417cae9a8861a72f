"""Values as text: exact, whole or cut, and harmless to whoever reads it."""

from __future__ import annotations

import ast
import json
import math
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpack import MsgpackCodec, Unavailable
from backpack.codec.foreign import Foreign, decode_foreign
from backpack.looking.changes import ABSENT
from backpack.looking.spelling import Shortly, for_json, for_people
from backpack.looking.words import moment, quoted_if_odd
from backpack.looking.writing import on_lines, on_one_line, one_line_of, shortened
from backpack.spec.sameness import same
from backpack.spec.values import Colour, Plan, Rights, json_values, values
from backpack.wording import cut, printable

builtin = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4),
        st.sets(st.integers() | st.text(max_size=3), min_size=1, max_size=4),
    ),
    max_leaves=15,
)


def line(value: object) -> str:
    """Return a value as people read it, on one line."""
    return "".join(on_one_line(value, for_people))


def as_json(value: object) -> Any:
    """Return what a program reads of a value."""
    return json.loads("".join(on_one_line(value, for_json)))


def foreign(value: object) -> object:
    """Return a value as it is read where its classes are not."""
    return decode_foreign(MsgpackCodec().encode(value))


@settings(max_examples=50)
@given(builtin)
def test_what_python_can_write_is_written_as_it_does(value: object) -> None:
    """On one line or on many, it is the expression that makes the value."""
    for text in (line(value), "\n".join(on_lines(value, for_people, 20))):
        assert same(value, ast.literal_eval(text))
        assert all(each.isprintable() for each in text.split("\n"))


@settings(max_examples=30)
@given(json_values(10))
def test_what_json_has_is_as_it_is(value: Any) -> None:
    """But for dicts that have keys that look like a tag."""
    text = "".join(on_one_line(value, for_json))
    assert text.isascii()
    if '"$' not in text:
        assert same(value, json.loads(text))


@settings(max_examples=25)
@given(values(8))
def test_any_value_can_be_written(value: object) -> None:
    """Whole and cut, for people and for programs; nothing of it is obeyed."""
    read = foreign(value)
    assert as_json(read) is not ABSENT
    assert line(read).isprintable()
    assert len(one_line_of(read, Shortly(20), 30)) <= 30
    lines, _ = shortened(on_lines(read, Shortly(20)), 3, 30)
    assert len(lines) <= 3
    assert all(len(each) <= 30 and each.isprintable() for each in lines)


MOMENT = datetime(2026, 5, 1, 12, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
LEFT_OUT = Unavailable("a\x1b", 5, "too large", "raise it", "00", "x")


@pytest.mark.parametrize(
    ("value", "people", "program"),
    [
        ((), "()", {"$tuple": []}),
        ((1,), "(1,)", {"$tuple": [1]}),
        (set(), "set()", {"$set": []}),
        ({2, 1}, "{1, 2}", {"$set": [1, 2]}),
        ({"b", 1}, "{1, 'b'}", {"$set": [1, "b"]}),
        (
            {(2,), (1,), b"y", b"z", b"x", None},
            "{None, b'x', b'y', b'z', (1,), (2,)}",
            None,
        ),
        (frozenset(), "frozenset()", {"$frozenset": []}),
        (frozenset({(1,)}), "frozenset({(1,)})", {"$frozenset": [{"$tuple": [1]}]}),
        (b"\xff", r"b'\xff'", {"$bytes": "/w=="}),
        (bytearray(b"a"), "bytearray(b'a')", {"$bytearray": "YQ=="}),
        ({1: 2}, "{1: 2}", {"$dict": [[1, 2]]}),
        ({"$a": 2}, "{'$a': 2}", {"$dict": [["$a", 2]]}),
        (math.nan, "nan", {"$float": "nan"}),
        (-math.inf, "-inf", {"$float": "-inf"}),
        (2**64, "18446744073709551616", {"$int": "0x10000000000000000"}),
        (1j, "1j", {"$complex": ["0.0", "1.0"]}),
        (Decimal("1.50"), "Decimal('1.50')", {"$decimal": "1.50"}),
        (UUID(int=1), f"UUID('{UUID(int=1)}')", {"$uuid": str(UUID(int=1))}),
        (date(2026, 5, 1), "datetime.date(2026, 5, 1)", {"$date": "2026-05-01"}),
        (time(1, 2), "datetime.time(1, 2)", {"$time": "01:02:00"}),
        (
            datetime(2026, 5, 1, tzinfo=UTC),
            "datetime.datetime(2026, 5, 1, 0, 0, tzinfo=datetime.timezone.utc)",
            {"$datetime": "2026-05-01T00:00:00+00:00"},
        ),
        (
            MOMENT,
            repr(MOMENT),
            {"$datetime": "2026-05-01T12:00:00+02:00", "fold": 1, "zone": "Europe/Berlin"},
        ),
        (timedelta(1, 2, 3), repr(timedelta(1, 2, 3)), {"$timedelta": [1, 2, 3]}),
        (
            PurePosixPath("a/b"),
            "PurePosixPath('a/b')",
            {"$path": "a/b", "kind": "PurePosixPath"},
        ),
        (
            Foreign("record", "app:Trip.Part", {"to": "Rome"}),
            "Trip.Part(to='Rome')",
            {"$class": "app:Trip.Part", "kind": "record", "value": {"to": "Rome"}},
        ),
        (
            Foreign("other", "\x1b[2J", [1]),
            r"\x1b[2J([1])",
            {"$class": "\x1b[2J", "kind": "other", "value": [1]},
        ),
        (foreign(Colour.RED), "Colour.RED", None),
        (foreign(Rights(5)), "Rights(5)", None),
        (foreign(Plan("a")), "Plan(goal='a', steps=())", None),
        (Foreign("record", "a:B", 7), "B(7)", None),
        (Foreign("record", "a:B", {"\n": 7}), r"B(\n=7)", None),
        (
            LEFT_OUT,
            r"<'a\x1b' (5 bytes) is not in history: too large; raise it>",
            {
                "$unavailable": {
                    "key": "a\x1b",
                    "size": 5,
                    "reason": "too large",
                    "hint": "raise it",
                    "digest": "00",
                    "preview": "x",
                }
            },
        ),
        (ABSENT, "absent", None),
        (np.float32(1.5), "np.float32(1.5)", {"$array": "float32", "shape": [], "value": 1.5}),
        (
            np.array([[1, 2]], dtype=np.int8),
            "numpy.array([[1, 2]], dtype='int8')",
            {"$array": "int8", "shape": [1, 2], "value": [[1, 2]]},
        ),
        (
            np.zeros((0, 2)),
            "numpy.array([], dtype='float64', shape=(0, 2))",
            {"$array": "float64", "shape": [0, 2], "value": []},
        ),
        (np.longdouble(1), repr(np.longdouble(1)), {"$text": repr(np.longdouble(1))}),
    ],
)
def test_values_are_written(value: object, people: str, program: object) -> None:
    """With their exact types."""
    assert people == line(value)
    assert program is None or program == as_json(value)


def test_arrays_are_whole_or_told_by_their_shape() -> None:
    """In whatever order they are."""
    array = np.asfortranarray(np.arange(4000).reshape(2, 2000))
    assert "1999" in line(array)
    assert line(array).endswith("dtype='int64', order='F')")
    spelling = Shortly(10)
    assert "numpy.array(shape=(2, 2000), dtype='int64')" == "".join(on_one_line(array, spelling))
    assert spelling.is_cut


def test_large_numbers_are_written() -> None:
    """Python refuses to write them in decimal digits."""
    assert line(10**5000) == hex(10**5000)
    assert {"$int": hex(-(10**5000))} == as_json(-(10**5000))


def test_bytes_come_back() -> None:
    """As base 64."""
    assert b"\x00\xff" == b64decode(as_json(b"\x00\xff")["$bytes"])


def test_what_fits_stands_on_one_line() -> None:
    """And what does not is indented."""
    value = {"steps": ["look"] * 4, "more": (list(range(8)),), "text": "x" * 30, "none": {}}
    assert [
        "{",
        "  'steps': [",
        "    'look',",
        "    'look',",
        "    'look',",
        "    'look',",
        "  ],",
        "  'more': (",
        "    [0, 1, 2, 3, 4, 5, 6, 7],",
        "  ),",
        f"  'text': '{'x' * 30}',",
        "  'none': {},",
        "}",
    ] == list(on_lines(value, for_people, 30))


@pytest.fixture
def limit() -> Iterator[None]:
    """Have Python's own limit of recursion: Hypothesis raises it, and a thread may leave it so."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("limit")
def test_keys_inside_keys_inside_keys_are_cut() -> None:
    """Rather than that Python's stack overflows."""
    value: object = 1
    for _ in range(400):
        value = Foreign("record", "a:B", {"f": {value: 1}})
    assert "..." in line(value)
    nested: object = frozenset()
    for _ in range(300):
        nested = frozenset({nested})
    assert line(nested).startswith("frozenset({frozenset({")
    too_deep: object = 1
    for _ in range(600):
        too_deep = Foreign("record", "a:B", too_deep)
    assert line({too_deep, 1}).startswith("{")


@given(st.text())
def test_words_are_printable_and_told_apart(text: str) -> None:
    """A key is shown as it is only where nothing else would be."""
    assert printable(text).isprintable()
    shown = quoted_if_odd(text, 10_000)
    assert shown.isprintable()
    assert text in (shown, ast.literal_eval(shown) if shown[0] in "'\"" else None)
    assert len(quoted_if_odd(text * 100, 50)) <= 50
    assert len(cut(text * 100, 9)) <= 9


def test_words_are_cut() -> None:
    """With dots where they are."""
    assert ("a..", "abc") == (cut("a" * 9, 3).replace("...", "a.."), cut("abc", 3))
    assert "2026-05-01 12:00:00" == moment(1_777_636_800.9)
