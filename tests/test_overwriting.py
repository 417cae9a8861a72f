"""What is in the way of writing a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock

from backpack import overwriting
from backpack.overwriting import is_same, obstacle


def test_what_nobody_has_open_is_written(tmp_path: Path) -> None:
    """A new file, and one that is there: with a lock that nobody holds, and logs that are empty."""
    path = tmp_path / "it.db"
    assert obstacle(path) is None
    path.write_bytes(b"old")
    for name in ("it.db@a.lock", "it.db-wal", "it.db-journal", "other.db-shm"):
        (tmp_path / name).touch()
    assert obstacle(path) is None
    assert obstacle(tmp_path / "no" / "folder") is None


@pytest.mark.parametrize("ending", ["-wal", "-journal", "-shm"])
@pytest.mark.parametrize("is_there", [True, False])
def test_what_sqlite_has_beside_a_file_is_in_the_way(
    ending: str, is_there: bool, tmp_path: Path
) -> None:
    """Also of one that is gone, and of one that a link leads to."""
    path = tmp_path / "it.db"
    if is_there:
        path.write_bytes(b"old")
    (tmp_path / f"it.db{ending}").write_bytes(b"log")
    (tmp_path / "link").symlink_to("it.db")
    for each in (path, tmp_path / "link"):
        assert obstacle(each) == (
            f"is a database that something has open, or did not close: beside it is it.db{ending}, "
            "which SQLite would take for part of the new file. Name another file; or, if nothing "
            "has it open and it may be lost, delete it with what is beside it"
        )


def test_a_lock_that_is_held_is_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so is one that cannot be asked; what holds it keeps it. Windows replaces no open file."""
    path = tmp_path / "[it].db"
    said = (
        "is an archive that has a writer, which holds [it].db@a.lock; close that, or name another "
        "file"
    )
    with FileLock(tmp_path / "[it].db@a.lock", timeout=0):
        assert obstacle(path) == said
        assert obstacle(path) == said
        with monkeypatch.context() as patch:
            patch.setattr(overwriting, "fcntl", None)
            assert obstacle(path) is None
    (tmp_path / "[it].db@a.lock").touch()
    assert obstacle(path) is None
    for error, expected in ((PermissionError(), said), (FileNotFoundError(), None)):
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", _raising(error))
            assert obstacle(path) == expected


def test_only_a_plain_file_is_replaced(tmp_path: Path) -> None:
    """What is written in place may be a device."""
    assert obstacle(tmp_path) == "is a folder; name a file in it"
    assert obstacle(tmp_path, plain=False) == "is a folder; name a file in it"
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        assert obstacle(path) == "is no plain file, and is not replaced; name another file"
        assert obstacle(path, plain=False) is None


def test_a_name_that_no_file_can_have_is_in_the_way(tmp_path: Path) -> None:
    """The system says why."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert obstacle(tmp_path / ("x" * 300)) == (
        "cannot be written: File name too long; name another file"
    )
    assert obstacle(tmp_path / "a") == (
        "cannot be written: Too many levels of symbolic links; name another file"
    )


def test_one_file_by_two_names_is_the_same(tmp_path: Path) -> None:
    """Where there is none, or can be none, nothing is."""
    path = tmp_path / "it"
    assert not is_same(path, path)
    path.touch()
    os.link(path, tmp_path / "other")
    assert is_same(path, tmp_path / "other")
    assert not is_same(path, tmp_path / ("x" * 300))


def _raising(error: OSError) -> object:
    def fail(*_: object) -> int:
        raise error

    return fail
