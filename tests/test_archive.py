"""An archive: what goes in comes back exactly, on both engines; what fails changes nothing."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from archives import Past, settings, some_value
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from backpack import (
    ArchiveError,
    Backpack,
    CommitPruned,
    ConfigError,
    CorruptError,
    PolicyError,
    PruneRequest,
    Reference,
    StaleWriter,
    Unavailable,
    UnknownCommit,
    UnknownName,
)
from backpack.archive import SqlArchive, glance
from backpack.archive.database import Database
from backpack.audit import audit, overweight
from backpack.policies import Spill


def filled(url: str, name: str = "it", count: int = 150, **others: Any) -> tuple[Backpack, Past]:
    """Return a Backpack with an archive that was used for a while, and its past."""
    chance, past = random.Random(name), Past()  # noqa: S311
    write = others.pop("write", "on-commit")
    backpack = Backpack(**settings(**others), archive=SqlArchive(url, write=write), name=name)
    for number in range(count):
        state = past.current
        key = chance.choice("abc")
        if number % 20 == 19 and key in state:
            commit = backpack.remove(key)
            del state[key]
        else:
            state[key] = some_value(chance, state.get(key))
            commit = backpack.pack(key, state[key], by=f"node {key}")
        past.record(commit, state)
    return backpack, past


def opened(url: str, name: str = "it", **others: Any) -> Backpack:
    """Return a Backpack that goes on."""
    return Backpack.open(url, name, **settings(**others))


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_it_goes_on_from_where_it_stopped(url: str, write: str) -> None:
    """Same head, state, history, tags, pins and ids; and so again."""
    backpack, past = filled(url, write=write)
    assert backpack.memory_usage().commits_pruned > 50
    for seq in (1, 70, 150):
        past.retag(backpack.tag(past.commits[seq - 1], "kept"))
        backpack.pin(past.commits[seq - 1])
    past.check(backpack)
    assert backpack.snapshot(past.commits[0]).archived
    assert not backpack.snapshot(past.commits[-1]).archived
    code = backpack.code
    for _ in range(2):
        pins = backpack.memory_usage().pins
        backpack.close()
        backpack = opened(url)
        assert code == backpack.code
        assert pins == backpack.memory_usage().pins > 0
        past.check(backpack)
        past.record(backpack.pack("a", "more"), past.current | {"a": "more"})
    backpack.close()


def test_several_are_in_one_archive(url: str) -> None:
    """Each is its own; names that look alike are not mixed up."""
    names = ["it", "It", "it ", "i\\0t", "i\0t", "日本"]
    pairs = {name: filled(url, name, 60) for name in names}
    for backpack, past in pairs.values():
        past.check(backpack)
        backpack.close()
    for name in names:
        with opened(url, name) as backpack:
            pairs[name][1].check(backpack)


def test_a_fork_is_archived_on_its_own(url: str) -> None:
    """It starts from an archived commit, and its commits are in the archive under its code."""
    backpack, past = filled(url)
    whole = next(seq for seq, state in enumerate(past.states) if "left out" not in str(state))
    assert backpack.snapshot(past.commits[whole]).archived
    with backpack.fork(past.commits[whole]) as fork:
        assert dict(fork) == past.states[whole]
        code = fork.code
    with opened(url, code) as again:
        assert dict(again) == past.states[whole]
    backpack.close()


def test_who_is_stale_writes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens it takes it over, once the writer before has let go of the name."""
    monkeypatch.setattr("backpack.archive.database._LETTING_GO", 0)
    backpack, past = filled(url, count=20)
    with pytest.raises(StaleWriter, match="'it' in the archive .* has a writer that is alive"):
        opened(url)
    scribe = backpack._engine.scribe
    assert scribe is not None
    _let_go(scribe.log.database)  # type: ignore[attr-defined]
    with opened(url) as other:
        past.record(other.pack("a", "other"), past.current | {"a": "other"})
        before = dict(backpack), backpack.history(), backpack.memory_usage()
        changes: list[Callable[[], object]] = [
            lambda: backpack.pack("a", 1),
            lambda: backpack.remove("a"),
            lambda: backpack.tag(backpack.history()[-1], "t"),
        ]
        for change in changes:
            with pytest.raises(
                StaleWriter, match="another writer since; nothing|a writer that is alive"
            ):
                change()
        assert before == (dict(backpack), backpack.history(), backpack.memory_usage())
        past.check(other)


