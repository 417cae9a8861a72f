"""The report: everything a run came to, for people in 80 columns and for programs as JSON."""

from __future__ import annotations

import io
import json
import math
from array import array
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from backpack.errors import (
    BackpackError,
    BudgetError,
    CorruptError,
    InvalidKey,
    PolicyError,
    TraceError,
    UnpackableValue,
)
from backpack.records import Usage
from backpack.replay import LookBack, Replay
from backpack.report import Report, Times, Verdict, as_dict, chart, judge, render, to_ascii
from backpack.units import format_size
from backpack.verify import Verification

MIB = 2**20

USAGE = Usage(
    current_bytes=300_000,
    history_bytes=40 * MIB,
    budget_bytes=50 * MIB,
    peak_history_bytes=50 * MIB,
    commits_made=1_200,
    commits_retained=900,
    versions=850,
    references=12,
    keys=17,
    pins=0,
)
REPLAY = Replay(
    operations=1_230,
    commits=1_200,
    look_backs=tuple(LookBack(line, line, line, b"", ()) for line in range(1, 26)),
    looks_pruned=5,
    references=14,
    prunings=2,
    over_budget=0,
    usage=USAGE,
    history_over_time=((600, 20 * MIB), (1_200, 40 * MIB)),
    pack_ns=array("Q", [30_000, 50_000]),
    snapshot_ns=array("Q", [2_000_000]),
    seconds=1.26,
)
VERIFICATION = Verification(
    verified=900,
    wrong=0,
    values=15_000,
    values_unavailable=40,
    look_backs=25,
    pruned=100,
    mistakes=(),
    seconds=2.0,
)
REPORT = Report("runs/run.jsonl", "default", REPLAY, VERIFICATION, Verdict.EXACT)


def printed(report: Report, width: int = 80) -> str:
    """Return the report as a pipe would get it."""
    console = Console(file=io.StringIO(), width=width, highlight=False, force_terminal=False)
    with console.capture() as capture:
        console.print(render(report))
    return capture.get()


@given(
    sizes=st.lists(st.integers(0, 10**9), min_size=1, max_size=240), headroom=st.integers(1, 10**9)
)
def test_a_chart_fits_and_is_as_high_as_its_sizes(sizes: list[int], headroom: int) -> None:
    """Nine lines of 80 columns at most; the highest column is the largest size, to an eighth."""
    top = max(sizes) + headroom

    lines = chart(sizes, top)

    assert 9 == len(lines)
    assert all(len(line) <= 80 for line in lines)
    blocks = [line.split("│")[1].ljust(64) for line in lines[:-1]]
    heights = [
        sum(" ▁▂▃▄▅▆▇█".index(row[column]) for row in blocks) for column in range(len(blocks[0]))
    ]
    assert max(1, round(max(sizes) / top * 64)) == max(heights)
    assert min(heights) >= 1


@given(nanoseconds=st.lists(st.integers(0, 10**10), min_size=1))
def test_times_are_those_of_the_ranked_list(nanoseconds: list[int]) -> None:
    """Percentiles are measured times: half, and all but one in a hundred, are not longer."""
    times = Times.of(array("Q", nanoseconds))

    assert times.p50 is not None
    assert times.p99 is not None
    assert times.mean is not None
    microseconds = [round(each / 1000, 1) for each in nanoseconds]
    assert {times.p50, times.p99} <= set(microseconds)
    assert sum(each <= times.p50 for each in microseconds) >= len(microseconds) / 2
    assert sum(each <= times.p99 for each in microseconds) >= len(microseconds) * 0.99
    assert math.isclose(sum(nanoseconds) / len(nanoseconds) / 1000, times.mean, abs_tol=0.06)


@given(text=st.text())
def test_ascii_text_has_the_same_columns(text: str) -> None:
    """A report for an old terminal keeps every character in its place."""
    shown = to_ascii(chart([1, 2, 3], 4)[0] + text.replace("\n", " "))

    assert len(chart([1, 2, 3], 4)[0]) + len(text) == len(shown)


