"""The bytes on disk: what was written once must stay readable, so these never change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from backpack.codec import MsgpackCodec, layout
from backpack.spec.sameness import same
from backpack.spec.values import Colour, Plan, Point, Rights


class Model(BaseModel):
    """A model to store."""

    a: int


@given(text=st.text(st.characters(exclude_categories=())))
def test_texts_survive_as_bytes(text: str) -> None:
    """Any text, lone surrogates included, is the same after a trip through bytes."""
    assert text == layout.bytes_to_text(layout.text_to_bytes(text))


STORED = [
    ("83a16101a16292c2c0a163cb3ff8000000000000", {"a": 1, "b": [False, None], "c": 1.5}),
    ("c402ff00", b"\xff\x00"),
    ("c70901010000000000000000", 2**64),
    ("c70302eda080", "\ud800"),
    ("d8033ff0000000000000c000000000000000", complex(1, -2)),
    ("d4047f", bytearray(b"\x7f")),
    ("d605312e3530", Decimal("1.50")),
    ("d80600000000000000000000000000000001", UUID(int=1)),
    ("c70c0799cd07e80102030405060000", datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC)),
    ("c7060893cd07e80102", date(2024, 1, 2)),
    ("c70709960102030400c0", time(1, 2, 3, 4)),
    ("d60a93ff0203", timedelta(-1, 2, 3)),
    ("c7030b002f61", PurePosixPath("/a")),
    ("d6109301c2c0", (1, False, None)),
    ("c70311920102", {2, 1}),
    ("c7051292a161a162", frozenset({"b", "a"})),
    ("c70913940102a161d5109103", {1: 2, "a": (3,)}),
    (
        "c72c1892b96261636b7061636b2e737065632e76616c7565733a506c616e82a4676f616ca167a57374657073d41090",
        Plan("g"),
    ),
    ("c7231992ba6261636b7061636b2e737065632e76616c7565733a506f696e7482a17801a17902", Point(1, 2)),
    ("c7211a92bb6261636b7061636b2e737065632e76616c7565733a436f6c6f7572a3524544", Colour.RED),
    (
        "c71e1a92bb6261636b7061636b2e737065632e76616c7565733a52696768747305",
        Rights.READ | Rights.RUN,
    ),
    ("c7221b95b7746573745f636f6465635f6c61796f75743a4d6f64656c81a1610191a161c0c0", Model(a=1)),
    ("c70f2094a33c6932920102c2c40401000200", np.array([[1, 2]], dtype="<i2")),
    ("c70b2192a33c6634c4040000803f", np.float32(1)),
    ("d72192a3737472a26100", np.str_("a\0")),
]


@pytest.mark.parametrize(("stored", "value"), STORED)
def test_stored_bytes_never_change(stored: str, value: object) -> None:
    """Each type is written as the table says, and what was written so is read."""
    codec = MsgpackCodec(classes=[Plan, Point, Colour, Rights, Model])

    assert stored == codec.encode(value).hex()
    assert same(value, codec.decode(bytes.fromhex(stored)))


def test_every_code_is_in_the_table() -> None:
    """The table in the docstring names each code there is, and each once."""
    codes = [
        value
        for name, value in vars(layout).items()
        if type(value) is int and name != "FORMAT_VERSION" and value < 128
    ]
    rows = [line.split()[0] for line in (layout.__doc__ or "").splitlines() if line[:1].isdigit()]

    assert sorted(codes) == [int(row) for row in rows]
