"""Trying one law: examples drawn, the smallest break kept, hangs and exits and prints contained.

Hypothesis draws and shrinks; what it finds is kept here, so that shrinking can be stopped in good
time and a break that does not happen twice is still told.
"""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from importlib import import_module
from typing import Any, Final
from unittest.mock import patch

from attrs import evolve, field, frozen, mutable
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from backpack.spec.laws.law import Law, LawBroken, NotApplicable
from backpack.spec.laws.policy import PolicyFailed
from backpack.spec.machine import BackpackMachine, machine_for
from backpack.spec.shrink import Program, smaller
from backpack.spec.target import Subject
from backpack.wording import one_line

__all__ = ["Effort", "Found", "try_law", "try_machine"]

#: Seconds that are spent on making a break smaller.
_SHRINKING: Final = 10.0
#: So many examples may take, in terms of what one may take.
_PATIENCE: Final = 3.0
_POLL: Final = 0.02
#: Seconds a thread has to end once it is told to.
_GRACE: Final = 1.0
_STEPS: Final = 40


@frozen
class Effort:
    """How hard to try.

    Attributes:
        seed: What examples are drawn from.
        examples: How many, at most.
        time_limit: Seconds one example may take before it counts as hanging. Of so many seconds
            times three no more are begun.
        shrink: Whether a break is made smaller before it is told.
    """

    seed: int = 0
    examples: int = 100
    time_limit: float = 20.0
    shrink: bool = True


@mutable
class Found:
    """What a try has found out so far.

    Attributes:
        examples: How many examples were run.
        judged: In how many the law had something to judge.
        broken: The smallest break.
        size: How large it is.
        since: When the first break was found.
        not_applicable: Why the law says nothing about this policy.
        failed: What the policy raised, where that kept a law from being judged.
        case: What is being tried.
        started: When it was begun.
        late: Whether it was still running when its time was over.
        patience: How many seconds that were.
        printed: What was printed.
        error: What went wrong in the suite itself.
        collected: The first break of each law, where all were to be collected.
    """

    examples: int = 0
    judged: int = 0
    broken: LawBroken | None = None
    size: int = 0
    since: float | None = None
    not_applicable: str | None = None
    failed: str | None = None
    case: Any = None
    started: float = field(factory=time.monotonic)
    late: bool = False
    patience: float = 0.0
    printed: str = ""
    error: BaseException | None = None
    collected: dict[str, LawBroken] = field(factory=dict)

    def keep(self, broken: LawBroken) -> None:
        """Keep a break if it is the smallest."""
        self.since = self.since or time.monotonic()
        size = len(repr(broken.case))
        if self.broken is None or size < self.size:
            self.broken, self.size = broken, size

    def forget_frames(self) -> None:
        """Let go of what the frames of exceptions hold: whole Backpacks, and whole models."""
        for broken in (self.broken, *self.collected.values()):
            if broken is not None:
                broken.__traceback__ = broken.__context__ = None

    def is_small_enough(self) -> bool:
        """Whether no more time is to be spent on making the break smaller."""
        return self.since is not None and time.monotonic() - self.since > _SHRINKING


class OutOfTime(BaseException):
    """Thrown into a policy that does not come back."""


def try_law(law: Law, subject: Subject, effort: Effort) -> Found:
    """Try a policy law.

    Args:
        law: The law.
        subject: The policy.
        effort: How hard to try.
    """
    found = Found()
    ends = time.monotonic() + _PATIENCE * effort.time_limit

    def attempt(*case: Any) -> None:
        if found.is_small_enough() or time.monotonic() > ends:
            return
        found.case, found.started = case[0] if case else None, time.monotonic()
        found.examples += 1
        try:
            law(subject.make, *case)
        except LawBroken as broken:
            if broken.law != law.id:
                found.failed = str(broken)
                return
            broken.case = found.case
            found.judged += 1
            found.keep(broken)
            raise
        except NotApplicable as reason:
            found.not_applicable = str(reason)
        except PolicyFailed as failed:
            found.failed = str(failed)
        else:
            found.judged += 1

    if law.cases is None:
        _contained(found, effort, attempt)
        found.forget_frames()
        return found

    def drawn(case: Any) -> None:
        attempt(case)

    test = given(law.cases(subject.axis))(drawn)
    _contained(found, effort, seed(effort.seed)(_settings(effort)(test)))
    found.forget_frames()
    return found


