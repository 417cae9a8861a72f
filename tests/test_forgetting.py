"""Forgetting on request: another budget, and commits that go for good."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any, Literal
from unittest.mock import patch

import pytest
from archives import Past, settings, some_value
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from sqlalchemy.pool import Pool

from backpack import (
    Archived,
    ArchiveError,
    Backpack,
    BudgetError,
    CommitPruned,
    Committed,
    ConfigError,
    ConflictError,
    CorruptError,
    Event,
    Pruned,
    PruneRequest,
    Refused,
    StaleWriter,
    UnknownCommit,
)
from backpack.archive import SqlArchive
from backpack.archive.database import Database
from backpack.audit import audit
from backpack.past import Past as OnDisk
from backpack.policies import KeepAll, Stub

KIB = 1024


def check(backpack: Backpack, past: Past, erased: set[int]) -> None:
    """Every commit that is there shows what was, none that was erased is there, all else is well.

    With an archive, all that were not erased are there.
    """
    assert audit(backpack) == []
    usage = backpack.memory_usage()
    assert usage.history_bytes <= usage.budget_bytes
    assert dict(backpack) == past.current
    there = {each.seq: each for each in backpack.history()}
    assert not erased & there.keys()
    if backpack._engine.scribe is not None:
        assert there.keys() | erased == {each.seq for each in past.commits}
    for commit in past.commits:
        if commit.seq in there:
            past.check_at(backpack, commit.seq)
        else:
            with pytest.raises(CommitPruned):
                backpack.snapshot(commit)


def erase_some(backpack: Backpack, past: Past, erased: set[int], chance: random.Random) -> None:
    """Erase some commits that are there, if all of them may go."""
    there = backpack.history()
    chosen = chance.sample(there, min(len(there), chance.choice((1, 1, 2, 9))))
    before = backpack.memory_usage()
    stays = {past.commits[-1].seq, *past.pinned}
    if stays & {each.seq for each in chosen}:
        with pytest.raises(ConflictError, match="nothing was erased"):
            backpack.erase(*chosen)
        assert backpack.memory_usage() == before
        assert backpack.history() == there
        return
    backpack.erase(*chosen)
    erased |= {each.seq for each in chosen}


def program(
    backpack: Backpack, seed: int, reopen: Callable[[Backpack], Backpack], often: float = 1
) -> None:
    """Use a Backpack for a while, forgetting on request; often hold it against its past."""
    chance, past, erased = random.Random(seed), Past(), set[int]()  # noqa: S311
    for _ in range(chance.randrange(5, 60)):
        match chance.choice(("pack", "pack", "pack", "remove", "erase", "resize", "pin", "reopen")):
            case "remove" if past.current:
                state = past.current
                key = chance.choice(sorted(state))
                del state[key]
                with suppress(BudgetError):
                    past.record(backpack.remove(key), state)
            case "erase" if past.commits:
                erase_some(backpack, past, erased, chance)
            case "resize":
                size = chance.choice((4 * KIB, 6 * KIB, 9 * KIB, 40 * KIB))
                before = backpack.max_history_size
                try:
                    backpack.resize(size)
                except BudgetError:
                    assert past.pinned
                    size = before
                assert backpack.max_history_size == size
            case "pin" if past.commits and len(past.pinned) < 2:
                commit = chance.choice(past.commits)
                with suppress(CommitPruned):
                    past.pinned.add(backpack.pin(commit).seq)
            case "reopen":
                backpack = reopen(backpack)
            case _:
                state = past.current
                key = chance.choice("abc")
                state[key] = some_value(chance, state.get(key))
                with suppress(BudgetError):
                    past.record(backpack.pack(key, state[key]), state)
        if chance.random() < often:
            check(backpack, past, erased)
    check(backpack, past, erased)
    backpack.close()


@given(seed=st.integers(0, 2**32))
def test_forgetting_on_request_in_memory(seed: int) -> None:
    """What is left answers exactly, what was erased is gone, and the budget is the new one."""
    program(Backpack(**settings()), seed, lambda backpack: backpack)


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_forgetting_on_request_in_an_archive(write: str, url: str) -> None:
    """The same, where everything else that was given up is archived; restarts included."""
    archive = SqlArchive(url, write=write)

    def reopen(backpack: Backpack) -> Backpack:
        size = backpack.max_history_size
        backpack.close()
        return Backpack.open(archive, name, **{**settings(), "max_history_size": size})

    for seed in range(3):
        name = f"run {seed}"
        program(Backpack(**settings(), archive=archive, name=name), seed, reopen, 0.1)


# --- another budget ---------------------------------------------------------------------------


def test_a_smaller_budget_prunes_and_tells() -> None:
    """The policy chooses what goes, as it would for a pack."""
    backpack = Backpack(max_history_size="64 KiB")
    for number in range(400):
        backpack.pack("n", number)
    heard: list[Event] = []
    backpack.subscribe(heard.append)
    backpack.resize("8 KiB")
    usage = backpack.memory_usage()
    assert usage.history_bytes <= usage.budget_bytes == 8 * KIB
    (pruned,) = heard
    assert isinstance(pruned, Pruned)
    assert len(pruned.commits) == usage.commits_pruned > 0
    backpack.resize("1 MiB")
    assert backpack.memory_usage().commits_retained == usage.commits_retained
    assert audit(backpack) == []


def test_the_old_budget_holds_until_the_history_fits_the_new_one() -> None:
    """Whoever looks meanwhile, or at the most that was ever taken, sees nothing over budget."""
    seen: list[tuple[int, int, int, int]] = []

    def look(request: PruneRequest) -> list[str]:
        usage = backpack.memory_usage()
        seen.append((request.budget, request.used, usage.budget_bytes, usage.history_bytes))
        return [each.id for each in request.candidates][:30]

    backpack = Backpack(max_history_size="64 KiB", pruning=look)
    for number in range(200):
        backpack.pack("n", number)
    took = backpack.memory_usage().history_bytes
    backpack.resize("8 KiB")
    assert {(8 * KIB, 64 * KIB, took)} == {
        (asked, had, had_used) for asked, _, had, had_used in seen
    }
    assert [used for _, used, _, _ in seen] == sorted(
        {used for _, used, _, _ in seen}, reverse=True
    )
    usage = backpack.memory_usage()
    assert usage.history_bytes == usage.peak_history_bytes <= usage.budget_bytes == 8 * KIB


def test_a_fork_and_a_checkpoint_have_the_budget_of_the_moment(tmp_path: Path) -> None:
    """An archive has the one the Backpack was begun with: others are given where it is opened."""
    url = f"sqlite:///{tmp_path}/archive.db"
    limited: dict[str, Any] = {"max_history_size": "64 KiB", "reference": Stub("48 KiB")}
    with closing(Backpack.open(url, "it", **limited)) as backpack:
        backpack.pack("n", 1)
        backpack.resize("32 KiB")  # Which is less than a value may have.
        assert backpack.fork().max_history_size == 32 * KIB
        backpack.save(tmp_path / "it.backpack")
    assert Backpack.restore(tmp_path / "it.backpack").max_history_size == 32 * KIB
    assert Backpack.restore(tmp_path / "it.backpack").fork().max_history_size == 32 * KIB
    small = Backpack.restore(tmp_path / "it.backpack", max_history_size="16 KiB")
    assert small.max_history_size == small.fork().max_history_size == 16 * KIB
    with pytest.raises(ConfigError, match="49,152 bytes for one value is above max_history_size"):
        Backpack.restore(tmp_path / "it.backpack", reference={"max_value_size": "48 KiB"})
    with closing(Backpack.open(url, "it")) as backpack:
        assert backpack.max_history_size == 64 * KIB
    with closing(Backpack.open(url, "it", max_history_size="16 KiB")) as backpack:
        assert backpack.max_history_size == 16 * KIB


def test_a_budget_that_cannot_be_met_is_refused() -> None:
    """Everything is as before, and the subscribers are told."""
    backpack = Backpack(max_history_size="64 KiB", pruning=KeepAll())
    for number in range(100):
        backpack.pack("n", number)
    heard: list[Event] = []
    backpack.subscribe(heard.append)
    before = backpack.memory_usage()
    with pytest.raises(BudgetError) as caught:
        backpack.resize("4 KiB")
    takes = before.history_bytes
    assert str(caught.value) == (
        f"what the history has to keep takes {takes:,} bytes, more than the budget of 4,096 that "
        "it is to have, and KeepAll gives nothing more up; nothing was changed. What helps: a "
        "larger budget, or another pruning policy"
    )
    assert (takes, 4096) == (caught.value.needed, caught.value.free)
    assert backpack.memory_usage() == before
    assert backpack.max_history_size == 64 * KIB
    (refused,) = heard
    assert isinstance(refused, Refused)


def test_a_smaller_budget_holds_less_raw() -> None:
    """What is raw is a share of the budget, and is pressed where that shrinks."""
    backpack = Backpack(max_history_size="4 MiB")
    for number in range(12):
        backpack.pack("text", f"{number}" + "some long text " * 700)
    backpack.resize("256 KiB")
    assert audit(backpack) == []
    assert backpack._engine.history.raw_bytes <= 256 * KIB // 16


def test_a_value_larger_than_the_new_budget_goes_with_its_commit() -> None:
    """It never enters the history; what is current is whole."""
    backpack = Backpack(max_history_size="1 MiB")
    first = backpack.pack("text", os.urandom(90_000))
    backpack.resize("16 KiB")
    backpack.pack("text", "short")
    with pytest.raises(CommitPruned):
        backpack.snapshot(first)
    assert audit(backpack) == []


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (100, "max_history_size: 100 bytes cannot hold a history; the least is"),
        ("many", "max_history_size: "),
    ],
)
def test_what_is_no_budget_is_refused(size: int | str, message: str) -> None:
    """As where a Backpack is made."""
    backpack = Backpack()
    with pytest.raises(ConfigError) as refused:
        backpack.resize(size)
    assert str(refused.value).startswith(message)
    assert backpack.max_history_size == 50 * KIB**2


# --- commits that go for good -----------------------------------------------------------------


def test_what_may_not_be_erased_is_named() -> None:
    """All commits that are asked for go, or none."""
    backpack = Backpack()
    first, second, third = (backpack.pack("n", number) for number in range(3))
    backpack.pin(second)
    for wrong, message in (
        (third, f"commit {third.id} is the newest, and stays; nothing was erased"),
        (second, f"commit {second.id} is pinned: unpin it first; nothing was erased"),
    ):
        with pytest.raises(ConflictError) as refused:
            backpack.erase(first, wrong)
        assert message == str(refused.value)
    with pytest.raises(UnknownCommit, match="is no commit id"):
        backpack.erase(first, "nonsense")
    assert backpack.history() == [third, second, first]
    backpack.erase()
    backpack.erase(first, first.id)
    with pytest.raises(CommitPruned, match="was pruned"):
        backpack.erase(first)
    assert backpack.history() == [third, second]


@pytest.mark.parametrize("archived", [False, True])
def test_whoever_looks_for_what_was_erased_is_told_so(archived: bool, tmp_path: Path) -> None:
    """That it may have been is said, where nothing tells that it was."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    with closing(Backpack(archive=archive) if archived else Backpack()) as backpack:
        first, second, third = (backpack.pack("n", number) for number in range(3))
        backpack.erase(first)
        with pytest.raises(CommitPruned) as refused:
            backpack.snapshot(first)
        assert str(refused.value) == f"commit {first.id} was pruned" + (
            ", and removed from the archive since: it was erased, or over the limits of what that "
            "keeps (max_age, max_commits, max_size)"
            if archived
            else " to keep the history in its budget, or erased; 2 commits are retained, from "
            f"{second.id} to {third.id}"
        )


