"""``backpack compare``: its output, its files, its exit codes, and a line for what goes wrong."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from commands import Run
from comparing import here, look, pack, write_trace

from backpack.cli import compare as command
from backpack.compare.comparison import Comparison, Row
from backpack.compare.contenders import Contender
from backpack.compare.running import in_processes as real_in_processes
from backpack.compare.running import jobs_by_default
from backpack.compare.survey import Survey, survey
from backpack.compare.trial import Ending, Outcome, Trial, run
from backpack.compare.words import cells

ROOT = Path(__file__).parent.parent


@pytest.fixture
def backpack(run: Run) -> Run:
    """Run the command in this process."""
    return partial(run, "compare")


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Do replays in this process; return of how many at the same time there was talk."""
    jobs: list[int] = []

    def in_processes(number: int) -> Callable[..., list[Outcome]]:
        jobs.append(number)
        return here

    monkeypatch.setattr(command, "in_processes", in_processes)
    monkeypatch.chdir(tmp_path)
    return jobs


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Forty commits of 500 bytes, and three looks."""
    operations = [pack("a", f"{number:500}") for number in range(40)]
    return write_trace(tmp_path / "run.jsonl", [*operations, look(0), look(9), look(39)])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A configuration that a small budget does for."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "max_history_size: 8 KiB\nstorage: {use: full}\n"
        "reference: {use: stub, max_value_size: 1 KiB}\n"
    )
    return path


@pytest.fixture
def stubborn(small: Path) -> Path:
    """One that refuses as soon as its history is full."""
    path = small.with_name("stubborn.yaml")
    path.write_text(small.read_text() + "pruning: {use: none}\n")
    return path


def without_times(told: Any) -> Any:
    """Return what JSON tells, less what is measured."""
    for each in told["rounds"]:
        for row in each["rows"]:
            del row["pack_us"], row["seconds"]
    return told


def test_it_tells_what_each_contender_keeps(backpack: Run, trace: Path, small: Path) -> None:
    """In 80 columns, and with nothing but text in a pipe."""
    code, out, err = backpack(trace, "--config", small, "--preset", "default")

    assert (0, "") == (code, err)
    assert out.startswith("Backpack · run.jsonl · 40 commits · 3 look-backs at 1.5 KiB of values\n")
    for name in ("small.yaml", "default", "unbounded", "clairvoyant", "random"):
        assert f"\n{name} " in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in out.splitlines())


def test_where_only_ascii_is_shown_it_is_ascii(trace: Path, small: Path) -> None:
    """As for every other report; and the replays are done in processes of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "backpack", "compare", trace, "--config", small, "--budget",
         "8KiB,9KiB", "--jobs", "2"],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"\nBudget 9 KiB\n" in done.stdout.replace(os.linesep.encode(), b"\n")
    assert done.stdout.isascii()


def test_without_a_trace_it_is_the_demo_under_all_presets(
    backpack: Run, monkeypatch: pytest.MonkeyPatch, in_this_process: list[int]
) -> None:
    """Each with its own budget; as many at the same time as there are processors."""

    def made_up(
        trials: Sequence[Trial],
        path: Path,
        survey: Survey,
        progress: Callable[[int, int], None] | None,
    ) -> list[Outcome]:
        return [Outcome(Ending.FINISHED, operations=1) for _ in trials]

    def in_processes(jobs: int) -> Callable[..., list[Outcome]]:
        in_this_process.append(jobs)
        return made_up

    monkeypatch.setattr(command, "in_processes", in_processes)
    code, out, err = backpack("--json")
    told = json.loads(out)

    assert (0, "", "demo trace", 1_230, 32) == (
        code,
        err,
        told["trace"],
        told["commits"],
        told["look_backs"],
    )
    assert [jobs_by_default()] == in_this_process
    assert ["default", "high-frequency", "long-chat", "long-running", "short-lived"] == [
        row["name"] for row in told["rounds"][0]["rows"] if not row["is_bound"]
    ]


