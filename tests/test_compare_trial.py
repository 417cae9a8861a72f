"""A trial: one replay, counted by what the trace says it should have answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from comparing import configured, look, pack, write_trace

from backpack.codec import MsgpackCodec
from backpack.compare import trial as trials
from backpack.compare.contenders import Contender
from backpack.compare.survey import Survey, survey
from backpack.compare.trial import Ending, Outcome, Trial, run
from backpack.replay import Replay, replay


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Forty commits of 500 bytes, one of 5,000, and looks at three of them."""
    operations = [pack("a", f"{number:500}") for number in range(40)]
    operations += [pack("b", "x" * 5_000), pack("b", "y")]
    return write_trace(tmp_path / "t.jsonl", [*operations, look(0), look(1), look(30)])


def small(tmp_path: Path, text: str) -> Trial:
    """Return a trial of a configuration whose history holds some of them."""
    path = tmp_path / "small.yaml"
    path.write_text(f"max_history_size: 8 KiB\nstorage: {{use: full}}\n{text}")
    return Trial(Contender("small.yaml", file=str(path)))


def test_a_look_is_answered_if_its_commit_is_there_with_every_value(
    path: Path, tmp_path: Path
) -> None:
    """Of three looks one is whole, one misses a value, and one meets a pruned commit."""
    known = survey(path)
    trial = small(tmp_path, "reference: {use: stub, max_value_size: 1 KiB}\n")
    outcome = run(trial, path, known)
    a, b = (len(MsgpackCodec().encode(value)) for value in (f"{39:500}", "y"))

    assert (Ending.FINISHED, None, None) == (outcome.ending, outcome.error, outcome.line)
    assert (2, 1, 0, 1) == (outcome.opened, outcome.answered, outcome.wrong, outcome.references)
    assert (a + b) + a == outcome.answered_bytes
    assert known.look_bytes > outcome.answered_bytes
    assert (45, 42) == (outcome.operations, outcome.commits)
    assert 42 - outcome.retained + 1 == outcome.oldest
    assert 0 < outcome.peak <= 8192 == outcome.budget
    assert outcome.prunings > 0 == outcome.over_budget
    assert outcome.pack.p50 is not None
    assert outcome.seconds > 0


def test_a_refusal_is_told_with_what_was_done_until_then(path: Path, tmp_path: Path) -> None:
    """The line at which it was, and why."""
    trial = small(tmp_path, "reference: {use: stub, max_value_size: 1 KiB}\npruning: {use: none}\n")
    outcome = run(trial, path, survey(path))

    assert (Ending.REFUSED, 0) == (outcome.ending, outcome.answered)
    assert outcome.line == outcome.operations + 1 == outcome.retained + 1 < 41
    assert outcome.error is not None
    assert "KeepAll gives nothing more up" in outcome.error


def test_a_configuration_that_cannot_work_is_told_with_its_reason(path: Path) -> None:
    """Nothing is replayed."""
    outcome = run(Trial(Contender("default", preset="default"), 8192), path, survey(path))

    assert (
        Outcome(
            Ending.BAD_INPUT,
            error="default.yaml:8: reference.max_value_size: 102,400 bytes for one value is above "
            "max_history_size (8,192 bytes); lower it, or raise max_history_size",
        )
        == outcome
    )


def test_no_archive_takes_part(path: Path, tmp_path: Path) -> None:
    """What history gives up is lost, and nothing is written."""
    archive = tmp_path / "runs.db"
    trial = small(
        tmp_path,
        "reference: {use: stub, max_value_size: 1 KiB}\n"
        f"archive: {{use: sql, url: 'sqlite:///{archive}'}}\n",
    )
    outcome = run(trial, path, survey(path))

    assert (Ending.FINISHED, 2) == (outcome.ending, outcome.opened)
    assert not archive.exists()


def test_values_that_would_go_to_the_archive_are_refused(path: Path, tmp_path: Path) -> None:
    """There is none to read them from."""
    trial = small(
        tmp_path,
        "reference: {use: spill, max_value_size: 1 KiB}\n"
        f"archive: {{use: sql, url: 'sqlite:///{tmp_path}/runs.db'}}\n",
    )
    outcome = run(trial, path, survey(path))

    assert Ending.BAD_INPUT is outcome.ending
    assert (
        f"{tmp_path}/small.yaml: reference: keeps large values in its archive, and a comparison is "
        "made without archives; use 'stub' to compare the rest"
    ) == outcome.error


def test_files_may_be_kept_from_importing(path: Path, tmp_path: Path) -> None:
    """Which runs code."""
    trial = small(tmp_path, "pruning: {use: 'somewhere:Policy'}\n")
    outcome = run(evolve(trial, allow_imports=False), path, survey(path))

    assert Ending.BAD_INPUT is outcome.ending
    assert outcome.error is not None
    assert "somewhere:Policy" in outcome.error


@pytest.mark.parametrize(
    ("operation", "line"),
    [('{"op": "pa', None), (f'{{"op": "pack", "key": "a", "value": {"[" * 300 + "]" * 300}}}', 46)],
)
def test_an_end_of_the_trace_is_bad_input(
    path: Path, tmp_path: Path, operation: str, line: int | None
) -> None:
    """Whether it is cut off, or has a value that cannot be packed."""
    path.write_text(path.read_text() + operation)
    trial = small(tmp_path, "reference: {use: stub, max_value_size: 1 KiB}\n")
    outcome = run(trial, path, survey(path))

    assert (Ending.BAD_INPUT, 45) == (outcome.ending, outcome.operations)
    assert line == outcome.line


def test_an_answer_that_is_not_what_the_trace_says_counts_for_nothing(path: Path) -> None:
    """It is wrong, and so is the whole trial."""
    known: Survey = survey(path)
    lied = evolve(known, digests={**known.digests, 42: b"another"})
    outcome = run(Trial(None), path, lied)

    assert (Ending.WRONG, 3, 2, 1) == (
        outcome.ending,
        outcome.opened,
        outcome.answered,
        outcome.wrong,
    )
    assert known.look_bytes - known.state_bytes[42] == outcome.answered_bytes
    assert outcome.budget is None


def test_history_over_its_budget_is_wrong(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is for backpack run."""

    def over(*arguments: Any) -> Replay:
        return evolve(replay(*arguments), over_budget=3)

    monkeypatch.setattr(trials, "replay", over)
    outcome = run(Trial(configured(tmp_path)[0]), path, survey(path))
    assert (Ending.WRONG, 3, 0) == (outcome.ending, outcome.over_budget, outcome.wrong)


def test_a_failing_policy_refuses(path: Path, tmp_path: Path) -> None:
    """And what does not read back is wrong."""
    (tmp_path / "policies_of_a_trial.py").write_text(
        "def junk(request):\n    return ['no such commit']\n"
        "class Forgetful:\n"
        "    def hold(self, version):\n        return version.encoded\n"
        "    def read(self, version):\n        return b'\\xc1'\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        limit = "reference: {use: stub, max_value_size: 1 KiB}\n"
        junk = small(tmp_path, f"{limit}pruning: {{use: 'policies_of_a_trial:junk'}}\n")
        assert Ending.REFUSED is run(junk, path, survey(path)).ending
        file = tmp_path / "forgetful.yaml"
        file.write_text("storage: {use: 'policies_of_a_trial:Forgetful'}\n")
        forgetful = Trial(Contender("forgetful.yaml", file=str(file)))
        assert Ending.WRONG is run(forgetful, path, survey(path)).ending
