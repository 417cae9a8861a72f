"""The command ``backpack convert``: makes a trace of a log."""

from __future__ import annotations

from pathlib import Path

import click

from backpack.cli.terminal import emit, line, progress
from backpack.converting import KINDS, Kind
from backpack.converting import convert as convert_file
from backpack.wording import counted

__all__ = ["convert"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--from", "kind", type=click.Choice(KINDS), help="What FILE holds; told from it if left out."
)
@click.option("--by", metavar="FIELD", help="The field of a state that says who made it.")
@click.option(
    "--look-backs",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    help="Put in N looks at earlier states, since a log has none.",
)
@click.option("--seed", metavar="N", type=int, default=1, help="What they are drawn from.")
@click.option("--force", is_flag=True, help="Replace an OUT that is there.")
def convert(
    file: Path,
    out: Path,
    kind: Kind | None,
    by: str | None,
    look_backs: int,
    seed: int,
    force: bool,
) -> None:
    """Make a trace OUT of FILE, for 'backpack run': a log of chats, or of states.

    A chat is a list of messages, or an object with one as 'messages', as OpenAI has it; FILE holds
    one, or one a line. States are objects, one a line, each the whole state at a step: what
    differs from one to the next becomes a commit. FILE may be compressed by gzip, and OUT is if
    its name ends in .gz.
    """
    if by is not None and kind == "chat":
        raise click.UsageError("--by goes with states; of a message, its role says who made it")
    with progress("converting") as advance:
        found = convert_file(
            file,
            out,
            kind=kind,
            by=by,
            look_backs=look_backs,
            seed=seed,
            force=force,
            progress=advance,
        )
    emit(
        f"{line(str(out))}: {counted(found.commits, 'commit')} and "
        f"{counted(found.look_backs, 'look-back')}, of "
        f"{'a chat' if found.kind == 'chat' else 'states'}\n"
    )
