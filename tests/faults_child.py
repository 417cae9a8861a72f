"""A process that uses an archive whose system calls fail, and watches itself.

What it tries and what was acknowledged it tells on its standard output, a line for each, as
pickled lists, so that whoever started it knows what has to be there.

    python faults_child.py FOLDER SYNC COUNT
"""

from __future__ import annotations

import pickle
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from archives import Past, settings
from faults import database_of, handles, seen
from sqlalchemy import Engine, event

from backpack import ArchiveError, Backpack
from backpack.archive import SqlArchive

#: So often is tried what fails.
_TRIES = 12


def _tell(*what: object) -> None:
    print(pickle.dumps(what).hex(), flush=True)


def _patiently(act: Any) -> Any:
    """Do something, again where it fails; None where it always does."""
    for _ in range(_TRIES):
        with suppress(ArchiveError):
            return act()
    return None


def _checkpoint_often() -> None:
    """Have the write-ahead log copied into the file all the time."""

    @event.listens_for(Engine, "connect")
    def prepares(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA wal_autocheckpoint=8").close()


def _refused(backpack: Backpack, path: Path, before: object, past: Past) -> None:
    """After an error all is as before; the connection on which it happened is gone."""
    assert before == seen(backpack)
    assert database_of(backpack)._connection is None
    assert set() == handles(path)
    for commit in past.commits[-backpack.memory_usage().commits_retained :]:
        past.check_at(backpack, commit.seq)


def _save(backpack: Backpack, path: Path) -> None:
    """Write a checkpoint, or leave the one before."""
    before = path.read_bytes() if path.exists() else None
    try:
        backpack.save(path)
    except ArchiveError:
        # Where only the folder could not be synchronized, it is the new one.
        if path.exists() and before != path.read_bytes():
            assert Backpack.restore(path).head == backpack.head
    assert [] == [each for each in path.parent.iterdir() if "part" in each.name]


def main(folder: Path, sync: Any, count: int) -> None:
    """Use an archive, closing and opening it now and then."""
    _checkpoint_often()
    path, past, chance = folder / "archive.db", Past(), random.Random(1)  # noqa: S311
    archive = SqlArchive(f"sqlite:///{path}", write="on-commit", sync=sync)
    number = refused = 0
    for _ in range(3):
        backpack = _patiently(lambda: Backpack.open(archive, "it", **settings()))
        if backpack is None:
            break
        mode = database_of(backpack).connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        assert "wal" == mode
        if len(backpack.history()) > len(past.commits):  # It was there all the same.
            raise AssertionError("what was taken back is there")
        for _ in range(count):
            number += 1
            key, value = chance.choice("abc"), chance.randbytes(300).hex() + str(number)
            before = seen(backpack)
            _tell("try", key, value)
            try:
                commit = backpack.pack(key, value)
            except ArchiveError:
                refused += 1
                _refused(backpack, path, before, past)
                continue
            past.record(commit, past.current | {key: value})
            _tell("did", commit, key, value)
        _save(backpack, folder / "checkpoint")
        _tell("close")
        if _patiently(backpack.close) is None and not backpack._engine.guard.is_closed:
            break
        del backpack
    _tell("end", refused)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
