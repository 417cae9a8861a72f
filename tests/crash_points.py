"""The crash points: what is done step by step, and what is there after a kill before each step.

An :class:`Operation` is something that is done to a Backpack with an archive, or with a file. Its
``steps`` are the documentation of how it is done; between each two of them, before the first and
behind the last, is a crash point. A kill up to the step that makes it durable leaves all as it was;
behind that, all of it is done. ``tests/test_crash_points.py`` holds the lists to what really
happens, and kills at each point.

To add one: write what makes it ready and what is done, enter it in :data:`OPERATIONS` with no
steps, and take those that the test says it found, once they are what they should be.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from archives import Past, settings
from attrs import evolve, field, frozen, mutable
from crash_watch import RETURNED, Watch, serve
from sqlalchemy import delete, insert, select
from sqlalchemy.schema import DropTable

from backpack import ArchiveError, Backpack
from backpack.archive import SqlArchive
from backpack.archive.database import Database
from backpack.archive.tables import TABLES
from backpack.protocols import CommitLog

__all__ = [
    "ACKNOWLEDGED",
    "BUDGET",
    "FILE",
    "OPERATIONS",
    "POINTS",
    "Operation",
    "Point",
    "Scene",
    "perform",
    "prepare",
]

#: What every id of a commit ends with, so that those of one run are those of another.
CODE: Final = "crash1"
NAME: Final = "it"
#: What the file of a checkpoint is called.
FILE: Final = "it.backpack"
#: The file of the commits that were acknowledged.
ACKNOWLEDGED: Final = "acknowledged"
#: Bytes that history may take: little, so that few commits fill it.
BUDGET: Final = 6400
#: What one is called that was begun without an archive.
ROOMY: Final = "crash2"


@mutable
class Scene:
    """Where an operation takes place.

    Attributes:
        url: Where the archive is.
        folder: Where files are.
        write: When the archive is written.
        past: All that was done.
        backpack: What it is done to; None until it is open.
        saved: What is in the checkpoint.
        doubtful: Does to a past what was refused, and is in the archive all the same.
    """

    url: str
    folder: Path
    write: str = "on-commit"
    past: Past = field(factory=Past)
    backpack: Any = None
    saved: Past = field(factory=Past)
    doubtful: Callable[[Past], None] | None = None

    @property
    def checkpoint(self) -> Path:
        """The file of a checkpoint."""
        return self.folder / FILE

    def open(self, **others: Any) -> None:
        """Open the Backpack, or begin it."""
        archive = SqlArchive(self.url, write=self.write)
        self.backpack = Backpack.open(
            archive, NAME, clock=_no_time, **settings(max_history_size=BUDGET, **others)
        )

    def pack(self, key: str, value: Any, **labels: Any) -> None:
        """Pack a value, and note it."""
        state = self.past.current | {key: value}
        self.past.record(self.backpack.pack(key, value, **labels), state)

    def remember(self) -> Past:
        """Return a copy of the past."""
        return self.past.copied()


def _no_time() -> float:
    return 0.0


def text(seed: int, length: int = 300) -> str:
    """Return a text that has nothing in common with another."""
    return f"{random.Random(seed).getrandbits(length * 4):x}"  # noqa: S311


def prepare(scene: Scene) -> None:
    """Begin a Backpack in an empty archive, use it until most of it is archived, and close it."""
    with patch("backpack.engine.new_code", lambda: CODE):
        scene.open()
    for number in range(14):
        scene.pack("abc"[number % 3], text(number), by="node")
        if number == 8:
            scene.pack("page", text(number, 2000))
    scene.pack("gone", 1)
    state = scene.past.current
    del state["gone"]
    scene.past.record(scene.backpack.remove("gone"), state)
    assert 4 < scene.backpack.memory_usage().commits_pruned < 14
    scene.backpack.close()


# --- what is done ------------------------------------------------------------------------


def opened(scene: Scene) -> None:
    """Open it."""
    scene.open()


def opened_with_room(scene: Scene) -> None:
    """Open it, and give up what leaves room for more."""
    scene.open()
    _fill(scene)


def _fill(scene: Scene) -> None:
    """Pack until something was pruned just now."""
    pruned = scene.backpack.memory_usage().commits_pruned
    while scene.backpack.memory_usage().commits_pruned == pruned:
        scene.pack("a", text(len(scene.past.commits)))


def _log(scene: Scene) -> CommitLog:
    """Return the log that the Backpack is entered into."""
    scribe = scene.backpack._engine.scribe
    assert scribe is not None
    log: CommitLog = scribe.log
    return log


def pack(scene: Scene) -> None:
    """Pack another value of a key there is, with room for it."""
    scene.pack("a", "another value", by="node")


def transact(scene: Scene) -> None:
    """Change several keys in one commit: another value, a new key, a removed one."""
    state = scene.past.current | {"a": "another value", "new": 1}
    del state["b"]
    with scene.backpack.transaction(tags=["t"], note="n") as transaction:
        transaction.update({"a": "another value", "new": 1})
        transaction.remove("b")
    assert transaction.commit is not None
    scene.past.record(transaction.commit, state)


def ready_to_leave_out(scene: Scene) -> None:
    """Pack a value that history will leave out."""
    opened_with_room(scene)
    scene.pack("page", text(1, 2500))


def leave_out(scene: Scene) -> None:
    """Supersede it."""
    scene.pack("page", "short", by="node")


def full(scene: Scene) -> None:
    """Pack until the next large value does not fit."""
    if scene.backpack is None:
        scene.open()
    _fill(scene)
    while scene.backpack.memory_usage().headroom_bytes > 800:
        scene.pack("a", text(len(scene.past.commits)))


def full_of_new(scene: Scene) -> None:
    """Open it, and pack until the oldest that is retained is not in the log yet."""
    scene.open()
    log = _log(scene)
    start = log.head
    while log.head == start:
        scene.pack("a", text(len(scene.past.commits)))
    full(scene)


def prune(scene: Scene) -> None:
    """Pack what has others given up."""
    pruned = scene.backpack.memory_usage().commits_pruned
    scene.pack("b", text(-1, 1200), by="node", note="n" * 600)
    assert scene.backpack.memory_usage().commits_pruned > pruned


def tag_archived(scene: Scene) -> None:
    """Tag a commit that is archived."""
    scene.past.retag(scene.backpack.tag(scene.past.commits[0], "t"))


def tag_retained(scene: Scene) -> None:
    """Tag a commit that is retained."""
    scene.past.retag(scene.backpack.tag(scene.past.commits[-2], "t"))


def pin(scene: Scene) -> None:
    """Pin a commit that is retained."""
    scene.backpack.pin(scene.past.commits[-1])
    scene.past.pinned.add(len(scene.past.commits))


def commit_in_doubt(scene: Scene) -> None:
    """Have a commit that gives others up look as if it had failed."""
    full(scene)
    state = scene.past.current | {"b": text(-1, 1200)}
    with _lost_answers():
        scene.backpack.pack("b", state["b"], by="node", note="n" * 600)
    with closing(SqlArchive(scene.url).look(NAME)) as log:
        logged = log.commit_at(len(scene.past.commits) + 1)
    assert logged is not None
    scene.doubtful = lambda past: past.record(logged.commit, state)


def tag_in_doubt(scene: Scene) -> None:
    """Have a tag of an archived commit look as if it had failed."""
    opened_with_room(scene)
    before = scene.past.commits[0]
    with _lost_answers():
        scene.backpack.tag(before, "t")
    scene.doubtful = lambda past: past.retag(evolve(before, tags=("t",)))


@contextmanager
def _lost_answers() -> Iterator[None]:
    """Have what a block commits be refused, and be there all the same."""
    commit = Database.commit

    def commit_and_fail(database: Database) -> None:
        commit(database)
        raise OSError("the answer got lost")

    with patch.object(Database, "commit", commit_and_fail), suppress(ArchiveError):
        yield


def take_back(scene: Scene) -> None:
    """Pack something else: what is in doubt is taken back first."""
    scene.pack("a", "another value", by="node")
    scene.doubtful = None


def ready_to_sweep(scene: Scene) -> None:
    """Open it, have much of it archived, some of that tagged, and limit what the archive keeps."""
    opened_with_room(scene)
    for seq in (2, 5):
        scene.past.retag(scene.backpack.tag(scene.past.commits[seq], "t"))
    log: Any = _log(scene)
    log._sweeper._retention = SqlArchive(scene.url, max_commits=3).retention


def sweep(scene: Scene) -> None:
    """Remove what the archive does not keep."""
    _log(scene).tidy()
    scene.past.notice(scene.backpack)
    assert len(scene.past.gone) > 4


def erase(scene: Scene) -> None:
    """Erase an archived commit, and the newest, in whose place another one comes."""
    old, newest = scene.past.commits[2], scene.past.commits[-1]
    state = scene.past.current | {"a": "another value"}
    with scene.backpack.transaction(by="node") as transaction:
        transaction["a"] = state["a"]
        transaction.erase(old, newest)
    assert transaction.commit is not None
    scene.past.record(transaction.commit, state)
    scene.past.gone |= {old.seq, newest.seq}


def erase_in_doubt(scene: Scene) -> None:
    """Have an erasure look as if it had failed."""
    opened_with_room(scene)
    untouched = scene.remember()
    with _lost_answers():
        erase(scene)
    assert scene.past == untouched
    with closing(SqlArchive(scene.url).look(NAME)) as log:
        logged = log.commit_at(len(scene.past.commits) + 1)
    assert logged is not None

    def doubtful(past: Past) -> None:
        past.gone |= {past.commits[2].seq, past.commits[-1].seq}
        past.record(logged.commit, past.current | {"a": "another value"})

    scene.doubtful = doubtful


def nothing(scene: Scene) -> None:
    """Leave it as it is."""


def ready_to_retain(scene: Scene) -> None:
    """Stop when the newest commit in the log was given up for one that never came into it."""
    scene.open()
    log = _log(scene)
    for length in range(2000, 4000, 100):
        scene.pack("a", "the next one", note="n" * length)
        newest = log.commit_at(log.head)
        if newest is not None and not newest.retained:
            break
    assert log.head == len(scene.past.commits) - 1
    log.close()
    scene.past.forget(log.head)
    scene.backpack = None


def close(scene: Scene) -> None:
    """Close it: what is not in the log yet is entered, and how often commits were looked at."""
    scene.backpack.close()


def ready_to_close(scene: Scene) -> None:
    """Open it, pack some, and look at one."""
    opened_with_room(scene)
    for number in range(3):
        scene.pack("c", text(number, 40))
    scene.backpack.snapshot(scene.past.commits[-1]).to_dict()


def ready_to_save(scene: Scene) -> None:
    """Save a Backpack that has no archive, and pack something more."""
    _begin_roomy(scene)
    scene.backpack.save(scene.checkpoint)
    scene.saved = scene.remember()
    scene.pack("a", "more")


def _begin_roomy(scene: Scene) -> None:
    """Begin a Backpack without an archive that gives nothing up."""
    with patch("backpack.engine.new_code", lambda: ROOMY):
        scene.backpack = Backpack(clock=_no_time)
    scene.past = Past()
    for number in range(12):
        scene.pack("ab"[number % 2], text(number))


def save(scene: Scene) -> None:
    """Save it over the file that is there."""
    scene.backpack.save(scene.checkpoint)
    scene.saved = scene.remember()


def ready_to_save_all(scene: Scene) -> None:
    """Save a Backpack and what is archived of it, and pack something more."""
    opened_with_room(scene)
    save_all(scene)
    scene.pack("a", "more")


def save_all(scene: Scene) -> None:
    """Save it, and what is archived of it, over the file that is there."""
    scene.backpack.save(scene.checkpoint, archived=True)
    scene.saved = scene.remember()


def ready_to_restore(scene: Scene) -> None:
    """Save a Backpack that is not in the archive."""
    _begin_roomy(scene)
    save(scene)
    scene.past = Past()


def restore(scene: Scene) -> None:
    """Restore it into the archive."""
    scene.backpack = Backpack.restore(scene.checkpoint, archive=SqlArchive(scene.url))
    scene.past = scene.saved


# --- in which steps ----------------------------------------------------------------------

#: What one word of the steps below stands for.
_WORDS: Final = {
    "<settle>": "put down the plan, carry out the plan",
    "<make it durable>": "put down the plan, COMMIT, carry out the plan",
    "<push>": (
        "carry out: row, carry out: chain, carry out: seq, carry out: held, carry out: tail, "
        "carry out: current, carry out: names, carry out: raw, carry out: row, carry out: account"
    ),
    "<plan>": (
        "carry out: splices, carry out: arrived, carry out: current, carry out: chains, "
        "carry out: tails, carry out: rewritten, carry out: waiting, carry out: remarks, "
        "carry out: pinned, carry out: names, carry out: given, carry out: prunes, "
        "carry out: made, carry out: pins, carry out: budget, carry out: account"
    ),
    "<tables>": "CREATE about, CREATE packs, CREATE commits, CREATE versions, INSERT about, COMMIT",
}
#: The same, in SQLite files.
_IN_FILES: Final = {
    "<find>": "connect, PRAGMA journal_mode",
    "<make>": (
        "connect, PRAGMA auto_vacuum, PRAGMA journal_mode, BEGIN, PRAGMA application_id, <tables>, "
        "PRAGMA journal_mode"
    ),
    "<lock again>": "connect",
    "<let go>": "disconnect, unlock",
    "<clear>": ", shrink, PRAGMA busy_timeout, PRAGMA wal_checkpoint, PRAGMA busy_timeout",
}
#: The same, on PostgreSQL.
_ON_SERVER: Final = {
    "<find>": "connect, BEGIN, COMMIT",
    "<make>": "connect, BEGIN, lock, <tables>",
    "<lock again>": "connect, lock",
    "<let go>": "disconnect",
    "<clear>": "",
}


@frozen
class Operation:
    """Something that is done, step by step.

    Attributes:
        ready: Makes a scene ready for it; nobody is killed there.
        do: Does it.
        steps: Its steps, in order; what is in angle brackets stands for several.
        write: When the archive is written.
        durable: The steps behind which it is durable, in this order; others may lie between.
        subject: Where it is looked for: in the archive, in a file, or in an archive into which the
            file is restored once more, where that was not done.
        begun: Whether there is a Backpack in the archive.
        name: What it is called.
        in_parts: Whether its steps tell each part of carrying out a plan.
    """

    ready: Callable[[Scene], None]
    do: Callable[[Scene], None]
    steps: str
    write: str = "on-commit"
    durable: tuple[str, ...] = ("COMMIT",)
    subject: str = "archive"
    begun: bool = True
    name: str = NAME
    in_parts: bool = False

    def steps_on(self, *, server: bool) -> tuple[str, ...]:
        """Return its steps and its end, on a server or in files."""
        steps = self.steps
        for word, spelled in {**(_ON_SERVER if server else _IN_FILES), **_WORDS}.items():
            steps = steps.replace(word, spelled)
        return (*steps.split(", "), RETURNED)


OPERATIONS: Final = {
    "archive: a commit": Operation(
        opened_with_room,
        pack,
        "BEGIN, INSERT commits, INSERT versions, UPDATE packs head, "
        "put down the plan, COMMIT, <push>",
        in_parts=True,
    ),
    "archive: a commit of several keys": Operation(
        opened_with_room,
        transact,
        "BEGIN, INSERT commits, INSERT versions, "
        "UPDATE packs head, UPDATE commits retained, <make it durable>",
    ),
    "archive: a commit that leaves a value out": Operation(
        ready_to_leave_out,
        leave_out,
        "BEGIN, INSERT commits, INSERT versions, UPDATE packs head, UPDATE commits retained, "
        "UPDATE versions, <make it durable>",
    ),
    "archive: a tag of an archived commit": Operation(
        opened_with_room,
        tag_archived,
        "BEGIN, UPDATE packs head, UPDATE commits tags, COMMIT",
    ),
    "archive: a tag of a retained commit": Operation(
        opened_with_room,
        tag_retained,
        "BEGIN, UPDATE packs head, UPDATE commits retained, UPDATE commits tags, <make it durable>",
    ),
    "archive: a pin": Operation(
        opened_with_room,
        pin,
        "BEGIN, UPDATE packs head, UPDATE commits tags, <make it durable>",
    ),
    "archive: a commit is taken back": Operation(
        commit_in_doubt,
        take_back,
        "<lock again>, BEGIN, DELETE commits, DELETE versions, "
        "UPDATE commits retained, UPDATE packs head, INSERT commits, "
        "INSERT versions, UPDATE packs head, <make it durable>",
    ),
    "archive: a tag is taken back": Operation(
        tag_in_doubt,
        take_back,
        "<lock again>, BEGIN, DELETE commits, DELETE versions, "
        "UPDATE commits tags, UPDATE packs head, INSERT commits, "
        "INSERT versions, UPDATE packs head, <make it durable>",
    ),
    "archive: it is begun": Operation(
        nothing,
        opened,
        "<make>, lock, BEGIN, COMMIT, <let go>, <find>, lock, BEGIN, INSERT packs, COMMIT",
        begun=False,
    ),
    "archive: it is opened": Operation(
        nothing,
        opened,
        "<find>, lock, BEGIN, UPDATE packs, COMMIT, BEGIN, COMMIT, <settle>",
    ),
    "archive: its newest is retained again": Operation(
        ready_to_retain,
        opened,
        "<find>, lock, BEGIN, UPDATE packs, COMMIT, "
        "BEGIN, COMMIT, BEGIN, UPDATE commits retained, "
        "UPDATE packs head, COMMIT, <settle>",
        write="on-prune",
    ),
    "archive: it is closed": Operation(
        ready_to_close,
        close,
        "BEGIN, INSERT commits, INSERT versions, "
        "UPDATE packs head, COMMIT, BEGIN, UPDATE commits accesses, COMMIT, <let go>",
        write="on-prune",
    ),
    "prune: on commit": Operation(
        full,
        prune,
        "BEGIN, INSERT commits, INSERT versions, UPDATE packs head, "
        "UPDATE commits retained, put down the plan, COMMIT, <plan>",
        in_parts=True,
    ),
    "prune: on prune": Operation(
        full_of_new,
        prune,
        "BEGIN, INSERT commits, INSERT versions, UPDATE packs head, <make it durable>",
        write="on-prune",
    ),
    "retention: the oldest are removed": Operation(
        ready_to_sweep,
        sweep,
        "BEGIN, DELETE commits, UPDATE versions, DELETE versions, UPDATE packs head, COMMIT, "
        "shrink",
    ),
    "erase: an old one and the newest": Operation(
        opened_with_room,
        erase,
        "BEGIN, INSERT commits, INSERT versions, UPDATE packs head, UPDATE commits retained, "
        "DELETE commits, UPDATE versions, DELETE versions, UPDATE packs head, <make it durable>"
        "<clear>",
    ),
    "erase: it is taken back": Operation(
        erase_in_doubt,
        take_back,
        "<lock again>, BEGIN, DELETE commits, DELETE versions, DELETE commits, INSERT commits, "
        "DELETE versions, INSERT versions, UPDATE commits retained, UPDATE packs head, "
        "INSERT commits, INSERT versions, UPDATE packs head, <make it durable>",
    ),
    "save: over another": Operation(
        ready_to_save,
        save,
        "<make>, BEGIN, INSERT packs, COMMIT, BEGIN, INSERT commits, "
        "INSERT versions, UPDATE packs head, COMMIT, "
        "disconnect, synchronize, rename, synchronize, remove what is left",
        durable=("rename",),
        subject="file",
    ),
    "save: with what is archived": Operation(
        ready_to_save_all,
        save_all,
        "BEGIN, COMMIT, <make>, BEGIN, INSERT packs, COMMIT, BEGIN, "
        "INSERT commits, BEGIN, "
        "COMMIT, INSERT versions, "
        "UPDATE packs head, COMMIT, disconnect, synchronize, rename, synchronize, "
        "remove what is left",
        durable=("rename",),
        subject="file",
    ),
    "restore: into an archive": Operation(
        ready_to_restore,
        restore,
        "connect, BEGIN, COMMIT, disconnect, connect, BEGIN, <settle>, "
        "<make>, lock, BEGIN, INSERT packs, INSERT commits, INSERT versions, "
        "UPDATE packs head, COMMIT, disconnect",
        durable=("UPDATE packs head", "COMMIT"),
        subject="file in archive",
        begun=False,
        name=ROOMY,
    ),
}


@frozen
class Point:
    """A crash point: before a step of an operation.

    Attributes:
        operation: The operation.
        at: How many steps are done.
        server: Whether the archive is on a server.
    """

    operation: str
    at: int
    server: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the operation."""
        operation = OPERATIONS[self.operation]
        return operation.steps_on(server=self.server)

    @property
    def name(self) -> str:
        """What it is called: the operation, and the two steps it lies between."""
        before = self.steps[self.at - 1] if self.at else "nothing"
        return f"{self.operation}: {self.at} between {before} and {self.steps[self.at]}"

    @property
    def is_durable(self) -> bool:
        """Whether what is done is durable there."""
        done = iter(self.steps[: self.at])
        return all(step in done for step in OPERATIONS[self.operation].durable)


