"""What the command writes to a terminal, a pipe or a file, and how."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import click
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from backpack.report import to_ascii
from backpack.wording import one_line

__all__ = [
    "Advance",
    "ReaderGone",
    "complain",
    "emit",
    "emit_json",
    "emit_rich",
    "is_unicode",
    "line",
    "progress",
]

_ERROR_LENGTH = 1_000

#: Moves a progress bar: how much is done, and of how much.
Advance: TypeAlias = Callable[[int, int], None]


class ReaderGone(Exception):
    """Whoever read the output has stopped reading."""


@contextmanager
def progress(title: str) -> Iterator[Advance | None]:
    """Show a progress bar on the terminal, if the errors go to one; give what moves it."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def emit_rich(renderable: RenderableType) -> None:
    """Write tables and styled text; as plain ASCII where standard output shows no more."""
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    text = "".join(f"{each.rstrip()}\n" for each in capture.get().splitlines())
    emit(text if is_unicode() else to_ascii(text))


def is_unicode() -> bool:
    """Whether standard output shows more than ASCII."""
    return (sys.stdout.encoding or "ascii").lower().startswith("utf")


def emit_json(data: object) -> None:
    """Write data as one line of JSON."""
    emit(json.dumps(data) + "\n")


def emit(text: str) -> None:
    """Write text.

    Raises:
        ReaderGone: Nobody reads it any more.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def complain(message: str) -> None:
    """Write an error, as one line."""
    click.echo(f"backpack: {line(message)}", err=True)


def line(text: str) -> str:
    """Return a text as one line that is not too long."""
    return one_line(text, longest=_ERROR_LENGTH)
