"""A checkpoint: a whole Backpack in one file, and back."""

from __future__ import annotations

import json
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from archives import Past, settings, some_value
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from backpack import (
    ArchiveError,
    Backpack,
    BackpackError,
    BudgetError,
    CommitPruned,
    ConfigError,
    CorruptError,
    UnknownName,
    UnpackableValue,
    UnsafePickleCodec,
)
from backpack.archive import SqlArchive, checkpoint, rows
from backpack.archive.log import Log
from backpack.audit import audit
from backpack.policies import Compressed, Delta, Full, KeepTagged, Oldest, Stub, Thinning
from backpack.spec.standard import Haphazard

STORAGE: dict[str, Any] = {"full": Full, "compressed": Compressed, "delta": lambda: Delta(least=1)}


def used(seed: int, count: int = 120, **others: Any) -> tuple[Backpack, Past]:
    """Return a Backpack that was used for a while, and its past."""
    chance, past = random.Random(seed), Past()  # noqa: S311
    backpack = Backpack(**settings(**others))
    for _ in range(count):
        state, key = past.current, chance.choice("abcd")
        if chance.random() < 0.1 and key in state:
            commit = backpack.remove(key)
            del state[key]
        else:
            state[key] = some_value(chance, state.get(key))
            tags = ("t",) if chance.random() < 0.2 else ()
            commit = backpack.pack(key, state[key], by=key, tags=tags, note=chance.choice("n\0"))
        past.record(commit, state)
    return backpack, past


def answers(backpack: Backpack) -> dict[str, Any]:
    """Return everything a Backpack answers, but how many bytes its history takes."""
    usage = backpack.memory_usage()
    return {
        "code": backpack.code,
        "state": list(backpack.items()),
        "history": [
            (commit, commit.note, backpack.snapshot(commit).to_dict(), backpack.diff(commit))
            for commit in backpack.history()
        ],
        "by key": {key: backpack.history(key) for key in "abcd"},
        "numbers": (
            usage.commits_made,
            usage.commits_retained,
            usage.current_bytes,
            usage.versions,
            usage.references,
            usage.pins,
            usage.keys,
            usage.budget_bytes,
        ),
    }


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 150),
    storage=st.sampled_from(sorted(STORAGE)),
    budget=st.sampled_from([8192, 16384, 65536]),
)
@effort(max_examples=40, deadline=None)
def test_what_is_restored_answers_the_same(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, storage: str, budget: int
) -> None:
    """Everything: state, history, tags, pins, ids, settings; and it can be saved again."""
    path = tmp_path_factory.getbasetemp() / "restored.backpack"
    backpack, _ = used(
        seed, count, storage=STORAGE[storage](), max_history_size=budget, pruning=Oldest(0.3)
    )
    if backpack.head is not None:
        backpack.pin(backpack.history()[-1])
    for _ in range(2):
        backpack.save(path)
        again = Backpack.restore(path)
        assert audit(again) == []
        assert again.memory_usage().peak_history_bytes <= budget
        assert answers(again) == answers(backpack)
        for axis in ("sizing", "reference", "storage", "pruning"):
            assert getattr(again, axis) == getattr(backpack, axis)
        backpack = again


def test_what_was_archived_goes_with_it(tmp_path: Path) -> None:
    """Where that is asked for: into one file, and from there into another archive."""
    first, second = (SqlArchive(f"sqlite:///{tmp_path}/{name}.db") for name in "ab")
    with Backpack.open(first, "it", **settings()) as backpack:
        past = Past()
        for number in range(150):
            state = past.current | {"ab"[number % 2]: str(number) * 99}
            past.record(backpack.pack("ab"[number % 2], state["ab"[number % 2]]), state)
        assert backpack.memory_usage().commits_pruned > 100
        backpack.save(tmp_path / "whole", archived=True)
        backpack.save(tmp_path / "retained")
    for name, archive in (("whole", None), ("retained", None), ("whole", second)):
        with Backpack.restore(tmp_path / name, archive=archive) as again:
            assert audit(again) == []
            if archive is not None:
                past.check(again)
                past.record(again.pack("a", "more"), past.current | {"a": "more"})
                continue
            assert len(again.history()) == again.memory_usage().commits_retained < 60
            with pytest.raises(CommitPruned):
                again.snapshot(past.commits[0])
            for commit in again.history():
                past.check_at(again, commit.seq)
    with Backpack.open(second, "it", **settings()) as again:
        past.check(again)