def try_machine(
    subject: Subject, laws: frozenset[str], effort: Effort, *, collect: bool = False
) -> Found:
    """Try container laws on a Backpack, all of them at once.

    Args:
        subject: The Backpack, or a policy that is checked in one.
        laws: The ids of the laws.
        effort: How hard to try.
        collect: Whether to go on after a break, and keep the first one of each law.
    """
    found = Found()
    ends = time.monotonic() + _PATIENCE * effort.time_limit
    plain = machine_for(subject.backpack, limit=subject.limit, laws=laws)

    class Tried(plain):  # type: ignore[misc, valid-type]
        def prepared(self) -> None:
            found.case, found.started = self.program, time.monotonic()
            if found.is_small_enough() or time.monotonic() > ends:
                self.over = True
                return
            found.examples += 1
            found.judged += 1

        def judge(self, broken: LawBroken) -> None:
            try:
                super().judge(broken)
            except LawBroken:
                found.keep(broken)
                raise

    if collect:
        Tried.found = found.collected
    tried = seed(effort.seed)(Tried)
    drawn = _settings(evolve(effort, shrink=False))

    def attempt() -> None:
        with suppress(LawBroken, HypothesisException, BaseExceptionGroup):
            run_state_machine_as_test(tried, settings=drawn)
        if found.broken is not None and effort.shrink:
            law, case = found.broken.law, found.broken.case
            found.case = smaller(case, lambda program: _breaks(plain, program, law), _SHRINKING)
            found.broken = _run(plain, found.case) or found.broken

    def _breaks(machine: type[BackpackMachine], program: Program, law: str) -> bool:
        found.started = time.monotonic()
        broken = _run(machine, program)
        return broken is not None and broken.law == law

    _contained(found, effort, attempt)
    found.forget_frames()
    Tried.found = None  # Hypothesis remembers every machine there ever was.
    return found


def _run(machine: type[BackpackMachine], program: Program) -> LawBroken | None:
    """Run a program without Hypothesis; return the law it breaks."""
    state = machine()
    try:
        for name, arguments in program:
            getattr(state, name)(**arguments)
        state.teardown()
    except LawBroken as broken:
        return broken
    return None


def _settings(effort: Effort) -> settings:
    return settings(
        max_examples=effort.examples,
        stateful_step_count=_STEPS,
        deadline=None,
        database=None,
        derandomize=False,
        report_multiple_bugs=False,
        print_blob=False,
        verbosity=Verbosity.quiet,
        phases=[Phase.generate, Phase.shrink] if effort.shrink else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


# --- containment ---------------------------------------------------------------------------------


def _contained(found: Found, effort: Effort, run: Callable[[], object]) -> None:
    """Run something in a thread of its own, with an eye on the time; note what it did."""

    def work() -> None:
        with suppress(OutOfTime):
            try:
                run()
            except (LawBroken, OutOfTime):
                pass
            except BaseException as error:
                if found.broken is None or not _is_echo(error):
                    found.error = error

    with _quiet(found), _no_noise(), _no_exit(), _same_draws():
        worker = threading.Thread(target=work, name="backpack check", daemon=True)
        worker.start()
        try:
            while worker.is_alive():
                worker.join(_POLL)
                spent = time.monotonic() - found.started
                if spent > effort.time_limit and worker.is_alive():
                    if _is_drawing(worker) and spent < _PATIENCE * effort.time_limit:
                        continue
                    found.late, found.patience = True, effort.time_limit
                    _stop(worker)
                    return
        except BaseException:
            _stop(worker)
            raise


def _is_drawing(worker: threading.Thread) -> bool:
    """Whether a thread is in Hypothesis, which may hold a lock there that others need."""
    frame = sys._current_frames().get(worker.ident or 0)
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("backpack.spec."):
            return False
        if module.startswith("hypothesis."):
            return True
        frame = frame.f_back
    return True


def _is_echo(error: BaseException) -> bool:
    """Whether an error only says that a break did not happen again when it was tried again."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_echo, error.exceptions))
    return isinstance(error, LawBroken | HypothesisException)


def _stop(worker: threading.Thread) -> None:
    """Throw OutOfTime into a thread, once more if it goes on; then leave it alone."""
    for _ in range(2):
        if _is_drawing(worker):
            return
        ident = ctypes.c_ulong(worker.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(OutOfTime))
        worker.join(_GRACE)
        if not worker.is_alive():
            return


@contextmanager
def _same_draws() -> Iterator[None]:
    """Draw the same from a seed whatever else is imported.

    Hypothesis draws constants that it finds in the modules of the project, which makes a seed mean
    something else in every program. It has no setting for that; where its insides have changed,
    seeds are as good as it makes them.
    """
    try:
        providers: Any = import_module("hypothesis.internal.conjecture.providers")
    except ImportError:
        providers = None
    provider = getattr(providers, "HypothesisProvider", None)
    cache: Any = getattr(getattr(providers, "CONSTANTS_CACHE", None), "cache", None)
    if not hasattr(provider, "_local_constants") or not hasattr(cache, "clear"):
        yield
        return
    with patch.object(provider, "_local_constants", providers.Constants()):
        cache.clear()
        try:
            yield
        finally:
            cache.clear()


@contextmanager
def _quiet(found: Found) -> Iterator[None]:
    """Keep what is printed, so that a report stays readable."""
    text = io.StringIO()
    try:
        with redirect_stdout(text), redirect_stderr(text):
            yield
    finally:
        found.printed = text.getvalue()


@contextmanager
def _no_noise() -> Iterator[None]:
    """Say nothing of an OutOfTime that arrives where nobody can take it, as in a finalizer."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not OutOfTime:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _no_exit() -> Iterator[None]:
    """Let a policy that ends the process only end its answer."""

    def leave(code: int = 0) -> None:
        raise SystemExit(f"os._exit({code})")

    before = os._exit
    os._exit = leave  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = before


def first_line(text: str) -> str:
    """Return the first line of a text that says something."""
    return next((one_line(line) for line in text.splitlines() if line.strip()), "")
