"""The command ``backpack``: replays and verifies a trace, explains presets, checks policies."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.resources import as_file, files
from pathlib import Path
from random import SystemRandom
from typing import NoReturn

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backpack.cli_files import restore, save, verify_file
from backpack.config import Config, Use, load_file, load_preset, preset_names
from backpack.container import Backpack
from backpack.errors import BackpackError, TraceError
from backpack.registry import AXES
from backpack.replay import Replay, replay
from backpack.report import Report, Verdict, as_dict, judge, render, to_ascii
from backpack.terminal import (
    ReaderGone,
    complain,
    emit,
    emit_json,
    emit_rich,
    is_unicode,
    line,
    progress,
)
from backpack.trace import read_trace
from backpack.units import format_size
from backpack.verify import Verification, verify

__all__ = ["command", "main"]

_DEMO = "demo.jsonl.gz"
_INTERRUPTED = 130
_BROKEN_PIPE = 141

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

# The backspace keeps click from filling the lines.
_CHECK_CODES = """\b
Exit codes:
  0    every law holds, as far as it was tried
  1    a law is broken
  2    bad input: nothing could be checked of a target
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit.

    Args:
        arguments: What stands after ``backpack`` on the command line; by default, what does.

    Raises:
        SystemExit: Always, with an exit code that ``backpack run --help`` tells.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # What a terminal cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = command.main(arguments, prog_name="backpack", standalone_mode=False) or 0
    except click.exceptions.Abort:
        code = _INTERRUPTED
    except click.ClickException as error:
        message = error.format_message().rstrip(".")
        complain(f"{message[:1].lower()}{message[1:]}; backpack --help tells what there is")
        code = error.exit_code
    except BackpackError as error:
        complain(str(error))
        code = Verdict.BAD_INPUT.value
    except ReaderGone:
        # Python flushes once more when it exits, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    sys.exit(code)


@click.group(invoke_without_command=True)
@click.version_option(package_name="backpack-memory", message="backpack %(version)s")
@click.pass_context
def command(context: click.Context) -> None:
    """Keep an agent's state whole, and its history inside a byte budget.

    Replay a recorded run with 'backpack run'; choose a preset with 'backpack presets'; check a
    policy of your own with 'backpack check'; move a Backpack with 'backpack save' and 'backpack
    restore'.
    """
    if context.invoked_subcommand is None:
        emit(f"{context.get_help()}\n")


for _each in (save, restore, verify_file):
    command.add_command(_each)


