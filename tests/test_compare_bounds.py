"""The bounds: who knows the future is never behind, and lots are drawn the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from comparing import compared, configured, look, pack, some_trace, traces, write_trace
from hypothesis import event, given, settings
from hypothesis import strategies as st

from backpack.compare.bounds import Clairvoyant, DrawnLots, Forecast, unbounded
from backpack.compare.contenders import Contender
from backpack.compare.survey import survey
from backpack.compare.trial import Ending, Pruning, Trial, run
from backpack.records import Commit, PruneRequest, RetainedCommit


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for all examples."""
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=25)
@given(
    operations=traces(),
    budget=st.integers(4096, 9_000),
    limit=st.sampled_from(["200 B", "1 KiB"]),
)
def test_no_policy_answers_more_than_who_knows_the_future(
    folder: Path, operations: list[dict[str, Any]], budget: int, limit: str
) -> None:
    """Nor more than who keeps all, and a second time all comes to the same."""
    path = write_trace(folder / "trace.jsonl", operations)
    contenders = configured(folder, limit)
    found = compared(path, contenders, [budget])
    clairvoyant, everything = found.row("clairvoyant", budget), found.row("unbounded", budget)

    assert clairvoyant is not None
    assert everything is not None
    assert Ending.FINISHED is everything.outcome.ending
    assert len(found.survey.looks) == everything.outcome.answered
    assert found.survey.look_bytes == everything.outcome.answered_bytes
    for row in found.rounds[0].rows:
        outcome = row.outcome
        assert 0 == outcome.wrong
        assert outcome.answered <= outcome.opened <= len(found.survey.looks)
        assert outcome.answered_bytes <= everything.outcome.answered_bytes
        if row is not everything:
            assert outcome.answered <= clairvoyant.outcome.answered, row.name
    event(f"by {clairvoyant.trial.pruning.value}")
    event("something is lost" if clairvoyant.outcome.answered < len(found.survey.looks) else "-")
    assert compared(path, contenders, [budget]) == found


def test_who_knows_the_future_alone_is_better_than_all_others(tmp_path: Path) -> None:
    """Not only by being the best of all: over a few traces, by far."""
    seen = best = 0
    for seed in range(3):
        operations = some_trace(seed, 300, 40)
        path = write_trace(tmp_path / "trace.jsonl", operations)
        known = survey(path)
        contenders = configured(tmp_path)
        alone = run(Trial(contenders[0], 9_000, Pruning.CLAIRVOYANT), path, known)
        others = [run(Trial(each, 9_000), path, known) for each in contenders]
        seen += alone.answered
        best += max(each.answered for each in others)
        assert alone.answered >= max(each.answered for each in others)
    assert seen > 1.2 * best


def request_of(*sizes: int, needed: int = 1) -> PruneRequest:
    """Return a request with candidates of these sizes, numbered from 1."""
    commits = [Commit("k3fq7x", seq, 0.0, ()) for seq in range(1, len(sizes) + 2)]
    return PruneRequest(
        needed=needed,
        budget=100,
        used=101,
        head=commits[-1],
        candidates=[
            RetainedCommit(commit, size=size) for commit, size in zip(commits, sizes, strict=False)
        ],
    )


def forecast_of(tmp_path: Path, *backs: int) -> Forecast:
    """Return the forecast of five commits, and looks so many commits back, a commit between."""
    operations = [pack("a", number) for number in range(5)]
    for back in backs:
        operations += [look(back), pack("a", back)]
    return Forecast(survey(write_trace(tmp_path / "t.jsonl", operations)))


def test_what_is_never_looked_at_again_goes_first(tmp_path: Path) -> None:
    """A fifth of it, the oldest first, or as many as it takes."""
    clairvoyant = Clairvoyant(forecast_of(tmp_path, 3))

    assert ["1-k3fq7x"] == clairvoyant(request_of(10, 10, 10, 10))
    assert ["1-k3fq7x", "3-k3fq7x"] == clairvoyant(request_of(10, 10, 10, 10, needed=11))


