"""What is told of a difference: in lines for people, and in JSON for programs."""

from __future__ import annotations

import json
from difflib import unified_diff
from itertools import islice
from typing import TYPE_CHECKING, Final

from backpack.looking.changes import ABSENT, Difference
from backpack.looking.spelling import Shortly, for_json
from backpack.looking.words import quoted_if_odd
from backpack.looking.writing import on_one_line, one_line_of
from backpack.units import format_size
from backpack.wording import cut, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backpack.looking.comparing import KeyChange

__all__ = ["as_json_pieces", "summed_up", "told"]

_SIGNS: Final = {"added": "+", "removed": "-"}
_COLOURS: Final = {"added": "green", "removed": "red", "changed": "cyan"}
_VALUE: Final = 300
#: So much of what two long texts begin with is shown before they differ.
_BEFORE: Final = 40
#: Two values that are no longer stand on one line.
_SHORT: Final = 60
#: So many differences of a key, and lines of a text, a terminal is shown.
_SHOWN: Final = 50
#: Texts of more lines than this are not compared line by line: difflib could take very long.
_LINES: Final = 2_000


def summed_up(change: KeyChange, paint: Callable[..., str]) -> str:
    """Return the line that tells which key changed, and how large it was and is."""
    sizes = [format_size(each) for each in (change.size_before, change.size_after)]
    size = {"added": sizes[1], "removed": sizes[0]}.get(change.kind, " -> ".join(sizes))
    text = f"{_SIGNS.get(change.kind, '~')} {quoted_if_odd(change.key)}"
    return f"{paint(text, fg=_COLOURS[change.kind], bold=True)}  {change.kind}, {size}"


def told(change: KeyChange, paint: Callable[..., str], *, full: bool) -> Iterator[str]:
    """Iterate over the lines that tell what changed inside the value of a key.

    Args:
        change: The change.
        paint: Colours a text.
        full: Whether all differences are told, however many they are.
    """
    found = change.inside()
    for each in found if full else found[:_SHOWN]:
        yield from _lines(each, paint, full=full)
    if not full and len(found) > _SHOWN:
        yield f"    ({len(found) - _SHOWN:,} more differences; --full shows them)"


def _lines(each: Difference, paint: Callable[..., str], *, full: bool) -> Iterator[str]:
    """Iterate over the lines that tell of one difference."""
    path = cut(printable(each.path))
    before, after = _texts(each)
    if each.kind == "added":
        yield paint(f"    + {path}: {after}", fg="green")
    elif each.kind == "removed":
        yield paint(f"    - {path}: {before}", fg="red")
    elif each.kind == "order":
        yield f"    ~ {path}: its keys are in another order"
        yield paint(f"      - {before}", fg="red")
        yield paint(f"      + {after}", fg="green")
    elif (lines := _of_texts(each)) is not None:
        yield f"    ~ {path}:"
        for line in lines if full else islice(lines, _SHOWN):
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[0])
            yield paint(f"      {cut(line, _VALUE)}", fg=colour)
        if not full and next(lines, None) is not None:
            yield "      (more lines; --full shows them)"
    elif len(before) + len(after) <= _SHORT:
        yield f"    ~ {path}: {paint(before, fg='red')} -> {paint(after, fg='green')}"
    else:
        yield f"    ~ {path}:"
        yield paint(f"      - {before}", fg="red")
        yield paint(f"      + {after}", fg="green")
    if each.note is not None:
        yield f"      ({each.note})"


def _texts(each: Difference) -> tuple[str, str]:
    """Return both values on one line each, with their types where these differ."""
    skipped = _alike(each.before, each.after)
    texts = [
        f"...{one_line_of(value[skipped:], Shortly(_VALUE), _VALUE)}"  # type: ignore[index]
        if skipped
        else one_line_of(value, Shortly(_VALUE), _VALUE)
        for value in (each.before, each.after)
    ]
    if each.kind == "type":
        kinds = [type(value).__name__ for value in (each.before, each.after)]
        texts = [f"{text} ({kind})" for text, kind in zip(texts, kinds, strict=True)]
    elif texts[0] == texts[1]:
        texts = [f"{text} (they differ where this does not show)" for text in texts]
    return texts[0], texts[1]


def _alike(before: object, after: object) -> int:
    """Return how much of two long texts is left out, as they begin alike; 0 for anything else."""
    if type(before) is not str or type(after) is not str or len(before) + len(after) < _VALUE:
        return 0
    pairs = enumerate(zip(before, after, strict=False))
    first = next((at for at, (one, other) in pairs if one != other), min(len(before), len(after)))
    return max(0, first - _BEFORE)


def _of_texts(each: Difference) -> Iterator[str] | None:
    """Return the lines that differ in two texts; None if these are none, or have one line."""
    before, after = each.before, each.after
    if type(before) is not str or type(after) is not str or "\n" not in before + after:
        return None
    old, new = _split(before), _split(after)
    if old == new or len(old) + len(new) > _LINES:
        return None
    differing = unified_diff(old, new, lineterm="", n=2)
    return islice(differing, 2, None)  # The first two name files.


def _split(text: str) -> list[str]:
    lines = [printable(line) for line in text.split("\n")]
    return [*lines[:-1], f"{lines[-1]}\\"] if lines[-1] else lines[:-1]


def as_json_pieces(change: KeyChange, *, stat: bool) -> Iterator[str]:
    """Iterate over the pieces of a JSON object that tells what changed of a key."""
    about = {
        "key": change.key,
        "kind": change.kind,
        "size_before": change.size_before,
        "size_after": change.size_after,
    }
    if stat:
        yield json.dumps(about)
        return
    yield f'{json.dumps(about)[:-1]}, "differences": ['
    for number, each in enumerate(change.inside()):
        head = {"path": each.path, "kind": each.kind, "note": each.note}
        yield f"{', ' if number else ''}{json.dumps(head)[:-1]}"
        for name, value in (("before", each.before), ("after", each.after)):
            if value is not ABSENT:
                yield f', "{name}": '
                yield from on_one_line(value, for_json)
        yield "}"
    yield "]}"
