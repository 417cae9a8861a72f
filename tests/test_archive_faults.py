"""An archive whose disk or server fails: refused with the cause, as before, and well again."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from archives import Past, settings
from faults import (
    FAULTS,
    ROOM,
    WRITE,
    archive,
    begun,
    check_retained,
    mounted,
    pack,
    patience,
    seen,
    until_refused,
)
from sqlalchemy.exc import OperationalError

from backpack import ArchiveError, Backpack, CorruptError
from backpack.archive import trouble
from backpack.archive.checkpoint import look_into
from backpack.archive.database import Database
from backpack.audit import audit

#: What fails here, and how it is told, is traced by the other tests of archives.
pytestmark = pytest.mark.no_cover


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a folder that nobody else uses; everybody may look into it, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        Path(folder).chmod(0o755)
        yield Path(folder)
        stack.close()


@pytest.mark.parametrize("write", WRITE)
@pytest.mark.parametrize("name", FAULTS)
def test_a_disk_that_fails_and_is_well_again(
    name: str, write: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused with the cause, nothing half done; reads go on; later, everything is there."""
    patience(monkeypatch, 1)
    fault, url = FAULTS[name], f"sqlite:///{folder}/archive.db"
    with ExitStack() as stack:
        if fault.disk:
            stack.enter_context(mounted(folder, "-t", "tmpfs", "-o", "size=2m", "tmpfs"))
        backpack, past = begun(url, write)
        checkpoint = folder / "checkpoint"
        backpack.save(checkpoint)
        before = checkpoint.read_bytes()
        with fault.make(backpack):
            error, passed = until_refused(backpack, past)
            assert passed > 0 or write == "on-commit"
            assert_told(error, f"the archive {url} cannot be ", fault.told)
            check_retained(backpack, past)
            if not fault.spoils_reading:
                past.check(backpack)
            if write == "on-prune" or not fault.spares_changes:
                with pytest.raises(ArchiveError, match=fault.told):
                    backpack.close()
            if fault.spoils_folder:
                with pytest.raises(ArchiveError, match=f"{checkpoint} cannot be ") as caught:
                    backpack.save(checkpoint)
                assert_told(caught.value, fault.told)
                assert [] == [each for each in folder.iterdir() if "part" in each.name]
                with pytest.raises(ArchiveError, match=OPENING):
                    Backpack.open(url, "other")
            assert before == checkpoint.read_bytes()
        for _ in range(20):
            pack(backpack, past)
        backpack.save(checkpoint)
        backpack.close()
        with Backpack.open(archive(url, write), "it", **ROOM) as again:
            past.check(again)
        assert backpack.head == Backpack.restore(checkpoint).head


#: What is said where nothing can be written to begin with.
OPENING = "cannot be (opened|locked|written): .*; nothing was changed. (Free|See)"


def assert_told(error: ArchiveError, *parts: str) -> None:
    """An error says all that, on one line."""
    for part in parts:
        assert re.search(part, str(error)), str(error)


def test_what_was_refused_is_not_there_after_closing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it had been written all the same, and nothing else was to be written."""
    url, commit = f"sqlite:///{tmp_path}/archive.db", Database.commit
    backpack, past = begun(url, "on-commit", 20)

    def commits(self: Database) -> None:
        commit(self)
        raise OperationalError("", {}, OSError("the answer got lost"))

    with monkeypatch.context() as patch:
        patch.setattr(Database, "commit", commits)
        with pytest.raises(ArchiveError, match="the answer got lost"):
            pack(backpack, past)
    backpack.close()
    with Backpack.open(url, "it", **ROOM) as again:
        past.check(again)


@pytest.mark.parametrize("moment", ["begin", "commit"])
def test_a_checkpoint_that_cannot_be_begun_is_told(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that cannot be finished: by its own name, and nothing is left over."""
    backpack = Backpack()
    backpack.pack("a", 1)

    def fails(_: Database) -> None:
        raise OperationalError("", {}, sqlite3.OperationalError("disk I/O error"))

    # The tables are made by then.
    monkeypatch.setattr(Database, "_look", lambda _: None)
    monkeypatch.setattr(Database, moment, fails)
    with pytest.raises(ArchiveError, match="checkpoint cannot be .*; nothing was changed"):
        backpack.save(tmp_path / "checkpoint")
    assert [] == list(tmp_path.iterdir())


