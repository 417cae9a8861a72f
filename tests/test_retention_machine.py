"""What an archive does not keep is the oldest, and all else stays exact, through every restart.

That nothing is lost where there are no limits is in the specification: laws A1 to A3.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from archives import LIMIT, Past, settings, some_value
from hypothesis import event
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backpack import Backpack, BudgetError
from backpack.archive import SqlArchive
from backpack.policies import (
    Compressed,
    Delta,
    Full,
    Oldest,
    Spill,
    Thinning,
)
from backpack.spec.standard import Haphazard

#: What fails here, and how it is told, is traced by the other tests of archives.
pytestmark = pytest.mark.no_cover

PRUNING: dict[str, Any] = {
    "oldest": Oldest,
    "thinning": Thinning,
    "haphazard": Haphazard,
}
STORAGE: dict[str, Any] = {
    "full": Full,
    "compressed": Compressed,
    "delta": lambda: Delta(span=4, least=1),
}
#: Programs for each policy; ``BACKPACK_PROGRAMS=200`` tries more.
EXAMPLES = int(os.environ.get("BACKPACK_PROGRAMS", "8"))

keys = st.sampled_from(["a", "b", "c\\0", "d\0"])
seeds = st.integers(0, 2**32)
commits = st.integers(0, 400)


class Archived(RuleBasedStateMachine):
    """Random programs on a Backpack with an archive, which is closed, killed and opened again."""

    pruning = "oldest"

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="archive"))
        self.past = Past()
        self.backpack: Backpack

    @initialize(
        write=st.sampled_from(["on-prune", "on-commit"]),
        storage=st.sampled_from(sorted(STORAGE)),
        budget=st.sampled_from([6144, 8192, 16384]),
        spills=st.booleans(),
        kept=st.sampled_from(
            [{"max_commits": 0}, {"max_commits": 40}, {"max_age": 30}, {"max_size": 65536}]
        ),
    )
    def begin(
        self, write: str, storage: str, budget: int, spills: bool, kept: dict[str, Any]
    ) -> None:
        """Begin it."""
        self.archive = SqlArchive(f"sqlite:///{self.folder}/archive.db", write=write, **kept)
        self.settings = settings(
            max_history_size=budget,
            storage=STORAGE[storage](),
            pruning=PRUNING[self.pruning](),
            clock=lambda: float(len(self.past.commits)),
        )
        if spills:
            self.settings["reference"] = Spill(LIMIT)
            self.past.spills = True
        self.backpack = Backpack(**self.settings, archive=self.archive, name="it")

    @rule(seed=seeds, key=keys, by=st.sampled_from([None, "n"]), tags=st.sampled_from([(), ("t",)]))
    def pack(self, seed: int, key: str, by: str | None, tags: tuple[str, ...]) -> None:
        """Pack a few values."""
        chance = random.Random(seed)  # noqa: S311
        for _ in range(chance.randrange(1, 12)):
            state = self.past.current
            state[key] = some_value(chance, state.get(key))
            try:
                commit = self.backpack.pack(key, state[key], by=by, tags=tags)
            except BudgetError:
                event("refused")
                return
            self.past.record(commit, state)
            # Of each change by itself: what the next one gives up may be older than what went.
            self.past.notice(self.backpack)

    @rule(seed=seeds, gone=st.sets(keys, max_size=2), new=st.sets(keys, max_size=3))
    def transact(self, seed: int, gone: set[str], new: set[str]) -> None:
        """Change several keys at once."""
        chance, state = random.Random(seed), self.past.current  # noqa: S311
        try:
            with self.backpack.transaction(note="several\0") as transaction:
                for key in sorted(gone & state.keys()):
                    transaction.remove(key)
                    del state[key]
                for key in sorted(new - gone):
                    state[key] = some_value(chance, state.get(key))
                    transaction[key] = state[key]
        except BudgetError:
            event("refused")
            return
        if transaction.commit is not None:
            self.past.record(transaction.commit, state)

    @precondition(lambda self: self.past.commits)
    @rule(at=commits, tag=st.sampled_from(["t", "u"]), pin=st.booleans())
    def mark(self, at: int, tag: str, pin: bool) -> None:
        """Tag, untag, pin or unpin a commit, wherever it is."""
        commit = self.past.kept[at % len(self.past.kept)]
        change = self.backpack.untag if tag in commit.tags else self.backpack.tag
        try:
            self.past.retag(change(commit, tag))
        except BudgetError:
            event("refused")
        self.past.notice(self.backpack)
        if commit.seq in self.past.gone:  # Without a tag, it need not stay.
            return
        if pin and len(self.past.pinned) < 3:
            self.backpack.pin(commit)
            self.past.pinned.add(commit.seq)
        else:
            while self.past.pinned:
                self.backpack.unpin(f"{self.past.pinned.pop()}-{self.backpack.code}")

    @precondition(lambda self: self.past.commits)
    @rule(at=commits, other=commits)
    def look_back(self, at: int, other: int) -> None:
        """Look at two commits, what is between them, and who changed a key."""
        past, kept = self.past, self.past.kept
        first, second = (kept[each % len(kept)].seq for each in (at, other))
        past.check_at(self.backpack, first)
        past.check_at(self.backpack, second)
        diff = self.backpack.diff(past.commits[first - 1], past.commits[second - 1])
        before, after = past.states[first - 1], past.states[second - 1]
        assert diff.added.keys() == after.keys() - before.keys()
        assert diff.removed.keys() == before.keys() - after.keys()
        assert set(diff.changed) == {
            key for key in before.keys() & after.keys() if before[key] != after[key]
        }
        for key in before.keys() | after.keys():
            changing = [each for each in kept[::-1] if key in each.keys]
            assert changing == self.backpack.history(key)

    @precondition(lambda self: self.past.commits)
    @rule(at=commits)
    def roll_back(self, at: int) -> None:
        """Make an old state the current one again, where all of it is there."""
        seq = self.past.kept[at % len(self.past.kept)].seq
        snapshot = self.backpack.snapshot(f"{seq}-{self.backpack.code}")
        if any(type(value).__name__ == "Unavailable" for value in snapshot.to_dict().values()):
            return
        old = self.past.states[seq - 1]
        state = {key: old[key] for key in self.past.current if key in old} | old
        try:
            commit = self.backpack.rollback(snapshot.commit)
        except BudgetError:
            event("refused")
            return
        # Keys that come back are behind the others, in no particular order.
        self.past.record(commit, {key: state[key] for key in self.backpack})

    @invariant()
    def notice(self) -> None:
        """The archive has removed nothing but the oldest that was over its limits."""
        if hasattr(self, "backpack"):
            before = len(self.past.gone)
            self.past.notice(self.backpack)
            self.check_limits(removed=len(self.past.gone) - before)

    def check_limits(self, *, removed: int) -> None:
        """What is kept is within the limits, and no more was removed than had to be."""
        archive, past = self.archive, self.past
        assert not past.gone or archive.retention.is_limited
        left = past.removable(self.backpack) - past.gone
        if archive.max_commits is not None:
            assert len(left) <= archive.max_commits
            assert not removed or len(left) >= archive.max_commits * 15 // 16
        if archive.max_age is not None:
            scribe = self.backpack._engine.scribe
            head = 0 if scribe is None else scribe.log.head
            newest = past.commits[head - 1].timestamp if head else 0.0
            ages = {seq: newest - past.commits[seq - 1].timestamp for seq in left | past.gone}
            assert all(ages[seq] <= archive.max_age * 17 / 16 for seq in left)
            assert all(ages[seq] > archive.max_age for seq in past.gone)
        if archive.max_size is not None and left:
            assert (self.folder / "archive.db").stat().st_size <= archive.max_size

    @rule()
    def restart(self) -> None:
        """Close it, and go on."""
        self.backpack.close()
        self.reopen()

    @rule()
    def crash(self) -> None:
        """Stop it without closing it: what was not durable is lost, and only that."""
        scribe = self.backpack._engine.scribe
        assert scribe is not None
        scribe.log.close()
        if self.archive.on_commit:
            assert scribe.log.head == len(self.past.commits)
        self.past.forget(scribe.log.head)
        self.reopen()

    def reopen(self) -> None:
        """Open it again."""
        code = self.backpack.code
        self.backpack = Backpack.open(self.archive, "it", **self.settings)
        assert code == self.backpack.code or not self.past.commits
        self.past.notice(self.backpack)
        self.past.check(self.backpack)

    def teardown(self) -> None:
        """Look at everything, and clean up."""
        if hasattr(self, "backpack"):
            self.past.check(self.backpack)
            event(f"commits: {len(self.past.commits) // 20 * 20}")
            self.backpack.close()
        shutil.rmtree(self.folder)


@pytest.fixture(autouse=True)
def no_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where removing what is over the limits fails: that is logged, and hurts nobody."""

    def tell(*_: object, **fields: object) -> None:
        pytest.fail(f"not tidied: {fields}")

    monkeypatch.setattr("backpack.archive.log.tell", tell)


@pytest.mark.parametrize("pruning", PRUNING)
def test_what_is_kept_is_exact(pruning: str) -> None:
    """Under pruning policies of each kind, with every storage policy, in both modes."""
    machine = type("Machine", (Archived,), {"pruning": pruning})
    run_state_machine_as_test(
        machine,
        settings=effort(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            report_multiple_bugs=False,
        ),
    )
