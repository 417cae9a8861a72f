"""Spoiled files of archives and checkpoints: what was written is read, or an error that says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from spoiling import (
    ALL,
    SAMPLES,
    Sample,
    checkpoint,
    closed_archive,
    cuts,
    flips,
    killed_archive,
    outcomes,
    put,
)

from backpack import Backpack, CorruptError
from backpack.archive import SqlArchive, reading

#: What fails here, and how it is told, is traced by the other tests of archives.
pytestmark = pytest.mark.no_cover

#: In the default run, so many bytes are tried; ``BACKPACK_FLIPS=all`` tries each.
EVERY = 1 if ALL else 499
#: Among so many tests the bytes are divided.
SHARES = 16 if ALL else 1

Record = Callable[[str, object], None]


@pytest.fixture
def sample(request: pytest.FixtureRequest, tmp_path: Path) -> Sample:
    """Return the sample that a test is about."""
    made: Sample = request.param(tmp_path)
    return made


def of(*samples: Callable[[Path], Sample]) -> pytest.MarkDecorator:
    """Have a test be about each of some samples."""
    return pytest.mark.parametrize("sample", samples, indirect=True, ids=lambda make: make.__name__)


@of(*SAMPLES)
@pytest.mark.parametrize("share", range(SHARES))
def test_a_flipped_byte_is_seen_or_means_nothing(
    sample: Sample, share: int, tmp_path: Path, record_property: Record
) -> None:
    """What is read is what was written, or an error; of a write-ahead log, up to the byte."""
    spoiled = flips(sample.files, EVERY * SHARES, share)
    counted = outcomes(sample, tmp_path, spoiled)
    record_property("flips", dict(counted))
    assert counted["CorruptError"] + counted["as it was before"] > 5
    assert len(sample.moments) > 1 or not counted["as it was before"]


@of(*SAMPLES)
@pytest.mark.parametrize("share", range(SHARES))
def test_a_file_that_ends_early_is_seen(
    sample: Sample, share: int, tmp_path: Path, record_property: Record
) -> None:
    """It is an error; of a write-ahead log, what was written up to there is read."""
    spoiled = cuts(sample.files, EVERY * SHARES, share)
    counted = outcomes(sample, tmp_path, spoiled)
    record_property("cuts", dict(counted))
    assert counted["CorruptError"] + counted["as it was before"] > 5
    assert len(sample.moments) > 1 or not counted["as written"]


@of(*SAMPLES)
def test_what_is_behind_the_end_means_nothing(sample: Sample, tmp_path: Path) -> None:
    """Be it of whole pages, of parts of them, or what looks like the start of another file."""
    for more in (b"garbage" * 99, bytes(512), sample.files[min(sample.files)][:4096]):
        for name, data in sample.files.items():
            if data:
                put(tmp_path, {**sample.files, name: data + more})
                assert sample.judge(tmp_path) in ("as written", "CorruptError")


@of(killed_archive)
def test_a_write_ahead_log_that_is_gone_takes_the_newest_with_it(
    sample: Sample, tmp_path: Path
) -> None:
    """What is left is older, and whole."""
    files = {name: data for name, data in sample.files.items() if not name.endswith("-wal")}
    for older in (files, {**files, "runs.db-wal": b""}):
        put(tmp_path, older)
        assert sample.judge(tmp_path) == "as it was before"
        put(tmp_path, older)
        answers = sample.read(tmp_path)
        for question in ("it: state", "it: history", "it: numbers"):
            assert answers[question] == sample.moments[0][question] != sample.moments[-1][question]


@of(killed_archive)
def test_the_index_of_a_write_ahead_log_is_made_anew(sample: Sample, tmp_path: Path) -> None:
    """Whatever a killed process left of it."""
    for garbage in (b"garbage", bytes(32768), bytes(range(256)) * 128):
        put(tmp_path, {**sample.files, "runs.db-shm": garbage})
        assert sample.judge(tmp_path) == "as written"


@of(closed_archive, killed_archive)
def test_an_archive_that_lost_all_is_not_begun_anew(sample: Sample, tmp_path: Path) -> None:
    """An empty file is a new archive only where nothing is beside it."""
    for nothing in (b"", b"S"):  # SQLite takes one byte for none.
        put(tmp_path, {**sample.files, "runs.db": nothing})
        with pytest.raises(CorruptError, match=r"runs.db is empty, and was not: its lock or its w"):
            Backpack.open(f"sqlite:///{tmp_path}/runs.db", "new")
    put(tmp_path, {"runs.db": b""})
    with Backpack.open(f"sqlite:///{tmp_path}/runs.db", "new") as backpack:
        assert {} == dict(backpack)


@of(closed_archive)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE backpack_versions SET form = 0 WHERE seq = 2",
        "UPDATE backpack_versions SET form = 3 WHERE seq = 2",
        "UPDATE backpack_versions SET born = born + 7 WHERE seq < 9",
        "UPDATE backpack_versions SET previous = 1 WHERE seq = 3",
        "UPDATE backpack_versions SET seq = 7 WHERE seq = 2",
        "UPDATE backpack_versions SET seq = 2.5 WHERE seq = 2",
        "UPDATE backpack_versions SET seq = 'x' WHERE seq = 3",
        "UPDATE backpack_versions SET seq = 4 WHERE seq = 1",
        "UPDATE backpack_versions SET key = 'z' WHERE seq = 3",
        "UPDATE backpack_commits SET seq = 99 WHERE seq = 5",
        "UPDATE backpack_commits SET seq = 'x' || char(27) WHERE seq = 5",
        "UPDATE backpack_commits SET seq = char(10) WHERE seq = 1",
        "UPDATE backpack_commits SET retained = 7 WHERE seq = 5",
        "UPDATE backpack_commits SET retained = 'x' WHERE seq = 5",
        "UPDATE backpack_packs SET name = 'its'",
        "UPDATE backpack_packs SET name = x'6974' WHERE name = 'it'",
        "UPDATE backpack_packs SET name = char(27) || '[31m' WHERE name = 'it'",
        "DELETE FROM backpack_packs",
    ],
)
def test_rows_that_were_changed_are_seen(sample: Sample, statement: str, tmp_path: Path) -> None:
    """Also those of commits that history gave up, and of the log itself."""
    files = {**sample.files, "runs.db": changed(tmp_path, sample, f"{statement}")}
    put(tmp_path, files)
    assert sample.judge(tmp_path) == "CorruptError"


def changed(folder: Path, sample: Sample, statement: str) -> bytes:
    """Return an archive in which a statement changed rows of one Backpack."""
    put(folder, sample.files)
    where = statement if "packs" in statement else f"{statement} AND name = 'it'"
    with closing(sqlite3.connect(folder / "runs.db")) as connection:
        with connection:
            assert connection.execute(where.replace("name = 'its'", "name = name || 's'")).rowcount
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "runs.db").read_bytes()


@of(closed_archive)
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("DELETE FROM backpack_commits WHERE seq = 3", "has lost commit 3"),
        ("DELETE FROM backpack_versions WHERE seq = 2", "has lost a version of 'a' before commit"),
        ("DELETE FROM backpack_versions WHERE seq = 3", "has lost a version of 'a' before commit"),
    ],
)
def test_what_gets_lost_of_an_open_archive_is_missed(
    sample: Sample, statement: str, message: str, tmp_path: Path
) -> None:
    """It was counted when it was opened; what is asked for later has to be there, too."""
    put(tmp_path, sample.files)
    with Backpack.open(f"sqlite:///{tmp_path}/runs.db", "it") as backpack:
        with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
            assert connection.execute(f"{statement} AND name = 'it'").rowcount
        with pytest.raises(CorruptError, match=message):
            backpack.snapshot(f"3-{backpack.code}").to_dict()


@of(closed_archive)
def test_a_commit_that_comes_twice_is_seen(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does where an index leads to one page twice."""
    put(tmp_path, sample.files)
    with closing(SqlArchive(f"sqlite:///{tmp_path}/runs.db").look("it")) as log:
        first = log.commit_at(1)
        for newest_first in (True, False):
            assert 14 == len(list(log.commits(newest_first=newest_first)))
        monkeypatch.setattr(reading, "commit_of", lambda *_: first)
        for newest_first in (True, False):
            with pytest.raises(CorruptError, match="has commit 1 where it does not belong"):
                list(log.commits(newest_first=newest_first))


