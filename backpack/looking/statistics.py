"""Where the bytes of a Backpack in a file are: by key, by node, the largest values."""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen, mutable

if TYPE_CHECKING:
    from backpack.past import Past

__all__ = ["KeyShare", "NodeShare", "Statistics", "Value", "statistics_of"]

_LARGEST: Final = 10


@mutable
class KeyShare:
    """What one key takes, in bytes.

    Attributes:
        key: The key.
        versions: How many values it had.
        removals: How often it was removed.
        measured: What its values are, as the sizing policy measured them.
        stored: What is in the file of them: as what they differ in from the ones before.
        left_out: What those are that history left out, of which nothing is in the file.
    """

    key: str
    versions: int = 0
    removals: int = 0
    measured: int = 0
    stored: int = 0
    left_out: int = 0

    @property
    def ratio(self) -> float | None:
        """How many times as large they are as what is stored of them; None where nothing is."""
        return (self.measured - self.left_out) / self.stored if self.stored else None


@mutable
class NodeShare:
    """What one node did.

    Attributes:
        by: Its name; None for commits that do not say who made them.
        commits: How many it made.
        measured: Bytes of the values they set.
    """

    by: str | None
    commits: int = 0
    measured: int = 0


@frozen
class Value:
    """One value.

    Attributes:
        key: Its key.
        seq: The number of the commit that set it.
        size: Bytes, as the sizing policy measured it.
        is_left_out: Whether history left it out.
    """

    key: str
    seq: int
    size: int
    is_left_out: bool


@frozen
class Statistics:
    """What there is of a Backpack in a file.

    Attributes:
        made: How many commits were ever made.
        commits: How many are in the file.
        retained: How many of them the Backpack answers for from memory.
        pinned: How many are pinned.
        tags: ``{tag: how many commits have it}``, the most frequent first.
        first: When the oldest commit in the file was made; None if there is none.
        last: When the newest was.
        keys_now: How many keys the newest state has.
        keys: What each key takes that there is any version of, the most first.
        nodes: What each node did, the most first.
        largest: The largest values, the largest first.
        left_out: How many values history left out.
        left_out_bytes: What they were, in bytes.
        in_use: Bytes of the file that are in use.
        file_size: Bytes of the file, and of the log beside it; None on a server.
        settings: The settings it was begun with.
    """

    made: int
    commits: int
    retained: int
    pinned: int
    tags: dict[str, int]
    first: float | None
    last: float | None
    keys_now: int
    keys: list[KeyShare]
    nodes: list[NodeShare]
    largest: list[Value]
    left_out: int
    left_out_bytes: int
    in_use: int
    file_size: int | None
    settings: dict[str, Any] = field(factory=dict)

    @property
    def archived(self) -> int:
        """How many commits are in the file only, not in the memory of the Backpack."""
        return self.commits - self.retained


def statistics_of(past: Past) -> Statistics:
    """Count what there is of a Backpack; its values are not decoded.

    Raises:
        ArchiveError: It cannot be read.
        CorruptError: Something of it is not as it was written.
    """
    nodes: dict[str | None, NodeShare] = {}
    sizes: dict[tuple[str, int], int] = {}
    tags: Counter[str] = Counter()
    times: list[float] = []
    count = retained = pinned = 0
    for logged in past.commits():
        commit = logged.commit
        count += 1
        retained += logged.retained
        pinned += logged.pinned
        tags.update(commit.tags)
        times = [commit.timestamp, *times[-1:]]
        node = nodes.setdefault(commit.by, NodeShare(commit.by))
        node.commits += 1
        for change in commit.changes:
            if change.kind == "set":
                node.measured += change.size
                sizes[change.key, commit.seq] = change.size
    keys: dict[str, KeyShare] = {}
    largest: list[tuple[int, int, Value]] = []
    left_out = left_out_bytes = 0
    for number, version in enumerate(past.versions()):
        share = keys.setdefault(version.key, KeyShare(version.key))
        share.stored += version.stored
        if version.is_removal:
            share.removals += 1
            continue
        size = sizes.get((version.key, version.seq), version.size)
        share.versions += 1
        share.measured += size
        if version.is_left_out:
            share.left_out += size
            left_out += 1
            left_out_bytes += size
        value = Value(version.key, version.seq, size, version.is_left_out)
        heapq.heappush(largest, (size, -number, value))
        if len(largest) > _LARGEST:
            heapq.heappop(largest)
    return Statistics(
        made=past.head,
        commits=count,
        retained=retained,
        pinned=pinned,
        tags=dict(tags.most_common()),
        first=times[0] if times else None,
        last=times[-1] if times else None,
        keys_now=len(past.keys_at(past.head)) if past.head else 0,
        keys=sorted(keys.values(), key=lambda each: (-each.stored, each.key)),
        nodes=sorted(nodes.values(), key=lambda each: (-each.measured, each.by or "")),
        largest=[value for _, _, value in sorted(largest, reverse=True)],
        left_out=left_out,
        left_out_bytes=left_out_bytes,
        in_use=past.bytes_in_use,
        file_size=_file_size(past),
        settings=past.settings,
    )


def _file_size(past: Past) -> int | None:
    """Return the bytes of a file, and of the log that is written ahead of it."""
    if past.file is None:
        return None
    files = [past.file, past.file.with_name(f"{past.file.name}-wal")]
    return sum(each.stat().st_size for each in files if each.exists())
