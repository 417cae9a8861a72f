"""The spec catches broken engines: each mutant here is killed by the law it names."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from backpack import (
    Backpack,
    audit,
    budget,
    container,
    engine,
    guard,
    history,
    plan,
    reader,
    relief,
    snapshot,
    usage,
)
from backpack.policies import LeastAccessed, Oldest, Stub
from backpack.records import Pruned
from backpack.spec import LawBroken, machine_for

#: Enough to find every mutant; nothing is shrunk, since only the law is asked for.
PROFILE = settings(
    max_examples=60,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def rewritten(owner: ModuleType | type, name: str, old: str, new: str) -> Iterator[None]:
    """Put a function in whose source differs in one place."""
    original = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(original))
    assert 1 == source.count(old), f"{name} has no single {old!r}"
    scope: dict[str, Any] = {}
    module = inspect.getmodule(original)
    assert module is not None
    exec("from __future__ import annotations\n" + source.replace(old, new), vars(module), scope)  # noqa: S102
    # The engine's modules have names of each other's functions.
    users: list[ModuleType | type] = [m for m in MODULES if vars(m).get(name) is original]
    with pytest.MonkeyPatch.context() as patch:
        for user in users or [owner]:
            patch.setattr(user, name, scope[name])
        yield


MODULES = (audit, budget, container, engine, history, plan, reader, relief, snapshot, usage)


@contextmanager
def pruned_after_applying() -> Iterator[None]:
    """Apply the change first, and make room for it then."""

    def apply(self: engine.Engine, proposal: plan.Proposal) -> list[Any]:
        self.history.apply(plan.make_plan(self.history, proposal))
        room = relief.make_room(
            self.history,
            plan.Proposal(),
            budget=self.settings.max_history_size,
            policy=self.settings.pruning,
            guard=self.guard,
        )
        self.history.apply(room.plan)
        ids = tuple(f"{seq}-{self.code}" for seq in room.victims)
        return [Pruned(ids, room.freed_bytes, "late")] if ids else []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.Engine, "_apply", apply)
        yield


@contextmanager
def alias_handed_out() -> Iterator[None]:
    """Decode equal bytes once, and hand the same object out again."""
    decode, seen = reader.Reader.decode, dict[bytes, object]()

    def cached(self: reader.Reader, key: str, encoded: bytes) -> object:
        if encoded not in seen:
            seen[encoded] = decode(self, key, encoded)
        return seen[encoded]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader.Reader, "decode", cached)
        yield


def mutant(owner: ModuleType | type, name: str, old: str, new: str) -> Callable[[], Any]:
    """Return how to put a mutant in."""
    return lambda: rewritten(owner, name, old, new)


MUTANTS: dict[str, tuple[set[str], Callable[[], Any]]] = {
    "a version is freed one commit too early": (
        {"S1", "S4", "B2"},
        mutant(plan, "_squash", "if key in seen:", "if True:"),
    ),
    "room is made after the change": ({"B1"}, pruned_after_applying),
    "a tombstone is forgotten in a squash": (
        {"S1", "S4", "B2"},
        mutant(plan, "_with_leading_tombstones", "break", "continue"),
    ),
    "a tombstone is forgotten in a removal": (
        {"S1", "S4", "B2"},
        mutant(plan, "_arrive", "entries.append((commit.seq, TOMBSTONE))", "pass"),
    ),
    "a reference counts as zero": (
        {"B2"},
        mutant(
            budget,
            "held_cost",
            "return VERSION_BYTES + REFERENCE_BYTES + texts",
            "return 0",
        ),
    ),
    "a reference counts as a version without a value": (
        {"B2"},
        mutant(
            budget,
            "held_cost",
            "return VERSION_BYTES + REFERENCE_BYTES + texts",
            "return VERSION_BYTES",
        ),
    ),
    "an alias is handed out": ({"S3", "S1", "R1"}, alias_handed_out),
    "the budget is off by one": (
        {"B1"},
        mutant(
            relief,
            "make_room",
            "while plan.history_bytes > budget:",
            "while plan.history_bytes > budget + 1:",
        ),
    ),
    "what fits exactly is refused": (
        {"B1"},
        mutant(
            engine.Engine,
            "_apply",
            "budget=self.settings.max_history_size",
            "budget=self.settings.max_history_size - 1",
        ),
    ),
    "an inherited key is lost": (
        {"B2", "S4", "S1"},
        mutant(plan, "_squash", "plan.inherited.append((heir, owned + inherited))", "pass"),
    ),
    "a version nobody sees is kept": (
        {"S4", "B2"},
        mutant(plan, "_squash", "_cut(history, key, victim.commit.seq, cuts)", "pass"),
    ),
    "a chain reads one commit off": (
        {"S1", "R2", "S2"},
        mutant(
            history.Chain,
            "at",
            "bisect_right(self.seqs, seq) - 1",
            "bisect_right(self.seqs, seq - 1) - 1",
        ),
    ),
    "the peak is forgotten": (
        {"B1"},
        mutant(
            history.History,
            "settle",
            "max(self.peak_bytes, plan.history_bytes)",
            "plan.history_bytes",
        ),
    ),
    "names are never given back": (
        {"B2"},
        mutant(plan, "_squash", "uses[name] -= 1", "uses[name] -= 0"),
    ),
    "a pinned commit is offered": (
        {"P1"},
        mutant(relief.Candidates, "_may_go", "retained.pinned or ", ""),
    ),
    "the head is offered too early": (
        {"P1"},
        mutant(
            relief,
            "make_room",
            "if not candidates and proposal.commit is not None:",
            "if proposal.commit is not None:",
        ),
    ),
    "an equal value makes a version": (
        {"S4"},
        mutant(
            engine.Engine,
            "_propose",
            "elif before is not None and before.encoded == value.encoded:",
            "elif before is not None and before.encoded is value.encoded:",
        ),
    ),
    "a pruned commit is unknown": (
        {"P2"},
        mutant(reader.Reader, "find", "if seq > self.history.made:", "if True:"),
    ),
    "a policy may re-enter": (
        {"P3", "F1", "B2", "P2", "B1", "R1"},
        mutant(guard.Guard, "check", "if self._asking is not None:", "if False:"),
    ),
    "a choice is not held against the offer": (
        {"P3", "P1", "B2"},
        mutant(relief, "_ask", "if seq is None or seq in chosen:", "if seq is None:"),
    ),
    "a reference tells another size": (
        {"R2"},
        mutant(reader, "unavailable", "size=reference.size,", "size=reference.size + 1,"),
    ),
    "a set of what is removed is missed by a diff": (
        {"S1"},
        mutant(snapshot, "diff", "removed[key] = reader.value(key, before)", "pass"),
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_the_spec_kills(name: str) -> None:
    """A Backpack broken in this way breaks a law that the mutant names."""
    laws, broken = MUTANTS[name]
    makers: list[Callable[[], Backpack]] = [
        lambda: Backpack(max_history_size=8192, reference=Stub(1024), pruning=Oldest(fraction=0.5)),
        lambda: Backpack(max_history_size=6144, reference=Stub(1024), pruning=LeastAccessed()),
    ]
    killers = set()
    with broken():
        for make in makers:
            machine = machine_for(make)
            machine.TestCase.settings = PROFILE
            try:
                machine.TestCase("runTest").runTest()
            except BaseException as raised:
                killers |= laws_in(raised)
    assert killers & laws, f"{name} was killed by {sorted(killers) or 'nothing'}"


def laws_in(raised: BaseException) -> set[str]:
    """Return the laws an exception, or a group of them, says are broken."""
    if isinstance(raised, BaseExceptionGroup):
        return set().union(*map(laws_in, raised.exceptions))
    if isinstance(raised, LawBroken):
        return {raised.law}
    return set()
