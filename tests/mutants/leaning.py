"""Storage policies that lean versions on others, with one bug each, and odd ones without."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from attrs import frozen

from backpack.policies import Delta
from backpack.records import HeldVersion, SupersededVersion

__all__ = ["BROKEN", "HANGING", "ODD"]

_SIZES: Final = struct.Struct("<II")


def _alike(one: bytes, other: bytes) -> int:
    """Return how many bytes two texts start alike with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


class _Leans:
    """Hold what a version and its base do not start and end with alike; the broken ones start here.

    A version alone has a 0 before it; one that leans has a 1, two lengths, and what is between.
    """

    span = 8

    def hold(self, version: SupersededVersion, /) -> bytes:
        if version.base is None:
            return b"\0" + version.encoded
        return b"\1" + self.patch(version.encoded, version.base)

    def read(self, version: HeldVersion, /) -> bytes:
        if version.base is None:
            return version.data[1:]
        text = version.base
        for data in (*reversed(version.between), version.data):
            text = self.apply(data[1:], text)
        return text

    def patch(self, text: bytes, base: bytes) -> bytes:
        ahead = _alike(text, base)
        behind = _alike(text[ahead:][::-1], base[ahead:][::-1])
        return _SIZES.pack(ahead, behind) + text[ahead : len(text) - behind]

    def apply(self, patch: bytes, base: bytes) -> bytes:
        ahead, behind = _SIZES.unpack_from(patch)
        return base[:ahead] + patch[_SIZES.size :] + base[len(base) - behind :]


# --- PO1: it raises ----------------------------------------------------------------------------


class NeedsAnAnchor(_Leans):
    """Look at the first eight bytes of the base, which some do not have."""

    def patch(self, text: bytes, base: bytes) -> bytes:
        struct.unpack_from("<Q", base)
        return super().patch(text, base)


class NeedsAStretch(_Leans):
    """Take it that a version has something in common with its base."""

    def patch(self, text: bytes, base: bytes) -> bytes:
        patch = super().patch(text, base)
        ratio = len(text) / sum(_SIZES.unpack_from(patch))
        return patch if ratio else patch[:-1]


# --- PO2, PO4, PO5: the others that bind every policy ------------------------------------------


class DropsTheBase(_Leans):
    """Take the base out of the record, to save memory."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        held = super().hold(version)
        object.__setattr__(version, "base", None)
        return held


class KeepsBases(_Leans):
    """Number the bases, and hold the number."""

    def __init__(self) -> None:
        self._bases: list[bytes] = []

    def hold(self, version: SupersededVersion, /) -> bytes:
        if version.base is not None:
            self._bases.append(version.base[::-1])
        return super().hold(version)


# --- ST1: what it reads is not what it held ----------------------------------------------------


class EmptyForEqual(_Leans):
    """Hold nothing of a version that is equal to its base; and nothing of an empty one."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        if version.encoded in (b"", version.base):
            return b""
        return super().hold(version)

    def read(self, version: HeldVersion, /) -> bytes:
        if version.data:
            return super().read(version)
        return version.base or b""


class NotLonger(_Leans):
    """Cut a version to the length of its base."""

    def apply(self, patch: bytes, base: bytes) -> bytes:
        return super().apply(patch, base)[: len(base) or None]


class EndsOverlap(_Leans):
    """Let the common end of two texts begin within their common start."""

    def patch(self, text: bytes, base: bytes) -> bytes:
        ahead = _alike(text, base)
        behind = _alike(text[::-1], base[::-1])
        return _SIZES.pack(ahead, behind) + text[ahead : len(text) - behind]


