"""One replay of a trace under one configuration, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path

from attrs import evolve, field, frozen

from backpack.compare.bounds import Clairvoyant, DrawnLots, Forecast, unbounded
from backpack.compare.contenders import Contender
from backpack.compare.survey import Survey
from backpack.config import Config
from backpack.container import Backpack
from backpack.errors import (
    BackpackError,
    BudgetError,
    ConfigError,
    InvalidKey,
    PolicyError,
    TraceError,
    UnpackableValue,
)
from backpack.replay import Replay, replay
from backpack.report import Times
from backpack.trace import read_trace
from backpack.wording import one_line

__all__ = ["Ending", "Outcome", "Pruning", "Trial", "run"]

_ERROR_LENGTH = 1_000


class Pruning(Enum):
    """Who chooses what goes."""

    OWN = "own"
    CLAIRVOYANT = "clairvoyant"
    RANDOM = "random"


class Ending(Enum):
    """How a trial ended; the words are those of the report."""

    FINISHED = "finished"
    WRONG = "wrong"
    BAD_INPUT = "bad input"
    REFUSED = "refused"
    DIED = "died"


@frozen
class Trial:
    """A replay to be done.

    Attributes:
        contender: Whose configuration; None for one that keeps everything.
        budget: The history budget in bytes; None for the one configured.
        pruning: Who chooses what goes.
        seed: What random pruning draws from.
        allow_imports: Whether a file may name code from outside Backpack.
    """

    contender: Contender | None
    budget: int | None = None
    pruning: Pruning = Pruning.OWN
    seed: int = 0
    allow_imports: bool = True


@frozen
class Outcome:
    """What came of a trial. All but the times is the same every time.

    Attributes:
        ending: How it ended.
        error: Why it did not get to the end of the trace, in one line.
        line: The line of the trace at which that was, if one is to blame.
        budget: The history budget, in bytes; None if it never had one.
        operations: Operations done.
        commits: Commits made.
        retained: Commits that snapshots still answer for.
        oldest: The number of the oldest of them; None if there is none.
        opened: Looks that met a retained commit.
        answered: Looks that were answered, with every value and rightly.
        answered_bytes: Bytes of the values that looks got.
        wrong: Looks that were answered with other values than the trace has.
        references: Packed values that history left out.
        prunings: How often commits were given up to make room.
        over_budget: After how many operations history took more than its budget.
        peak: The most bytes that history ever took.
        pack: How long a pack took.
        seconds: How long it all took.
    """

    ending: Ending
    error: str | None = None
    line: int | None = None
    budget: int | None = None
    operations: int = 0
    commits: int = 0
    retained: int = 0
    oldest: int | None = None
    opened: int = 0
    answered: int = 0
    answered_bytes: int = 0
    wrong: int = 0
    references: int = 0
    prunings: int = 0
    over_budget: int = 0
    peak: int = 0
    pack: Times = field(default=Times(None, None, None), eq=False)
    seconds: float = field(default=0.0, eq=False)


def run(
    trial: Trial,
    path: Path,
    survey: Survey,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Do a replay.

    Args:
        trial: Which.
        path: The trace.
        survey: What it looks back at.
        progress: Called now and then with the bytes of the trace read so far and its size.

    Returns:
        What came of it; whatever goes wrong is part of the answer.
    """
    forecast = Forecast(survey)
    try:
        backpack = _backpack(trial, forecast)
    except BackpackError as error:
        return Outcome(Ending.BAD_INPUT, error=_one_line(error))
    if trial.pruning is Pruning.CLAIRVOYANT:
        backpack.subscribe(forecast.hear)
    operations = read_trace(path, progress=progress)
    replayed = replay(forecast.followed(operations), backpack)
    history = backpack.history()
    outcome = Outcome(
        ending=_ending(replayed),
        error=None if replayed.error is None else _one_line(replayed.error),
        line=replayed.line,
        budget=None if trial.contender is None else replayed.usage.budget_bytes,
        operations=replayed.operations,
        commits=replayed.commits,
        retained=replayed.usage.commits_retained,
        oldest=history[-1].seq if history else None,
        references=replayed.references,
        prunings=replayed.prunings,
        over_budget=replayed.over_budget,
        peak=replayed.usage.peak_history_bytes,
        pack=Times.of(replayed.pack_ns),
        seconds=round(replayed.seconds, 3),
    )
    return _judged(outcome, replayed, survey)


def _backpack(trial: Trial, forecast: Forecast) -> Backpack:
    """Make the Backpack of a trial.

    Raises:
        ConfigError: It cannot be made.
    """
    if trial.contender is None:
        return _without_archive(unbounded())
    overrides: dict[str, object] = {"max_history_size": trial.budget}
    if trial.pruning is Pruning.CLAIRVOYANT:
        overrides["pruning"] = Clairvoyant(forecast)
    elif trial.pruning is Pruning.RANDOM:
        overrides["pruning"] = DrawnLots(trial.seed)
    return _without_archive(trial.contender.load(allow_imports=trial.allow_imports, **overrides))


def _without_archive(config: Config) -> Backpack:
    """Make a Backpack that loses what it gives up, so that there is something to compare."""
    arguments = config.arguments()
    arguments["archive"] = None
    if config.archive is not None and getattr(arguments["reference"], "spills", False):
        raise ConfigError(
            "keeps large values in its archive, and a comparison is made without archives; "
            "use 'stub' to compare the rest",
            field="reference",
            where=config.source,
        )
    return Backpack(**arguments)


def _judged(outcome: Outcome, replayed: Replay, survey: Survey) -> Outcome:
    """Count what the looks got, by what the trace says they should have got."""
    answered = got = wrong = 0
    for look in replayed.look_backs:
        missing = sum(survey.value_bytes(each.key, look.seq) for each in look.unavailable)
        if look.unavailable or look.digest == survey.digests[look.seq]:
            answered += not look.unavailable
            got += survey.state_bytes[look.seq] - missing
        else:
            wrong += 1
    is_wrong = wrong or outcome.over_budget or outcome.peak > replayed.usage.budget_bytes
    return evolve(
        outcome,
        ending=Ending.WRONG if is_wrong else outcome.ending,
        opened=len(replayed.look_backs),
        answered=answered,
        answered_bytes=got,
        wrong=wrong,
    )


def _ending(replayed: Replay) -> Ending:
    match replayed.error:
        case None:
            return Ending.FINISHED
        case BudgetError() | PolicyError():
            return Ending.REFUSED
        case TraceError() | InvalidKey() | UnpackableValue():
            return Ending.BAD_INPUT
        case _:
            return Ending.WRONG


def _one_line(error: BackpackError) -> str:
    return one_line(str(error), longest=_ERROR_LENGTH)