@of(closed_archive)
def test_what_was_interrupted_is_not_looked_through(sample: Sample, tmp_path: Path) -> None:
    """A transaction that was left open is given up before an old state is read."""
    put(tmp_path, sample.files)
    with Backpack.open(f"sqlite:///{tmp_path}/runs.db", "it") as backpack:
        before = backpack.snapshot(f"3-{backpack.code}").to_dict()
        scribe = backpack._engine.scribe
        assert scribe is not None
        log: Any = scribe.log
        connection = log.database.begin()
        connection.exec_driver_sql("DELETE FROM backpack_versions")
        assert before == backpack.snapshot(f"3-{backpack.code}").to_dict()


def test_samples_have_something_of_everything(tmp_path: Path) -> None:
    """Versions that lean on others, values left out, removed keys, tags, and two Backpacks."""
    for make in (checkpoint, killed_archive):
        put(tmp_path, {})
        sample = make(tmp_path)
        put(tmp_path, sample.files)
        path = next(each for each in tmp_path.iterdir() if each.name in ("it", "runs.db"))
        with closing(sqlite3.connect(path)) as connection:
            forms = dict(
                connection.execute("SELECT form, count(*) FROM backpack_versions GROUP BY form")
            )
            assert {0, 1, 2, 3} == forms.keys(), forms
            assert forms[2] > 3
            tags = connection.execute("SELECT tags FROM backpack_commits WHERE tags NOT NULL")
            assert len(tags.fetchall()) > 2
        assert (len(sample.moments) > 1) == (make is killed_archive)
