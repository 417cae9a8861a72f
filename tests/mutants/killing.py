"""Trying the suite on what is broken on purpose: does the declared law see it?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from attrs import evolve, frozen

from backpack.protocols import StoragePolicy
from backpack.spec.check import Check, plan
from backpack.spec.laws import CONTAINER
from backpack.spec.standard import standard_backpack
from backpack.spec.target import Subject, subject_of
from mutants import containers, policies

__all__ = ["MUTANTS", "Mutant", "is_killed"]


@frozen
class Mutant:
    """Something broken on purpose.

    Attributes:
        axis: Whose bug it is: that of a policy of this axis, or the container's.
        law: The law that must kill it.
        make: Makes the policy; None for the container.
        put_in: Breaks the container for as long as it is entered.
        storage: The storage policy of the Backpack that is tried; the standard one if left out.
    """

    axis: str
    law: str
    make: Callable[[], object] | None = None
    put_in: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext
    storage: StoragePolicy | None = None

    def check(self, laws: tuple[str, ...], *, seed: int, examples: int | None = None) -> Check:
        """Plan a check of it that shrinks nothing, since only the verdict is asked for."""
        check = plan(self.subject, laws=laws, seed=seed, examples=examples)
        return evolve(check, effort=evolve(check.effort, shrink=False))

    @property
    def subject(self) -> Subject:
        """What is checked."""
        if self.make is not None:
            return subject_of(self.make, axis=self.axis)
        settings = {} if self.storage is None else {"storage": self.storage}
        make = partial(standard_backpack, **settings)
        return Subject("a broken Backpack", CONTAINER, make, "", None)


MUTANTS: Final[dict[str, Mutant]] = {
    **{
        name: Mutant(CONTAINER, broken.law, put_in=broken.put_in, storage=broken.storage)
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
