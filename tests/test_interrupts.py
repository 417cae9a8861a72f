"""F1 at every instruction: an interruption anywhere leaves the state as before or as after."""

from __future__ import annotations

import dis
import linecache
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import backpack.engine
from backpack import Backpack, PruneRequest
from backpack.audit import audit
from backpack.entries import Entry, Form
from backpack.policies import Delta, Full, KeepAll, Oldest, Stub
from backpack.protocols import PruningPolicy, StoragePolicy

#: It traces every instruction itself.
pytestmark = pytest.mark.no_cover

#: An operation is interrupted at each of its first places, and behind them at one in so many;
#: ``BACKPACK_STRIDE=1`` leaves none out.
_ALL_UP_TO = 150
STRIDE = int(os.environ.get("BACKPACK_STRIDE", "3"))

FOLDER = str(Path(backpack.engine.__file__).parent)


class Interrupter:
    """Raises KeyboardInterrupt at the n-th place in the library where a signal can arrive.

    The interpreter looks for signals where a function starts, where a loop goes round, and
    behind a call; never between the end of a ``with`` block and the call that leaves it.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.places = 0

    def run(self, operation: Callable[[], object]) -> bool:
        """Return whether the operation was interrupted."""
        watched = self._traced() if sys.version_info < (3, 12) else self._monitored()
        try:
            with watched:
                operation()
        except KeyboardInterrupt:
            return True
        return False

    def _pass(self, code: CodeType, offset: int) -> None:
        if offset in interruptible(code):
            self.places += 1
            if self.places == self.at:
                raise KeyboardInterrupt

    @contextmanager
    def _traced(self) -> Iterator[None]:
        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if not frame.f_code.co_filename.startswith(FOLDER):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if event == "opcode":
                self._pass(frame.f_code, frame.f_lasti)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(before)

    @contextmanager
    def _monitored(self) -> Iterator[None]:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        tool = 4

        def instruction(code: CodeType, offset: int) -> Any:
            if not code.co_filename.startswith(FOLDER):
                return monitoring.DISABLE
            return self._pass(code, offset)

        monitoring.use_tool_id(tool, "interrupter")
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, instruction)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            yield
        finally:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, monitoring.events.INSTRUCTION, None)
            monitoring.free_tool_id(tool)


@cache
def interruptible(code: CodeType) -> frozenset[int]:
    """Return the offsets of the instructions at which a signal can be delivered."""
    offsets = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("RESUME", "JUMP_BACKWARD") or "CALL" in instruction.opname:
            line = instruction.positions.lineno if instruction.positions else None
            text = linecache.getline(code.co_filename, line or 0)
            if not text.lstrip().startswith("with "):
                offsets.add(instruction.offset)
    return frozenset(offsets)


def filled() -> Backpack:
    """Return a Backpack whose next large pack must prune, with removals and a transaction."""
    bp = Backpack(
        max_history_size=5200, reference=Stub(1500), pruning=Oldest(fraction=0.4), clock=lambda: 0.0
    )
    for number in range(4):
        bp.pack("a", "a" * 200 + str(number), by="node", tags=("t",))
        bp.pack(f"b{number % 3}", number)
        if number % 2:
            bp.remove("a")
    bp.pack("big", "x" * 2000)
    return bp


def roomy() -> Backpack:
    """Return a Backpack with room, whose chains grow with the next change."""
    bp = Backpack(max_history_size=65_536, clock=lambda: 0.0)
    for number in range(3):
        bp.update(a=number, b=[number])
    return bp


class Leaning(Full):
    """A storage policy that is done in no time, and leaves the places to the engine."""

    span = 2


def leaning(
    budget: int,
    values: int,
    pruning: PruningPolicy,
    storage: StoragePolicy = Delta(span=2, least=1),  # noqa: B008
) -> Backpack:
    """Return a Backpack whose versions lean on each other, two keys' equal ones too."""
    bp = Backpack(
        max_history_size=budget,
        storage=storage,
        pruning=pruning,
        clock=lambda: 0.0,
    )
    for number in range(values):
        bp.update(a="text " * 60 + str(number), b=("text " * 60 + str(number // 2)))
    return bp


def grouping() -> Backpack:
    """Return one in which a key is about to make a group."""
    return leaning(65_536, 6, KeepAll())


def pressing() -> Backpack:
    """Return one in which the next pack fits only if what is raw is compacted."""
    return leaning(10_240, 4, Oldest())


def leaned_on() -> Backpack:
    """Return one whose next large pack prunes versions that others lean on."""
    return leaning(7_168, 3, second, Leaning())


def second(request: PruneRequest) -> list[str]:
    """Prune the second of the commits."""
    return [candidate.id for candidate in request.candidates][1:2]


def shown(bp: Backpack) -> object:
    """Return everything a Backpack answers, its own code left out."""
    return (
        [(commit.seq, commit.changes, commit.tags) for commit in bp.history()],
        [bp.snapshot(commit).to_dict() for commit in bp.history()],
        dict(bp),
        bp.memory_usage(by_key=True),
    )


OPERATIONS: dict[str, Callable[[Backpack], object]] = {
    "pack that prunes": lambda bp: bp.pack("big", "y" * 1400),
    "pack a new key": lambda bp: bp.pack("new", [1, 2, 3], by="new node", tags=("new",)),
    "remove": lambda bp: bp.remove("b1"),
    "transaction": lambda bp: bp.update({"a": 1, "b0": 2, "c": 3}),
    "tag": lambda bp: bp.tag(bp.history()[2], "one", "two"),
    "pin": lambda bp: bp.pin(bp.history()[2]),
    "rollback": lambda bp: bp.rollback(bp.history()[2]),
    "resize": lambda bp: bp.resize(4600),
    "erase": lambda bp: bp.erase(*bp.history()[1:3]),
}


#: The same on chains that only grow.
ROOMY: dict[str, Callable[[Backpack], object]] = {
    "supersede two": lambda bp: bp.update({"a": 9, "b": 10}),
    "remove one": lambda bp: bp.remove("a"),
    "clear": lambda bp: bp.clear(),
}
#: On versions that lean on each other: what makes a group, compacts, and prunes some of them.
LEANING: dict[str, tuple[Callable[[], Backpack], Callable[[Backpack], object]]] = {
    "pack that makes a group": (grouping, lambda bp: bp.pack("a", "text " * 60)),
    "pack that compacts": (pressing, lambda bp: bp.pack("a", "last", note="n" * 1900)),
    "pack that prunes what others lean on": (leaned_on, lambda bp: bp.pack("a", "text " * 60)),
}
CASES = [(filled, name, each) for name, each in OPERATIONS.items()] + [
    (roomy, name, each) for name, each in ROOMY.items()
]
CASES += [(start, name, each) for name, (start, each) in LEANING.items()]


@pytest.mark.parametrize("name", LEANING)
def test_what_is_interrupted_does_what_its_name_says(name: str) -> None:
    """Groups are made, raw versions compacted and such pruned that others lean on."""

    def forms(bp: Backpack) -> list[Form]:
        chains = bp._engine.history.chains.values()
        return [held.form for chain in chains for held in chain.held if isinstance(held, Entry)]

    start, operation = LEANING[name]
    bp = start()
    before, retained = forms(bp), len(bp.history())
    operation(bp)
    after, gone = forms(bp), retained + 1 - len(bp.history())
    assert Form.RAW in before
    assert ("prunes" in name) == gone
    if "compacts" in name:
        assert Form.ALONE not in before
        assert Form.ALONE in after
    elif not gone:
        assert before.count(Form.LEANING) < after.count(Form.LEANING)
    assert audit(bp) == []


def places() -> Iterator[int]:
    """Iterate over the places to interrupt: each of the first, and some of those behind."""
    yield from range(1, _ALL_UP_TO)
    yield from range(_ALL_UP_TO, 100_000, STRIDE)


# An interruption while a generator is thrown away is reported and dropped by the interpreter.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("start", "operation"),
    [(start, operation) for start, _, operation in CASES],
    ids=[name for _, name, _ in CASES],
)
def test_an_interruption_leaves_the_state_before_or_after(
    start: Callable[[], Backpack], operation: Callable[[Backpack], object]
) -> None:
    """Wherever an operation is interrupted, what is seen is the state before it or after it.

    Where the interruption left a plan to be finished, the finishing is interrupted too.
    """
    before, done = start(), start()
    operation(done)
    allowed = [shown(before), shown(done)]
    seen = set()
    for at in places():
        bp = start()
        interrupter = Interrupter(at)
        interrupter.run(lambda: operation(bp))  # noqa: B023
        if interrupter.places < at:
            break
        if bp._engine.history._pending is not None:
            Interrupter(at % 7 + 2).run(bp.memory_usage)
        state = shown(bp)
        assert state in allowed, f"interrupted at place {at}"
        assert audit(bp) == []
        seen.add(allowed.index(state))
        bp.pack("b1", "and it goes on")
        assert audit(bp) == []
    assert at > 20
    assert seen == {0, 1}
