"""Doing things to the Backpack on the workbench, and holding what was said about it to account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from backpack.audit import has_archive, raw_bytes, retained
from backpack.errors import BackpackError, BudgetError, CommitPruned, PolicyError
from backpack.guard import name_of
from backpack.records import Committed, Pruned, Referenced, Refused
from backpack.spec.laws.shown import check_diff
from backpack.spec.machine.base import Bench, Heard, event
from backpack.spec.model import REMOVED

if TYPE_CHECKING:
    from backpack.records import Commit, Event
    from backpack.spec.model import Recorded

__all__ = ["LARGE", "Doing"]

#: Bytes of room that no text is to fill.
LARGE: Final = 1024 * 1024


class Doing(Bench):
    """What rules are made of: a change that is made or refused, an attempt that must fail."""

    def fingerprint(self) -> object:
        """Return all that can be seen cheaply; the values are compared by the laws."""
        return retained(self.backpack), self.backpack.memory_usage(by_key=True)

    def room(self) -> int | None:
        """Return how many bytes are free; None if a text of that length would be a long one."""
        room = self.backpack.memory_usage().headroom_bytes
        return room if room < LARGE else None

    def commit(
        self,
        make: Callable[[], Commit | None],
        changes: Mapping[str, object],
        *,
        by: str | None = None,
        tags: Collection[str] = (),
        note: str | None = None,
        erased: Collection[int] = (),
    ) -> None:
        """Do something that makes a commit, and tell the model; or see it refused.

        Args:
            make: Does it; returns the commit, or None if it has made none.
            changes: ``{key: value}`` it is to set, REMOVED to remove.
            by: The node it must name.
            tags: The tags it must have.
            note: The note it must have.
            erased: The numbers of the commits in whose place it comes.
        """
        before, order = self.fingerprint(), list(self.backpack)
        were = retained(self.backpack)
        self.heard, self.saboteur.asked = Heard(), 0
        try:
            commit = make()
        except BudgetError as error:
            event("refused for the budget")
            self.require_unchanged(before, error)
            self.require_true_refusal(error, Refused(error, tuple(changes)))
            return
        except PolicyError as error:
            event("a policy failed by itself")  # Which is a breach of its own laws.
            self.require_unchanged(before, error)
            self.require(self.saboteur.asked, "P3", f"A policy is blamed, and none asked: {error}")
            self.require_told([Refused(error, tuple(changes))], error)
            return
        if commit is None:
            self.require(not self.heard.events, "E1", f"Told {self.heard.events} of no commit.")
            return
        predicted = self.model.predict(changes, self.now, by, tags, note)
        in_order = evolve(commit, changes=tuple(sorted(commit.changes, key=lambda each: each.key)))
        self.require(in_order == predicted, "C1", lambda: f"{commit} is not {predicted}.")
        self.model.record(commit, changes)
        self.model.erased.update(erased)
        stayed = [key for key in order if changes.get(key) is not REMOVED]
        self.require(
            list(self.backpack)[: len(stayed)] == stayed,
            "R1",
            f"The keys were {order}, are {list(self.backpack)}, and {sorted(changes)} changed.",
        )
        gone = self.erased_since(were, erased) if erased else self.pruned_since(were)
        self.require_true_events(commit, gone)

    def require_true_refusal(self, error: BudgetError, told: Refused) -> None:
        """B1, E1, F2 and Q1, after a refusal: it had to be, and everybody was told the truth."""
        usage = self.backpack.memory_usage()
        self.require(error.needed > error.free, "B1", f"Refused though it fits: {error}.")
        requests = self.heard.requests
        base = requests[-1][0].used if requests else usage.history_bytes + error.needed
        free = max(0, usage.budget_bytes - base + error.needed)
        self.require(
            (error.budget, error.policy) == (usage.budget_bytes, name_of(self.backpack.pruning))
            and (error.free >= free if requests else error.free == free),
            "F2",
            f"Of {usage.budget_bytes} bytes {free} are free by what was told before: {error}.",
        )
        if requests:
            used = requests[0][0].used
            self.require(
                used == usage.history_bytes + error.needed,
                "F2",
                f"With {usage.history_bytes} bytes used, {used} were to be: {error}.",
            )
        self.require_told([told], error)

    def require_unchanged(self, before: object, error: BaseException, law: str = "F1") -> None:
        """F1: what raised has changed nothing."""
        self.require(self.fingerprint() == before, law, lambda: f"{error!r} changed the state.")

    def pruned_since(self, were: list[Commit]) -> list[Event]:
        """Return what subscribers must have been told of the retained commits that went since."""
        left = {each.id for each in retained(self.backpack)}
        pruned = tuple(each.id for each in reversed(were) if each.id not in left)
        if not pruned:
            return []
        raw, _ = raw_bytes(self.backpack)
        self.require(raw == 0, "B4", f"{len(pruned)} were pruned, and {raw:,} bytes wait raw.")
        used = self.backpack.memory_usage().history_bytes
        freed = self.heard.requests[0][0].used - used if self.heard.requests else -1
        return [Pruned(pruned, freed, name_of(self.backpack.pruning))]

    def erased_since(self, were: list[Commit], erased: Collection[int]) -> list[Event]:
        """Return what subscribers must have been told, if a caller had commits erased.

        Those that had to be pruned beside them go with them.
        """
        left = {each.id for each in retained(self.backpack)}
        gone = tuple(each.id for each in reversed(were) if each.id not in left)
        numbers = {each.seq for each in were if each.id not in left}
        self.require(
            numbers.issuperset({each.seq for each in were} & {*erased})
            and (self.heard.requests or numbers.issubset(erased)),
            "P4",
            f"{sorted(erased)} were erased, and {sorted(numbers)} went.",
        )
        freed = [each.freed_bytes for each in self.heard.events if isinstance(each, Pruned)]
        return [Pruned(gone, freed[0] if freed else 0, "erase")] if gone else []

    def require_true_events(self, commit: Commit, expected: list[Event]) -> None:
        """E1 and Q1, after a commit: what subscribers and policies were told is what happened.

        Args:
            commit: The commit.
            expected: What they must have been told of those that went for it.
        """
        expected = list(expected)
        state = self.model.commits[-1].state
        for change in commit.changes:
            if change.kind == "set" and state[change.key].reference is not None:
                reference = state[change.key].reference
                expected.append(Referenced(commit.id, change.key, reference))  # type: ignore[arg-type]
        self.require_told([*expected, Committed(commit)])
        for request, _ in self.heard.requests:
            self.require(
                not list(request.candidates) and len(request.candidates) == 0,
                "Q1",
                "A question that is over still offers commits.",
            )

    def require_made(self, what: str, how: str) -> None:
        """X1: the model knows of every commit."""
        if not self.over:
            head = self.backpack.head
            self.require(self.knows_all(), "X1", f"By {what} ({how}), {head} was made.")

    def require_told(self, expected: list[Event], error: BackpackError | None = None) -> None:
        """E1: subscribers were told this; and of a refusal, with this error."""
        told = self.heard.events
        self.require(
            _sorted(told) == _sorted(expected), "E1", lambda: f"Told {told}, not {expected}."
        )
        if error is not None:
            errors = [each.error for each in told if isinstance(each, Refused)]
            self.require(errors == [error], "E1", lambda: f"Told of {errors}, not of {error}.")

    def expect(
        self,
        error: type[BaseException] | tuple[type[BaseException], ...],
        attempt: Callable[[], Any],
    ) -> None:
        """Do what must fail, and see that nothing changed."""
        before = self.fingerprint()
        try:
            attempt()
        except error as raised:
            self.require_unchanged(before, raised)
        except BackpackError as raised:
            self.breaks("F2", f"{raised!r} instead of {error}.")
        else:
            self.breaks("F2", f"Nothing was raised instead of {error}.")

    def compare_newest(self, number: int) -> None:
        """S1: diffs between the newest commits, in both directions."""
        newest = self.model.commits[-number:]
        for first in newest:
            for second in newest:
                self.compare(first, second)

    def compare(self, first: Recorded, second: Recorded) -> None:
        """S1 and A1: what changed between two commits, if both are there."""
        try:
            diff = self.backpack.diff(first.commit.id, second.commit)
        except CommitPruned:
            return
        before, after = self.model.state_at(first.seq), self.model.state_at(second.seq)
        law = self.exactness(first.seq, second.seq)
        self.ask(law, check_diff, diff, before, after, law)

    def is_there(self, seq: int) -> bool:
        """Whether a commit has to be answered for, from memory or from the archive."""
        is_kept = seq in {commit.seq for commit in retained(self.backpack)}
        return is_kept or (has_archive(self.backpack) and seq not in self.model.erased)

    def commit_at(self, at: int) -> Recorded:
        """Return a commit.

        Args:
            at: Counted back from the head (-1, -2, ...); or one of those retained, the newest
                first (0, 2, ...); or one of all ever made, the oldest first (1, 3, ...).
        """
        made = len(self.model.commits)
        if at < 0:
            return self.model.commits[max(0, made + at)]
        if at % 2:
            return self.model.commits[at // 2 % made]
        stay = retained(self.backpack)
        return self.model.commits[stay[at // 2 % len(stay)].seq - 1]


def _sorted(events: list[Event]) -> list[Event]:
    return [
        evolve(each, keys=tuple(sorted(each.keys))) if isinstance(each, Refused) else each
        for each in events
    ]
