"""Replays a trace through a Backpack, and keeps what a report and a verification need."""

from __future__ import annotations

import hashlib
import marshal
from array import array
from collections.abc import Iterable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, frozen

from backpack.errors import BackpackError, CommitPruned, CorruptError
from backpack.labels import check_labels
from backpack.operations import Append, Change, Look, Operation, Pack, Remove, Several
from backpack.records import Pruned, Referenced, Unavailable, Usage
from backpack.wording import shown

if TYPE_CHECKING:
    from backpack.container import Backpack
    from backpack.records import Event

__all__ = ["LookBack", "Replay", "Samples", "commit_id", "fingerprint", "replay", "state_digest"]

# The oldest format has no back references, so its bytes depend on nothing but the value.
_MARSHAL_VERSION = 2

#: In place of a value: there shall be none.
_GONE: Final = object()


@frozen
class LookBack:
    """What one look at an earlier state returned, as far as it takes to check it later.

    Attributes:
        line: Its line in the trace.
        seq: The number of the commit looked at.
        made: How many commits there were at the time of the look.
        digest: Of the values that were readable; see :func:`state_digest`.
        unavailable: The markers in place of those that were not.
    """

    line: int
    seq: int
    made: int
    digest: bytes
    unavailable: tuple[Unavailable, ...]


@frozen
class Replay:
    """What happened while a trace was replayed.

    Attributes:
        operations: Operations done.
        commits: How many of them made a commit.
        look_backs: The looks at earlier states that were answered, in order.
        looks_pruned: How many looks met a commit that history had given up.
        references: Packed values that the reference policy left out of history.
        prunings: How often commits were given up to make room.
        over_budget: After how many operations history took more than its budget.
        usage: What the Backpack took at the end.
        history_over_time: ``(commits made, bytes of history)``, oldest first, 240 at most; each
            is the most history took since the one before.
        pack_ns: How long each pack, or commit of several changes, took, in nanoseconds.
        snapshot_ns: How long each look took, from opening the snapshot to the whole state.
        seconds: How long it all took.
        error: What ended it before the end of the trace, if something did.
        line: The line of the trace at which that happened; None if the reader itself failed.
    """

    operations: int
    commits: int
    look_backs: tuple[LookBack, ...]
    looks_pruned: int
    references: int
    prunings: int
    over_budget: int
    usage: Usage
    history_over_time: tuple[tuple[int, int], ...]
    pack_ns: array[int]
    snapshot_ns: array[int]
    seconds: float
    error: BackpackError | None = None
    line: int | None = None


def replay(operations: Iterable[Operation], backpack: Backpack) -> Replay:
    """Do what a trace says, until its end or the first error.

    Args:
        operations: The operations, as :func:`~backpack.trace.read_trace` yields them.
        backpack: A new Backpack, without commits.

    Returns:
        What happened. An error of the trace or of the Backpack ends the replay and is part of
        the answer; everything done before it counts.

    Raises:
        ValueError: The Backpack has commits already.
    """
    if backpack.head is not None:
        raise ValueError(f"a new Backpack is needed; this one is at commit {backpack.head.id}")
    run = _Run(backpack)
    unsubscribe = backpack.subscribe(run.hear)
    line = None
    error: BackpackError | None = None
    start = perf_counter_ns()
    try:
        for operation in operations:
            line = operation.line
            run.do(operation)
            line = None
    except BackpackError as caught:
        error = caught
    finally:
        unsubscribe()
    return Replay(
        operations=run.operations,
        commits=run.commits,
        look_backs=tuple(run.look_backs),
        looks_pruned=run.looks_pruned,
        references=run.references,
        prunings=run.prunings,
        over_budget=run.over_budget,
        usage=backpack.memory_usage(),
        history_over_time=run.samples.points(),
        pack_ns=run.pack_ns,
        snapshot_ns=run.snapshot_ns,
        seconds=(perf_counter_ns() - start) / 1e9,
        error=error,
        line=line,
    )


def fingerprint(value: Any) -> bytes:
    """Return bytes that are equal exactly if two JSON values are the same, type for type.

    Unlike ``==`` it tells ``1`` from ``1.0`` and ``True``, ``0.0`` from ``-0.0``, and a list from
    a tuple; unlike ``json.dumps`` it is fast enough to read every snapshot of a long run.

    >>> fingerprint([1, "a"]) == fingerprint([1, "a"])
    True
    >>> fingerprint([1]) == fingerprint([1.0]), fingerprint([1]) == fingerprint((1,))
    (False, False)
    """
    try:
        return marshal.dumps(value, _MARSHAL_VERSION)
    except ValueError:
        return b"no JSON value: " + type(value).__qualname__.encode()


