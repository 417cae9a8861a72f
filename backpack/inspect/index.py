"""The index: all commits and versions of a Backpack as columns, without a value.

The page answers every question but what a value is from it: which keys there were, who changed
them, how large they were. A hundred thousand commits are some megabytes of JSON.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from backpack.commits import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.past import Past, Version

__all__ = ["LEFT_OUT", "REMOVED", "SEEN", "Index", "Names", "index_of"]

#: What a version is: these are added up.
REMOVED: Final = 1
LEFT_OUT: Final = 2
#: A commit that is retained has it in its state.
SEEN: Final = 4

#: How a commit stands: these are added up.
_RETAINED: Final = 1
_PINNED: Final = 2


class Names:
    """Names and the numbers that stand for them; a number never changes its meaning.

    >>> names = Names()
    >>> names.number("plan"), names.number("memory"), names.number("plan"), names.list
    (0, 1, 0, ['plan', 'memory'])
    """

    def __init__(self) -> None:
        self.list: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a name, which gets one if it has none."""
        number = self._numbers.setdefault(name, len(self.list))
        if number == len(self.list):
            self.list.append(name)
        return number


@frozen(eq=False)
class Index:
    """What a page has to know of a Backpack before any value.

    Attributes:
        about: Its name, where it is, its settings, its budget in bytes.
        head: The number of its newest commit.
        code: What the ids of its commits end with.
        keys: Its keys, by number.
        nodes: Who made commits, by number.
        tags: Their tags, by number.
        commits: Columns, a place a commit, oldest first. ``seq`` and ``time`` (milliseconds since
            the epoch) are told as what they are more than the one before; ``node`` is -1 for
            nobody; of the changes, ``count`` says how many each has, and ``key``, ``kind`` and
            ``size`` are those of all. ``tags`` and ``notes`` have only those that have some, by
            place.
        versions: Columns, a place a version, key by key: ``key`` and ``count`` are those of each
            key; ``seq`` is told as what it is more than the one before of the key; ``form`` is
            :data:`REMOVED`, :data:`LEFT_OUT` and :data:`SEEN` added up.
    """

    about: dict[str, Any]
    head: int
    code: str
    keys: list[str]
    nodes: list[str]
    tags: list[str]
    commits: dict[str, Any]
    versions: dict[str, list[int]]
    numbered: list[tuple[int, int]] = field(repr=False)

    def as_json(self, **others: object) -> str:
        """Return it as the page reads it, with other fields."""
        names = ("about", "head", "code", "keys", "nodes", "tags", "commits", "versions")
        told = {name: getattr(self, name) for name in names} | others
        return json.dumps(told, separators=(",", ":"))


def index_of(past: Past, keys: Names | None = None) -> Index:
    """Return the index of a Backpack, at the moment it was opened.

    Args:
        past: The Backpack.
        keys: The numbers of keys that are known.

    Raises:
        ArchiveError: It cannot be read.
        CorruptError: Something of it is not as it was written.
    """
    keys, nodes, tags = keys or Names(), Names(), Names()
    commits, retained = _commits(past, keys, nodes, tags)
    versions: dict[str, list[int]] = {
        name: [] for name in ("key", "count", "seq", "size", "stored", "born", "form")
    }
    numbered: list[tuple[int, int]] = []
    before = ""
    for version, superseded in _with_next(past.versions()):
        if version.key != before or not numbered:
            versions["key"].append(keys.number(version.key))
            versions["count"].append(0)
            last = 0
        versions["count"][-1] += 1
        versions["seq"].append(version.seq - last)
        for name in ("size", "stored", "born"):
            versions[name].append(getattr(version, name))
        at = bisect_left(retained, version.seq)
        is_seen = at < len(retained) and (superseded is None or retained[at] < superseded)
        versions["form"].append(
            REMOVED * version.is_removal + LEFT_OUT * version.is_left_out + SEEN * is_seen
        )
        numbered.append((versions["key"][-1], version.seq))
        before, last = version.key, version.seq
    about = {
        "name": past.name,
        "where": past.where.removeprefix("sqlite:///"),
        "codec": past.codec,
        "settings": past.settings,
        "budget": _budget(past.settings),
    }
    return Index(
        about,
        past.head,
        past.code,
        keys.list,
        nodes.list,
        tags.list,
        commits,
        versions,
        numbered,
    )


def _commits(
    past: Past, keys: Names, nodes: Names, tags: Names
) -> tuple[dict[str, Any], list[int]]:
    """Return the columns of the commits, and the numbers of those that are retained."""
    columns: dict[str, Any] = {
        name: [] for name in ("seq", "time", "node", "flags", "count", "key", "kind", "size")
    }
    tagged: dict[int, list[int]] = {}
    notes: dict[int, str] = {}
    retained: list[int] = []
    seq = time = 0
    for place, logged in enumerate(past.commits(newest_first=False)):
        commit = logged.commit
        moment = round(commit.timestamp * 1000)
        columns["seq"].append(commit.seq - seq)
        columns["time"].append(moment - time)
        columns["node"].append(-1 if commit.by is None else nodes.number(commit.by))
        columns["flags"].append(_RETAINED * logged.retained + _PINNED * logged.pinned)
        columns["count"].append(len(commit.changes))
        for change in commit.changes:
            columns["key"].append(keys.number(change.key))
            columns["kind"].append(KINDS.index(change.kind))
            columns["size"].append(change.size)
        if commit.tags:
            tagged[place] = list(map(tags.number, commit.tags))
        if commit.note is not None:
            notes[place] = commit.note
        if logged.retained:
            retained.append(commit.seq)
        seq, time = commit.seq, moment
    return {**columns, "tags": tagged, "notes": notes}, retained


def _with_next(versions: Iterator[Version]) -> Iterator[tuple[Version, int | None]]:
    """Iterate over versions, each with the number of the commit that superseded it, if one did."""
    before: Version | None = None
    for version in versions:
        if before is not None:
            yield before, version.seq if version.key == before.key else None
        before = version
    if before is not None:
        yield before, None


def _budget(settings: dict[str, Any]) -> int | None:
    """Return the budget in bytes, if the settings of a file tell it."""
    budget = settings.get("max_history_size")
    return budget if type(budget) is int else None
