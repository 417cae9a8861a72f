"""Power cuts: what was acknowledged is there afterwards, and what is there is what was.

The states are made from what a program really wrote and synchronized; see ``powercuts``. That a
loss would be seen is shown by leaving out what was synchronized.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from archives import LIMIT, Past
from attrs import frozen
from powercuts import recording
from powercuts.disk import Cut, cuts, whole
from powercuts.programs import CHECKPOINT, CODE, PROGRAMS, log_of, opened
from powercuts.recording import (
    Acknowledge,
    Create,
    Event,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
    record,
    why_not,
)

from backpack import Backpack, BackpackError, MsgpackCodec
from backpack.audit import audit

_WHY_NOT = why_not()
pytestmark = [
    pytest.mark.skipif(_WHY_NOT is not None, reason=str(_WHY_NOT)),
    pytest.mark.no_cover,
]

#: States for each promise in the default run; ``BACKPACK_CUTS=1000`` looks at more.
CUTS = int(os.environ.get("BACKPACK_CUTS", "30"))
_IS_LONG = CUTS >= 200
#: So many programs are recorded for each promise, and the states divided among them.
SEEDS = range(4 if _IS_LONG else 1)
#: What is broken is caught within so many states.
_TRIES = 150

#: In memory where there is such a folder: what is looked at need not be synchronized.
_PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108

#: Tells after how many steps a folder is as it is.
Look = Callable[[Path, Sequence[Past], Cut], int]


@frozen
class Outcome:
    """What is there after a cut.

    Attributes:
        cut: The cut.
        shown: After how many steps it was as it is there; 0 for nothing at all.
        problem: What is wrong with it; empty if nothing is.
    """

    cut: Cut
    shown: int = 0
    problem: str = ""

    @property
    def lost(self) -> int:
        """How many steps are lost that were acknowledged."""
        return 0 if self.problem else max(0, self.cut.acknowledged - self.shown)

    @property
    def is_kept(self) -> bool:
        """Whether all that was acknowledged is there."""
        return not (self.problem or self.lost)


@cache
def recorded(program: str, sync: str, seed: int, synchronous: str = "") -> list[Event]:
    """Return what a program wrote, synchronized and acknowledged."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "recorded"
        folder.mkdir()
        command = [sys.executable, "-m", "powercuts.programs"]
        command += [program, str(folder), sync, str(seed), synchronous]
        events = record(command, folder, PYTHONPATH=str(Path(__file__).parent))
        there = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert there == whole(events)
    return events


@cache
def expected(program: str, sync: str, seed: int) -> list[Past]:
    """Return the past of a program after each step."""
    with TemporaryDirectory(dir=_PLACE) as folder:
        return list(PROGRAMS[program](Path(folder), sync, seed))


def outcomes(
    program: str,
    sync: str,
    count: int,
    *,
    seed: int = 0,
    without: Callable[[Event], bool] = lambda _: False,
    synchronous: str = "",
) -> Iterator[Outcome]:
    """Cut the power of a program so many times; iterate over what is there afterwards.

    Args:
        program: Which one.
        sync: What the archive is to survive.
        count: How many times.
        seed: Where it starts.
        without: Tells what is left out of what was recorded.
        synchronous: How SQLite synchronizes, if not as the archive says.
    """
    pasts = expected(program, sync, seed)
    look: Look = look_at_file if program == "saved" else partial(look_into_archive, sync=sync)
    kept = [each for each in recorded(program, sync, seed, synchronous) if not without(each)]
    for cut in cuts(kept, seed, count):
        with TemporaryDirectory(dir=_PLACE) as place:
            folder = Path(place)
            cut.put(folder)
            try:
                yield Outcome(cut, look(folder, pasts, cut))
            except (BackpackError, AssertionError) as error:
                yield Outcome(cut, problem=f"{type(error).__name__}: {error}")


def look_into_archive(folder: Path, pasts: Sequence[Past], cut: Cut, sync: str) -> int:
    """Go on with the archive, at once: what it shows is exact, and it takes more."""
    with opened(folder, sync) as backpack:
        shown, past = 0, Past()
        if backpack.code == CODE:
            pinned = {each.commit.seq for each in log_of(backpack).commits() if each.pinned}
            here = backpack.history(), dict(backpack), pinned
            shown = _last_like(
                pasts, cut, lambda it: (it.commits[::-1], it.current, it.pinned) == here
            )
            past = pasts[shown - 1]
        check(past, backpack, random.Random(cut.at))  # noqa: S311
        more = backpack.pack("a", "after the cut")
    with opened(folder, sync) as backpack:
        assert more == backpack.head
        assert past.current | {"a": "after the cut"} == dict(backpack)
    return shown


