"""The specification: the laws every Backpack keeps, and a state machine that looks for breaks.

Run it on a Backpack of your own making, with pytest::

    from backpack import Backpack
    from backpack.spec import machine_for

    TestMine = machine_for(lambda: Backpack(pruning=MyPolicy(), max_history_size=8192)).TestCase

or check the laws on one Backpack at one moment, against a
:class:`~backpack.spec.model.Model` of what was done to it. It needs the extra
``backpack-memory[spec]``, which brings Hypothesis.
"""

from backpack.spec.laws import LAWS, LawBroken, check_laws, require
from backpack.spec.machine import BackpackMachine, machine_for
from backpack.spec.model import REMOVED, Model

__all__ = [
    "LAWS",
    "REMOVED",
    "BackpackMachine",
    "LawBroken",
    "Model",
    "check_laws",
    "machine_for",
    "require",
]
