"""The command ``backpack compare``: one trace under several configurations, side by side."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

import click
from attrs import evolve

from backpack.cli.imports import modules_here
from backpack.cli.options import no_imports
from backpack.cli.terminal import complain, emit_json, emit_rich, line, progress
from backpack.compare.comparison import Comparison, compare, exit_code
from backpack.compare.contenders import Contender, budgets_from, contenders_from
from backpack.compare.page import page
from backpack.compare.plots import need_plots, plot
from backpack.compare.report import as_dict, render
from backpack.compare.running import in_processes, jobs_by_default
from backpack.compare.survey import survey
from backpack.errors import BackpackError, ConfigError
from backpack.overwriting import obstacle
from backpack.wording import shown

__all__ = ["compare_command"]

_DEMO = "demo.jsonl.gz"
_BAD_OUTPUT = 2

# The backspace keeps click from filling the lines.
_EXIT_CODES = """\b
Exit codes:
  0    every contender got to the end of the trace
  1    an answer was wrong, history left its budget, or a process died
  2    bad input: the trace, a configuration or the command line
  3    a contender refused to go on: no room, or a failing policy
  130  interrupted
  141  whoever read the output stopped reading

With 1, 2 and 3, the others are compared all the same, if the trace begins well.
"""


@click.command(name="compare", epilog=_EXIT_CODES)
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option(
    "--preset", "presets", metavar="NAME", multiple=True, help="A preset; may be repeated."
)
@click.option(
    "--config",
    "config_files",
    metavar="FILE",
    multiple=True,
    help="A YAML file; may be repeated. Without both, all presets.",
)
@click.option(
    "--budget",
    "budgets",
    metavar="SIZE,...",
    multiple=True,
    help="History budgets to try, such as '1 MiB,5 MiB'; may be repeated. Without it, each "
    "contender has its own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison for programs.")
@click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write an HTML page; a FILE that is there is replaced.",
)
@click.option(
    "--plot",
    "plot_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the curve of answered look-backs as SVG; a FILE that is there is replaced.",
)
@click.option(
    "--seed",
    metavar="N",
    type=int,
    default=0,
    help="What random pruning draws from; 0 if left out.",
)
@click.option(
    "--jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Replays at the same time; one for each processor if left out.",
)
@no_imports
def compare_command(
    trace: Path | None,
    presets: tuple[str, ...],
    config_files: tuple[str, ...],
    budgets: tuple[str, ...],
    as_json: bool,
    report: Path | None,
    plot_file: Path | None,
    seed: int,
    jobs: int | None,
    no_imports: bool,
) -> int:
    """Replay TRACE under several configurations, and show what each keeps of it.

    TRACE is a file of JSON Lines, plain or gzip; without it, a small trace that comes with
    Backpack is replayed. Beside the contenders stand what keeping everything would take, the best
    that pruning could do if it knew the future, and pruning that draws lots. Modules that a FILE of
    --config names are looked for in the current folder, too.
    """
    try:
        contenders = contenders_from(presets, config_files)
        sizes = budgets_from(budgets)
        inputs = [*map(Path, config_files), *([] if trace is None else [trace])]
        _check_output(report, "--report", inputs)
        _check_output(plot_file, "--plot", [*inputs, *([] if report is None else [report])])
        with _traced(trace) as path, modules_here(wanted=bool(config_files) and not no_imports):
            found = _compared(
                path, contenders, sizes, jobs or jobs_by_default(), seed, not no_imports
            )
    except BackpackError as error:
        if as_json:
            emit_json({"error": line(str(error))})
        raise
    if trace is None:
        found = evolve(found, trace="demo trace")
    failure = None
    try:
        if report is not None:
            _write(report, page(found, _command(trace, contenders, budgets, seed)))
        if plot_file is not None:
            _write(plot_file, plot(found))
    except OSError as error:
        failure = error
    if as_json:
        emit_json(as_dict(found))
    elif found.survey.operations:
        emit_rich(render(found))
    if found.survey.error is not None:
        complain(found.survey.error)
    if failure is not None:
        complain(f"{failure.filename} cannot be written: {failure.strerror or failure}")
        return min(exit_code(found) or _BAD_OUTPUT, _BAD_OUTPUT)
    return exit_code(found)


@contextmanager
def _traced(trace: Path | None) -> Iterator[Path]:
    """Give the file of the trace, that of the demo trace if there is none."""
    with as_file(files("backpack") / _DEMO) as demo:
        yield demo if trace is None else trace


def _compared(
    path: Path,
    contenders: Sequence[Contender],
    budgets: Sequence[int],
    jobs: int,
    seed: int,
    allow_imports: bool,
) -> Comparison:
    """Look through a trace, and replay it under each contender; not if there is nothing in it."""
    with progress("reading") as advance:
        seen = survey(path, advance)
    if not seen.operations:
        return Comparison(str(path), seen, seed, ())
    with progress("comparing") as advance:
        return compare(
            path,
            seen,
            contenders,
            budgets,
            in_processes(jobs),
            seed=seed,
            allow_imports=allow_imports,
            progress=advance,
        )


def _check_output(path: Path | None, option: str, others: Sequence[Path]) -> None:
    """See to it that a file can be written, before there is much work in what it is to hold.

    Raises:
        ConfigError: It cannot, or it is one of those that are read.
    """
    if path is None:
        return
    need_plots()
    if option == "--plot" and path.suffix != ".svg":
        raise ConfigError(
            f"{shown(str(path))} does not end in .svg, and that is what is written", field=option
        )
    reason = obstacle(path, plain=False)
    if reason is None and not path.parent.is_dir():
        reason = "is in a folder that does not exist; name a file to write"
    if reason is not None:
        raise ConfigError(f"{shown(str(path))} {reason}", field=option)
    if path.resolve() in [each.resolve() for each in others]:
        raise ConfigError(f"{shown(str(path))} is named twice; it would be lost", field=option)


def _write(path: Path, text: str) -> None:
    """Write a file, with the same line ends everywhere."""
    path.write_text(text, encoding="utf-8", newline="\n")


def _command(
    trace: Path | None, contenders: Sequence[Contender], budgets: Sequence[str], seed: int
) -> str:
    """Return what makes the same comparison."""
    words = ["backpack", "compare"]
    words += [] if trace is None else [str(trace)]
    for each in contenders:
        words += ["--config", each.file] if each.file is not None else ["--preset", each.name]
    for text in budgets:
        words += ["--budget", text]
    words += ["--seed", str(seed)] if seed else []
    return shlex.join(words)
