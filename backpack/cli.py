"""The command ``backpack``: replays and verifies a trace, and explains the presets."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import NoReturn, TypeAlias

import click
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from backpack.config import Config, Use, load_file, load_preset, preset_names
from backpack.container import Backpack
from backpack.errors import BackpackError, TraceError
from backpack.registry import AXES
from backpack.replay import Replay, replay
from backpack.report import Report, Verdict, as_dict, judge, render, to_ascii
from backpack.trace import read_trace
from backpack.units import format_size
from backpack.verify import Verification, verify
from backpack.wording import one_line

__all__ = ["command", "main"]

_DEMO = "demo.jsonl.gz"
_ERROR_LENGTH = 1_000
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

Advance: TypeAlias = Callable[[int, int], None]


class _ReaderGone(Exception):
    """Whoever read the output has stopped reading."""


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
        _complain(f"{message[:1].lower()}{message[1:]}; backpack --help tells what there is")
        code = error.exit_code
    except BackpackError as error:
        _complain(str(error))
        code = Verdict.BAD_INPUT.value
    except _ReaderGone:
        # Python flushes once more when it exits, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = _BROKEN_PIPE
    sys.exit(code)


@click.group(invoke_without_command=True)
@click.version_option(package_name="backpack-memory", message="backpack %(version)s")
@click.pass_context
def command(context: click.Context) -> None:
    """Keep an agent's state whole, and its history inside a byte budget.

    Replay a recorded run with 'backpack run'; choose a preset with 'backpack presets'.
    """
    if context.invoked_subcommand is None:
        _emit(f"{context.get_help()}\n")


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
            _emit_json({"verdict": "bad input", "error": _line(str(error))})
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
        _emit_json(as_dict(report))
    elif report.replay.operations:
        _emit_rich(render(report))
    if report.error is not None:
        _complain(report.error)
    return report.verdict.value


@command.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them for programs.")
def presets(name: str | None, as_json: bool) -> None:
    """List the presets, or explain the one called NAME."""
    if name is not None:
        config = load_preset(name)
        if as_json:
            _emit_json(_settings(config))
        else:
            _emit_rich(_explained(config))
        return
    configs = [load_preset(each) for each in preset_names()]
    if as_json:
        _emit_json([_settings(config) for config in configs])
    else:
        _emit_rich(_listed(configs))


def _replayed(path: Path, backpack: Backpack, limit: int | None) -> tuple[Replay, Verification]:
    """Replay a trace, and verify the replay."""
    with _progress("replaying") as advance:
        replayed = replay(read_trace(path, progress=advance), backpack)
    with _progress("verifying") as advance:
        return replayed, verify(read_trace(path), replayed, backpack, limit=limit, progress=advance)


def _reason(replayed: Replay, path: Path) -> str | None:
    """Return in one line what ended a replay, and where."""
    if replayed.error is None:
        return None
    where = "" if isinstance(replayed.error, TraceError) else f"{path}:{replayed.line}: "
    return _line(f"{where}{replayed.error}")


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


@contextmanager
def _progress(title: str) -> Iterator[Advance | None]:
    """Show a progress bar on the terminal, if the errors go to one; give what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _emit_rich(renderable: RenderableType) -> None:
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    text = "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
    is_unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    _emit(text if is_unicode else to_ascii(text))


def _emit_json(data: object) -> None:
    _emit(json.dumps(data) + "\n")


def _emit(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise _ReaderGone from None


def _complain(message: str) -> None:
    click.echo(f"backpack: {_line(message)}", err=True)


def _line(text: str) -> str:
    return one_line(text, longest=_ERROR_LENGTH)