def look_at_file(folder: Path, pasts: Sequence[Past], cut: Cut) -> int:
    """Restore the checkpoint, if there is one; it is whole."""
    if not (folder / CHECKPOINT).exists():
        return 0
    backpack = Backpack.restore(folder / CHECKPOINT)
    shown = _last_like(pasts, cut, lambda past: past.commits[::-1] == backpack.history())
    pasts[shown - 1].check(backpack)
    return shown


def check(past: Past, backpack: Backpack, chance: random.Random) -> None:
    """What a Backpack shows is exactly what was: by its log all of it, by itself some commits."""
    assert audit(backpack) == []
    assert list(past.current.items()) == list(backpack.items())
    log, codec = log_of(backpack), MsgpackCodec()
    versions = {(each.key, each.seq): each for each in log.versions(0)}
    changes = [
        (change, commit.seq)
        for commit in past.commits
        for change in commit.changes
        if change.kind != "same"
    ]
    assert {(change.key, seq) for change, seq in changes} == versions.keys()
    for change, seq in changes:
        version = versions[change.key, seq]
        if version.encoded is not None:
            assert past.states[seq - 1][change.key] == codec.decode(version.encoded)
        elif version.reference is None:
            assert change.kind == "removed"
        else:
            assert past.is_superseded(change.key, seq)
            assert len(past.states[seq - 1][change.key]) > LIMIT - 10
    seqs = [each.seq for each in past.commits]
    for seq in {*seqs[-2:], *chance.sample(seqs, min(4, len(seqs)))}:
        past.check_at(backpack, seq)


def _last_like(pasts: Sequence[Past], cut: Cut, is_like: Callable[[Past], bool]) -> int:
    """Return the last step after which something was so; the one under way counts."""
    for shown in range(min(cut.acknowledged + 1, len(pasts)), 0, -1):
        if is_like(pasts[shown - 1]):
            return shown
    raise AssertionError("it never was as it is")


# --- what is promised --------------------------------------------------------------------

