"""The command ``backpack``: what it is made of, and how it ends."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from backpack.cli.check import check
from backpack.cli.compare import compare_command
from backpack.cli.convert import convert
from backpack.cli.diff import diff
from backpack.cli.files import restore, save, verify_file
from backpack.cli.inspect import inspect
from backpack.cli.log import log
from backpack.cli.presets import presets
from backpack.cli.run import run
from backpack.cli.show import show
from backpack.cli.stats import stats
from backpack.cli.terminal import ReaderGone, complain, emit
from backpack.errors import BackpackError
from backpack.report import Verdict

__all__ = ["command", "main"]

_INTERRUPTED = 130
_BROKEN_PIPE = 141


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

    Replay a recorded run with 'backpack run', or make one of a log with 'backpack convert'; choose
    a preset with 'backpack presets', and see with 'backpack compare' what each buys; check a policy
    of your own with 'backpack check'; move a Backpack with 'backpack save' and 'backpack restore';
    look back at one in a file with 'backpack log', 'show', 'diff' and 'stats', or in a browser with
    'backpack inspect'.
    """
    if context.invoked_subcommand is None:
        emit(f"{context.get_help()}\n")


_COMMANDS = (
    *(run, compare_command, convert, presets, check, save, restore, verify_file),
    *(log, show, diff, stats, inspect),
)
for _each in _COMMANDS:
    command.add_command(_each)