def test_a_commit_comes_in_the_place_of_others() -> None:
    """The newest may be one of them; what it has set is gone with it."""
    backpack = Backpack()
    first, second = backpack.pack("n", "secret"), backpack.pack("m", 1)
    with backpack.transaction(note="instead") as transaction:
        transaction.remove("n")
        transaction.erase(first, second.id)
    assert backpack.history() == [transaction.commit]
    assert dict(backpack) == {"m": 1}
    assert audit(backpack) == []
    assert backpack.memory_usage().versions == 0


def test_a_transaction_that_erases_has_to_change_something() -> None:
    """Otherwise nothing is erased; nor where the block fails, or a commit may not go."""
    backpack = Backpack()
    first, second = backpack.pack("n", 1), backpack.pack("n", 2)
    with pytest.raises(ConflictError, match="has to make one, and this one has changed nothing"):
        with backpack.transaction() as transaction:
            transaction.erase(first)
    with pytest.raises(ZeroDivisionError):
        with backpack.transaction() as transaction:
            transaction.pack("n", 1 / 1)
            transaction.erase(first)
            transaction.pack("n", 1 / 0)
    backpack.pin(first)
    with pytest.raises(ConflictError, match="is pinned: unpin it first; nothing was erased"):
        with backpack.transaction() as transaction:
            transaction.pack("n", 3)
            transaction.erase(first)
    assert [each.seq for each in backpack.history()] == [second.seq, first.seq]
    assert backpack["n"] == 2


