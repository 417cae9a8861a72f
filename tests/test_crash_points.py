"""Killed between any two steps, or at any line: nothing acknowledged is lost, and it goes on.

The steps are those of ``crash_points.py``, with a crash point before each. The default run takes
all of them in SQLite files; ``BACKPACK_KILLS=500`` takes those on PostgreSQL as well, and kills at
every line, or so many of each operation (``tox -e crashes``).
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest
from archives import Past, settings
from crash_points import (
    ACKNOWLEDGED,
    BUDGET,
    FILE,
    OPERATIONS,
    POINTS,
    Done,
    Operation,
    Point,
    perform,
    put,
    value_of,
)
from crash_watch import Killer

from backpack import Backpack
from backpack.archive import SqlArchive
from backpack.audit import audit

pytestmark = [
    pytest.mark.no_cover,  # It traces every line itself, in processes that are killed.
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]

#: So often is a writer killed at any moment; ``BACKPACK_KILLS=500`` tries longer, and all the rest.
KILLS = int(os.environ.get("BACKPACK_KILLS", "10"))
IS_DEEP = "BACKPACK_KILLS" in os.environ
#: So many of these go on with one archive.
ROUND = 10
#: At so many lines of each operation it is killed, besides each line once; or at so few in all.
LINES, FEW = 50, 2
ALL = list(OPERATIONS)
IN_ARCHIVES = [name for name, each in OPERATIONS.items() if each.subject != "file"]
ON_SERVER = (
    IN_ARCHIVES if IS_DEEP else ["archive: a commit of several keys", "archive: it is opened"]
)
BY_LINE = ALL if IS_DEEP else [name for name, each in OPERATIONS.items() if each.in_parts]


@pytest.fixture(scope="session")
def killer() -> Iterator[Killer]:
    """Return the process in which operations are done, and killed."""
    with closing(Killer("from crash_points import main; main()")) as running:
        yield running


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which nobody is killed."""
    return tmp_path_factory.mktemp("undisturbed")


@cache
def done(name: str, url: str, folder: Path, *, each_line: bool = False) -> Done:
    """Do an operation where nobody is killed."""
    folder = folder / f"{list(OPERATIONS).index(name)} {each_line}"
    folder.mkdir(parents=True)
    url = url or _in_files(folder)
    put(url, begun=OPERATIONS[name].begun)
    return perform(name, url, str(folder), each_line=each_line)


def _in_files(folder: Path) -> str:
    return f"sqlite:///{folder}/archive.db"


# --- every step has a name ---------------------------------------------------------------


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_step_is_named(name: str, undisturbed: Path) -> None:
    """What is done is what the list says, so that there is a point between each two steps."""
    assert OPERATIONS[name].steps_on(server=False) == done(name, "", undisturbed).steps


@pytest.mark.parametrize("name", ON_SERVER)
def test_every_step_on_a_server_is_named(name: str, server: str, undisturbed: Path) -> None:
    """There, too."""
    whole = done(name, server, undisturbed / "server")
    assert OPERATIONS[name].steps_on(server=True) == whole.steps


# --- killed ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point", [each for each in POINTS if not each.server], ids=lambda each: each.name
)
def test_a_kill_between_two_steps(
    point: Point, killer: Killer, undisturbed: Path, tmp_path: Path
) -> None:
    """Up to where it is durable, all is as before; from there on, all of it is done."""
    kill_at(point, killer, "", undisturbed, tmp_path)


@pytest.mark.parametrize(
    "point",
    [each for each in POINTS if each.server and each.operation in ON_SERVER],
    ids=lambda each: each.name,
)
def test_a_kill_between_two_steps_on_a_server(
    point: Point, killer: Killer, server: str, undisturbed: Path, tmp_path: Path
) -> None:
    """There, too."""
    kill_at(point, killer, server, undisturbed / "server", tmp_path)


def kill_at(point: Point, killer: Killer, url: str, undisturbed: Path, folder: Path) -> None:
    """Kill at a crash point, and go on."""
    operation = OPERATIONS[point.operation]
    whole = done(point.operation, url, undisturbed)
    url = url or _in_files(folder)
    put(url, begun=operation.begun)
    ended = killer.order(name=point.operation, url=url, folder=str(folder), last=point.at)
    assert -signal.SIGKILL == ended, "it was not reached"
    past = whole.after if point.is_durable else whole.before
    if operation.subject == "file in archive" and not point.is_durable:
        restored, past = Backpack.restore(folder / FILE, archive=SqlArchive(url)), whole.after
        restored.close()
    go_on(operation, url, folder, past)