POINTS: Final = [
    Point(name, at, server)
    for server in (False, True)
    for name, operation in OPERATIONS.items()
    if not (server and operation.subject == "file")
    for at in range(len(operation.steps_on(server=server)))
]


@frozen
class Done:
    """What an operation did, whole or up to where it was ended.

    Attributes:
        steps: Its steps, in order.
        before: What is there after a kill that comes before it is durable.
        after: What is there after one that comes later.
    """

    steps: tuple[str, ...]
    before: Past
    after: Past


def perform(name: str, url: str, folder: str, **how: Any) -> Done:
    """Do what an operation does, and tell; or end the process before one of its steps.

    Args:
        name: Which.
        url: Where the archive is.
        folder: Where files are.
        how: What :class:`~crash_watch.Watch` is made with.
    """
    operation = OPERATIONS[name]
    watch = Watch(**how, in_parts=operation.in_parts)
    past = template().past if operation.begun else Past()
    scene = Scene(url, Path(folder), operation.write, past)
    scene.past = scene.remember()
    operation.ready(scene)
    before = _kept(scene, operation)
    with watch.watching():
        operation.do(scene)
    after = _kept(scene, operation)
    scene.backpack.close()
    return Done(tuple(watch.steps), before, after)


def _kept(scene: Scene, operation: Operation) -> Past:
    """Return what a kill would leave."""
    if operation.subject == "file":
        return scene.saved
    past = scene.remember()
    scribe = None if scene.backpack is None else scene.backpack._engine.scribe
    if scribe is not None:
        past.forget(scribe.log.head)
    if scene.doubtful is not None:
        scene.doubtful(past)
    return past


