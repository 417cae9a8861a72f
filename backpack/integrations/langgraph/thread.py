"""One thread: its checkpoints, of all namespaces, as the history of one Backpack.

Each checkpoint that is put is a commit, whose keys are its channels: one that is as before costs
nothing, one that grows what it has grown by. The newest checkpoint of a namespace, and its pending
writes, are in the current state; an older one is read as of the last commit at which its namespace
stood at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from backpack.errors import ArchiveError, BudgetError
from backpack.integrations.langgraph.archived import Archived
from backpack.integrations.langgraph.early import Early
from backpack.integrations.langgraph.keys import CHANNEL, CHECKPOINT, LATE, WRITES, key_of
from backpack.integrations.langgraph.ledger import Entry, Ledger, Line
from backpack.integrations.langgraph.loading import load, place_of
from backpack.integrations.langgraph.packing import Header, packed_writes
from backpack.integrations.langgraph.pruning import POLICY
from backpack.integrations.langgraph.reading import Reader
from backpack.integrations.langgraph.slots import in_slots, merge
from backpack.records import Pruned

if TYPE_CHECKING:
    from backpack import Backpack, Event, Transaction
    from backpack.integrations.langgraph.records import Incoming, Place, Typed, Write

__all__ = ["Thread"]


class Thread:
    """The checkpoints of one thread.

    Not safe to use from several threads of execution at once: whoever has it holds a lock.

    Args:
        name: The thread's id.
        backpack: Its Backpack, which prunes as the ledger says.
        ledger: The ledger, which is empty.

    Attributes:
        name: The same.
        backpack: The same.
        ledger: The same.
        reader: Reads its checkpoints.
        early: Pending writes that wait for their checkpoints.
        is_tight: Whether it was found that nothing of it can go, as long as it is not changed.
    """

    def __init__(self, name: str, backpack: Backpack, ledger: Ledger) -> None:
        self.name = name
        self.backpack = backpack
        self.ledger = ledger
        self.reader = Reader(backpack, ledger)
        self.early = Early(name)
        self.is_tight = False
        self.load()
        backpack.subscribe(self._told)

    @property
    def used(self) -> int:
        """What its history takes, and the ledger of it, in bytes."""
        return self.backpack._engine.history.history_bytes + self.ledger.size

    def load(self) -> None:
        """Enter what the Backpack has, whatever was known of it."""
        self.ledger.clear()
        load(self.backpack, self.ledger, self.reader)
        has_archive = self.backpack._engine.settings.archive is not None
        self._archived = Archived(self.backpack, self.ledger) if has_archive else None

    # --- finding -------------------------------------------------------------------------

    def find(self, place: Place) -> Entry | None:
        """Return the entry of a checkpoint that is retained or archived."""
        entry = self.ledger.find(place)
        if entry is None and self._archived is not None:
            entry = self._archived.find(place)
        return entry

    def newest(self, namespace: str) -> Entry | None:
        """Return the entry of the newest checkpoint of a namespace."""
        line = self.ledger.lines.get(namespace)
        found = None if line is None or line.newest is None else line.entries[line.newest]
        archived = None if self._archived is None else self._archived.newest(namespace)
        if found is None or (archived is not None and archived.id > found.id):
            return archived
        return found

    def places(self, namespace: str | None = None) -> list[Place]:
        """Return all checkpoints: by namespace, of each the newest first.

        Args:
            namespace: Only this one; all if left out.
        """
        found: dict[str, set[str]] = {
            line.namespace: set(line.entries) for line in self.ledger.lines.values()
        }
        for each, name in () if self._archived is None else self._archived.places():
            found.setdefault(each, set()).add(name)
        return [
            (each, name)
            for each, names in found.items()
            if namespace in (None, each)
            for name in sorted(names, reverse=True)
        ]

    # --- putting -------------------------------------------------------------------------

    def put(self, incoming: Incoming) -> None:
        """Put a checkpoint; one of the same id is replaced, and its pending writes stay.

        Raises:
            BudgetError: It does not fit, or what it needs was given up.
            ArchiveError: It cannot be archived.
        """
        namespace, name = incoming.place
        line = self.ledger.lines.get(namespace) or Line(namespace)
        values = dict(self._values(line, incoming))
        deltas = line.deltas | incoming.counting
        is_open = any(each in incoming.channels and each not in values for each in deltas)
        entry = Entry(namespace, name, incoming.parent, 0, is_open=is_open, within=incoming.within)
        self._check_whole(entry)
        header = Header(
            name,
            incoming.parent,
            incoming.checkpoint,
            incoming.metadata,
            tuple(sorted(deltas)),
            is_open,
            incoming.within,
        )
        slots = in_slots(self._writes_before(incoming.place))
        over = self.ledger.over(entry)
        self.ledger.incoming = entry
        try:
            with self._changing(namespace, name) as transaction:
                for channel in line.channels - values.keys():
                    transaction.remove(key_of(namespace, CHANNEL, channel))
                for channel, value in values.items():
                    if value is not None:
                        transaction.pack(key_of(namespace, CHANNEL, channel), [*value])
                transaction.pack(key_of(namespace, CHECKPOINT), header.packed())
                self._put_slots(transaction, line, slots)
                for each in line.late:
                    transaction.remove(key_of(namespace, LATE, each))
                for inner in over:
                    self._retire(transaction, inner)
        finally:
            self.ledger.incoming = None
            self.ledger.going.clear()
        for inner in over:
            self._left(self.ledger.supersede(inner))
            inner.channels, inner.slots, inner.late = set(), 0, set()
        if line.current != name:
            self._left(self.ledger.supersede(line))
        entry.seq = _seq(transaction)
        self.ledger.enter(entry)
        line = self.ledger.line(namespace)
        line.current, line.channels, line.slots = name, set(values), len(slots)
        line.late, line.deltas = set(), set(deltas)
        self.early.drop(incoming.place)
        if self._archived is not None:
            self._archived.remove(incoming.place)

    def add(self, place: Place, writes: Sequence[Write]) -> None:
        """Add pending writes to a checkpoint, or to one that is not there yet.

        A write that its task has made already stays as it is, but for errors and the like.

        Raises:
            BudgetError: They do not fit.
            ArchiveError: They cannot be archived.
        """
        namespace, name = place
        entry = self.find(place)
        if entry is None:
            self.early.add(place, writes)
            return
        try:
            if self.ledger.stands(entry):
                self._add_to_current(self.ledger.line(namespace), writes)
                return
            slots = [self.reader.writes(entry)]
            if not merge(slots, writes, may_grow=False):
                return
            with self._changing(namespace, name) as transaction:
                transaction.pack(key_of(namespace, LATE, name), packed_writes(slots[0]))
        finally:
            self.ledger.going.clear()
        self.ledger.line(namespace).late.add(name)
        self.ledger.delay(entry, _seq(transaction))

    # --- removing ------------------------------------------------------------------------

    def erase(self, entries: Iterable[Entry]) -> None:
        """Remove checkpoints for good.

        Raises:
            BudgetError: There is no room to go on without the newest of them; nothing was changed.
            ArchiveError: The archive cannot be written; those that were retained may be archived
                now, and erased by another call.
        """
        going = list(entries)
        places = {(each.namespace, each.id) for each in going}
        lines = [
            line
            for line in self.ledger.lines.values()
            if line.current is not None and (line.namespace, line.current) in places
        ]
        commits = [each for each in self.backpack.history() if place_of(each) in places]
        self.ledger.doomed = set(going)
        try:
            with self.backpack.transaction() as transaction:
                for line in lines:
                    self._retire(transaction, line)
                for namespace, name in places:
                    transaction.pop(key_of(namespace, LATE, name), None)
                if transaction.is_changed:
                    transaction.erase(*commits)
            if transaction.commit is None:
                self.backpack.erase(*commits)
        except ArchiveError:
            # What was retained may be archived now, and the current state another one.
            self.load()
            raise
        finally:
            self.ledger.doomed = set()
            self.ledger.going.clear()
        for line in lines:
            line.current, line.channels, line.slots, line.late = None, set(), 0, set()
        for namespace, name in places:
            if namespace in self.ledger.lines:
                self.ledger.lines[namespace].late.discard(name)
        if transaction.commit is not None:
            self.ledger.surplus[transaction.commit.seq] = None
        for place in places:
            entry = self.ledger.find(place)
            if entry is not None:
                self.ledger.leave(entry)
            if self._archived is not None:
                self._archived.remove(place)

    # --- helpers -------------------------------------------------------------------------

    def _values(self, line: Line, incoming: Incoming) -> Iterator[tuple[str, Typed | None]]:
        """Iterate over the channels that have a value, and that value; None if it is as it was."""
        stays = incoming.parent is not None and incoming.parent == line.current
        parent = None
        if incoming.parent is not None and not stays:
            parent = self.find((line.namespace, incoming.parent))
        for channel in incoming.channels:
            if channel in incoming.changed:
                value = incoming.changed[channel]
            elif stays:
                if channel in line.channels:
                    yield channel, None
                continue
            elif parent is not None:
                value = self.reader.value(parent, channel)
            else:
                value = incoming.spare(channel)
            if value is not None:
                yield channel, value

    def _check_whole(self, entry: Entry) -> None:
        """Refuse a checkpoint whose delta channels could not be rebuilt any more."""
        if not entry.is_open or entry.parent is None:
            return
        if self.find((entry.namespace, entry.parent)) is None:
            usage = self.backpack.memory_usage()
            raise BudgetError(
                f"thread {self.name!r:.60}: checkpoint {entry.id:.60} is made from "
                f"{entry.parent:.60}, which was given up to keep the history in its budget of "
                f"{usage.budget_bytes:,} bytes, and has delta channels that are rebuilt from it; "
                "nothing was changed. What helps: a larger max_thread_size, or a smaller "
                "snapshot_frequency of the DeltaChannel",
                needed=usage.history_bytes,
                free=usage.headroom_bytes,
                budget=usage.budget_bytes,
                policy=POLICY,
            )

    def _writes_before(self, place: Place) -> Sequence[Write]:
        """Return the pending writes that a checkpoint has which is about to be put."""
        known = self.find(place)
        return self.early.of(place) if known is None else self.reader.writes(known)

    def _put_slots(
        self, transaction: Transaction, line: Line, slots: Sequence[Sequence[Write]]
    ) -> None:
        """Put the pending writes of a checkpoint in place of those of another one."""
        for number, slot in enumerate(slots):
            transaction.pack(key_of(line.namespace, WRITES, str(number)), packed_writes(slot))
        for number in range(len(slots), line.slots):
            transaction.remove(key_of(line.namespace, WRITES, str(number)))

    def _retire(self, transaction: Transaction, line: Line) -> None:
        """Take what a line has out of the current state: it is in history only."""
        for channel in line.channels:
            transaction.remove(key_of(line.namespace, CHANNEL, channel))
        self._put_slots(transaction, line, ())
        for each in line.late:
            transaction.remove(key_of(line.namespace, LATE, each))
        transaction.remove(key_of(line.namespace, CHECKPOINT))

    def _add_to_current(self, line: Line, writes: Sequence[Write]) -> None:
        namespace, standing = line.namespace, line.standing
        assert standing is not None, "what stands is in the ledger"  # noqa: S101
        slots = self.reader.slots(namespace)
        changed = merge(slots, writes)
        if not changed:
            return
        with self._changing(namespace, standing.id) as transaction:
            for number in sorted(changed):
                key = key_of(namespace, WRITES, str(number))
                transaction.pack(key, packed_writes(slots[number]))
        line.slots = len(slots)
        self.ledger.move(standing, _seq(transaction))

    def _changing(self, namespace: str, name: str) -> Any:
        return self.backpack.transaction(by=namespace or None, note=name)

    def _told(self, event: Event) -> None:
        """Take out of the ledger what history gave up."""
        if isinstance(event, Pruned):
            for each in event.commits:
                seq = int(each.partition("-")[0])
                self._left(self.ledger.lose(seq, is_archived=self._archived is not None))

    def _left(self, entry: Entry | None) -> None:
        if entry is not None and self._archived is not None:
            self._archived.add(entry)


def _seq(transaction: Transaction) -> int:
    commit = transaction.commit
    assert commit is not None, "it has changed something"  # noqa: S101
    return commit.seq
