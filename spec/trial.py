"""Trying one law: examples drawn, the smallest break kept.

Hypothesis draws and shrinks; what it finds is kept here, so that shrinking can be stopped in good
time and a break that does not happen twice is still told.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, Final
from unittest.mock import patch

from attrs import evolve, field, frozen, mutable
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import run_state_machine_as_test

from backpack.spec.containment import contained
from backpack.spec.laws.law import Law, LawBroken, NotApplicable
from backpack.spec.laws.policy import PolicyFailed
from backpack.spec.machine import BackpackMachine, machine_for
from backpack.spec.shrink import Program, smaller
from backpack.spec.target import Subject
from backpack.spec.temporary import missing
from backpack.wording import one_line

__all__ = ["Effort", "Found", "try_law", "try_machine"]

#: Seconds that are spent on making a break smaller.
_SHRINKING: Final = 10.0
#: So many examples may take, in terms of what one may take.
_PATIENCE: Final = 3.0
#: Seconds in which an example is drawn, at the latest; no policy is asked meanwhile.
_DRAWING: Final = 60.0
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
        deadline: When its time is over, or that of drawing it.
        late: Whether it was still running when its time was over.
        patience: How many seconds that were.
        printed: What was printed.
        error: What went wrong in the suite itself.
        archived: Whether what was tried has an archive.
    """

    examples: int = 0
    judged: int = 0
    broken: LawBroken | None = None
    size: int = 0
    since: float | None = None
    not_applicable: str | None = None
    failed: str | None = None
    case: Any = None
    deadline: float = field(factory=lambda: time.monotonic() + _DRAWING)
    late: bool = False
    patience: float = 0.0
    printed: str = ""
    error: BaseException | None = None
    archived: bool = False

    def begin(self, case: Any, limit: float) -> None:
        """Note what is tried from here on, and how many seconds it may take."""
        self.case, self.deadline = case, time.monotonic() + limit

    def end(self) -> None:
        """Note that nothing is tried from here on, until the next case is drawn."""
        self.deadline = time.monotonic() + _DRAWING

    def keep(self, broken: LawBroken) -> None:
        """Keep a break if it is the smallest."""
        self.since = self.since or time.monotonic()
        size = len(repr(broken.case))
        if self.broken is None or size < self.size:
            self.broken, self.size = broken, size

    def forget_frames(self) -> None:
        """Let go of what the frames of exceptions hold: whole Backpacks, and whole models."""
        error: BaseException | None = self.broken
        while error is not None:
            error.__traceback__ = error.__context__ = None
            error = error.__cause__

    def is_over(self, ends: float) -> bool:
        """Whether no more time is to be spent: on examples but the first, or on shrinking."""
        now = time.monotonic()
        is_small_enough = self.since is not None and now - self.since > _SHRINKING
        return self.late or is_small_enough or (now > ends and self.examples > 0)


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
        if found.is_over(ends):
            return
        found.begin(case[0] if case else None, effort.time_limit)
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
        finally:
            found.end()

    if law.cases is None:
        _run_contained(found, effort, attempt)
        return found

    def drawn(case: Any) -> None:
        attempt(case)

    test = given(law.cases(subject.axis))(drawn)
    _run_contained(found, effort, seed(effort.seed)(_settings(effort)(test)))
    return found


def try_machine(
    subject: Subject, laws: frozenset[str], effort: Effort, *, archived: bool = False
) -> Found:
    """Try container laws on a Backpack, all of them at once.

    Args:
        subject: The Backpack, or a policy that is checked in one.
        laws: The ids of the laws.
        effort: How hard to try.
        archived: Whether it has an archive.
    """
    found = Found(archived=archived)
    found.not_applicable = missing() if archived else None
    if found.not_applicable:
        return found
    ends = time.monotonic() + _PATIENCE * effort.time_limit
    plain = machine_for(subject.backpack, limit=subject.limit, laws=laws, archived=archived)

    class Tried(plain):  # type: ignore[misc, valid-type]
        def prepared(self) -> None:
            if found.is_over(ends):
                self.over = True
                return
            found.begin(self.program, effort.time_limit)
            found.examples += 1
            found.judged += 1

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                found.end()

        def judge(self, broken: LawBroken) -> None:
            try:
                super().judge(broken)
            except LawBroken:
                found.keep(broken)
                raise

    tried = seed(effort.seed)(Tried)
    drawn = _settings(evolve(effort, shrink=False))

    def attempt() -> None:
        with suppress(LawBroken, HypothesisException, BaseExceptionGroup):
            run_state_machine_as_test(tried, settings=drawn)
        if found.broken is not None and effort.shrink:
            law, case = found.broken.law, found.broken.case
            smallest = smaller(case, lambda program: _breaks(plain, program, law), _SHRINKING)
            found.begin(smallest, effort.time_limit)
            found.broken = _run(plain, smallest) or found.broken

    def _breaks(machine: type[BackpackMachine], program: Program, law: str) -> bool:
        found.begin(program, effort.time_limit)
        broken = _run(machine, program)
        return broken is not None and broken.law == law

    _run_contained(found, effort, attempt)
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
    finally:
        state.put_away()
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


def _run_contained(found: Found, effort: Effort, run: Callable[[], object]) -> None:
    """Run something in a thread of its own; note what it did, and forget the rest."""
    with _same_draws(), _little_garbage():
        result = contained(run, deadline=lambda: found.deadline)
    found.late, found.patience = result.late, effort.time_limit
    found.printed = result.printed
    if result.error is not None and not (found.broken is not None and _is_echo(result.error)):
        found.error = result.error
    found.forget_frames()


def _is_echo(error: BaseException) -> bool:
    """Whether an error only says that a break did not happen again when it was tried again."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_echo, error.exceptions))
    return isinstance(error, LawBroken | HypothesisException)


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
def _little_garbage() -> Iterator[None]:
    """Let the collector pass over what was there before: it takes a tenth of the time of a law."""
    if gc.get_freeze_count():
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def first_line(text: str) -> str:
    """Return the first line of a text that says something."""
    return next((one_line(line) for line in text.splitlines() if line.strip()), "")
