"""The curve of answered look-backs against the budget, as SVG that is the same every time.

matplotlib draws; it is imported when there is something to draw.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Final

from attrs import frozen

from backpack.compare.comparison import Comparison, Row, share
from backpack.compare.contenders import BOUNDS
from backpack.errors import ConfigError
from backpack.units import format_size
from backpack.wording import one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BY_BYTES", "BY_COUNT", "RETAINED", "Measure", "measures", "need_plots", "plot"]

# Neither dark nor light: they are read on white, and on black.
_INK: Final = "#767676"
_COLOURS: Final = (
    "#2a7fc0",
    "#d1462f",
    "#2e9447",
    "#9467bd",
    "#b8690a",
    "#138d94",
    "#c7559b",
    "#7d8420",
)
_MARKERS: Final = "osD^vPX*"
_TICKS: Final = 8
_NAME_LENGTH: Final = 40
_METADATA: Final = ("Creator", "Date", "Format", "Type")
_STYLE: Final = {
    "svg.hashsalt": "backpack",
    "text.parse_math": False,
    "font.size": 9.5,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "legend.frameon": False,
}


@frozen
class Measure:
    """What is drawn.

    Attributes:
        label: What the axis says.
        of: The field of an outcome.
    """

    label: str
    of: str

    def share(self, row: Row, comparison: Comparison) -> float | None:
        """Return the share of a row; None if it did nothing."""
        survey = comparison.survey
        whole = {
            "answered": len(survey.looks),
            "answered_bytes": survey.look_bytes,
            "retained": survey.commits,
        }[self.of]
        part: int = getattr(row.outcome, self.of)
        return share(part, whole) if row.outcome.operations else None


BY_COUNT = Measure("look-backs answered whole", "answered")
BY_BYTES = Measure("bytes answered, of the values looked at", "answered_bytes")
RETAINED = Measure("commits retained (the trace has no look-backs)", "retained")


def need_plots() -> None:
    """See to it that plots can be drawn.

    Raises:
        ConfigError: What they need is not installed.
    """
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ConfigError(
            "plots and reports need the package matplotlib; "
            'pip install "backpack-memory[plots]" brings it'
        ) from error


def measures(comparison: Comparison) -> tuple[Measure, ...]:
    """Return what there is to draw, the most important first."""
    return (BY_COUNT, BY_BYTES) if comparison.survey.looks else (RETAINED,)


def plot(comparison: Comparison, measure: Measure | None = None) -> str:
    """Draw what each contender answers at each budget; at one budget alone, bars.

    Args:
        comparison: What to draw.
        measure: Which share; the most important if left out.

    Returns:
        An SVG, readable on a light and on a dark ground.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    need_plots()
    measure = measure or measures(comparison)[0]
    with _as_it_comes():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
        if len(comparison.rounds) > 1:
            _draw_curves(axes, comparison, measure)
        else:
            _draw_bars(axes, comparison, measure)
        return _written(figure)


@contextmanager
def _as_it_comes() -> Iterator[None]:
    """Draw as matplotlib does when nobody has configured it, with our style on top."""
    import matplotlib.style

    with warnings.catch_warnings(), matplotlib.style.context(["default", _STYLE]):
        # A name may have characters that the font lacks; boxes stand for them.
        warnings.simplefilter("ignore")
        yield


def _written(figure: Figure) -> str:
    """Return an SVG that says nothing of when and by what it was made."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=dict.fromkeys(_METADATA))
    _, _, drawn = text.getvalue().partition("<svg ")
    return "".join(f"{line.rstrip()}\n" for line in f"<svg {drawn}".splitlines())


def _draw_curves(axes: Axes, comparison: Comparison, measure: Measure) -> None:
    budgets = [each.budget or 0 for each in comparison.rounds]
    curves: dict[tuple[float | None, ...], list[str]] = {}
    for name in dict.fromkeys(row.name for each in comparison.rounds for row in each.rows):
        rows = [comparison.row(name, each.budget) for each in comparison.rounds]
        points = tuple(None if row is None else measure.share(row, comparison) for row in rows)
        if any(point is not None for point in points):
            curves.setdefault(points, []).append(name)
    colours = 0
    for place, (points, names) in enumerate(curves.items(), start=1):
        style: dict[str, object] = {"color": _INK, "linestyle": "--", "linewidth": 1.2}
        if not set(BOUNDS).issuperset(names):
            style = {
                "color": _COLOURS[colours % len(_COLOURS)],
                "marker": _MARKERS[colours % len(_MARKERS)],
                # What lies under another line is seen at both sides of it.
                "markersize": 4.5 + 4 * (len(curves) - place) / len(curves),
                "linewidth": 1.4 + 2 * (len(curves) - place) / len(curves),
            }
            colours += 1
        elif "random" in names:
            style["linestyle"] = ":"
        elif "unbounded" in names:
            style["linestyle"] = "-"
        drawn = [float("nan") if point is None else point for point in points]
        axes.plot(budgets, drawn, label="\n= ".join(map(_label, names)), **style)  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(*_ticks(budgets))
    axes.set_xlabel("history budget")
    axes.set_ylabel(measure.label)
    lowest = min(point for points in curves for point in points if point is not None)
    axes.set_ylim(max(0.0, lowest // 0.1 / 10 - 0.1), 1.03)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", color=_INK, alpha=0.25, linewidth=0.6)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_bars(axes: Axes, comparison: Comparison, measure: Measure) -> None:
    rows = comparison.rounds[0].rows
    found = [measure.share(row, comparison) for row in rows]
    places = range(len(rows))
    bars = axes.barh(
        places,
        [share or 0.0 for share in found],
        color=[_INK if row.is_bound else _COLOURS[0] for row in rows],
        height=0.66,
    )
    texts = ["did not run" if share is None else f" {share:.1%}" for share in found]
    axes.bar_label(bars, texts, padding=2)
    axes.set_yticks(places, [_label(row.name) for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0.0, 1.12)
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(measure.label)


def _ticks(budgets: Sequence[int]) -> tuple[list[int], list[str]]:
    """Return some of the budgets, far enough from each other to be read, and how to write them."""
    step = -(-len(budgets) // _TICKS)
    shown = list(budgets[::step])
    return shown, [format_size(budget) for budget in shown]


def _label(name: str) -> str:
    """Return a name as a legend shows it; it would leave out one that begins with a line."""
    text = one_line(name, longest=_NAME_LENGTH)
    return f" {text}" if text.startswith("_") else text