def test_the_glyphs_of_a_report_have_ascii_ones() -> None:
    """Nothing of the project's own is left that ASCII cannot show."""
    reports = [evolve(REPORT, verdict=verdict) for verdict in Verdict]

    assert all(to_ascii(printed(report)).isascii() for report in reports)


def test_nothing_measured_has_no_times() -> None:
    """Where nothing was measured, nothing is told, rather than zero."""
    times = Times.of(array("Q"))

    assert {"p50": None, "p99": None, "mean": None} == times.as_dict()
    assert "none" == str(times)


def test_the_report_for_programs_has_every_number() -> None:
    """The JSON holds what its description promises, each number where it belongs."""
    data: dict[str, Any] = json.loads(json.dumps(as_dict(REPORT)))

    assert {
        "trace": "runs/run.jsonl",
        "preset": "default",
        "config": None,
        "verdict": "exact",
        "error": None,
        "operations": 1_230,
        "commits": 1_200,
        "retained": 900,
        "pruned": 300,
        "prunings": 2,
        "budget_bytes": 50 * MIB,
        "history_bytes": 40 * MIB,
        "peak_history_bytes": 50 * MIB,
        "over_budget": 0,
        "current_bytes": 300_000,
        "keys": 17,
        "versions": 850,
        "references": 14,
        "references_held": 12,
        "snapshots_read": 25,
        "snapshots_pruned": 5,
        "values": 15_000,
        "values_unavailable": 40,
        "verified": 900,
        "wrong": 0,
        "mistakes": [],
        "pack_us": {"p50": 30.0, "p99": 50.0, "mean": 40.0},
        "snapshot_us": {"p50": 2_000.0, "p99": 2_000.0, "mean": 2_000.0},
        "seconds": 1.26,
        "verify_seconds": 2.0,
        "history_over_time": [[600, 20 * MIB], [1_200, 40 * MIB]],
    } == data


def test_every_field_is_documented() -> None:
    """The description of the command explains each field of the report, and each verdict."""
    docs = Path(__file__).resolve().parents[1] / "docs" / "command-line.md"
    text = docs.read_text(encoding="utf-8")

    assert [] == [name for name in as_dict(REPORT) if f"`{name}`" not in text]
    for verdict in Verdict:
        name = as_dict(evolve(REPORT, verdict=verdict))["verdict"]
        assert f"`{name}`" in text
        assert f"| {verdict.value} |" in text


def test_the_report_for_people_says_the_same() -> None:
    """Every number is there, in words, within 80 columns and without control sequences."""
    text = printed(REPORT)

    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    for part in (
        "Backpack · run.jsonl · preset default",
        "✔ Exact. 900 retained commits and 25 look-backs read back exactly as the trace",
        "History over time, up to its budget",
        "1,200 made · 900 retained · 300 pruned (2 times)",
        "40 MiB now · 50 MiB at its peak · 50 MiB budget",
        "293 KiB in 17 keys",
        "14 packed values too large for history · 12 held",
        "25 read · 5 met a pruned commit",
        "p50 30 µs · p99 50 µs · mean 40 µs",
        "900 commits with 15,000 values · 40 unavailable · 0 wrong",
        "1.3 s to replay · 2.0 s to verify",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("report", "part"),
    [
        (evolve(REPORT, verdict=Verdict.BAD_INPUT), "The trace cannot be replayed further. Before"),
        (
            evolve(REPORT, verdict=Verdict.REFUSED),
            "The Backpack refused to go on. Before that, 900",
        ),
        (
            evolve(REPORT, verdict=Verdict.WRONG),
            "✘ Broken: the replay stopped. Before, 900 retained",
        ),
        (
            evolve(
                REPORT,
                verdict=Verdict.WRONG,
                verification=evolve(VERIFICATION, wrong=1, verified=899, mistakes=("commit 1: x",)),
            ),
            "✘ Wrong: 1 answer not as the trace says; 899 of 900 retained commits found",
        ),
        (
            evolve(
                REPORT,
                verdict=Verdict.WRONG,
                replay=evolve(
                    REPLAY,
                    over_budget=3,
                    usage=evolve(USAGE, budget_bytes=9, peak_history_bytes=10),
                ),
            ),
            "✘ Over budget: history took up to 10 bytes of a budget of 9; it was over it after 3",
        ),
        (
            evolve(REPORT, verification=evolve(VERIFICATION, verified=50)),
            "✔ Exact. 50 of 900 retained commits and 25 look-backs",
        ),
    ],
    ids=["bad input", "refused", "broken", "wrong", "over budget", "some"],
)
def test_every_verdict_is_told_in_words(report: Report, part: str) -> None:
    """The first sentence says what the run came to."""
    assert part in " ".join(printed(report).split())


