"""Nothing is half done where an archive refuses, or does what it says it has not done."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from archives import Past, settings, some_value
from attrs import evolve, field, frozen, mutable
from faults import WRITE, database_of, seen

from backpack import ArchiveError, Backpack, BudgetError, Commit, CommitPruned
from backpack.archive import SqlArchive
from backpack.archive.database import Database
from backpack.archive.log import Log
from backpack.audit import audit

#: So many programs on a file; ``BACKPACK_PROGRAMS`` asks for others.
PROGRAMS = int(os.environ.get("BACKPACK_PROGRAMS", "4"))

#: What was acknowledged before a change that is in doubt, and the change.
Doubtful = tuple["Told", "Change"]


@contextmanager
def unreliable(chance: random.Random, often: float = 0.5) -> Iterator[None]:
    """Have what is to be made durable often be refused, or be there and look refused."""
    commit = Database.commit

    def commit_or_fail(database: Database) -> None:
        draw = chance.random() / often
        if 0.5 < draw < 1:
            raise OSError("the disk is full")
        commit(database)
        if draw < 0.5:
            raise OSError("the answer got lost")

    with patch.object(Database, "commit", commit_or_fail):
        yield


def is_in_doubt(backpack: Backpack) -> bool:
    """Whether something is yet to be taken back, if it was done all the same."""
    scribe = backpack._engine.scribe
    assert scribe is not None
    assert isinstance(scribe.log, Log)
    return scribe.log._is_unsure


@mutable
class Told:
    """What was acknowledged: all that was done, and which commits were erased."""

    past: Past
    erased: set[int] = field(factory=set)

    def copied(self) -> Told:
        """Return a copy."""
        return Told(self.past.copied(), {*self.erased})

    def check(self, backpack: Backpack) -> None:
        """What was acknowledged is there, exactly, and what was erased is not."""
        assert audit(backpack) == []
        usage = backpack.memory_usage()
        assert usage.history_bytes <= usage.budget_bytes
        assert dict(backpack) == self.past.current
        there = {each.seq: each for each in backpack.history()}
        made = {each.seq: each for each in self.past.commits if each.seq not in self.erased}
        assert there == made
        for commit in self.past.commits:
            if commit.seq in there:
                self.past.check_at(backpack, commit.seq)
            else:
                with pytest.raises(CommitPruned):
                    backpack.snapshot(commit)

    def until(self, head: int) -> Told:
        """Return what is left of it where all behind a commit is lost."""
        left = self.copied()
        left.past.forget(head)
        left.erased = {seq for seq in left.erased if seq <= head}
        return left


@frozen
class Change:
    """Something that is done, and what has happened once it is.

    Attributes:
        do: Does it; returns the commit it makes.
        state: The state that the commit makes, if it makes one.
        erased: The numbers of commits that go.
        tags: The number of a commit, and its tags from then on.
    """

    do: Callable[[], Commit | None]
    state: dict[str, Any] | None = None
    erased: frozenset[int] = frozenset()
    tags: tuple[int, tuple[str, ...]] | None = None

    def note(self, told: Told, commit: Commit | None) -> None:
        """Note that it has happened."""
        if self.state is not None:
            assert commit is not None
            told.past.record(commit, self.state)
        told.erased |= self.erased
        if self.tags is not None:
            seq, tags = self.tags
            told.past.retag(evolve(told.past.commits[seq - 1], tags=tags))


def pack(backpack: Backpack, told: Told, chance: random.Random) -> Change:
    """Set a key, or remove it."""
    state = told.past.current
    key = chance.choice("abc")
    if key in state and chance.random() < 0.2:
        del state[key]
        return Change(lambda: backpack.remove(key), state)
    state[key] = some_value(chance, state.get(key))
    return Change(lambda: backpack.pack(key, state[key]), state)


def erase(backpack: Backpack, told: Told, chance: random.Random) -> Change:
    """Erase some commits; the newest, too, where another one comes in its place."""
    there = backpack.history()
    chosen = chance.sample(there, min(len(there), chance.choice((1, 1, 2, 9))))
    erased = frozenset(each.seq for each in chosen)
    if there[0] not in chosen and chance.random() < 0.7:
        return Change(lambda: backpack.erase(*chosen), erased=erased)
    state = told.past.current
    state["a"] = chance.randbytes(30)

    def replace() -> Commit | None:
        with backpack.transaction() as transaction:
            transaction["a"] = state["a"]
            transaction.erase(*chosen)
        return transaction.commit

    return Change(replace, state, erased)


def tag(backpack: Backpack, told: Told, chance: random.Random) -> Change:
    """Tag a commit, retained or archived."""
    commit, another = chance.choice(backpack.history()), chance.choice("xyz")
    tags = tuple(sorted({*commit.tags, another}))

    def do() -> None:
        assert backpack.tag(commit, another).tags == tags

    return Change(do, tags=(commit.seq, tags))


def check_killed(backpack: Backpack, told: Told, doubtful: list[Doubtful], folder: Path) -> None:
    """If the process were killed now, what is opened again is what was done, or was in doubt."""
    file = Path(str(database_of(backpack)._url.database))
    folder.mkdir()
    for name in (file.name, f"{file.name}-wal"):
        if file.with_name(name).exists():
            shutil.copy(file.with_name(name), folder / name)
    write = "on-commit" if backpack._engine.settings.archive.on_commit else "on-prune"  # type: ignore[union-attr]
    archive = SqlArchive(f"sqlite:///{folder / file.name}", write=write)
    with closing(Backpack.open(archive, "it", **settings())) as again:
        possible = [told]
        for before, change in doubtful:
            made = len(before.past.commits)
            if change.state is None or (again.head is not None and again.head.seq == made + 1):
                possible.append(before.copied())
                change.note(possible[-1], again.head)
        if write == "on-commit":
            assert again.head is None or again.head.seq >= len(told.past.commits)
        head = 0 if again.head is None else again.head.seq
        failures = []
        for each in possible:
            try:
                each.until(head).check(again)
            except AssertionError as error:
                failures.append(error)
        assert len(failures) < len(possible), failures[0]
    shutil.rmtree(folder)


@pytest.mark.parametrize("write", WRITE)
@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_what_is_refused_is_as_before(write: str, seed: int, tmp_path: Path) -> None:
    """Whether or not it was done all the same, and whether or not the process is killed then."""
    chance = random.Random(seed)  # noqa: S311
    program(f"sqlite:///{tmp_path}/archive.db", write, chance, tmp_path / "killed")


@pytest.mark.parametrize("write", WRITE)
def test_what_a_server_refuses_is_as_before(write: str, server: str) -> None:
    """The same."""
    SqlArchive(server).delete("it")
    program(server, write, random.Random(7), None)  # noqa: S311


def program(url: str, write: str, chance: random.Random, folder: Path | None) -> None:
    """Change a Backpack in every way while its archive cannot be relied on."""
    archive = SqlArchive(url, write=write)
    backpack = Backpack(**settings(), archive=archive, name="it")
    told = Told(Past())
    doubtful: list[Doubtful] = []
    for _ in range(60):
        action = pack if not told.past.commits else chance.choice((pack, pack, pack, erase, tag))
        before, change = seen(backpack), action(backpack, told, chance)
        try:
            with unreliable(chance):
                commit = change.do()
        except ArchiveError:
            assert before == seen(backpack)
            doubtful.append((told.copied(), change))
        except BudgetError:
            assert before == seen(backpack)
        else:
            change.note(told, commit)
        if not is_in_doubt(backpack):
            doubtful = []
        if folder is not None and (chance.random() < 0.3 or len(doubtful) == 1):
            check_killed(backpack, told, doubtful, folder)
        if chance.random() < 0.3:
            told.check(backpack)
        if chance.random() < 0.1:
            backpack.close()
            backpack = Backpack.open(archive, "it", **settings())
            doubtful = []
            told.check(backpack)
    told.check(backpack)
    backpack.close()
    with closing(Backpack.open(archive, "it", **settings())) as again:
        told.check(again)