def state_digest(fingerprints: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a digest of a whole state, whatever the order of its keys.

    Args:
        fingerprints: ``(key, fingerprint of the value)`` of each key.
    """
    digest = hashlib.blake2b(digest_size=16)
    for key, printed in sorted(fingerprints):
        digest.update(b"%d,%d:" % (len(key.encode()), len(printed)))
        digest.update(key.encode())
        digest.update(printed)
    return digest.digest()


def commit_id(backpack: Backpack, seq: int) -> str:
    """Return the id of the Backpack's commit with this number, retained or not."""
    head = backpack.head
    if head is None:
        raise ValueError("a Backpack without commits has no commit ids")
    return evolve(head, seq=seq).id


@define
class Samples:
    """How a number of bytes developed, in a bounded number of points.

    Attributes:
        limit: The most points kept, an even number.
    """

    limit: int = 240
    _points: list[tuple[int, int]] = field(factory=list, init=False)
    _stride: int = field(default=1, init=False)
    _count: int = field(default=0, init=False)
    _most: int = field(default=0, init=False)
    _last: int = field(default=0, init=False)

    def add(self, position: int, size: int) -> None:
        """Take the size at a position; positions only grow."""
        self._count += 1
        self._most = max(self._most, size)
        self._last = position
        if self._count < self._stride:
            return
        self._points.append((position, self._most))
        self._count = self._most = 0
        if len(self._points) >= self.limit:
            pairs = zip(self._points[::2], self._points[1::2], strict=True)
            self._points = [(later[0], max(earlier[1], later[1])) for earlier, later in pairs]
            self._stride *= 2

    def points(self) -> tuple[tuple[int, int], ...]:
        """Return ``(position, most since the point before)``, oldest first."""
        rest = [(self._last, self._most)] if self._count else []
        return (*self._points, *rest)


@define
class _Run:
    """One replay under way."""

    backpack: Backpack
    operations: int = 0
    commits: int = 0
    look_backs: list[LookBack] = field(factory=list)
    looks_pruned: int = 0
    references: int = 0
    prunings: int = 0
    over_budget: int = 0
    samples: Samples = field(factory=Samples)
    pack_ns: array[int] = field(factory=lambda: array("Q"))
    snapshot_ns: array[int] = field(factory=lambda: array("Q"))

    def hear(self, event: Event) -> None:
        """Count what the Backpack tells."""
        self.references += isinstance(event, Referenced)
        self.prunings += isinstance(event, Pruned)

    def do(self, operation: Operation) -> None:
        """Do one operation, and look at the budget after it."""
        match operation:
            case Look():
                self._look(operation)
            case _:
                self._commit(operation)
        self.operations += 1
        usage = self.backpack.memory_usage()
        self.over_budget += usage.history_bytes > usage.budget_bytes
        if not isinstance(operation, Look):
            self.samples.add(self.commits, usage.history_bytes)

    def _commit(self, operation: Change | Several) -> None:
        labels: dict[str, Any] = {
            "by": operation.by,
            "tags": operation.tags,
            "note": operation.note,
        }
        if isinstance(operation, Remove):
            self.backpack.remove(operation.key, **labels)
        elif isinstance(operation, Several):
            values = [(each.key, _value(each, self.backpack)) for each in operation.changes]
            start = perf_counter_ns()
            _commit_several(self.backpack, values, labels)
            self.pack_ns.append(perf_counter_ns() - start)
        else:
            value = _value(operation, self.backpack)
            start = perf_counter_ns()
            self.backpack.pack(operation.key, value, **labels)
            self.pack_ns.append(perf_counter_ns() - start)
        self.commits += 1

    def _look(self, operation: Look) -> None:
        seq = self.commits - operation.back
        start = perf_counter_ns()
        try:
            state = self.backpack.snapshot(commit_id(self.backpack, seq)).to_dict()
        except CommitPruned:
            self.looks_pruned += 1
            return
        self.snapshot_ns.append(perf_counter_ns() - start)
        missing = {key: value for key, value in state.items() if isinstance(value, Unavailable)}
        self.look_backs.append(
            LookBack(
                line=operation.line,
                seq=seq,
                made=self.commits,
                digest=state_digest(
                    (key, fingerprint(value)) for key, value in state.items() if key not in missing
                ),
                unavailable=tuple(missing.values()),
            )
        )


def _value(change: Change, backpack: Backpack) -> object:
    """Return what a change shall make of its key; ``_GONE`` if it removes it."""
    match change:
        case Pack(value=value):
            return value
        case Append(key=key, item=item):
            items = backpack.unpack(key)
            if not isinstance(items, list):
                raise CorruptError(
                    f"{shown(key)} was packed as a list and reads back as a "
                    f"{type(items).__name__}; is the codec exact?"
                )
            return [*items, item]
    return _GONE


def _commit_several(
    backpack: Backpack, values: list[tuple[str, object]], labels: dict[str, Any]
) -> None:
    """Make one commit of several changes, or of none."""
    if not values:
        # Users make such commits by a rollback to where they are, but with a note of its own.
        backpack._engine.commit({}, check_labels(**labels))
        return
    with backpack.transaction(**labels) as transaction:
        for key, value in values:
            if value is _GONE:
                transaction.remove(key)
            else:
                transaction.pack(key, value)
