"""Storage policies: how superseded versions are held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from backpack.policies.frames import FRAME, RAW, decompress, to_level, what_is_held, zstd

if TYPE_CHECKING:
    from backpack.records import HeldVersion, SupersededVersion

__all__ = ["Compressed", "Full"]

# Below this no frame comes out smaller than what went in.
_WORTH_TRYING = 32

# A compressor keeps its working memory, which grows with the largest input it met; above this
# size making a new one is lost in the time that compressing takes.
_REUSE_UP_TO = 1024 * 1024


@frozen
class Full:
    """Hold every superseded version as it was encoded.

    When to use: values are small, or the budget is ample, or looking back must be quick.

    Cost: nothing; the very bytes the version had while it was current are kept, uncopied.

    Source: ours.

    >>> from backpack.records import HeldVersion, SupersededVersion
    >>> held = Full().hold(SupersededVersion(key="plan", seq=1, encoded=b"..."))
    >>> Full().read(HeldVersion(key="plan", seq=1, data=held))
    b'...'
    """

    def hold(self, version: SupersededVersion, /) -> bytes:
        """Return the encoded bytes."""
        return version.encoded

    def read(self, version: HeldVersion, /) -> bytes:
        """Return the encoded bytes."""
        return version.data


@frozen
class Compressed:
    """Hold every superseded version compressed on its own, with Zstandard.

    When to use: values are text of some kilobytes or more (messages, documents, tool results);
    history then reaches two to four times as far back. What doesn't compress is held as it is,
    at the price of one byte.

    Cost: at level 3 about 4 µs per kilobyte to hold, and 15 µs and 1 µs per kilobyte to read. Each
    version is on its own, so any may go without touching another.

    Source: Zstandard, RFC 8878 (Collet and Kucherawy, 2021).

    Args:
        level: From 1 (fast) to 22 (small).

    >>> from backpack.records import HeldVersion, SupersededVersion
    >>> encoded = b"the quick brown fox " * 100
    >>> held = Compressed().hold(SupersededVersion(key="plan", seq=1, encoded=encoded))
    >>> len(encoded), len(held) < 60
    (2000, True)
    >>> Compressed().read(HeldVersion(key="plan", seq=1, data=held)) == encoded
    True
    """

    level: int = field(default=3, converter=to_level)
    _compressor: zstd.ZstdCompressor = field(init=False, eq=False, repr=False)

    @_compressor.default
    def _make_compressor(self) -> zstd.ZstdCompressor:
        return zstd.ZstdCompressor(self.level)

    def hold(self, version: SupersededVersion, /) -> bytes:
        """Return a marker byte and the compressed bytes, or the encoded ones if they are fewer."""
        encoded = version.encoded
        if len(encoded) >= _WORTH_TRYING:
            reuse = len(encoded) <= _REUSE_UP_TO
            compressor = self._compressor if reuse else zstd.ZstdCompressor(self.level)
            # A whole frame in one call, under the compressor's own lock: safe from many threads.
            frame = compressor.compress(encoded, zstd.ZstdCompressor.FLUSH_FRAME)
            if len(frame) < len(encoded):
                return FRAME + frame
        return RAW + encoded

    def read(self, version: HeldVersion, /) -> bytes:
        """Return the encoded bytes.

        Raises:
            CorruptError: The data is not what ``hold`` returned.
        """
        return decompress(version.data, what_is_held(version))

    # The compressor is no part of the value, and cannot be pickled.
    def __reduce__(self) -> tuple[type[Compressed], tuple[int]]:
        return type(self), (self.level,)
