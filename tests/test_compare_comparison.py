"""A comparison: which replays are done, and which of them stand for the bounds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from comparing import compared, configured, here, look, pack, write_trace

from backpack.compare.comparison import Comparison, compare, exit_code, share
from backpack.compare.contenders import Contender, contenders_from
from backpack.compare.survey import Survey, survey
from backpack.compare.trial import Ending, Outcome, Pruning, Trial

Answers = Callable[[Trial], Outcome]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A trace with ten looks."""
    return write_trace(tmp_path / "t.jsonl", [pack("a", 1), *[look(0)] * 10])


def made_up(
    path: Path, contenders: Sequence[Contender], answers: Answers, budgets: Sequence[int] = ()
) -> tuple[Comparison, list[Trial]]:
    """Compare with outcomes that are made up; return what was tried, too."""
    tried: list[Trial] = []

    def runner(
        trials: Sequence[Trial],
        path: Path,
        survey: Survey,
        progress: Callable[[int, int], None] | None,
    ) -> list[Outcome]:
        tried.extend(trials)
        return [answers(trial) for trial in trials]

    return compare(path, survey(path), contenders, budgets, runner, seed=7), tried


def answered(number: int, ending: Ending = Ending.FINISHED, of_bytes: int = 0) -> Outcome:
    """Return an outcome with so many answers."""
    return Outcome(ending, operations=11, answered=number, answered_bytes=of_bytes)


def test_who_differs_in_nothing_but_pruning_shares_who_knows_the_future(
    path: Path, tmp_path: Path
) -> None:
    """Five files, and a preset with other limits: two replays of it, and one that draws lots."""
    contenders = [*configured(tmp_path), *contenders_from(["long-running"], [])]
    _, tried = made_up(path, contenders, lambda _: answered(1), [1 << 20])
    kinds = [trial.pruning for trial in tried]

    assert Trial(None) == tried[0]
    assert 2 == kinds.count(Pruning.CLAIRVOYANT)
    assert 1 + 6 == kinds.count(Pruning.OWN)
    assert [Pruning.RANDOM] == kinds[-1:]
    assert {1 << 20, None} == {trial.budget for trial in tried}


def test_without_budgets_each_has_its_own(path: Path) -> None:
    """And a budget is part of a configuration."""
    found, tried = made_up(path, contenders_from([], []), lambda _: answered(1))

    assert {None} == {trial.budget for trial in tried}
    assert [None] == [each.budget for each in found.rounds]
    assert 5 == sum(trial.pruning is Pruning.CLAIRVOYANT for trial in tried)


@pytest.mark.parametrize(
    ("seer", "own", "lots", "pruning"),
    [
        (5, 5, 5, Pruning.CLAIRVOYANT),
        (5, 6, 5, Pruning.OWN),
        (5, 6, 7, Pruning.RANDOM),
        (5, 4, 5, Pruning.CLAIRVOYANT),
    ],
)
def test_the_bound_is_the_best_of_all(
    path: Path, seer: int, own: int, lots: int, pruning: Pruning
) -> None:
    """Of what knew the future, where that is among the best; else of whoever was."""
    numbers = {Pruning.CLAIRVOYANT: seer, Pruning.OWN: own, Pruning.RANDOM: lots}
    found, _ = made_up(
        path,
        contenders_from(["default", "long-chat"], []),
        lambda trial: answered(
            numbers[trial.pruning]
            - (trial.contender is not None and trial.contender.name[0] == "d")
        ),
    )
    clairvoyant, random = found.row("clairvoyant", None), found.row("random", None)

    assert clairvoyant is not None
    assert random is not None
    assert max(seer, own, lots) == clairvoyant.outcome.answered
    assert pruning is clairvoyant.trial.pruning
    # Both are of one configuration, so that nothing but the pruning lies between them.
    assert "long-chat" == getattr(clairvoyant.trial.contender, "name", None)
    assert clairvoyant.trial.contender == random.trial.contender
    assert 7 == random.trial.seed


def test_of_equal_numbers_more_bytes_are_better(path: Path) -> None:
    """The first of those that are equal in both."""
    found, _ = made_up(
        path,
        contenders_from(["default", "long-chat", "short-lived"], []),
        lambda trial: answered(
            3,
            of_bytes=int(trial.contender is not None and trial.contender.name != "default"),
        ),
    )
    row = found.row("clairvoyant", None)
    assert row is not None
    assert "long-chat" == getattr(row.trial.contender, "name", None)


