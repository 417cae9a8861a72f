"""The command ``backpack log``: the commits of a Backpack in a file, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from backpack.cli.options import named
from backpack.cli.paint import emit_lines, painter
from backpack.looking.selecting import Bound, Chosen, chosen, parse_when
from backpack.looking.telling import as_data, changed_sizes, in_full, on_a_line
from backpack.past import Past

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.logged import LoggedCommit

__all__ = ["log"]


@click.command()
@click.argument("file", metavar="FILE")
@named
@click.option("--key", metavar="KEY", help="Only commits that changed KEY.")
@click.option("--by", metavar="NODE", help="Only commits that NODE made.")
@click.option("--tag", metavar="TAG", help="Only commits that have TAG.")
@click.option("--since", metavar="WHEN", help="Only commits from WHEN on.")
@click.option("--until", metavar="WHEN", help="Only commits up to WHEN.")
@click.option("-n", "most", metavar="N", type=click.IntRange(min=0), help="Only the newest N.")
@click.option("--oneline", is_flag=True, help="A line for each commit.")
@click.option("--stat", is_flag=True, help="How large what was changed was before, and is.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each commit, on a line.")
def log(
    file: str,
    name: str | None,
    key: str | None,
    by: str | None,
    tag: str | None,
    since: str | None,
    until: str | None,
    most: int | None,
    oneline: bool,
    stat: bool,
    as_json: bool,
) -> None:
    """List the commits of a Backpack in FILE, newest first.

    FILE is a checkpoint, an SQLite archive, or the URL of an archive. WHEN is a date or a time,
    such as 2026-05-01 or 2026-05-01T12:00+02:00 (without an offset it is UTC); a span before the
    newest commit, such as 2h or '30 days'; or a commit: its id, its number, HEAD, HEAD~3, a tag.
    """
    if as_json and (oneline or stat):
        raise click.UsageError("--json goes with neither --oneline nor --stat")
    with Past(file, name) as past:
        which = Chosen(
            key,
            by,
            tag,
            Bound() if since is None else parse_when(past, since),
            Bound() if until is None else parse_when(past, until, is_end=True),
            most,
        )
        commits = chosen(past, which)
        if as_json:
            emit_lines(json.dumps(as_data(each, past)) for each in commits)
            return
        paint = painter()
        emit_lines(_told(commits, past, paint, oneline=oneline, stat=stat))


def _told(
    commits: Iterator[LoggedCommit],
    past: Past,
    paint: Callable[..., str],
    *,
    oneline: bool,
    stat: bool,
) -> Iterator[str]:
    """Iterate over the lines that tell of commits."""
    for number, each in enumerate(commits):
        if oneline:
            yield on_a_line(each, past, paint)
        else:
            between = [""] if number else []
            yield from chain(between, in_full(each, past, paint, with_changes=not stat))
            yield from [""] if stat else []
        if stat:
            yield from changed_sizes(each, past, paint)
