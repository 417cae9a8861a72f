"""An archive keeps what its limits allow, and all of that answers as before."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from archives import Past, settings, some_value
from sqlalchemy import text

from backpack import ArchiveError, Backpack, CommitPruned, ConfigError, CorruptError, Snapshot
from backpack.archive import SqlArchive
from backpack.archive.checkpoint import verify
from backpack.archive.database import Database
from backpack.archive.removal import Removal


def used(
    url: str, count: int, past: Past | None = None, tag_each: int = 0, **limits: Any
) -> tuple[Backpack, Past]:
    """Return a Backpack that was used for a while, with limits to its archive, and its past."""
    past = past or Past()
    chance = random.Random(len(past.commits))  # noqa: S311
    archive = SqlArchive(url, write=limits.pop("write", "on-commit"), **limits)
    clock = lambda: float(len(past.commits))  # noqa: E731
    backpack = Backpack.open(archive, "it", **settings(), clock=clock)
    for number in range(count):
        state = past.current
        key = chance.choice("abc")
        if number % 20 == 19 and key in state:
            del state[key]
            commit = backpack.remove(key)
        else:
            state[key] = some_value(chance, state.get(key))
            tags = ["kept"] if tag_each and number % tag_each == 0 else []
            commit = backpack.pack(key, state[key], tags=tags)
        past.record(commit, state)
    past.notice(backpack)
    return backpack, past


def archived(backpack: Backpack, past: Past) -> set[int]:
    """Return the numbers of archived commits that need not stay."""
    return past.removable(backpack) - past.gone


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_by_count(url: str, write: str) -> None:
    """So many archived commits at most, and hardly fewer; what is tagged or pinned stays."""
    backpack, past = used(url, 100, max_commits=48, tag_each=25, write=write)
    past.pinned.add(max(archived(backpack, past)))
    backpack.pin(past.commits[max(past.pinned) - 1])
    backpack.close()
    backpack, past = used(url, 150, past, max_commits=48, write=write)
    assert len(past.gone) > 80
    assert 45 <= len(archived(backpack, past)) <= 48
    assert {1, 26, 51, 76, *past.pinned}.isdisjoint(past.gone)
    past.check(backpack)
    backpack.close()
    with used(url, 0, past)[0] as again:
        past.check(again)
    assert (250 - len(past.gone)) == verify(url)[1]


def test_by_age(url: str) -> None:
    """Nothing goes before it is so old, and soon after all of that."""
    backpack, past = used(url, 250, max_age="100 s")
    assert past.gone
    ages = {seq: 249 - past.commits[seq - 1].timestamp for seq in range(1, 251)}
    assert min(ages[seq] for seq in past.gone) > 100
    assert max(ages[seq] for seq in archived(backpack, past)) <= 100 * 17 / 16
    past.check(backpack)
    backpack.close()


@pytest.mark.parametrize(("wrong", "stays"), [(4e9, True), (5.0, False)])
def test_a_clock_that_was_wrong_for_a_while_makes_no_other_older(
    wrong: float, stays: bool, url: str
) -> None:
    """One commit from the future stays itself, and holds up none; one of long ago goes alone."""
    now = 1_700_000_000.0
    times = [now + number for number in range(400)]
    times[150] = wrong
    ticking = iter(times)
    archive = SqlArchive(url, write="on-commit", max_age=100)
    small: dict[str, Any] = {"max_history_size": 6000, "reference": {"max_value_size": 2000}}
    with Backpack.open(archive, "it", clock=lambda: next(ticking), **small) as backpack:
        for number in range(len(times)):
            backpack.pack("n", f"{number}" + "x" * 100)
            if number == 200:
                there = {each.seq for each in backpack.history()}
                # What was before a leap ahead was old at that moment.
                assert there >= {*range(152 if stays else 101, 202)} - {151}
                assert stays == (151 in there)
        there = {each.seq for each in backpack.history()}
        assert stays == (151 in there)
        assert {*range(301, 401)} <= there - {151} <= {*range(290, 401)}
        assert all(backpack.snapshot(f"{seq}-{backpack.code}")["n"][:2] for seq in there)


def test_a_commit_from_the_future_that_is_alone_holds_nothing_up(url: str) -> None:
    """Though it is the one that could be removed when it was last looked."""
    now = 1_700_000_000.0
    ticking = iter(4e9 if number == 100 else now + 600 * number for number in range(200))
    archive = SqlArchive(url, write="on-commit", max_age=60)
    small: dict[str, Any] = {"max_history_size": 4096, "reference": {"max_value_size": 2000}}
    with Backpack.open(archive, "it", clock=lambda: next(ticking), **small) as backpack:
        for number in range(200):
            backpack.pack("n", f"{number}" + "x" * 100)
        there = {each.seq for each in backpack.history()}
        retained = set(backpack._engine.history.commits.seqs)
        assert len(there - retained) <= 3
        assert 101 in there


def test_by_size(url: str) -> None:
    """It takes no more on disk than it may; a file that took more shrinks."""
    backpack, past = used(url, 1000)
    backpack.close()
    limit = 160 * 1024
    with closing(Database(SqlArchive(url).parsed)) as database:
        assert database.size("it") > 1.5 * limit
    backpack, past = used(url, 30, past, max_size=limit)
    with closing(Database(SqlArchive(url).parsed)) as database:
        assert limit * 3 // 4 < database.size("it") <= limit
    assert len(past.gone) > 200
    past.check(backpack)
    backpack.close()
    if url.startswith("sqlite"):
        size = Path(url.removeprefix("sqlite:///")).stat().st_size
        assert limit * 3 // 4 < size <= limit


def test_what_must_stay_is_more_than_there_may_be(url: str) -> None:
    """It stays, and nobody is refused anything."""
    backpack, past = used(url, 120, max_commits=5, max_size=4096, tag_each=1)
    assert len(past.gone) < 10  # Keys that were removed: nobody tagged that.
    past.check(backpack)
    backpack.close()


def test_old_ones_go_once_their_tag_is_gone(url: str) -> None:
    """Also where all around them went long ago."""
    backpack, past = used(url, 250, max_commits=40, tag_each=10)
    tagged = [each for each in past.kept if each.tags and each.seq < min(archived(backpack, past))]
    assert len(tagged) > 5
    for commit in tagged[::2]:
        past.retag(backpack.untag(commit, "kept"))
    backpack.close()
    backpack, past = used(url, 50, past, max_commits=40)
    assert {each.seq for each in tagged[::2]} <= past.gone
    assert {each.seq for each in tagged[1::2]}.isdisjoint(past.gone)
    past.check(backpack)
    backpack.close()


def test_a_snapshot_of_what_goes_is_told(tmp_path: Path) -> None:
    """It never shows what stood at another commit."""
    url = f"sqlite:///{tmp_path}/archive.db"
    backpack, past = used(url, 100)
    snapshots = [backpack.snapshot(each) for each in past.commits]
    assert snapshots[0].archived
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    log._sweeper._retention = SqlArchive(url, max_commits=9).retention
    past.record(backpack.pack("a", 1), past.current | {"a": 1})
    past.notice(backpack)
    assert len(past.gone) > 20
    for snapshot, state in zip(snapshots, past.states, strict=False):
        if snapshot.commit.seq in past.gone:
            assert not snapshot.archived
            for look in (Snapshot.to_dict, list, len, lambda each: each["a"]):
                with pytest.raises(CommitPruned, match=r"was pruned, and removed from the archive"):
                    look(snapshot)
        else:
            assert state.keys() == snapshot.to_dict().keys()
    backpack.close()


def test_keys_stay_in_their_order(url: str) -> None:
    """Also when the commit that set them first is gone."""
    with Backpack.open(SqlArchive(url, max_commits=0), "it", **settings()) as backpack:
        with backpack.transaction() as transaction:
            for key in "zyxab":
                transaction[key] = "x" * 1200
        for number in range(40):
            backpack.pack("xa"[number % 2], str(number) * 500)
        assert len(backpack.history()) < 20
    with Backpack.open(SqlArchive(url), "it", **settings()) as backpack:
        assert list("zyxab") == list(backpack)


def test_keys_that_came_and_went_leave_nothing(url: str) -> None:
    """A removal is kept no longer than what was removed."""
    archive = SqlArchive(url, "on-commit", max_commits=20)
    with Backpack.open(archive, "it", **settings(max_history_size=4096)) as backpack:
        for number in range(300):
            backpack.pack(f"temporary {number}", number)
            backpack.remove(f"temporary {number}")
        held = len(backpack.history())
        scribe = backpack._engine.scribe
        assert scribe is not None
        assert sum(1 for _ in scribe.log.versions(0)) <= held + 1


def test_a_restored_one_is_within_the_limits(tmp_path: Path) -> None:
    """What a checkpoint has, and the archive does not keep, is not put there."""
    backpack, past = used(f"sqlite:///{tmp_path}/archive.db", 200)
    backpack.save(tmp_path / "checkpoint", archived=True)
    backpack.close()
    archive = SqlArchive(f"sqlite:///{tmp_path}/other.db", max_commits=10)
    with Backpack.restore(tmp_path / "checkpoint", archive=archive) as again:
        past.record(again.pack("a", 1), past.current | {"a": 1})
        again.tag(past.commits[-2], "now")
        again.untag(past.commits[-2], "now")
    with Backpack.open(archive, "it") as again:
        past.notice(again)
        assert len(archived(again, past)) <= 10
        past.check(again)


def test_a_reader_sees_one_moment(url: str) -> None:
    """What goes while somebody reads is there for them."""
    backpack, past = used(url, 200)
    backpack.close()
    with closing(SqlArchive(url).look("it")) as log:
        backpack, past = used(url, 20, past, max_commits=10)
        assert len(past.gone) > 100
        assert [each.commit.seq for each in log.commits()] == [*range(200, 0, -1)]
        shown = {key: log.version_at(key, 1) for key in log.keys_at(1)}
        assert all(read is not None and read.seq == 1 for read in shown.values())
    past.check(backpack)
    backpack.close()


# --- failures ----------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the errors that are logged."""
    errors: list[str] = []
    monkeypatch.setattr(
        "backpack.archive.log.tell", lambda *_, **fields: errors.append(fields["error"])
    )
    return errors


