"""Rules that look back, and forks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from backpack.audit import has_archive, retained
from backpack.errors import BudgetError, CommitPruned, PolicyError, UnknownCommit, ValueUnavailable
from backpack.spec.laws.shown import check_left_out, check_snapshot
from backpack.spec.machine.base import begun, commits, event, keys, step
from backpack.spec.machine.doing import Doing
from backpack.spec.model import REMOVED
from backpack.spec.sameness import same
from backpack.spec.spoil import spoil

if TYPE_CHECKING:
    from backpack.spec.model import Recorded

__all__ = ["Looking"]


class Looking(Doing):
    """Snapshots opened, kept, spoilt and read again; diffs; forks."""

    @step(at=commits, when=begun)
    def look_back(self, at: int) -> None:
        """Open a commit, dead or alive, and keep the view; spoil what it gave."""
        recorded = self.commit_at(at)
        try:
            snapshot = self.backpack.snapshot(recorded.commit)
        except CommitPruned:
            event("looked back at a pruned commit")
            return
        self.views = [*self.views[-5:], (self.backpack, self.model, snapshot)]
        spoil(snapshot.to_dict())
        for key in snapshot:
            spoil(snapshot.unpack(key))
            self.require(key in snapshot, "S1", f"{key!r} is iterated over, but not contained.")
        for key in self.backpack:
            spoil(self.backpack.unpack(key))
            spoil(self.backpack[key])
        spoil(self.backpack.to_dict())
        for key, value in self.model.current().items():
            self.require(
                same(self.backpack.unpack(key), value),
                "S3",
                f"{key!r} changed when what a read had given was changed.",
            )
        law = self.exactness(recorded.seq)
        self.ask(law, check_snapshot, snapshot, self.model, law)
        law = "R2" if law == "S1" else law
        self.ask(law, check_left_out, snapshot, self.model, law)

    @step(at=commits, when=begun)
    def iterate_and_change(self, at: int) -> None:
        """Change the state while the keys of an old one are iterated over."""
        try:
            snapshot = self.backpack.snapshot(self.commit_at(at).commit)
            keys = iter(snapshot)
        except CommitPruned:
            return
        shown = self.model.state_at(snapshot.commit.seq)
        seen = [next(keys, None)]
        self.commit(lambda: self.backpack.pack("meanwhile", 1), {"meanwhile": 1})
        seen += keys
        if "meanwhile" in self.model.current():
            self.commit(lambda: self.backpack.remove("meanwhile"), {"meanwhile": REMOVED})
        self.require(
            not shown or sorted(map(str, seen)) == sorted(shown),
            "S1",
            f"Iterating over commit {snapshot.commit.seq} gave {seen}, not {sorted(shown)}.",
        )

    @step()
    def look_again(self) -> None:
        """Read views opened earlier: exact still, whatever became of what they gave, or pruned."""
        for backpack, model, snapshot in self.views:
            stays = snapshot.commit.seq in {commit.seq for commit in retained(backpack)}
            if stays or (has_archive(backpack) and snapshot.commit.seq not in model.erased):
                spoil(snapshot.to_dict())
                for key in snapshot:
                    spoil(snapshot.unpack(key))
                shown = snapshot.to_dict()
                for key, version in model.state_at(snapshot.commit.seq).items():
                    if version.reference is None:
                        self.require(
                            same(shown.get(key), version.value),
                            "S3",
                            f"A view shows {key}={shown.get(key)!r:.200} after it was changed.",
                        )
                law = "S1" if stays else "A1"
                self.ask(law, check_snapshot, snapshot, model, law)
                continue
            event("a view outlived its commit")
            for read in (
                snapshot.to_dict,
                lambda: snapshot["k"],
                lambda: snapshot.unpack("k"),
                lambda: len(snapshot),
                lambda: list(snapshot),
                lambda: "k" in snapshot,
            ):
                try:
                    read()
                except CommitPruned:
                    continue
                self.breaks("P2", "A view of a pruned commit still answers.")

    @step(pairs=st.lists(st.tuples(commits, commits), min_size=1, max_size=4), when=begun)
    def diff(self, pairs: list[tuple[int, int]]) -> None:
        """Compare commits, two at a time."""
        for a, b in pairs:
            self.compare(self.commit_at(a), self.commit_at(b))

    @step(
        at=commits,
        names=st.none() | st.sets(keys, min_size=1, max_size=2),
        move=st.booleans(),
        when=begun,
    )
    def fork(self, at: int, names: set[str] | None, move: bool) -> None:
        """Fork from a commit; the fork is independent. Sometimes go on with the fork."""
        recorded = self.commit_at(at)
        before, heard = self.fingerprint(), len(self.heard.events)
        state = {key: each.value for key, each in self.model.state_at(recorded.seq).items()}
        if names is not None:
            names = names & state.keys()
            state = {key: state[key] for key in state if key in names}
        try:
            fork = self.backpack.fork(recorded.commit, keys=names)
        except (CommitPruned, ValueUnavailable, BudgetError, PolicyError) as error:
            event(f"fork: {type(error).__name__}")
            self.require_unchanged(before, error)
            return
        self.opened(fork)
        self.require(
            same(dict(sorted(fork.items())), dict(sorted(state.items()))),
            self.exactness(recorded.seq),
            f"A fork of {recorded.seq} has {dict(fork)!r:.200}, not {state!r:.200}.",
        )
        for axis in ("sizing", "reference", "storage", "pruning"):
            mine, its = getattr(self.backpack, axis), getattr(fork, axis)
            self.require(
                mine is not its and mine.saboteur is not its.saboteur,
                "S3",
                f"A fork shares the {axis} policy.",
            )
        self.require(
            (fork.max_history_size, fork.codec)
            == (self.backpack.max_history_size, self.backpack.codec),
            "S1",
            "A fork has another budget, or another codec.",
        )
        self.expect(UnknownCommit, lambda: fork.snapshot(recorded.commit))
        self.require(
            fork.head is None or fork.head.timestamp == self.now,
            "C1",
            f"A fork begins with {fork.head}, at another time than {self.now}.",
        )
        if move and fork.head is not None:
            self.go_on_with(fork, recorded, state)
            return
        with suppress(BudgetError):  # A policy that gives nothing up may leave no room for it.
            fork.clear()
            fork["plan"] = "elsewhere"
        self.require(
            self.fingerprint() == before and len(self.heard.events) == heard,
            "S3",
            "A change of a fork came through.",
        )

    def go_on_with(self, fork: object, recorded: Recorded, state: dict[str, object]) -> None:
        """Go on with a fork, whose one commit holds the state."""
        first = fork.head  # type: ignore[attr-defined]
        self.adopt(fork)  # type: ignore[arg-type]
        note = f"fork of {recorded.commit.id}"
        predicted = self.model.predict(state, self.now, note=note)
        self.require(
            sorted(first.changes, key=lambda each: each.key) == list(predicted.changes)
            and first.note == note,
            "C1",
            lambda: f"A fork begins with {first}, not with {predicted}.",
        )
        self.model.record(first, state)