def test_who_was_deleted_writes_nothing_to_one_of_the_same_name(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where that was restored to what it was, at the same commit."""
    monkeypatch.setattr("backpack.archive.database._LETTING_GO", 0)
    backpack, past = filled(url, count=8)
    backpack.save(tmp_path / "checkpoint")
    scribe = backpack._engine.scribe
    assert scribe is not None
    _let_go(scribe.log.database)  # type: ignore[attr-defined]
    assert SqlArchive(url).delete("it")
    again = Backpack.restore(tmp_path / "checkpoint", "it", archive=url)
    log: Any = scribe.log
    restored: Any = again._engine.scribe.log  # type: ignore[union-attr]
    differing = {each for each, value in log._row.items() if restored._row[each] != value}
    assert {"epoch", "mark"} == differing
    _let_go(restored.database)
    with pytest.raises(StaleWriter, match="opened by another writer since; nothing was written"):
        backpack.pack("a", "stale")
    past.record(again.pack("a", "again"), past.current | {"a": "again"})
    past.check(again)
    again.close()


def _let_go(database: Database) -> None:
    """Lose the lock of a name, as a writer on a machine that was cut off would."""
    for lock in database._locks.values():
        if lock is not None:
            lock.release()
    if not database.is_sqlite:
        database.connection.execute(text("SELECT pg_advisory_unlock_all()"))


def test_a_lock_that_lingers_on_a_server_is_waited_for(server: str) -> None:
    """A server notices a moment later that a writer was killed."""
    with opened(server, "lingers"):
        pass
    with closing(Database(SqlArchive(server).parsed)) as killed:
        killed.hold("lingers")
        later = threading.Timer(0.1, killed.drop)
        later.start()
        with opened(server, "lingers") as backpack:
            assert {} == dict(backpack)
        later.join()


def test_a_name_is_taken_once(url: str) -> None:
    """A new Backpack of that name is refused."""
    backpack, _ = filled(url, count=3)
    backpack.close()
    with pytest.raises(ArchiveError, match="there is a Backpack called 'it' in the archive"):
        Backpack(archive=SqlArchive(url), name="it")
    with opened(url) as again:
        assert 3 == len(again.history())


def test_who_closes_it_in_another_thread_lets_go_of_the_name(tmp_path: Path) -> None:
    """At once, not when its lock is collected."""
    url = f"sqlite:///{tmp_path}/archive.db"
    backpack, _ = filled(url, count=5)
    log: Any = backpack._engine.scribe.log  # type: ignore[union-attr]
    lock = log.database._locks["it"]
    thread = threading.Thread(target=backpack.close)
    thread.start()
    thread.join()
    assert not lock.is_locked
    opened(url).close()


def test_a_closed_one_can_be_read_not_changed(url: str) -> None:
    """What is in memory is there; what is not says why."""
    backpack, past = filled(url)
    backpack.close()
    backpack.close()
    assert dict(backpack) == past.current
    assert backpack.snapshot(past.commits[-1]).to_dict() == past.states[-1]
    changes: list[Callable[[], object]] = [
        lambda: backpack.pack("a", 1),
        lambda: backpack.tag(past.commits[-1], "t"),
    ]
    for change in changes:
        with pytest.raises(ArchiveError, match="this Backpack is closed"):
            change()
    with pytest.raises(ArchiveError, match="is closed; Backpack.open opens it again"):
        backpack.snapshot(past.commits[0])


def test_a_log_is_read_beside_its_writer(url: str) -> None:
    """Readers see whole commits, as they were when they came, and do not disturb."""
    backpack, past = filled(url, count=30)
    with pytest.raises(UnknownName, match="there is no Backpack called 'nobody' in the archive"):
        SqlArchive(url).look("nobody")
    with closing(SqlArchive(url).look("it")) as log:
        before = past.commits[::-1]
        past.record(backpack.pack("a", "more"), past.current | {"a": "more"})
        assert 30 == log.head
        assert [each.commit for each in log.commits()] == before
        assert past.states[4].keys() == set(log.keys_at(5))
    backpack.close()


def test_readers_and_the_writer_do_not_wait_for_each_other(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a transaction a reader sees all commits before it; and the other way."""
    monkeypatch.setattr("backpack.archive.database._PATIENCE", 1)
    backpack, past = filled(url, count=30)
    looked: list[int] = []
    commit = Database.commit

    def commits(self: Database) -> None:
        with closing(SqlArchive(url).look("it")) as log:
            looked.append(log.head)
            assert [each.commit for each in log.commits()] == past.commits[::-1]
        commit(self)

    def add() -> None:
        value = {"number": len(past.commits)}
        past.record(backpack.pack("a", value), past.current | {"a": value})

    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", commits)
        for _ in range(3):
            add()
    assert [30, 31, 32] == looked
    with closing(SqlArchive(url).look("it")) as log, log.database.reading():
        before = list(log.commits())
        for _ in range(3):
            add()
        assert before == list(log.commits())
    past.check(backpack)
    backpack.close()


def test_another_codec_is_refused(url: str) -> None:
    """What one wrote the other would read as something else."""
    backpack, _ = filled(url, count=3)
    backpack.close()
    with pytest.raises(ConfigError, match=r"codec: 'it' was written with the codec .*MsgpackC"):
        opened(url, codec="unsafe-pickle")


def test_a_tag_for_which_room_is_made_is_in_the_log(url: str) -> None:
    """Also where newer commits are given up for it, and the log reaches behind the tagged one."""

    def newest(request: PruneRequest) -> list[str]:
        return [each.id for each in request.candidates][-3:]

    backpack, past = filled(url, write="on-prune", count=12, pruning=newest)
    tagged = backpack.history()[-2]
    past.retag(backpack.tag(tagged, "t" * backpack.memory_usage().headroom_bytes))
    scribe = backpack._engine.scribe
    assert scribe is not None
    assert tagged.seq <= scribe.log.head
    past.check(backpack)
    backpack.close()
    with opened(url, pruning=newest) as again:
        past.check(again)


def test_a_tag_behind_what_is_given_up_is_in_the_log(url: str) -> None:
    """The log may have to reach further than to what goes: what it then takes in is tagged."""

    def the_first(request: PruneRequest) -> list[str]:
        return [next(iter(request.candidates)).id]

    archive = SqlArchive(url)
    backpack = Backpack(**settings(pruning=the_first), archive=archive, name="it")
    backpack.pack("a", "left out" * 250)  # The log cannot end here, ...
    second = backpack.pack("a", "small")  # ... only where that is superseded.
    backpack.pack("b", 1)
    tag = "t" * (backpack.memory_usage().headroom_bytes + 1)
    backpack.tag(second, tag)
    assert backpack.snapshot("1-" + backpack.code).archived
    scribe = backpack._engine.scribe
    assert scribe is not None
    scribe.log.close()  # It dies here.
    with Backpack.open(archive, "it", **settings(pruning=the_first)) as again:
        assert [((tag,), 2), ((), 1)] == [(each.tags, each.seq) for each in again.history()]


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_what_is_interrupted_between_writing_and_committing_is_not_read(
    url: str, write: str
) -> None:
    """What was written is taken back before anybody looks, also at what was retained before."""
    backpack, past = filled(url, write=write)
    scribe = backpack._engine.scribe
    assert scribe is not None

    def interrupted(entered: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scribe.log, "commit", interrupted)
        note = "n" * (backpack.memory_usage().headroom_bytes + 1)
        with pytest.raises(KeyboardInterrupt):
            backpack.pack("a", 1, note=note)
    past.check(backpack)
    past.record(backpack.pack("a", 1), past.current | {"a": 1})
    past.check(backpack)
    backpack.close()


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_what_is_written_is_let_go(url: str, write: str) -> None:
    """What is in the archive is not kept in memory as well, where no account tells of it."""
    backpack, _ = filled(url, write=write)
    with backpack:
        for number in range(50):
            backpack.pack("a", number, note="n" * 500)
            assert [] == overweight(backpack)
        scribe = backpack._engine.scribe
        assert scribe is not None
        assert scribe.log.done is None


@pytest.mark.parametrize("column", ["seq", "ground", "depth", "born"])
def test_the_end_of_a_log_that_was_changed_is_seen(column: str, tmp_path: Path) -> None:
    """Nothing leans on what no column may have; the change is refused, and nothing is changed."""
    url = f"sqlite:///{tmp_path}/archive.db"
    filled(url, count=20)[0].close()
    with opened(url) as backpack:
        before = dict(backpack), backpack.history()
        with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
            raw.execute(
                f"UPDATE backpack_versions SET {column} = x'00' WHERE key = 'a' AND seq = "  # noqa: S608
                "(SELECT max(seq) FROM backpack_versions WHERE key = 'a')"
            )
        with pytest.raises(
            CorruptError,
            match=r"^the last version of 'a' in the archive was never written so: a whole number "
            r"is wanted, not bytes$",
        ):
            backpack.pack("a", "more")
        assert before == (dict(backpack), backpack.history())


def test_names_and_keys_that_are_none_are_seen(tmp_path: Path) -> None:
    """Where they are listed, too."""
    url = f"sqlite:///{tmp_path}/archive.db"
    filled(url, count=20)[0].close()
    with closing(SqlArchive(url).look("it")) as log:
        assert ["a", "b", "c"] == glance.keys(log)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
        raw.execute("UPDATE backpack_versions SET key = x'00' WHERE seq = 3")
    with closing(SqlArchive(url).look("it")) as log:
        with pytest.raises(
            CorruptError, match=r"^the key b'\\x00' in the archive was never written"
        ):
            glance.keys(log)
    with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
        raw.execute("UPDATE backpack_packs SET name = x'6974'")
    with pytest.raises(CorruptError, match=r"^what is known of b'it' in the archive is not as it"):
        SqlArchive(url).names()


def test_a_spilled_value_is_read_from_the_archive(url: str) -> None:
    """History holds a reference, and an old snapshot of a retained commit the whole value."""
    backpack, _ = filled(url, write="on-prune", count=0, reference=Spill("1 KiB"))
    pages = [str(number) * 2000 for number in range(4)]
    commits = [backpack.pack("page", page) for page in pages]
    assert 3 == backpack.memory_usage().references
    assert not backpack.snapshot(commits[1]).archived
    assert pages == [backpack.snapshot(commit)["page"] for commit in commits]
    backpack.close()
    with pytest.raises(ArchiveError, match="is closed"):
        backpack.snapshot(commits[1])["page"]
    with Backpack.open(SqlArchive(url), "it") as again:
        assert Spill("1 KiB") == again.reference
        assert pages == [again.snapshot(commit)["page"] for commit in commits]
        assert audit(again) == []


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_a_value_that_is_left_out_goes_one_write_later(
    write: Literal["on-prune", "on-commit"], url: str
) -> None:
    """Nobody is answered with it by then; the last one goes when it is closed."""

    def stored() -> dict[int, bool]:
        with closing(SqlArchive(url).look("it")) as log:
            return {row["seq"]: row["data"] is not None for row in log.rows()}

    archive = SqlArchive(url, write=write)
    it = Backpack(**settings(), archive=archive, name="it")
    commits = [it.pack("a", f"{number}" * 2000) for number in range(3)]
    if write == "on-commit":
        assert {1: False, 2: True, 3: True} == stored()
    assert isinstance(it.snapshot(commits[1]).unpack("a"), Unavailable)
    it.close()
    assert {1: False, 2: False, 3: True} == stored()
    with opened(url) as it:
        assert isinstance(it.snapshot(commits[1]).unpack("a"), Unavailable)
        it.pack("a", "small")
    assert {1: False, 2: False, 3: False, 4: True} == stored()


def test_what_is_spilled_needs_an_archive() -> None:
    """Said when it is wired, and of a policy that does not say so, when it does it."""
    with pytest.raises(ConfigError, match="reference: Spill has large values kept in the archive"):
        Backpack(reference=Spill())
    backpack = Backpack(reference=lambda value: Reference.to(value, "large", spilled=True))
    with pytest.raises(PolicyError, match="must return no spilled one without an archive"):
        backpack.pack("a", 1)
    assert {} == dict(backpack)


def test_a_password_is_not_shown() -> None:
    """Not in what is printed of an archive."""
    archive = SqlArchive("postgresql://user:secret@host/database")
    assert "secret" not in repr(archive)
    assert "secret" in archive.url


# --- failures ----------------------------------------------------------------------------


@pytest.mark.no_cover
@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
@pytest.mark.parametrize("moment", ["begin", "before the commit", "after the commit"])
@pytest.mark.parametrize("error", [OperationalError, KeyboardInterrupt])
def test_what_fails_changes_nothing(
    url: str, write: str, moment: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it fails or is interrupted, the state is as before; and it works again."""
    backpack, past = filled(url, write=write, count=60)
    begin, commit = Database.begin, Database.commit
    failing = False

    def fail() -> None:
        if failing:
            raise error if error is KeyboardInterrupt else OperationalError("", {}, OSError("gone"))

    def begins(self: Database) -> Any:
        if moment == "begin":
            fail()
        return begin(self)

    def commits(self: Database) -> None:
        if moment == "before the commit":
            fail()
        commit(self)
        if moment == "after the commit":
            fail()

    monkeypatch.setattr(Database, "begin", begins)
    monkeypatch.setattr(Database, "commit", commits)
    failed = 0
    for number in range(120):
        failing = number % 3 == 0
        state = past.current | {"a": f"{number}" * 99}
        before = dict(backpack), backpack.memory_usage()
        try:
            past.record(backpack.pack("a", state["a"]), state)
        except (ArchiveError, KeyboardInterrupt):
            failed += 1
            assert before == (dict(backpack), backpack.memory_usage())
        failing = False
        past.check_at(backpack, 1)
    assert failed > (30 if write == "on-commit" else 0)
    past.check(backpack)
    backpack.close()
    with opened(url) as again:
        past.check(again)


@pytest.mark.no_cover
@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_marks_that_fail_change_nothing(
    url: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tags and pins of archived and retained commits are as before, in the archive too."""
    backpack, past = filled(url)
    commit = Database.commit

    def commits(self: Database) -> None:
        if moment == "after the commit":
            commit(self)
        raise OperationalError("", {}, OSError("gone"))

    for target in (past.commits[0], past.commits[-1]):
        with monkeypatch.context() as patch:
            patch.setattr(Database, "commit", commits)
            with pytest.raises(ArchiveError, match="gone; nothing was changed"):
                backpack.tag(target, "t")
            with pytest.raises(ArchiveError, match="gone; nothing was changed"):
                backpack.pin(target)
        past.check(backpack)
        past.record(backpack.pack("a", target.seq), past.current | {"a": target.seq})
    pins = backpack.memory_usage().pins
    backpack.close()
    with opened(url) as again:
        assert pins == again.memory_usage().pins
        past.check(again)


@pytest.mark.parametrize(("sync", "settings"), [("process", (1, 0)), ("power", (2, 1))])
def test_what_has_to_survive_decides_how_it_is_synchronized(
    sync: Literal["process", "power"], settings: tuple[int, int], tmp_path: Path
) -> None:
    """A loss of power takes what is in the cache of a drive, where macOS leaves it otherwise."""
    url = SqlArchive(f"sqlite:///{tmp_path}/archive.db").parsed
    with closing(Database(url, sync)) as database:
        pragmas = ("synchronous", "fullfsync")
        read = database.connection.exec_driver_sql
        assert settings == tuple(read(f"PRAGMA {each}").scalar() for each in pragmas)


# --- bad input ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("runs.db", "'runs.db' is no URL of an archive; write 'sqlite:///runs.db' or"),
        ("mysql://host/x", "there is no archive in 'mysql'; there are: sqlite, postgresql"),
        ("postgresql+asyncpg://h/x", "there is no archive in 'postgresql.asyncpg'; there are"),
        ("sqlite://", "an archive in memory keeps nothing; name a file: 'sqlite:///runs.db'"),
        ("sqlite:///:memory:", "an archive in memory keeps nothing"),
        ("sqlite://host/r.db", "the URL of an SQLite file has a path, and nothing else: 'sqlite"),
        ("sqlite://r.db", "has a path, and nothing else: 'sqlite:///runs.db', not 'sqlite://r.db'"),
        ("sqlite:///r.db?mode=ro", "the URL of an SQLite file has a path, and nothing else"),
        ("postgresql://h:port/x", "'postgresql://h:port/x' is no URL of an archive: "),
        ("sqlite:///a\0b", "is no name of a file or database"),
    ],
)
def test_a_bad_url_is_refused(bad: str, message: str) -> None:
    """It says what may stand there."""
    with pytest.raises(ConfigError, match=message):
        SqlArchive(bad)