def test_subscribers_are_told_that_a_caller_chose() -> None:
    """An erasure is told as pruning is."""
    backpack = Backpack()
    first, _ = backpack.pack("n", 1), backpack.pack("n", 2)
    heard: list[Event] = []
    backpack.subscribe(heard.append)
    backpack.erase(first)
    (pruned,) = heard
    assert isinstance(pruned, Pruned)
    assert (pruned.commits, pruned.policy) == ((first.id,), "erase")


def test_it_is_told_what_an_erasure_frees() -> None:
    """So many bytes as the history would take more without it, whatever comes in the place."""
    backpack = Backpack(max_history_size="64 KiB")
    heard: list[Event] = []
    for number in range(4):
        backpack.pack("n", str(number) * 100)
    before = backpack.memory_usage().history_bytes
    backpack.subscribe(heard.append)
    backpack.erase(backpack.history()[1])
    gone = before - backpack.memory_usage().history_bytes
    assert [gone] == [each.freed_bytes for each in heard if isinstance(each, Pruned)]
    assert gone > 100
    heard.clear()
    with backpack.transaction(note="n" * 5000) as transaction:
        transaction["n"] = 5
        transaction.erase(*backpack.history())
    (pruned,) = (each for each in heard if isinstance(each, Pruned))
    assert gone < pruned.freed_bytes < 5000