def test_a_second_run_tells_the_same_but_for_the_times(
    backpack: Run, trace: Path, small: Path, in_this_process: list[int]
) -> None:
    """With one seed; another one draws other lots."""
    arguments = (trace, "--config", small, "--budget", "8KiB", "--budget", "12 KiB,8KiB", "--json")
    first, again = (json.loads(backpack(*arguments, "--jobs", 2)[1]) for _ in range(2))
    other = json.loads(backpack(*arguments, "--seed", 5)[1])

    assert without_times(first) == without_times(again)
    assert [8192, 12_288] == [each["budget_bytes"] for each in first["rounds"]]
    assert without_times(other) != first
    assert (0, 5) == (first["seed"], other["seed"])
    assert [2, 2] == in_this_process[:2]


def test_files_are_written_beside_the_table(backpack: Run, trace: Path, small: Path) -> None:
    """The page says how it was made; the plot is the same every time."""
    arguments = [trace, "--config", small, "--budget", "8KiB,16KiB", "--seed", 2]
    code, out, err = backpack(*arguments, "--report", "out.html", "--plot", "out.svg")
    plot = Path("out.svg").read_bytes()
    backpack(*arguments, "--plot", "out.svg")

    assert (0, "") == (code, err)
    assert "Budget 8 KiB" in out
    assert Path("out.svg").read_bytes() == plot
    page = Path("out.html").read_text(encoding="utf-8")
    words = f"backpack compare {trace} --config {small} --budget 8KiB,16KiB --seed 2"
    assert f"<code>{words}</code>" in page


def test_a_refusal_is_a_row_and_an_exit_code(
    backpack: Run, trace: Path, small: Path, stubborn: Path
) -> None:
    """The others go on."""
    code, out, err = backpack(trace, "--config", stubborn, "--config", small)

    assert (3, "") == (code, err)
    assert "\n✘ stubborn.yaml: stopped at line 9, after 8 of 43 operations: the change" in out
    assert "small.yaml" in out


def test_a_budget_that_is_too_small_for_one_is_a_row(
    backpack: Run, trace: Path, small: Path
) -> None:
    """It names the setting and the file."""
    code, out, _ = backpack(trace, "--preset", "short-lived", "--config", small, "--budget", "8KiB")

    assert 2 == code
    assert "✘ short-lived: short-lived.yaml:8: reference.max_value_size: 1,048,576 bytes" in out
    assert "clairvoyant: in the configuration of small.yaml" in out


def test_a_trace_that_is_cut_off_is_compared_until_there(
    backpack: Run, trace: Path, small: Path
) -> None:
    """It is said once."""
    trace.write_text(trace.read_text() + '{"op": "pa')
    code, out, err = backpack(trace, "--config", small)

    assert 2 == code
    assert err.startswith(f"backpack: {trace}:44: the last line ends in the middle of its JSON")
    assert 1 == err.count("\n")
    assert "cut off" not in out
    assert "40 commits" in out
    told = json.loads(backpack(trace, "--config", small, "--json")[1])
    assert "cut off" in told["error"] == told["rounds"][0]["rows"][0]["error"]


def test_compressed_data_that_ends_too_early_is_compared_until_there(
    backpack: Run, trace: Path, small: Path
) -> None:
    """As for backpack run."""
    packed = trace.with_suffix(".gz")
    packed.write_bytes(gzip.compress(trace.read_bytes() * 1, mtime=0)[:-20])
    code, _, err = backpack(packed, "--config", small)

    assert 2 == code
    assert "the compressed data ends here, too early" in err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file holds no operations"),
        ('{"op": "pa', "the last line ends in the middle of its JSON"),
        (None, "there is no such file"),
    ],
)
def test_a_trace_with_nothing_in_it_is_one_line(
    backpack: Run, trace: Path, content: str | None, message: str
) -> None:
    """Nothing is replayed."""
    trace.unlink()
    if content is not None:
        trace.write_text(content)
    code, out, err = backpack(trace)

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert message in err
    told = json.loads(backpack(trace, "--json")[1])
    assert message in told["error"]
    assert [] == told["rounds"]