@command.command(epilog=_EXIT_CODES)
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
@click.option(
    "--no-imports", is_flag=True, help="Refuse a FILE that names code from outside Backpack."
)
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
    compares every retained commit, value for value, type for type.
    """
    if preset is not None and config_file is not None:
        raise click.UsageError("--preset and --config exclude each other")
    try:
        if config_file is None:
            config = load_preset(preset or "default", max_history_size=budget)
        else:
            config = load_file(config_file, allow_imports=not no_imports, max_history_size=budget)
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


@command.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them for programs.")
def presets(name: str | None, as_json: bool) -> None:
    """List the presets, or explain the one called NAME."""
    if name is not None:
        config = load_preset(name)
        if as_json:
            emit_json(_settings(config))
        else:
            emit_rich(_explained(config))
        return
    configs = [load_preset(each) for each in preset_names()]
    if as_json:
        emit_json([_settings(config) for config in configs])
    else:
        emit_rich(_listed(configs))


@command.command(epilog=_CHECK_CODES)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--preset", metavar="NAME", help="Check the policies of a preset.")
@click.option(
    "--config", "config_file", metavar="FILE", type=click.Path(), help="Check those of a YAML file."
)
@click.option("--axis", metavar="AXIS", help="What TARGET is, where it could be several things.")
@click.option("--laws", metavar="ID,...", help="Only these laws; all if left out.")
@click.option(
    "--expect",
    "expected",
    metavar="ID=REASON",
    multiple=True,
    help="A law that is broken, and is meant to be; may be repeated.",
)
@click.option("--seed", metavar="N", type=int, help="Draw the same examples as a run before.")
@click.option(
    "--examples", metavar="N", type=click.IntRange(min=1), help="Examples a law; 200 if left out."
)
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    help="What one example may take before it counts as hanging; 20 if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the reports for programs.")
@click.option(
    "--no-imports", is_flag=True, help="Refuse a FILE that names code from outside Backpack."
)
def check(
    targets: tuple[str, ...],
    preset: str | None,
    config_file: str | None,
    axis: str | None,
    laws: str | None,
    expected: tuple[str, ...],
    seed: int | None,
    examples: int | None,
    time_limit: float,
    as_json: bool,
    no_imports: bool,
) -> int:
    """Check policies against the laws of the specification.

    A TARGET is 'module:Class', a function that makes a policy, or the name of a built-in one.
    Modules are looked for in the current folder, too. It needs backpack-memory[spec].
    """
    if bool(targets) + (preset is not None) + (config_file is not None) != 1:
        raise click.UsageError("say what to check: a TARGET, --preset or --config, one of them")
    try:
        spec = import_module("backpack.spec.command")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise click.ClickException(
            'checking needs Hypothesis; pip install "backpack-memory[spec]" brings it'
        ) from error
    options = {
        "axis": axis,
        "laws": laws.replace(" ", "").split(",") if laws else None,
        "expected": dict(map(_expectation, expected)),
        "seed": SystemRandom().randrange(2**31) if seed is None else seed,
        "examples": examples,
        "time_limit": time_limit,
        "imports": not no_imports,
    }
    named = [{"name": each, "target": each} for each in targets]
    if preset is not None:
        named = [{"name": f"preset {preset}", "preset": preset}]
    elif config_file is not None:
        named = [{"name": config_file, "config": config_file}]
    results = []
    for each in named:
        job = spec.Job(**each, **options)
        with progress(f"checking {job.name}") as advance:
            results.append(spec.check(job, lambda _, done, total: advance and advance(done, total)))
        for report in () if as_json else results[-1].reports:
            emit(f"{to_ascii(str(report)) if not is_unicode() else report}\n\n")
    if as_json:
        emit_json(
            {
                "ok": all(each.ok for each in results),
                "reports": [report.as_dict() for each in results for report in each.reports],
                "errors": {each.name: each.error for each in results if each.error},
            }
        )
    for result in results:
        if result.error is not None:
            complain(f"{result.name}: {result.error}")
    return int(spec.exit_code(results))


def _expectation(text: str) -> tuple[str, str]:
    """Read what stands after --expect."""
    law, separator, reason = text.partition("=")
    if not separator or not reason.strip():
        raise click.UsageError(f"--expect wants ID=REASON, found {text!r}")
    return law.strip(), reason.strip()


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


def _settings(config: Config) -> dict[str, object]:
    """Return a preset as its file says it, sizes in bytes."""
    return {
        "name": config.name,
        "description": config.description,
        "max_history_size": config.max_history_size,
        **{axis: {"use": use.name, **use.arguments} for axis, use in _uses(config)},
    }


def _uses(config: Config) -> Iterator[tuple[str, Use]]:
    for axis in AXES:
        use = getattr(config, axis)
        if isinstance(use, Use):
            yield axis, use


def _listed(configs: Sequence[Config]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for config in configs:
        table.add_row(
            Text(config.name), Text(format_size(config.max_history_size)), Text(config.description)
        )
        table.add_row()
    hint = "backpack presets NAME explains one; backpack run --preset NAME tries it."
    return Group(table, Text(hint, style="dim"))


def _explained(config: Config) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    size = config.max_history_size
    table.add_row(Text("max_history_size"), Text(f"{format_size(size)} ({size:,} bytes)"))
    for axis, use in _uses(config):
        arguments = "".join(f", {name}: {value}" for name, value in use.arguments.items())
        table.add_row(Text(axis), Text(f"{use.name}{arguments}"))
    return Group(
        Text(config.name, style="bold"),
        Text(),
        Text(config.description),
        Text(),
        table,
        Text(),
        Text(f'Backpack.from_preset("{config.name}")', style="cyan"),
        Text(f"backpack run --preset {config.name}", style="cyan"),
    )
