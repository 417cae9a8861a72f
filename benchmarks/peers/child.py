"""A process that does one task: it announces the points at which it may be looked at.

It reads its task as a line of JSON and writes lines of JSON: ``{"at": point}``, after which it
waits for a line to go on, and at the end one of ``{"done": result}``, ``{"skip": reason}`` and
``{"wrong": answer}``.
"""

from __future__ import annotations

import gc
import json
import math
import os
import random
import statistics
import sys
from array import array
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import attrs

from backpack import ConfigError
from peers.contenders import Store, opened
from peers.floor import measure_floor, measure_twelve
from peers.ledger import Ledger, WrongAnswer, timed_reads, verify
from peers.records import Figures, Task
from peers.workloads import steps_of

__all__ = ["main", "measure"]

_RECENT = 20


def main() -> None:
    """Do the task that stands in the first line."""
    task = Task(**json.loads(sys.stdin.readline()))
    # What a peer prints must not get between the lines.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    def announce(point: str) -> None:
        say({"at": point})
        sys.stdin.readline()

    try:
        say({"done": attrs.asdict(_do(task, announce))})
    except ConfigError as error:
        say({"skip": str(error).partition(";")[0]})
    except WrongAnswer as error:
        say({"wrong": str(error)})


def _do(task: Task, announce: Callable[[str], None]) -> attrs.AttrsInstance:
    if task.kind == "twelve":
        return measure_twelve(task.steps)
    if task.kind == "floor":
        return measure_floor(steps_of(task.workload, task.steps, task.trace), task.steps)
    return measure(task, announce)


def measure(task: Task, announce: Callable[[str], None]) -> Figures:
    """Run a case.

    Args:
        task: The case.
        announce: Called with ``before`` the first commit, ``after`` the last, and ``collected``
            when garbage was.

    Raises:
        WrongAnswer: The contender returned something else than what was committed.
        ConfigError: There is no such Backpack.
    """
    isolation = _warmed_up(task)
    store = _opened(task, "store")
    ledger = Ledger(task.steps)
    times = array("Q", b"\xff" * (8 * task.steps))
    steps = steps_of(task.workload, task.steps, task.trace)
    gc.collect()
    announce("before")
    for number, (key, value) in enumerate(steps):
        ledger.note(key, value)
        start = perf_counter_ns()
        store.commit(key, value)
        times[number] = perf_counter_ns() - start
    del key, value, steps
    announce("after")
    gc.collect()
    announce("collected")
    if ledger.made != task.steps:
        raise WrongAnswer(f"{ledger.made} steps came of the {task.steps} that were announced")
    ledger.settle()
    readable, checked = verify(store, ledger, task.verify_seconds)
    draws = random.Random(9)
    old = timed_reads(
        store, ledger, islice(_anywhere(readable, draws), task.reads), task.read_seconds
    )
    recent = timed_reads(
        store, ledger, islice(_recently(ledger.made, draws), task.reads), task.read_seconds
    )
    store.close()
    tenth = max(1, task.steps // 10)
    return Figures(
        made=ledger.made,
        checked=checked,
        readable=len(readable),
        isolation=isolation,
        commit_p50=statistics.median(times) / 1000,
        commit_p99=sorted(times)[math.ceil(0.99 * len(times)) - 1] / 1000,
        commit_mean=statistics.fmean(times) / 1000,
        first_tenth=statistics.fmean(times[:tenth]) / 1000,
        last_tenth=statistics.fmean(times[-tenth:]) / 1000,
        old_p50=statistics.median(old) / 1000 if old else None,
        recent_p50=statistics.median(recent) / 1000 if recent else None,
    )


def _opened(task: Task, name: str) -> Store:
    folder = Path(task.folder) / name
    folder.mkdir()
    return opened(task.target, task.arguments, folder)


def _warmed_up(task: Task) -> str:
    """Use a throwaway store, so that what is loaded once is; return whom it is isolated from.

    A value is changed after it was committed, then what was read is changed.
    """
    store = _opened(task, "warm")
    made = 0
    for key, value in islice(steps_of(task.workload, task.steps, task.trace), 3):
        store.commit(key, value)
        store.read(made, key)
        made += 1
    mutable = {"list": [1]}
    store.commit("trial", mutable)
    mutable["list"].append(2)
    read = store.read(made, "trial")
    inwards = read == {"list": [1]}
    read["list"].append(3)
    outwards = 3 not in store.read(made, "trial")["list"]
    store.close()
    if inwards and outwards:
        return "writer, reader"
    return "writer" if inwards else "reader" if outwards else "nobody"


def _anywhere(readable: list[int], draws: random.Random) -> Iterator[int]:
    """Yield random readable commits, but the newest."""
    while len(readable) > 1:
        yield readable[draws.randrange(len(readable) - 1)]


def _recently(made: int, draws: random.Random) -> Iterator[int]:
    """Yield commits whose distance from the newest is geometric, 20 on average."""
    while made > 1:
        back = math.ceil(math.log(1 - draws.random()) / math.log(1 - 1 / _RECENT)) or 1
        yield made - 1 - min(back, made - 1)


if __name__ == "__main__":
    main()