def test_where_the_newest_is_erased_the_others_are_counted_right() -> None:
    """Where that makes too little room, the policy is offered what is left, and told how many."""
    offered: list[tuple[int, int]] = []

    def count_them(request: PruneRequest) -> list[str]:
        offered.append((len(request.candidates), len(list(request.candidates))))
        return [each.id for each in request.candidates]

    backpack = Backpack(max_history_size="8 KiB", pruning=count_them)
    for number in range(5):
        backpack.pack("n", number)
    with backpack.transaction(note="n" * (backpack.memory_usage().headroom_bytes)) as transaction:
        transaction["n"] = 5
        transaction.erase(*backpack.history()[:2])
    assert [(3, 3)] == offered
    assert backpack.history() == [transaction.commit]


def test_nothing_of_what_was_erased_is_in_the_file(tmp_path: Path) -> None:
    """Neither its value nor its note; what others also see is."""
    path = tmp_path / "archive.db"
    archive = SqlArchive(f"sqlite:///{path}", write="on-commit")
    with closing(Backpack(archive=archive, name="it")) as backpack:
        backpack.pack("other", "stays here")
        secret = backpack.pack("token", "hunter2-hunter2", note="remarkable-note")
        backpack.pack("token", "")
        backpack.erase(secret)
        size = path.stat().st_size
    with OnDisk(path) as past:
        assert [1, 3] == [each.commit.seq for each in past.commits(newest_first=False)]
    found = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"hunter2" not in found
    assert b"remarkable-note" not in found
    assert size > 0


