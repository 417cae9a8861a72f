"""The state machine: random programs on a Backpack, checked against the model at every step.

A machine is made by :func:`machine_for` for one way of making a Backpack::

    TestMine = machine_for(lambda: Backpack(pruning=MyPolicy(), max_history_size=8192)).TestCase

Every rule that changes something makes several commits, so that histories grow long; commits
stay drawable after they are pruned; values lie around the per-value limit; policies are told to
fail in the middle of what they are asked.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backpack.container import Backpack
from backpack.errors import (
    BackpackError,
    BudgetError,
    CommitPruned,
    InvalidKey,
    PolicyError,
    UnknownCommit,
    UnknownKey,
    UnpackableValue,
    ValueUnavailable,
)
from backpack.records import NewValue, Pruned, SizedValue
from backpack.spec.hostile import (
    MISDEEDS,
    HostilePruning,
    HostileReference,
    HostileSizing,
    HostileStorage,
    Saboteur,
)
from backpack.spec.laws import LawBroken, check_laws, check_snapshot, require
from backpack.spec.model import REMOVED, Model
from backpack.spec.spoil import spoil
from backpack.spec.values import same, sized, values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backpack.records import Commit, Event, PruneRequest

__all__ = ["BackpackMachine", "machine_for"]

#: There is a commit to draw.
_begun = precondition(lambda self: bool(self.model.commits))
#: Mostly simple values, which are drawn fast and make long histories; now and then of any type.
_values = st.one_of(
    st.integers(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.lists(st.text(max_size=3), max_size=2), max_size=3),
    values(max_leaves=4),
)
_KEYS = ("plan", "messages", "k", "tool/search", "ключ")
_NODES = (None, "planner", "worker")
_TAGS = ("decided", "draft")


class BackpackMachine(RuleBasedStateMachine):
    """Random programs on the Backpack that :meth:`make` makes.

    Attributes:
        limit: Sizes in bytes around which values are drawn.
    """

    limit: ClassVar[int] = 1024

    @staticmethod
    def make() -> Backpack:
        """Return a new Backpack; its policies are wrapped so that they can be told to fail."""
        return Backpack(max_history_size=16 * 1024)

    @initialize()
    def begin(self) -> None:
        """Start with an empty Backpack and an empty model."""
        plain = self.make()
        saboteur = Saboteur()
        self.adopt(
            Backpack(
                max_history_size=plain.max_history_size,
                sizing=HostileSizing(plain.sizing, saboteur),
                reference=HostileReference(plain.reference, saboteur),
                storage=HostileStorage(plain.storage, saboteur),
                pruning=HostilePruning(plain.pruning, saboteur),
                codec=plain.codec,
            )
        )
        self.views: list[Any] = []

    def adopt(self, backpack: Backpack) -> None:
        """Go on with this Backpack, of which the model knows nothing yet."""
        pruning = backpack.pruning
        if not isinstance(pruning, HostilePruning):
            raise TypeError("a machine's policies are hostile ones")
        self.backpack = backpack
        self.committing = True
        self.highest = 0
        self.faults: list[LawBroken] = []
        self.saboteur = pruning.saboteur
        self.saboteur.backpack = backpack
        self.saboteur.watch[:] = [self.note_faults(self.look_inside)]
        self.model = Model(backpack.code, self.measure)
        backpack.subscribe(self.note_faults(self.hear))

    def measure(self, key: str, value: object) -> tuple[int, bool]:
        """Return what the policies, asked directly, say of a value."""
        sizing, reference = self.backpack.sizing, self.backpack.reference
        if not isinstance(sizing, HostileSizing) or not isinstance(reference, HostileReference):
            raise TypeError("a machine's policies are hostile ones")
        encoded = self.backpack.codec.encode(value, key)
        size = sizing.inner(NewValue(key, value, encoded))
        return size, reference.inner(SizedValue(key, value, encoded, size)) is not None

    # --- what others see while something happens -------------------------------------------

    def note_faults(self, look: Callable[[Any], None]) -> Callable[[Any], None]:
        """Keep a law broken in a callback until the step is over: nobody else would raise it."""

        def looking(seen: Any) -> None:
            try:
                look(seen)
            except LawBroken as broken:
                self.faults.append(broken)

        return looking

    def look_inside(self, request: PruneRequest) -> None:
        """B1 from inside a policy's callback: the state is whole, and within the budget."""
        usage = self.backpack.memory_usage()
        require(usage.history_bytes <= usage.budget_bytes, "B1", f"In a callback: {usage}.")
        made = len(self.model.commits)
        require(usage.commits_made == made, "F1", "A policy sees a change before it is made.")
        offered = [candidate.commit.seq for candidate in request.candidates]
        require(not self.model.pinned.intersection(offered), "P1", "A pinned commit is offered.")
        if made in offered:
            event("the head is offered as the last resort")
            require(offered == [made], "P1", "The head is offered though others are left.")
            require(self.committing, "P1", "The head is offered though no other takes its place.")

    def hear(self, told: Event) -> None:
        """B1 from a subscriber's callback."""
        usage = self.backpack.memory_usage()
        require(usage.history_bytes <= usage.budget_bytes, "B1", f"In a callback: {usage}.")
        if isinstance(told, Pruned):
            event("pruned")
            require(told.freed_bytes > 0, "B2", f"{told} freed nothing.")

    # --- doing things ------------------------------------------------------------------------

    def fingerprint(self) -> object:
        """Return all that can be seen cheaply; the values are compared by the invariants."""
        return self.backpack.history(), self.backpack.memory_usage(by_key=True)

    def commit(self, make: Callable[[], Commit | None], changes: Mapping[str, object]) -> None:
        """Do something that makes a commit, and tell the model; or see it refused."""
        before = self.fingerprint()
        try:
            commit = make()
        except BudgetError as error:
            event("refused for the budget")
            require(self.fingerprint() == before, "F1", f"A refusal changed the state: {error}.")
            require(error.needed > error.free, "B1", f"Refused though it fits: {error}.")
            return
        if commit is not None:
            self.model.record(commit, changes)

    @rule(
        program=st.lists(st.tuples(st.sampled_from(_KEYS), _values), min_size=1, max_size=6),
        by=st.sampled_from(_NODES),
    )
    def pack(self, program: list[tuple[str, Any]], by: str | None) -> None:
        """Pack values; then spoil the caller's objects."""
        for key, value in program:
            self.commit(lambda: self.backpack.pack(key, value, by=by), {key: value})
            spoil(value)
            self.require_unspoiled("the caller's object was changed after it was packed")

    @rule(
        key=st.sampled_from(_KEYS),
        value=st.one_of(
            st.lists(_values, max_size=2), st.dictionaries(st.text(max_size=2), _values)
        ),
        times=st.integers(2, 4),
    )
    def pack_one_object_again_and_again(self, key: str, value: Any, times: int) -> None:
        """Pack the same object, changed in between: every commit has what it was then."""
        for _ in range(times):
            self.commit(lambda: self.backpack.pack(key, value), {key: value})
            spoil(value)

    @rule(first=st.integers(0, 999), number=st.integers(1, 8))
    def pass_keys_through(self, first: int, number: int) -> None:
        """Pack keys that were never seen before, and remove them at once."""
        for key in (f"task-{first}-{each}-{len(self.model.commits)}" for each in range(number)):
            self.commit(lambda: self.backpack.pack(key, first), {key: first})
            if key in self.model.current():
                self.commit(lambda: self.backpack.remove(key), {key: REMOVED})

    @_begun
    @rule(beside=st.sampled_from([-1, 0, 1]))
    def fill_to_the_brim(self, beside: int) -> None:
        """Make a commit that takes all the room there is, or a byte less or more."""
        key, value = next(iter(self.model.current().items()), ("k", None))
        self.commit(lambda: self.backpack.pack(key, value, note="n"), {key: value})
        empty = self.backpack.memory_usage()
        self.commit(lambda: self.backpack.pack(key, value, note="n"), {key: value})
        before = self.backpack.memory_usage()
        if before.commits_retained - empty.commits_retained != 1:
            return
        # A commit of the same kind costs the same, but for the length of its note.
        cost = before.history_bytes - empty.history_bytes
        length = 1 + before.headroom_bytes - cost + beside
        if not 1 <= length <= 100_000 or before.versions != empty.versions:
            return
        note = "n" * length
        self.commit(lambda: self.backpack.pack(key, value, note=note), {key: value})
        after = self.backpack.memory_usage()
        if beside <= 0:
            event("filled to the brim")
            require(
                (after.headroom_bytes, after.commits_retained)
                == (-beside, before.commits_retained + 1),
                "B1",
                f"What fits exactly does not: {before}, then {after}.",
            )

    @rule(
        program=st.lists(
            st.tuples(st.sampled_from(_KEYS), st.integers(-2, 2), st.booleans()),
            min_size=1,
            max_size=6,
        ),
        data=st.data(),
        tags=st.sets(st.sampled_from(_TAGS)),
    )
    def pack_around_the_limit(
        self, program: list[tuple[str, int, bool]], data: st.DataObject, tags: set[str]
    ) -> None:
        """Pack values whose size is at, or a byte beside, the limit, or a fraction of it."""
        for key, beside, small in program:
            value = data.draw(sized(self.limit // 5 if small else self.limit + beside))
            self.commit(
                lambda: self.backpack.pack(key, value, tags=tags, note="n" * 9),
                {key: value},
            )

    @rule(keys=st.lists(st.sampled_from(_KEYS), min_size=1, max_size=4))
    def pack_the_same(self, keys: list[str]) -> None:
        """Pack what is there already: a commit, but no version."""
        for key in keys:
            if key in self.backpack:
                value = self.backpack.unpack(key)
                before = self.backpack.memory_usage().versions
                self.commit(lambda: self.backpack.pack(key, value), {key: value})
                after = self.backpack.memory_usage().versions
                require(after <= before, "S4", "Packing an equal value made a version.")

    @rule(keys=st.lists(st.sampled_from(_KEYS), min_size=1, max_size=4))
    def remove(self, keys: list[str]) -> None:
        """Remove keys, and see missing ones refused."""
        for key in keys:
            if key in self.model.current():
                self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
            else:
                self.expect(UnknownKey, lambda: self.backpack.remove(key))

    @rule(
        changes=st.dictionaries(
            st.sampled_from(_KEYS), st.one_of(st.just(REMOVED), _values), max_size=5
        ),
        fails=st.booleans(),
    )
    def transaction(self, changes: dict[str, Any], fails: bool) -> None:
        """Change several keys in one commit, or in none."""
        current = self.model.current()
        changes = {
            key: value for key, value in changes.items() if value is not REMOVED or key in current
        }

        def attempt() -> Commit | None:
            with self.backpack.transaction(by="tx", tags=("draft",)) as transaction:
                for key, value in changes.items():
                    if value is REMOVED:
                        del transaction[key]
                    else:
                        mine = deepcopy(value)
                        transaction[key] = mine
                        spoil(mine)
                if fails:
                    raise ZeroDivisionError
            return transaction.commit

        if fails:
            self.expect(ZeroDivisionError, attempt)
        else:
            self.commit(attempt, changes)

    @rule(key=st.sampled_from(_KEYS), value=_values)
    def edit(self, key: str, value: Any) -> None:
        """Change a value in place."""
        current = self.model.current().get(key)
        if not isinstance(current, list):
            return

        def attempt() -> Commit | None:
            with self.backpack.edit(key) as edited:
                edited.append(value)
            return self.backpack.head

        self.commit(attempt, {key: [*current, value]})

    @precondition(lambda self: len(self.model.commits) % 7 == 3)
    @rule()
    def clear(self) -> None:
        """Remove everything in one commit."""

        def attempt() -> Commit | None:
            made = len(self.model.commits)
            self.backpack.clear()
            head = self.backpack.head
            return head if head is not None and head.seq > made else None

        self.commit(attempt, dict.fromkeys(self.model.current(), REMOVED))

    # --- looking back ------------------------------------------------------------------------

    @_begun
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        """Open a commit, dead or alive, and keep the view; spoil what it gave."""
        recorded = self.draw_commit(data)
        try:
            snapshot = self.backpack.snapshot(recorded.commit)
        except CommitPruned:
            event("looked back at a pruned commit")
            return
        self.views = [*self.views[-5:], (self.backpack, self.model, snapshot)]
        spoil(snapshot.to_dict())
        for key in snapshot:
            spoil(snapshot.unpack(key))
            require(key in snapshot, "S1", f"{key!r} is iterated over, but not contained.")
        for key in self.backpack:
            spoil(self.backpack.unpack(key))
        self.require_unspoiled("what a read had given was changed")
        check_snapshot(snapshot, self.model)

    @rule()
    def look_again(self) -> None:
        """Read views opened earlier: exact still, or CommitPruned."""
        for backpack, model, snapshot in self.views:
            retained = {commit.seq for commit in backpack.history()}
            if snapshot.commit.seq in retained:
                check_snapshot(snapshot, model)
                continue
            event("a view outlived its commit")
            for read in (
                snapshot.to_dict,
                lambda: snapshot["k"],
                lambda: len(snapshot),
                lambda: "k" in snapshot,
            ):
                try:
                    read()
                except CommitPruned:
                    continue
                require(False, "P2", "A view of a pruned commit still answers.")

    @_begun
    @rule(data=st.data())
    def diff(self, data: st.DataObject) -> None:
        """Compare two commits."""
        a, b = self.draw_commit(data), self.draw_commit(data)
        try:
            diff = self.backpack.diff(a.commit.id, b.commit)
        except CommitPruned:
            return
        before, after = self.model.state_at(a.seq), self.model.state_at(b.seq)
        changed = {
            key
            for key in before.keys() & after.keys()
            if not same(before[key].value, after[key].value)
        }
        require(diff.added.keys() == after.keys() - before.keys(), "S1", f"{diff!r:.300}")
        require(diff.removed.keys() == before.keys() - after.keys(), "S1", f"{diff!r:.300}")
        require(diff.changed.keys() == changed, "S1", f"{diff!r:.300}")

    @_begun
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        """Make an old state the current one again."""
        recorded = self.draw_commit(data)
        old, current = self.model.state_at(recorded.seq), self.model.current()
        changes = {
            **dict.fromkeys(current.keys() - old.keys(), REMOVED),
            **{
                key: version.value
                for key, version in old.items()
                if key not in current or not same(current[key], version.value)
            },
        }

        def attempt() -> Commit | None:
            try:
                return self.backpack.rollback(recorded.commit)
            except (CommitPruned, ValueUnavailable) as error:
                event(f"rollback: {type(error).__name__}")
                return None

        self.commit(attempt, changes)

    @precondition(lambda self: len(self.model.commits) % 5 == 4)
    @rule(data=st.data(), move=st.booleans())
    def fork(self, data: st.DataObject, move: bool) -> None:
        """Fork from a commit; the fork is independent. Sometimes go on with the fork."""
        recorded = self.draw_commit(data)
        before = self.fingerprint()
        try:
            fork = self.backpack.fork(recorded.commit)
        except (CommitPruned, ValueUnavailable, BudgetError) as error:
            event(f"fork: {type(error).__name__}")
            return
        state = {key: each.value for key, each in self.model.state_at(recorded.seq).items()}
        require(same(dict(fork), {key: state[key] for key in fork}), "S1", "A fork differs.")
        require(len(fork) == len(state), "S1", "A fork lacks keys.")
        self.expect(UnknownCommit, lambda: fork.snapshot(recorded.commit))
        if move and fork.head is not None:
            first = fork.head
            self.adopt(fork)
            self.model.record(first, state)
        else:
            fork.clear()
            fork["plan"] = "elsewhere"
            require(self.fingerprint() == before, "S3", "A change of a fork came through.")

    # --- keeping commits ---------------------------------------------------------------------

    @_begun
    @rule(
        data=st.data(),
        tag=st.one_of(st.sampled_from(_TAGS), st.text("xyz", min_size=300, max_size=400)),
        on=st.booleans(),
    )
    def tag(self, data: st.DataObject, tag: str, on: bool) -> None:
        """Tag a commit, or take the tag off."""
        recorded = self.draw_commit(data)
        change = self.backpack.tag if on else self.backpack.untag
        before, self.committing = self.fingerprint(), False
        try:
            commit = change(recorded.commit, tag)
        except CommitPruned:
            return
        except BudgetError:
            require(self.fingerprint() == before, "F1", "A refused tag changed the state.")
            return
        finally:
            self.committing = True
        tags = {*recorded.commit.tags, tag} if on else {*recorded.commit.tags} - {tag}
        self.model.retag(recorded.seq, tags)
        require(commit == recorded.commit, "S1", f"tag() returned {commit}.")

    @_begun
    @rule(data=st.data(), on=st.booleans())
    def pin(self, data: st.DataObject, on: bool) -> None:
        """Pin a commit, or let it go."""
        recorded = self.draw_commit(data)
        try:
            if on and len(self.model.pinned) < 3:
                self.backpack.pin(recorded.commit)
                self.model.pinned.add(recorded.seq)
            else:
                self.backpack.unpin(recorded.commit)
                self.model.pinned.discard(recorded.seq)
        except CommitPruned:
            pass

    # --- bad input and bad policies ------------------------------------------------------------

    @rule(
        value=st.sampled_from([object(), [iter(())], {"deep": [{"f": len}]}, (memoryview(b""),)]),
        key=st.sampled_from(_KEYS),
    )
    def pack_what_cannot_be_packed(self, value: object, key: str) -> None:
        """A value that cannot be kept is refused, and nothing changes."""
        self.expect(UnpackableValue, lambda: self.backpack.pack(key, value))
        self.expect(UnpackableValue, lambda: self.backpack.update({"plan": 1, key: value}))

    @rule(key=st.sampled_from([1, "", None, b"k", ("k",), "\ud800"]))
    def pack_under_a_bad_key(self, key: Any) -> None:
        """A key that is none is refused, and nothing changes."""
        self.expect(InvalidKey, lambda: self.backpack.pack(key, 1))
        self.expect((UnknownKey, InvalidKey), lambda: self.backpack.remove(key))
        require(key not in self.backpack, "R1", f"{key!r} is in the state.")

    @rule(misdeed=st.sampled_from(MISDEEDS["pruning"]), data=st.data(), key=st.sampled_from(_KEYS))
    def sabotage_pruning(self, misdeed: str, data: st.DataObject, key: str) -> None:
        """The pruning policy breaks its contract when room is needed."""
        self.fill(key)
        self.sabotage_once("pruning", misdeed, data.draw(sized(self.limit - 1)), key)

    @rule(
        axis=st.sampled_from(("sizing", "reference", "storage")),
        data=st.data(),
        key=st.sampled_from(_KEYS),
    )
    def sabotage(self, axis: str, data: st.DataObject, key: str) -> None:
        """Another policy breaks its contract in the middle of a change."""
        misdeed = data.draw(st.sampled_from(MISDEEDS[axis]))
        self.sabotage_once(axis, misdeed, data.draw(sized(self.limit - 1)), key)

    def sabotage_once(self, axis: str, misdeed: str, value: object, key: str) -> None:
        """Pack a value while a policy misbehaves; then it behaves again."""
        before, saboteur = self.fingerprint(), self.saboteur
        saboteur.axis, saboteur.misdeed, saboteur.fired = axis, misdeed, False
        commit: Commit | None = None
        try:
            commit = self.backpack.pack(key, value)
        except (PolicyError, KeyboardInterrupt) as error:
            event(f"sabotaged {axis}: {misdeed}")
            require(saboteur.fired, "P3", f"A policy that behaved was blamed: {error!r}.")
            wanted = KeyboardInterrupt if misdeed == "interrupt" else PolicyError
            require(type(error) is wanted, "P3", f"{misdeed} gave {error!r}.")
            require(self.fingerprint() == before, "P3", f"{misdeed} in {axis} changed the state.")
        except BudgetError:
            require(self.fingerprint() == before, "F1", "A refusal changed the state.")
        finally:
            saboteur.axis = None
        if misdeed == "reenter":
            require("intruder" not in self.backpack, "P3", "A policy changed the Backpack.")
        if commit is not None:
            excused = not saboteur.fired or (axis, misdeed) == ("reference", "nothing")
            require(excused, "P3", f"{axis} did {misdeed} and nobody objected.")
            self.model.record(commit, {key: value})

    def fill(self, key: str) -> None:
        """Pack until the next commit of an ordinary value has to prune, unless that takes long."""
        for number in range(12):
            if not self.limit < self.backpack.memory_usage().headroom_bytes < 12 * self.limit:
                return
            value = f"{number:02}" + "f" * (self.limit - 200)
            self.commit(lambda: self.backpack.pack(key, value), {key: value})

    # --- laws ----------------------------------------------------------------------------------

    @invariant()
    def laws(self) -> None:
        """Every law holds between operations."""
        if not hasattr(self, "model"):
            return
        if self.faults:
            raise self.faults[0]
        usage = self.backpack.memory_usage()
        self.highest = max(self.highest, usage.history_bytes)
        require(usage.peak_history_bytes >= self.highest, "B1", f"The peak is forgotten: {usage}.")
        check_laws(self.backpack, self.model, most=12)

    def teardown(self) -> None:
        """At the end of a program that broke no law, every commit is looked at."""
        if hasattr(self, "model") and sys.exc_info()[0] is None:
            check_laws(self.backpack, self.model)

    def expect(
        self,
        error: type[BaseException] | tuple[type[BaseException], ...],
        attempt: Callable[[], object],
    ) -> None:
        """Do what must fail, and see that nothing changed."""
        before = self.fingerprint()
        try:
            attempt()
        except error as raised:
            require(self.fingerprint() == before, "F1", f"{raised!r} changed the state.")
        except BackpackError as raised:
            require(False, "F1", f"{raised!r} instead of {error}.")
        else:
            require(False, "F1", f"Nothing was raised instead of {error}.")

    def require_unspoiled(self, reason: str) -> None:
        """S3: the current state is what the model says."""
        for key, value in self.model.current().items():
            require(same(self.backpack.unpack(key), value), "S3", f"{key!r} changed when {reason}.")

    def draw_commit(self, data: st.DataObject) -> Any:
        """Draw one of all commits ever made, the newest and oldest more often."""
        made = len(self.model.commits)
        recent = st.integers(max(1, made - 4), made)
        return self.model.commits[data.draw(st.one_of(recent, st.integers(1, made))) - 1]


def machine_for(
    make: Callable[[], Backpack], *, name: str = "Machine", limit: int = 1024
) -> type[BackpackMachine]:
    """Return a state machine for the Backpacks that ``make`` makes.

    Args:
        make: Returns a new Backpack. Its policies are wrapped, so that they can be told to fail.
        name: The name of the machine's class.
        limit: Sizes in bytes around which values are drawn: the per-value limit.
    """
    return type(name, (BackpackMachine,), {"make": staticmethod(make), "limit": limit})
