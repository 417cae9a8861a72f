"""The state machine with an archive: what is made again is held against what was there."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backpack import ArchiveError, Backpack
from backpack.archive.database import Database
from backpack.audit import has_archive, retained
from backpack.config import load_file
from backpack.policies import KeepAll, Spill
from backpack.spec import (
    LawBroken,
    Model,
    check_backpack,
    check_laws,
    machine_for,
    standard_backpack,
)
from backpack.spec.laws.archive import check_made_again
from backpack.spec.machine import ArchiveMachine
from backpack.spec.target import configured, subject_of
from backpack.spec.temporary import abandon, copied, folder_of, temporary_archive


def begun(on_commit: bool = False, **settings: Any) -> ArchiveMachine:
    """Return a machine that has made a few commits, most of them archived."""
    machine = machine_for(lambda: standard_backpack(**settings), archived=True)()
    assert isinstance(machine, ArchiveMachine)
    machine.begin(budget=0, on_commit=on_commit)
    for number in range(6):
        value = {str(number): "x" * 300}
        machine.pack(program=[("k", value), ("plan", number)], by=None, note="n" * 300)
    return machine


@pytest.mark.parametrize("on_commit", [False, True])
def test_restarts_and_crashes_are_gone_on_from(on_commit: bool) -> None:
    """One after the other, with changes in between; only what was not to be durable is lost."""
    machine = begun(on_commit)
    made = len(machine.model.commits)
    machine.restart()
    assert made == len(machine.model.commits)
    machine.pack(program=[("k", 1)], by=None, note=None)
    machine.crash()
    assert made + on_commit == len(machine.model.commits)
    machine.pack(program=[("k", 2)], by=None, note=None)
    machine.crash_while_packing(key="k", value=3, tight=True, line=20)
    machine.crash_while_closing(line=2)
    machine.crash_while_closing(line=10_000)
    machine.save_and_restore(archived=True)
    machine.save_and_restore(archived=False)
    machine.teardown()
    assert not machine.over
    assert [] == [each for each in machine.archives if folder_of(each).exists()]


def test_what_does_not_fit_again_gets_more_room() -> None:
    """How versions lean is worked out anew; where nothing may be given up, that may not fit."""
    machine = begun(pruning=KeepAll())
    size = machine.backpack.max_history_size
    machine.backpack.close()
    settings = machine.settings(machine.make_plain(), 4096)
    assert machine.backpack.memory_usage().history_bytes > 4096
    archive, code = machine.archive, machine.model.code
    machine.backpack = Backpack(**settings)
    with machine.judging("A2"):
        again = machine.opened_again(archive, code, lambda request: None)
    machine.opened(again)
    assert 8192 == again.max_history_size == size
    machine.put_away()


def lose(machine: ArchiveMachine) -> None:
    """Have the newest commit forgotten by what is on disk."""
    machine.archive = temporary_archive(write="on-commit")
    with Backpack(archive=machine.archive) as backpack:
        machine.model.code = backpack.code


def empty(machine: ArchiveMachine) -> None:
    """Have the model say that nothing was there at archived commits."""
    stay = {commit.seq for commit in retained(machine.backpack)}
    for recorded in machine.model.commits:
        if recorded.seq not in stay:
            recorded.state = {}


@pytest.mark.parametrize(
    ("spoil", "step", "message"),
    [
        (lose, ArchiveMachine.crash, "A3 is broken: .* Of 12 commits there are 0 again; 12 have"),
        (
            lambda machine: setattr(machine.model, "code", "zzzzzz"),
            ArchiveMachine.restart,
            "A2 is broken: .* Of 12 commits there are 0 again; 12 have to be",
        ),
        (
            lambda machine: machine.model.pinned.add(1),
            ArchiveMachine.restart,
            "A2 is broken: .* P1 does not hold any more: Pinned commit 1 was pruned",
        ),
        (
            empty,
            ArchiveMachine.crash,
            r"A3 is broken: .* A1 does not hold any more: Commit . shows keys \['k'",
        ),
        (
            lambda machine: abandon(machine.backpack),
            ArchiveMachine.save_and_restore,
            "A2 is broken: .* It raised ArchiveError: the archive .* is closed",
        ),
    ],
)
def test_what_is_not_the_same_again_breaks_a_law(
    spoil: Callable[[ArchiveMachine], object], step: Callable[..., None], message: str
) -> None:
    """The law says what was there, and what is."""
    machine = begun(on_commit=True)
    type(machine).most = 10_000
    spoil(machine)
    with pytest.raises(LawBroken, match=message):
        step(machine, **({"archived": True} if step is ArchiveMachine.save_and_restore else {}))
    machine.put_away()


def test_the_laws_of_archives_are_asked_of_any_backpack() -> None:
    """One without an archive breaks none of them; one that has lost a commit does."""

    def measured(key: str, value: object, previous: object) -> tuple[int, None]:
        return len(bp.codec.encode(value, key)), None

    archive = temporary_archive(write="on-commit")
    for settings in ({}, {"archive": archive}):
        bp = Backpack(max_history_size=4096, **settings)
        model = Model(bp.code, measured)
        for number in range(30):
            value = {"a": number}
            model.record(bp.pack("k", value, note="n" * 300), {"k": value})
        check_laws(bp, model)
    check_made_again(bp, model, "A2")
    model.commits.append(model.commits[-1])
    with pytest.raises(LawBroken, match="A1 is broken: .* Of commits 1 to 31 it lists "):
        check_laws(bp, model, laws=["A1"])
    model.commits.pop()
    model.code = "zzzzzz"
    with pytest.raises(LawBroken, match="A3 is broken: .* Its code was zzzzzz, is "):
        check_made_again(bp, model, "A3")
    bp.close()


def test_a_temporary_archive_goes_with_whoever_has_it() -> None:
    """So does the copy of one, which has what was committed at that moment, and only that."""
    archive = temporary_archive(write="on-commit")
    folder = folder_of(archive)
    bp = Backpack(archive=archive)
    first = bp.pack("k", 1)
    image = copied(archive)
    bp.pack("k", 2)
    bp.close()
    with Backpack.open(image, bp.code) as again:
        assert [first] == again.history()
    copy = folder_of(image)
    del bp, again, archive, image
    assert not folder.exists()
    assert not copy.exists()


def test_the_program_of_a_report_has_an_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a law that is broken where there is one, the program makes one, and fails as it stands."""
    from backpack.reader import Reader

    monkeypatch.setattr(Reader, "archived_commits", lambda *_: [])
    report = check_backpack(standard_backpack, laws=["B1", "A1"], seed=1, examples=4)
    assert ("passed", "broken") == (report["B1"].outcome, report["A1"].outcome)
    program = str(report["A1"].program)
    assert "laws=['A1'], archived=True)" in program
    broken = "from backpack.reader import Reader\nReader.archived_commits = lambda *_: []\n"
    path = tmp_path / "program.py"
    path.write_text(broken + program, encoding="utf-8")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "LawBroken: A1 is broken: " in done.stderr