@pytest.fixture
def lazy() -> Iterator[None]:
    """Have SQLite be as it is built in most places: what is deleted is not overwritten."""

    def prepare(connection: Any, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA secure_delete=OFF").close()

    event.listen(Pool, "connect", prepare)
    yield
    event.remove(Pool, "connect", prepare)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what is logged of what removal left behind."""
    errors: list[str] = []
    monkeypatch.setattr(
        "backpack.archive.leftovers.tell", lambda *_, **fields: errors.append(fields["error"])
    )
    return errors


def found_in(folder: Path, secret: bytes) -> list[str]:
    """Return the names of the files that have a secret in them."""
    return sorted(each.name for each in folder.iterdir() if secret in each.read_bytes())


def leak(archive: SqlArchive, name: str) -> Backpack:
    """Return a Backpack that had a secret, which is in the file of its archive, and a lot more."""
    backpack = Backpack(archive=archive, name=name)
    backpack.pack("token", "hunter2-hunter2", note="remarkable-note")
    backpack.pack("large", os.urandom(20_000) + b"hunter2-hunter2")
    backpack.pack("token", "")
    backpack.pack("large", "")
    with closing(sqlite3.connect(str(archive.parsed.database))) as raw:
        raw.execute("PRAGMA wal_checkpoint").close()
    return backpack


@pytest.mark.usefixtures("lazy")
def test_nothing_of_what_was_deleted_is_in_any_file(tmp_path: Path, told: list[str]) -> None:
    """However SQLite was built, and while another Backpack has the archive open."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    with closing(Backpack(archive=archive, name="other")) as other:
        other.pack("plan", "stays here")
        leak(archive, "it").close()
        assert ["archive.db", "archive.db-wal"] == found_in(tmp_path, b"hunter2")
        assert archive.delete("it")
        for secret in (b"hunter2", b"remarkable-note"):
            assert [] == found_in(tmp_path, secret)
        other.pack("plan", "goes on")
    assert [] == found_in(tmp_path, b"hunter2") == told


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_nothing_of_what_was_erased_is_in_any_file(
    write: str, tmp_path: Path, told: list[str]
) -> None:
    """However SQLite was built, and while the archive is open, with its write-ahead log."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write=write)
    with closing(leak(archive, "it")) as backpack:
        secret = backpack.history()[1:]
        if write == "on-commit":
            assert ["archive.db", "archive.db-wal"] == found_in(tmp_path, b"hunter2")
        backpack.erase(*secret)
        for each in (b"hunter2", b"remarkable-note"):
            assert [] == found_in(tmp_path, each)
        backpack.pack("plan", "goes on")
        assert 2 == len(backpack.history())
    assert [] == found_in(tmp_path, b"hunter2") == told


def test_an_erasure_stands_where_its_file_cannot_be_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """It is logged, not raised: there is nothing to be done again."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    with closing(leak(archive, "it")) as backpack:

        def fail(_: object) -> None:
            raise sqlite3.OperationalError("unforeseen")

        monkeypatch.setattr("backpack.archive.database.give_back", fail)
        backpack.erase(backpack.history()[3])
        assert 1 == len(told)
        assert [4, 3, 2] == [each.seq for each in backpack.history()]


@pytest.mark.usefixtures("lazy")
def test_who_reads_while_it_is_deleted_is_not_disturbed(tmp_path: Path, told: list[str]) -> None:
    """It is logged that something is left; that is gone when the last has closed the archive."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    leak(archive, "it").close()
    with closing(archive.look("it")) as log:
        started = monotonic()
        assert archive.delete("it")
        assert monotonic() - started < 5
        assert [3, 1] == [seq for seq in (3, 1) if log.version_at("token", seq)]
        (message,) = told
        assert message == (
            f"somebody reads the archive sqlite:///{tmp_path}/archive.db: what was removed is in "
            "its file yet, until something is changed or the archive is closed with nobody "
            "reading it"
        )
        assert "archive.db" in found_in(tmp_path, b"hunter2")
    with closing(Backpack(archive=archive, name="another")):
        pass
    assert [] == found_in(tmp_path, b"hunter2")


@pytest.mark.usefixtures("lazy")
@pytest.mark.parametrize("then", ["pack", "close"])
def test_what_a_reader_kept_goes_once_it_has_left(
    then: str, tmp_path: Path, told: list[str]
) -> None:
    """With the next change, or on closing; also while somebody else has the file open."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    with closing(Backpack(archive=archive, name="idle")):
        backpack = leak(archive, "it")
        with closing(archive.look("it")):
            backpack.erase(*backpack.history()[1:])
            assert [True] == ["until something is changed" in each for each in told]
            backpack.pack("n", 1)
            assert found_in(tmp_path, b"hunter2")
        if then == "pack":
            backpack.pack("n", 2)
            assert [] == found_in(tmp_path, b"hunter2")
        backpack.close()
        assert [] == found_in(tmp_path, b"hunter2")
    assert 1 == len(told)


def test_what_was_deleted_stays_so_where_its_file_cannot_be_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """It is logged, not raised: there is nothing to be done again."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    leak(archive, "it").close()

    def fail(_: object) -> None:
        raise sqlite3.OperationalError("unforeseen")

    monkeypatch.setattr("backpack.archive.database.give_back", fail)
    assert archive.delete("it")
    (message,) = told
    assert message == (
        f"the archive sqlite:///{tmp_path}/archive.db cannot be made smaller: unforeseen; nothing "
        "was changed"
    )
    assert [] == archive.names()


def test_an_erasure_that_cannot_be_written_is_as_if_it_had_not_been_tried(tmp_path: Path) -> None:
    """With a commit in its place or without; it can be done again."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db")
    with closing(Backpack(archive=archive, name="it")) as backpack:
        first, second = backpack.pack("n", 1), backpack.pack("n", 2)
        heard: list[Event] = []
        backpack.subscribe(heard.append)
        with patch.object(Database, "commit", side_effect=OSError("the disk is full")):
            with pytest.raises(ArchiveError, match="the disk is full"):
                backpack.erase(first)
            with pytest.raises(ArchiveError, match="the disk is full"):
                with backpack.transaction() as transaction:
                    transaction["n"] = 3
                    transaction.erase(first, second)
        assert transaction.commit is None
        assert [Refused, Refused] == [type(each) for each in heard]
        assert backpack.history() == [second, first]
        assert not backpack.snapshot(first).archived
        assert backpack["n"] == 2
        with backpack.transaction() as transaction:
            transaction["n"] = 3
            transaction.erase(first, second)
        assert backpack.history() == [transaction.commit]
        assert [Archived, Pruned, Committed] == [type(each) for each in heard[-3:]]


