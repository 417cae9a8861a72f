"""What is told of a commit: in lines for people, and as data for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backpack.looking.words import moment, quoted_if_odd
from backpack.units import format_size
from backpack.wording import cut, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backpack.logged import LoggedCommit
    from backpack.past import Past
    from backpack.records import Change

__all__ = ["as_data", "changed_sizes", "in_full", "on_a_line"]

_NOTE = 2_000
_COLOURS = {"set": "green", "same": "blue", "removed": "red"}
_SIGNS = {"set": "", "same": "=", "removed": "-"}


def as_data(logged: LoggedCommit, past: Past) -> dict[str, Any]:
    """Return what there is to tell of a commit, as JSON has it."""
    commit = logged.commit
    return {
        "id": commit.id,
        "seq": commit.seq,
        "time": commit.time.isoformat(),
        "timestamp": commit.timestamp,
        "by": commit.by,
        "tags": list(commit.tags),
        "note": commit.note,
        "changes": [
            {"key": each.key, "kind": each.kind, "size": each.size} for each in commit.changes
        ],
        "head": commit.seq == past.head,
        "retained": logged.retained,
        "pinned": logged.pinned,
    }


def in_full(
    logged: LoggedCommit, past: Past, paint: Callable[..., str], *, with_changes: bool = True
) -> Iterator[str]:
    """Iterate over the lines that tell all of a commit."""
    commit = logged.commit
    yield f"{paint(f'commit {commit.id}', fg='yellow')} ({', '.join(_standing(logged, past))})"
    yield f"Time:  {moment(commit.timestamp)} UTC"
    if commit.by is not None:
        yield f"By:    {paint(quoted_if_odd(commit.by), fg='cyan')}"
    if commit.tags:
        yield f"Tags:  {paint(_tags(logged), fg='magenta')}"
    if commit.note is not None:
        first, *others = commit.note[:_NOTE].splitlines() or [""]
        yield f"Note:  {printable(first)}"
        yield from (f"       {printable(each)}" for each in others)
        if len(commit.note) > _NOTE:
            yield "       ..."
    if with_changes:
        yield ""
        yield from (f"    {_change(each, paint)}" for each in commit.changes)


def on_a_line(logged: LoggedCommit, past: Past, paint: Callable[..., str]) -> str:
    """Return the line that tells of a commit."""
    commit = logged.commit
    standing = [each for each in _standing(logged, past) if each != "retained"]
    parts = [paint(commit.id, fg="yellow"), moment(commit.timestamp)]
    if standing:
        parts.append(f"({', '.join(standing)})")
    if commit.by is not None:
        parts.append(paint(quoted_if_odd(commit.by), fg="cyan"))
    if commit.tags:
        parts.append(paint(f"[{_tags(logged)}]", fg="magenta"))
    parts += [
        paint(f"{_SIGNS[each.kind]}{quoted_if_odd(each.key)}", fg=_COLOURS[each.kind])
        for each in commit.changes
    ]
    if commit.note is not None:
        parts.append(f"- {cut(printable(' '.join(commit.note[:_NOTE].split())), 100)}")
    return " ".join(parts)


def changed_sizes(logged: LoggedCommit, past: Past, paint: Callable[..., str]) -> Iterator[str]:
    """Iterate over lines that tell how large what a commit changed was before, and is."""
    for change in logged.commit.changes:
        before = past.size_before(change.key, logged.commit.seq)
        after = None if change.kind == "removed" else change.size
        sizes = " -> ".join(
            "none" if each is None else format_size(each) for each in (before, after)
        )
        grown = (after or 0) - (before or 0)
        told = f"{'+' if grown > 0 else ''}{format_size(grown)}" if grown else "as before"
        told = paint(told, fg="green" if grown > 0 else "red") if grown else told
        yield f"    {change.kind:9}{quoted_if_odd(change.key)}  {sizes} ({told})"


def _standing(logged: LoggedCommit, past: Past) -> list[str]:
    head = ["HEAD"] if logged.commit.seq == past.head else []
    pinned = ["pinned"] if logged.pinned else []
    return [*head, *pinned, "retained" if logged.retained else "archived"]


def _tags(logged: LoggedCommit) -> str:
    return ", ".join(quoted_if_odd(each, 60) for each in logged.commit.tags)


def _change(change: Change, paint: Callable[..., str]) -> str:
    kind = paint(f"{change.kind:9}", fg=_COLOURS[change.kind])
    size = "" if change.kind == "removed" else f"  {format_size(change.size)}"
    return f"{kind}{quoted_if_odd(change.key)}{size}"
