"""Zstandard frames, behind a marker that tells whether there is one."""

from __future__ import annotations

import reprlib
import sys
from typing import TYPE_CHECKING, Final

from backpack.errors import ConfigError, CorruptError
from backpack.policies.arguments import is_whole

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from backpack.records import HeldVersion

__all__ = [
    "FRAME",
    "RAW",
    "compress",
    "decompress",
    "to_level",
    "what_is_held",
    "zstd",
]

#: What is behind it is the bytes themselves.
RAW: Final = b"\x00"
#: What is behind it is a frame.
FRAME: Final = b"\x01"

_HIGHEST_LEVEL: Final = zstd.CompressionParameter.compression_level.bounds()[1]

# Zstandard takes no shorter ones.
_LEAST_PREFIX: Final = 8

_LEAST_WINDOW: Final = 10
_LARGEST_WINDOW: Final = zstd.DecompressionParameter.window_log_max.bounds()[1]
_ANY_WINDOW: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW}


def to_level(value: int) -> int:
    """Check a level of compression; an attrs converter.

    Raises:
        ConfigError: There is no such level.
    """
    if not is_whole(value) or not 1 <= value <= _HIGHEST_LEVEL:
        raise ConfigError(
            f"{reprlib.repr(value)} is not a compression level; write a whole number from 1 (fast) "
            f"to {_HIGHEST_LEVEL} (small)",
            field="level",
        )
    return value


def what_is_held(version: HeldVersion) -> str:
    """Return what the data of a version is, for errors."""
    return f"{version.key}: what is held of commit {version.seq}'s value"


def compress(text: bytes, level: int, prefix: bytes | None = None) -> bytes:
    """Return a text as a frame; with a prefix, what the two share is only pointed at."""
    if prefix is None or len(prefix) < _LEAST_PREFIX:
        return zstd.compress(text, level)
    # The window must reach over both, or what they share is out of sight.
    window = max((len(text) + len(prefix)).bit_length(), _LEAST_WINDOW)
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.window_log: min(window, _LARGEST_WINDOW),
    }
    return zstd.compress(text, None, options, _as_prefix(prefix))


def decompress(data: bytes, what: str, prefix: bytes | None = None) -> bytes:
    """Return the text from behind a marker.

    Args:
        data: The marker, and the text or a frame of it.
        what: What it is, for errors.
        prefix: The prefix with which it was compressed.

    Raises:
        CorruptError: There is no marker, or what is behind it is no such frame.
    """
    marker = data[:1]
    if marker == RAW:
        return data[1:]
    if marker != FRAME:
        raise CorruptError(f"{what} starts with {marker!r}, not with {RAW!r} or {FRAME!r}")
    frame = memoryview(data)[1:]
    try:
        if prefix is None or len(prefix) < _LEAST_PREFIX:
            return zstd.decompress(frame)
        return zstd.decompress(frame, _as_prefix(prefix), _ANY_WINDOW)
    except zstd.ZstdError as error:
        raise CorruptError(f"{what} does not decompress: {error}") from error


def _as_prefix(text: bytes) -> tuple[zstd.ZstdDict, int]:
    return zstd.ZstdDict(text, is_raw=True).as_prefix
