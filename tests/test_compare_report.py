"""A comparison as it is shown: in a table, as JSON, as a plot and on a page."""

from __future__ import annotations

import base64
import importlib
import io
import json
import math
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from comparing import compared, look, pack, write_trace
from rich.console import Console

from backpack.compare import plots
from backpack.compare.comparison import Comparison, Round
from backpack.compare.contenders import Contender
from backpack.compare.page import page
from backpack.compare.plots import BY_BYTES, need_plots, plot
from backpack.compare.report import as_dict, render
from backpack.compare.trial import Ending, Outcome, Pruning
from backpack.compare.words import COLUMNS, notes, percent
from backpack.errors import ConfigError

HOSTILE = "_<b>$\\oops$&\x1b[2J[red]\u202e.yaml"


def written(folder: Path, name: str, text: str) -> Contender:
    """Write a configuration."""
    path = folder / name
    path.write_text(
        f"reference: {{use: stub, max_value_size: 1 KiB}}\nstorage: {{use: full}}\n{text}"
    )
    return Contender(name, file=str(path))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Three contenders, one with a name that nobody should obey, at three budgets."""
    folder = tmp_path_factory.mktemp("found")
    operations = [pack("a", f"{number:500}") for number in range(40)]
    operations += [pack("b", "x" * 2_000), pack("b", "y"), look(0), look(1), look(9), look(30)]
    contenders = [
        written(folder, HOSTILE, "pruning: {use: thinning}\n"),
        written(folder, "none.yaml", "pruning: {use: none}\n"),
        Contender("short-lived", preset="short-lived"),
    ]
    path = write_trace(folder / "t<i>.jsonl", operations)
    return compared(path, contenders, [8192, 16_384, 2 << 20], seed=3)


def one_of(found: Comparison, place: int) -> Comparison:
    """Return the comparison at one budget alone."""
    return evolve(found, rounds=(found.rounds[place],))


def printed(comparison: Comparison, width: int = 80) -> str:
    """Return what is printed on a terminal with colours."""
    console = Console(
        width=width, file=io.StringIO(), force_terminal=True, highlight=False, color_system=None
    )
    console.print(render(comparison))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_the_table_fits_80_columns_and_obeys_nobody(found: Comparison) -> None:
    """Every row of every budget, the curve, and what is to be said of them."""
    text = printed(found)

    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text.replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert "\u202e" not in text
    assert "[red]" in text
    assert re.search(r"^ +8 KiB +16 KiB +2 MiB +curve$", text, re.M)
    assert re.search(r"^short-lived +- +- +100% +█$", text, re.M)
    assert re.search(r"^clairvoyant +75% +75% +100% +▆▆█$", text, re.M)
    assert "t<i>.jsonl · 42 commits · 4 look-backs at" in text
    assert "Budget 8 KiB\n" in text
    rows = re.findall(r"^none.yaml +(.*)$", text, re.M)
    assert ["8", "0%", "0%", "1"] == rows[1].split()[:4]
    assert "✘ none.yaml: stopped at line 9, after 8 of 46 operations: the change needs" in text
    assert "✘ short-lived: short-lived.yaml:8: reference.max_value_size: 1,048,576" in text
    assert "random: in the configuration of" in text
    assert "drawn from seed 3" in text.replace("\n", " ")


def test_without_budgets_it_says_whose_is_which(found: Comparison, tmp_path: Path) -> None:
    """And there is no curve."""
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1), pack("a", 2), look(1)])
    contenders = [Contender(name, preset=name) for name in ("default", "short-lived")]
    text = printed(compared(path, contenders))

    assert "Each with the budget it is configured with\n" in text
    assert "budgets: default 50 MiB · short-lived 10 MiB\n" in text
    assert "curve" not in text
    assert "1 look-back at 1 B of values" in text


def test_where_nothing_is_looked_back_at_there_are_no_shares(tmp_path: Path) -> None:
    """It is said; the rest is told all the same."""
    path = write_trace(tmp_path / "t.jsonl", [pack("a", 1), pack("a", 2)])
    found = compared(path, [Contender("default", preset="default")], [1 << 20, 2 << 20])
    text = printed(found)

    said = (
        "no look-backs, so there are no shares of them: record a run that looks back, or convert a"
    )
    assert f"t.jsonl · 2 commits · {said} log with --look-backs" in " ".join(text.split())
    assert re.search(r"^default +2 +none +none +1 ", text, re.M)
    told = json.loads(json.dumps(as_dict(found)))
    assert 0 == told["look_backs"] == told["look_back_bytes"]
    row = told["rounds"][0]["rows"][0]
    assert (2, 0, None, None) == (
        row["retained"],
        row["answered"],
        row["answered_share"],
        row["answered_bytes_share"],
    )
    assert "<svg" in plot(found)
    assert "Commits retained (the trace has no look-backs)" in page(found, "backpack compare")


def test_many_budgets_are_told_in_several_tables(found: Comparison) -> None:
    """The curve stands at the last."""
    rounds = tuple(evolve(found.rounds[2], budget=(number + 1) << 20) for number in range(10))
    text = printed(evolve(found, rounds=rounds))

    assert re.search(r"^ +1 MiB +.* 7 MiB *$", text, re.M)
    assert re.search(r"^ +8 MiB 9 MiB 10 MiB +curve$", text, re.M)
    assert max(map(len, text.splitlines())) <= 80
    assert "<svg" in plot(evolve(found, rounds=rounds))


def test_programs_are_told_all_of_it(found: Comparison) -> None:
    """Each row names its configuration; sizes are bytes."""
    told = json.loads(json.dumps(as_dict(found)))
    first = told["rounds"][0]

    assert (46, 42, 4, 3) == tuple(
        told[name] for name in ("operations", "commits", "look_backs", "seed")
    )
    assert [8192, 16_384, 2 << 20] == [each["budget_bytes"] for each in told["rounds"]]
    assert [HOSTILE, "none.yaml", "short-lived", "unbounded", "clairvoyant", "random"] == [
        row["name"] for row in first["rows"]
    ]
    by_name = {row["name"]: row for row in first["rows"]}
    refused, bad, everything = (by_name[name] for name in ("none.yaml", "short-lived", "unbounded"))
    assert ("refused", 9, 8, 8, 1) == tuple(
        refused[name] for name in ("ending", "line", "operations", "retained", "oldest")
    )
    assert ("bad input", 0, None) == tuple(bad[name] for name in ("ending", "operations", "oldest"))
    assert (None, None, None, 1.0) == tuple(
        everything[name]
        for name in ("configuration", "budget_bytes", "peak_share", "answered_share")
    )
    assert (True, HOSTILE, "clairvoyant", 3) == tuple(
        by_name["clairvoyant"][name]
        for name in ("is_bound", "configuration", "pruning", "answered")
    )
    assert "random" == by_name["random"]["pruning"]
    assert 0.9 < by_name[HOSTILE]["peak_share"] <= 1
    assert {"p50", "p99", "mean"} == by_name[HOSTILE]["pack_us"].keys()


def test_what_goes_wrong_behind_the_rows_is_said(found: Comparison) -> None:
    """An answer that is wrong, a budget that is left, and a process that died."""
    first = found.rounds[0]
    row = first.rows[0]

    def said(outcome: Outcome, pruning: Pruning = Pruning.OWN, *, bound: bool = False) -> list[str]:
        changed = evolve(
            row,
            name="clairvoyant" if bound else "x",
            outcome=outcome,
            trial=evolve(row.trial, pruning=pruning, contender=Contender("mine", preset="mine")),
            is_bound=bound,
        )
        each = Round(8192, () if bound and outcome.error else (changed,), (changed,) * bound)
        return [note.text for note in notes(each, found)]

    wrong = evolve(row.outcome, ending=Ending.WRONG)
    assert ["1 look-back not answered as the trace says"] == said(evolve(wrong, wrong=1))
    assert ["history took up to 9,000 bytes, more than its budget, after 2 operations"] == said(
        evolve(wrong, peak=9_000, over_budget=2)
    )
    died = Outcome(Ending.DIED, error="its process was killed by signal 9")
    assert ["its process was killed by signal 9"] == said(died)
    assert ["of mine: its process was killed by signal 9"] == said(died, bound=True)
    fine = row.outcome
    assert "mine itself came off best" == said(fine, bound=True)[0]
    assert "mine with random pruning came off best" == said(fine, Pruning.RANDOM, bound=True)[0]
    assert "in the configuration of mine" == said(fine, Pruning.CLAIRVOYANT, bound=True)[0]


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (0.29, "29%"), (0.9996, "99.9%"), (1.0, "100%"), (1 / 3, "33.3%")],
)
def test_a_share_is_100_percent_only_where_nothing_is_missing(share: float, text: str) -> None:
    """Shares are rounded down."""
    assert text == percent(share)


@pytest.mark.parametrize("place", [None, 2])
def test_a_plot_is_the_same_every_time(found: Comparison, place: int | None) -> None:
    """A curve of several budgets, bars of one: an SVG with neither a date nor a script."""
    shown = found if place is None else one_of(found, place)
    svg = plot(shown)

    assert plot(shown) == svg
    assert svg.startswith("<svg ")
    assert not re.search("metadata|Matplotlib v|DOCTYPE", svg)
    assert "<script" not in svg
    root = ET.fromstring(svg)  # noqa: S314  It is our own.
    assert "{http://www.w3.org/2000/svg}svg" == root.tag
    assert plot(shown, BY_BYTES) != svg
    assert not any(line.endswith(" ") for line in svg.splitlines())
    # What is drawn is told by comments; they are what the letters are of.
    for word in ("look-backs answered whole", "short-lived", "clairvoyant", "$\\oops$"):
        assert word in svg


def test_who_did_not_run_is_not_drawn(found: Comparison) -> None:
    """A bar says so; a curve has a gap there, or is left out."""
    assert "did not run" in plot(one_of(found, 0))
    without = plot(evolve(found, rounds=found.rounds[:2]))
    assert "short-lived" not in without


def test_a_curve_has_a_gap_where_nobody_ran(
    found: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not go down to nothing; who answers the same has one curve."""
    drawn: dict[str, list[float]] = {}

    def noted(figure: Any) -> str:
        for line in figure.axes[0].get_lines():
            drawn[line.get_label()] = list(line.get_ydata())
        return ""

    monkeypatch.setattr(plots, "_written", noted)
    plot(found)

    first, second, third = drawn["short-lived"]
    assert math.isnan(first)
    assert math.isnan(second)
    assert 1.0 == third
    assert [1.0, 1.0, 1.0] == drawn["unbounded"]
    rows = found.rounds[2].rows
    twice = evolve(found.rounds[2], rows=(rows[0], evolve(rows[0], name="also"), *rows[3:]))
    plot(evolve(found, rounds=(twice, evolve(twice, budget=3 << 20))))
    assert any(label.endswith("\n= also") for label in drawn)


