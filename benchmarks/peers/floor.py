"""What a value costs without a history: encoding it, and one pass of zstd.

What a contender takes beyond that is its own.
"""

from __future__ import annotations

import statistics
import sys
from array import array
from collections.abc import Callable, Iterator
from itertools import pairwise
from time import perf_counter_ns
from typing import Any

from backpack import Backpack
from backpack.codec import MsgpackCodec
from backpack.policies import Compressed, Full
from peers.records import Floor, Twelve
from peers.workloads import Step, Text

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["measure_floor", "measure_twelve"]

_MEASURED = 2_000


def measure_floor(steps: Iterator[Step], count: int) -> Floor:
    """Encode and compress up to 2,000 values of a workload, evenly spread over its steps."""
    encode = MsgpackCodec().encode
    compressors = _compressors()
    sizes, encodings = array("Q"), array("Q")
    passes = {level: array("Q") for level in compressors}
    every = max(1, count // _MEASURED)
    for number, (_, value) in enumerate(steps):
        if number % every:
            continue
        took, encoded = _timed(encode, value)
        sizes.append(len(encoded))
        encodings.append(took)
        for level, compress in compressors.items():
            passes[level].append(_timed(compress, encoded)[0])
    alone = statistics.fmean(encodings) / 1000
    return Floor(
        size=statistics.fmean(sizes),
        encode=alone,
        level_2=alone + statistics.fmean(passes[2]) / 1000,
        level_3=alone + statistics.fmean(passes[3]) / 1000,
    )


def measure_twelve(count: int) -> Twelve:
    """Pack so many 12 KB windows of messages, each beside its floor, in turn."""
    encode = MsgpackCodec().encode
    compressors = _compressors()
    backpacks = {
        "default": Backpack.from_preset("default"),
        "storage full": Backpack(storage=Full()),
        "storage compressed, level 2": Backpack(storage=Compressed(2)),
        "storage compressed, level 3": Backpack(storage=Compressed(3)),
    }
    packs = {name: array("Q") for name in backpacks}
    encodings = array("Q")
    passes = {level: array("Q") for level in compressors}
    size = 0
    text = Text(seed=8)
    messages = [text.message(number, 950) for number in range(12 + count)]
    windows = (messages[start : start + 12] for start in range(count + 1))
    for before, value in pairwise(windows):
        superseded = encode(before)
        took, encoded = _timed(encode, value)
        size = len(encoded)
        encodings.append(took)
        for level, compress in compressors.items():
            passes[level].append(_timed(compress, superseded)[0])
        for name, backpack in backpacks.items():
            start = perf_counter_ns()
            backpack.pack("messages", value)
            packs[name].append(perf_counter_ns() - start)
    alone = statistics.median(encodings) / 1000
    return Twelve(
        size=size,
        encode=alone,
        level_2=alone + statistics.median(passes[2]) / 1000,
        level_3=alone + statistics.median(passes[3]) / 1000,
        packs={name: statistics.median(times) / 1000 for name, times in packs.items()},
    )


def _compressors() -> dict[int, Callable[[bytes], bytes]]:
    """Return a compressor of each level, made once and used again, as a store would."""

    def of(level: int) -> Callable[[bytes], bytes]:
        compressor = zstd.ZstdCompressor(level)
        return lambda data: compressor.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)

    return {level: of(level) for level in (2, 3)}


def _timed(run: Callable[[Any], bytes], value: object) -> tuple[int, bytes]:
    start = perf_counter_ns()
    result = run(value)
    return perf_counter_ns() - start, result
