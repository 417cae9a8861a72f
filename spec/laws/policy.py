"""The laws of every policy, on whatever axis."""

from __future__ import annotations

import gc
import pickle
import random
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import attrs
from hypothesis import strategies as st

from backpack.records import RetainedCommit
from backpack.spec.cases import Shown, Versions, version
from backpack.spec.drawing import cases, stream
from backpack.spec.laws.law import AXES, LawBroken, law, require
from backpack.spec.sameness import same
from backpack.wording import one_line

if TYPE_CHECKING:
    from backpack.spec.cases import Case

__all__ = ["PolicyFailed", "answered", "answers", "copies", "growth", "made"]

#: Questions a policy may take to settle, and questions after which it must not have grown.
_SETTLED: Final = 1_000
_ASKED: Final = 4_000
#: Bytes a question may leave behind, on average, in what is taken for not growing.
_CRUMB: Final = 16


class PolicyFailed(Exception):
    """A policy raised where it was to answer; every law but PO1 has nothing to judge then.

    Args:
        error: What it raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(one_line(f"{type(error).__name__}: {error}".rstrip(": ")))


@contextmanager
def answers() -> Iterator[None]:
    """Tell a policy's own exceptions from others, exits among them.

    Raises:
        PolicyFailed: The policy raised.
    """
    try:
        yield
    except (LawBroken, PolicyFailed):
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise PolicyFailed(error) from error


def made(make: Callable[[], Any]) -> Any:
    """Make a policy, and chance start anew."""
    random.seed(0)
    with answers():
        return make()


def answered(case: Case, policy: Any, seed: int = 0) -> list[object]:
    """Return a policy's answers, given under a seed."""
    random.seed(seed)
    with answers():
        return case.answers(policy)


def copies(policy: Any) -> Iterator[tuple[str, Any]]:
    """Make copies of a policy in every way in which a Backpack or a user makes them.

    Yields:
        In which way, and the copy.
    """
    yield "a deep copy", deepcopy(policy)
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        yield "a pickled copy", pickle.loads(pickle.dumps(policy, protocol))  # noqa: S301


def growth(ask: Callable[[int, int], object]) -> int:
    """Return by how many bytes the memory of the process grows from some calls to more of them.

    Args:
        ask: Makes the calls from one number to another. What it returns is let go of only after
            the memory was measured.
    """
    was_tracing = tracemalloc.is_tracing()
    if not was_tracing:
        tracemalloc.start()
    try:
        kept = [ask(0, _SETTLED)]
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        kept.append(ask(_SETTLED, _ASKED))
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        if not was_tracing:
            tracemalloc.stop()


@law("PO1", *AXES, cases=cases)
def answers_every_question(make: Callable[[], Any], case: Case) -> None:
    """It answers every question it can be asked: it raises nothing, ends, and exits nothing."""
    try:
        answered(case, made(make))
    except PolicyFailed as failed:
        raise LawBroken("PO1", f"It raised {failed}.") from failed.__cause__


@law("PO2", *AXES, cases=cases)
def leaves_alone_what_it_is_shown(make: Callable[[], Any], case: Case) -> None:
    """It leaves what it is shown alone."""
    policy = made(make)
    for shown, fresh in _asked(case, policy):
        if isinstance(shown, RetainedCommit):
            require(shown == fresh, "PO2", lambda: f"Of the candidate {fresh} it made {shown}.")
            continue
        for name in attrs.fields_dict(type(fresh)):
            if name != "candidates":
                left, given = getattr(shown, name), getattr(fresh, name)
                require(
                    same(left, given),
                    "PO2",
                    lambda: f"Of {given!r:.200}, the {name} it was shown, it made {left!r:.200}.",
                )


def _asked(case: Case, policy: Any) -> Iterator[tuple[Any, Any]]:
    """Put a case to a policy; give each record it was shown, and an equal one it was not."""
    random.seed(0)
    with answers():
        if isinstance(case, Shown):
            for shown, fresh in zip(case.questions(), case.questions(), strict=True):
                policy(shown)
                yield shown, fresh
        elif isinstance(case, Versions):
            data = []
            for each, base in case.pairs(policy):
                superseded = version(each, base)
                data.append(policy.hold(superseded))
                yield superseded, version(each, base)
            for _, held in case.kept(policy, data):
                same_held = attrs.evolve(held)
                policy.read(held)
                yield held, same_held
        else:
            commits, needed = {each.id: each for each in case.candidates()}, case.needed
            for request, answer in case.play(policy):
                left = list(request.candidates)
                yield request, case.request(left, needed)
                yield from ((candidate, commits[candidate.id]) for candidate in left)
                needed -= sum(item.size for item in left if item.id in answer)


@law("PO3", *AXES, cases=cases)
def is_deterministic(make: Callable[[], Any], case: Case) -> None:
    """Two of a kind, asked the same under the same seed, answer the same."""
    first, second = answered(case, made(make)), answered(case, made(make))
    require(
        first == second, "PO3", lambda: f"One answered {first!r:.200}, the other {second!r:.200}."
    )


def _the_axis(axis: str) -> st.SearchStrategy[str]:
    return st.just(axis)


def _halves(axis: str) -> st.SearchStrategy[tuple[Case, Case]]:
    return st.tuples(cases(axis), cases(axis))


@law("PO4", *AXES, cases=_halves)
def survives_copying(make: Callable[[], Any], halves: tuple[Case, Case]) -> None:
    """A copy of it, pickled or deep, goes on answering as it does."""
    before, after = halves
    policy = made(make)
    answered(before, policy)
    try:
        clones = list(copies(policy))
    except Exception as error:
        what = one_line(f"{type(error).__name__}: {error}")
        raise LawBroken("PO4", f"It cannot be copied: {what}.") from error
    expected = answered(after, policy, seed=1)
    for way, clone in clones:
        got = answered(after, clone, seed=1)
        require(
            got == expected,
            "PO4",
            f"It answers {expected!r:.200}, {way} of it {got!r:.200}.",
        )


@law("PO5", *AXES, cases=_the_axis)
def has_bounded_memory(make: Callable[[], Any], axis: str) -> None:
    """Its own memory is bounded, however often it is asked."""
    policy = made(make)
    questions = list(stream(axis, _ASKED))

    def ask(start: int, stop: int) -> None:
        for case in questions[start:stop]:
            answered(case, policy)

    grown = growth(ask)
    most = _CRUMB * (_ASKED - _SETTLED)
    require(
        grown <= most,
        "PO5",
        f"From {_SETTLED:,} to {_ASKED:,} questions it grew by {grown:,} bytes; give what it "
        "remembers a bound.",
    )