def test_what_was_erased_is_let_go_of(tmp_path: Path) -> None:
    """It is kept in memory for as long as the erasure is in doubt, and no longer."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db", write="on-commit")
    with closing(leak(archive, "it")) as backpack:
        log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
        going = backpack.history()[1:]
        with patch.object(Database, "commit", side_effect=OSError("the disk is full")):
            with pytest.raises(ArchiveError):
                backpack.erase(*going)
        assert [3] == [len(each.removed.commits) for each in log._tries]
        backpack.erase(*going)
        assert (None, []) == (log._removed, log._tries)


@pytest.mark.parametrize("limits", [{"max_age": "1 day"}, {"max_commits": 0}], ids=str)
@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_what_is_erased_may_be_over_a_limit(
    write: Literal["on-prune", "on-commit"], limits: dict[str, Any], url: str
) -> None:
    """It goes once; what is there is counted right, and it can be opened again."""
    now = count(1_700_000_000, 2 * 24 * 60 * 60)
    archive = SqlArchive(url, write=write, **limits)
    clocked: dict[str, Any] = {"archive": archive, "clock": lambda: float(next(now))}
    backpack = Backpack(**clocked, name="it")
    commits = [backpack.pack("n", number) for number in range(6)]
    backpack.erase(commits[0], commits[2])
    with backpack.transaction() as transaction:
        transaction["n"] = 6
        transaction.erase(commits[3], commits[5])
    expected = [transaction.commit, commits[4], commits[1]]
    assert backpack.history() == expected
    backpack.close()
    with closing(Backpack.open(archive, "it")) as again:
        assert again.history() == expected
        assert [again.snapshot(each)["n"] for each in expected if each] == [6, 4, 1]


def test_a_subscriber_may_erase_what_it_is_told_of(url: str) -> None:
    """In the middle of the change that makes the commit after it."""
    archive = SqlArchive(url, write="on-commit", max_commits=0)
    with closing(Backpack(archive=archive, name="it")) as backpack:
        first = backpack.pack("n", 0)

        def erase(event: Event) -> None:
            if isinstance(event, Committed) and event.commit.seq == 2:
                backpack.erase(first)

        backpack.subscribe(erase)
        second = backpack.pack("n", 1)
        assert backpack.history() == [second]
    with closing(Backpack.open(archive, "it")) as again:
        assert again.history() == [second]


# --- a whole Backpack -------------------------------------------------------------------------


def test_a_backpack_is_deleted_from_an_archive(url: str) -> None:
    """The others are as before, and its name is free again."""
    archive = SqlArchive(url)
    assert archive.names() == []
    for name in ("one", "two"):
        with closing(Backpack(archive=archive, name=name)) as backpack:
            backpack.pack("name", name)
    assert archive.names() == ["one", "two"]
    assert archive.delete("one")
    assert not archive.delete("one")
    assert archive.names() == ["two"]
    with closing(Backpack.open(archive, "two")) as two:
        assert dict(two) == {"name": "two"}
        with pytest.raises(StaleWriter, match="'two' in the archive .* has a writer that is alive"):
            archive.delete("two")
    with closing(Backpack(archive=archive, name="one")) as again:
        assert again.history() == []


@pytest.mark.parametrize("content", [None, b""])
def test_where_there_is_no_backpack_nothing_is_made(content: bytes | None, tmp_path: Path) -> None:
    """Neither a file nor a lock: there are no names, and none is deleted."""
    path = tmp_path / "runs.db"
    if content is not None:
        path.write_bytes(content)
    before = list(tmp_path.iterdir())
    archive = SqlArchive(f"sqlite:///{path}")
    assert archive.names() == []
    assert not archive.delete("zz")
    assert before == list(tmp_path.iterdir())
    assert content is None or path.read_bytes() == content


def test_no_lock_is_made_of_a_backpack_that_is_not_there(tmp_path: Path) -> None:
    """Only names that somebody had are locked."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/runs.db")
    Backpack(archive=archive, name="a").close()
    before = sorted(tmp_path.iterdir())
    assert not archive.delete("zz")
    assert before == sorted(tmp_path.iterdir())


