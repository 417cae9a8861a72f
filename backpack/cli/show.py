"""The command ``backpack show``: a commit and what it changed, or a value of its state."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from backpack.cli.options import named
from backpack.cli.paint import emit_lines, is_terminal, painter
from backpack.cli.terminal import ReaderGone
from backpack.errors import ConfigError
from backpack.looking.comparing import size_of
from backpack.looking.spelling import Shortly, for_json, for_people
from backpack.looking.telling import as_data, in_full
from backpack.looking.words import quoted_if_odd
from backpack.looking.writing import on_lines, on_one_line, one_line_of, shortened
from backpack.past import Past
from backpack.records import Unavailable
from backpack.units import format_size
from backpack.wording import found

if TYPE_CHECKING:
    from backpack.logged import LoggedCommit

__all__ = ["show"]

#: What a terminal is shown of a value, in lines and in characters of each.
_LINES = 60
_LENGTH = 400
_SUMMARY = 100


@click.command()
@click.argument("file", metavar="FILE")
@click.argument("what", metavar="[COMMIT][:KEY]", default="HEAD")
@named
@click.option("--state", is_flag=True, help="All keys as of COMMIT, not only those it changed.")
@click.option("--full", is_flag=True, help="All of the value, on a terminal as well.")
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
@click.option("--raw", is_flag=True, help="The value itself, a text or bytes, and nothing else.")
def show(
    file: str, what: str, name: str | None, state: bool, full: bool, as_json: bool, raw: bool
) -> None:
    """Show a COMMIT and what it changed, or the value that a KEY had as of it.

    FILE is a checkpoint, an SQLite archive, or the URL of an archive. COMMIT is the id of a commit,
    its number, HEAD, HEAD~3, or a tag; HEAD if left out. What stands behind the first colon is the
    KEY.
    """
    commit, colon, key = what.partition(":")
    if (state and colon) or (raw and not colon) or (raw and as_json):
        raise click.UsageError("--state goes with a COMMIT, --raw with COMMIT:KEY and not --json")
    with Past(file, name) as past:
        logged = past.find(commit or "HEAD")
        if not colon:
            _show_commit(past, logged, state=state, as_json=as_json)
            return
        value = past.value(key, logged.commit.seq)
        if raw:
            _write_raw(value)
        elif as_json:
            _write_json(value)
        else:
            _show_value(value, full=full or not is_terminal())


def _show_value(value: object, *, full: bool) -> None:
    if full:
        emit_lines(on_lines(value, for_people))
        return
    spelling = Shortly(_LENGTH)
    lines, is_cut = shortened(on_lines(value, spelling), _LINES, _LENGTH)
    emit_lines(lines)
    if is_cut or spelling.is_cut:
        emit_lines(["", "(cut for the terminal; --full shows all of it)"])


def _write_json(value: object) -> None:
    emit_lines(["".join(on_one_line(value, for_json))])


def _write_raw(value: object) -> None:
    """Write a text, or bytes, as they are.

    Raises:
        ConfigError: It is neither, or a terminal would obey it.
    """
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogatepass")
    if not isinstance(value, bytes | bytearray):
        kind = "left out of history" if isinstance(value, Unavailable) else found(value)
        raise ConfigError(f"--raw is for a text or bytes, and this is {kind}; use --json")
    if is_terminal():
        raise ConfigError(
            "--raw goes to a file or a pipe, as a terminal would obey what is in it; without --raw "
            "it is shown"
        )
    try:
        sys.stdout.buffer.write(value)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def _show_commit(past: Past, logged: LoggedCommit, *, state: bool, as_json: bool) -> None:
    setters = past.setters_at(logged.commit.seq)
    if as_json:
        emit_lines(["".join(_json_of(past, logged, setters, state=state))])
    else:
        emit_lines(_lines_of(past, logged, setters, state=state))


def _json_of(
    past: Past, logged: LoggedCommit, setters: dict[str, int], *, state: bool
) -> Iterator[str]:
    """Iterate over the pieces of a JSON object that tells of a commit."""
    told = as_data(logged, past)
    if not state:
        told["keys"] = {key: f"{setter}-{past.code}" for key, setter in setters.items()}
        yield json.dumps(told)
        return
    yield f'{json.dumps(told)[:-1]}, "state": {{'
    for number, key in enumerate(setters):
        yield f"{', ' if number else ''}{json.dumps(key)}: "
        yield from on_one_line(past.value(key, logged.commit.seq), for_json)
    yield "}}"


def _lines_of(
    past: Past, logged: LoggedCommit, setters: dict[str, int], *, state: bool
) -> Iterator[str]:
    """Iterate over the lines that tell of a commit, and of what it changed or of all."""
    paint = painter()
    yield from in_full(logged, past, paint, with_changes=False)
    yield ""
    kinds = {each.key: each.kind for each in logged.commit.changes}
    for key in setters if state else kinds:
        title = paint(quoted_if_odd(key), bold=True)
        if key not in setters:
            yield f"    {title}  removed"
            continue
        encoded = past.encoded(key, logged.commit.seq)
        how = f"set by {setters[key]}-{past.code}" if state else kinds[key]
        yield f"    {title}  {how}, {format_size(size_of(encoded))}"
        yield f"        {_summary(past, key, encoded)}"
    if not state:
        count = f"{len(setters):,} {'key' if len(setters) == 1 else 'keys'}"
        yield from ["", f"    {count} as of this commit; --state shows all"]


def _summary(past: Past, key: str, encoded: bytes | Unavailable) -> str:
    if isinstance(encoded, bytes) and not past.is_readable:
        return f"<written with the codec {quoted_if_odd(past.codec)}, which may run code>"
    value = past.decoded(encoded)
    return one_line_of(value, Shortly(_SUMMARY), _SUMMARY)
