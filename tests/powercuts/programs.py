"""The programs of which the power is cut: they do the same each time, step by step.

Run as a program, this acknowledges each step on its standard output once it is done. Run in the
tests, it tells what was to be there after each.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from archives import LIMIT, Past, settings, some_value
from sqlalchemy import Engine, event

from backpack import Backpack, Unavailable
from backpack.archive import SqlArchive, sqlite
from backpack.archive.log import Log

__all__ = ["CHECKPOINT", "CODE", "PROGRAMS", "log_of", "opened"]

_ARCHIVE: Final = "archive.db"
CHECKPOINT: Final = "it.backpack"
#: What the ids end with: they are compared with those of another run.
CODE: Final = "pwrcut"

_STEPS: Final = 48
#: The log is checkpointed after so many pages, and not 1000: often, and while it is short.
_PAGES: Final = 60


def opened(folder: Path, sync: str, **others: Any) -> Backpack:
    """Open the archive in a folder, or begin it."""
    archive = SqlArchive(f"sqlite:///{folder / _ARCHIVE}", "on-commit", sync)
    return Backpack.open(archive, "it", **settings(), **others)


def log_of(backpack: Backpack) -> Log:
    """Return the log of a Backpack."""
    scribe = backpack._engine.scribe
    assert scribe is not None
    assert isinstance(scribe.log, Log)
    return scribe.log


def archived(folder: Path, sync: str, seed: int) -> Iterator[Past]:
    """Use a Backpack with an archive; iterate over its past after each step."""
    chance, past, clock = random.Random(seed), Past(), count(1)  # noqa: S311
    with patch("backpack.engine.new_code", return_value=CODE):
        backpack = opened(folder, sync, clock=lambda: float(next(clock)))
    yield past.copied()
    for number in range(_STEPS):
        kind, state = chance.randrange(16), past.current
        if number % 20 == 15:
            backpack.close()
            backpack = opened(folder, sync, clock=lambda: float(next(clock)))
        elif kind == 0 and state:
            key = chance.choice(sorted(state))
            commit = backpack.remove(key)
            del state[key]
            past.record(commit, state)
        elif kind == 1 and past.commits:
            past.retag(backpack.tag(chance.choice(past.commits), f"tag {number}"))
        elif kind == 2 and past.commits:
            target = chance.choice(past.commits)
            change = backpack.unpin if target.seq in past.pinned else backpack.pin
            change(target)
            past.pinned ^= {target.seq}
        elif kind == 3 and past.commits:
            _roll_back(backpack, past, chance.choice(past.commits).seq)
        elif kind < 6:
            with backpack.transaction(note=f"several {number}") as transaction:
                for key in "cab":
                    transaction[key] = state[key] = some_value(chance, state.get(key))
            assert transaction.commit
            past.record(transaction.commit, state)
        else:
            key = chance.choice("abcd")
            value = some_value(chance, state.get(key))
            if chance.randrange(5) == 0:
                value = f"{number} " * chance.choice((LIMIT, 4 * LIMIT))
            state[key] = value
            past.record(backpack.pack(key, value, by=f"node {key}"), state)
        yield past.copied()
    backpack.close()
    yield past.copied()


def saved(folder: Path, sync: str, seed: int) -> Iterator[Past]:
    """Save a Backpack several times under the same name; iterate over its past after each."""
    chance, past, clock = random.Random(seed), Past(spills=True), count(1)  # noqa: S311
    with patch("backpack.engine.new_code", return_value=CODE):
        backpack = Backpack(clock=lambda: float(next(clock)))
    for _ in range(4):
        for _ in range(chance.randrange(1, 30)):
            key, state = chance.choice("abcd"), past.current
            state[key] = some_value(chance, state.get(key))
            past.record(backpack.pack(key, state[key]), state)
        backpack.save(folder / CHECKPOINT)
        yield past.copied()


#: Each takes a folder, what the archive is to survive, and a seed.
PROGRAMS: Final = {"archived": archived, "saved": saved}


def _roll_back(backpack: Backpack, past: Past, seq: int) -> None:
    """Go back to a commit, where all of it is there."""
    snapshot = backpack.snapshot(past.commits[seq - 1])
    if any(isinstance(value, Unavailable) for value in snapshot.to_dict().values()):
        return
    commit = backpack.rollback(snapshot.commit)
    past.record(commit, {key: past.states[seq - 1][key] for key in backpack})


def main(program: str, folder: str, sync: str, seed: str, synchronous: str) -> None:
    """Run a program, and acknowledge each step."""

    @event.listens_for(Engine, "connect")
    def checkpoint_often(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES}").close()

    steps = PROGRAMS[program](Path(folder), sync, int(seed))
    with patch.dict(sqlite._SYNCHRONOUS, {sync: synchronous} if synchronous else {}):
        for number, _ in enumerate(steps, start=1):
            os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
