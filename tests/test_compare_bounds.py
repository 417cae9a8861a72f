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
from backpack.records import (
    Commit,
    Committed,
    PruneRequest,
    Reference,
    Referenced,
    RetainedCommit,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for all examples."""
    with TemporaryDirectory() as name:
        yield Path(name)


@settings(max_examples=20)
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


def test_a_look_that_will_miss_a_value_is_none_to_keep_a_commit_for(tmp_path: Path) -> None:
    """Once a value that history leaves out is superseded; until then it is there."""
    operations = [pack("b", 1), pack("a", "large"), pack("b", 2), look(0), pack("a", "small")]
    operations += [look(3), look(2), look(1), look(0), pack("a", "large")]
    forecast = Forecast(survey(write_trace(tmp_path / "t.jsonl", operations)))
    large = Reference(size=9_000, digest="", reason="large")

    forecast.hear(Committed(Commit("k3fq7x", 2, 0.0, ())))
    assert [1, 1, 2, 1] == [len(forecast.ahead(seq)) for seq in range(1, 5)]
    forecast.hear(Referenced("2-k3fq7x", "a", large))
    assert [1, 0, 1, 1] == [len(forecast.ahead(seq)) for seq in range(1, 5)]
    assert [4] == [each.line for each in forecast.ahead(3)]
    # Nothing supersedes the last one.
    forecast.hear(Referenced("5-k3fq7x", "a", large))
    assert [1, 0, 1, 1] == [len(forecast.ahead(seq)) for seq in range(1, 5)]


def test_who_knows_the_future_gives_up_what_will_not_be_whole(tmp_path: Path) -> None:
    """Two looks at commits with a large value are lost; room is kept for the third."""
    operations = [pack("b", f"{0:900}"), pack("a", "x" * 2_000)]
    operations += [pack("b", f"{number:900}") for number in range(1, 3)]
    operations += [pack("a", "small"), *(pack("b", f"{number:900}") for number in range(3, 20))]
    operations += [look(19), look(18), look(21)]
    path = write_trace(tmp_path / "t.jsonl", operations)
    contender = configured(tmp_path)[0]
    outcome = run(Trial(contender, 6_000, Pruning.CLAIRVOYANT), path, survey(path))

    assert (1, 1, 1) == (outcome.opened, outcome.answered, outcome.oldest)


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