@pytest.mark.parametrize("name", [5, None, "", "\ud800", "x" * 201])
def test_what_no_backpack_is_called_is_told(name: Any, tmp_path: Path) -> None:
    """Whatever is asked of an archive, and before anything is made."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/runs.db")
    for ask in (
        lambda: archive.delete(name),
        lambda: archive.look(name),
        lambda: archive.resume(name),
        lambda: archive.start(name, "abcdef", "a:b"),
    ):
        with pytest.raises(ConfigError) as caught:
            ask()
        assert str(caught.value).startswith(
            "name: a Backpack in an archive is called by a string of 1 to 200 characters, not "
        )
    assert [] == list(tmp_path.iterdir())


def test_names_are_those_that_were_written(tmp_path: Path) -> None:
    """What somebody made of them in the file is damage, and told as that."""
    path = tmp_path / "runs.db"
    archive = SqlArchive(f"sqlite:///{path}")
    for name in ("a", "b"):
        Backpack(archive=archive, name=name).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE backpack_packs SET name = x'ff' WHERE name = 'b'")
    with pytest.raises(CorruptError, match="what is known of .* is not as it was written"):
        archive.names()


def test_a_file_shrinks_when_a_backpack_is_deleted(tmp_path: Path) -> None:
    """What it took is given back to the system."""
    path = tmp_path / "archive.db"
    archive = SqlArchive(f"sqlite:///{path}")
    for name in ("small", "large"):
        with closing(Backpack(archive=archive, name=name)) as backpack:
            for _ in range(20 if name == "large" else 1):
                backpack.pack("data", os.urandom(50_000))
    before = path.stat().st_size
    archive.delete("large")
    assert path.stat().st_size < before / 5