def test_without_look_backs_the_rest_is_told(backpack: Run, trace: Path, small: Path) -> None:
    """That there are none is said."""
    write_trace(trace, [pack("a", 1)])
    code, out, _ = backpack(trace, "--config", small)

    assert 0 == code
    assert "1 commit · no look-backs, so there are no shares of them" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "5Mib,,x"], "--budget: '5Mib' is not a size: 'Mib' means bits"),
        (["--preset", "default", "--preset", "default"], "'default' is given 2 times"),
        (["--preset", "nope"], "no preset is called 'nope'"),
        (["--config", "nope.yaml"], "nope.yaml"),
        (["--plot", "out.png"], "--plot: 'out.png' does not end in .svg, and that is what is "),
        (["--plot", "no/out.svg"], "--plot: 'no/out.svg' is in a folder that does not exist"),
        (["--report", "."], "--report: '.' is a folder; name a file in it"),
        (["--report", "x" * 300], "...' cannot be written: File name too long; name another file"),
        (["--report", "run.jsonl"], "--report: 'run.jsonl' is named twice; it would be lost"),
        (["--report", "x.svg", "--plot", "x.svg"], "--plot: 'x.svg' is named twice"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_done(
    backpack: Run,
    trace: Path,
    in_this_process: list[int],
    arguments: list[str],
    message: str,
) -> None:
    """Programs get it, too."""
    before = trace.read_text()
    code, out, err = backpack(trace, *arguments)
    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith("backpack: ")
    assert message in err
    assert message in json.loads(backpack(trace, *arguments, "--json")[1])["error"]
    assert [] == in_this_process
    assert before == trace.read_text()


@pytest.mark.parametrize("option", ["--report", "--plot"])
def test_without_matplotlib_it_says_what_to_install(
    backpack: Run,
    trace: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_this_process: list[int],
    option: str,
) -> None:
    """Before anything is replayed."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = backpack(trace, option, "out.svg")

    assert (2, []) == (code, in_this_process)
    assert 'pip install "backpack-memory[plots]" brings it' in err


def test_a_file_that_cannot_be_written_does_not_cost_the_table(
    backpack: Run,
    trace: Path,
    small: Path,
    stubborn: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is an error all the same, and outweighs a refusal."""

    def full(path: Path, *_: object, **__: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    code, out, err = backpack(trace, "--config", small, "--plot", "out.svg")
    refused, _, _ = backpack(trace, "--config", stubborn, "--plot", "out.svg")

    assert 2 == code == refused
    assert "small.yaml" in out
    assert "backpack: out.svg cannot be written: No space left on device\n" == err


def test_files_may_be_kept_from_importing(backpack: Run, trace: Path, small: Path) -> None:
    """The row says so, and the others go on."""
    other = small.with_name("other.yaml")
    other.write_text("pruning: {use: 'somewhere:Policy'}\n")
    code, out, _ = backpack(trace, "--config", other, "--config", small, "--no-imports")

    assert 2 == code
    assert "✘ other.yaml:" in out
    assert "'somewhere:Policy' would be imported, and imports are off" in out.replace("\n", " ")


def test_modules_in_the_current_folder_are_found(backpack: Run, trace: Path, small: Path) -> None:
    """Also by the processes that replay, and not afterwards."""
    Path("prunes_here.py").write_text(
        "def all_of_it(request):\n    return [each.id for each in request.candidates]\n"
    )
    other = small.with_name("other.yaml")
    other.write_text(f"{small.read_text()}pruning: {{use: 'prunes_here:all_of_it'}}\n")
    path = list(sys.path)
    assert 0 == backpack(trace, "--config", other, "--jobs", "1").code
    assert path == sys.path
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "in_processes", real_in_processes)
        assert 0 == backpack(trace, "--config", other, "--jobs", "2").code


@pytest.mark.no_cover
def test_the_example_is_as_shown() -> None:
    """A row of the table in the document, but for the times; the others are made like it."""
    name = "default"
    text = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")
    table = text.partition("\nBudget 256 KiB\n")[2].partition("\nBudget 1 MiB\n")[0]
    shown = table.partition(f"\n{name} ")[2].partition("\n")[0].split()
    demo = ROOT / "backpack" / "demo.jsonl.gz"
    known = survey(demo)
    trial = Trial(Contender(name, preset=name), 256 << 10)
    comparison = Comparison("demo trace", known, 0, ())
    told = " ".join(cells(Row(name, run(trial, demo, known), trial), comparison)).split()

    assert 11 == len(shown)
    assert [*told[:7], told[10]] == [*shown[:7], shown[10]]
