"""Rules about commits themselves: tags, pins, the clock, and what policies are told of them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from backpack.audit import retained
from backpack.errors import BudgetError, CommitPruned, PolicyError
from backpack.records import PruneRequest, Refused, RetainedCommit
from backpack.spec.machine.base import TAGS, Heard, begun, commits, step
from backpack.spec.machine.doing import LARGE, Doing

if TYPE_CHECKING:
    from backpack.spec.model import Recorded

__all__ = ["Keeping"]

#: Commits of a long history, and how often room is made in it.
_LONG: Final = 380
_ROUNDS: Final = 3


class Keeping(Doing):
    """Tagging, pinning, time that goes as it likes, and looks that are counted."""

    def lengthen(self) -> None:
        """Pack small values under one key for a long time; then make room for a little."""
        with suppress(BudgetError, PolicyError):
            for at in range(_LONG):
                self.model.record(self.backpack.pack("k", at), {"k": at})
        for _ in range(_ROUNDS if self.model.commits else 0):
            self.tag_beyond(max(1, len(self.model.commits) - 1), 1)

    @step(
        at=commits,
        tags=st.sets(
            st.one_of(
                st.sampled_from(TAGS),
                st.sampled_from([300, 3000, 20_000]).map(lambda length: "x" * length),
            ),
            max_size=2,
        ),
        on=st.booleans(),
        pinned=st.booleans(),
        when=begun,
    )
    def tag(self, at: int, tags: set[str], on: bool, pinned: bool) -> None:
        """Tag a commit, or take tags off; sometimes one that is pinned."""
        recorded = self.pinned_at(at) if pinned and self.model.pinned else self.commit_at(at)
        self.tag_commit(recorded.seq, tags, on)

    def tag_commit(self, seq: int, tags: set[str], on: bool) -> None:
        """Tag a commit or take tags off, and hold it against the model."""
        recorded = self.model.commits[seq - 1]
        self.heard = Heard()
        change = self.backpack.tag if on else self.backpack.untag
        before, were, self.committing = self.fingerprint(), retained(self.backpack), False
        try:
            commit = change(recorded.commit, *tags)
        except CommitPruned:
            return
        except BudgetError as error:
            self.require_unchanged(before, error)
            self.require_true_refusal(error, Refused(error))
            return
        except PolicyError as error:
            self.require_unchanged(before, error)
            self.require_told([Refused(error)], error)
            return
        finally:
            self.committing = True
        stale, had = recorded.commit, {*recorded.commit.tags}
        self.model.retag(recorded.seq, had | tags if on else had - tags)
        with suppress(CommitPruned):
            self.require(
                self.backpack.snapshot(stale).commit == recorded.commit,
                "C1",
                f"A view shows what a commit was when {stale!r:.300} was returned, not as it is.",
            )
        self.require(commit == recorded.commit, "C1", f"tag() returned {commit!r:.300}.")
        self.require_told(self.pruned_since(were))

    @step(at=commits, on=st.booleans(), when=begun)
    def pin(self, at: int, on: bool) -> None:
        """Pin a commit, or let one go."""
        is_kept = self.model.pinned and not on
        self.pin_commit(self.pinned_at(at) if is_kept else self.commit_at(at), on=on)

    def pin_commit(self, recorded: Recorded, *, on: bool) -> None:
        """Pin a commit, if not too many are, or let it go; one that is archived stays that."""
        try:
            if on and len(self.model.pinned) < 3:
                pinned = self.backpack.pin(recorded.commit)
                is_retained = pinned.seq in {each.seq for each in retained(self.backpack)}
                (self.model.pinned if is_retained else self.model.archived_pins).add(pinned.seq)
            else:
                self.backpack.unpin(recorded.commit)
                self.model.pinned.discard(recorded.seq)
                self.model.archived_pins.discard(recorded.seq)
        except CommitPruned:
            pass

    @step(at=commits, tags=st.sets(st.sampled_from((*TAGS, "a", "b")), min_size=2), when=begun)
    def pin_and_tag(self, at: int, tags: set[str]) -> None:
        """Pin a commit, tag it, take a tag off, and see it stay when room is needed."""
        seq = self.commit_at(at).seq
        self.pin_commit(self.model.commits[seq - 1], on=True)
        was = self.model.commits[seq - 1].commit
        view = None
        with suppress(CommitPruned):
            view = self.backpack.snapshot(was)
        for on, some in ((True, tags), (True, {"c"}), (False, {min(tags), max(tags)})):
            self.tag_commit(seq, some, on)
        self.require(
            view is None or view.commit == was,
            "C1",
            f"A view that was opened at {was} has other tags since.",
        )
        for number in range(4):
            note = "n" * (self.backpack.max_history_size // 6)
            self.commit(
                lambda: self.backpack.pack("k", number, note=note), {"k": number}, note=note
            )

    @step(at=commits, beyond=st.sampled_from([1, 200, 1000, 100_000]), when=begun)
    def tag_tightly(self, at: int, beyond: int) -> None:
        """Tag a commit with a text for which there is no room yet, or cannot be."""
        self.tag_beyond(self.commit_at(at).seq, beyond)

    def tag_beyond(self, seq: int, beyond: int) -> None:
        """Tag a commit with a text for which so many bytes are missing."""
        room = self.room()
        if room is not None:
            self.tag_commit(seq, {"t" * (room + beyond)}, True)

    def pinned_at(self, at: int) -> Recorded:
        """Return a pinned commit."""
        pinned = sorted(self.model.pinned)
        return self.model.commits[pinned[at % len(pinned)] - 1]

    @step(by=st.sampled_from([1.0, 0.001, 3600.0, -60.0, -1e6]))
    def turn_the_clock(self, by: float) -> None:
        """Time goes on, leaps, or steps back; in between it stands still."""
        self.now += by

    @step(
        at=commits,
        looks=st.lists(st.sampled_from(["open", "read", "diff", "list"]), max_size=4),
        when=lambda self: len(self.model.commits) > 2,
    )
    def look_and_be_counted(self, at: int, looks: list[str]) -> None:
        """A policy is told how often a commit was looked at, and when it last was."""
        commit = self.commit_at(at).commit
        before = self.probe(commit.id)
        if before is None or not looks or commit.seq == len(self.model.commits):
            return
        snapshot = self.backpack.snapshot(commit)
        for look in looks:
            if look == "open":
                self.backpack.snapshot(commit.id)
            elif look == "read":
                snapshot.unpack("no such key", None)
            elif look == "diff":
                self.backpack.diff(commit, self.model.commits[-1].commit)
            else:
                iter(snapshot)
        self.tag_on_and_off(commit.id)
        after = self.probe(commit.id)
        self.require(
            after is not None
            and (after.accesses, after.last_access)
            == (before.accesses + 1 + len(looks), len(self.model.commits)),
            "Q1",
            f"After {1 + len(looks)} looks at {before} at {len(self.model.commits)} commits, a "
            f"policy is told {after}.",
        )

    def tag_on_and_off(self, commit_id: str) -> None:
        """Tag a commit and take the tag off, which is no look at it."""
        if self.backpack.memory_usage().headroom_bytes > 1024:
            self.backpack.tag(commit_id, "looked-at")
            self.backpack.untag(commit_id, "looked-at")

    def probe(self, commit_id: str) -> RetainedCommit | None:
        """Return what a policy is told of a commit, if it is offered; nothing changes by it."""
        seen: list[RetainedCommit] = []
        budget = self.backpack.max_history_size
        if self.room() is None or budget > LARGE:
            return None

        def look(request: PruneRequest) -> None:
            seen.extend(each for each in request.candidates if each.id == commit_id)

        saboteur = self.saboteur
        saboteur.axis, saboteur.misdeed = "pruning", "raise"
        saboteur.watch.append(look)
        try:
            self.backpack.pack("k", None, note="n" * budget)  # For which there is never room.
        except (BudgetError, PolicyError):
            pass
        finally:
            saboteur.axis = None
            saboteur.watch.remove(look)
        return seen[0] if seen else None