class TakesItForOne(_Leans):
    """Tell a version that stands alone by its first byte, and put no mark before it."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        held = super().hold(version)
        return held[1:] if version.base is None else held

    def read(self, version: HeldVersion, /) -> bytes:
        leans = version.data[:1] == b"\1"
        return super().read(version) if leans else version.data


# --- ST2: it does not find its way over others -------------------------------------------------


class SkipsBetween(_Leans):
    """Read beside the base it is given, whatever is between."""

    def read(self, version: HeldVersion, /) -> bytes:
        return super().read(HeldVersion(version.key, version.seq, version.data, version.base))


class WrongWayRound(_Leans):
    """Go through what is between from the wrong end."""

    def read(self, version: HeldVersion, /) -> bytes:
        between = version.between[::-1]
        return super().read(
            HeldVersion(version.key, version.seq, version.data, version.base, between)
        )


class BesideTheNeighbour(_Leans):
    """Leave out the first of those between, and so read beside the neighbour of its base."""

    def read(self, version: HeldVersion, /) -> bytes:
        between = version.between[1:]
        return super().read(
            HeldVersion(version.key, version.seq, version.data, version.base, between)
        )


class ShortOfBreath(_Leans):
    """Say that it reads over many, and stop after six."""

    span = 64

    def read(self, version: HeldVersion, /) -> bytes:
        between = version.between[-6:]
        return super().read(
            HeldVersion(version.key, version.seq, version.data, version.base, between)
        )


class CachesBases(_Leans):
    """Remember the base that was given last for a key, and read beside that."""

    def __init__(self) -> None:
        self._base: tuple[str, bytes | None] = "", None

    def read(self, version: HeldVersion, /) -> bytes:
        if version.base is None:
            return super().read(version)
        if self._base[0] != version.key:
            self._base = version.key, version.base
        base = self._base[1]
        return super().read(
            HeldVersion(version.key, version.seq, version.data, base, version.between)
        )


class RemembersTheBase(_Leans):
    """Read beside the base that it held something beside last."""

    def __init__(self) -> None:
        self._base = b""

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._base = version.base or self._base
        return super().hold(version)

    def read(self, version: HeldVersion, /) -> bytes:
        if version.base is None:
            return super().read(version)
        return super().read(
            HeldVersion(version.key, version.seq, version.data, self._base, version.between)
        )


class DropsEqual(_Leans):
    """Pass by what is equal to its base, together with all that is behind it."""

    def read(self, version: HeldVersion, /) -> bytes:
        if any(len(data) == 1 + _SIZES.size for data in version.between):
            return version.base or b""
        return super().read(version)


# --- ST3, ST4: it holds more than it says ------------------------------------------------------


class HoldsArray(_Leans):
    """Hold a bytearray where a version leans on another."""

    def hold(self, version: SupersededVersion, /) -> bytes:
        held = super().hold(version)
        return held if version.base is None else bytearray(held)  # type: ignore[return-value]


class KeepsABackup(_Leans):
    """Keep of each version that leans on another a copy in a table of its own."""

    def __init__(self) -> None:
        self._backup: list[bytes] = []

    def hold(self, version: SupersededVersion, /) -> bytes:
        if version.base is not None:
            self._backup.append(b"backup " + version.encoded)
        return super().hold(version)


# --- ST5: it depends on more than the bytes ----------------------------------------------------


class WritesTheNumber(_Leans):
    """Write the number of the commit behind a patch, where nobody reads it."""

    def apply(self, patch: bytes, base: bytes) -> bytes:
        return super().apply(patch[:-8], base)

    def hold(self, version: SupersededVersion, /) -> bytes:
        held = super().hold(version)
        return held if version.base is None else held + struct.pack("<Q", version.seq)


class WritesTheKey(_Leans):
    """Write the key behind a patch, where nobody reads it."""

    def apply(self, patch: bytes, base: bytes) -> bytes:
        return super().apply(patch[: -1 - patch[-1]], base)

    def hold(self, version: SupersededVersion, /) -> bytes:
        held = super().hold(version)
        key = version.key.encode()[:200]
        return held if version.base is None else held + key + bytes([len(key)])


class Counts(_Leans):
    """Count what it holds, and write the count behind each patch."""

    def __init__(self) -> None:
        self._count = 0

    def apply(self, patch: bytes, base: bytes) -> bytes:
        return super().apply(patch[:-8], base)

    def hold(self, version: SupersededVersion, /) -> bytes:
        self._count += 1
        held = super().hold(version)
        return held if version.base is None else held + struct.pack("<Q", self._count)


# --- odd, but lawful ---------------------------------------------------------------------------


class Leans(_Leans):
    """Hold what differs in the middle."""


class LeansOnOne(_Leans):
    """Lean on one that stands alone, and on no other."""

    span = 1


class NeverLeans(_Leans):
    """Be given a base, and not use it."""

    span = 5

    def hold(self, version: SupersededVersion, /) -> bytes:
        return version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        return version.data


class Xor(_Leans):
    """Hold the bits in which a version differs from its base, over the length of the longer."""

    span = 3

    def patch(self, text: bytes, base: bytes) -> bytes:
        length = max(len(text), len(base))
        mixed = int.from_bytes(text, "little") ^ int.from_bytes(base, "little")
        return _SIZES.pack(len(text), 0) + mixed.to_bytes(length, "little")

    def apply(self, patch: bytes, base: bytes) -> bytes:
        mixed, length = patch[_SIZES.size :], _SIZES.unpack_from(patch)[0]
        text = int.from_bytes(mixed, "little") ^ int.from_bytes(base, "little")
        return text.to_bytes(max(len(mixed), len(base)), "little")[:length]


@frozen
class LongOnly(_Leans):
    """Be asked about long versions alone, and rely on it."""

    span: int = 3
    least: int = 64

    def hold(self, version: SupersededVersion, /) -> bytes:
        struct.unpack_from("<8Q", version.encoded)
        if version.base is not None:
            struct.unpack_from("<8Q", version.base)
        return super().hold(version)


BROKEN: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    "it looks for the first bytes of a base that has none": ("PO1", NeedsAnAnchor),
    "it takes it that a base has something in common": ("PO1", NeedsAStretch),
    "it takes the base out of the record": ("PO2", DropsTheBase),
    "it keeps the bases": ("PO5", KeepsBases),
    "it holds nothing of what is equal or empty": ("ST1", EmptyForEqual),
    "it cuts a version to the length of its base": ("ST1", NotLonger),
    "it counts what two texts have in common twice": ("ST1", EndsOverlap),
    "it takes what stands alone for what leans": ("ST1", TakesItForOne),
    "it reads beside the base, whatever is between": ("ST2", SkipsBetween),
    "it reads what is between from the wrong end": ("ST2", WrongWayRound),
    "it reads beside the neighbour of its base": ("ST2", BesideTheNeighbour),
    "it reads over six others at most": ("ST2", ShortOfBreath),
    "it caches bases by key": ("ST2", CachesBases),
    "it remembers the base it met last": ("ST2", RemembersTheBase),
    "it stops at what is equal to its base": ("ST2", DropsEqual),
    "it holds a bytearray beside a base": ("ST3", HoldsArray),
    "it keeps a backup of what leans": ("ST4", KeepsABackup),
    "it writes the number of the commit into a patch": ("ST5", WritesTheNumber),
    "it writes the key into a patch": ("ST5", WritesTheKey),
    "it writes a count into a patch": ("ST5", Counts),
}

ODD: Final[dict[str, Callable[[], object]]] = {
    "it holds what differs in the middle": Leans,
    "it leans on one at most": LeansOnOne,
    "it never uses its base": NeverLeans,
    "it holds the bits that differ": Xor,
    "it is asked about long versions alone": LongOnly,
    "it holds deltas": lambda: Delta(span=5, least=1),
}

#: None that never comes back.
HANGING: Final[dict[str, tuple[str, Callable[[], object]]]] = {}
