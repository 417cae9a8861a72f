"""Measure a checkpoint: its size, how long it takes to write and read, and how much memory.

    python benchmarks/checkpoints.py [MIB ...]

For each size (10 and 100 MiB) a Backpack is filled with values of 100 KB that have nothing in
common, so that they do not compress: 5 MB of them are current, the rest is history. Each operation
runs in a fresh process. Memory is the most that process took, as Linux tells it, less what it took
before and what is held afterwards.
"""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypedDict

from backpack import Backpack, Usage
from backpack.archive import SqlArchive, checkpoint
from backpack.policies import KeepAll

#: Bytes of a value, and how many are current.
VALUE, KEYS = 100_000, 50

#: ``{operation: what a user calls it}``.
OPERATIONS = {
    "save": "bp.save(file)",
    "restore": "Backpack.restore(file)",
    "unpack": "backpack restore FILE ARCHIVE",
    "verify": "backpack verify FILE",
}


class Measured(TypedDict):
    """What an operation took: what is held, in bytes; the most beyond that; how long."""

    held: int
    beyond: int
    seconds: float


def filled(mebibytes: int) -> Backpack:
    """Return a Backpack that holds so much."""
    chance = random.Random(mebibytes)
    backpack = Backpack(max_history_size="1 GiB", pruning=KeepAll())
    for number in range(mebibytes * 2**20 // VALUE):
        backpack.pack(f"key {number % KEYS}", chance.randbytes(VALUE))
    return backpack


def measured(what: str, file: Path, mebibytes: int = 0) -> Measured:
    """Return what an operation took in a process of its own.

    Args:
        what: One of :data:`OPERATIONS`.
        file: The checkpoint.
        mebibytes: How large a Backpack is saved to it.
    """
    command = [sys.executable, __file__, what, str(file), str(mebibytes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen: Measured = json.loads(done.stdout)
    return seen


def operate(what: str, file: Path, backpack: Backpack) -> int:
    """Do it; return how many bytes are held afterwards that were not before."""
    match what:
        case "save":
            backpack.save(file)
        case "restore":
            return _held(Backpack.restore(file).memory_usage())
        case "unpack":
            archive = file.with_suffix(".unpacked")
            checkpoint.unpack(file, SqlArchive(f"sqlite:///{archive}"))
            archive.unlink()
        case "verify":
            checkpoint.verify(file)
    return 0


def measure(what: str, file: Path, mebibytes: int) -> Measured:
    """Do it with next to nothing, so that all is imported; then again, and measure that."""
    small = file.with_suffix(".small")
    filled(1).save(small)
    operate(what, small, filled(1))
    backpack = filled(mebibytes)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # The most is that of now.
    before, start = _memory("VmRSS"), perf_counter()
    more = operate(what, file, backpack)
    seconds = perf_counter() - start
    held = _held(backpack.memory_usage()) if what == "save" else more
    return Measured(held=held, beyond=_memory("VmHWM") - before - more, seconds=seconds)


def _held(usage: Usage) -> int:
    return usage.current_bytes + usage.history_bytes


def _memory(name: str) -> int:
    """Return a number of bytes that Linux tells of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    line = next(each for each in lines if each.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def main(*arguments: str) -> None:
    """Print a line an operation; or do one, and print what it took as JSON."""
    if arguments and arguments[0] in OPERATIONS:
        what, file, size = arguments
        print(json.dumps(measure(what, Path(file), int(size))))
        return
    print(f"{'':<34}{'seconds':>9}{'held, bytes':>15}{'beyond, bytes':>15}")
    for mebibytes in map(int, arguments or ("10", "100")):
        with TemporaryDirectory() as folder:
            place = Path(folder) / "file"
            for what, called in OPERATIONS.items():
                seen = measured(what, place, mebibytes if what == "save" else 0)
                if what == "save":
                    print(f"{mebibytes} MiB of values, a file of {place.stat().st_size:,} bytes")
                print(
                    f"  {called:<32}{seen['seconds']:>9.2f}{seen['held']:>15,}{seen['beyond']:>15,}"
                )


if __name__ == "__main__":
    main(*sys.argv[1:])
