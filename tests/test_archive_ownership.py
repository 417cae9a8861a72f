"""Whose an archive is: one file, one process, one writer, by whatever name it is called."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from backpack import ArchiveError, Backpack, StaleWriter
from backpack.archive import SqlArchive
from backpack.lock_files import lock_of, locks_of


def test_another_file_in_its_place_is_not_written(tmp_path: Path) -> None:
    """An old copy that is moved over it: what was packed since is not lost without a word."""
    path = tmp_path / "it.db"
    archive = SqlArchive(f"sqlite:///{path}", write="on-commit")
    Backpack(archive=archive, name="it").close()
    shutil.copy(path, tmp_path / "old.db")
    backpack = Backpack.open(archive, "it")
    backpack.pack("n", 1)
    (tmp_path / "old.db").replace(path)
    before = path.read_bytes()
    with pytest.raises(ArchiveError) as caught:
        backpack.pack("n", 2)
    assert str(caught.value) == (
        f"the archive sqlite:///{path} is not the file that was opened: it was removed, or "
        "another was put in its place; nothing was written. Put it back; or save a checkpoint, "
        "and open it again to go on from what is there"
    )
    assert backpack["n"] == 1
    assert path.read_bytes() == before
    backpack.save(tmp_path / "it.backpack")
    assert dict(Backpack.restore(tmp_path / "it.backpack")) == {"n": 1}
    backpack.close()


def test_whoever_goes_to_another_folder_takes_it_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is relative is so to the folder in which the archive was opened."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    for write in ("on-prune", "on-commit"):
        archive = SqlArchive(f"sqlite:///{write}.db", write=write)
        backpack = Backpack(archive=archive, name="it")
        backpack.pack("n", 1)
        monkeypatch.chdir(tmp_path / "elsewhere")
        backpack.pack("n", 2)
        with pytest.raises(ArchiveError, match="is the archive that is saved"):
            backpack.save(tmp_path / f"{write}.db")
        backpack.close()
        assert [] == [*Path.cwd().iterdir()]
        monkeypatch.chdir(tmp_path)
        with closing(Backpack.open(archive, "it")) as again:
            assert [2, 1] == [again.snapshot(each)["n"] for each in again.history()]


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no file that is open")
@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_a_file_that_was_removed_is_told_and_can_be_put_back(write: str, tmp_path: Path) -> None:
    """No new one is made in its place, whatever was asked of it meanwhile."""
    path = tmp_path / "it.db"
    archive = SqlArchive(f"sqlite:///{path}", write=write)
    backpack = Backpack(archive=archive, name="it")
    first = backpack.pack("n", 1)
    path.rename(tmp_path / "elsewhere.db")
    with pytest.raises(ArchiveError, match="is not the file that was opened"):
        backpack.pack("n", 2)
        backpack.close()
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    last = backpack.pack("n", 3)
    backpack.close()
    with closing(Backpack.open(archive, "it")) as again:
        assert again.history()[0] == last
        assert again.snapshot(first)["n"] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it takes a fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
def test_a_forked_process_leaves_it_to_its_parent(write: str, url: str) -> None:
    """It is told so, whatever it does; its parent goes on, and is the one writer yet."""
    archive = SqlArchive(url, write=write)
    backpack = Backpack(archive=archive, name="it")
    first, _ = backpack.pack("n", 1), backpack.pack("n", 2)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        told = []
        acts: tuple[Callable[[], None], ...] = (lambda: backpack.erase(first), backpack.close)
        for act in acts:
            try:
                act()
            except Exception as error:
                told.append(f"{type(error).__name__}: {error}")
        os.write(writing, "\n".join(told).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode().splitlines()
    assert os.waitpid(child, 0)[1] == 0
    assert told
    for line in told:
        assert line.startswith("ArchiveError: the archive ")
        assert line.endswith(
            " was opened before this process was forked, and is its parent's; open it in the "
            "process that uses it"
        )
    with pytest.raises(StaleWriter, match="has a writer that is alive"):
        Backpack.open(archive, "it")
    last = backpack.pack("n", 3)
    backpack.close()
    with closing(Backpack.open(archive, "it")) as again:
        assert again.history()[0] == last
        assert again["n"] == 3


def test_who_comes_by_a_link_is_no_second_writer(tmp_path: Path) -> None:
    """The file is locked, not one of its names."""
    (tmp_path / "link.db").symlink_to(tmp_path / "it.db")
    archive = SqlArchive(f"sqlite:///{tmp_path}/it.db")
    with closing(Backpack(archive=archive, name="it")):
        with pytest.raises(StaleWriter, match="'it' in the archive .* has a writer that is alive"):
            Backpack.open(f"sqlite:///{tmp_path}/link.db", "it")
    assert locks_of(tmp_path / "link.db") == [tmp_path / "it.db@it.lock"]


def test_locks_are_of_one_file_and_one_name(tmp_path: Path) -> None:
    """However these are called: no lock is taken for that of another."""
    files = [tmp_path / each for each in ("s", "s.db", "s@db", "s@db@n.lock", "[s]")]
    names = ["n", "db.n", "db@n", "@", "x" * 200, "x" * 199 + "y", "имя", "a/b", "."]
    locks = {(file, name): lock_of(file, name) for file in files for name in names}
    assert len({*locks.values()}) == len(locks)
    for lock in locks.values():
        assert lock.parent == tmp_path
        lock.touch()
    for file in files:
        assert locks_of(file) == sorted(locks[file, name] for name in names)


def test_a_file_that_is_called_like_another_is_written(tmp_path: Path) -> None:
    """The locks of ``agent.db`` are none of ``agent``."""
    with closing(Backpack.open(f"sqlite:///{tmp_path}/agent.db", "it")) as backpack:
        backpack.pack("n", 1)
        backpack.save(tmp_path / "agent")
        (tmp_path / "agen").touch()
        Backpack.open(f"sqlite:///{tmp_path}/agen", "t.db").close()
    assert dict(Backpack.restore(tmp_path / "agent")) == {"n": 1}


def test_a_checkpoint_is_not_restored_into_itself(tmp_path: Path) -> None:
    """It is refused at once, by whatever name."""
    path = tmp_path / "it.backpack"
    Backpack().save(path)
    before = path.read_bytes()
    (tmp_path / "link.db").symlink_to(path)
    for name in ("it.backpack", "link.db"):
        with pytest.raises(ArchiveError) as caught:
            Backpack.restore(path, archive=f"sqlite:///{tmp_path}/{name}")
        assert str(caught.value) == (
            f"{path} cannot be restored into itself; name another file for the archive, or go on "
            "with what is in it by Backpack.open"
        )
    assert path.read_bytes() == before


def test_a_name_too_long_for_what_is_beside_it_makes_nothing(tmp_path: Path) -> None:
    """There has to be room for that of a lock, too."""
    for length, name in ((250, "n"), (200, "n"), (170, "x" * 200)):
        with pytest.raises(ArchiveError, match="there can be no archive .*: .*; name another file"):
            Backpack.open(f"sqlite:///{tmp_path}/{'a' * length}", name)
    assert [] == [*tmp_path.iterdir()]
    Backpack.open(f"sqlite:///{tmp_path}/{'a' * 160}", "x" * 200).close()
    # One that is there is opened, if there is room for the lock that is taken.
    (tmp_path / ("a" * 160)).rename(tmp_path / ("b" * 180))
    Backpack.open(f"sqlite:///{tmp_path}/{'b' * 180}", "n").close()