SERVER = "See that the server runs, and can be reached, and do it again"


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            sqlite3.OperationalError("no such table: it"),
            ArchiveError,
            "the archive it.db cannot be read: no such table: it; nothing was changed",
        ),
        (
            OperationalError("", {}, sqlite3.ProgrammingError("Recursive use")),
            ArchiveError,
            "the archive it.db cannot be read: Recursive use; nothing was changed",
        ),
        (
            sqlite3.OperationalError("Could not decode to UTF-8 column 'note'"),
            CorruptError,
            "the archive it.db is damaged, or is none: Could not decode to UTF-8 column 'note'",
        ),
        (
            psycopg.OperationalError("it is closed"),
            ArchiveError,
            f"the archive it.db cannot be read: it is closed; nothing was changed. {SERVER}",
        ),
    ],
)
def test_an_error_without_a_code_is_told_for_what_it_is(
    error: Any, kind: type[Exception], message: str
) -> None:
    """A server is spoken of only where there is one."""
    told = trouble.told(error, "it.db", "cannot be read", 10)
    assert (kind, message) == (type(told), str(told))


def test_a_text_that_is_no_unicode_is_damage(tmp_path: Path) -> None:
    """Of which SQLite knows nothing, and Python tells without a code."""
    url = f"sqlite:///{tmp_path}/archive.db"
    with Backpack.open(url, "it") as backpack:
        backpack.pack("a", 1, note="a note")
    with closing(sqlite3.connect(tmp_path / "archive.db")) as raw, raw:
        raw.execute("UPDATE backpack_commits SET note = CAST(x'ff' AS TEXT)")
    with pytest.raises(CorruptError, match="is damaged, or is none: Could not decode to UTF-8"):
        Backpack.open(url, "it")


def test_an_archive_that_went_back_is_not_gone_on_with(tmp_path: Path) -> None:
    """A file, or a server, that lost what was acknowledged is told; it is not made worse."""
    url, copy = f"sqlite:///{tmp_path}/archive.db", sqlite3.connect(":memory:")
    backpack, past = begun(url, "on-commit", 20)
    with closing(copy), closing(sqlite3.connect(tmp_path / "archive.db")) as file:
        file.backup(copy)
        for _ in range(3):
            pack(backpack, past)
        copy.backup(file)
    before = seen(backpack)
    for _ in range(2):
        with pytest.raises(
            ArchiveError, match="has lost what was durable by commit 23: its server"
        ):
            pack(backpack, past)
        with pytest.raises(ArchiveError, match="has lost what was durable"):
            backpack.tag(past.commits[0], "t")
        assert before == seen(backpack)
    backpack.save(tmp_path / "checkpoint")
    assert past.current == dict(Backpack.restore(tmp_path / "checkpoint"))
    backpack.close()
    past.forget(20)
    with Backpack.open(archive(url, "on-commit"), "it", **ROOM) as again:
        past.check(again)
        pack(again, past)
        past.check(again)


