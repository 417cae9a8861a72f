"""The ledger of a thread: which commit answers for which checkpoint, and what needs what.

A checkpoint is needed where another one that stays cannot be resumed without it: a delta channel
that is not whole is rebuilt from the writes of its ancestors, up to the nearest at which it is;
and a graph is resumed with the newest state of the subgraphs of its step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from attrs import define, field

from backpack.integrations.langgraph.records import Place

__all__ = ["ENTRY_BYTES", "Entry", "Ledger", "Line"]

#: What an entry takes in memory, measured over 10,000 of them.
ENTRY_BYTES: Final = 400

#: So many checkpoints that were asked for by their id stay, if others can go instead.
_GUARDED: Final = 8


@define(eq=False)
class Entry:
    """A checkpoint, and the commits that answer for it.

    Attributes:
        namespace: Its namespace.
        id: Its id.
        parent: The id of the checkpoint it was made from.
        seq: The number of the newest commit at which its namespace stood at it; 0 if that was
            given up, and only the current state has it.
        late: The number of the commit that has its pending writes, if they came when its
            namespace stood at another one.
        is_open: Whether some of its delta channels are rebuilt from its ancestors.
        within: The checkpoint of the enclosing graph in whose step it was made.
    """

    namespace: str
    id: str
    parent: str | None
    seq: int
    late: int = 0
    is_open: bool = False
    within: Place | None = None


@define(eq=False)
class Line:
    """The checkpoints of one namespace, and what of it is in the current state.

    Attributes:
        namespace: The namespace.
        entries: ``{id: entry}``.
        newest: The greatest id.
        current: The id of the checkpoint that is in the current state.
        channels: The channels that have a value there.
        slots: How many slots of pending writes there are.
        late: The ids of those whose writes came late and are in the current state.
        deltas: The delta channels that were ever seen.
    """

    namespace: str
    entries: dict[str, Entry] = field(factory=dict)
    newest: str | None = None
    current: str | None = None
    channels: set[str] = field(factory=set)
    slots: int = 0
    late: set[str] = field(factory=set)
    deltas: set[str] = field(factory=set)

    @property
    def standing(self) -> Entry | None:
        """The entry that is in the current state."""
        return None if self.current is None else self.entries.get(self.current)

    @property
    def is_of_step(self) -> bool:
        """Whether it is that of one step: without the id of a task in it, a subgraph goes on."""
        return ":" in self.namespace.rpartition("|")[2]

    @property
    def is_over(self) -> bool:
        """Whether its step is over: it is needed only where the checkpoint of the step is."""
        newest = None if self.newest is None else self.entries[self.newest]
        is_known = newest is not None and newest.within is not None
        return is_known and self.current is None and self.is_of_step

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing of it."""
        return not (self.entries or self.current or self.late)


