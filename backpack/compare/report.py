"""A comparison on the terminal, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backpack.compare.comparison import Comparison, Round, Row, share
from backpack.compare.words import COLUMNS, LEGEND, NONE, about, cells, notes, percent, title
from backpack.units import format_size
from backpack.wording import one_line

__all__ = ["as_dict", "render"]

_BLOCKS = "▁▂▃▄▅▆▇█"
_BUDGETS_A_TABLE = 7


def as_dict(comparison: Comparison) -> dict[str, object]:
    """Return a comparison for programs: only what JSON can say.

    Sizes are in bytes, times in microseconds where the name says so and in seconds elsewhere.
    """
    survey = comparison.survey
    return {
        "trace": comparison.trace,
        "error": survey.error,
        "operations": survey.operations,
        "commits": survey.commits,
        "look_backs": len(survey.looks),
        "look_back_bytes": survey.look_bytes,
        "seed": comparison.seed,
        "rounds": [
            {
                "budget_bytes": each.budget,
                "rows": [_row(row, comparison) for row in each.rows],
                "losses": [_row(row, comparison) for row in each.losses],
            }
            for each in comparison.rounds
        ],
    }


def _row(row: Row, comparison: Comparison) -> dict[str, object]:
    outcome, survey, contender = row.outcome, comparison.survey, row.trial.contender
    return {
        "name": row.name,
        "is_bound": row.is_bound,
        "configuration": None if contender is None else contender.name,
        "file": None if contender is None else contender.file,
        "pruning": row.trial.pruning.value,
        "ending": outcome.ending.value,
        "error": outcome.error,
        "line": outcome.line,
        "operations": outcome.operations,
        "commits": outcome.commits,
        "retained": outcome.retained,
        "oldest": outcome.oldest,
        "opened": outcome.opened,
        "answered": outcome.answered,
        "answered_share": share(outcome.answered, len(survey.looks)),
        "answered_bytes": outcome.answered_bytes,
        "answered_bytes_share": share(outcome.answered_bytes, survey.look_bytes),
        "wrong": outcome.wrong,
        "budget_bytes": outcome.budget,
        "peak_history_bytes": outcome.peak,
        "peak_share": None if outcome.budget is None else outcome.peak / outcome.budget,
        "over_budget": outcome.over_budget,
        "prunings": outcome.prunings,
        "references": outcome.references,
        "pack_us": outcome.pack.as_dict(),
        "seconds": outcome.seconds,
    }


def render(comparison: Comparison) -> RenderableType:
    """Return a comparison for people, to be printed by rich; 80 columns mostly do."""
    parts: list[RenderableType] = [
        Text.assemble(("Backpack", "bold"), " · ", about(comparison)),
        Text(),
    ]
    if len(comparison.rounds) > 1 and comparison.survey.looks:
        parts += _by_budget(comparison)
    for each in comparison.rounds:
        parts += [Text(title(each), style="bold"), _table(each, comparison)]
        parts += [*_remarks(each, comparison), Text()]
    return Group(*parts, Text(LEGEND, style="dim"))


def _by_budget(comparison: Comparison) -> Iterator[RenderableType]:
    """Yield the curve: what each answers at each budget."""
    rounds = comparison.rounds
    yield Text("Look-backs answered whole, by budget", style="bold")
    for start in range(0, len(rounds), _BUDGETS_A_TABLE):
        part = rounds[start : start + _BUDGETS_A_TABLE]
        is_last = start + len(part) == len(rounds)
        table = _grid([*(format_size(each.budget or 0) for each in part), "curve" * is_last])
        for name in dict.fromkeys(row.name for each in rounds for row in each.rows):
            shares = [_answered(comparison.row(name, each.budget), comparison) for each in rounds]
            told = [NONE if each is None else percent(each) for each in shares]
            table.add_row(
                Text(one_line(name)),
                *(Text(each) for each in told[start : start + len(part)]),
                Text(_curve(shares) if is_last else ""),
            )
        yield table
        yield Text()


def _answered(row: Row | None, comparison: Comparison) -> float | None:
    if row is None or not row.outcome.operations:
        return None
    return share(row.outcome.answered, len(comparison.survey.looks))


def _curve(shares: Sequence[float | None]) -> str:
    highest = len(_BLOCKS) - 1
    return "".join(" " if each is None else _BLOCKS[round(each * highest)] for each in shares)


def _table(each: Round, comparison: Comparison) -> Table:
    table = _grid([column.short for column in COLUMNS])
    for row in each.rows:
        style = "dim" if row.is_bound else ""
        table.add_row(
            Text(one_line(row.name)),
            *(Text(cell) for cell in cells(row, comparison)),
            style=style,
        )
    return table


def _grid(headings: Sequence[str]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", overflow="fold", min_width=8)
    for heading in headings:
        table.add_column(Text(heading), justify="right", no_wrap=True)
    return table


def _remarks(each: Round, comparison: Comparison) -> Iterator[Text]:
    for note in notes(each, comparison):
        mark, style = ("✘ ", "yellow") if note.is_failure else ("", "dim")
        yield Text(f"{mark}{one_line(note.name)}: {note.text}", style=style)
