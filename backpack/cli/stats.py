"""The command ``backpack stats``: where the bytes of a Backpack in a file are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backpack.cli.options import named
from backpack.cli.terminal import emit_json, emit_rich, is_unicode
from backpack.looking.statistics import Statistics, statistics_of
from backpack.looking.words import moment, quoted_if_odd
from backpack.past import Past
from backpack.units import format_size
from backpack.wording import cut, printable

__all__ = ["stats"]

_SHOWN = 20
_NAME = 40


@click.command()
@click.argument("file", metavar="FILE")
@named
@click.option("--json", "as_json", is_flag=True, help="Print it for programs; sizes in bytes.")
def stats(file: str, name: str | None, as_json: bool) -> None:
    """Tell what there is of a Backpack in FILE, and where its bytes are.

    FILE is a checkpoint, an SQLite archive, or the URL of an archive.
    """
    with Past(file, name) as past:
        found = statistics_of(past)
        if as_json:
            emit_json(_as_data(past, found))
        else:
            emit_rich(_rendered(past, found))


def _as_data(past: Past, found: Statistics) -> dict[str, Any]:
    return {
        "name": past.name,
        "code": past.code,
        "codec": past.codec,
        "commits": {
            "made": found.made,
            "in_file": found.commits,
            "retained": found.retained,
            "archived": found.archived,
            "pinned": found.pinned,
        },
        "tags": found.tags,
        "first": found.first,
        "last": found.last,
        "keys_now": found.keys_now,
        "file_size": found.file_size,
        "in_use": found.in_use,
        "left_out": {"values": found.left_out, "bytes": found.left_out_bytes},
        "keys": [
            {
                "key": each.key,
                "versions": each.versions,
                "removals": each.removals,
                "measured": each.measured,
                "stored": each.stored,
                "left_out": each.left_out,
                "ratio": each.ratio,
            }
            for each in found.keys
        ],
        "nodes": [
            {"by": each.by, "commits": each.commits, "measured": each.measured}
            for each in found.nodes
        ],
        "largest": [
            {
                "key": each.key,
                "commit": f"{each.seq}-{past.code}",
                "size": each.size,
                "left_out": each.is_left_out,
            }
            for each in found.largest
        ],
        "settings": found.settings,
    }


def _rendered(past: Past, found: Statistics) -> RenderableType:
    parts: list[RenderableType] = [
        _text(quoted_if_odd(past.name), style="bold"),
        Text(),
        _pairs(_facts(found)),
    ]
    sections = (
        ("Keys", _keys(found), len(found.keys)),
        ("Nodes", _nodes(found), len(found.nodes)),
        ("Largest values", _largest(past, found), 0),
        ("Settings", _pairs(_settings(found.settings)), 0),
    )
    for title, table, count in sections:
        if table.row_count:
            parts += [Text(), Text(title, style="bold"), table]
        if count > _SHOWN:
            parts.append(Text(f"and {count - _SHOWN:,} more; --json tells of all", style="dim"))
    return Group(*parts)


def _facts(found: Statistics) -> Iterator[tuple[str, str]]:
    standing = {
        "retained": found.retained,
        "archived": found.archived,
        "pinned": found.pinned,
    }
    counts = ", ".join(f"{count:,} {how}" for how, count in standing.items())
    yield "commits", f"{found.commits:,} of {found.made:,}: {counts}"
    if found.first is not None and found.last is not None:
        yield "period", f"{moment(found.first)} to {moment(found.last)} UTC"
    yield "keys", f"{found.keys_now:,}"
    if found.tags:
        tags = [f"{quoted_if_odd(tag, _NAME)} ({count:,})" for tag, count in found.tags.items()]
        more = ", ..." if len(tags) > _SHOWN else ""
        yield "tags", ", ".join(tags[:_SHOWN]) + more
    if found.left_out:
        yield "left out", f"{found.left_out:,} of the values, {format_size(found.left_out_bytes)}"
    if found.file_size is not None:
        yield "file", f"{format_size(found.file_size)}, {format_size(found.in_use)} in use"
    else:
        yield "on the server", format_size(found.in_use)


def _settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        is_size = name == "max_history_size" and type(value) is int
        if is_size:
            text = f"{format_size(value)} ({value:,} bytes)"
        elif isinstance(value, dict):
            text = ", ".join(
                f"{each}: {_argument(each, argument)}" for each, argument in value.items()
            )
        else:
            text = str(value)
        yield quoted_if_odd(name, _NAME), cut(printable(text))


def _argument(name: str, argument: object) -> object:
    is_size = name in ("max_value_size", "max_size") and type(argument) is int
    return format_size(argument) if is_size else argument  # type: ignore[arg-type]


def _text(text: str, style: str = "") -> Text:
    """Return a text of a file, escaped where standard output does not know its letters."""
    known = text if is_unicode() else text.encode("ascii", "backslashreplace").decode()
    return Text(known, style=style)


def _pairs(pairs: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, text in pairs:
        table.add_row(_text(name), _text(text))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, column in enumerate(columns):
        table.add_column(
            Text(column), justify="right" if number else "left", overflow="fold", no_wrap=False
        )
    return table


def _keys(found: Statistics) -> Table:
    table = _table("key", "versions", "removed", "measured", "stored", "ratio")
    for each in islice(found.keys, _SHOWN):
        table.add_row(
            _text(quoted_if_odd(each.key, _NAME)),
            Text(f"{each.versions:,}"),
            Text(f"{each.removals:,}"),
            Text(format_size(each.measured)),
            Text(format_size(each.stored)),
            Text("" if each.ratio is None else f"{each.ratio:.1f}"),
        )
    return table


def _nodes(found: Statistics) -> Table:
    table = _table("node", "commits", "measured")
    for each in islice(found.nodes, _SHOWN):
        name = (
            Text("(no node)", style="dim")
            if each.by is None
            else _text(quoted_if_odd(each.by, _NAME))
        )
        table.add_row(name, Text(f"{each.commits:,}"), Text(format_size(each.measured)))
    return table


def _largest(past: Past, found: Statistics) -> Table:
    table = _table("key", "commit", "size", "")
    for each in found.largest:
        table.add_row(
            _text(quoted_if_odd(each.key, _NAME)),
            Text(f"{each.seq}-{past.code}"),
            Text(format_size(each.size)),
            Text("left out" if each.is_left_out else ""),
        )
    return table
