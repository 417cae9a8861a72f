"""Who is stopped in the middle of using an archive lets go of it, and it works on."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy.engine.default import DefaultDialect

from backpack import ArchiveError, Backpack
from backpack.archive import SqlArchive

#: Seconds within which nobody has waited for a lock.
_AT_ONCE = 5.0
#: Packs that take longer than there is until an interruption.
_MOST = 5000


@contextmanager
def stopped_behind(beginning: str) -> Iterator[list[str]]:
    """Be interrupted behind the first statement that begins so, before its rows are read."""
    hit: list[str] = []

    def stopping(execute: Callable[..., None]) -> Callable[..., None]:
        def executed(
            self: Any, cursor: Any, statement: str, parameters: Any, context: Any = None
        ) -> None:
            execute(self, cursor, statement, parameters, context)
            if not hit and statement.startswith(beginning):
                hit.append(statement)
                raise KeyboardInterrupt

        return executed

    with pytest.MonkeyPatch.context() as patch:
        for name in ("do_execute", "do_executemany"):
            patch.setattr(DefaultDialect, name, stopping(getattr(DefaultDialect, name)))
        yield hit


@pytest.mark.parametrize("write", ["on-prune", "on-commit"])
@pytest.mark.parametrize("beginning", ["SELECT", "BEGIN", "INSERT", "UPDATE", "COMMIT"])
def test_an_interruption_leaves_no_lock(beginning: str, write: Any, url: str) -> None:
    """Neither this process nor another waits for what was interrupted, and nothing is lost."""
    archive = SqlArchive(url, write=write)
    with closing(Backpack.open(archive, "it")) as backpack:
        first = backpack.pack("n", 1)
        with stopped_behind(beginning) as hit, pytest.raises(KeyboardInterrupt) as caught:
            backpack.pack("n", 2)
            backpack.close()
        assert hit
        started = monotonic()
        with closing(Backpack(archive=archive, name="other")) as other:
            other.pack("n", 1)
        made = backpack.pack("m", 3)  # While whoever was interrupted is held on to.
        assert monotonic() - started < _AT_ONCE
        assert caught.traceback
    with closing(Backpack.open(archive, "it")) as again:
        assert again.history()[0].seq == made.seq
        assert {1, 3} <= {*again.values()} | {again.snapshot(first)["n"]}


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_a_save_that_is_stopped_keeps_nothing(error: type[BaseException], url: str) -> None:
    """What it read is not read any more, though the error that stopped it is at hand yet."""

    def stop(*_: int) -> None:
        raise error

    archive, folder = SqlArchive(url, write="on-prune"), Path.cwd()
    with Backpack(archive=archive, name="it") as backpack:
        backpack.pack("n", 0)
    with Backpack.open(archive, "it") as backpack:
        backpack.pack("n", 1)
        with pytest.raises(error) as caught:
            backpack.save(folder / "it.backpack", archived=True, progress=stop)
        started = monotonic()
        backpack.save(folder / "it.backpack", archived=True)
        with closing(Backpack(archive=archive, name="other")) as other:
            other.pack("n", 1)
        backpack.pack("n", 2)
        assert caught.traceback
    assert monotonic() - started < _AT_ONCE
    with Backpack.open(archive, "it") as again:
        assert [0, 1, 2] == [again.snapshot(each)["n"] for each in reversed(again.history())]
    assert [{"n": 1}] == [dict(Backpack.restore(folder / "it.backpack"))]


def test_who_changes_what_is_being_saved_has_it_refused(url: str) -> None:
    """The change stands, and the file is not written."""
    archive, file = SqlArchive(url, write="on-commit"), Path.cwd() / "it.backpack"
    with Backpack(archive=archive, name="it") as backpack:
        for number in range(3):
            backpack.pack("n", number)

        def change(done: int) -> None:
            backpack.pack("n", f"in {done}")

        with pytest.raises(ArchiveError) as caught:
            backpack.save(file, archived=True, progress=lambda done, _: change(done))
        assert str(caught.value).endswith(
            " was changed by who is told of the rows that are read of it; do it again, and change "
            "nothing meanwhile"
        )
        assert not file.exists()
        assert backpack["n"] == "in 0"
        backpack.pack("n", "more")
    with Backpack.open(archive, "it") as again:
        assert [2, "in 0", "more"] == [
            again.snapshot(each)["n"] for each in reversed(again.history()[:3])
        ]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder of one's own."""
    monkeypatch.chdir(tmp_path)


# An interruption of what is done for a thing that goes is reported and dropped by the interpreter.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="it takes signals")
def test_signals_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Ctrl-C at some moment of a loop that packs: all is there once the block is left."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/it.db", write="on-prune")
    before, stopped = signal.signal(signal.SIGALRM, signal.default_int_handler), 12
    try:
        for number in range(12):
            name, made = f"run {number}", 0
            with suppress(KeyboardInterrupt):
                with Backpack.open(
                    archive, name, max_history_size=6000, reference={"max_value_size": 3000}
                ) as backpack:
                    signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.003 * number)
                    while made < _MOST:
                        made = backpack.pack(f"k{made % 3}", "x" * 200 + str(made)).seq
            stopped -= made == _MOST
            with closing(Backpack.open(archive, name)) as again:
                assert again.head is not None
                assert again.head.seq >= made
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert stopped
    with closing(sqlite3.connect(tmp_path / "it.db", timeout=0)) as raw:
        raw.execute("BEGIN IMMEDIATE").close()
