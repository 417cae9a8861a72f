"""Lines with colours where a terminal shows them, streamed as they are made."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from rich.console import Console

from backpack.cli.terminal import emit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["emit_lines", "is_terminal", "painter"]

#: So many characters are gathered before they are written.
_PORTION = 32 * 1024


def painter() -> Callable[..., str]:
    """Return what colours a text, as ``click.style`` does; or leaves it, where nothing would."""
    console = Console()
    if console.is_terminal and console.color_system is not None and not console.no_color:
        return click.style
    return lambda text, **_: str(text)


def is_terminal() -> bool:
    """Whether people read what is written, as it is written."""
    return sys.stdout.isatty()


def emit_lines(lines: Iterable[str]) -> None:
    """Write lines, many at a time.

    What was made before an error is written before it is raised.

    Raises:
        ReaderGone: Nobody reads them any more.
    """
    portion: list[str] = []
    size = 0
    try:
        for line in lines:
            portion.append(f"{line}\n")
            size += len(line)
            if size > _PORTION:
                written, portion, size = "".join(portion), [], 0
                emit(written)
    finally:
        if portion:
            emit("".join(portion))