def test_of_what_is_looked_at_goes_what_takes_most_for_a_look(tmp_path: Path) -> None:
    """The size, times the commits until the look, for each look."""
    # Commits 1 to 4 are looked at, one after the other.
    clairvoyant = Clairvoyant(forecast_of(tmp_path, 4, 4, 4, 4))
    assert ["4-k3fq7x"] == clairvoyant(request_of(10, 10, 10, 10))
    assert ["1-k3fq7x"] == clairvoyant(request_of(90, 10, 10, 10))
    # The fourth is looked at twice more, with a commit between.
    clairvoyant = Clairvoyant(forecast_of(tmp_path, 4, 4, 4, 4, 5, 6))
    assert ["3-k3fq7x"] == clairvoyant(request_of(10, 10, 10, 10))


def test_a_look_that_is_over_is_no_longer_ahead(tmp_path: Path) -> None:
    """It is followed line by line."""
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1), look(0), pack("a", 2), look(1)])
    forecast = Forecast(survey(path))
    lines = [4, 2]

    class Step:
        def __init__(self, line: int) -> None:
            self.line = line

    assert [2, 4] == [each.line for each in forecast.ahead(1)]
    for step in forecast.followed([Step(2), Step(4)]):  # type: ignore[list-item]
        assert step.line not in [each.line for each in forecast.ahead(1)]
        assert (step.line == 2) == bool(forecast.ahead(1))
    assert lines == sorted(lines, reverse=True)


def test_a_commit_whose_looks_will_miss_a_value_is_not_kept_for_them(tmp_path: Path) -> None:
    """Once the large value is superseded, a look at it is not whole; a small one's is."""
    operations = [pack("a", "x" * 2_000)]  # Which is over the limit.
    operations += [pack("b", f"{number:400}") for number in range(2)]
    operations += [pack("a", "small"), pack("b", "1" * 400), pack("b", "2" * 400)]
    operations += [pack("c", f"{number:350}") for number in range(9)]
    operations += [look(12), look(13), look(10), look(9)]
    path = write_trace(tmp_path / "t.jsonl", operations)
    known = survey(path)
    forecast = Forecast(known)
    heard = []
    contender = configured(tmp_path)[0]
    outcome = run(Trial(contender, 1 << 20, Pruning.CLAIRVOYANT), path, known)
    assert (4, 2, 1) == (outcome.opened, outcome.answered, outcome.references)

    class Watched(Forecast):
        def hear(self, happened: Any) -> None:
            heard.append(happened)
            super().hear(happened)

    watched = Watched(known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backpack.compare.trial.Forecast", lambda _: watched)
        watched._line = 0
        run(Trial(contender, 1 << 20, Pruning.CLAIRVOYANT), path, known)
    for happened in heard:
        forecast.hear(happened)
    assert [True, True] == [not forecast.ahead(seq) for seq in (2, 3)]
    assert [1, 1] == [len(forecast.ahead(seq)) for seq in (5, 6)]


def test_lots_are_drawn_from_the_seed() -> None:
    """The same from the same, others from another; a fifth of what there is, each once."""
    request = request_of(*[10] * 50)
    first, again, other = (DrawnLots(seed)(request) for seed in (1, 1, 2))

    assert first == again != other
    assert 10 == len(first) == len(set(first))
    assert {each.id for each in request.candidates} >= set(first)
    drawn = DrawnLots(1)
    assert drawn(request) != drawn(request)


def test_unbounded_keeps_all() -> None:
    """No value is too large, no history too long."""
    config = unbounded()
    assert 2**62 == config.max_history_size
    assert 2**62 == getattr(config.strategies.reference, "max_value_size", 0)


def test_the_bounds_are_of_configurations_that_work(tmp_path: Path) -> None:
    """Where none does, there is neither a clairvoyant nor a random one."""
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1), look(0)])
    found = compared(path, [Contender("short-lived", preset="short-lived")], [8192, 2 << 20])
    names = [[row.name for row in each.rows] for each in found.rounds]

    assert ["short-lived", "unbounded"] == names[0]
    assert ["short-lived", "unbounded", "clairvoyant", "random"] == names[1]
