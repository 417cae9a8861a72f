"""An agent's state kept whole, and its git-like history inside a byte budget.

>>> from backpack import Backpack
>>> bp = Backpack.from_preset("long-running")
>>> before = bp.pack("plan", {"steps": ["search"]}, by="planner")
>>> after = bp.pack("plan", {"steps": ["search", "book"]}, by="planner")
>>> bp.snapshot(before)["plan"]
{'steps': ['search']}
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from backpack.codec import MsgpackCodec, UnsafePickleCodec
from backpack.container import Backpack
from backpack.errors import (
    ArchiveError,
    BackpackError,
    BudgetError,
    CommitPruned,
    ConfigError,
    ConflictError,
    CorruptError,
    InvalidKey,
    PolicyError,
    StaleWriter,
    TraceError,
    UnknownCommit,
    UnknownKey,
    UnknownName,
    UnpackableValue,
    ValueUnavailable,
)
from backpack.records import (
    Archived,
    Change,
    Commit,
    Committed,
    Diff,
    Event,
    HeldVersion,
    KeyUsage,
    LookedBack,
    NewValue,
    Pruned,
    PruneRequest,
    Reference,
    Referenced,
    Refused,
    RetainedCommit,
    SizedValue,
    SupersededVersion,
    Unavailable,
    Usage,
)
from backpack.snapshot import Snapshot
from backpack.transaction import Transaction

if TYPE_CHECKING:
    from backpack.aio import AsyncBackpack

__version__ = "0.1.0"

__all__ = [
    "ArchiveError",
    "Archived",
    "AsyncBackpack",
    "Backpack",
    "BackpackError",
    "BudgetError",
    "Change",
    "Commit",
    "CommitPruned",
    "Committed",
    "ConfigError",
    "ConflictError",
    "CorruptError",
    "Diff",
    "Event",
    "HeldVersion",
    "InvalidKey",
    "KeyUsage",
    "LookedBack",
    "MsgpackCodec",
    "NewValue",
    "PolicyError",
    "PruneRequest",
    "Pruned",
    "Reference",
    "Referenced",
    "Refused",
    "RetainedCommit",
    "SizedValue",
    "Snapshot",
    "StaleWriter",
    "SupersededVersion",
    "TraceError",
    "Transaction",
    "Unavailable",
    "UnknownCommit",
    "UnknownKey",
    "UnknownName",
    "UnpackableValue",
    "UnsafePickleCodec",
    "Usage",
    "ValueUnavailable",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """Import what few programs need when it is asked for: asyncio takes longer than the rest."""
    if name == "AsyncBackpack":
        return import_module("backpack.aio").AsyncBackpack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
