"""``backpack check``: the laws from the command line, in a process that may be broken."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final

from attrs import asdict, field, frozen, mutable

from backpack.spec.report import Report, Verdict, verdict_from

__all__ = ["Job", "Result", "check", "exit_code"]

#: Seconds without a pulse after which the interpreter is held by something that never lets go.
_SILENCE: Final = 10.0
#: How often a process may end before it is given up.
_RESTARTS: Final = 40


@frozen
class Job:
    """What the command was called with.

    Attributes:
        name: What to call it in messages.
        target: The policy; None for a configuration.
        axis: Its axis, if it was told.
        preset: The preset to check.
        config: The file to check.
        imports: Whether a file may name code to import.
        laws: The ids of the laws; None for all.
        expected: ``{id: reason}`` of those that are to be broken.
        seed: What examples are drawn from.
        examples: How many.
        time_limit: Seconds one example may take.
    """

    name: str
    target: str | None = None
    axis: str | None = None
    preset: str | None = None
    config: str | None = None
    imports: bool = True
    laws: list[str] | None = None
    expected: dict[str, str] = field(factory=dict)
    seed: int = 0
    examples: int | None = None
    time_limit: float = 20.0

    def message(self, progress: _Progress) -> dict[str, Any]:
        """Return the job for a process that takes it up where the last one left it."""
        return {
            **asdict(self),
            "done": sorted(progress.done),
            "at": progress.at,
            "judged": [verdict.law for verdict in progress.verdicts],
        }


@frozen
class Result:
    """What came of a job.

    Attributes:
        name: What was checked.
        reports: What was found, for each policy and Backpack.
        error: Why it could not be checked, or not to the end.
    """

    name: str
    reports: tuple[Report, ...] = ()
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether all was checked, and every law holds."""
        return self.error is None and bool(self.reports) and all(map(bool, self.reports))


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 if all is well, 1 if a law is broken, 2 if something could not be checked."""
    reports = [report for result in results for report in result.reports]
    if any(report.judged and not report.ok for report in reports):
        return 1
    return 0 if all(result.ok for result in results) else 2


@mutable
class _Progress:
    """How far a job has come, over all the processes that it took.

    Attributes:
        about: What the process said of the subject it is at.
        at: Its number.
        law: The law that is being tried.
        verdicts: What was found about it.
        done: The numbers of the subjects that are finished.
        reports: Their reports.
        remarks: What else was noticed.
        error: Why it cannot go on.
        ended: Whether the job is done.
    """

    about: dict[str, Any] = field(factory=dict)
    at: int = 0
    law: str | None = None
    verdicts: list[Verdict] = field(factory=list)
    done: set[int] = field(factory=set)
    reports: list[Report] = field(factory=list)
    remarks: list[str] = field(factory=list)
    error: str | None = None
    ended: bool = False


def check(job: Job, progress: Callable[[str, int, int], object]) -> Result:
    """Do a job in processes of their own, as many as it takes.

    Args:
        job: What to check.
        progress: Called with the law that is tried, how many were judged and how many there are.
    """
    state = _Progress()
    for _ in range(_RESTARTS):
        state.law = None
        ending = _run(job, state, progress)
        if state.ended or state.error is not None:
            break
        law = _tried(state)
        if law is None:
            state.error = f"the process that checks it {ending}, before any law was tried"
            break
        state.verdicts.append(Verdict(law, "broken", f"Trying it, the process {ending}."))
    if state.verdicts:
        state.reports.append(_report(job, state))
    return Result(job.name, tuple(state.reports), state.error)


def _tried(state: _Progress) -> str | None:
    """Return the law that was being tried when a process ended."""
    return state.law


def _run(job: Job, state: _Progress, progress: Callable[[str, int, int], object]) -> str:
    """Run one process to its end; say how it ended."""
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, *_optimized(), "-m", "backpack.spec.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    if process.stdin is None or process.stdout is None:  # They are pipes, as was said above.
        raise RuntimeError("a process has no pipes")
    try:
        process.stdin.write(json.dumps(job.message(state)))
        process.stdin.close()
        for message in _messages(process.stdout):
            if message is None:
                return f"held the interpreter for more than {_SILENCE:g} seconds"
            _hear(job, state, message, progress)
        code = process.wait(timeout=_SILENCE)
    except BrokenPipeError:
        code = process.wait(timeout=_SILENCE)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return f"ended with exit code {code}" if code >= 0 else f"was killed by signal {-code}"


def _optimized() -> list[str]:
    return ["-O"] * sys.flags.optimize


def _messages(stream: IO[str]) -> Iterator[dict[str, Any] | None]:
    """Give the messages of a process until it ends, or None where it falls silent."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_SILENCE)
        except queue.Empty:
            yield None
            return
        if line is None:
            return
        try:
            yield json.loads(line)
        except ValueError:
            continue  # Half a line, written when the process was ended.


def _hear(
    job: Job,
    state: _Progress,
    message: dict[str, Any],
    progress: Callable[[str, int, int], object],
) -> None:
    """Take in what a process says."""
    match message:
        case {"error": str(error)}:
            state.error = error
        case {"subject": str(), "at": int(at)}:
            state.about, state.at = message, at
        case {"begin": str(law)}:
            state.law = law
            progress(law, len(state.verdicts), len(state.about["laws"]))
        case {"verdict": dict(told), "printed": str(printed)}:
            state.verdicts.append(verdict_from(told))
            remark = f"the policy prints, as in: {printed}"
            if printed and remark not in state.remarks:
                state.remarks.append(remark)
        case {"done": int(at)}:
            state.reports.append(_report(job, state))
            state.done.add(at)
            state.verdicts, state.remarks, state.law = [], [], None
        case {"end": True}:
            state.ended = True


def _report(job: Job, state: _Progress) -> Report:
    about = state.about
    order = list(about["laws"])
    return Report(
        subject=about["subject"],
        axis=about["axis"],
        seed=job.seed,
        examples=about["examples"],
        verdicts=tuple(sorted(state.verdicts, key=lambda verdict: order.index(verdict.law))),
        replay=about["replay"],
        remarks=tuple(state.remarks),
    )
