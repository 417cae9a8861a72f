"""The storage policy that holds differences."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from backpack.errors import ConfigError, CorruptError
from backpack.policies.arguments import is_whole, to_least
from backpack.policies.frames import (
    FRAME,
    RAW,
    compress,
    decompress,
    to_level,
    what_is_held,
)
from backpack.policies.patches import LONGEST, PATCH, apply, make_patch, stretches

if TYPE_CHECKING:
    from backpack.records import HeldVersion, SupersededVersion

__all__ = ["Delta"]

#: What is behind it is a frame of a patch.
_PATCH_FRAME: Final = b"\x03"

#: What is behind it is a frame that needs no prefix, though there was one to lean on.
_LONE_FRAME: Final = b"\x04"

#: Up to so many bytes it is seen whether a prefix saves enough.
_SMALL: Final = 4096

#: A patch inserts at most one in so many bytes; what has less in common is a matter for Zstandard.
_MOST_INSERTED: Final = 4

#: What a patch inserts is compressed from so many bytes on: below, looking back would be slower by
#: more than is saved.
_WORTH_A_FRAME: Final = 4096

#: What has one of these needs nothing that is newer.
_STANDING: Final = (RAW, _LONE_FRAME)

#: With more, looking back takes longer than anybody would wait for.
_LONGEST_SPAN: Final = 1024


def _to_span(value: int) -> int:
    """Check over how many versions one is read back; an attrs converter."""
    if not is_whole(value) or not 1 <= value <= _LONGEST_SPAN:
        raise ConfigError(
            f"{reprlib.repr(value)} versions cannot lean on one; write a whole number from 1 "
            f"(quick to look back) to {_LONGEST_SPAN} (small)",
            field="span",
        )
    return value


def _to_saving(value: float) -> float:
    """Check how much leaning must save; an attrs converter."""
    if type(value) not in (int, float) or not 0 <= value < 1:
        raise ConfigError(
            f"{reprlib.repr(value)} of a version cannot be saved; write a number from 0 (all lean "
            "that can) to less than 1, like 0.25",
            field="saving",
        )
    return value


@frozen
class Delta:
    """Hold superseded versions as differences from newer ones of the same key.

    An agent's next value is mostly its last one with something added: what is held of a version
    is what the next newer one lacks. Where the two have stretches in common that is a patch; where
    they are alike in another way, a Zstandard frame whose prefix is the newer one. Versions that
    are equal are held once, whatever their keys.

    When to use: nearly always. Histories of message lists, plans and documents take a tenth to a
    hundredth of their encoded size.

    Cost: the last 16 to 24 versions of a key are held as they are; then eight at once are made
    deltas, at about 0.5 µs a kilobyte for patches and 1 to 3 µs for frames. Looking back costs
    about a microsecond for each version between, and copying the value once; a frame on the way
    costs 15 µs and 0.3 µs a kilobyte.

    Source: reverse deltas are those of RCS (Tichy, "RCS: a system for version control", Software:
    Practice and Experience 15(7), 1985), patches those of git's packs and VCDIFF (RFC 3284);
    Zstandard is RFC 8878, its use with a prefix ``zstd --patch-from``.

    Args:
        level: From 1 (fast) to 22 (small), for what is compressed.
        span: Over how many versions at most one is read back.
        least: From how many encoded bytes on a version is made a delta, in bytes or as text
            (``"1 KiB"``); what is held of one takes some 300 bytes beside what it lacks.

        saving: How much leaning on another one must save of a small version that is no patch, of
            what it takes alone: 0.25 is a quarter. Those that save less stand alone, so that
            looking back is quicker; with 0 all lean that can.

    >>> from backpack.records import HeldVersion, SupersededVersion
    >>> old, new = b"the quick brown fox " * 100, b"the quick brown fox " * 101
    >>> delta = Delta()
    >>> held = delta.hold(SupersededVersion(key="plan", seq=1, encoded=old, base=new))
    >>> len(old), len(held) < 30
    (2000, True)
    >>> delta.read(HeldVersion(key="plan", seq=1, data=held, base=new)) == old
    True
    """

    level: int = field(default=2, converter=to_level)
    span: int = field(default=96, converter=_to_span)
    least: int = field(default=512, converter=to_least)
    saving: float = field(default=0, converter=_to_saving)

    def hold(self, version: SupersededVersion, /) -> bytes:
        """Return a patch, or a marker byte and a frame, or the encoded bytes if they are fewer."""
        encoded, base = version.encoded, version.base
        if base is not None and max(len(encoded), len(base)) <= LONGEST:
            common = stretches(encoded, base)
            inserted = len(encoded) - sum(length for _, _, length in common)
            if inserted * _MOST_INSERTED <= len(encoded):
                patch = make_patch(encoded, common)
                if inserted < _WORTH_A_FRAME:
                    return patch
                return min(_PATCH_FRAME + compress(patch, self.level), patch, key=len)
        frame, marker = compress(encoded, self.level, base), FRAME
        if self.saving and base is not None and len(encoded) <= _SMALL:
            lone = compress(encoded, self.level)
            if len(frame) > (1 - self.saving) * len(lone):
                frame, marker = lone, _LONE_FRAME
        if len(frame) <= len(encoded):
            return marker + frame
        del frame  # It may be large.
        return RAW + encoded

    def read(self, version: HeldVersion, /) -> bytes:
        """Return the encoded bytes.

        Raises:
            CorruptError: The data is not what ``hold`` returned.
        """
        what = what_is_held(version)
        text = version.base
        patches: list[bytes] = []
        way = [version.data]
        for data in version.between:
            if way[-1][:1] in _STANDING:
                break
            way.append(data)
        try:
            for data in reversed(way):
                if data.startswith(PATCH):
                    patches.append(data)
                elif data.startswith(_PATCH_FRAME):
                    patches.append(decompress(FRAME + data[1:], what))
                elif data.startswith(_LONE_FRAME):
                    text, patches = decompress(FRAME + data[1:], what), []
                else:
                    base = None if text is None else apply(patches[::-1], text)
                    text, patches = decompress(data, what, base), []
            if text is None:
                raise ValueError("a patch needs a base")
            return apply(patches[::-1], text)
        except ValueError as error:
            raise CorruptError(f"{what} is no patch of its base: {error}") from error