class Ledger:
    """The checkpoints of one thread that its history answers for.

    Attributes:
        lines: ``{namespace: line}``.
        surplus: The numbers of commits that no checkpoint needs, in order.
        incoming: The checkpoint that is about to be put; None for any other change.
        going: The entries that were chosen to make room for the change at hand.
        doomed: The entries that are to be deleted, and need not stay.
        is_read: Whether all that is retained is in it.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.lines: dict[str, Line] = {}
        self.surplus: dict[int, None] = {}
        self.incoming: Entry | None = None
        self.going: set[Entry] = set()
        self.doomed: set[Entry] = set()
        self.is_read = False
        self._by_seq: dict[int, Entry] = {}
        self._late: dict[int, Entry] = {}
        self._inner: dict[Place, dict[str, int]] = {}
        self._guarded: deque[Place] = deque(maxlen=_GUARDED)

    def __len__(self) -> int:
        return len(self._by_seq)

    @property
    def size(self) -> int:
        """What it takes, in bytes."""
        return ENTRY_BYTES * len(self._by_seq)

    def line(self, namespace: str) -> Line:
        """Return the line of a namespace; a new one if there is none."""
        return self.lines.setdefault(namespace, Line(namespace))

    def find(self, place: Place) -> Entry | None:
        """Return the entry of a checkpoint, if there is one."""
        line = self.lines.get(place[0])
        return None if line is None else line.entries.get(place[1])

    def stands(self, entry: Entry) -> bool:
        """Whether a checkpoint is in the current state."""
        line = self.lines.get(entry.namespace)
        return line is not None and line.current == entry.id

    def inner(self, place: Place) -> Iterator[Line]:
        """Iterate over the lines of the subgraphs that ran in the step of a checkpoint."""
        for namespace in self._inner.get(place, ()):
            yield self.lines[namespace]

    def over(self, entry: Entry) -> list[Line]:
        """Return the lines of subgraphs whose step is over once this checkpoint is put.

        Args:
            entry: The checkpoint; those that were before it and are not there have no step.
        """
        standing = [each for each in self.lines.values() if each.current and each.is_of_step]
        found: dict[str, Line] = {}
        for line in sorted(standing, key=lambda each: each.namespace.count("|")):
            within = None if line.standing is None else line.standing.within
            if within is None:
                continue
            outer, name = within
            is_gone = name < entry.id and self.find(within) is None
            if outer in found or (outer == entry.namespace and (is_gone or name == entry.parent)):
                found[line.namespace] = line
        return list(found.values())

    def guard(self, place: Place) -> None:
        """Rather keep a checkpoint that was asked for: somebody may go on from there."""
        if place in self._guarded:
            self._guarded.remove(place)
        self._guarded.append(place)

    def enter(self, entry: Entry) -> None:
        """Enter a checkpoint, in place of one with the same id."""
        line = self.line(entry.namespace)
        before = line.entries.get(entry.id)
        if before is not None:
            self._drop(before)
        line.entries[entry.id] = entry
        self._by_seq[entry.seq] = entry
        if line.newest is None or entry.id > line.newest:
            line.newest = entry.id
        if entry.within is not None:
            counts = self._inner.setdefault(entry.within, {})
            counts[entry.namespace] = counts.get(entry.namespace, 0) + 1

    def move(self, entry: Entry, seq: int) -> None:
        """Have a newer commit answer for a checkpoint."""
        if self._by_seq.pop(entry.seq, None) is not None:
            self.surplus[entry.seq] = None
        entry.seq = seq
        self._by_seq[seq] = entry

    def delay(self, entry: Entry, seq: int) -> None:
        """Have a commit answer for the pending writes of a checkpoint."""
        if self._late.pop(entry.late, None) is not None:
            self.surplus[entry.late] = None
        entry.late = seq
        self._late[seq] = entry

    def leave(self, entry: Entry) -> None:
        """Forget a checkpoint; its commits are needed by nobody."""
        self._drop(entry)
        line = self.lines[entry.namespace]
        del line.entries[entry.id]
        if line.newest == entry.id:
            line.newest = max(line.entries, default=None)
        if line.is_idle:
            del self.lines[entry.namespace]

    def lose(self, seq: int, *, is_archived: bool) -> Entry | None:
        """Note that a commit was given up, and return the checkpoint that left the ledger for it.

        What is in the current state stays, and so does the newest of a namespace where what was
        given up is archived, and still answers.
        """
        self.surplus.pop(seq, None)
        late = self._late.pop(seq, None)
        if late is not None and not is_archived:
            late.late = 0
        entry = self._by_seq.pop(seq, None)
        if entry is None:
            return None
        line = self.lines[entry.namespace]
        if not is_archived:
            entry.seq = 0
        if line.current == entry.id:
            return None
        if is_archived and line.newest == entry.id and not line.is_over:
            return None
        self.leave(entry)
        return entry

    def supersede(self, line: Line) -> Entry | None:
        """Note that the current state goes on from the checkpoint at which a line stood.

        Returns:
            That checkpoint, if it leaves the ledger: history does not answer for it.
        """
        standing = line.standing
        line.current = None
        if standing is None or standing.seq in self._by_seq:
            return None
        self.leave(standing)
        return standing

    def choose(self, offered: Callable[[int], bool], share: float) -> list[Entry]:
        """Choose checkpoints to give up: the oldest, and with each all that needs it.

        Args:
            offered: Whether a commit may be given up.
            share: Which share of them to choose, if so many may go.

        Returns:
            The checkpoints; none if all that are left are needed.
        """
        entries = [entry for entry in self._by_seq.values() if entry not in self.going]
        doomed = [entry for entry in entries if entry in self.doomed and offered(entry.seq)]
        if doomed:
            self.going.update(doomed)
            return doomed
        count = max(1, int(len(entries) * share))
        held = [entry for entry in entries if not offered(entry.seq)]
        for seeds in self._staying(entries[count:]):
            needed = self._closure([*seeds, *held])
            free = [entry for entry in entries if entry not in needed]
            if free:
                chosen = self._with_dependents(free[:count], free)
                self.going |= chosen
                return [entry for entry in free if entry in chosen]
        return []

    def _staying(self, young: list[Entry]) -> Iterator[list[Entry]]:
        """Iterate over what should stay, and what has to if too little can go otherwise."""
        resumable = self._resumable()
        guarded = [found for place in self._guarded if (found := self.find(place)) is not None]
        yield [*resumable, *guarded, *young]
        yield [*resumable, *guarded]
        yield resumable
        yield self._resumable(standing=False)

    def _resumable(self, *, standing: bool = True) -> list[Entry]:
        """Return what has to stay for every namespace to be resumed where it is.

        Args:
            standing: Also the commits of what the current state has whole.
        """
        incoming = self.incoming
        found: list[Entry] = []
        for line in self.lines.values():
            newest = None if line.newest is None else line.entries[line.newest]
            at = line.standing
            if incoming is not None and line.namespace == incoming.namespace:
                at = None
                if newest is not None and newest.id < incoming.id:
                    newest = None
            elif line.is_over or (newest is at and not standing and not line.deltas):
                newest = None
            elif not standing and not line.deltas:
                at = None
            found += [entry for entry in (newest, at) if entry is not None]
        if incoming is not None:
            found += self._needs(incoming)
        return [entry for entry in found if entry not in self.doomed]

    def _needs(self, entry: Entry) -> Iterator[Entry]:
        """Iterate over what a checkpoint cannot be resumed without."""
        line = self.lines.get(entry.namespace)
        if entry.is_open and entry.parent is not None and line is not None:
            parent = line.entries.get(entry.parent)
            if parent is not None:
                yield parent
        for inner in self.inner((entry.namespace, entry.id)):
            if inner.newest is not None:
                yield inner.entries[inner.newest]

    def _closure(self, entries: Iterable[Entry]) -> set[Entry]:
        """Return some checkpoints, and all they need."""
        found: set[Entry] = set()
        waiting = list(entries)
        while waiting:
            entry = waiting.pop()
            if entry not in found:
                found.add(entry)
                waiting.extend(self._needs(entry))
        return found

    def _with_dependents(self, chosen: Iterable[Entry], free: Collection[Entry]) -> set[Entry]:
        """Return some checkpoints, and all those that need one of them."""
        going = set(chosen)
        before = -1
        while len(going) != before:
            before = len(going)
            for entry in free:
                if entry not in going and any(each in going for each in self._needs(entry)):
                    going.add(entry)
        return going

    def _drop(self, entry: Entry) -> None:
        for seq, index in ((entry.seq, self._by_seq), (entry.late, self._late)):
            if seq and index.pop(seq, None) is not None:
                self.surplus[seq] = None
        if entry.within is not None:
            counts = self._inner[entry.within]
            counts[entry.namespace] -= 1
            if not counts[entry.namespace]:
                del counts[entry.namespace]
            if not counts:
                del self._inner[entry.within]
