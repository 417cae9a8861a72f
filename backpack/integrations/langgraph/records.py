"""What passes between the parts: checkpoints and pending writes, serialized by the framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from attrs import field, frozen

__all__ = ["Found", "Incoming", "Place", "SaverUsage", "Typed", "Write"]

#: A serialized value, as a serializer of LangGraph makes it: which way, and the bytes.
Typed: TypeAlias = tuple[str, bytes]

#: Which checkpoint: its namespace and its id.
Place: TypeAlias = tuple[str, str]


@frozen
class Write:
    """A pending write: what a task has written that is not yet part of a checkpoint.

    Attributes:
        task: The id of the task.
        index: Which of its writes; below 0 for errors, interrupts and the like.
        channel: Where it is written.
        value: What, serialized.
        path: The path of the task, by which the writes of one step are ordered.
    """

    task: str
    index: int
    channel: str
    value: Typed
    path: str

    @property
    def slot(self) -> tuple[str, int]:
        """What there is one write for."""
        return self.task, self.index


@frozen
class SaverUsage:
    """What the threads of a saver take that are in memory.

    Attributes:
        threads: How many there are.
        checkpoints: How many checkpoints their histories answer for.
        history_bytes: What these take, the ledger of them included: what the budgets bound.
        budget_bytes: What they may take together; None for no limit.
        current_bytes: What the newest checkpoints take, with their pending writes.
        waiting_bytes: What pending writes take whose checkpoint is not there yet.
    """

    threads: int
    checkpoints: int
    history_bytes: int
    budget_bytes: int | None
    current_bytes: int
    waiting_bytes: int


@frozen
class Incoming:
    """A checkpoint that is put.

    Attributes:
        place: Its namespace and id.
        parent: The id of the checkpoint it was made from, in the same namespace.
        checkpoint: All of it but the values of its channels, serialized.
        metadata: Its metadata, serialized.
        channels: The channels it has.
        changed: Those that are new since its parent; None for one that is empty now.
        spare: Serializes what the caller says that a channel has, if it does.
        counting: The delta channels that count the steps since they were last whole.
        within: The checkpoint of the enclosing graph in whose step it was made.
    """

    place: Place
    parent: str | None
    checkpoint: Typed
    metadata: Typed
    channels: frozenset[str]
    changed: Mapping[str, Typed | None]
    spare: Callable[[str], Typed | None]
    counting: frozenset[str] = frozenset()
    within: Place | None = None


@frozen
class Found:
    """A checkpoint that is read.

    Attributes:
        place: Its namespace and id.
        parent: The id of the checkpoint it was made from.
        checkpoint: All of it but the values of its channels, serialized.
        metadata: Its metadata, serialized.
        values: What its channels have, serialized; nothing for an empty one.
        writes: Its pending writes, in the order in which their step applies them.
        deltas: The delta channels that its namespace is known to have.
        is_open: Whether some of them are rebuilt from its ancestors.
        within: The checkpoint of the enclosing graph in whose step it was made.
    """

    place: Place
    parent: str | None
    checkpoint: Typed
    metadata: Typed
    values: Mapping[str, Typed]
    writes: Sequence[Write] = ()
    deltas: frozenset[str] = field(default=frozenset())
    is_open: bool = False
    within: Place | None = None
