"""Runs trials at the same time, each in a process of its own, so that one that dies is but one."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define

from backpack.compare.survey import Survey
from backpack.compare.trial import Ending, Outcome, Trial, run
from backpack.wording import one_line

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

__all__ = ["Runner", "in_processes", "jobs_by_default"]

#: Seconds between two reports of a process.
_PULSE: Final = 0.1
#: What a trial counts for in the progress, whatever the trace weighs.
_WHOLE: Final = 1_000

# A new interpreter each: what the parent's threads hold is not copied, on no system.
_CONTEXT: Final = get_context("spawn")


class Runner(Protocol):
    """Does trials; tells of each what came of it, in their order."""

    def __call__(
        self,
        trials: Sequence[Trial],
        path: Path,
        survey: Survey,
        progress: Callable[[int, int], None] | None,
        /,
    ) -> list[Outcome]:
        """Do the trials."""
        ...


def jobs_by_default() -> int:
    """Return how many processes run at the same time: one for each processor there is for us."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_processes(jobs: int) -> Runner:
    """Return what does trials in processes, so many at the same time.

    A process that dies costs its own trial alone. When what waits for them is interrupted, all of
    them are ended.

    Args:
        jobs: How many; at least 1.
    """

    def runner(
        trials: Sequence[Trial],
        path: Path,
        survey: Survey,
        progress: Callable[[int, int], None] | None,
    ) -> list[Outcome]:
        waiting = deque(range(len(trials)))
        running: dict[Connection, _Running] = {}
        outcomes: dict[int, Outcome] = {}
        shares = [0] * len(trials)
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    number = waiting.popleft()
                    each = _started(number, trials[number], path, survey)
                    running[each.connection] = each
                for connection in wait(list(running)):
                    each = running[connection]  # type: ignore[index]
                    told = each.heard()
                    if isinstance(told, int):
                        shares[each.number] = told
                    else:
                        del running[each.connection]
                        each.end()
                        outcomes[each.number] = told
                        shares[each.number] = _WHOLE
                    if progress is not None:
                        progress(sum(shares), _WHOLE * len(trials))
        finally:
            for each in running.values():
                each.end()
        return [outcomes[number] for number in range(len(trials))]

    return runner


@define
class _Running:
    """A process that does a trial.

    Attributes:
        number: The trial's.
        process: The process.
        connection: Where it tells.
    """

    number: int
    process: SpawnProcess
    connection: Connection

    def heard(self) -> int | Outcome:
        """Return what it tells: how far it is, in thousandths, or what came of it."""
        try:
            told: int | Outcome = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Outcome(Ending.DIED, error=f"its process {_end(self.process.exitcode)}")
        return told

    def end(self) -> None:
        """End it, if it has not ended, and let go of it."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        self.process.close()


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code} before it was done"


def _started(number: int, trial: Trial, path: Path, survey: Survey) -> _Running:
    """Start a process that does a trial."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_work, args=(theirs, trial, path, survey), daemon=True)
    with _uninterrupted():
        process.start()
    theirs.close()
    return _Running(number, process, ours)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile never hears of one.

    It comes to all processes of a terminal, and it is the first one that ends the others.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, trial: Trial, path: Path, survey: Survey) -> None:
    """Do a trial in this process, and tell about it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _silence()
    told_at = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told_at
        if monotonic() - told_at >= _PULSE:
            told_at = monotonic()
            connection.send(min(done * _WHOLE // max(total, 1), _WHOLE))

    try:
        outcome = run(trial, path, survey, tell)
    except BaseException as error:
        told = one_line(f"{type(error).__name__}: {error}", longest=1_000)
        outcome = Outcome(Ending.DIED, error=f"its process met {told}")
    with suppress(BrokenPipeError):  # Nobody waits for it any more.
        connection.send(outcome)


def _silence() -> None:
    """Let nothing that policies print come between the lines of the command."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
