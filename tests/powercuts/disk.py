"""What a disk may hold after the power was lost.

Of a file, all is there that was written before it was synchronized last. What was written since is
in the system's cache, which writes it sector by sector, in any order: of each sector, what it was
after some of these writes. How long the file is, is written on its own. A sector that was being
written may hold anything where it was to be changed. Which files there are is as after some of the
changes since the folder was synchronized last: in their order as a rule, since file systems keep a
journal of them, but any of them may be missing as well.

After ALICE (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014) and SQLite's own
crash tests. Unlike in these, what is next to a write keeps its bytes, on which SQLite relies
(https://sqlite.org/psow.html).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from powercuts.recording import (
    Acknowledge,
    Create,
    Event,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Unlink,
    Write,
)

__all__ = ["Cut", "cuts", "whole"]

_SECTORS: Final = (512, 4096)
_HOW: Final = ("all", "none", "the first", "all but one", "any", "torn", "spoiled")
#: A state that was made already is made so often until there is no other.
_PATIENCE: Final = 20


@frozen
class Cut:
    """A state that a disk may be in after the power was lost.

    Attributes:
        at: After how many events it was.
        how: What is there of what was not synchronized.
        acknowledged: How many operations the program had said it was done with.
        durable: How many of them it had when it synchronized a file last.
        files: ``{name: content}``.
    """

    at: int
    how: str
    acknowledged: int
    durable: int
    files: dict[str, bytes] = field(repr=False)

    def put(self, folder: Path) -> None:
        """Write the files into a folder."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)

    @property
    def mark(self) -> bytes:
        """What tells it from others; the index of a log, which says nothing, does not."""
        mark = blake2b(repr((self.acknowledged, self.durable)).encode())
        for name, content in sorted(self.files.items()):
            if not name.endswith("-shm"):
                mark.update(repr((name, len(content))).encode() + content)
        return mark.digest()


def cuts(events: Sequence[Event], seed: int, count: int) -> Iterator[Cut]:
    """Iterate over so many cuts, no two of them the same; fewer if there are no more."""
    chance = random.Random(seed)  # noqa: S311
    # What matters most is what is about to be made durable, and what was acknowledged just now.
    telling = [
        index + isinstance(event, Acknowledge)
        for index, event in enumerate(events)
        if not isinstance(event, Write | Create)
    ]
    seen: set[bytes] = set()
    for _ in range(_PATIENCE):
        wanted = count - len(seen)
        places = sorted(
            chance.choice(telling) if chance.random() < 0.5 else chance.randrange(len(events) + 1)
            for _ in range(wanted)
        )
        disk, done = _Disk(), 0
        for place in places:
            for event in events[done:place]:
                disk.take(event)
            done = place
            cut = disk.cut(place, chance)
            if cut.mark not in seen:
                seen.add(cut.mark)
                yield cut
        if len(seen) == count:
            return


def whole(events: Sequence[Event]) -> dict[str, bytes]:
    """Return ``{name: content}`` of all files after all events, as if no power were ever lost."""
    disk = _Disk()
    for event in events:
        disk.take(event)
    for file in disk.files.values():
        file.sync()
    return {name: bytes(file.synced) for name, file in disk.files.items()}


