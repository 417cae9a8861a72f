"""Rules of forgetting on request: commits that are erased, and another budget."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from backpack.audit import retained
from backpack.errors import BudgetError, CommitPruned, ConfigError, ConflictError, PolicyError
from backpack.records import Pruned, Refused
from backpack.spec.hostile import MISDEEDS, TRESPASSES
from backpack.spec.machine.abusing import Abusing
from backpack.spec.machine.base import Heard, begun, commits, event, keys, simple_values, step

if TYPE_CHECKING:
    from backpack.records import Commit

__all__ = ["Forgetting", "several"]

#: Bytes that are too few for any history.
_TOO_FEW: Final = 1000
#: Another budget is so much of the first one, in percent; the least that can be, at least.
_PERCENTS: Final = (50, 70, 90, 100, 200)

#: Which commits, as for one.
several: Final = st.lists(commits, min_size=1, max_size=3)


class Forgetting(Abusing):
    """What callers have forgotten goes at once, and for good; nothing else does."""

    @step(at=several, when=begun)
    def erase(self, at: list[int]) -> None:
        """Erase commits, retained or archived; all of them go, or none."""
        going = self.numbers(at)
        if not self.must_stay(going):
            self.erase_commits(going)

    def erase_commits(self, going: set[int]) -> None:
        """Erase commits that may go; or see that refused."""
        before, were, self.committing = self.backpack.memory_usage(), retained(self.backpack), False
        state, self.heard = self.fingerprint(), Heard()
        try:
            self.backpack.erase(*self.records(going))
        except (BudgetError, PolicyError) as error:
            self.require_unchanged(state, error)
            self.require_told([Refused(error)], error)
            return
        finally:
            self.committing = True
        event("erased")
        self.model.erased |= going
        self.require_told(self.erased_since(were, going))
        freed = before.history_bytes - self.backpack.memory_usage().history_bytes
        told = [each.freed_bytes for each in self.heard.events if isinstance(each, Pruned)]
        self.require(told in ([], [freed]), "E1", f"{told} bytes were freed, really {freed}.")

    @step(at=several, key=keys, value=simple_values, when=begun)
    def replace(self, at: list[int], key: str, value: Any) -> None:
        """Make a commit in whose favour others go, perhaps the newest."""
        self.replace_commits(self.numbers(at), key, value)

    def replace_commits(self, going: set[int], key: str, value: Any) -> None:
        """Make a commit in whose favour others go; or see that refused."""

        def attempt() -> Commit | None:
            with self.backpack.transaction() as transaction:
                transaction[key] = value
                transaction.erase(*self.records(going))
            return transaction.commit

        if going & self.pins or not all(map(self.is_there, going)):
            self.expect((ConflictError, CommitPruned), attempt)
            return
        event("replaced the newest" if len(self.model.commits) in going else "replaced")
        self.commit(attempt, {key: value}, erased=going)

    @step(percent=st.sampled_from(_PERCENTS))
    def resize(self, percent: int) -> None:
        """Give the history another budget: what has to go for it goes, or all is as it was."""
        self.expect(ConfigError, lambda: self.backpack.resize(_TOO_FEW))
        budget = self.budget_of(percent)
        state, were, had = self.fingerprint(), retained(self.backpack), self.budget
        self.heard, self.budget, self.committing = Heard(), budget, False
        try:
            self.backpack.resize(budget)
        except (BudgetError, PolicyError) as error:
            self.budget = had
            self.require_unchanged(state, error)
            self.require_told([Refused(error)], error)
            is_true = not isinstance(error, BudgetError) or error.needed > error.free == budget
            self.require(is_true, "F2", f"A budget of {budget} was refused: {error}.")
            return
        finally:
            self.committing = True
        usage = self.backpack.memory_usage()
        event("resized" if len(were) == usage.commits_retained else "resized, and pruned")
        self.require(
            usage.budget_bytes == self.backpack.max_history_size == budget,
            "B1",
            f"A budget of {budget} was given, and {usage} has another.",
        )
        self.require_told(self.pruned_since(were))
        self.highest = usage.history_bytes

    @step(
        misdeed=st.sampled_from(MISDEEDS["pruning"]),
        trespass=st.sampled_from(sorted(TRESPASSES)),
        key=keys,
    )
    def sabotage_resizing(self, misdeed: str, trespass: str, key: str) -> None:
        """The pruning policy breaks its contract when the budget is to be smaller."""
        self.fill(key)
        before, had = self.backpack.memory_usage(), self.budget
        budget = self.budget_of(min(_PERCENTS))
        if self.over or before.history_bytes <= budget:
            return

        def change() -> None:
            self.budget = budget
            self.backpack.resize(budget)

        self.sabotage_once("pruning", misdeed, trespass, change)
        # What is raw may have been all that was too much, and nobody was asked.
        self.budget = self.backpack.max_history_size
        if self.budget != had:
            self.highest = self.backpack.memory_usage().history_bytes

    @property
    def pins(self) -> set[int]:
        """The numbers of the commits that are pinned, wherever they are."""
        return self.model.pinned | self.model.archived_pins

    def numbers(self, at: Collection[int]) -> set[int]:
        """Return the numbers of commits; what they are counted as may be the same one."""
        return {self.commit_at(each).seq for each in at}

    def records(self, seqs: Collection[int]) -> list[Commit]:
        """Return the records of commits, in some order."""
        return [
            self.model.commits[seq - 1].commit for seq in sorted(seqs, key=lambda seq: -seq % 5)
        ]

    def must_stay(self, going: set[int]) -> bool:
        """Whether some of these cannot be erased, and see that none is."""
        stays = self.pins | {len(self.model.commits)}
        if not going & stays and all(map(self.is_there, going)):
            return False
        event("would have erased what has to stay, or is gone")
        self.expect(
            (ConflictError, CommitPruned), lambda: self.backpack.erase(*self.records(going))
        )
        return True

    def budget_of(self, percent: int) -> int:
        """Return so much of the budget that it began with, in bytes."""
        return max(4096, self.size * percent // 100)
