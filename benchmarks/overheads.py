"""Measure what CPython allocates for the parts of a history, beside what the account charges.

    python benchmarks/overheads.py

Each case fills a history in a fresh tracemalloc trace and prints real bytes, accounted bytes and
their ratio; law B3 wants at most 1.10. The last column is real bytes a commit, the superseded
value included. The current state is no part of the history, nor of the figures.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

from backpack import Backpack
from backpack.policies import Full, KeepAll, Stub


def one_key(count: int, size: int) -> Iterator[tuple[str, object]]:
    """Yield packs of one key, every value different."""
    for number in range(count):
        yield "k", f"{number:08}" + "x" * (size - 8)


def many_keys(count: int, size: int, keys: int) -> Iterator[tuple[str, object]]:
    """Yield packs of many keys in turn."""
    for number in range(count):
        yield f"key-{number % keys:06}", f"{number:08}" + "x" * (size - 8)


def growth(program: Callable[[], Iterator[tuple[str, object]]], limit: str) -> tuple[int, int, int]:
    """Return real and accounted growth of a history, in bytes, and its number of commits."""
    backpack = Backpack(
        max_history_size="1 GiB", storage=Full(), pruning=KeepAll(), reference=Stub(limit)
    )
    backpack.pack("warm", "up")
    before = backpack.memory_usage()
    gc.collect()
    tracemalloc.start()
    start = tracemalloc.get_traced_memory()[0]
    for key, value in program():
        backpack.pack(key, value, by="worker")
    backpack._engine.history.current = {}
    gc.collect()
    real = tracemalloc.get_traced_memory()[0] - start
    tracemalloc.stop()
    after = backpack.memory_usage()
    commits = after.commits_made - before.commits_made
    return real, after.history_bytes - before.history_bytes, commits


def main() -> None:
    """Print one line a case."""
    cases: dict[str, tuple[Callable[[], Iterator[tuple[str, object]]], str]] = {
        "100 B, one key": (lambda: one_key(50_000, 100), "100 KiB"),
        "100 B, 1,000 keys": (lambda: many_keys(50_000, 100, 1_000), "100 KiB"),
        "100 B, 1,000 keys, 1,000,000 commits": (
            lambda: many_keys(1_000_000, 100, 1_000),
            "100 KiB",
        ),
        "100 B, 20,000 distinct keys": (lambda: many_keys(20_000, 100, 20_000), "100 KiB"),
        "12 KB, one key": (lambda: one_key(5_000, 12_000), "100 KiB"),
        "50 KB, one key": (lambda: one_key(2_000, 50_000), "100 KiB"),
        "100 B, left out (references)": (lambda: one_key(20_000, 100), "10 B"),
    }
    print(f"{'case':<38}{'real':>14}{'accounted':>14}{'ratio':>8}{'a commit':>10}")
    for name, (program, limit) in cases.items():
        real, accounted, commits = growth(program, limit)
        ratio, each = real / accounted, real / commits
        print(f"{name:<38}{real:>14,}{accounted:>14,}{ratio:>8.3f}{each:>10,.0f}")


if __name__ == "__main__":
    main()
