"""What recording costs whoever packs: run this file, and compare the lines.

For each workload: until pack returns (the median), and the processor time of all threads for each
pack, which counts the thread that writes as well. Best of three.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from backpack import Backpack

RANDOM = Random(3)
WORDS = [f"word{RANDOM.randrange(10**6)}" for _ in range(2_000)]
REPEATS = 3

#: ``{name of the recording: (name of the file, whether values are written)}``
RECORDINGS: dict[str, tuple[str, bool] | None] = {
    "none": None,
    "plain": ("run.jsonl", True),
    "gzip": ("run.jsonl.gz", True),
    "sizes only": ("run.jsonl", False),
}


def text(words: int) -> str:
    """Return text of so many words."""
    return " ".join(RANDOM.choices(WORDS, k=words))


def small_values() -> Iterator[object]:
    """Yield 5,000 values of a few bytes."""
    for number in range(5_000):
        yield {"step": number}


def large_values() -> Iterator[object]:
    """Yield 500 documents of 50 KB that are edited in one place."""
    document = text(4_500)
    for number in range(500):
        at = number * 90
        document = f"{document[:at]}{text(3)}{document[at + 30 :]}"
        yield document


def a_growing_list() -> Iterator[object]:
    """Yield a list of messages that grows to 300 KB in 1,000 steps."""
    messages: list[object] = []
    for _ in range(1_000):
        messages.append({"role": "user", "content": text(30)})
        yield messages


def run(
    workload: Callable[[], Iterator[object]], recording: tuple[str, bool] | None, folder: Path
) -> tuple[float, float]:
    """Return the median microseconds until a pack returns, and the mean processor time of one."""
    backpack = Backpack()
    returned: list[int] = []
    busy = 0.0
    recorder = None
    if recording is not None:
        name, values = recording
        recorder = backpack.record(folder / name, values=values, replace=True)
    for value in workload():
        processor, start = time.process_time(), time.perf_counter_ns()
        backpack.pack("key", value)
        returned.append(time.perf_counter_ns() - start)
        busy += time.process_time() - processor
    processor = time.process_time()
    if recorder is not None:
        recorder.close()
        if recorder.error is not None:
            raise recorder.error
    busy += time.process_time() - processor
    return statistics.median(returned) / 1e3, busy / len(returned) * 1e6


def main() -> None:
    """Print a line for each workload and recording."""
    with tempfile.TemporaryDirectory() as folder:
        for workload in (small_values, large_values, a_growing_list):
            for name, recording in RECORDINGS.items():
                results = [run(workload, recording, Path(folder)) for _ in range(REPEATS)]
                until, busy = (min(each) for each in zip(*results, strict=True))
                sys.stdout.write(
                    f"{workload.__name__:16}{name:12}{until:10,.1f} us until it returns"
                    f"{busy:10,.1f} us of processor time\n"
                )


if __name__ == "__main__":
    main()
