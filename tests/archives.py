"""What the tests of archives share: databases to put them in, and a model of what was archived."""

from __future__ import annotations

import random
from typing import Any

import pytest
from attrs import evolve, field, mutable

from backpack import Backpack, Commit, CommitPruned, Unavailable
from backpack.audit import audit
from backpack.policies import Stub

#: From so many bytes on history leaves a value out.
LIMIT = 1500


def some_value(chance: random.Random, before: Any) -> Any:
    """Return a value that has something in common with the one before, or nothing."""
    kind = chance.randrange(8)
    text = "".join(chance.choices("abcdefgh", k=chance.choice((0, 5, 60, 400, 900))))
    if kind < 4 and isinstance(before, str):
        at = chance.randrange(len(before) + 1)
        return (before[:at] + text[:60] + before[at:])[:1200]
    if kind == 4:
        return text + "left out" * 250
    if kind == 5:
        return {"n": chance.randrange(3), "text": text}
    return text


@mutable
class Past:
    """All that was ever done to a Backpack, by copying everything.

    Attributes:
        states: The state after each commit, from the first on.
        commits: Their records, with what was tagged since.
        pinned: The numbers of those that are pinned.
        gone: The numbers of those that the archive does not keep.
        spills: Whether no value is left out.
    """

    states: list[dict[str, Any]] = field(factory=list)
    commits: list[Commit] = field(factory=list)
    pinned: set[int] = field(factory=set)
    gone: set[int] = field(factory=set)
    spills: bool = False

    @property
    def current(self) -> dict[str, Any]:
        """A copy of the newest state."""
        return dict(self.states[-1]) if self.states else {}

    @property
    def kept(self) -> list[Commit]:
        """The commits that are there yet, from the first on."""
        return [each for each in self.commits if each.seq not in self.gone]

    def copied(self) -> Past:
        """Return a copy."""
        return Past(
            [*self.states], [*self.commits], {*self.pinned}, {*self.gone}, spills=self.spills
        )

    def notice(self, backpack: Backpack) -> None:
        """Note which commits the archive has removed; they are the oldest that it may remove."""
        there = {each.seq for each in backpack.history()}
        gone = {each.seq for each in self.commits} - there
        assert self.gone <= gone
        retained = set(backpack._engine.history.commits.seqs)
        for seq in gone - self.gone:
            assert not self.commits[seq - 1].tags
            assert seq not in self.pinned | retained
        if gone > self.gone:
            left = self.removable(backpack) - gone
            assert not left or min(left) > max(gone - self.gone)
        self.gone = gone

    def removable(self, backpack: Backpack) -> set[int]:
        """Return the numbers of all commits that an archive may have removed, or might.

        The newest in it stays, archived or not.
        """
        engine = backpack._engine
        head = 0 if engine.scribe is None else engine.scribe.log.head
        seqs = {each.seq for each in self.commits[: max(head - 1, 0)] if not each.tags}
        return seqs - self.pinned - set(engine.history.commits.seqs)

    def record(self, commit: Commit, state: dict[str, Any]) -> None:
        """Note a commit and the state it made."""
        assert commit.seq == len(self.commits) + 1
        self.states.append(state)
        self.commits.append(commit)

    def retag(self, commit: Commit) -> None:
        """Note that a commit has other tags."""
        recorded = self.commits[commit.seq - 1]
        self.commits[commit.seq - 1] = evolve(recorded, tags=commit.tags)

    def forget(self, head: int) -> None:
        """Note that everything behind a commit was lost."""
        del self.states[head:], self.commits[head:]
        self.pinned = {seq for seq in self.pinned if seq <= head}
        self.gone = {seq for seq in self.gone if seq <= head}

    def check(self, backpack: Backpack) -> None:
        """Every commit that is kept is there once, and shows exactly what was."""
        assert audit(backpack) == []
        usage = backpack.memory_usage()
        assert usage.history_bytes <= usage.peak_history_bytes <= usage.budget_bytes
        assert dict(backpack) == self.current
        assert list(backpack) == list(self.current)
        assert backpack.history() == self.kept[::-1]
        for commit in self.kept:
            self.check_at(backpack, commit.seq)
        for seq in self.gone:
            with pytest.raises(CommitPruned, match="was pruned"):
                backpack.snapshot(f"{seq}-{backpack.code}")

    def check_log(self, backpack: Backpack) -> None:
        """Every commit is there once, and what it set is in the log exactly; read in one go.

        For a Backpack of which all is in the log; quicker than to look at each commit. Where some
        are not kept, a version is there if it stood at one that is.
        """
        scribe, codec = backpack._engine.scribe, backpack._engine.settings.codec
        assert audit(backpack) == []
        assert dict(backpack) == self.current
        assert backpack.history() == self.kept[::-1]
        assert scribe is not None
        found = {(each.key, each.seq): each for each in scribe.log.versions(0)}
        before: dict[str, Any] = {}
        for seq, state in enumerate(self.states, 1):
            for key in before.keys() | state.keys():
                if before.get(key, self) == state.get(key, self):
                    continue
                read = found.pop((key, seq), None)
                if read is None:
                    assert self.is_gone(key, seq)
                    continue
                if read.encoded is not None:
                    assert codec.decode(read.encoded) == state[key]
                elif read.reference is None:
                    assert key not in state
                else:
                    assert self.is_superseded(key, seq)
                    assert len(str(state[key])) > LIMIT - 10
            before = state
        assert found == {}

    def check_at(self, backpack: Backpack, seq: int) -> None:
        """One commit shows exactly what was."""
        snapshot = backpack.snapshot(f"{seq}-{backpack.code}")
        assert snapshot.commit == self.commits[seq - 1]
        shown, state = snapshot.to_dict(), self.states[seq - 1]
        assert shown.keys() == state.keys() == set(snapshot)
        for key, value in state.items():
            if isinstance(shown[key], Unavailable) and not self.spills:
                assert self.is_superseded(key, seq)
                assert len(str(value)) > LIMIT - 10
            else:
                assert shown[key] == value == snapshot[key]
                assert self.spills or not (self.is_superseded(key, seq) and len(str(value)) > LIMIT)

    def is_gone(self, key: str, seq: int) -> bool:
        """Whether no commit is kept at which what one set under a key stood."""
        states = self.states
        while seq in self.gone and seq < len(states):
            seq += 1
            if states[seq - 1].get(key, self) != states[seq - 2].get(key, self):
                return True
        # What is not there needs not be told of.
        return seq not in self.gone and key not in states[seq - 1]

    def is_superseded(self, key: str, seq: int) -> bool:
        """Whether what stood under a key at a commit was changed since."""
        setter = self.setter(key, seq)
        return setter != self.setter(key, len(self.states)) or key not in self.current

    def setter(self, key: str, seq: int) -> int:
        """Return the number of the commit that set, or removed, what stood under a key."""
        state = self.states
        while seq > 1 and state[seq - 2].get(key, self) == state[seq - 1].get(key, self):
            seq -= 1
        return seq


def settings(**others: Any) -> dict[str, Any]:
    """Return settings with little room."""
    return {"max_history_size": 8192, "reference": Stub(LIMIT), **others}