@define(eq=False)
class _File:
    """A file: what of it is on the disk for certain, and what was done to it since."""

    synced: bytearray = field(factory=bytearray)
    pending: list[Write | Truncate] = field(factory=list)

    def sync(self) -> None:
        self.synced = self._content(512, lambda _: len(self.pending), len(self.pending))
        self.pending.clear()

    def cut(self, chance: random.Random) -> tuple[str, bytes]:
        """Return what the disk may hold of it, and in which way."""
        count, sector = len(self.pending), chance.choice(_SECTORS)
        if not count:
            return "all", bytes(self.synced)
        how, at = chance.choice(_HOW), chance.randrange(count)
        touched = set(self._touched(at, sector))
        chosen: dict[int, int] = {}

        def any_of(first: int, last: int) -> Callable[[int], int]:
            return lambda place: chosen.setdefault(place, chance.randint(first, last))

        sized = chance.choice((at, at + 1, count, chance.randint(0, count)))
        is_spoiled = False
        reached: Callable[[int], int]
        match how:
            case "all":
                reached, sized = (lambda _: count), count
            case "none":
                reached, sized = (lambda _: 0), chance.choice((0, count))
            case "the first":
                reached, sized = (lambda _: at), at
            case "all but one":
                reached, sized = (lambda place: at if place in touched else count), count
            case "any":
                reached = any_of(0, count)
            case _:
                reached, sized = any_of(at, at + 1), chance.choice((at, at + 1))
                is_spoiled = how == "spoiled"
        content = self._content(sector, reached, sized, at if is_spoiled else None)
        return f"{how} ({at} of {count}, {sector})", bytes(content)

    def _content(
        self,
        sector: int,
        reached: Callable[[int], int],
        sized: int,
        spoiled: int | None = None,
    ) -> bytearray:
        """Return the content.

        Args:
            sector: How many bytes are written together.
            reached: Tells how many of what is pending reached the sector of a number.
            sized: How many of what is pending reached the size.
            spoiled: What of it is noise where it did not arrive, and not what was there before.
        """
        content = bytearray(self.synced)
        for number, event in enumerate(self.pending):
            for place in self._touched(number, sector):
                if number < reached(place):
                    _put(content, event, place * sector, sector)
                elif number == spoiled and isinstance(event, Write):
                    _put(content, event, place * sector, sector, is_noise=True)
        size = self._size(sized)
        del content[size:]
        return content.ljust(size, b"\0")

    def _size(self, sized: int) -> int:
        size = len(self.synced)
        for event in self.pending[:sized]:
            if isinstance(event, Truncate):
                size = event.size
            else:
                size = max(size, event.offset + len(event.data))
        return size

    def _touched(self, number: int, sector: int) -> range:
        """Return the numbers of the sectors that something pending changes."""
        event = self.pending[number]
        if isinstance(event, Truncate):
            longest = max(self._size(each) for each in range(number + 1))
            return range(event.size // sector, -(-longest // sector))
        return range(event.offset // sector, -(-(event.offset + len(event.data)) // sector))


def _put(
    content: bytearray, event: Write | Truncate, start: int, sector: int, *, is_noise: bool = False
) -> None:
    """Put into a content what a write, or a cutting off, makes of a sector, or noise instead."""
    if isinstance(event, Truncate):
        first, data = max(event.size, start), b"\0" * min(sector, start + sector - event.size)
    else:
        first = max(event.offset, start)
        data = event.data[first - event.offset : start + sector - event.offset]
    if is_noise:  # The same each time: states that differ in noise alone are not two.
        data = random.Random(first).randbytes(len(data))  # noqa: S311
    if len(content) < first:
        content.extend(bytes(first - len(content)))
    content[first : first + len(data)] = data


@define(eq=False)
class _Disk:
    """A folder on a disk: what of it is there for certain, and what was done since."""

    files: dict[str, _File] = field(factory=dict)
    names: dict[str, _File] = field(factory=dict)
    pending: list[tuple[str, _File | None]] = field(factory=list)
    acknowledged: int = 0
    durable: int = 0

    def take(self, event: Event) -> None:
        """Do what the program did."""
        match event:
            case Create(name):
                self._name(name, _File())
            case Rename(name, to):
                file = self.files[name]
                # At once: there is no moment without the one or the other.
                self._name(to, file)
                self._name(name, None)
            case Unlink(name):
                self._name(name, None)
            case Write() | Truncate():
                self.files[event.name].pending.append(event)
            case Sync(name):
                self.files[name].sync()
                self.durable = self.acknowledged
            case SyncFolder():
                self.names = dict(self.files)
                self.pending.clear()
            case Acknowledge(number):
                self.acknowledged = number

    def _name(self, name: str, file: _File | None) -> None:
        self.pending.append((name, file))
        _rename(self.files, name, file)

    def cut(self, at: int, chance: random.Random) -> Cut:
        """Lose the power."""
        names, count = dict(self.names), len(self.pending)
        if chance.random() < 0.25:
            kept = [each for each in self.pending if chance.random() < 0.5]
        else:
            kept = self.pending[: chance.choice((count, chance.randint(0, count)))]
        for name, file in kept:
            _rename(names, name, file)
        hows, files = [f"{len(kept)} of {count} names"] if count else [], {}
        for name, file in names.items():
            how, files[name] = file.cut(chance)
            if file.pending:
                hows.append(f"{name}: {how}")
            if name.endswith("-wal") and chance.random() < 0.5:
                files[name.removesuffix("-wal") + "-shm"] = chance.randbytes(32768)
        return Cut(at, "; ".join(hows) or "all", self.acknowledged, self.durable, files)


def _rename(names: dict[str, _File], name: str, file: _File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file
