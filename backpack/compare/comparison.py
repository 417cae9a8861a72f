"""Plans the trials of a comparison, and puts what came of them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from backpack.compare.contenders import Contender
from backpack.compare.running import Runner
from backpack.compare.survey import Survey
from backpack.compare.trial import Ending, Outcome, Pruning, Trial
from backpack.config import Config
from backpack.errors import ConfigError

__all__ = ["Comparison", "Round", "Row", "compare", "exit_code", "share"]

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
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Replay a trace under each contender at each budget, and find the bounds.

    ``clairvoyant`` is the best, by looks answered whole, of all that was done at the budget: of
    each contender's configuration with pruning that knows the future in place of its own, and of
    the contenders themselves, since who knows the future could have done what any of them did. So
    nothing is above it. ``random`` is the same configuration with lots drawn in place of its
    pruning: what lies between the two is what pruning can win there.

    Args:
        path: The trace.
        survey: What it looks back at; see :func:`~backpack.compare.survey.survey`.
        contenders: Who takes part, each name once.
        budgets: Budgets in bytes, ascending; none means that each contender has its own.
        runner: Does the trials.
        seed: What random pruning draws from.
        allow_imports: Whether files may name code from outside Backpack.
        progress: Called now and then with how much is done, and of how much.

    Returns:
        What came of it.
    """
    plans = [
        _Plan.of(contenders, budget, allow_imports=allow_imports)
        for budget in (*budgets, *([] if budgets else [None]))
    ]
    unbounded = Trial(None)
    first = [unbounded, *(trial for plan in plans for trial in plan.trials)]
    advance = _Advance(progress, len(first) + len(plans))
    outcomes = dict(
        zip(first, runner(first, path, survey, advance.part(0, len(first))), strict=True)
    )
    drawn = [plan.lots(outcomes, seed) for plan in plans]
    last = [trial for trial in drawn if trial is not None]
    found = runner(last, path, survey, advance.part(len(first), len(last)))
    outcomes |= dict(zip(last, found, strict=True))
    kept = Row("unbounded", outcomes[unbounded], unbounded, is_bound=True)
    return Comparison(
        trace=str(path),
        survey=survey,
        seed=seed,
        rounds=tuple(
            plan.round(outcomes, kept, lots) for plan, lots in zip(plans, drawn, strict=True)
        ),
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
        seers: The same with pruning that knows the future: one for those that differ in nothing
            but their pruning.
    """

    budget: int | None
    own: tuple[tuple[Contender, Trial], ...]
    seers: tuple[Trial, ...]

    @classmethod
    def of(
        cls, contenders: Iterable[Contender], budget: int | None, *, allow_imports: bool
    ) -> _Plan:
        """Plan a round."""
        own, seers = [], []
        met: list[object] = []
        for contender in contenders:
            trial = Trial(contender, budget, allow_imports=allow_imports)
            own.append((contender, trial))
            try:
                # Nothing of anybody's is run in this process.
                config = contender.load(allow_imports=False, max_history_size=budget)
                kind: object = _but_pruning(config)
            except ConfigError:
                if contender.preset is not None or not allow_imports:
                    continue  # Its own trial says why.
                kind = contender
            if kind not in met:
                met.append(kind)
                seers.append(evolve(trial, pruning=Pruning.CLAIRVOYANT))
        return cls(budget, tuple(own), tuple(seers))

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All of them."""
        return (*self.seers, *(trial for _, trial in self.own))

    def best(self, outcomes: Mapping[Trial, Outcome]) -> Trial | None:
        """Return the best; one that knows the future, where it is among the best.

        None if no configuration works.
        """
        best = max(self.trials, key=lambda trial: _merit(outcomes[trial]))
        return best if outcomes[best].operations else None

    def lots(self, outcomes: Mapping[Trial, Outcome], seed: int) -> Trial | None:
        """Return the trial that draws lots, in the best configuration; None if none works."""
        best = self.best(outcomes)
        return None if best is None else evolve(best, pruning=Pruning.RANDOM, seed=seed)

    def round(self, outcomes: Mapping[Trial, Outcome], unbounded: Row, lots: Trial | None) -> Round:
        """Put what came of them side by side."""
        rows = [
            *(Row(contender.name, outcomes[trial], trial) for contender, trial in self.own),
            unbounded,
        ]
        best = self.best(outcomes)
        if best is not None and lots is not None:
            # Whom the lot favours is not better than who knows the future.
            best = max(best, lots, key=lambda trial: _merit(outcomes[trial]))
            rows.append(Row("clairvoyant", outcomes[best], best, is_bound=True))
            rows.append(Row("random", outcomes[lots], lots, is_bound=True))
        losses = tuple(
            Row("clairvoyant", outcomes[trial], trial, is_bound=True)
            for trial in self.seers
            if trial != best and _CODES[outcomes[trial].ending] == 1
        )
        return Round(self.budget, tuple(rows), losses)


@frozen
class _Advance:
    """Tells the progress of one part after the other as that of a whole.

    Attributes:
        progress: Whom to tell.
        whole: How many trials there are.
    """

    progress: Callable[[int, int], None] | None
    whole: int

    def part(self, start: int, length: int) -> Callable[[int, int], None] | None:
        """Return what tells of some of the trials, those from a number on."""
        progress = self.progress
        if progress is None:
            return None

        def told(done: int, total: int) -> None:
            each = total // max(length, 1)
            progress(start * each + done, self.whole * each)

        return told


def _but_pruning(config: Config) -> tuple[object, ...]:
    """Return all that decides what a replay comes to, the pruning aside."""
    return (
        config.max_history_size,
        config.sizing,
        config.reference,
        config.storage,
        config.codec,
    )


def _merit(outcome: Outcome) -> tuple[int, int, bool]:
    return outcome.answered, outcome.answered_bytes, outcome.operations > 0
