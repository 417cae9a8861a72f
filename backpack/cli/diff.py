"""The command ``backpack diff``: what changed between two commits of a Backpack in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from backpack.cli.options import named
from backpack.cli.paint import emit_lines, is_terminal, painter
from backpack.looking.changes import deepdiff
from backpack.looking.comparing import KeyChange, between
from backpack.looking.differing import as_json_pieces, summed_up, told
from backpack.past import Past

if TYPE_CHECKING:
    from backpack.logged import LoggedCommit

__all__ = ["diff"]


@click.command()
@click.argument("file", metavar="FILE")
@click.argument("first", metavar="A")
@click.argument("second", metavar="[B]", default="HEAD")
@named
@click.option("--key", metavar="KEY", help="Only what changed of KEY.")
@click.option("--stat", is_flag=True, help="Only which keys changed, and how large they are.")
@click.option("--full", is_flag=True, help="All differences, on a terminal as well.")
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def diff(
    file: str,
    first: str,
    second: str,
    name: str | None,
    key: str | None,
    stat: bool,
    full: bool,
    as_json: bool,
) -> None:
    """Show what changed from commit A to commit B: keys, and what is inside their values.

    FILE is a checkpoint, an SQLite archive, or the URL of an archive. A commit is its id, its
    number, HEAD, HEAD~3, or a tag; B is HEAD if left out. It needs backpack-memory[look].
    """
    if not stat:
        # Asked for before anything is told, whether or not it comes to be needed.
        deepdiff()
    with Past(file, name) as past:
        one, other = past.find(first), past.find(second)
        changes = between(past, one.commit.seq, other.commit.seq, key)
        if as_json:
            emit_lines(["".join(_json_of(one, other, changes, stat=stat))])
        else:
            emit_lines(_lines_of(one, other, changes, stat=stat, full=full or not is_terminal()))


def _lines_of(
    one: LoggedCommit, other: LoggedCommit, changes: Iterator[KeyChange], *, stat: bool, full: bool
) -> Iterator[str]:
    paint = painter()
    changed = next(changes, None)
    yield paint(f"{one.commit.id} -> {other.commit.id}", fg="yellow")
    if changed is None:
        yield "(nothing differs)"
        return
    for each in chain([changed], changes):
        yield summed_up(each, paint)
        if not stat:
            yield from told(each, paint, full=full)


def _json_of(
    one: LoggedCommit, other: LoggedCommit, changes: Iterator[KeyChange], *, stat: bool
) -> Iterator[str]:
    """Iterate over the pieces of a JSON object."""
    yield f'{{"from": {json.dumps(one.commit.id)}, "to": {json.dumps(other.commit.id)}, "keys": ['
    for number, each in enumerate(changes):
        yield ", " if number else ""
        yield from as_json_pieces(each, stat=stat)
    yield "]}"
