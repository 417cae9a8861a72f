"""What can go wrong, as one tree of exceptions.

::

    BackpackError
    ├── ConfigError        (ValueError)   a setting that cannot work
    ├── TraceError         (ValueError)   a line of a trace that is no operation
    ├── InvalidKey         (TypeError, ValueError)   not a non-empty string
    ├── UnpackableValue    (TypeError)    a value that cannot be kept exactly
    ├── UnknownKey         (KeyError)     no such key in this state
    ├── UnknownCommit      (LookupError)  no commit of this Backpack has that id
    ├── CommitPruned       (LookupError)  the commit existed; history gave it up
    ├── ValueUnavailable   (LookupError)  history holds only a reference to the value
    ├── BudgetError        the change does not fit, and nothing could be pruned for it
    ├── PolicyError        a policy broke its contract
    ├── ConflictError      a value was changed while an edit or a transaction was open
    ├── CorruptError       stored bytes do not decode to what was stored
    └── ArchiveError       the archive cannot be reached, read or written, or is none
        ├── UnknownName    (LookupError)  the archive has no Backpack of that name
        └── StaleWriter    another writer has, or has taken, the name

After any of them the Backpack is as it was before the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.wording import one_line

if TYPE_CHECKING:
    from backpack.records import Unavailable

__all__ = [
    "ArchiveError",
    "BackpackError",
    "BudgetError",
    "CommitPruned",
    "ConfigError",
    "ConflictError",
    "CorruptError",
    "InvalidKey",
    "PolicyError",
    "StaleWriter",
    "TraceError",
    "UnknownCommit",
    "UnknownKey",
    "UnknownName",
    "UnpackableValue",
    "ValueUnavailable",
]


class BackpackError(Exception):
    """The root of every error Backpack raises on purpose."""


class ConfigError(BackpackError, ValueError):
    """A setting that cannot work.

    Args:
        message: What was found, what is allowed, what to do.
        field: The setting, dotted (``pruning.fraction``), if one is to blame.
        where: The file and line it stands at (``agent.yaml:6``), if it came from a file.
    """

    def __init__(self, message: str, *, field: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.where = where

    def __str__(self) -> str:
        # A field may be whatever a file has for one.
        field = self.field and one_line(self.field)
        return ": ".join(part for part in (self.where, field, self.message) if part)


class TraceError(BackpackError, ValueError):
    """A trace that cannot be read: the file, the line, and what was expected there.

    Args:
        message: What was found and what was expected.
        where: The file and line (``run.jsonl:17``).
    """

    def __init__(self, message: str, *, where: str) -> None:
        super().__init__(message)
        self.message = message
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class InvalidKey(BackpackError, TypeError, ValueError):
    """A key that is not a non-empty string of valid Unicode."""


class UnpackableValue(BackpackError, TypeError):
    """A value that cannot be kept exactly.

    Args:
        message: What is wrong with it and what to do.
        path: Where inside the value (``plan.steps[3].client``); starts with the key.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class UnknownKey(BackpackError, KeyError):
    """No such key in this state."""

    # KeyError would show the repr of the message.
    __str__ = Exception.__str__


class UnknownCommit(BackpackError, LookupError):
    """No commit of this Backpack has, or ever had, that id."""


class CommitPruned(BackpackError, LookupError):
    """The commit existed, but history no longer answers for it."""


class ValueUnavailable(BackpackError, LookupError):
    """History kept only a reference to this value.

    Args:
        unavailable: Which key, how many bytes, why, and what to do.
    """

    def __init__(self, unavailable: Unavailable) -> None:
        super().__init__(str(unavailable))
        self.unavailable = unavailable


class BudgetError(BackpackError):
    """The change does not fit into the history budget, and nothing was changed.

    Args:
        message: The numbers, the policy, and the settings that would help.
        needed: Bytes of history the change needs.
        free: Bytes that were free, or could be freed.
        budget: The budget, in bytes.
        policy: The pruning policy that was asked for room.
    """

    def __init__(self, message: str, *, needed: int, free: int, budget: int, policy: str) -> None:
        super().__init__(message)
        self.needed = needed
        self.free = free
        self.budget = budget
        self.policy = policy


class PolicyError(BackpackError):
    """A policy broke its contract; the change it was asked for did not happen.

    Args:
        message: What it did and what the contract says.
        policy: The policy's name.
    """

    def __init__(self, message: str, *, policy: str) -> None:
        super().__init__(message)
        self.policy = policy


class ConflictError(BackpackError):
    """A value was changed under an open edit or transaction, which was not packed."""


class CorruptError(BackpackError):
    """Stored bytes do not decode to what was stored."""


class ArchiveError(BackpackError):
    """The archive cannot be reached, read or written, or it is none; nothing was changed."""


class UnknownName(ArchiveError, LookupError):
    """The archive has no Backpack of that name."""


class StaleWriter(ArchiveError):
    """Another writer has the name, or has taken it since; nothing was written."""
