"""Which commits are meant: by key, node and tag, from when on, until when, and how many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, time
from itertools import islice
from typing import TYPE_CHECKING, Final, NoReturn

from attrs import frozen

from backpack.errors import BackpackError, CommitPruned, ConfigError, UnknownCommit, UnknownKey
from backpack.units import parse_duration
from backpack.wording import nearest, shown

if TYPE_CHECKING:
    from backpack.logged import LoggedCommit
    from backpack.past import Past

__all__ = ["Bound", "Chosen", "chosen", "parse_when"]

_SPAN: Final = re.compile(r"[0-9.]+\s*[A-Za-z]+", re.ASCII)
#: A commit that only may not be there; a tag is any other text.
_COMMIT: Final = re.compile(r"[0-9]+(-[a-z0-9]{6})?|(HEAD|@)[~^0-9]*", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-W[0-9]{2}(-[0-9])?", re.ASCII)


@frozen
class Bound:
    """From where on, or up to where; what it is itself belongs to it.

    Attributes:
        seq: The number of a commit; None if it is told by time.
        time: Seconds since the epoch; None if it is told by a commit.
    """

    seq: int | None = None
    time: float | None = None


@frozen
class Chosen:
    """Which commits are meant; None chooses by nothing.

    Attributes:
        key: Those that changed this key.
        by: Those that this node made.
        tag: Those that have this tag.
        since: Those that are not before.
        until: Those that are not behind.
        most: So many at most, the newest.
    """

    key: str | None = None
    by: str | None = None
    tag: str | None = None
    since: Bound = Bound()
    until: Bound = Bound()
    most: int | None = None

    def fits(self, logged: LoggedCommit) -> bool:
        """Whether a commit is one of them, how many ever there are."""
        commit = logged.commit
        return (
            (self.by is None or self.by == commit.by)
            and (self.tag is None or self.tag in commit.tags)
            and (self.key is None or self.key in commit.keys)
            and (self.since.time is None or commit.timestamp >= self.since.time)
            and (self.until.time is None or commit.timestamp <= self.until.time)
            and (self.until.seq is None or commit.seq <= self.until.seq)
        )


def chosen(past: Past, which: Chosen) -> Iterator[LoggedCommit]:
    """Iterate over the commits that are meant, newest first.

    Raises:
        UnknownKey: No commit ever changed that key.
        UnknownCommit: No commit was made by that node, or has that tag.
        ArchiveError: They cannot be read.
        CorruptError: One is not as it was written.
    """
    is_any = False
    for logged in islice(_fitting(past, which), which.most):
        is_any = True
        yield logged
    if not is_any and which.most != 0:
        _check_names(past, which)


def _fitting(past: Past, which: Chosen) -> Iterator[LoggedCommit]:
    first = which.since.seq or 0
    for logged in past.commits():
        if logged.commit.seq < first:
            return
        if which.fits(logged):
            yield logged


def _check_names(past: Past, which: Chosen) -> None:
    """Raise what says that nothing was found because a name is not known."""
    if which.key is not None and which.key not in (keys := past.keys()):
        meant = _meant(which.key, keys)
        raise UnknownKey(f"no commit in {past.place} changed a key {shown(which.key)}{meant}")
    nodes: set[str] = set()
    tags: set[str] = set()
    if which.by is not None or which.tag is not None:
        for logged in past.commits():
            nodes.update([] if logged.commit.by is None else [logged.commit.by])
            tags.update(logged.commit.tags)
    if which.by is not None and which.by not in nodes:
        meant = _meant(which.by, nodes)
        raise UnknownCommit(f"no commit in {past.place} was made by {shown(which.by)}{meant}")
    if which.tag is not None and which.tag not in tags:
        meant = _meant(which.tag, tags)
        raise UnknownCommit(f"no commit in {past.place} has the tag {shown(which.tag)}{meant}")


def _meant(name: str, names: Iterable[str]) -> str:
    near = nearest(name, names)
    return "" if near is None else f"; did you mean {shown(near)}?"


def parse_when(past: Past, text: str, *, is_end: bool = False) -> Bound:
    """Return the moment that somebody means.

    Args:
        past: The Backpack it is about.
        text: A date or a time of ISO 8601, in UTC unless it names an offset; a commit, as
            :meth:`Past.find` reads it; or how long before the newest commit: ``2h``, ``30 days``.
        is_end: Whether a date means the end of that day, not its beginning.

    Raises:
        ConfigError: It is none of them.
    """
    text = text.strip()
    for parse in (_parse_span, _parse_time):
        found: Bound | None = parse(past, text, is_end)
        if found is not None:
            return found
    try:
        return Bound(seq=past.find(text).commit.seq)
    except CommitPruned:
        return Bound(seq=int(text.partition("-")[0]))
    except UnknownCommit as error:
        _refuse(text, error)


def _parse_span(past: Past, text: str, is_end: bool) -> Bound | None:
    if _SPAN.fullmatch(text) is None:
        return None
    try:
        seconds = parse_duration(text)
    except ConfigError:
        return None
    newest = next(past.commits(), None)
    return Bound(time=(0.0 if newest is None else newest.commit.timestamp) - seconds)


def _parse_time(past: Past, text: str, is_end: bool) -> Bound | None:
    if text[:4].isdecimal() is False or "-" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if is_end and _DATE.fullmatch(text):
        moment = datetime.combine(moment, time.max)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Bound(time=moment.timestamp())


def _refuse(text: str, error: BackpackError) -> NoReturn:
    if _COMMIT.fullmatch(text):
        raise error
    _, meant, tag = str(error).partition("; did you mean")
    raise ConfigError(
        f"{shown(text)} is neither a time nor a commit: write a date or time like '2026-05-01' or "
        "'2026-05-01T12:00+02:00' (without an offset it is UTC), a span before the newest commit "
        f"like '2h' or '30 days', or a commit's id or number, HEAD, HEAD~3 or a tag{meant}{tag}"
    ) from error
