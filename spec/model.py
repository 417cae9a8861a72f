"""The model: what a Backpack must answer, by copying everything.

It shares no code with the engine. Every commit keeps a whole state of its own; a version knows
who set it. What the model cannot predict, which commits a policy prunes, it takes from the
Backpack; what follows from that, it works out by itself.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen, mutable

from backpack.spec.values import same

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from backpack.records import Commit

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
        left_out: Whether the reference policy keeps it out of history.
    """

    key: str
    seq: int
    value: object
    size: int = 0
    left_out: bool = False


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
        measure: ``(key, value)`` to size in bytes, and whether history leaves the value out.
        commits: Every commit, the oldest first.
        pinned: The numbers of the pinned commits.
    """

    code: str
    measure: Callable[[str, object], tuple[int, bool]]
    commits: list[Recorded] = field(factory=list)
    pinned: set[int] = field(factory=set)

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
                state[key] = Version(key, commit.seq, deepcopy(value), *self.measure(key, value))
        self.commits.append(Recorded(commit.seq, commit, state))

    def retag(self, seq: int, tags: Collection[str]) -> None:
        """Note that a commit now has these tags."""
        recorded = self.commits[seq - 1]
        recorded.commit = evolve(recorded.commit, tags=tuple(sorted(tags)))

    def state_at(self, seq: int) -> dict[str, Version]:
        """Return the versions that stood at a commit, removed keys left out."""
        state = self.commits[seq - 1].state
        return {key: version for key, version in state.items() if version.value is not REMOVED}

    def current(self) -> dict[str, object]:
        """Return the current state: ``{key: value}``."""
        if not self.commits:
            return {}
        return {key: each.value for key, each in self.state_at(self.commits[-1].seq).items()}

    def is_superseded(self, version: Version) -> bool:
        """Whether a later commit changed the key."""
        return self.commits[-1].state[version.key] is not version

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