def failing_on(number: int, error: BaseException) -> Callable[[Callable[..., Any]], Any]:
    """Return what makes a function fail, before its n-th call from 1 on, or after it."""

    def patched(function: Callable[..., Any]) -> Callable[..., Any]:
        calls = 0

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                raise error
            result = function(*args, **kwargs)
            if calls == -number:
                raise error
            return result

        return call

    return patched


@pytest.mark.parametrize("number", [2, -2])
@pytest.mark.parametrize("error", [ArchiveError("no room"), KeyboardInterrupt()])
def test_what_fails_is_tried_again(
    url: str,
    number: int,
    error: BaseException,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The change that it came with was made; the archive is whole, whether it was done or not."""
    backpack, past = used(url, 150)
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    log._sweeper._retention = SqlArchive(url, max_commits=9).retention
    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", failing_on(number, error)(Database.commit))
        state = past.current | {"a": "made"}
        if isinstance(error, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                backpack.pack("a", "made")
            past.record(backpack.history()[0], state)
        else:
            past.record(backpack.pack("a", "made"), state)
            assert told == ["no room"]
    past.notice(backpack)
    past.check(backpack)
    assert (number < 0) == bool(past.gone)
    past.record(backpack.pack("b", "more"), past.current | {"b": "more"})
    past.notice(backpack)
    assert len(archived(backpack, past)) <= 9
    past.check(backpack)
    backpack.close()
    with used(url, 0, past)[0] as again:
        past.check(again)


def test_a_change_in_doubt_is_taken_back_after_a_sweep(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was removed stays so, and is counted."""
    backpack, past = used(url, 150, max_commits=9)
    for _ in range(3):
        with monkeypatch.context() as patch:
            error = ArchiveError("the answer was lost")
            patch.setattr(Database, "commit", failing_on(-1, error)(Database.commit))
            with pytest.raises(ArchiveError, match="the answer was lost"):
                backpack.pack("a", "refused")
        past.notice(backpack)
        past.check(backpack)
        past.record(backpack.pack("b", "more" * 99), past.current | {"b": "more" * 99})
    past.notice(backpack)
    past.check(backpack)
    backpack.close()
    with used(url, 0, past)[0] as again:
        past.check(again)


def test_damage_is_told_and_removes_nothing(tmp_path: Path, told: list[str]) -> None:
    """What would be rewritten has to be what was written."""
    url = f"sqlite:///{tmp_path}/archive.db"
    backpack, past = used(url, 150)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as raw:
        raw.execute("UPDATE backpack_commits SET note = 'forged' WHERE seq = 3")
        raw.commit()
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    log._sweeper._retention = SqlArchive(url, max_commits=9).retention
    past.record(backpack.pack("a", "made"), past.current | {"a": "made"})
    assert told == ["commit 3 in the archive is not as it was written"]
    with pytest.raises(CorruptError, match="commit 3 in the archive is not as it was written"):
        backpack.history()
    past.check_at(backpack, 151)
    backpack.close()


COMMIT = "commit 1 in the archive was never written so: "
VERSION = "a version of 'a' in the archive was never written so: "


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE backpack_commits SET time = 'soon' WHERE seq = 1",
            f"{COMMIT}a time is wanted, not str",
        ),
        (
            "UPDATE backpack_commits SET time = x'00' WHERE seq = 1",
            f"{COMMIT}a time is wanted, not bytes",
        ),
        (
            "UPDATE backpack_commits SET time = -9e999 WHERE seq = 3",
            "the oldest commit in the archive was never written so: -inf is no time of a commit",
        ),
        (
            "UPDATE backpack_commits SET seq = 2.5 WHERE seq = 2",
            "commit 2.5 in the archive was never written so: a whole number is wanted, not float",
        ),
        (
            "UPDATE backpack_versions SET seq = 0.5 WHERE seq = 1",
            f"{VERSION}a whole number is wanted, not float",
        ),
        (
            "UPDATE backpack_versions SET previous = x'00' WHERE seq = 1",
            f"{VERSION}a whole number is wanted, not bytes",
        ),
        (
            "UPDATE backpack_versions SET form = 'none' WHERE seq = 1",
            f"{VERSION}a whole number is wanted, not str",
        ),
    ],
)
def test_what_no_column_may_have_is_told_and_the_change_stands(
    damage: str, message: str, tmp_path: Path, told: list[str]
) -> None:
    """The change is acknowledged, nothing is removed, and it can be closed."""
    url = f"sqlite:///{tmp_path}/archive.db"
    archive = SqlArchive(url, write="on-commit", max_age="100 s")
    now = 0.0
    with Backpack.open(archive, "it", **settings(), clock=lambda: now) as backpack:
        for _ in range(200):
            backpack.pack("a", "")
        with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
            assert raw.execute(damage).rowcount
        now = 200.0
        done = backpack.pack("b", "acknowledged")
        assert told == [message]
        assert backpack.head == done
        with closing(sqlite3.connect(tmp_path / "archive.db")) as raw:
            assert 201 == raw.execute("SELECT count(*) FROM backpack_commits").fetchone()[0]
    assert {*told} == {message}


