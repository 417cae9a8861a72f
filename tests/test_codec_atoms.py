"""Values that hold no others: each edge of each type, and broken payloads."""

from __future__ import annotations

import contextlib
import decimal
import io
import zoneinfo
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import UUID, SafeUUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from backpack.codec import MsgpackCodec, layout
from backpack.codec.atoms import ATOM_READERS
from backpack.errors import CorruptError, UnpackableValue
from backpack.spec.sameness import same
from backpack.spec.values import scalars

CODEC = MsgpackCodec()
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


@given(value=scalars())
def test_scalars_come_back_the_same(value: object) -> None:
    """Any scalar comes back the same."""
    assert same(value, CODEC.decode(CODEC.encode(value)))


@given(code=st.sampled_from(sorted(ATOM_READERS)), payload=st.binary(max_size=30))
def test_broken_payloads_are_corrupt_or_a_value(code: int, payload: bytes) -> None:
    """Any payload of any code decodes or raises CorruptError."""
    with contextlib.suppress(CorruptError):
        CODEC.decode(packb(Ext(code, payload)))


@pytest.mark.parametrize(
    "value",
    [
        *(sign * 2**bits + step for bits in (63, 64, 71, 5000) for sign in (1, -1)
          for step in (-1, 0, 1)),
        "\ud800",
        "a\udfffb",
        "\U0001f600",
        float("nan"),
        float("-inf"),
        -0.0,
        5e-324,
        complex(-0.0, float("nan")),
        bytearray(b"\x00\xff"),
        Decimal("sNaN123"),
        Decimal("-0E-12"),
        Decimal("1." + "3" * 200),
        Decimal("1E+999999999999999999"),
        datetime.min,
        datetime.max,
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
        datetime(2024, 10, 27, 2, 30, fold=0, tzinfo=BERLIN),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(0), "UTC")),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=1), "UTC+01:00")),
        datetime(2024, 1, 1, tzinfo=timezone(timedelta(microseconds=-1), "\ud800")),
        time(23, 59, 59, 999999, fold=1, tzinfo=BERLIN),
        date.min,
        timedelta.max,
        timedelta(days=-1, microseconds=1),
        UUID(int=0),
        UUID(int=2**128 - 1, is_safe=SafeUUID.safe),
        UUID(int=1, is_safe=SafeUUID.unsafe),
        Path("a") / "b",
        PurePosixPath("//a/\udc80"),
        PureWindowsPath("c:/a"),
        PureWindowsPath("//server/share/x"),
    ],
)  # fmt: skip
def test_edges_come_back_the_same(value: object) -> None:
    """The edges of each type come back the same."""
    assert same(value, CODEC.decode(CODEC.encode(value)))


def test_utc_stays_the_singleton() -> None:
    """``timezone.utc`` comes back as itself."""
    moment: datetime = CODEC.decode(  # type: ignore[assignment]
        CODEC.encode(datetime(2024, 1, 1, tzinfo=UTC))
    )

    assert UTC is moment.tzinfo


def test_decimals_do_not_depend_on_the_context() -> None:
    """The caller's decimal context changes neither the bytes nor the value."""
    number = Decimal("1.23456789E+40")
    encoded = CODEC.encode(number)
    with decimal.localcontext() as context:
        context.capitals, context.prec, context.traps[decimal.InvalidOperation] = 0, 3, False

        assert encoded == CODEC.encode(number)
        assert number.as_tuple() == CODEC.decode(encoded).as_tuple()  # type: ignore[attr-defined]
        with pytest.raises(CorruptError, match="extension 5 does not decode: InvalidOperation"):
            CODEC.decode(packb(Ext(layout.DECIMAL, b"1.2.3")))


class _Foreign(tzinfo):
    def utcoffset(self, when: datetime | None, /) -> timedelta:
        return timedelta(hours=2)

    dst = tzname = utcoffset  # type: ignore[assignment]


@pytest.mark.parametrize("moment", [datetime(2024, 1, 1), time(1)])
def test_foreign_zones_are_refused(moment: datetime | time) -> None:
    """A zone of another class is refused, and the message says which would do."""
    with pytest.raises(
        UnpackableValue,
        match=r"^at: time zone of class test_codec_atoms:_Foreign cannot be packed;"
        r" use datetime.timezone or zoneinfo.ZoneInfo$",
    ):
        CODEC.encode(moment.replace(tzinfo=_Foreign()), "at")


@pytest.mark.parametrize("key", [None, "Nowhere/Else"])
def test_zones_that_cannot_be_found_again_are_refused(key: str | None) -> None:
    """A ZoneInfo from a file of its own is refused."""
    data = b"TZif2" + bytes(15) + b"\0\0\0\0" * 3 + b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\4"
    body = bytes(4) + b"\0\0" + b"UTC\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO((data + body) * 2 + b"\nUTC0\n"), key=key)

    with pytest.raises(UnpackableValue, match=r"has no key it could be found by; use one made"):
        CODEC.encode(datetime(2024, 1, 1, tzinfo=zone), "at")


def test_paths_that_a_string_cannot_hold_are_refused() -> None:
    """A path that reads as another path is refused rather than changed."""
    path = PureWindowsPath("./c:a")
    if PureWindowsPath(str(path)) == path:
        assert same(path, CODEC.decode(CODEC.encode(path)))
        return
    with pytest.raises(UnpackableValue, match="reads as another path once it is a string"):
        CODEC.encode(path, "file")