def test_a_name_in_any_letters_is_drawn(found: Comparison) -> None:
    """Boxes stand for those that the font lacks; there is no warning."""
    rows = found.rounds[2].rows
    shown = evolve(found.rounds[2], rows=(evolve(rows[0], name="\u6f22\u5b57"), *rows[1:]))
    assert plot(evolve(found, rounds=(shown,))).startswith("<svg ")


class Page(HTMLParser):
    """What stands on a page.

    Attributes:
        tags: Its tags.
        sources: What it would load.
        text: Its text.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_holds_all_and_needs_nothing_from_elsewhere(found: Comparison) -> None:
    """Tables and plots; names stay text, and there is no script."""
    text = page(found, f"backpack compare --config '{HOSTILE}'")
    seen = Page(text)

    assert [] == seen.open
    assert not {"b", "i", "script", "link"} & set(seen.tags)
    assert 2 == len(seen.sources)
    for source in seen.sources:
        kind, _, data = source.partition(",")
        assert "data:image/svg+xml;base64" == kind
        assert "<svg" in base64.b64decode(data).decode()
    assert 3 == seen.tags.count("table")
    assert 3 * (6 + 1) == seen.tags.count("tr")
    assert "_<b>$\\oops$&\\x1b[2J[red]\\u202e.yaml" in seen.text
    assert "\x1b" not in text
    assert "color-scheme: light dark" in text
    assert "t<i>.jsonl · 42 commits" in seen.text
    assert "✘ none.yaml: stopped at line 9" in seen.text
    for column in COLUMNS:
        assert column.long in seen.text
    again = re.sub(r"<td>[\d.,-]+</td>", "", page(found, f"backpack compare --config '{HOSTILE}'"))
    assert re.sub(r"<td>[\d.,-]+</td>", "", text) == again


def test_a_page_says_where_the_trace_broke_off(found: Comparison) -> None:
    """Once, and not for every row."""
    broken = "t.jsonl:47: cut <off>"
    shown = evolve(
        found,
        survey=evolve(found.survey, error=broken),
        rounds=(
            evolve(
                found.rounds[2],
                rows=tuple(
                    evolve(row, outcome=evolve(row.outcome, ending=Ending.BAD_INPUT, error=broken))
                    for row in found.rounds[2].rows
                ),
            ),
        ),
    )
    assert 1 == Page(page(shown, "backpack compare")).text.count("cut <off>")
    assert "cut <off>" not in printed(shown)


def test_without_matplotlib_there_is_a_line_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other extra."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError) as caught:
        need_plots()
    assert (
        'plots and reports need the package matplotlib; pip install "backpack-memory[plots]" '
        "brings it"
    ) == str(caught.value)


def test_drawing_leaves_the_settings_of_matplotlib_alone(
    found: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what somebody has set there changes nothing."""
    matplotlib = importlib.import_module("matplotlib")
    before = plot(one_of(found, 2))
    monkeypatch.setitem(matplotlib.rcParams, "axes.grid", True)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 20.0)
    assert plot(one_of(found, 2)) == before
    assert 20.0 == matplotlib.rcParams["font.size"]
