"""The report on a replayed and verified trace: for people to read, and for programs."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from enum import Enum
from pathlib import Path

from attrs import frozen
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backpack.errors import BudgetError, InvalidKey, PolicyError, TraceError, UnpackableValue
from backpack.replay import Replay
from backpack.units import format_size
from backpack.verify import Verification
from backpack.wording import counted, one_line

__all__ = ["Report", "Times", "Verdict", "as_dict", "chart", "judge", "render", "to_ascii"]

_CHART_WIDTH = 64
_CHART_HEIGHT = 8
# Below this share of the budget, the chart is drawn to the scale of the history instead.
_WORTH_SHOWING = 0.2
_BLOCKS = " ▁▂▃▄▅▆▇█"
_TO_ASCII = str.maketrans("▁▂▃▄▅▆▇█│└─·µ✔✘", "..::==##|+--u+x")


class Verdict(Enum):
    """What a run came to; the value is the exit code of the command."""

    EXACT = 0
    WRONG = 1
    BAD_INPUT = 2
    REFUSED = 3


@frozen
class Report:
    """Everything a report tells.

    Attributes:
        trace: The file of the trace, or what it is called.
        preset: The name of the configuration.
        replay: What happened.
        verification: What was found of it.
        verdict: What it came to.
        error: What ended the replay before the end of the trace, in one line.
        config: The file of the configuration, if it is no preset.
    """

    trace: str
    preset: str
    replay: Replay
    verification: Verification
    verdict: Verdict
    error: str | None = None
    config: str | None = None


@frozen
class Times:
    """How long something took, in microseconds; all None if it never happened.

    Attributes:
        p50: Half of them took at most this long.
        p99: All but one in a hundred took at most this long.
        mean: The average.
    """

    p50: float | None
    p99: float | None
    mean: float | None

    @classmethod
    def of(cls, nanoseconds: array[int]) -> Times:
        """Sum up measured times.

        Args:
            nanoseconds: The times, in any order.

        >>> Times.of(array("Q", [1_000, 2_000, 6_000]))
        Times(p50=2.0, p99=6.0, mean=3.0)
        """
        if not nanoseconds:
            return cls(None, None, None)
        ranked = sorted(nanoseconds)

        def at(share: float) -> float:
            return round(ranked[math.ceil(share * len(ranked)) - 1] / 1000, 1)

        return cls(at(0.5), at(0.99), round(sum(ranked) / len(ranked) / 1000, 1))

    def as_dict(self) -> dict[str, float | None]:
        """Return ``{"p50": ..., "p99": ..., "mean": ...}``."""
        return {"p50": self.p50, "p99": self.p99, "mean": self.mean}

    def __str__(self) -> str:
        if self.p50 is None or self.p99 is None or self.mean is None:
            return "none"
        return f"p50 {self.p50:,.0f} µs · p99 {self.p99:,.0f} µs · mean {self.mean:,.0f} µs"


def as_dict(report: Report) -> dict[str, object]:
    """Return the report for programs: only what JSON can say.

    Sizes are in bytes, times in microseconds where the name says so and in seconds elsewhere.
    """
    replay, verification, usage = report.replay, report.verification, report.replay.usage
    return {
        "trace": report.trace,
        "preset": report.preset,
        "config": report.config,
        "verdict": report.verdict.name.lower().replace("_", " "),
        "error": report.error,
        "operations": replay.operations,
        "commits": replay.commits,
        "retained": usage.commits_retained,
        "pruned": usage.commits_pruned,
        "prunings": replay.prunings,
        "budget_bytes": usage.budget_bytes,
        "history_bytes": usage.history_bytes,
        "peak_history_bytes": usage.peak_history_bytes,
        "over_budget": replay.over_budget,
        "current_bytes": usage.current_bytes,
        "keys": usage.keys,
        "versions": usage.versions,
        "references": replay.references,
        "references_held": usage.references,
        "snapshots_read": len(replay.look_backs),
        "snapshots_pruned": replay.looks_pruned,
        "values": verification.values,
        "values_unavailable": verification.values_unavailable,
        "verified": verification.verified,
        "wrong": verification.wrong,
        "mistakes": list(verification.mistakes),
        "pack_us": Times.of(replay.pack_ns).as_dict(),
        "snapshot_us": Times.of(replay.snapshot_ns).as_dict(),
        "seconds": round(replay.seconds, 3),
        "verify_seconds": round(verification.seconds, 3),
        "history_over_time": [list(point) for point in replay.history_over_time],
    }


def judge(replay: Replay, verification: Verification) -> Verdict:
    """Return what a run came to; a wrong answer outweighs everything else."""
    usage = replay.usage
    over_budget = replay.over_budget or usage.peak_history_bytes > usage.budget_bytes
    if verification.wrong or over_budget:
        return Verdict.WRONG
    match replay.error:
        case None:
            return Verdict.EXACT
        case BudgetError() | PolicyError():
            return Verdict.REFUSED
        case TraceError() | InvalidKey() | UnpackableValue():
            return Verdict.BAD_INPUT
        case _:
            return Verdict.WRONG


def render(report: Report) -> RenderableType:
    """Return the report for people, to be printed by rich; 80 columns do."""
    replay = report.replay
    settings = f"preset {report.preset}"
    if report.config is not None:
        settings = Path(report.config).name
        if report.preset not in (report.config, settings):
            settings = f"{report.preset} ({settings})"
    title = f" · {one_line(Path(report.trace).name)} · {one_line(settings)}"
    parts: list[RenderableType] = [
        Text.assemble(("Backpack", "bold"), title),
        Text(),
        _verdict(report),
        *(Text(f"  {mistake}", style="red") for mistake in report.verification.mistakes),
        Text(),
    ]
    if replay.history_over_time:
        parts += [*_drawn(replay), Text()]
    return Group(*parts, _numbers(report))


def chart(sizes: Sequence[int], top: int) -> list[str]:
    """Draw sizes over time with block characters, 80 columns wide at most.

    Args:
        sizes: Sizes in bytes at even distances, oldest first; at least one. Where several share
            a column, the largest is drawn.
        top: The size at the upper edge, in bytes.

    Returns:
        The lines, from top to bottom.
    """
    columns = []
    for column in range(_CHART_WIDTH):
        start = column * len(sizes) // _CHART_WIDTH
        end = max(start + 1, (column + 1) * len(sizes) // _CHART_WIDTH)
        eighths = round(max(sizes[start:end]) / top * _CHART_HEIGHT * 8)
        columns.append(max(1, eighths))
    lines = []
    for row in reversed(range(_CHART_HEIGHT)):
        label = format_size(top) if row == _CHART_HEIGHT - 1 else ""
        bar = "".join(_BLOCKS[min(max(eighths - 8 * row, 0), 8)] for eighths in columns)
        lines.append(f"{label:>10} │{bar}".rstrip())
    return [*lines, f"{'0':>10} └{'─' * _CHART_WIDTH}"]


def to_ascii(text: str) -> str:
    """Return a rendered report for a terminal that knows nothing but ASCII.

    Every character is replaced by one, so that columns stay where they are.
    """
    return text.translate(_TO_ASCII).encode("ascii", "replace").decode("ascii")


def _verdict(report: Report) -> Text:
    replay, verification, usage = report.replay, report.verification, report.replay.usage
    verified, retained = verification.verified, usage.commits_retained
    of_them = "" if verified == retained else f"{verified:,} of "
    exact = (
        f"{of_them}{counted(retained, 'retained commit')} and "
        f"{counted(verification.look_backs, 'look-back')} read back exactly as the trace says"
    )
    match report.verdict:
        case Verdict.EXACT:
            return Text.assemble(
                ("✔ Exact. ", "bold green"),
                f"{exact}; history never left its budget.",
            )
        case Verdict.WRONG if usage.peak_history_bytes > usage.budget_bytes or replay.over_budget:
            over = (
                f"history took up to {usage.peak_history_bytes:,} bytes of a budget of "
                f"{usage.budget_bytes:,}; it was over it after {replay.over_budget:,} operations."
            )
            return Text.assemble(("✘ Over budget: ", "bold red"), over)
        case Verdict.WRONG if verification.wrong:
            wrong = (
                f"{counted(verification.wrong, 'answer')} not as the trace says; "
                f"{verified:,} of {counted(retained, 'retained commit')} found right."
            )
            return Text.assemble(("✘ Wrong: ", "bold red"), wrong)
        case Verdict.WRONG:
            return Text.assemble(
                ("✘ Broken: ", "bold red"), f"the replay stopped. Before, {exact}."
            )
        case Verdict.BAD_INPUT:
            cause = ("✘ The trace cannot be replayed further. ", "bold yellow")
        case Verdict.REFUSED:
            cause = ("✘ The Backpack refused to go on. ", "bold yellow")
    return Text.assemble(cause, f"Before that, {exact}.")


def _drawn(replay: Replay) -> list[Text]:
    usage = replay.usage
    budget, peak = usage.budget_bytes, max(size for _, size in replay.history_over_time)
    if peak >= _WORTH_SHOWING * budget:
        title, top = "History over time, up to its budget", max(budget, peak)
    else:
        title = f"History over time, up to its peak; the budget is {budget / peak:,.0f} times that"
        top = peak
    lines = chart([size for _, size in replay.history_over_time], top)
    axis = f"{'':12}{'commit 1':<{_CHART_WIDTH - 12}}{f'{replay.commits:,}':>12}"
    return [
        Text(f"{'':12}{title}", style="dim", no_wrap=True),
        *(Text(line, style="cyan", no_wrap=True) for line in lines),
        Text(axis, style="dim", no_wrap=True),
    ]


def _numbers(report: Report) -> Table:
    replay, verification, usage = report.replay, report.verification, report.replay.usage
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    rows = {
        "Commits": f"{usage.commits_made:,} made · {usage.commits_retained:,} retained · "
        f"{usage.commits_pruned:,} pruned{_times(replay.prunings)}",
        "History": f"{format_size(usage.history_bytes)} now · "
        f"{format_size(usage.peak_history_bytes)} at its peak · "
        f"{format_size(usage.budget_bytes)} budget",
        "Current state": f"{format_size(usage.current_bytes)} in {counted(usage.keys, 'key')}",
        "References": f"{counted(replay.references, 'packed value')} too large for history · "
        f"{usage.references:,} held",
        "Look-backs": f"{len(replay.look_backs):,} read · {replay.looks_pruned:,} met a pruned "
        "commit",
        "Pack": str(Times.of(replay.pack_ns)),
        "Snapshot": str(Times.of(replay.snapshot_ns)),
        "Verified": f"{counted(verification.verified, 'commit')} with "
        f"{counted(verification.values, 'value')} · "
        f"{verification.values_unavailable:,} unavailable · {verification.wrong:,} wrong",
        "Time": f"{replay.seconds:,.1f} s to replay · {verification.seconds:,.1f} s to verify",
    }
    for name, text in rows.items():
        table.add_row(Text(name), Text(text))
    return table


def _times(prunings: int) -> str:
    return f" ({counted(prunings, 'time')})" if prunings else ""