@pytest.mark.parametrize("name", BY_LINE)
def test_a_kill_at_any_line(name: str, killer: Killer, undisturbed: Path, tmp_path: Path) -> None:
    """All is as before, up to some line; from there on, all of it is done."""
    operation, whole = OPERATIONS[name], done(name, "", undisturbed)
    steps, chance = done(name, "", undisturbed, each_line=True).steps, random.Random(name)  # noqa: S311
    first = {step: at for at, step in reversed(list(enumerate(steps)))}
    lines = {*first.values(), *chance.choices(range(len(steps)), k=LINES)}
    if not IS_DEEP:
        lines = set(chance.sample(sorted(lines), FEW))
    is_done = False
    for at in sorted(lines):
        folder = tmp_path / str(at)
        folder.mkdir()
        url = _in_files(folder)
        put(url, begun=operation.begun)
        ended = killer.order(name=name, url=url, folder=str(folder), last=at, each_line=True)
        assert -signal.SIGKILL == ended, f"{steps[at]} was not reached"
        if not is_done:
            try:
                go_on(operation, url, folder, whole.before)
            except AssertionError:
                is_done = True
        if is_done:
            go_on(operation, url, folder, whole.after)


@pytest.mark.parametrize("round_", range(-(-KILLS // ROUND)))
def test_what_was_acknowledged_survives_a_kill(
    round_: int, killer: Killer, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Killed at any moment, it goes on at once, and has every commit it said it has."""
    url, chance, acknowledged = _in_files(tmp_path), random.Random(round_), 0  # noqa: S311
    written = tmp_path / ACKNOWLEDGED
    written.touch()
    for _ in range(ROUND):
        # One in five while it is opened, or soon after; the others once it packs.
        if chance.random() < 0.2:
            size, seconds = 0, chance.uniform(0, 0.3)
        else:
            size = written.stat().st_size + chance.randrange(1, 150)
            seconds = chance.uniform(0, 0.01)
        when = str(written), size, seconds
        assert -signal.SIGKILL == killer.order(url=url, folder=str(tmp_path), when=when)
        lines = written.read_text().splitlines()
        acknowledged = int(lines[-1]) if lines else 0
        with opened(url, "it") as backpack:
            head = 0 if backpack.head is None else backpack.head.seq
            assert acknowledged <= head <= acknowledged + 1
            assert list(range(head, 0, -1)) == [commit.seq for commit in backpack.history()]
            log = SqlArchive(url).look("it")
            with closing(log):
                read = {each.seq: (each.key, each.encoded) for each in log.versions(0)}
            assert audit(backpack) == []
            decode = backpack.codec.decode
            for seq in range(1, head + 1):
                key, encoded = read.pop(seq)
                assert encoded is not None
                assert value_of(seq) == (key, decode(encoded))
            assert {} == read
            # The newest as the Backpack shows them.
            for seq in range(max(head - 30, 0) + 1, head + 1):
                key, value = value_of(seq)
                assert value == backpack.snapshot(f"{seq}-{backpack.code}")[key]
    record_property("acknowledged", acknowledged)
    assert acknowledged > 0


def go_on(operation: Operation, url: str, folder: Path, past: Past) -> None:
    """Open at once what was killed: it is as it should be, and can be used."""
    past = past.copied()
    if operation.subject == "file":
        url = f"sqlite:///{folder}/{len(list(folder.iterdir()))}.db"
        backpack = Backpack.restore(folder / FILE, archive=SqlArchive(url))
        # What the killed one has left is in nobody's way.
        assert len(list(folder.glob(f".{FILE}.*.part"))) <= 1
        backpack.save(folder / FILE, archived=True)
    else:
        backpack = opened(url, operation.name)
    with backpack:
        past.check_log(backpack)
        assert len(past.pinned) == backpack.memory_usage().pins
        kept = [each.seq for each in past.kept]
        for seq in {*kept[:2], *kept[-2:]}:
            past.check_at(backpack, seq)
        for number in range(2):
            state = past.current | {"a": f"{number}" * 400}
            past.record(backpack.pack("a", state["a"]), state)
        scribe = backpack._engine.scribe
        assert scribe is not None
        name = scribe.log.name
    with opened(url, name) as backpack:
        assert past.kept[::-1] == backpack.history()
        assert past.current == dict(backpack)


def opened(url: str, name: str) -> Backpack:
    """Return a Backpack that goes on."""
    return Backpack.open(url, name, **settings(max_history_size=BUDGET))