def test_a_preset_that_cannot_work_leaves_nothing_behind(tmp_path: Path) -> None:
    """No file, and no lock beside it."""
    url = f"sqlite:///{tmp_path}/runs.db"
    with pytest.raises(ConfigError, match="no preset is called 'defualt'; did you mean 'default'"):
        Backpack.open(url, "booking", preset="defualt")
    with pytest.raises(ConfigError, match="is above max_history_size"):
        Backpack.open(url, "booking", preset="default", max_history_size="8 KiB")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"write": "always"}, "write: found 'always'; there are: on-commit, on-prune"),
        ({"sync": 1}, "sync: found 1; there are: power, process"),
    ],
)
def test_a_bad_setting_is_refused(setting: dict[str, Any], message: str) -> None:
    """It says what there is."""
    with pytest.raises(ConfigError, match=message):
        SqlArchive("sqlite:///x.db", **setting)


@pytest.mark.parametrize("name", ["", "n" * 201, 1, None, "\ud800"])
def test_a_bad_name_is_refused(name: Any, tmp_path: Path) -> None:
    """Nothing is made of it."""
    with pytest.raises(ConfigError, match="is called by a string of 1 to 200 characters"):
        Backpack.open(f"sqlite:///{tmp_path}/archive.db", name)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [None, b"sqlite:///r.db", Path("r.db"), 5, {"use": "sql"}])
