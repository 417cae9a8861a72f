"""The one list of laws: of every Backpack, and of the policies of each axis."""

from backpack.spec.laws import archive, container, policy, pruning, reference, sizing, storage
from backpack.spec.laws.container import check_laws
from backpack.spec.laws.law import (
    ARCHIVE,
    AXES,
    CONTAINER,
    LAWS,
    Law,
    LawBroken,
    NotApplicable,
    Table,
    laws_of,
    require,
)

__all__ = [
    "ARCHIVE",
    "AXES",
    "CONTAINER",
    "LAWS",
    "Law",
    "LawBroken",
    "NotApplicable",
    "Table",
    "archive",
    "check_laws",
    "container",
    "laws_of",
    "policy",
    "pruning",
    "reference",
    "require",
    "sizing",
    "storage",
]
