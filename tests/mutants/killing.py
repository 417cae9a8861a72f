"""Trying the suite on what is broken on purpose: does the declared law see it?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from attrs import evolve, frozen

from backpack.spec.check import Check, plan
from backpack.spec.laws import CONTAINER, LAWS, laws_of
from backpack.spec.standard import standard_backpack
from backpack.spec.target import Subject, subject_of
from backpack.spec.trial import try_machine
from mutants import containers, policies

__all__ = ["MUTANTS", "PROGRAMS", "Mutant", "also_broken", "is_killed"]

#: Programs, and examples, in which it is looked at what else a mutant breaks.
PROGRAMS: Final = 20


@frozen
class Mutant:
    """Something broken on purpose.

    Attributes:
        axis: Whose bug it is: that of a policy of this axis, or the container's.
        law: The law that must kill it.
        make: Makes the policy; None for the container.
        put_in: Breaks the container for as long as it is entered.
    """

    axis: str
    law: str
    make: Callable[[], object] | None = None
    put_in: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext

    def check(self, laws: tuple[str, ...], *, seed: int, examples: int | None = None) -> Check:
        """Plan a check of it that shrinks nothing, since only the verdict is asked for."""
        check = plan(self.subject, laws=laws, seed=seed, examples=examples)
        return evolve(check, effort=evolve(check.effort, shrink=False))

    @property
    def subject(self) -> Subject:
        """What is checked."""
        if self.make is not None:
            return subject_of(self.make, axis=self.axis)
        return Subject("a broken Backpack", CONTAINER, standard_backpack, "", None)


MUTANTS: Final[dict[str, Mutant]] = {
    **{
        name: Mutant(CONTAINER, broken.law, put_in=broken.put_in)
        for name, broken in containers.BROKEN.items()
    },
    **{
        f"{broken.axis}: {name}": Mutant(broken.axis, broken.law, broken.make)
        for name, broken in policies.BROKEN.items()
    },
}


def is_killed(mutant: Mutant, seed: int) -> bool:
    """Whether the declared law breaks, at the default number of examples."""
    with mutant.put_in():
        return mutant.check((mutant.law,), seed=seed).run()[mutant.law].outcome == "broken"


def also_broken(mutant: Mutant) -> tuple[str, ...]:
    """Return the laws that some examples break, the declared one aside."""
    with mutant.put_in():
        if mutant.axis == CONTAINER:
            check = mutant.check(laws_of(CONTAINER), seed=0, examples=PROGRAMS)
            found = try_machine(check.subject, frozenset(LAWS), check.effort, collect=True)
            broken = set(found.collected)
        else:
            report = mutant.check(laws_of(mutant.axis), seed=0, examples=PROGRAMS).run()
            broken = {each.law for each in report.verdicts if each.outcome == "broken"}
    return tuple(law for law in LAWS if law in broken - {mutant.law})
