"""Measure what CPython allocates for the parts of a history, beside what the account charges.

    python benchmarks/overheads.py

Each case fills a history in a fresh tracemalloc trace and prints real bytes, accounted bytes and
their ratio; law B3 wants at most 1.10.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from backpack import Backpack
from backpack.policies import KeepAll, Stub


def one_key(count: int, size: int) -> Iterator[tuple[str, object]]:
    """Yield packs of one key, every value different."""
    for number in range(count):
        yield "k", f"{number:08}" + "x" * (size - 8)


def many_keys(count: int, size: int, keys: int) -> Iterator[tuple[str, object]]:
    """Yield packs of many keys in turn."""
    for number in range(count):
        yield f"key-{number % keys:06}", f"{number:08}" + "x" * (size - 8)


def growth(program: Callable[[], Iterator[tuple[str, object]]], limit: str) -> tuple[int, int]:
    """Return real and accounted growth of history and state, in bytes."""
    backpack = Backpack(max_history_size="1 GiB", pruning=KeepAll(), reference=Stub(limit))
    backpack.pack("warm", "up")
    gc.collect()
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for key, value in program():
        backpack.pack(key, value, by="worker")
    gc.collect()
    real = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    usage = backpack.memory_usage()
    return real, usage.history_bytes + usage.current_bytes


def main() -> None:
    """Print one line a case."""
    cases: dict[str, tuple[Callable[[], Iterator[tuple[str, object]]], str]] = {
        "100 B, one key": (lambda: one_key(50_000, 100), "100 KiB"),
        "100 B, 1,000 keys": (lambda: many_keys(50_000, 100, 1_000), "100 KiB"),
        "100 B, 20,000 distinct keys": (lambda: many_keys(20_000, 100, 20_000), "100 KiB"),
        "12 KB, one key": (lambda: one_key(5_000, 12_000), "100 KiB"),
        "50 KB, one key": (lambda: one_key(2_000, 50_000), "100 KiB"),
        "100 B, left out (references)": (lambda: one_key(20_000, 100), "10 B"),
    }
    print(f"{'case':<32}{'real':>14}{'accounted':>14}{'ratio':>8}")
    for name, (program, limit) in cases.items():
        real, accounted = growth(program, limit)
        print(f"{name:<32}{real:>14,}{accounted:>14,}{real / accounted:>8.3f}")


if __name__ == "__main__":
    main()