@pytest.mark.parametrize(
    ("own", "seer", "random", "code"),
    [
        (Ending.FINISHED, Ending.FINISHED, Ending.FINISHED, 0),
        (Ending.REFUSED, Ending.FINISHED, Ending.FINISHED, 3),
        (Ending.BAD_INPUT, Ending.FINISHED, Ending.FINISHED, 2),
        (Ending.WRONG, Ending.FINISHED, Ending.FINISHED, 1),
        (Ending.DIED, Ending.FINISHED, Ending.FINISHED, 1),
        # A bound that does not get to the end says nothing of the contenders; one that is wrong
        # or dies is no bound.
        (Ending.FINISHED, Ending.REFUSED, Ending.REFUSED, 0),
        (Ending.REFUSED, Ending.WRONG, Ending.FINISHED, 1),
        (Ending.FINISHED, Ending.FINISHED, Ending.DIED, 1),
    ],
)
def test_the_exit_code_is_that_of_backpack_run(
    path: Path, own: Ending, seer: Ending, random: Ending, code: int
) -> None:
    """Of the worst contender: wrong, then bad input, then a refusal."""
    endings = {Pruning.OWN: own, Pruning.CLAIRVOYANT: seer, Pruning.RANDOM: random}
    found, _ = made_up(
        path,
        contenders_from(["default"], []),
        lambda trial: answered(
            1, Ending.FINISHED if trial.contender is None else endings[trial.pruning]
        ),
    )
    assert code == exit_code(found)


def test_one_that_is_wrong_outweighs_bad_input_and_that_a_refusal(path: Path) -> None:
    """Whatever their order; and a trace that is cut off is bad input."""
    names = ["default", "long-chat", "short-lived"]
    endings = dict(zip(names, [Ending.REFUSED, Ending.BAD_INPUT, Ending.WRONG], strict=True))

    def code(*names: str) -> int:
        found, _ = made_up(
            path,
            contenders_from(names, []),
            lambda trial: answered(
                1, endings[trial.contender.name] if trial.contender else Ending.FINISHED
            ),
        )
        return exit_code(found)

    assert [3, 2, 1] == [code(*names[:1]), code(*names[:2]), code(*names)]
    path.write_text(path.read_text() + "{")
    assert 2 == code("default")


def test_a_replay_behind_a_bound_that_goes_wrong_is_not_passed_over(path: Path) -> None:
    """Where another one is the bound, it is named as a loss."""
    found, _ = made_up(
        path,
        contenders_from(["default", "long-chat"], []),
        lambda trial: (
            Outcome(Ending.DIED, error="killed")
            if trial.pruning is Pruning.CLAIRVOYANT and trial.contender.name == "default"  # type: ignore[union-attr]
            else answered(1)
        ),
    )
    (loss,) = found.rounds[0].losses

    assert ("clairvoyant", "killed") == (loss.name, loss.outcome.error)
    assert 1 == exit_code(found)


def test_files_with_budgets_of_their_own_are_different(path: Path, tmp_path: Path) -> None:
    """Each has one that knows the future, unless all are given one budget."""
    contenders = []
    for size in ("1 MiB", "2 MiB"):
        file = tmp_path / f"{size}.yaml"
        file.write_text(f"max_history_size: {size}\n")
        contenders.append(Contender(file.name, file=str(file)))
    for budgets, seers in (([], 2), ([1 << 20], 1)):
        _, tried = made_up(path, contenders, lambda _: answered(1), budgets)
        assert seers == sum(trial.pruning is Pruning.CLAIRVOYANT for trial in tried)


def test_nothing_of_anybodys_runs_in_the_process_that_compares(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that a file names is not imported there."""
    (tmp_path / "module_of_anybody.py").write_text("def prune(request):\n    return []\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "mine.yaml"
    file.write_text("pruning: {use: 'module_of_anybody:prune'}\n")
    _, tried = made_up(path, contenders_from([], [str(file)]), lambda _: answered(1))

    assert 4 == len(tried)
    assert "module_of_anybody" not in sys.modules


def test_whether_a_file_works_is_found_out_elsewhere(path: Path, tmp_path: Path) -> None:
    """Its code runs in processes of its own alone; where it may not be run, it does not work."""
    file = tmp_path / "mine.yaml"
    file.write_text("sizing: {use: 'nowhere:Sizing'}\n")
    contender = Contender("mine.yaml", file=str(file))
    _, tried = made_up(path, [contender], lambda _: answered(1))
    assert [Pruning.OWN, Pruning.CLAIRVOYANT, Pruning.OWN, Pruning.RANDOM] == [
        trial.pruning for trial in tried
    ]
    found = compare(path, survey(path), [contender], [], here, allow_imports=False)
    assert ["mine.yaml", "unbounded"] == [row.name for row in found.rounds[0].rows]
    found = compared(path, [contender])
    assert ["mine.yaml", "unbounded"] == [row.name for row in found.rounds[0].rows]
    assert Ending.BAD_INPUT is found.rounds[0].rows[0].outcome.ending
    assert 2 == exit_code(found)


def test_the_progress_of_all_replays_is_one(path: Path, tmp_path: Path) -> None:
    """It only grows, to the end."""
    told: list[tuple[int, int]] = []
    compared(path, configured(tmp_path), [8192], progress=lambda done, of: told.append((done, of)))

    assert [done / of for done, of in told] == sorted(done / of for done, of in told)
    assert told[-1][0] == told[-1][1]
    assert 8 == len(told)


def test_of_nothing_there_is_no_share() -> None:
    """Neither all of it nor none."""
    assert (0.5, None) == (share(1, 2), share(0, 0))
