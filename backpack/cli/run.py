"""The command ``backpack run``: replays a trace, verifies every answer, and reports."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import click

from backpack.cli.imports import modules_here
from backpack.cli.options import no_imports
from backpack.cli.terminal import complain, emit_json, emit_rich, line, progress
from backpack.compare.contenders import budget_from
from backpack.config import load_file, load_preset
from backpack.container import Backpack
from backpack.errors import BackpackError, TraceError
from backpack.replay import Replay, replay
from backpack.report import Report, as_dict, judge, render
from backpack.trace import read_trace
from backpack.verify import Verification, verify

__all__ = ["run"]

_DEMO = "demo.jsonl.gz"

# The backspace keeps click from filling the lines.
_EXIT_CODES = """\b
Exit codes:
  0    nothing was wrong, and history never left its budget
  1    an answer was wrong, or history took more than its budget
  2    bad input: the trace, the configuration or the command line
  3    the Backpack refused to go on: no room, or a failing policy
  130  interrupted
  141  whoever read the output stopped reading

With 2 and 3, everything before the error is replayed, verified and reported.
"""


@click.command(epilog=_EXIT_CODES)
@click.argument("trace", required=False, type=click.Path(path_type=Path))
@click.option("--preset", metavar="NAME", help="The preset to use; 'default' if left out.")
@click.option(
    "--config", "config_file", metavar="FILE", type=click.Path(), help="A YAML file to use instead."
)
@click.option("--budget", metavar="SIZE", help="The history budget instead, such as '8 MiB'.")
@click.option(
    "--verify",
    "limit",
    metavar="N",
    type=click.IntRange(min=0),
    help="Compare only N retained commits, evenly spread; all of them if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report for programs.")
@no_imports
def run(
    trace: Path | None,
    preset: str | None,
    config_file: str | None,
    budget: str | None,
    limit: int | None,
    as_json: bool,
    no_imports: bool,
) -> int:
    """Replay TRACE through a Backpack, verify every answer, and report.

    TRACE is a file of JSON Lines, plain or gzip; without it, a small trace that comes with
    Backpack is replayed. A second pass over the trace recomputes the state without Backpack and
    compares every retained commit, value for value, type for type. Modules that a FILE names are
    looked for in the current folder, too.
    """
    if preset is not None and config_file is not None:
        raise click.UsageError("--preset and --config exclude each other")
    here = modules_here(wanted=config_file is not None and not no_imports)
    click.get_current_context().with_resource(here)
    try:
        size = None if budget is None else budget_from(budget)
        if config_file is None:
            config = load_preset(preset or "default", max_history_size=size)
        else:
            config = load_file(config_file, allow_imports=not no_imports, max_history_size=size)
        backpack = Backpack(**config.arguments())
    except BackpackError as error:
        if as_json:
            emit_json({"verdict": "bad input", "error": line(str(error))})
        raise
    with as_file(files("backpack") / _DEMO) as demo:
        path = demo if trace is None else trace
        replayed, verification = _replayed(path, backpack, limit)
    report = Report(
        trace="demo trace" if trace is None else str(trace),
        preset=config.name,
        config=config_file,
        replay=replayed,
        verification=verification,
        verdict=judge(replayed, verification),
        error=_reason(replayed, path),
    )
    if as_json:
        emit_json(as_dict(report))
    elif report.replay.operations:
        emit_rich(render(report))
    if report.error is not None:
        complain(report.error)
    return report.verdict.value


def _replayed(path: Path, backpack: Backpack, limit: int | None) -> tuple[Replay, Verification]:
    """Replay a trace, and verify the replay."""
    with progress("replaying") as advance:
        replayed = replay(read_trace(path, progress=advance), backpack)
    with progress("verifying") as advance:
        return replayed, verify(read_trace(path), replayed, backpack, limit=limit, progress=advance)


def _reason(replayed: Replay, path: Path) -> str | None:
    """Return in one line what ended a replay, and where."""
    if replayed.error is None:
        return None
    where = "" if isinstance(replayed.error, TraceError) else f"{path}:{replayed.line}: "
    return line(f"{where}{replayed.error}")
