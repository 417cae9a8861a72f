"""Rules that change the current state."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from backpack.audit import raw_bytes, retained
from backpack.errors import (
    CommitPruned,
    UnknownKey,
    ValueUnavailable,
)
from backpack.spec.machine.base import (
    KEYS,
    NODES,
    TAGS,
    begun,
    commits,
    event,
    keys,
    simple_values,
    step,
)
from backpack.spec.machine.doing import Doing
from backpack.spec.model import REMOVED
from backpack.spec.sameness import same
from backpack.spec.spoil import spoil
from backpack.spec.values import LOOK_ALIKES, sized_value

if TYPE_CHECKING:
    from backpack.records import Commit

__all__ = ["Changing"]

#: Half of a long text; what stands behind it is in no sample of an encoded value.
_HALF: Final = sized_value(2200, 0)
_NOTES: Final = (None, "why", "pourquoi: зачем")


class Changing(Doing):
    """Packing, removing, editing: one at a time, together, again, and in vain."""

    @step(
        program=st.lists(st.tuples(keys, simple_values), min_size=1, max_size=6),
        by=st.sampled_from(NODES),
        note=st.sampled_from(_NOTES),
    )
    def pack(self, program: list[tuple[str, Any]], by: str | None, note: str | None) -> None:
        """Pack values; then spoil the caller's objects."""
        for key, value in program:
            mine = deepcopy(value)
            self.commit(
                lambda: self.backpack.pack(key, mine, by=by, note=note),
                {key: value},
                by=by,
                note=note,
            )
            spoil(mine)
            self.require_unspoiled("the caller's object was changed after it was packed")

    @step(
        key=keys,
        value=st.one_of(
            st.lists(simple_values, max_size=2),
            st.dictionaries(st.text(max_size=2), simple_values, max_size=2),
        ),
        times=st.integers(2, 4),
    )
    def pack_one_object_again_and_again(self, key: str, value: Any, times: int) -> None:
        """Pack the same object, changed in between: every commit has what it was then."""
        mine = deepcopy(value)
        for _ in range(times):
            self.commit(lambda: self.backpack.pack(key, mine), {key: deepcopy(mine)})
            spoil(mine)

    @step(first=st.integers(0, 999), number=st.integers(1, 8))
    def pass_keys_through(self, first: int, number: int) -> None:
        """Pack keys that were never seen before, and remove them at once."""
        for key in (f"task-{first}-{each}-{len(self.model.commits)}" for each in range(number)):
            self.commit(lambda: self.backpack.pack(key, first), {key: first})
            if key in self.model.current():
                self.commit(lambda: self.backpack.remove(key), {key: REMOVED})

    @step(key=keys, order=st.permutations(range(len(LOOK_ALIKES))), number=st.integers(2, 6))
    def pack_look_alikes(self, key: str, order: list[int], number: int) -> None:
        """Pack values that are equal and not the same, in turn: each makes a version."""
        for at in order[:number]:
            value = LOOK_ALIKES[at]
            self.commit(lambda: self.backpack.pack(key, deepcopy(value)), {key: value})

    @step(beside=st.sampled_from([-1, 0, 1]), when=begun)
    def fill_to_the_brim(self, beside: int) -> None:
        """Make a commit that takes all the room there is, or a byte less or more."""
        key, value = next(iter(self.model.current().items()), ("k", None))
        self.commit(lambda: self.backpack.pack(key, value, note="n"), {key: value}, note="n")
        empty, (raw, _) = self.backpack.memory_usage(), raw_bytes(self.backpack)
        self.commit(lambda: self.backpack.pack(key, value, note="n"), {key: value}, note="n")
        before = self.backpack.memory_usage()
        if before.commits_retained - empty.commits_retained != 1:
            return
        if raw_bytes(self.backpack)[0] != raw:  # Making groups of what is raw makes room, too.
            return
        # A commit of the same kind costs the same, but for the length of its note.
        cost = before.history_bytes - empty.history_bytes
        length = 1 + before.headroom_bytes - cost + beside
        if not 1 <= length <= 100_000 or before.versions != empty.versions:
            return
        note = "n" * length
        self.commit(lambda: self.backpack.pack(key, value, note=note), {key: value}, note=note)
        after = self.backpack.memory_usage()
        if beside <= 0:
            event("filled to the brim")
            self.require(
                (after.headroom_bytes, after.commits_retained)
                == (-beside, before.commits_retained + 1),
                "B1",
                f"What fits exactly does not: {before}, then {after}.",
            )

    @step(
        program=st.lists(
            st.tuples(keys, st.integers(-12, 12), st.booleans(), st.integers(0, 4)),
            min_size=1,
            max_size=6,
        ),
        tags=st.sets(st.sampled_from(TAGS)),
    )
    def pack_around_the_limit(
        self, program: list[tuple[str, int, bool, int]], tags: set[str]
    ) -> None:
        """Pack values whose size is at, or a few bytes beside, the limit, or a fraction of it."""
        for key, beside, small, kind in program:
            value = sized_value(max(0, (self.limit // 5 if small else self.limit) + beside), kind)
            self.commit(
                lambda: self.backpack.pack(key, value, tags=tags, note="n" * 9),
                {key: value},
                tags=tags,
                note="n" * 9,
            )

    @step(key=keys, value=simple_values, beside=st.integers(-12, 12))
    def turn_lenient(self, key: str, value: Any, beside: int) -> None:
        """What becomes of a value is decided when it is packed, not when it is superseded."""
        for lenient in (True, False):
            self.saboteur.lenient = lenient
            large = sized_value(max(0, self.limit + 24 + beside), 0)
            self.commit(lambda: self.backpack.pack(key, large), {key: large})
            self.saboteur.lenient = not lenient
            self.commit(lambda: self.backpack.pack(key, deepcopy(value)), {key: value})
        self.saboteur.lenient = False

    @step(names=st.lists(keys, min_size=1, max_size=4))
    def pack_the_same(self, names: list[str]) -> None:
        """Pack what is there already: a commit, but no version."""
        for key in names:
            if key in self.backpack:
                value = self.backpack.unpack(key)
                before = self.backpack.memory_usage().versions
                self.commit(lambda: self.backpack.pack(key, value), {key: value})
                after = self.backpack.memory_usage().versions
                self.require(after <= before, "S4", "Packing an equal value made a version.")

    @step(names=st.lists(keys, min_size=1, max_size=4))
    def remove(self, names: list[str]) -> None:
        """Remove keys, and see missing ones refused."""
        for key in names:
            if key in self.model.current():
                self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
            else:
                self.expect(UnknownKey, lambda: self.backpack.remove(key))

    @step(
        changes=st.dictionaries(keys, simple_values, max_size=5),
        removals=st.sets(keys, max_size=2),
        fails=st.booleans(),
    )
    def transaction(self, changes: dict[str, Any], removals: set[str], fails: bool) -> None:
        """Change several keys in one commit, or in none."""
        current = self.model.current()
        removed: dict[str, object] = {
            key: REMOVED for key in KEYS if key in removals & current.keys() - changes.keys()
        }

        def attempt() -> Commit | None:
            with self.backpack.transaction(by="tx", tags=("draft",)) as transaction:
                for key, value in changes.items():
                    mine = deepcopy(value)
                    transaction[key] = mine
                    spoil(mine)
                for key in removed:
                    del transaction[key]
                if fails:
                    raise ZeroDivisionError
            return transaction.commit

        if fails:
            self.expect(ZeroDivisionError, attempt)
        else:
            self.commit(attempt, {**changes, **removed}, by="tx", tags=("draft",))
        self.require_unspoiled("what a transaction had been given was changed")

    @step(key=keys, value=simple_values)
    def edit(self, key: str, value: Any) -> None:
        """Change a value in place."""
        current = self.model.current().get(key)
        if not isinstance(current, list):
            return

        def attempt() -> Commit | None:
            with self.backpack.edit(key, by="editor", note="edited") as edited:
                edited.append(deepcopy(value))
            return self.backpack.head

        self.commit(attempt, {key: [*current, value]}, by="editor", note="edited")

    @step(when=lambda self: len(self.model.commits) % 7 == 3)
    def clear(self) -> None:
        """Remove everything in one commit."""

        def attempt() -> Commit | None:
            made = len(self.model.commits)
            self.backpack.clear()
            head = self.backpack.head
            return head if head is not None and head.seq > made else None

        self.commit(attempt, dict.fromkeys(self.model.current(), REMOVED))

    @step(at=commits, names=st.none() | st.sets(keys, min_size=1, max_size=2), when=begun)
    def rollback(self, at: int, names: set[str] | None) -> None:
        """Make an old state the current one again, or some keys of it."""
        recorded = self.commit_at(at)
        old, current = self.model.state_at(recorded.seq), self.model.current()
        if names is not None:
            names = names & (old.keys() | current.keys())
            old = {key: version for key, version in old.items() if key in names}
            current = {key: value for key, value in current.items() if key in names}
        changes = {
            **dict.fromkeys(current.keys() - old.keys(), REMOVED),
            **{
                key: version.value
                for key, version in old.items()
                if key not in current or not same(current[key], version.value)
            },
        }
        stays = recorded.seq in {commit.seq for commit in retained(self.backpack)}
        is_there = self.is_there(recorded.seq)
        left_out = [key for key, version in old.items() if self.model.is_left_out(version)]
        if not is_there or left_out:
            event("rollback to what is not there")
            error = ValueUnavailable if is_there else CommitPruned
            self.expect(error, lambda: self.backpack.rollback(recorded.commit, keys=names))
            return
        event("rollback")
        self.commit(
            lambda: self.backpack.rollback(recorded.commit, keys=names),
            changes,
            note=f"rollback to {recorded.commit.id}",
        )
        now, expected = dict(self.backpack), self.model.current()
        self.require(
            stays or same(dict(sorted(now.items())), dict(sorted(expected.items()))),
            "A1",
            f"A rollback to {recorded.seq} makes {now!r:.200}, not {expected!r:.200}.",
        )

    @step(key=keys, pattern=st.lists(st.sampled_from([0, 1, None]), min_size=3, max_size=8))
    def flicker(self, key: str, pattern: list[int | None]) -> None:
        """Set a key back and forth between two values and nothing."""
        for value in pattern:
            if value is not None:
                self.commit(lambda: self.backpack.pack(key, value), {key: value})
            elif key in self.model.current():
                self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
        self.compare_newest(4)

    @step(
        key=keys,
        beyond=st.sampled_from([20, 300, 3000]),
        kind=st.sampled_from([0, 4]),
        then=st.lists(st.sampled_from(["small", "large", "remove"]), min_size=1, max_size=3),
    )
    def leave_out(self, key: str, beyond: int, kind: int, then: list[str]) -> None:
        """Supersede a value above the limit by a small one, by another, or by nothing."""
        for number, what in enumerate(["large", *then]):
            if what == "remove":
                if key in self.model.current():
                    self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
                continue
            value = number if what == "small" else sized_value(self.limit + beyond + number, kind)
            self.commit(lambda: self.backpack.pack(key, value), {key: value})
        self.compare_newest(3)

    @step(
        key=keys,
        order=st.lists(st.integers(0, 2), min_size=2, max_size=5),
        when=lambda self: hasattr(self.backpack.storage, "span"),
    )
    def pack_near_twins(self, key: str, order: list[int]) -> None:
        """Pack long values that differ in one place, and equal ones, in turn."""
        self.saboteur.lenient = True
        for at in order:
            value = f"{_HALF}{at}{_HALF}"
            self.commit(lambda: self.backpack.pack(key, value), {key: value})
        self.saboteur.lenient = False
        self.commit(lambda: self.backpack.pack(key, order), {key: order})
        self.compare_newest(3)

    @step(changes=st.dictionaries(keys, simple_values, min_size=1, max_size=3))
    def change_too_much(self, changes: dict[str, Any]) -> None:
        """Make a commit for which there can never be room."""
        budget = self.backpack.max_history_size
        number = budget // 300
        if number > 100:
            note = "n" * (budget + 1)
        else:  # Any of them would fit on its own.
            note = None
            changes = {**changes, **{f"one of many {at}": at for at in range(number)}}

        def attempt() -> Commit | None:
            with self.backpack.transaction(note=note) as transaction:
                for key, value in changes.items():
                    transaction[key] = deepcopy(value)
            return transaction.commit

        self.commit(attempt, changes, note=note)

    def require_unspoiled(self, reason: str) -> None:
        """S3: the current state is what the model says."""
        for key, value in self.model.current().items():
            self.require(
                same(self.backpack.unpack(key), value), "S3", f"{key!r} changed when {reason}."
            )
