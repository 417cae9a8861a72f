"""Plans the trials of a comparison, and puts what came of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from backpack.compare.contenders import Contender
from backpack.compare.running import Runner
from backpack.compare.survey import Survey
from backpack.compare.trial import Ending, Outcome, Pruning, Trial
from backpack.config import Config
from backpack.errors import ConfigError

__all__ = ["BOUNDS", "Comparison", "Round", "Row", "compare", "exit_code", "share"]

#: What stands beside the contenders, from best to worst.
BOUNDS = ("unbounded", "clairvoyant", "random")

_CODES = {
    Ending.FINISHED: 0,
    Ending.WRONG: 1,
    Ending.DIED: 1,
    Ending.BAD_INPUT: 2,
    Ending.REFUSED: 3,
}


@frozen
class Row:
    """One contender, or a bound, at one budget.

    Attributes:
        name: The contender's name, or that of the bound.
        outcome: What came of it.
        trial: Which replay this is.
        is_bound: Whether it is none of the contenders.
    """

    name: str
    outcome: Outcome
    trial: Trial
    is_bound: bool = False


@frozen
class Round:
    """All rows at one budget.

    Attributes:
        budget: The budget in bytes; None if each contender has its own.
        rows: The contenders in their order, then the bounds that there are.
        losses: Replays behind the bounds that came to nothing or went wrong; no rows of their own.
    """

    budget: int | None
    rows: tuple[Row, ...]
    losses: tuple[Row, ...] = ()


@frozen
class Comparison:
    """What came of it all.

    Attributes:
        trace: The file of the trace, or what it is called.
        survey: What the trace looks back at.
        seed: What random pruning drew from.
        rounds: One for each budget, ascending.
    """

    trace: str
    survey: Survey = field(repr=False)
    seed: int
    rounds: tuple[Round, ...]

    def row(self, name: str, budget: int | None) -> Row | None:
        """Return the row of a name at a budget, if there is one."""
        for each in self.rounds:
            if each.budget == budget:
                return next((row for row in each.rows if row.name == name), None)
        return None


def compare(
    path: Path,
    survey: Survey,
    contenders: Sequence[Contender],
    budgets: Sequence[int],
    runner: Runner,
    *,
    seed: int = 0,
    allow_imports: bool = True,
    trace: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Replay a trace under each contender at each budget, and find the bounds.

    ``clairvoyant`` is the best, by looks answered whole, of all that was done at the budget: of
    each contender's configuration with pruning that knows the future in place of its own, and of
    the contenders themselves, since who knows the future could have done what any of them did. So
    no contender is above it. ``random`` is the first contender's configuration, of those that
    work, with lots drawn in place of its own pruning.

    Args:
        path: The trace.
        survey: What it looks back at; see :func:`~backpack.compare.survey.survey`.
        contenders: Who takes part, each name once.
        budgets: Budgets in bytes, ascending; none means that each contender has its own.
        runner: Does the trials.
        seed: What random pruning draws from.
        allow_imports: Whether files may name code from outside Backpack.
        trace: What to call the trace; its path if left out.
        progress: Called now and then with how much is done, and of how much.

    Returns:
        What came of it.
    """
    plans = [
        _Plan.of(contenders, budget, seed=seed, allow_imports=allow_imports)
        for budget in (*budgets, *([] if budgets else [None]))
    ]
    unbounded = Trial(None)
    trials = [unbounded, *(trial for plan in plans for trial in plan.trials)]
    outcomes = dict(zip(trials, runner(trials, path, survey, progress), strict=True))
    kept = Row("unbounded", outcomes[unbounded], unbounded, is_bound=True)
    return Comparison(
        trace=str(path) if trace is None else trace,
        survey=survey,
        seed=seed,
        rounds=tuple(plan.round(outcomes, kept) for plan in plans),
    )


def exit_code(comparison: Comparison) -> int:
    """Return 0 if all is well, or what is wrong, as ``backpack run`` does.

    1 if an answer was wrong, history left its budget or a process died; else 2 if the trace or a
    configuration is bad; else 3 if a contender refused to go on.
    """
    rows = [row for each in comparison.rounds for row in each.rows]
    losses = [row for each in comparison.rounds for row in each.losses]
    codes = {_CODES[row.outcome.ending] for row in rows if not row.is_bound}
    codes |= {1 for row in (*rows, *losses) if _CODES[row.outcome.ending] == 1}
    if comparison.survey.error is not None:
        codes.add(2)
    return next((code for code in (1, 2, 3) if code in codes), 0)


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole, or None where the whole is nothing."""
    return part / whole if whole else None


@frozen
class _Plan:
    """The trials of one round.

    Attributes:
        budget: The budget; None if each contender has its own.
        own: The contenders, each with its trial.
        seers: The same with pruning that knows the future; one for those that differ in nothing
            but their pruning.
        lots: The first one that works with random pruning.
    """

    budget: int | None
    own: tuple[tuple[Contender, Trial], ...]
    seers: tuple[Trial, ...]
    lots: Trial | None

    @classmethod
    def of(
        cls,
        contenders: Iterable[Contender],
        budget: int | None,
        *,
        seed: int,
        allow_imports: bool,
    ) -> _Plan:
        """Plan a round."""
        own, seers = [], []
        lots = None
        met: list[tuple[object, ...]] = []
        for contender in contenders:
            trial = Trial(contender, budget, allow_imports=allow_imports)
            own.append((contender, trial))
            try:
                config = contender.load(allow_imports=allow_imports, max_history_size=budget)
            except ConfigError:
                continue  # Its own trial says why.
            if lots is None:
                lots = Trial(contender, budget, Pruning.RANDOM, seed, allow_imports)
            if _but_pruning(config) not in met:
                met.append(_but_pruning(config))
                seers.append(
                    Trial(contender, budget, Pruning.CLAIRVOYANT, allow_imports=allow_imports)
                )
        return cls(budget, tuple(own), tuple(seers), lots)

    @property
    def trials(self) -> Iterator[Trial]:
        """All of them; those that take longest first."""
        if self.lots is not None:
            yield self.lots
        yield from self.seers
        yield from (trial for _, trial in self.own)

    def round(self, outcomes: Mapping[Trial, Outcome], unbounded: Row) -> Round:
        """Put what came of them side by side."""
        rows = [
            *(Row(contender.name, outcomes[trial], trial) for contender, trial in self.own),
            unbounded,
        ]
        losses: tuple[Row, ...] = ()
        if self.lots is not None:
            # The first of the best: one that knows the future, where it is among them.
            tried = (*self.seers, *(trial for _, trial in self.own), self.lots)
            best = max(tried, key=lambda trial: _merit(outcomes[trial]))
            rows.append(Row("clairvoyant", outcomes[best], best, is_bound=True))
            rows.append(Row("random", outcomes[self.lots], self.lots, is_bound=True))
            losses = tuple(
                Row("clairvoyant", outcomes[trial], trial, is_bound=True)
                for trial in self.seers
                if trial != best and _CODES[outcomes[trial].ending] == 1
            )
        return Round(self.budget, tuple(rows), losses)


def _but_pruning(config: Config) -> tuple[object, ...]:
    """Return all that decides what a replay comes to, the pruning aside."""
    return (
        config.max_history_size,
        config.sizing,
        config.reference,
        config.storage,
        config.codec,
    )


def _merit(outcome: Outcome) -> tuple[int, int]:
    return outcome.answered, outcome.answered_bytes
