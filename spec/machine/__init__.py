"""The state machine: random programs on a Backpack, checked against the model at every step.

A machine is made by :func:`machine_for` for one way of making a Backpack::

    TestMine = machine_for(lambda: Backpack(pruning=MyPolicy(), max_history_size=8192)).TestCase

or by a subclass that says more::

    class Mine(BackpackMachine):
        budgets = (6144, 8192, 16384)
        limit = 512
        rule_names = frozenset({"pack", "remove", "rollback", "look_back"})

        @staticmethod
        def make():
            return Backpack(pruning=MyPolicy(), reference=Stub(512))

    run_state_machine_as_test(Mine)

Every rule that changes something makes several commits, so that histories grow long; commits
stay drawable after they are pruned; values lie around the per-value limit; policies are told to
fail in the middle of what they are asked. Each program ends with one of each thing that random
ones come to seldom (:mod:`~backpack.spec.machine.closing`). What a rule is called with is plain
data, so that a program can be written down, pasted and run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from backpack.spec.laws import CONTAINER, laws_of
from backpack.spec.machine.archiving import Archiving
from backpack.spec.machine.base import Bench
from backpack.spec.machine.changing import Changing
from backpack.spec.machine.closing import Step, closing, closing_archive
from backpack.spec.machine.conflicting import Conflicting
from backpack.spec.machine.forgetting import Forgetting
from backpack.spec.machine.keeping import Keeping
from backpack.spec.machine.looking import Looking
from backpack.spec.machine.mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.container import Backpack

__all__ = ["ArchiveMachine", "BackpackMachine", "Bench", "machine_for"]


class BackpackMachine(Changing, Mapping, Conflicting, Looking, Keeping, Forgetting):
    """Random programs on the Backpack that :meth:`make` makes."""

    def last_steps(self) -> Iterator[Step]:
        """Return what random programs seldom do."""
        return closing(len(self.model.commits))

    def teardown(self) -> None:
        """At the end of a program do what random ones seldom do; then look at every commit."""
        if self.is_whole():
            for name, arguments in self.last_steps():
                if not self.rule_names or name in self.rule_names:
                    getattr(self, name)(**arguments)
        super().teardown()


class ArchiveMachine(Archiving, BackpackMachine):
    """The same programs on a Backpack with an archive, which is closed, killed and opened again.

    The archive is an SQLite file in a folder of its own, which goes when the program is over. It
    takes the extra ``backpack-memory[archive]``.
    """

    def last_steps(self) -> Iterator[Step]:
        """Return what archives are there for."""
        return closing_archive(len(self.model.commits))


def machine_for(
    make: Callable[[], Backpack],
    *,
    name: str = "Machine",
    limit: int = 1024,
    budgets: Collection[int] = (),
    laws: Collection[str] | None = None,
    rules: Collection[str] = (),
    archived: bool = False,
) -> type[BackpackMachine]:
    """Return a state machine for the Backpacks that ``make`` makes.

    Args:
        make: Returns a new Backpack. Its policies are wrapped, so that they can be told to fail.
        name: The name of the machine's class.
        limit: Sizes in bytes around which values are drawn: the per-value limit.
        budgets: History budgets to draw from, in bytes; none leaves the one it was made with.
        laws: The ids of the laws to hold; all if left out.
        rules: The names of the rules to make programs of; none stands for all.
        archived: Whether it has an archive: an :class:`ArchiveMachine`.
    """
    asked = frozenset(laws_of(CONTAINER) if laws is None else laws)
    attributes = {
        "make": staticmethod(make),
        "limit": limit,
        "budgets": tuple(budgets),
        "laws": asked,
        "rule_names": frozenset(rules),
    }
    return type(name, (ArchiveMachine if archived else BackpackMachine,), attributes)