def test_mistakes_are_listed_as_they_are() -> None:
    """A mistake that looks like markup is shown, not obeyed."""
    mistakes = ("commit 7-abc: '[red]plan[/red]' is [bold]1",)
    verification = evolve(VERIFICATION, wrong=1, mistakes=mistakes)

    text = printed(evolve(REPORT, verification=verification, trace="[b]x", preset="[/]"))

    assert mistakes[0] in text
    assert "Backpack · [b]x · preset [/]" in text


def test_a_configuration_is_called_by_its_file() -> None:
    """A file of the user's own stands in the title, without its folder or control characters."""
    report = evolve(REPORT, preset="agent.yaml", config="my/agent.yaml", trace="my/\x1b[2J.jsonl")

    assert r"Backpack · \x1b[2J.jsonl · agent.yaml" in printed(report)
    assert "my/agent.yaml" == as_dict(report)["config"]


def test_a_small_history_is_drawn_large() -> None:
    """A history far below its budget is drawn to its own scale, and the report says so."""
    sizes = ((1, 1_024), (2, 5 * MIB))
    usage = evolve(USAGE, peak_history_bytes=5 * MIB)

    text = printed(evolve(REPORT, replay=evolve(REPLAY, history_over_time=sizes, usage=usage)))

    assert "History over time, up to its peak; the budget is 10 times that" in text
    assert f"{format_size(5 * MIB):>10} │" in text


def test_without_commits_there_is_no_chart() -> None:
    """A replay that did nothing has nothing to draw."""
    text = printed(evolve(REPORT, replay=evolve(REPLAY, history_over_time=())))

    assert "History over time" not in text


def test_a_narrow_terminal_is_no_error() -> None:
    """Lines wrap where they must."""
    assert "Exact" in printed(REPORT, width=30)


def _budget_error() -> BudgetError:
    return BudgetError("full", needed=2, free=1, budget=1, policy="KeepAll")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, Verdict.EXACT),
        (TraceError("no JSON", where="x:1"), Verdict.BAD_INPUT),
        (InvalidKey("empty"), Verdict.BAD_INPUT),
        (UnpackableValue("too deep", path="a"), Verdict.BAD_INPUT),
        (_budget_error(), Verdict.REFUSED),
        (PolicyError("broken", policy="Mine"), Verdict.REFUSED),
        (CorruptError("bad bytes"), Verdict.WRONG),
    ],
)
def test_the_verdict_follows_from_the_error(error: BackpackError | None, verdict: Verdict) -> None:
    """Bad input, a refusal and a broken store are told apart."""
    assert verdict is judge(evolve(REPLAY, error=error), VERIFICATION)


def test_a_wrong_answer_outweighs_an_error() -> None:
    """Neither a wrong answer nor an exceeded budget hides behind bad input."""
    stopped = evolve(REPLAY, error=_budget_error())
    over = evolve(USAGE, peak_history_bytes=50 * MIB + 1)

    assert Verdict.WRONG is judge(stopped, evolve(VERIFICATION, wrong=1))
    assert Verdict.WRONG is judge(evolve(stopped, over_budget=1), VERIFICATION)
    assert Verdict.WRONG is judge(evolve(stopped, usage=over), VERIFICATION)
