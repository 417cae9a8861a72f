"""The command ``backpack inspect``: a page over a Backpack in a file."""

from __future__ import annotations

import webbrowser
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import click

from backpack.cli.options import named
from backpack.cli.terminal import emit, line, progress
from backpack.errors import ArchiveError
from backpack.inspect.export import LIMIT, export
from backpack.inspect.inspected import Inspected
from backpack.units import format_size, parse_size

__all__ = ["inspect"]


@click.command()
@click.argument("file", metavar="FILE")
@named
@click.option("--port", metavar="N", type=click.IntRange(1, 65535), help="The port; any if not.")
@click.option("--no-open", is_flag=True, help="Open no browser.")
@click.option(
    "--export",
    "out",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write the page there; an OUT that is there is replaced.",
)
@click.option(
    "--limit",
    metavar="SIZE",
    help=f"Bytes of values that are exported at most; {format_size(LIMIT)} if left out.",
)
def inspect(
    file: str,
    name: str | None,
    port: int | None,
    no_open: bool,
    out: Path | None,
    limit: str | None,
) -> None:
    """Look at a checkpoint or an archive in a browser: every commit, and the state at any.

    FILE is a checkpoint, an SQLite archive, or the URL of an archive. The page is served to this
    machine alone until Ctrl-C ends it; that needs backpack-memory[inspect]. With --export it is
    written to one file instead, which opens without a server.
    """
    if out is None:
        if limit is not None:
            raise click.UsageError("--limit is about --export OUT; give that, too")
        _serve(file, name, port or 0, not no_open)
        return
    if port is not None or no_open:
        raise click.UsageError("--export writes a file: there is no --port, and nothing to open")
    most = LIMIT if limit is None else parse_size(limit, field="--limit")
    with progress("exporting") as advance:
        done = export(file, out, name, limit=most, progress=advance)
    left = f"; {done.left_out:,} values over the limit are left out" if done.left_out else ""
    emit(
        f"{line(done.name)}: {done.commits:,} commits, {done.values:,} values written to {out} "
        f"({format_size(done.size)}){left}\n"
    )


def _serve(file: str, name: str | None, port: int, is_opened: bool) -> None:
    server, guarding = _module("server"), _module("guarding")
    inspected = Inspected(file, name)
    where = inspected.check()
    inspected.close()
    listening = server.bound(port)
    door = guarding.Door(listening.getsockname()[1])

    def begun() -> None:
        emit(f"{line(where)} at {door.address}\nCtrl-C ends it.\n")
        if is_opened:
            # Some browsers are waited for until they are closed.
            Thread(target=webbrowser.open, args=(door.address,), daemon=True).start()

    server.serve(inspected, listening, door, begun)


def _module(name: str) -> Any:
    """Return a module of the server, imported now.

    Raises:
        ArchiveError: What it needs is not installed.
    """
    try:
        return import_module(f"backpack.inspect.{name}")
    except ModuleNotFoundError as error:
        raise ArchiveError(
            f"a page is served with the package {error.name}; "
            'pip install "backpack-memory[inspect]" brings it. '
            '--export needs no more than "backpack-memory[archive]"'
        ) from error
