"""Values of the standard library that hold no other values: one function each way a type."""

from __future__ import annotations

import struct
import zoneinfo
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, InvalidOperation
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from types import MappingProxyType
from typing import Any
from uuid import UUID, SafeUUID

from ormsgpack import Ext, unpackb

from backpack.codec import layout
from backpack.codec.layout import Refused, bytes_to_text, class_name, pack, text_to_bytes

__all__ = ["ATOM_READERS", "ATOM_WRITERS"]

_PATHS = (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)
_SAFETY = {SafeUUID.unknown: b"", SafeUUID.safe: b"\x01", SafeUUID.unsafe: b"\x02"}
_SAFETY_READ = {mark: safety for safety, mark in _SAFETY.items()}
_MICROSECOND = timedelta(microseconds=1)
# The caller's context must not show: its `capitals` would change the bytes.
_DECIMAL = Context(capitals=1, traps=[InvalidOperation])


def _write_int(value: int) -> Ext:
    size = value.bit_length() // 8 + 1
    return Ext(layout.BIG_INT, value.to_bytes(size, "big", signed=True))


def _read_int(payload: bytes) -> int:
    return int.from_bytes(payload, "big", signed=True)


def _write_str(value: str) -> Ext:
    return Ext(layout.SURROGATE_STR, text_to_bytes(value))


def _write_complex(value: complex) -> Ext:
    return Ext(layout.COMPLEX, struct.pack(">dd", value.real, value.imag))


def _read_complex(payload: bytes) -> complex:
    real, imag = struct.unpack(">dd", payload)
    return complex(real, imag)


def _write_bytearray(value: bytearray) -> Ext:
    return Ext(layout.BYTEARRAY, bytes(value))


def _write_decimal(value: Decimal) -> Ext:
    return Ext(layout.DECIMAL, _DECIMAL.to_sci_string(value).encode("ascii"))


def _read_decimal(payload: bytes) -> Decimal:
    return Decimal(payload.decode("ascii"), _DECIMAL)


def _write_uuid(value: UUID) -> Ext:
    return Ext(layout.UUID, value.bytes + _SAFETY[value.is_safe])


def _read_uuid(payload: bytes) -> UUID:
    return UUID(bytes=payload[:16], is_safe=_SAFETY_READ[payload[16:]])


def _zone(tz: tzinfo | None) -> object:
    kind = type(tz)
    if tz is None:
        return None
    if kind is timezone:
        # The arguments tell an unnamed zone from one named as it would name itself.
        offset, *name = tz.__getinitargs__()  # type: ignore[attr-defined]
        micros = offset // _MICROSECOND
        return [micros, text_to_bytes(*name)] if name else micros
    if kind is zoneinfo.ZoneInfo:
        key = tz.key  # type: ignore[attr-defined]
        try:
            zoneinfo.ZoneInfo(key)
            pack(key)
        except Exception:
            raise Refused(
                f"time zone {tz!r} has no key it could be found by; use one made with ZoneInfo(key)"
            ) from None
        return str(key)
    raise Refused(
        f"time zone of class {class_name(kind)} cannot be packed;"
        " use datetime.timezone or zoneinfo.ZoneInfo"
    )


def _read_zone(zone: Any) -> tzinfo | None:
    if zone is None:
        return None
    if isinstance(zone, str):
        return zoneinfo.ZoneInfo(zone)
    if isinstance(zone, list):
        micros, name = zone
        return timezone(timedelta(microseconds=micros), bytes_to_text(name))
    return timezone(timedelta(microseconds=zone))


def _write_datetime(value: datetime) -> Ext:
    fields = [value.year, value.month, value.day, value.hour, value.minute, value.second]
    fields += (value.microsecond, value.fold)
    return Ext(layout.DATETIME, pack([*fields, _zone(value.tzinfo)]))


def _read_datetime(payload: bytes) -> datetime:
    year, month, day, hour, minute, second, micro, fold, zone = unpackb(payload)
    tz = _read_zone(zone)
    return datetime(year, month, day, hour, minute, second, micro, tz, fold=fold)


def _write_date(value: date) -> Ext:
    return Ext(layout.DATE, pack([value.year, value.month, value.day]))


def _read_date(payload: bytes) -> date:
    return date(*unpackb(payload))


def _write_time(value: time) -> Ext:
    fields = [value.hour, value.minute, value.second, value.microsecond, value.fold]
    return Ext(layout.TIME, pack([*fields, _zone(value.tzinfo)]))


def _read_time(payload: bytes) -> time:
    hour, minute, second, micro, fold, zone = unpackb(payload)
    return time(hour, minute, second, micro, _read_zone(zone), fold=fold)


def _write_timedelta(value: timedelta) -> Ext:
    return Ext(layout.TIMEDELTA, pack([value.days, value.seconds, value.microseconds]))


def _read_timedelta(payload: bytes) -> timedelta:
    return timedelta(*unpackb(payload))


def _write_path(value: PurePosixPath | PureWindowsPath) -> Ext:
    kind, text = type(value), str(value)
    if kind(text) != value:
        raise Refused(f"{value!r} reads as another path once it is a string; pack its parts")
    return Ext(layout.PATH, bytes([_PATHS.index(kind)]) + text_to_bytes(text))


def _read_path(payload: bytes) -> PurePosixPath | PureWindowsPath:
    return _PATHS[payload[0]](bytes_to_text(payload[1:]))


ATOM_WRITERS: Mapping[type, Callable[[Any], Ext]] = MappingProxyType(
    {
        int: _write_int,
        str: _write_str,
        complex: _write_complex,
        bytearray: _write_bytearray,
        Decimal: _write_decimal,
        UUID: _write_uuid,
        datetime: _write_datetime,
        date: _write_date,
        time: _write_time,
        timedelta: _write_timedelta,
        **dict.fromkeys(_PATHS, _write_path),
    }
)
"""``{exact type: function that writes it}``; raises Refused for what cannot be kept."""

ATOM_READERS: Mapping[int, Callable[[bytes], object]] = MappingProxyType(
    {
        layout.BIG_INT: _read_int,
        layout.SURROGATE_STR: bytes_to_text,
        layout.COMPLEX: _read_complex,
        layout.BYTEARRAY: bytearray,
        layout.DECIMAL: _read_decimal,
        layout.UUID: _read_uuid,
        layout.DATETIME: _read_datetime,
        layout.DATE: _read_date,
        layout.TIME: _read_time,
        layout.TIMEDELTA: _read_timedelta,
        layout.PATH: _read_path,
    }
)
"""``{extension code: function that reads its payload}``; any exception means a broken payload."""
