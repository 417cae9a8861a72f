"""Storage policies with one bug each, and odd ones without."""

from __future__ import annotations

import base64
import os
import struct
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Final

from attrs import frozen

from backpack.records import HeldVersion, SupersededVersion, digest

__all__ = ["BROKEN", "HANGING", "ODD"]


def _xor(data: bytes, pad: bytes) -> bytes:
    pads = (pad * (len(data) // len(pad) + 1))[: len(data)]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(pads, "big")
    return mixed.to_bytes(len(data), "big")


class _Plain:
    """Hold versions as they are; what the broken ones go back to."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data


# --- PO1: it raises ----------------------------------------------------------------------------


class AsText(_Plain):
    """Take the encoded bytes for text."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded.decode().encode("utf-16")

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data.decode("utf-16").encode()


class ShortHeader(_Plain):
    """Write the length into one byte, which is too short for most."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return struct.pack("b", len(version.encoded)) + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[1:]


# --- PO2: it changes what it is shown ----------------------------------------------------------


class Renames(_Plain):
    """Shorten the key in the record to save memory."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        object.__setattr__(version, "key", f"_{version.key[:1]}")
        return version.encoded


class UnpacksInPlace(_Plain):
    """Unpack into the record, to be quicker the next time."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return b"z" + zlib.compress(version.encoded)

    def read(self, version: HeldVersion, /) -> bytes:
        if version.data[:1] == b"z":
            object.__setattr__(version, "data", b"r" + zlib.decompress(version.data[1:]))
        return version.data[1:]


# --- PO3: it answers differently each time -----------------------------------------------------


class Salted(_Plain):
    """Put a salt from the operating system before each version."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return os.urandom(8) + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[8:]


class Addressed(_Plain):
    """Put a mark drawn once before each version, another from one policy to the next."""

    def __init__(self) -> None:
        self._mark = os.urandom(4)

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded + self._mark

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[:-4]


# --- PO4: its copies do not answer as it does --------------------------------------------------


class Numbers(_Plain):
    """Number what it holds, and begin anew in each copy."""

    def __init__(self) -> None:
        self._number = 0

    def __getstate__(self) -> dict[str, int]:
        return {"_number": 0}

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._number += 1
        return struct.pack("<Q", self._number) + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[8:]


class PerThread(_Plain):
    """Hold a buffer for each thread, which neither pickles nor copies."""

    def __init__(self) -> None:
        self._local = threading.local()


# --- PO5: it never forgets ---------------------------------------------------------------------


class Journal(_Plain):
    """Keep a journal of all that it did."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._lines.append(f"held {version.key} of commit {version.seq}")
        return version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        self._lines.append(f"read {version.key} of commit {version.seq}")
        return version.data


# --- ST1: what it reads is not what it held ----------------------------------------------------


class ReadsArray(_Plain):
    """Read a bytearray."""

    def read(self, version: HeldVersion, /) -> bytes:
        return bytearray(version.data)  # type: ignore[return-value]


class ReadsView(_Plain):
    """Put a header before each version and read a view of what follows."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return b"\x01" + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return memoryview(version.data)[1:]  # type: ignore[return-value]


class FirstFrame(_Plain):
    """Compress in frames of 1 KiB, and read the first of them only."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        data = version.encoded
        parts = [data[start : start + 1024] for start in range(0, len(data), 1024)]
        return b"".join(map(zlib.compress, parts or [b""]))

    def read(self, version: HeldVersion, /) -> bytes:
        return zlib.decompressobj().decompress(version.data)


class OneBufferful(_Plain):
    """Decompress no more than one buffer of 1 KiB."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return zlib.compress(version.encoded)

    def read(self, version: HeldVersion, /) -> bytes:
        return zlib.decompressobj().decompress(version.data, 1024)


class AgainstBombs(OneBufferful):
    """Decompress no more than 64 KiB, as if there were no larger version."""

    def read(self, version: HeldVersion, /) -> bytes:
        return zlib.decompressobj().decompress(version.data, 64 * 1024)


class CachesByNumber(OneBufferful):
    """Remember what it read last by its key and number, which other Backpacks have, too."""

    def __init__(self) -> None:
        self._read: tuple[tuple[str, int], bytes] | None = None

    def read(self, version: HeldVersion, /) -> bytes:
        name = version.key, version.seq
        if self._read is None or self._read[0] != name:
            self._read = name, zlib.decompress(version.data)
        return self._read[1]


class IgnoresErrors(_Plain):
    """Take the encoded bytes for text, and leave out what is none."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded.decode(errors="ignore").encode()


class SwapsHalves(_Plain):
    """Put the second half first, and swap back the wrong halves where the length is odd."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        middle = len(version.encoded) // 2
        return version.encoded[middle:] + version.encoded[:middle]

    def read(self, version: HeldVersion, /) -> bytes:
        middle = len(version.data) // 2
        return version.data[middle:] + version.data[:middle]


class DropsTheEnd(_Plain):
    """Put an end mark after each version, and cut off one byte more."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded + b"\n"

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[:-2]


# --- ST2: a version needs others to be read ----------------------------------------------------


class Delta(_Plain):
    """Hold the difference from the version held before, and read by whatever that is then."""

    def __init__(self) -> None:
        self._before = self._last = b"\x00"

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._before, self._last = self._last, version.encoded or b"\x00"
        return _xor(version.encoded, self._before)

    def read(self, version: HeldVersion, /) -> bytes:
        return _xor(version.data, self._before)


class SecretPad(_Plain):
    """Encrypt with a pad that it alone and its copies have."""

    def __init__(self) -> None:
        self._pad = os.urandom(16)

    def hold(self, version: SupersededVersion, /) -> bytes:
        return _xor(version.encoded, self._pad)

    def read(self, version: HeldVersion, /) -> bytes:
        return _xor(version.data, self._pad)


class LastNumber(_Plain):
    """Mask each version by its number, and unmask by the number held last."""

    def __init__(self) -> None:
        self._seq = 0

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._seq = version.seq
        return _xor(version.encoded, struct.pack("<Q", self._seq * 0x9E3779B97F4A7C15 % 2**64))

    def read(self, version: HeldVersion, /) -> bytes:
        return _xor(version.data, struct.pack("<Q", self._seq * 0x9E3779B97F4A7C15 % 2**64))


class CachesByKey(_Plain):
    """Remember what it read last by its key, whichever version it was of."""

    def __init__(self) -> None:
        self._read: tuple[str, bytes] | None = None

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._read = None
        return zlib.compress(version.encoded)

    def read(self, version: HeldVersion, /) -> bytes:
        if self._read is None or self._read[0] != version.key:
            self._read = version.key, zlib.decompress(version.data)
        return self._read[1]


class FirstIsDictionary(_Plain):
    """Compress with the first version it met as a dictionary, which no other policy has."""

    def __init__(self) -> None:
        self._dictionary = b""

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._dictionary = self._dictionary or version.encoded[:1024]
        compressor = zlib.compressobj(zdict=self._dictionary)
        return compressor.compress(version.encoded) + compressor.flush()

    def read(self, version: HeldVersion, /) -> bytes:
        return zlib.decompressobj(zdict=self._dictionary).decompress(version.data)


class ReadsOnce(_Plain):
    """Read a version once, and nothing where it is asked for it again."""

    def __init__(self) -> None:
        self._read: tuple[str, int] | None = None

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._read = None
        return version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        again = (version.key, version.seq) == self._read
        self._read = version.key, version.seq
        return b"" if again else version.data


# --- ST3: it holds more than it says -----------------------------------------------------------


class Elsewhere(_Plain):
    """Hold nothing but a key to a table of its own."""

    def __init__(self) -> None:
        self._table: dict[tuple[str, int], bytes] = {}

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._table[version.key, version.seq] = version.encoded
        return b""

    def read(self, version: HeldVersion, /) -> bytes:
        return self._table[version.key, version.seq]


_BLOBS: Final[dict[bytes, bytes]] = {}


class ByDigest(_Plain):
    """Hold the digest, and the version in a table that all of its kind share."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        name = digest(version.encoded).encode()
        _BLOBS[name] = bytes(bytearray(version.encoded))
        return name

    def read(self, version: HeldVersion, /) -> bytes:
        return _BLOBS[version.data]


class Backup(_Plain):
    """Hold each version, and a second time in a backup of its own."""

    def __init__(self) -> None:
        self._backup: list[bytes] = []

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._backup.append(b"backup " + version.encoded)
        return version.encoded


class Parcel(bytes):
    """Bytes that carry something beside."""

    payload: bytes = b""


class InParcel(_Plain):
    """Hold no bytes, with the version fastened to them."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        parcel = Parcel()
        parcel.payload = version.encoded
        return parcel

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data.payload if isinstance(version.data, Parcel) else version.data


class HoldsArray(_Plain):
    """Hold a bytearray."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return bytearray(version.encoded)  # type: ignore[return-value]

    def read(self, version: HeldVersion, /) -> bytes:
        return bytes(version.data)


class HoldsView(_Plain):
    """Hold a view of one byte, with all of the version behind it."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return memoryview(version.encoded)[:1]  # type: ignore[return-value]

    def read(self, version: HeldVersion, /) -> bytes:
        data: object = version.data
        return bytes(data.obj) if isinstance(data, memoryview) else version.data


# --- those that never come back ----------------------------------------------------------------


class ReadsNothing(_Plain):
    """Read in pieces of no length, until all is read."""

    def read(self, version: HeldVersion, /) -> bytes:
        rest, piece = version.data + b"\x00", 0
        while rest:
            rest = rest[piece:]
        return version.data


class Exits(_Plain):
    """End the program where it is to read."""

    def read(self, version: HeldVersion, /) -> bytes:
        raise SystemExit(version.seq)


# --- odd, but lawful ---------------------------------------------------------------------------


class Reversed:
    """Hold versions back to front."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded[::-1]

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[::-1]


@frozen
class Headed:
    """Put a header before each version."""

    header: bytes = b"backpack\x00"

    def hold(self, version: SupersededVersion, /) -> bytes:
        return self.header + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[len(self.header) :]


@dataclass(frozen=True)
class ZippedByLength:
    """Compress the long more than the short, and the shortest not at all."""

    short: int = 64

    def hold(self, version: SupersededVersion, /) -> bytes:
        return zlib.compress(version.encoded, min(9, len(version.encoded) // self.short))

    def read(self, version: HeldVersion, /) -> bytes:
        return zlib.decompress(version.data)


class Base64:
    """Hold versions as text, longer than they were."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return base64.b64encode(version.encoded)

    def read(self, version: HeldVersion, /) -> bytes:
        return base64.b64decode(version.data)


class MaskedByName:
    """Mask each version by its key and its number."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return _xor(version.encoded, f"{version.seq} {version.key!r}".encode())

    def read(self, version: HeldVersion, /) -> bytes:
        return _xor(version.data, f"{version.seq} {version.key!r}".encode())


class Counts:
    """Count what it holds, and write the count where nobody reads it."""

    def __init__(self) -> None:
        self._count = 0

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._count += 1
        return struct.pack("<Q", self._count) + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[8:]


def hold_as_hex(version: SupersededVersion) -> bytes:
    """Hold hexadecimal digits."""
    return version.encoded.hex().encode()


def read_as_hex(version: HeldVersion) -> bytes:
    """Read hexadecimal digits."""
    return bytes.fromhex(version.data.decode())


class MarksZipped:
    """Mark what is compressed with a Z; what begins with one is taken for it."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        zipped = b"Z" + zlib.compress(version.encoded)
        return zipped if len(zipped) < len(version.encoded) else version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        if version.data[:1] == b"Z":
            return zlib.decompress(version.data[1:])
        return version.data


class NumbersInTwoBytes:
    """Write the commit's number before the version, in two bytes: enough up to 65,535."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.seq.to_bytes(2, "big") + version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data[2:]


BROKEN: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it takes encoded bytes for text": ("PO1", AsText),
    "it writes the length into one byte": ("PO1", ShortHeader),
    "it shortens the key in the record": ("PO2", Renames),
    "it unpacks into the record": ("PO2", UnpacksInPlace),
    "it salts what it holds": ("PO3", Salted),
    "it marks what it holds as its own": ("PO3", Addressed),
    "it numbers what it holds anew in each copy": ("PO4", Numbers),
    "it holds a store for each thread": ("PO4", PerThread),
    "it keeps a journal": ("PO5", Journal),
    "it reads a bytearray": ("ST1", ReadsArray),
    "it reads a view": ("ST1", ReadsView),
    "it reads the first frame only": ("ST1", FirstFrame),
    "it reads one buffer only": ("ST1", OneBufferful),
    "it reads 64 KiB at most": ("ST1", AgainstBombs),
    "it caches what it read by key and number": ("ST1", CachesByNumber),
    "it ignores what is no text": ("ST1", IgnoresErrors),
    "it swaps the wrong halves": ("ST1", SwapsHalves),
    "it cuts off the end": ("ST1", DropsTheEnd),
    "it holds the difference from the last": ("ST2", Delta),
    "it encrypts with a pad of its own": ("ST2", SecretPad),
    "it unmasks by the number held last": ("ST2", LastNumber),
    "it caches what it read by key": ("ST2", CachesByKey),
    "it needs the first version to read any": ("ST2", FirstIsDictionary),
    "it reads once": ("ST2", ReadsOnce),
    "it holds versions in a table of its own": ("ST4", Elsewhere),
    "it holds versions in a table for all": ("ST4", ByDigest),
    "it keeps a backup": ("ST4", Backup),
    "it fastens the version to no bytes": ("ST3", InParcel),
    "it holds a bytearray": ("ST3", HoldsArray),
    "it holds a view of one byte": ("ST3", HoldsView),
    "it marks only what is compressed": ("ST1", MarksZipped),
    "it writes the number into two bytes": ("PO1", NumbersInTwoBytes),
}

HANGING: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it reads in pieces of no length": ("PO1", ReadsNothing),
    "it exits where it is to read": ("PO1", Exits),
}

ODD: Final[dict[str, Callable[[], object]]] = {
    "it reverses": Reversed,
    "it puts a header before": Headed,
    "it compresses by length": ZippedByLength,
    "it holds base64": Base64,
    "it masks by name and number": MaskedByName,
    "it counts what it holds": Counts,
    "it is two functions": partial(SimpleNamespace, hold=hold_as_hex, read=read_as_hex),
}