@pytest.mark.parametrize("how", ["restored", "unpacked"])
def test_what_cannot_be_read_whole_puts_nothing_into_an_archive(how: str, tmp_path: Path) -> None:
    """Nobody finds an empty Backpack of its name there, and another file can be restored."""
    archive, path = SqlArchive(f"sqlite:///{tmp_path}/archive.db"), tmp_path / "file"
    backpack, past = used(5, count=20, max_history_size="1 MiB")
    backpack.save(path)
    whole = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE backpack_versions SET data = x'00' WHERE seq = 15")

    def restore() -> None:
        if how == "restored":
            Backpack.restore(path, archive=archive).close()
        else:
            checkpoint.unpack(path, archive)

    with pytest.raises(CorruptError, match="that 15 set in .* is not as it was written"):
        restore()
    with pytest.raises(ArchiveError, match="there is no"):
        archive.look(backpack.code)
    path.write_bytes(whole)
    restore()
    with Backpack.open(archive, backpack.code) as again:
        past.check(again)


def test_what_does_not_fit_puts_nothing_into_an_archive(tmp_path: Path) -> None:
    """A budget that is refused can be corrected, and the same file restored there."""
    archive, path = SqlArchive(f"sqlite:///{tmp_path}/archive.db"), tmp_path / "file"
    backpack, past = used(5, count=200, max_history_size="1 MiB")
    backpack.save(path)
    small: dict[str, Any] = {"max_history_size": 20_000, "reference": {"max_value_size": 20_000}}
    with pytest.raises(BudgetError):
        Backpack.restore(path, archive=archive, pruning="none", **small)
    with pytest.raises(ArchiveError, match="there is no archive"):
        archive.look(backpack.code)
    with Backpack.restore(path, archive=archive, **small) as again:
        assert again.memory_usage().commits_retained < 200
        past.check(again)
    with Backpack.open(archive, backpack.code) as again:
        assert again.memory_usage().commits_retained < 200
        past.check(again)


def test_a_value_that_is_only_referred_to_is_told_as_before(tmp_path: Path) -> None:
    """A current value too large for history is whole; a superseded one is not there."""
    backpack = Backpack(reference=Stub("1 KiB"))
    for text in "abc":
        backpack.pack("page", text * 5000)
    backpack.save(tmp_path / "file")
    again = Backpack.restore(tmp_path / "file")
    assert again["page"] == "c" * 5000
    assert answers(again) == answers(backpack)
    assert 2 == again.memory_usage().references


@pytest.mark.parametrize("pruning", [KeepTagged(Thinning()), KeepTagged(Oldest(0.5)), Thinning()])
def test_policies_inside_policies_come_back(pruning: Any, tmp_path: Path) -> None:
    """As they were made."""
    Backpack(pruning=pruning).save(tmp_path / "file")
    assert pruning == Backpack.restore(tmp_path / "file").pruning


def test_a_policy_of_somebody_elses_has_to_be_given(tmp_path: Path) -> None:
    """Its class is named by the file, and not imported unless that is allowed."""
    backpack = Backpack(pruning=Haphazard())
    backpack.pack("a", 1)
    backpack.save(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"pruning.use: .*backpack.spec.standard:Haphazard"):
        Backpack.restore(tmp_path / "file")
    assert {"a": 1} == dict(Backpack.restore(tmp_path / "file", allow_imports=True))
    for other in ({"pruning": Oldest()}, {"preset": "long-running"}):
        assert Oldest() == Backpack.restore(tmp_path / "file", **other).pruning