def test_what_is_no_archive_is_not_opened(bad: Any) -> None:
    """It says how one is written."""
    with pytest.raises(ConfigError, match="archive: an archive is opened by its URL, such as 'sq"):
        Backpack.open(bad, "it")
    with pytest.raises(ConfigError, match="archive: the archive is what is opened; give it first"):
        Backpack.open("sqlite:///r.db", "it", archive=bad)


def test_keys_keep_their_order_across_the_border(url: str) -> None:
    """A snapshot lists them as it did before it was archived."""
    backpack, _ = filled(url, count=0)
    for key in "xyx":
        backpack.pack(key, len(backpack.history()))
    first = backpack.head
    assert first is not None
    for number in range(300):
        backpack.pack("z", f"{number}" * 60)
    snapshot = backpack.snapshot(first)
    assert snapshot.archived
    assert ["x", "y"] == list(snapshot)
    backpack.close()


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_keys_tags_and_notes_may_have_anything_in_them(url: str, write: str) -> None:
    """Also what a database does not take in a text, and what stands for it where it is kept."""
    odd = ["a", "a\0", "a\\0", "\0", "\\", "ключ\0", "'; --", "%_"]
    chance, past = random.Random(0), Past()  # noqa: S311
    backpack = Backpack(**settings(), archive=SqlArchive(url, write=write), name="it")
    for number in range(80):
        key, state = odd[number % len(odd)], past.current
        state[key] = some_value(chance, state.get(key))
        past.record(backpack.pack(key, state[key], by=key, tags=[key], note=key), state)
    assert backpack.memory_usage().commits_pruned > 30
    past.check(backpack)
    for key in odd:
        assert [each for each in past.commits[::-1] if key in each.keys] == backpack.history(key)
    backpack.close()
    with opened(url) as again:
        past.check(again)


