"""The model: what a Backpack must answer, by copying everything.

It shares no code with the engine. Every commit keeps a whole state of its own; a version knows
who set it. What the model cannot predict, which commits a policy prunes, it takes from the
Backpack; what follows from that, it works out by itself.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final, Literal

from attrs import evolve, field, frozen, mutable

from backpack.records import Change, Commit
from backpack.spec.sameness import same

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from backpack.records import Reference

__all__ = ["REMOVED", "Model", "Recorded", "Version"]

#: Stands for a removal among the changes of a commit.
REMOVED: Final = object()


@frozen(eq=False)
class Version:
    """One value a key had.

    Attributes:
        key: The key.
        seq: The number of the commit that set it.
        value: A copy of the value; REMOVED if the key was removed.
        size: Its size in bytes, as the sizing policy measures it.
        reference: What history keeps in its place once it is superseded; None keeps the value.
    """

    key: str
    seq: int
    value: object
    size: int = 0
    reference: Reference | None = None


@mutable
class Recorded:
    """One commit and the whole state it made.

    Attributes:
        seq: Its number.
        commit: Its record, as the Backpack gave it, with what was tagged since.
        state: ``{key: Version}``, removals included.
    """

    seq: int
    commit: Commit
    state: Mapping[str, Version]


@mutable
class Model:
    """Everything that was ever done to one Backpack.

    Attributes:
        code: The code its commit ids end with.
        measure: ``(key, value, previous)`` to size in bytes, and the reference that history keeps
            in the value's place, if it leaves the value out. ``previous`` has the value before,
            or nothing.
        commits: Every commit, the oldest first.
        pinned: The numbers of the pinned commits that are retained.
        archived_pins: Those of the archived commits that somebody pinned.
        erased: The numbers of the commits that somebody had removed for good.
    """

    code: str
    measure: Callable[[str, object, Sequence[object]], tuple[int, Reference | None]]
    commits: list[Recorded] = field(factory=list)
    pinned: set[int] = field(factory=set)
    archived_pins: set[int] = field(factory=set)
    erased: set[int] = field(factory=set)

    def predict(
        self,
        changes: Mapping[str, object],
        timestamp: float,
        by: str | None = None,
        tags: Collection[str] = (),
        note: str | None = None,
    ) -> Commit:
        """Return the record that a commit of these changes must have, its changes by key.

        Args:
            changes: ``{key: value}`` to set, REMOVED to remove.
            timestamp: The time.
            by: Which node does it.
            tags: Its labels.
            note: Its remark.
        """
        current = self.current()

        def change(key: str, value: object) -> Change:
            if value is REMOVED:
                return Change(key, "removed")
            kind: Literal["same", "set"] = (
                "same" if key in current and same(current[key], value) else "set"
            )
            previous = [current[key]] if key in current else []
            return Change(key, kind, self.measure(key, value, previous)[0])

        made = tuple(change(key, changes[key]) for key in sorted(changes))
        seq = len(self.commits) + 1
        return Commit(self.code, seq, timestamp, made, by, tuple(sorted(tags)), note)

    def record(self, commit: Commit, changes: Mapping[str, object]) -> None:
        """Note that a commit was made.

        Args:
            commit: What the Backpack returned for it.
            changes: ``{key: value}`` it was asked to set, REMOVED to remove.
        """
        state = dict(self.commits[-1].state) if self.commits else {}
        for key, value in changes.items():
            before = state.get(key)
            if before is not None and same(before.value, value):
                continue  # An event, but no new version.
            if value is REMOVED:
                state[key] = Version(key, commit.seq, REMOVED)
            else:
                previous = [before.value] if before and before.value is not REMOVED else []
                measured = self.measure(key, value, previous)
                state[key] = Version(key, commit.seq, deepcopy(value), *measured)
        self.commits.append(Recorded(commit.seq, commit, state))

    def forget(self, head: int) -> None:
        """Note that every commit behind this one was lost."""
        del self.commits[head:]
        self.pinned = {seq for seq in self.pinned if seq <= head}
        self.archived_pins = {seq for seq in self.archived_pins if seq <= head}
        self.erased = {seq for seq in self.erased if seq <= head}

    def retag(self, seq: int, tags: Collection[str]) -> None:
        """Note that a commit now has these tags."""
        recorded = self.commits[seq - 1]
        recorded.commit = evolve(recorded.commit, tags=tuple(sorted(tags)))

    def state_at(self, seq: int) -> dict[str, Version]:
        """Return the versions that stood at a commit, removed keys left out."""
        state = self.commits[seq - 1].state
        return {key: version for key, version in state.items() if version.value is not REMOVED}

    def versions(self) -> Iterator[Version]:
        """Iterate over every value that any key ever had."""
        for recorded in self.commits:
            for version in recorded.state.values():
                if version.seq == recorded.seq and version.value is not REMOVED:
                    yield version

    def current(self) -> dict[str, object]:
        """Return the current state: ``{key: value}``."""
        if not self.commits:
            return {}
        return {key: each.value for key, each in self.state_at(self.commits[-1].seq).items()}

    def is_left_out(self, version: Version) -> bool:
        """Whether a snapshot cannot show a version: superseded, and history has a reference.

        What was spilled is in the archive, which can.
        """
        is_superseded = self.commits[-1].state[version.key] is not version
        reference = version.reference
        return is_superseded and reference is not None and not reference.spilled

    def held(self, retained: Collection[int]) -> dict[str, int]:
        """Return ``{key: number}`` of the versions that history must hold, and no others.

        These are the versions some retained commit shows, without the current values, and
        without removals before which the key has nothing to show.
        """
        shown: dict[str, dict[int, Version]] = {}
        for seq in retained:
            for key, version in self.commits[seq - 1].state.items():
                shown.setdefault(key, {})[version.seq] = version
        numbers: dict[str, int] = {}
        for key, versions in shown.items():
            held = [versions[seq] for seq in sorted(versions)]
            if held[-1] is self.commits[-1].state[key] and held[-1].value is not REMOVED:
                held.pop()
            while held and held[0].value is REMOVED:
                held.pop(0)
            if held:
                numbers[key] = len(held)
        return numbers
