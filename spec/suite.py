"""The laws as pytest tests: a class with one test for each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve

from backpack.errors import ConfigError
from backpack.spec.check import plan
from backpack.spec.laws import CONTAINER, LAWS
from backpack.spec.target import subject_of

if TYPE_CHECKING:
    from backpack.spec.check import Check
    from backpack.spec.report import Verdict

__all__ = ["policy_suite"]


def policy_suite(
    factory: Any,
    *,
    axis: str | None = None,
    laws: Collection[str] | None = None,
    expected_failures: Mapping[str, str] | None = None,
    seed: int | None = None,
    examples: int | None = None,
    time_limit: float = 20.0,
) -> type:
    """Return a test class for pytest, with one test for each law.

    A law that is not applicable is skipped, one that is expected to fail is an expected failure,
    and strictly so. Nothing in the class is a test of Hypothesis: it can be subclassed.

    Args:
        factory: What makes the policy, as for :func:`~backpack.spec.check.check_policy`.
        axis: Its axis; found out if left out.
        laws: The ids of the laws to check; all that bind it if left out.
        expected_failures: ``{id: reason}`` of laws it breaks, and is meant to.
        seed: What examples are drawn from; a new one if left out. A failure tells it.
        examples: How many for each law of policies, and half as many programs for those of
            Backpacks; 200 if left out.
        time_limit: Seconds one example may take before the policy counts as hanging.

    Raises:
        ConfigError: The factory makes no policy, or one that fits several axes; or an argument
            cannot be.

    ::

        TestKeepDecisions = policy_suite(KeepDecisions)
    """
    check = plan(
        subject_of(factory, axis=axis),
        laws=laws,
        expected_failures=expected_failures,
        seed=seed,
        examples=examples,
        time_limit=time_limit,
    )
    if not check.laws:
        raise ConfigError("no law is left to be checked", field="laws")
    judge = _Judge(check)
    tests = {f"test_{law_id}": _test(law_id, judge) for law_id in check.laws}
    title = f"Test{''.join(part.title() for part in check.subject.name.split(':')[-1].split('_'))}"
    return type(title, (), {"__doc__": f"The laws, for {check.subject.name}.", **tests})


class _Judge:
    """Tries a law when its test is run; the container laws once for all of them."""

    def __init__(self, check: Check) -> None:
        self.check = check
        self.reached: dict[str, Verdict] = {}

    def verdict(self, law_id: str) -> Verdict:
        if law_id not in self.reached:
            is_container = CONTAINER in LAWS[law_id].axes
            laws = (
                tuple(each for each in self.check.laws if CONTAINER in LAWS[each].axes)
                if is_container
                else (law_id,)
            )
            for verdict, _ in evolve(self.check, laws=laws).verdicts():
                self.reached[verdict.law] = verdict
        return self.reached[law_id]


def _test(law_id: str, judge: _Judge) -> Callable[[Any], None]:
    """Return a test of one law."""

    def test(self: Any) -> None:
        import pytest

        __tracebackhide__ = True
        verdict = judge.verdict(law_id)
        if verdict.outcome == "not applicable":
            pytest.skip(verdict.why)
        if verdict.outcome == "expected failure":
            pytest.xfail(verdict.why)
        if not verdict.ok:
            pytest.fail(str(judge.check.report([verdict])), pytrace=False)

    test.__name__ = f"test_{law_id}"
    test.__doc__ = LAWS[law_id].sentence
    return test