@frozen
class Template:
    """A Backpack that was used for a while, as it is in an archive.

    Attributes:
        past: All that was done to it.
        data: The SQLite file it is in.
        rows: What is in its tables.
    """

    past: Past
    data: bytes
    rows: dict[str, list[dict[str, Any]]]


@cache
def template() -> Template:
    """Return what most operations start from."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "archive.db")
        scene = Scene(f"sqlite:///{path}", Path(folder))
        prepare(scene)
        with closing(Database(SqlArchive(scene.url).parsed, read_only=True)) as database:
            rows = {
                table.name: [
                    dict(row._mapping) for row in database.connection.execute(select(table))
                ]
                for table in TABLES.sorted_tables
            }
        return Template(scene.past, path.read_bytes(), rows)


def put(url: str, *, begun: bool) -> None:
    """Have the template in an archive and nothing else, or nothing at all."""
    place = SqlArchive(url).parsed
    if place.get_backend_name() == "sqlite":
        if begun:
            Path(str(place.database)).write_bytes(template().data)
        return
    with closing(Database(place)) as database:
        connection = database.begin()
        for table in TABLES.sorted_tables:
            connection.execute(delete(table) if begun else DropTable(table))
            if begun:
                connection.execute(insert(table), template().rows[table.name])
        database.commit()


def pack_on(url: str, folder: str) -> None:
    """Pack for ever, on commit, and write down each commit that was acknowledged.

    The values of :func:`value_of`: whoever reads a commit knows what it set.
    """
    with Path(folder, ACKNOWLEDGED).open("a", buffering=1) as acknowledged:
        backpack = Backpack.open(url, NAME, **settings(max_history_size=BUDGET))
        while True:
            seq = 1 + (0 if backpack.head is None else backpack.head.seq)
            key, value = value_of(seq)
            commit = backpack.pack(key, value)
            acknowledged.write(f"{commit.seq}\n")


def value_of(seq: int) -> tuple[str, str]:
    """Return what a commit of :func:`pack_on` sets."""
    return f"key {seq % 3}", f"{seq} " * (seq % 150)


def main() -> None:
    """Be the warm process in which operations are done, and killed."""
    template()
    serve(lambda **order: perform(**order) if "name" in order else pack_on(**order))
