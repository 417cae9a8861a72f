"""What a comparison says in words and cells, wherever it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from backpack.compare.comparison import Comparison, Round, Row, share
from backpack.compare.trial import Ending, Pruning
from backpack.units import format_size
from backpack.wording import counted, one_line

__all__ = [
    "COLUMNS",
    "LEGEND",
    "NONE",
    "Column",
    "Note",
    "about",
    "cells",
    "notes",
    "percent",
    "title",
]

#: Stands where there is nothing to tell.
NONE = "-"


@frozen
class Column:
    """A column of the table.

    Attributes:
        short: Its heading where there is little room.
        long: Its heading where there is more.
    """

    short: str
    long: str


#: The columns, the name of the contender aside.
COLUMNS = (
    Column("kept", "commits retained"),
    Column("looks", "look-backs answered whole"),
    Column("bytes", "bytes answered"),
    Column("oldest", "oldest commit at the end"),
    Column("peak", "history at its peak"),
    Column("full", "of the budget"),
    Column("p50", "pack, p50, ms"),
    Column("p99", "pack, p99, ms"),
    Column("mean", "pack, mean, ms"),
    Column("refs", "values left out"),
)

LEGEND = (
    "kept: commits retained at the end · looks: look-backs answered whole, of all · bytes: of the "
    "values looked at, those that were there · oldest: the oldest commit that still answers at the "
    "end · peak, full: the most history took, and of its budget · p50, p99, mean: milliseconds a "
    "pack took · refs: values too large for history"
)


@frozen
class Note:
    """A remark on a row.

    Attributes:
        name: The row's name.
        text: The remark, in one line.
        is_failure: Whether it tells why the row is not whole.
    """

    name: str
    text: str
    is_failure: bool = False


def about(comparison: Comparison) -> str:
    """Return in a line what was replayed."""
    survey = comparison.survey
    looks = (
        f"{counted(len(survey.looks), 'look-back')} at {format_size(survey.look_bytes)} of values"
        if survey.looks
        else "no look-backs, so there are no shares of them: record a run that looks back, or "
        "convert a log with --look-backs"
    )
    name = one_line(Path(comparison.trace).name)
    return f"{name} · {counted(survey.commits, 'commit')} · {looks}"


def title(each: Round) -> str:
    """Return what a round is called."""
    if each.budget is None:
        return "Each with the budget it is configured with"
    return f"Budget {format_size(each.budget)}"


def cells(row: Row, comparison: Comparison) -> tuple[str, ...]:
    """Return what stands in the columns of a row."""
    outcome, survey = row.outcome, comparison.survey
    if not outcome.operations:
        return (NONE,) * len(COLUMNS)
    pack = outcome.pack
    return (
        f"{outcome.retained:,}",
        percent(share(outcome.answered, len(survey.looks))),
        percent(share(outcome.answered_bytes, survey.look_bytes)),
        NONE if outcome.oldest is None else f"{outcome.oldest:,}",
        format_size(outcome.peak),
        NONE if outcome.budget is None else percent(outcome.peak / outcome.budget),
        *(_milliseconds(each) for each in (pack.p50, pack.p99, pack.mean)),
        f"{outcome.references:,}",
    )


def percent(part: float | None) -> str:
    """Write a share for people. It is 100 % only where nothing is missing.

    >>> percent(0.9996), percent(1.0), percent(None)
    ('99.9%', '100%', 'none')
    """
    if part is None:
        return "none"
    # Without the rounding, 0.29 would be 28.9 %.
    tenths = math.floor(round(part * 1000, 6))
    return f"{tenths // 10}%" if tenths % 10 == 0 else f"{tenths / 10:.1f}%"


def notes(each: Round, comparison: Comparison) -> Iterator[Note]:
    """Yield what there is to say on the rows of a round."""
    if each.budget is None:
        own = [
            f"{one_line(row.name)} {format_size(row.outcome.budget)}"
            for row in each.rows
            if row.outcome.budget is not None and not row.is_bound
        ]
        if own:
            yield Note("budgets", " · ".join(own))
    for row in each.rows:
        contender = row.trial.contender
        if row.is_bound and contender is not None:
            yield Note(row.name, _origin(row, contender.name))
    for row in (*each.rows, *each.losses):
        if row.outcome.error is not None and row.outcome.error != comparison.survey.error:
            yield Note(row.name, _failure(row, comparison), is_failure=True)
        elif row.outcome.ending is Ending.WRONG:
            yield Note(row.name, _wrong(row), is_failure=True)


def _origin(row: Row, name: str) -> str:
    match row.trial.pruning:
        case Pruning.CLAIRVOYANT:
            return f"in the configuration of {one_line(name)}"
        case Pruning.RANDOM if row.name == "random":
            return f"in the configuration of {one_line(name)}, drawn from seed {row.trial.seed}"
        case Pruning.RANDOM:
            return f"{one_line(name)} with random pruning came off best"
        case Pruning.OWN:
            return f"{one_line(name)} itself came off best"


def _failure(row: Row, comparison: Comparison) -> str:
    outcome = row.outcome
    where = ""
    if outcome.line is not None:
        where = f"stopped at line {outcome.line:,}, after {outcome.operations:,} of "
        where += f"{counted(comparison.survey.operations, 'operation')}: "
    contender = row.trial.contender
    whose = f"of {one_line(contender.name)}: " if row.is_bound and contender is not None else ""
    return f"{whose}{where}{outcome.error}"


def _wrong(row: Row) -> str:
    outcome = row.outcome
    if outcome.wrong:
        return f"{counted(outcome.wrong, 'look-back')} not answered as the trace says"
    return (
        f"history took up to {outcome.peak:,} bytes, more than its budget, after "
        f"{counted(outcome.over_budget, 'operation')}"
    )


def _milliseconds(microseconds: float | None) -> str:
    if microseconds is None:
        return NONE
    milliseconds = microseconds / 1000
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.2f}"
