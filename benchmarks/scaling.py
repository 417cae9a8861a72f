"""Does the cost of an operation grow with the history? Ratios, from one interleaved run.

    python benchmarks/scaling.py

Two histories, 100 and 100,000 commits long, are used in turn, so that a noisy machine is noisy
for both. Printed is the median time of each operation and the ratio of the medians; 1.0 means
that the length does not matter.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter_ns

from backpack import Backpack
from backpack.policies import KeepAll, Oldest

SHORT, LONG = 100, 100_000
ROUNDS, BATCH = 200, 50


def filled(commits: int) -> Backpack:
    """Return a Backpack with so many retained commits of 100-byte values."""
    backpack = Backpack(max_history_size="1 GiB", pruning=KeepAll())
    for number in range(commits):
        backpack.pack("k", f"{number:08}" + "x" * 92)
    return backpack


def pruning(commits: int) -> Backpack:
    """Return a Backpack that holds about so many commits, and prunes as it goes on."""
    backpack = Backpack(max_history_size=235 * commits, pruning=Oldest(fraction=0.2))
    for number in range(commits * 2):
        backpack.pack("k", f"{number:08}" + "x" * 92)
    return backpack


def compare(
    name: str, operation: Callable[[Backpack, int], object], short: Backpack, long: Backpack
) -> None:
    """Print the median time of an operation on both, and their ratio."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for number in range(ROUNDS):
        for which, backpack in enumerate((short, long)):
            start = perf_counter_ns()
            for step in range(BATCH):
                operation(backpack, number * BATCH + step)
            times[which].append((perf_counter_ns() - start) / BATCH / 1000)
    first, second = statistics.median(times[0]), statistics.median(times[1])
    print(f"{name:<44}{first:>10.2f}{second:>12.2f}{second / first:>8.2f}")


def mean_cost(name: str, commits: tuple[int, int]) -> None:
    """Print the mean cost of a pack while pruning, all prunings included, and the ratio."""
    backpacks = [pruning(each) for each in commits]
    retained = [each.memory_usage().commits_retained for each in backpacks]
    totals = [0, 0]
    rounds, batch = 40, max(commits) // 20
    for number in range(rounds):
        for which, backpack in enumerate(backpacks):
            start = perf_counter_ns()
            for step in range(batch):
                backpack.pack("k", f"{number * batch + step:08}" + "y" * 92)
            totals[which] += perf_counter_ns() - start
    first, second = (total / rounds / batch / 1000 for total in totals)
    print(f"{name:<44}{first:>10.2f}{second:>12.2f}{second / first:>8.2f}   retained {retained}")


def main() -> None:
    """Print one line an operation."""
    short, long = filled(SHORT), filled(LONG)
    print(f"{'microseconds, at retained commits:':<44}{SHORT:>10,}{LONG:>12,}{'ratio':>8}")
    # As many commits of each, spread evenly, so that the processor's caches favour neither.
    ids = {
        id(each): [commit.id for commit in each.history()[:: len(each.history()) // SHORT]]
        for each in (short, long)
    }

    def old(backpack: Backpack, number: int) -> str:
        return ids[id(backpack)][number * 7919 % SHORT]

    compare("open a snapshot", lambda bp, n: bp.snapshot(old(bp, n)), short, long)
    compare("open a snapshot, read a key", lambda bp, n: bp.snapshot(old(bp, n))["k"], short, long)
    compare("pack, with room", lambda bp, n: bp.pack("k", f"{n:08}" + "z" * 92), short, long)
    compare("memory_usage()", lambda bp, _: bp.memory_usage(), short, long)
    mean_cost("pack, pruning the oldest fifth (mean)", (1_000, 50_000))


if __name__ == "__main__":
    main()