def test_a_name_without_an_archive_is_refused() -> None:
    """It would mean nothing."""
    with pytest.raises(ConfigError, match="name: 'it' is what a Backpack is called in an archive"):
        Backpack(name="it")
    with pytest.raises(ConfigError, match="and there is none; add archive="):
        Backpack.from_preset("default", name="it")


def _of_something_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (id)")


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE backpack_about SET schema = 99")


def _with(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(statement)

    return change


BAD_FILES: dict[str, tuple[Callable[[Path], Any], type[Exception], str]] = {
    "of something else": (_of_something_else, ArchiveError, "is an SQLite file, but no archive"),
    "text": (lambda path: path.write_text("no archive" * 99), CorruptError, "damaged, or is none"),
    "a folder": (lambda path: path.mkdir(), ArchiveError, "is a folder; name a file in it$"),
    "newer": (_newer, ArchiveError, "has schema 99, which is newer than this Backpack, which kn"),
    "with a trigger": (
        _with(
            "CREATE TRIGGER t AFTER INSERT ON backpack_commits BEGIN "
            "UPDATE backpack_packs SET head = 0; END"
        ),
        CorruptError,
        "has tables, triggers or views that Backpack did not make",
    ),
    "with a view": (
        _with("CREATE VIEW v AS SELECT randomblob(1000000000)"),
        CorruptError,
        "has tables, triggers or views",
    ),
    "with a commit missing": (
        _with("DELETE FROM backpack_commits WHERE seq = 2"),
        CorruptError,
        "'it' in the archive .* has 9 commits, and 10 were written",
    ),
    "with a version missing": (
        _with("DELETE FROM backpack_versions WHERE seq = 2"),
        CorruptError,
        "has 8 versions, and 9 were written",
    ),
    "with another time": (
        _with("UPDATE backpack_commits SET time = time + 1 WHERE seq = 10"),
        CorruptError,
        "commit 10 in the archive is not as it was written",
    ),
    "with other data": (
        _with("UPDATE backpack_versions SET data = x'00' WHERE seq = 10"),
        CorruptError,
        "the version of '.' that 10 set in the archive is not as it was written",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_archive_is_refused(name: str, tmp_path: Path) -> None:
    """It is told what it is, and it is left as it is."""
    spoil, kind, message = BAD_FILES[name]
    path = tmp_path / "archive.db"
    if name.startswith(("newer", "with")):
        backpack, _ = filled(f"sqlite:///{path}", count=10)
        backpack.close()
    spoil(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(kind, match=message) as caught:
        opened(f"sqlite:///{path}")
    assert "\n" not in str(caught.value)
    if before is not None and "with" not in name:
        assert before == path.read_bytes()


def test_a_path_without_permission_is_told(tmp_path: Path) -> None:
    """The file cannot be made, and it says so."""
    with pytest.raises(ArchiveError, match="unable to open database file"):
        opened(f"sqlite:///{tmp_path}/no/such/folder/archive.db")


def test_commits_that_never_were_are_told(url: str) -> None:
    """An archive does not make up what is not in it."""
    backpack, _ = filled(url)
    with pytest.raises(UnknownCommit):
        backpack.snapshot(f"151-{backpack.code}")
    with pytest.raises(UnknownCommit):
        backpack.snapshot("1-zzzzzz")
    backpack.close()


def test_without_an_archive_nothing_is_different(tmp_path: Path) -> None:
    """What was given up is lost, and closing does nothing."""
    with Backpack(**settings()) as backpack:
        first = backpack.pack("a", 0)
        for number in range(200):
            backpack.pack("a", str(number) * 50)
        with pytest.raises(CommitPruned):
            backpack.snapshot(first)
    assert backpack.pack("a", 1).seq == 202