def test_a_key_that_is_none_is_told_where_all_are_looked_through(
    tmp_path: Path, told: list[str]
) -> None:
    """As they are where some before were removed."""
    url = f"sqlite:///{tmp_path}/archive.db"
    archive = SqlArchive(url, write="on-commit", max_commits=30)
    with Backpack.open(archive, "it", **settings()) as backpack:
        kept = None
        for number in range(200):
            commit = backpack.pack("a", number, tags=["kept"] if number == 3 else [])
            kept = commit if number == 3 else kept
        assert told == []
        with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
            raw.execute(
                "INSERT INTO backpack_versions SELECT name, x'00', seq, form, previous, ground, "
                "depth, born, size, reference, data, mark FROM backpack_versions WHERE seq = 4"
            )
        assert kept is not None
        backpack.untag(kept, "kept")
        for number in range(9):
            backpack.pack("b", number)
    message = r"the key b'\x00' in the archive was never written so: a text is wanted, not bytes"
    assert {*told} == {message}


@pytest.mark.parametrize("error", [TypeError("unforeseen"), MemoryError("unforeseen")])
def test_no_failure_of_a_sweep_reaches_who_was_acknowledged(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    """It is logged, and tried again after the next change."""
    url = f"sqlite:///{tmp_path}/archive.db"
    backpack, past = used(url, 150)
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    log._sweeper._retention = SqlArchive(url, max_commits=9).retention
    with monkeypatch.context() as patch:
        patch.setattr(Removal, "carry_out", failing_on(1, error)(Removal.carry_out))
        past.record(backpack.pack("a", "made"), past.current | {"a": "made"})
    assert told == ["unforeseen"]
    past.check(backpack)
    past.record(backpack.pack("a", "more"), past.current | {"a": "more"})
    past.notice(backpack)
    assert len(archived(backpack, past)) <= 9
    past.check(backpack)
    backpack.close()


def test_a_lost_version_is_told_and_removes_nothing(url: str, told: list[str]) -> None:
    """Nothing is linked to what is not the version before."""
    backpack, past = used(url, 150)
    with closing(Database(SqlArchive(url).parsed)) as database:
        database.begin().execute(
            text(
                "DELETE FROM backpack_versions WHERE seq = (SELECT min(seq) FROM "
                "backpack_versions WHERE seq > 10 AND key = 'a') AND key = 'a'"
            )
        )
        database.commit()
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    log._sweeper._retention = SqlArchive(url, max_commits=9).retention
    past.record(backpack.pack("b", "made"), past.current | {"b": "made"})
    assert len(told) == 1
    assert "has lost a version of 'a' before commit" in told[0]
    assert 151 == len(backpack.history())
    backpack.close()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            {"max_age": "a month"},
            r"max_age: 'a month' is not a duration; write a number of seconds",
        ),
        ({"max_age": 0}, "max_age: 0 is not a duration"),
        ({"max_commits": -1}, "max_commits: -1 is no number of commits; write a whole one from 0"),
        ({"max_commits": True}, "max_commits: true is no number of commits"),
        ({"max_size": "1 Gib"}, r"max_size: '1 Gib' is not a size: 'Gib' means bits"),
    ],
)
def test_what_is_no_limit_is_refused(limits: dict[str, Any], message: str) -> None:
    """In words that say what is one."""
    with pytest.raises(ConfigError, match=message):
        SqlArchive("sqlite:///it.db", **limits)


def test_limits_are_written_in_yaml(tmp_path: Path) -> None:
    """As people write them."""
    (tmp_path / "agent.yaml").write_text(
        "archive:\n  use: sql\n"
        f"  url: sqlite:///{tmp_path}/runs.db\n"
        "  max_age: 30 days\n  max_commits: 1000\n  max_size: 1 GiB\n",
        encoding="utf-8",
    )
    with Backpack.from_file(tmp_path / "agent.yaml", name="it") as backpack:
        archive: Any = backpack._engine.settings.archive
    assert (2_592_000, 1000, 2**30) == (archive.max_age, archive.max_commits, archive.max_size)