def test_a_codec_that_runs_code_has_to_be_asked_for(tmp_path: Path) -> None:
    """A file that was written with pickle is not unpickled unsuspectingly."""
    Backpack(codec=UnsafePickleCodec()).save(tmp_path / "file")
    with pytest.raises(ConfigError, match="codec: .* which may run code of what it reads; if you"):
        Backpack.restore(tmp_path / "file")
    with pytest.raises(ConfigError, match="codec: .* was written with the codec"):
        Backpack.restore(tmp_path / "file", codec="msgpack")
    Backpack.restore(tmp_path / "file", codec="unsafe-pickle")


def test_a_class_that_is_not_known_is_told_when_it_is_read(tmp_path: Path) -> None:
    """What the file is made of says how to go on."""
    Backpack().save(tmp_path / "file")
    backpack = Backpack()
    backpack.pack("change", backpack.pack("a", 1).changes[0])
    backpack.save(tmp_path / "file")
    again = Backpack.restore(tmp_path / "file")
    assert 1 == again["a"]
    with pytest.raises(UnpackableValue, match="class backpack.records:Change is not registered"):
        again["change"]


# --- atomic ------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["write", "replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_is_whole_or_as_before(
    moment: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there stays, and nothing is left over."""
    path = tmp_path / "file"
    backpack, _ = used(3)
    backpack.save(path)
    before = path.read_bytes()
    backpack.pack("a", "more")

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    target = {
        "write": (Log, "write"),
        "replace": (Path, "replace"),
        "fsync": (os, "fsync"),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(*target, fail)
        with pytest.raises((ArchiveError, KeyboardInterrupt)):
            backpack.save(path)
    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())
    backpack.save(path)
    assert "more" == Backpack.restore(path)["a"]


@pytest.mark.parametrize("error", [None, OSError(45, "Operation not supported")])
def test_it_is_written_through_the_cache_of_the_drive(
    error: OSError | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS that is a call of its own, file and folder; where it fails, fsync has to do."""
    fcntl = pytest.importorskip("fcntl")
    calls: list[int] = []

    def called(_: int, call: int) -> None:
        calls.append(call)
        if error is not None:
            raise error

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", called)
    Backpack().save(tmp_path / "file")
    assert [51, 51] == calls
    assert {} == dict(Backpack.restore(tmp_path / "file"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """It says which, and why."""
    with pytest.raises(ArchiveError, match="unable to open database file"):
        Backpack().save(tmp_path / "no" / "file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArchiveError, match=r"folder is a folder; name a file in it"):
        Backpack().save(tmp_path / "folder")
    for bad in ("", "a\0b", "\udcff", b"bytes", None):
        with pytest.raises(ArchiveError, match="is no path of a file; give one as text, or a Path"):
            Backpack().save(bad)  # type: ignore[arg-type]
    assert ["folder"] == [each.name for each in tmp_path.iterdir()]


# --- what is not written over ------------------------------------------------------------


def live(path: Path) -> tuple[Backpack, Past]:
    """Return a Backpack that an SQLite file is the archive of, and its past."""
    backpack = Backpack.open(f"sqlite:///{path}", "a", **settings())
    past = Past()
    past.record(backpack.pack("a", "first"), {"a": "first"})
    return backpack, past


def _itself(path: Path) -> Path:
    return path


def _by_a_link(path: Path) -> Path:
    (path.parent / "link").symlink_to(path.name)
    return path.parent / "link"


def _by_another_name(path: Path) -> Path:
    os.link(path, path.parent / "other")
    return path.parent / "other"


def _from_here(path: Path) -> Path:
    return Path(os.path.relpath(path))


@pytest.mark.parametrize("named", [_itself, _by_a_link, _by_another_name, _from_here])
def test_a_backpack_is_not_saved_over_its_own_archive(
    named: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever name: every commit that was acknowledged is there when it is opened again."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.db"
    backpack, past = live(path)
    target = named(path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ArchiveError) as caught:
        backpack.save(target, archived=True)
    assert str(caught.value) == (
        f"{target.absolute()} is the archive that is saved; name another file for the checkpoint"
    )
    assert before == sorted(tmp_path.iterdir())
    for number in range(20):
        value = f"{number}" + os.urandom(100_000).hex()
        past.record(backpack.pack("a", value), past.current | {"a": value})
    backpack.save(tmp_path / "checkpoint")
    backpack.close()
    with Backpack.open(f"sqlite:///{path}", "a", **settings()) as again:
        past.check(again)


@pytest.mark.parametrize("named", [_itself, _by_a_link])
def test_an_archive_that_has_a_writer_is_not_written_over(named: Any, tmp_path: Path) -> None:
    """Be it of this process or of another: it would go on in a file that nobody finds."""
    writer, past = live(tmp_path / "runs.db")
    target = named(tmp_path / "runs.db")
    saved, _ = used(3, 5)
    with pytest.raises(ArchiveError) as caught:
        saved.save(target)
    assert str(caught.value) == (
        f"{target} is an archive that has a writer, which holds runs.db@a.lock; close that, or "
        "name another file"
    )
    past.record(writer.pack("a", "more"), {"a": "more"})
    writer.close()
    with Backpack.open(f"sqlite:///{tmp_path}/runs.db", "a", **settings()) as again:
        past.check(again)
    saved.save(tmp_path / "runs.db")
    assert dict(saved) == dict(Backpack.restore(tmp_path / "runs.db"))


def test_who_opens_it_meanwhile_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at once more before it is replaced, since writing takes a while."""
    path = tmp_path / "runs.db"
    live(path)[0].close()
    opened: list[tuple[Backpack, Past]] = []
    write = Log.write

    def slow(log: Log, entered: Any) -> None:
        write(log, entered)
        if not opened and log.database.path != path:
            backpack = Backpack.open(f"sqlite:///{path}", "a", **settings())
            past = Past()
            past.record(backpack.history()[-1], {"a": "first"})
            opened.append((backpack, past))

    monkeypatch.setattr(Log, "write", slow)
    with pytest.raises(
        ArchiveError, match=r"runs\.db is an archive that has a writer, which holds"
    ):
        used(3, 5)[0].save(path)
    ((backpack, past),) = opened
    past.record(backpack.pack("a", "more"), {"a": "more"})
    backpack.close()
    with Backpack.open(f"sqlite:///{path}", "a", **settings()) as again:
        past.check(again)
    assert ["runs.db", "runs.db@a.lock"] == sorted(each.name for each in tmp_path.iterdir())


@pytest.mark.parametrize("is_there", [True, False])
def test_what_a_killed_writer_left_is_not_taken_for_part_of_a_checkpoint(
    is_there: bool, tmp_path: Path
) -> None:
    """SQLite would replay its write-ahead log onto the new file."""
    writer, _ = live(tmp_path / "alive.db")
    path = tmp_path / "runs.db"
    for ending in ("", "-wal") if is_there else ("-wal",):
        Path(f"{path}{ending}").write_bytes(Path(f"{tmp_path}/alive.db{ending}").read_bytes())
    writer.close()
    before = {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    saved, _ = used(3, 5)
    with pytest.raises(ArchiveError) as caught:
        saved.save(path)
    assert str(caught.value) == (
        f"{path} is a database that something has open, or did not close: beside it is "
        "runs.db-wal, which SQLite would take for part of the new file. Name another file; or, if "
        "nothing has it open and it may be lost, delete it with what is beside it"
    )
    assert before == {each.name: each.read_bytes() for each in tmp_path.iterdir()}
    path.unlink(missing_ok=True)
    Path(f"{path}-wal").unlink()
    saved.save(path)
    assert dict(saved) == dict(Backpack.restore(path))


def test_a_checkpoint_that_somebody_reads_is_replaced(tmp_path: Path) -> None:
    """Whoever has it open goes on reading the one it was."""
    path = tmp_path / "file"
    first, second = Backpack(), Backpack()
    first.pack("a", 1)
    second.pack("a", 2)
    first.save(path)
    with closing(checkpoint.opened(path, checkpoint.look_into(path))) as log:
        second.save(path)
        assert 1 == sum(1 for _ in log.versions(0))
        assert first.code == log.code
    assert {"a": 2} == dict(Backpack.restore(path))


# --- names that no file can have ---------------------------------------------------------


def _links(folder: Path) -> Path:
    (folder / "it").symlink_to("loop")
    (folder / "loop").symlink_to("it")
    return folder / "it"


def _a_folder(folder: Path) -> Path:
    (folder / "it").mkdir()
    return folder / "it"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "it")
    return folder / "it"


def _below_a_file(folder: Path) -> Path:
    (folder / "it").write_text("no folder")
    return folder / "it" / "it.db"


_LOOPS = "Too many levels of symbolic links; name another file"
NO_FILES: dict[str, tuple[Any, str, str]] = {
    "too long": (
        lambda folder: folder / ("x" * 300),
        "there can be no archive .*: File name too long; name another file$",
        "x cannot be written: File name too long; name another file$",
    ),
    "a loop": (
        _links,
        f"there can be no archive .*it: {_LOOPS}$",
        f"it cannot be written: {_LOOPS}$",
    ),
    "a folder": (
        _a_folder,
        "it is a folder; name a file in it$",
        "it is a folder; name a file in it$",
    ),
    "a pipe": (
        _pipe,
        "it is no plain file, such as an archive is; name another$",
        "it is no plain file, and is not replaced; name another file$",
    ),
    "below a file": (
        _below_a_file,
        r"there is no archive .*it\.db$|it\.db cannot be opened: unable to open database file",
        r"it\.db cannot be opened: unable to open database file; nothing was changed",
    ),
}


@pytest.mark.parametrize("name", NO_FILES)
def test_a_name_that_no_file_can_have_is_told(name: str, tmp_path: Path) -> None:
    """Whatever is asked of it, in one line; nothing is made, and nothing waited for."""
    make, reading, writing = NO_FILES[name]
    path = make(tmp_path)
    url = f"sqlite:///{path}"
    before = sorted(tmp_path.iterdir())
    for ask in (
        lambda: Backpack.open(url, "a"),
        lambda: Backpack.restore(path),
        lambda: checkpoint.look_into(url),
        lambda: SqlArchive(url).look("a"),
    ):
        with pytest.raises(ArchiveError, match=reading) as caught:
            ask()
        assert "\n" not in str(caught.value)
    for answer in (SqlArchive(url).names, lambda: SqlArchive(url).delete("a")):
        if name == "below a file":
            assert not answer()
            continue
        with pytest.raises(ArchiveError, match=reading):
            answer()
    with pytest.raises(ArchiveError, match=writing):
        Backpack().save(path)
    assert before == sorted(tmp_path.iterdir())


def test_a_name_without_room_for_what_lies_beside_it(tmp_path: Path) -> None:
    """A checkpoint has nothing beside it; of an archive no empty file is left behind."""
    path = tmp_path / ("é" * 125)
    with pytest.raises(ArchiveError, match="-journal: File name too long|can be no archive"):
        Backpack.open(f"sqlite:///{path}", "a")
    assert [] == list(tmp_path.iterdir())
    backpack, _ = used(3, 5)
    backpack.save(path)
    assert dict(backpack) == dict(Backpack.restore(path))
    assert [path] == list(tmp_path.iterdir())


# --- progress ----------------------------------------------------------------------------


@pytest.mark.parametrize("write", ["on-commit", "on-prune"])
@pytest.mark.parametrize("archived", [True, False])
def test_progress_never_passes_its_total(archived: bool, write: Any, tmp_path: Path) -> None:
    """It is how many versions are in the file, and told in the end."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/runs.db", write=write)
    with Backpack.open(archive, "a", **settings()) as backpack:
        for number in range(330):
            backpack.pack("abc"[number % 3], f"{number}" * 99)
            if number % 50 == 0:
                backpack.pack("c", backpack.get("c"))
                backpack.remove("a")
        told: list[tuple[int, int]] = []
        backpack.save(
            tmp_path / "file", archived=archived, progress=lambda *done: told.append(done)
        )
    total = checkpoint.look_into(tmp_path / "file").versions
    assert {total} == {of for _, of in told}
    assert sorted(told) == told
    assert (total, total) == told[-1]
    assert not archived or total > 300


def test_progress_of_an_archive_that_does_not_count_has_no_total() -> None:
    """An archive of somebody's own need not say how many versions it has."""
    assert checkpoint.count_of(object()) is None


def forged(path: Path, table: str, where: str = "1", **change: Any) -> None:
    """Change a row of a file, and its mark with it, as somebody who means it would."""
    marked = {
        "packs": rows._MARKED_PACK,
        "commits": rows._MARKED_COMMIT,
        "versions": rows._MARKED_VERSION,
    }[table]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        select = f"SELECT * FROM backpack_{table} WHERE {where}"  # noqa: S608
        row = {**dict(connection.execute(select).fetchone()), **change}
        if "pinned" in row:
            row["pinned"] = bool(row["pinned"])
        names = ", ".join(f'"{name}" = ?' for name in change)
        connection.execute(
            f"UPDATE backpack_{table} SET {names}, mark = ? WHERE {where}",  # noqa: S608
            [*change.values(), rows._mark(row, marked)],
        )


_LAST = "seq = (SELECT max(seq) FROM backpack_versions WHERE key = 'a') AND key = 'a'"
_CHANGES = ormsgpack.packb([["a", 0, 2**63]])
FORGED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "settings of bytes": ("packs", "1", {"settings": b"{}"}),
    "settings with an archive": (
        "packs",
        "1",
        {"settings": '{"archive": {"use": "sql", "url": "sqlite:///elsewhere.db"}}'},
    ),
    "a head that is too low": ("packs", "1", {"head": 4}),
    "no head": ("packs", "1", {"head": 0}),
    "no code": ("packs", "1", {"code": ""}),
    "a code of two lines": ("packs", "1", {"code": "a\nb"}),
    "a codec of many lines": ("packs", "1", {"codec": "x\ny" * 3000}),
    "a negative epoch": ("packs", "1", {"epoch": -1}),
    "tags without end": ("commits", "seq = 2", {"tags": "[" * 100_000}),
    "tags that are none": ("commits", "seq = 2", {"tags": '["z", "a"]'}),
    "a size that is too large": ("commits", "seq = 2", {"changes": _CHANGES}),
    "an unknown kind": ("commits", "seq = 2", {"changes": ormsgpack.packb([["a", -1, 1]])}),
    "the end of time": ("commits", "seq = 2", {"time": float("inf")}),
    "a commit beyond the head": ("commits", "seq = 2", {"seq": 99}),
    "a version without data": ("versions", _LAST, {"data": None}),
    "data that is text": ("versions", _LAST, {"data": "text"}),
    "a form that is none": ("versions", _LAST, {"form": 7}),
    "a removal with data": ("versions", _LAST, {"form": 0}),
    "a size that is text": ("versions", _LAST, {"size": "x"}),
    "a version beyond the head": ("versions", _LAST, {"seq": 99}),
    "nothing to lean on": ("versions", "seq = 1", {"form": 2}),
    "left out without a trace": ("versions", "seq = 4", {"form": 3, "data": None, "ground": 0}),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_somebody_forged_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checksums are no signatures: what they vouch for is looked at, too."""
    monkeypatch.chdir(tmp_path)
    path, (table, where, change) = tmp_path / "file", FORGED[name]
    backpack = Backpack()
    for value in ([1, 2], [1, 2, 3] * 30, [1, 2, 4] * 30):
        backpack.pack("a", value)
    backpack.pack("b", "x")
    backpack.remove("b")
    backpack.save(path)
    forged(path, table, where, **change)
    with pytest.raises(BackpackError) as caught:
        read_all(path)
    assert "\n" not in str(caught.value)
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [2**42, 2**44, 2**62 - 1])
def test_a_number_that_no_commit_has_is_refused(number: int, tmp_path: Path) -> None:
    """Not once there are others behind it, that nobody could open again."""
    path = tmp_path / "file"
    backpack = Backpack()
    backpack.pack("a", 1)
    backpack.save(path)
    forged(path, "commits", seq=number, last_access=number)
    forged(path, "versions", seq=number, ground=number)
    forged(path, "packs", head=number)
    with pytest.raises(CorruptError):
        Backpack.restore(path, archive=f"sqlite:///{tmp_path}/runs.db")
    with pytest.raises(CorruptError):
        Backpack.restore(path)


def test_looks_beyond_number_are_as_many_as_can_be(tmp_path: Path) -> None:
    """They are no part of what is vouched for: whatever is said of them, it can be gone on."""
    path, url = tmp_path / "file", f"sqlite:///{tmp_path}/runs.db"
    backpack = Backpack()
    backpack.pack("a", 1)
    backpack.save(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE backpack_commits SET accesses = ?, last_access = ?", [2**62 - 1] * 2
        )
    with Backpack.restore(path, archive=url) as again:
        for _ in range(3):
            assert again.snapshot(backpack.history()[0]).to_dict() == {"a": 1}
        name = again.code
    for _ in range(2):
        with Backpack.open(url, name) as again:
            again.snapshot(again.history()[0])["a"]


def test_a_commit_that_was_made_one_of_an_archive_is_missed(tmp_path: Path) -> None:
    """How many are retained is counted."""
    path = tmp_path / "file"
    small(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE backpack_commits SET retained = 0 WHERE seq = 20")
    with pytest.raises(CorruptError, match="retained, and .* were written"):
        Backpack.restore(path)


def test_names_of_a_strange_file_are_shown_on_one_line(tmp_path: Path) -> None:
    """Be it of a Backpack, or of a setting: they cannot write to a terminal."""
    path = tmp_path / "file"
    for name in ("a\x1b[31m\nb", "c"):
        with Backpack.open(f"sqlite:///{path}", name):
            pass
    with pytest.raises(UnknownName, match=r"there are: a\\x1b\[31m b, c$"):
        Backpack.restore(path)
    for hostile, blamed in (
        ({"storage": {"use": "delta", "\x1b[31m\nspan": 1}}, r"storage.\\x1b\[31m span: 'delta' t"),
        ({"pruning": {"use": "oldest", "x\n": 1}}, r"pruning.x: 'oldest' takes no argument 'x\\n'"),
    ):
        path = tmp_path / "checkpoint"
        Backpack().save(path)
        forged(path, "packs", settings=json.dumps(hostile))
        with pytest.raises(ConfigError, match=blamed) as caught:
            Backpack.restore(path)
        assert str(caught.value).isprintable()


def test_a_number_that_is_none_is_shown_on_one_line() -> None:
    """A row of a strange file may have anything in its place."""
    row = dict.fromkeys((*rows._MARKED_COMMIT, "mark"), "\x1b\n")
    with pytest.raises(CorruptError, match="is not as it was written") as caught:
        rows.commit_of(row, "abc")
    assert str(caught.value).isprintable()


def test_where_what_was_archived_goes_is_told_by_a_url(tmp_path: Path) -> None:
    """As where it is opened; elsewhere an error says what to write."""
    backpack, past = used(3, 40, max_history_size=65536)
    backpack.save(tmp_path / "file")
    url = f"sqlite:///{tmp_path}/archive.db"
    with Backpack.restore(tmp_path / "file", archive=url) as again:
        past.record(again.pack("a", "more"), past.current | {"a": "more"})
    with Backpack.open(url, backpack.code) as again:
        past.check(again)
    with pytest.raises(ConfigError, match=r"archive.use: a URL is where an archive is, not what"):
        Backpack.from_preset(archive=url)


def test_a_view_is_not_looked_through(tmp_path: Path) -> None:
    """One of the name of a table is not read: it could take for ever."""
    path = tmp_path / "file"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {0x4261636B}")
        connection.execute(
            "CREATE VIEW backpack_about AS WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL "
            "SELECT i + 1 FROM r) SELECT max(i) AS schema, 1 AS id FROM r"
        )
    with pytest.raises(CorruptError, match="it has no table backpack_about"):
        Backpack.restore(path)


# --- bad files ---------------------------------------------------------------------------


def read_all(path: Path) -> dict[str, Any]:
    """Restore a file, and everything it answers."""
    return answers(Backpack.restore(path))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    """Each by what it is."""
    with pytest.raises(ArchiveError, match="there is no archive .*missing"):
        Backpack.restore(tmp_path / "missing")
    assert [] == list(tmp_path.iterdir())
    path = tmp_path / "file"
    path.write_bytes(b"")
    with pytest.raises(ArchiveError, match=r"file is empty: no archive or checkpoint of Backpack"):
        Backpack.restore(path)
    path.write_bytes(os.urandom(5000))
    with pytest.raises(CorruptError, match="is damaged, or is none: file is not a database"):
        Backpack.restore(path)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """As that, whether it is the file or its folder; the tests may run as a user who may all."""
    Backpack().save(path := tmp_path / "it.backpack")
    said = r"it\.backpack may not be read: see that this user may read it and its folder$"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda _, mode: mode != os.R_OK)
        with pytest.raises(ArchiveError, match=said):
            Backpack.restore(path)

    def refuse(_: Path) -> bool:
        raise PermissionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "stat", refuse)
        with pytest.raises(ArchiveError, match=said):
            Backpack.restore(path)


def test_which_one_is_meant_has_to_be_told(tmp_path: Path) -> None:
    """Where an archive has several, or none."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/archive.db")
    for name in "ab":
        with Backpack.open(archive, name) as backpack:
            backpack.pack("name", name)
    with pytest.raises(UnknownName, match="which Backpack.; there are: a, b"):
        Backpack.restore(tmp_path / "archive.db")
    with pytest.raises(UnknownName, match="there is no 'c'; there are: a, b"):
        Backpack.restore(tmp_path / "archive.db", "c")
    assert {"name": "b"} == dict(Backpack.restore(tmp_path / "archive.db", "b"))


def small(path: Path) -> dict[str, Any]:
    """Save a small Backpack with something of everything in it; return what it answers."""
    backpack, _ = used(5, 25, storage=Delta(least=1), reference=Stub("400 B"))
    backpack.pin(backpack.history()[3])
    backpack.save(path)
    return answers(backpack)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM backpack_commits WHERE seq = (SELECT min(seq) FROM backpack_commits)",
        "DELETE FROM backpack_versions WHERE seq = (SELECT max(seq) FROM backpack_versions)",
        "UPDATE backpack_commits SET changes = x'c1'",
        "UPDATE backpack_versions SET key = key || 'x'",
        "UPDATE backpack_packs SET head = head + 1",
        "UPDATE backpack_packs SET settings = '[]'",
        'UPDATE backpack_packs SET settings = \'{"pruning": {"use": "os:system"}}\'',
        "UPDATE backpack_packs SET code = 'zzzzzz'",
    ],
)
def test_rows_that_were_changed_are_seen(statement: str, tmp_path: Path) -> None:
    """What an editor of databases does to it does not go unnoticed."""
    path = tmp_path / "file"
    expected = small(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with pytest.raises(BackpackError):
        assert expected == read_all(path)