def test_a_place_without_a_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite goes on in another mode without a word; readers would have to wait."""
    connect: Any = sqlite3.connect

    def connects(place: str, **others: Any) -> Any:
        return connect(f"{place}&vfs=unix-dotfile", **others)

    if os.name == "nt":
        pytest.skip("a place without shared memory takes a VFS that SQLite has on Unix only")
    monkeypatch.setattr("backpack.archive.database.sqlite3.connect", connects)
    with pytest.raises(ArchiveError, match="there can be no write-ahead log beside it; nothing w"):
        Backpack.open(f"sqlite:///{tmp_path}/archive.db", "it")


def test_a_checkpoint_that_is_opened_as_an_archive_is_written_ahead(tmp_path: Path) -> None:
    """Readers of it do not have to wait either."""
    backpack = Backpack()
    backpack.pack("a", 1)
    backpack.save(tmp_path / "file")
    name = look_into(tmp_path / "file").name
    with Backpack.open(f"sqlite:///{tmp_path}/file", name) as again:
        with closing(sqlite3.connect(tmp_path / "file")) as reader:
            assert [("wal",)] == reader.execute("PRAGMA journal_mode").fetchall()
        assert {"a": 1} == dict(again)


# --- system calls that fail ----------------------------------------------------------------

#: What SQLite, and the checkpoint, write and synchronize with.
SYNCS = "fsync,fdatasync"
WRITES = "pwrite64"
#: What fails in the default run: which calls, how, which of them, and what is to be survived.
#: ``BACKPACK_FAULTS=all`` has each call of a run fail by itself, and all from each on.
SOME = [
    (SYNCS, "EIO", "5+13", "power"),
    (SYNCS, "EIO", "15+4", "power"),
    (SYNCS, "EIO", "7+9", "process"),
    (WRITES, "EIO", "31+47", "process"),
    (WRITES, "ENOSPC", "150+1", "power"),
    ("ftruncate,unlink", "EIO", "3+5", "process"),
]


def run_with_failing_calls(
    folder: Path, calls: str, error: str, when: str, sync: str, count: int = 10
) -> tuple[int, int]:
    """Use an archive in another process while its system calls fail.

    Returns how many calls did, and how many commits were refused.

    What was acknowledged is there afterwards, exactly; a commit that was not may be the newest.
    """
    log = folder / "strace"
    command = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={calls}"]
    command += ["-e", f"inject={calls}:error={error}:when={when}"] if when else []
    child = Path(__file__).with_name("faults_child.py")
    done = subprocess.run(
        [*command, sys.executable, str(child), str(folder), sync, str(count)],
        capture_output=True,
        text=True,
    )
    assert 0 == done.returncode, done.stderr
    told = [pickle.loads(bytes.fromhex(line)) for line in done.stdout.split()]
    past, tried = Past(), []
    for kind, *what in told:
        if kind == "try":
            tried = what
        elif kind == "did":
            commit, key, value = what
            past.record(commit, past.current | {key: value})
            tried = []
    with Backpack.open(f"sqlite:///{folder}/archive.db", "it", **settings()) as backpack:
        if tried and len(backpack.history()) > len(past.commits):
            key, value = tried
            assert backpack.head is not None
            past.record(backpack.head, past.current | {key: value})
        past.check(backpack)
        past.record(backpack.pack("a", "more"), past.current | {"a": "more"})
    with Backpack.open(f"sqlite:///{folder}/archive.db", "it", **settings()) as backpack:
        past.check(backpack)
    checkpoint = folder / "checkpoint"
    if checkpoint.exists():
        assert [] == audit(Backpack.restore(checkpoint))
    text = log.read_text()
    (*_, (_, refused)) = told
    return text.count("INJECTED") if when else text.count("("), refused


@pytest.mark.parametrize(("calls", "error", "when", "sync"), SOME)
def test_system_calls_that_fail(
    calls: str, error: str, when: str, sync: str, tmp_path: Path
) -> None:
    """Whichever write or sync fails: nothing acknowledged is lost, the handle is thrown away."""
    needs_strace()
    failed, refused = run_with_failing_calls(tmp_path, calls, error, when, sync)
    assert failed > 3
    # Each of these has commits refused; the others only what can be done later, or by the next.
    assert refused > 0 or when not in ("15+4", "31+47", "150+1")


def needs_strace() -> None:
    """Skip where system calls cannot be had fail."""
    command = ["strace", "-qq", "-o", os.devnull, "true"]
    if shutil.which("strace") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("to have system calls fail takes strace, and the right to trace a process")


@pytest.mark.skipif(os.environ.get("BACKPACK_FAULTS") != "all", reason="BACKPACK_FAULTS=all")
@pytest.mark.parametrize(
    ("calls", "error", "when", "sync"),
    [
        (SYNCS, "EIO", "{}", "process"),
        (SYNCS, "EIO", "{}", "power"),
        (SYNCS, "EIO", "{}+", "process"),
        (SYNCS, "EIO", "{}+", "power"),
        (WRITES, "EIO", "{}", "power"),
        (WRITES, "ENOSPC", "{}+", "process"),
    ],
)
def test_every_system_call_that_may_fail(
    calls: str, error: str, when: str, sync: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Each of a run by itself, and each with all that come after it."""
    needs_strace()
    most, _ = run_with_failing_calls(tmp_path_factory.mktemp("run"), calls, error, "", sync, 2)
    failed = 0
    for number in range(1, most + 1):
        folder = tmp_path_factory.mktemp("run")
        these = when.format(number)
        failed += run_with_failing_calls(folder, calls, error, these, sync, 2)[0] > 0
        shutil.rmtree(folder)
    # How many calls there are differs from run to run: pages do, by when they are written.
    assert failed > most * 0.7
