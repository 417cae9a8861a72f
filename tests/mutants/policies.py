"""The broken policies of all four axes, and the odd but lawful ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from mutants import leaning, pruning, reference, sizing, storage

__all__ = ["BROKEN", "HANGING", "ODD", "Broken"]


@frozen
class Broken:
    """A policy with one bug.

    Attributes:
        axis: Which question it answers: ``sizing``, ``reference``, ``storage`` or ``pruning``.
        law: The law that must kill it.
        make: Returns a new policy.
    """

    axis: str
    law: str
    make: Callable[[], object]


_MODULES: Final = (
    ("sizing", sizing),
    ("reference", reference),
    ("storage", storage),
    ("storage", leaning),
    ("pruning", pruning),
)

BROKEN: Final[dict[str, Broken]] = {
    name: Broken(axis, law, make)
    for axis, module in _MODULES
    for name, (law, make) in module.BROKEN.items()
}
"""Policies that come back with a wrong answer, or raise."""

HANGING: Final[dict[str, Broken]] = {
    name: Broken(axis, law, make)
    for axis, module in _MODULES
    for name, (law, make) in module.HANGING.items()
}
"""Policies that never come back, or end the process."""

ODD: Final[dict[str, tuple[str, Callable[[], object]]]] = {
    name: (axis, make) for axis, module in _MODULES for name, make in module.ODD.items()
}
"""Policies that look strange and break no law: ``{name: (axis, make)}``."""
