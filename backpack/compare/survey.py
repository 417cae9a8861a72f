"""What a trace looks back at: which commits, when, and what their states are and weigh.

Two passes over the trace, with the state in a plain dict: nothing of a Backpack takes part. What
is found here is the measure of all contenders alike, and what the clairvoyant one knows.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import define, field, frozen

from backpack.codec import MsgpackCodec
from backpack.errors import TraceError, UnpackableValue
from backpack.operations import (
    Append,
    Change,
    Look,
    Operation,
    Pack,
    Remove,
    changes_of,
)
from backpack.replay import fingerprint, state_digest
from backpack.trace import read_trace

__all__ = ["LookAhead", "Survey", "survey"]


@frozen
class LookAhead:
    """One look of a trace at an earlier state.

    Attributes:
        line: Its line in the trace.
        seq: The number of the commit it looks at.
        made: How many commits there are at the time of the look.
    """

    line: int
    seq: int
    made: int


@frozen
class Survey:
    """What a trace does and looks back at, as far as it can be read.

    Attributes:
        operations: Its operations.
        commits: How many of them make a commit.
        looks: Its looks at earlier states, in order.
        state_bytes: ``{seq: bytes}``: what the state at a commit that is looked at weighs, each
            value as the default codec encodes it.
        digests: ``{seq: digest}`` of these states; see :func:`~backpack.replay.state_digest`.
        changes: ``{key: numbers of the commits that set it to another value or removed it}``,
            ascending.
        weights: ``{key: (numbers of commits that set it, bytes of what they set)}``, ascending;
            only of values that some look sees.
        error: Why the trace cannot be read to its end, if it cannot.
    """

    operations: int
    commits: int
    looks: tuple[LookAhead, ...]
    state_bytes: Mapping[int, int]
    digests: Mapping[int, bytes]
    changes: Mapping[str, array[int]]
    weights: Mapping[str, tuple[array[int], array[int]]]
    error: str | None = None

    @property
    def look_bytes(self) -> int:
        """Bytes of all the values that are looked at; one counts once for every look."""
        return sum(self.state_bytes[look.seq] for look in self.looks)

    def value_bytes(self, key: str, seq: int) -> int:
        """Return what the value of a key weighed at a commit that is looked at. O(log commits)."""
        numbers, sizes = self.weights[key]
        return sizes[bisect_right(numbers, seq) - 1]

    def superseded(self, key: str, seq: int) -> int | None:
        """Return the number of the first commit after this one that changed the key, if one did."""
        numbers = self.changes[key]
        place = bisect_right(numbers, seq)
        return numbers[place] if place < len(numbers) else None


def survey(path: Path, progress: Callable[[int, int], None] | None = None) -> Survey:
    """Read a trace twice, for what it looks back at and for the states that are seen.

    Args:
        path: The trace.
        progress: Called now and then with the bytes read so far and how many there are to read.

    Returns:
        What was found. An error in the trace is part of the answer, with all that stands before.
    """

    def advance(part: int) -> Callable[[int, int], None]:
        def told(done: int, total: int) -> None:
            if progress is not None:
                progress(part * total + done, 2 * total)

        return told

    looks: list[LookAhead] = []
    commits = operations = 0
    error = None
    try:
        for operation in read_trace(path, progress=advance(0)):
            operations += 1
            if isinstance(operation, Look):
                looks.append(LookAhead(operation.line, commits - operation.back, commits))
            else:
                commits += 1
    except TraceError as caught:
        error = str(caught)
    states = _States(sorted({look.seq for look in looks}))
    try:
        for operation in read_trace(path, progress=advance(1)):
            states.take(operation)
    except TraceError as caught:
        error = str(caught)
    return Survey(
        operations=operations,
        commits=commits,
        looks=tuple(looks),
        state_bytes=states.totals,
        digests=states.digests,
        changes=states.changes,
        weights=states.weights,
        error=error,
    )


@define
class _States:
    """The state of a trace as it goes, weighed wherever somebody will look at it.

    Attributes:
        wanted: Numbers of the commits that are looked at, ascending.
    """

    wanted: list[int]
    totals: dict[int, int] = field(factory=dict)
    digests: dict[int, bytes] = field(factory=dict)
    changes: dict[str, array[int]] = field(factory=dict)
    weights: dict[str, tuple[array[int], array[int]]] = field(factory=dict)
    _codec: MsgpackCodec = field(factory=MsgpackCodec)
    _state: dict[str, object] = field(factory=dict)
    # What is worked out about the value that stands under a key.
    _prints: dict[str, bytes] = field(factory=dict)
    _sizes: dict[str, int] = field(factory=dict)
    _seq: int = 0

    def take(self, operation: Operation) -> None:
        """Take the next operation; weigh the state if it is one that is looked at."""
        if isinstance(operation, Look):
            return
        self._seq += 1
        for change in changes_of(operation):
            self._change(change)
        place = bisect_left(self.wanted, self._seq)
        if place < len(self.wanted) and self.wanted[place] == self._seq:
            self._weigh()

    def _change(self, change: Change) -> None:
        key = change.key
        match change:
            case Pack(value=value):
                if key in self._state and self._printed(key) == fingerprint(value):
                    return
                self._state[key] = value
            case Append(item=item):
                items = self._state[key]
                if isinstance(items, list):  # The reader has seen to it.
                    self._state[key] = [*items, item]
            case Remove():
                del self._state[key]
        self._prints.pop(key, None)
        self._sizes.pop(key, None)
        self.changes.setdefault(key, array("Q")).append(self._seq)

    def _weigh(self) -> None:
        self.totals[self._seq] = sum(map(self._sized, self._state))
        self.digests[self._seq] = state_digest((key, self._printed(key)) for key in self._state)

    def _printed(self, key: str) -> bytes:
        if key not in self._prints:
            self._prints[key] = fingerprint(self._state[key])
        return self._prints[key]

    def _sized(self, key: str) -> int:
        if key not in self._sizes:
            try:
                size = len(self._codec.encode(self._state[key], key))
            except UnpackableValue:
                # Another codec may take it.
                size = len(self._printed(key))
            self._sizes[key] = size
            numbers, sizes = self.weights.setdefault(key, (array("Q"), array("Q")))
            numbers.append(self.changes[key][-1])
            sizes.append(size)
        return self._sizes[key]