def test_a_check_holds_nothing_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in what it tells of a law that broke since something else was raised, either."""
    from backpack.archive.reading import LogReader

    def fails(*_: object) -> None:
        raise ArchiveError("it cannot be read")

    def databases() -> int:
        gc.collect()
        return sum(isinstance(each, Database) for each in gc.get_objects())

    before = databases()
    monkeypatch.setattr(LogReader, "commit_at", fails)
    report = check_backpack(standard_backpack, laws=["A1"], seed=1, examples=4)
    assert "broken" == report["A1"].outcome
    assert before == databases()


@pytest.mark.parametrize("use", ["stub", "spill"])
def test_the_archive_of_a_configuration_is_left_alone(use: str, tmp_path: Path) -> None:
    """It is checked with another one, which goes; where none is needed, without one at first."""
    path = tmp_path / "agent.yaml"
    url = f"sqlite:///{(tmp_path / 'runs.db').as_posix()}"
    path.write_text(f"reference: {{use: {use}}}\narchive: {{use: sql, url: '{url}'}}\n")
    subject = configured(load_file(path), "it", "--config agent.yaml")[-1]
    made = subject.make()
    assert (use == "spill") == has_archive(made) == subject.needs_archive()
    assert (use == "spill") == ("archive=temporary_archive()" in subject.expression)
    made.close()
    assert [path] == list(tmp_path.iterdir())


def test_who_needs_an_archive_is_known() -> None:
    """A policy that spills, and a whole Backpack with one."""
    assert subject_of(Spill).needs_archive()
    assert not subject_of(KeepAll).needs_archive()

    def make() -> Backpack:
        return standard_backpack(reference=Spill(1024))

    report = check_backpack(make, laws=["B1", "A2"], seed=1, examples=2)
    assert report.ok
    assert 1 == report["B1"].examples == report["A2"].examples