Tell = Callable[[Iterator[Outcome]], list[Outcome]]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Return what collects outcomes, and puts their figures into the report (``--junitxml``)."""

    def collect(found: Iterator[Outcome]) -> list[Outcome]:
        collected = list(found)
        record_property("states", len(collected))
        record_property("states that lost nothing", sum(each.is_kept for each in collected))
        record_property("steps lost at most", max(each.lost for each in collected))
        return collected

    return collect


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_acknowledged_survives_a_loss_of_power(seed: int, tell: Tell) -> None:
    """With ``sync: power``: whenever it is lost, all of it is there, and exact."""
    found = tell(outcomes("archived", "power", CUTS // len(SEEDS), seed=seed))
    assert len(found) == CUTS // len(SEEDS)
    assert [] == [each for each in found if not each.is_kept]


@pytest.mark.parametrize("seed", SEEDS)
def test_only_the_newest_are_lost_where_that_is_allowed(seed: int, tell: Tell) -> None:
    """With ``sync: process``: those since the log was synchronized last, and nothing is damaged."""
    found = tell(outcomes("archived", "process", CUTS // len(SEEDS), seed=seed))
    assert len(found) == CUTS // len(SEEDS)
    assert [] == [each for each in found if each.problem or each.shown < each.cut.durable]
    # It is no empty allowance.
    assert any(each.lost > 3 for each in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_checkpoint_is_whole_or_as_before(seed: int, tell: Tell) -> None:
    """Whoever finds one finds it whole; once it is saved, it is there."""
    found = tell(outcomes("saved", "power", CUTS // len(SEEDS) // 2, seed=seed))
    assert [] == [each for each in found if not each.is_kept]
    assert {0, 4} <= {each.shown for each in found} or not _IS_LONG


# --- what would break it is seen ---------------------------------------------------------


def _is_sync(event: Event, *ends: str) -> bool:
    return isinstance(event, Sync) and event.name.endswith(ends)


LEFT_OUT: dict[str, tuple[str, Callable[[Event], bool]]] = {
    "everything": ("archived", lambda event: isinstance(event, Sync | SyncFolder)),
    "the log": ("archived", lambda event: _is_sync(event, "-wal")),
    "the database": ("archived", lambda event: _is_sync(event, ".db")),
    "the folder": ("archived", lambda event: isinstance(event, SyncFolder)),
    "the checkpoint": ("saved", lambda event: _is_sync(event, ".part")),
    "the folder of the checkpoint": ("saved", lambda event: isinstance(event, SyncFolder)),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_not_synchronized_is_missed(name: str) -> None:
    """Whatever of it is left out, something that was acknowledged is lost, or damaged."""
    program, without = LEFT_OUT[name]
    assert any(without(each) for each in recorded(program, "power", 0))
    found = outcomes(program, "power", _TRIES, without=without)
    assert any(not each.is_kept for each in found)


def test_a_program_that_synchronizes_nothing_is_caught() -> None:
    """It loses what it acknowledged, and damages what there was."""
    assert not any(isinstance(each, Sync) for each in recorded("archived", "power", 0, "OFF"))
    lost = damaged = False
    for each in outcomes("archived", "power", _TRIES, synchronous="OFF"):
        lost |= each.lost > 0
        damaged |= each.problem.startswith("CorruptError")
        if lost and damaged:
            return
    pytest.fail(f"lost: {lost}, damaged: {damaged}")


# --- the tool ----------------------------------------------------------------------------

_PROGRAM = """
import os, sys
os.chdir(sys.argv[1])
flags = os.O_RDWR | os.O_CREAT
one = os.open("one", flags)
os.pwrite(one, b"abc", 5)
os.fsync(one)
os.ftruncate(one, 6)
os.write(1, b"1\\n")
os.rename(os.path.abspath("one"), os.path.abspath("two"))
os.fdatasync(os.open(".", os.O_RDONLY))
os.open("two", flags | os.O_TRUNC)
os.open("three", flags)
os.unlink(os.path.abspath("three"))
os.open("/dev/null", flags)
"""


def test_what_a_program_does_is_recorded(tmp_path: Path) -> None:
    """In order, and nothing else."""
    folder = tmp_path / "folder"
    folder.mkdir()
    events = record([sys.executable, "-c", _PROGRAM, str(folder)], folder)
    assert events == [
        Create("one"),
        Write("one", 5, b"abc"),
        Sync("one"),
        Truncate("one", 6),
        Acknowledge(1),
        Rename("one", "two"),
        SyncFolder(),
        Truncate("two", 0),
        Create("three"),
        Unlink("three"),
    ]
    assert {"two": b""} == whole(events)


@pytest.mark.parametrize(
    "line",
    [
        "os.write(file, b'x')",
        "os.link(sys.argv[1] + '/file', sys.argv[1] + '/other')",
        "mmap.mmap(file, 1)",
        "os.posix_fallocate(file, 0, 9)",
        "os.unlink('file')",
    ],
)
def test_what_is_not_understood_is_not_passed_over(line: str, tmp_path: Path) -> None:
    """A program that writes in another way is not taken for one that does not write."""
    folder = tmp_path / "folder"
    folder.mkdir()
    program = f"import mmap, os, sys; os.chdir(sys.argv[1]); file = os.open('file', 66); {line}"
    program = program.replace("; mmap.mmap", "; os.ftruncate(file, 1); mmap.mmap")
    with pytest.raises(AssertionError, match="not known here|written in memory|not whole"):
        record([sys.executable, "-c", program, str(folder)], folder)


def test_where_nothing_can_be_recorded_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is told; the tests are skipped for that reason."""
    assert why_not() is None
    refused = ("sh", "-c", "echo ptrace: Operation not permitted >&2; exit 1")
    monkeypatch.setattr(recording, "_STRACE", refused)
    assert "strace is not permitted here: ptrace: Operation not permitted" == why_not()
    monkeypatch.setenv("PATH", "")
    assert "writes are recorded with strace, which is not installed" == why_not()
    monkeypatch.setattr(sys, "platform", "win32")
    assert "writes are recorded with strace, which is Linux's" == why_not()


def test_a_disk_holds_what_was_synchronized() -> None:
    """All of it, and of the rest every sector that was, or was to be; names as well."""
    events: list[Event] = [
        Create("a"),
        Write("a", 0, b"1" * 1024),
        Sync("a"),
        SyncFolder(),
        Write("a", 0, b"2" * 1024),
        Write("a", 0, b"3" * 1024),
        Create("b"),
        Rename("b", "c"),
    ]
    found = list(cuts(events, 0, 400))
    late = [each.files for each in found if each.at >= 6]
    sectors = {(bytes({*each["a"][:512]}), bytes({*each["a"][512:]})) for each in late}
    assert {(bytes([a]), bytes([b])) for a in b"123" for b in b"123"} <= sectors
    assert any(len(first) > 3 for first, _ in sectors), "spoiled while it was written"
    assert all(1024 == len(each["a"]) for each in late)
    assert {("a",), ("a", "b"), ("a", "c"), ("a", "b", "c")} == {tuple(sorted(f)) for f in late}
    early = [each.files for each in found if each.at <= 2]
    assert {} in early
    assert {0, 1024} == {len(each["a"]) for each in early if each}
    assert [each.mark for each in found] == [each.mark for each in cuts(events, 0, 400)]
