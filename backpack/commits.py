"""The retained commits, as columns of numbers and a table of what is out of the ordinary.

Most commits change one key and have no label but their node: nine numbers say it all. They are
kept in as many arrays, a row a commit, and what few commits have besides is kept apart. The
records that callers see are made when they are asked for.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from attrs import frozen

from backpack.records import Change, Commit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from backpack.names import Names

__all__ = [
    "KINDS",
    "NOTHING",
    "Columns",
    "Commits",
    "Known",
    "Remarks",
    "Row",
    "known_of_record",
    "record_of",
    "remarks_of",
    "row_of",
]

#: What a record is made of: the code, number and time of a commit; key, kind and size of its
#: change; who made it, and what is out of the ordinary.
Known: TypeAlias = "tuple[str, int, float, str | None, int, int, str | None, Remarks | None]"

Kind: TypeAlias = Literal["set", "same", "removed"]

#: What a commit did to a key, by the number that stands for it.
KINDS: Final[tuple[Kind, ...]] = ("set", "same", "removed")
_SAME: Final = 1
#: The number that stands for no name.
_NOBODY: Final = -1


class Row(NamedTuple):
    """What the columns hold of one commit.

    Attributes:
        seq: Its number.
        timestamp: When it was made, in seconds since the epoch.
        last_access: The number of the newest commit at the last access.
        accesses: How often a snapshot of it was opened, read or diffed.
        key: The number of the name of the key it changed; -1 if it changed none or several.
        kind: What it did to that key: 0 set, 1 same, 2 removed; 1 if there is no one key.
        size: Bytes of the value that key got, as the sizing policy measured it.
        by: The number of the name of who made it; -1 if it did not say.
        pinned: 1 if it must stay.
    """

    seq: int
    timestamp: float
    last_access: int
    accesses: int
    key: int
    kind: int
    size: int
    by: int
    pinned: int = 0


class Columns(NamedTuple):
    """The rows of many commits, column by column."""

    seq: array[int]
    timestamp: array[float]
    last_access: array[int]
    accesses: array[int]
    key: array[int]
    kind: array[int]
    size: array[int]
    by: array[int]
    pinned: array[int]

    @classmethod
    def empty(cls) -> Columns:
        """Return columns without a row."""
        return cls(*map(array, "qdqqqbqqb"))  # type: ignore[arg-type]

    def copied(self) -> Columns:
        """Return a copy that takes no more room than its items."""
        return Columns(*(column[:] for column in self))  # type: ignore[arg-type]


@frozen
class Remarks:
    """What is out of the ordinary about a commit.

    Attributes:
        changes: What it did, if it did not change one key.
        tags: Its labels, sorted.
        note: A remark, if there is one.
    """

    changes: tuple[Change, ...] | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None


#: Nothing is out of the ordinary. Not kept: who has no remarks has these.
NOTHING: Final = Remarks()


class Commits:
    """The commits that snapshots still answer for, oldest first: a sequence of their records.

    A commit *owns* the keys that changed since the retained commit before it: those it set or
    removed itself, and those it inherited from commits that were pruned.

    Args:
        origin: The code of the Backpack that makes them.
        names: What the numbers in the columns of names mean.

    Attributes:
        origin: The code of the Backpack that makes them.
        columns: A row a commit.
        remarks: ``{number of the commit: what is out of the ordinary about it}``.
        heirs: The numbers of the commits that inherited keys, ascending: a column of its own, with
            one entry a key.
        inherited: The keys they inherited, in the same order.
    """

    __slots__ = ("_names", "columns", "heirs", "inherited", "origin", "remarks")

    def __init__(self, origin: str, names: Names) -> None:
        self.origin = origin
        self._names = names
        self.columns = Columns.empty()
        self.remarks: dict[int, Remarks] = {}
        self.heirs = array("q")
        self.inherited: list[str] = []

    @property
    def seqs(self) -> array[int]:
        """The numbers of the commits, ascending."""
        return self.columns.seq

    def __len__(self) -> int:
        return len(self.columns.seq)

    def __getitem__(self, index: int) -> Commit:
        return record_of(self.known_of(index))

    def __iter__(self) -> Iterator[Commit]:
        return map(self.__getitem__, range(len(self)))

    def known_of(self, index: int) -> Known:
        """Return what a commit's record can be made of later, whatever becomes of the commit."""
        columns, text = self.columns, self._names.texts.get
        seq = columns.seq[index]
        return (
            self.origin,
            seq,
            columns.timestamp[index],
            text(columns.key[index]),
            columns.kind[index],
            columns.size[index],
            text(columns.by[index]),
            self.remarks.get(seq),
        )

    def find(self, seq: int) -> int | None:
        """Return the index of the commit with this number, if it is retained.

        O(1) where no newer commit was pruned, O(log commits) otherwise.
        """
        seqs = self.columns.seq
        newer = seqs[-1] - seq if seqs else -1
        if newer < 0:
            return None
        # Where no newer commit is missing, this is its place; otherwise it lies behind.
        index = len(seqs) - 1 - newer
        if index >= 0 and seqs[index] == seq:
            return index
        index = bisect_left(seqs, seq, max(0, index))
        return index if seqs[index] == seq else None

    def owned(self, index: int) -> Sequence[str]:
        """Return the keys a commit owns."""
        own, inherited = self.own(index), self.inherited_by(self.columns.seq[index])
        return [*own, *inherited] if inherited else own

    def own(self, index: int) -> Sequence[str]:
        """Return the keys a commit set or removed itself."""
        columns = self.columns
        if columns.kind[index] != _SAME:
            return (self._names.texts[columns.key[index]],)
        remarks = self.remarks.get(columns.seq[index])
        if remarks is None or not remarks.changes:
            return ()
        return [change.key for change in remarks.changes if change.kind != "same"]

    def inherited_by(self, seq: int) -> Sequence[str]:
        """Return the keys that the commit with this number inherited."""
        heirs = self.heirs
        first = bisect_left(heirs, seq)
        if first == len(heirs) or heirs[first] != seq:
            return ()
        return self.inherited[first : bisect_right(heirs, seq, first)]

    def heritage(self, first: int, last: int) -> tuple[int, int]:
        """Return where the keys stand that commits inherited: the first index, and one behind.

        Args:
            first: The number of the first of these commits.
            last: The number of the last.
        """
        start = bisect_left(self.heirs, first)
        return start, bisect_right(self.heirs, last, start)

    def changing(self, key: str) -> list[int]:
        """Return the indexes of the commits that changed, or packed again, this key."""
        number, _ = self._names.known.get(key, (_NOBODY, 0))
        if number == _NOBODY:
            return []
        several = {
            seq
            for seq, remarks in self.remarks.items()
            if remarks.changes and any(change.key == key for change in remarks.changes)
        }
        return [
            index
            for index, (seq, named) in enumerate(
                zip(self.columns.seq, self.columns.key, strict=True)
            )
            if named == number or seq in several
        ]

    def names(self, index: int) -> Sequence[str]:
        """Return the names a commit's record mentions."""
        columns, text = self.columns, self._names.texts.get
        named = [*filter(None, (text(columns.key[index]), text(columns.by[index])))]
        remarks = self.remarks.get(columns.seq[index])
        if remarks is not None:
            named += [change.key for change in remarks.changes or ()]
            named += remarks.tags
        return named

    def append(self, row: Row, length: int) -> None:
        """Put a row behind so many others. Twice is once."""
        columns: tuple[array[Any], ...] = self.columns
        if len(columns[0]) == length:
            for column, item in zip(columns, row, strict=True):
                column.append(item)
        else:  # Again: some of the columns may have it.
            for column, item in zip(columns, row, strict=True):
                if len(column) == length:
                    column.append(item)


def row_of(commit: Commit, number_of: Callable[[str], int]) -> Row:
    """Return the row of a new commit.

    Args:
        commit: Its record.
        number_of: Tells the number of a name.
    """
    key, kind, size = _NOBODY, _SAME, 0
    if len(commit.changes) == 1:
        change = commit.changes[0]
        key, kind, size = number_of(change.key), KINDS.index(change.kind), change.size
    by = _NOBODY if commit.by is None else number_of(commit.by)
    return Row(commit.seq, commit.timestamp, commit.seq, 0, key, kind, size, by)


def remarks_of(commit: Commit) -> Remarks:
    """Return what is out of the ordinary about a new commit."""
    changes = None if len(commit.changes) == 1 else commit.changes
    if changes is None and not commit.tags and commit.note is None:
        return NOTHING
    return Remarks(changes, commit.tags, commit.note)


def known_of_record(commit: Commit) -> Known:
    """Return what a record can be made of later, of the record itself."""
    remarks = remarks_of(commit)
    seen = None if remarks is NOTHING else remarks
    key, kind, size = None, _SAME, 0
    if len(commit.changes) == 1:
        change = commit.changes[0]
        key, kind, size = change.key, KINDS.index(change.kind), change.size
    return commit.origin, commit.seq, commit.timestamp, key, kind, size, commit.by, seen


def record_of(known: Known) -> Commit:
    """Return a commit's record, made of what is known of it."""
    origin, seq, timestamp, key, kind, size, by, remarks = known
    # One of several changes, or none, has no key in its row: its remarks tell them.
    changes = () if key is None else (Change(key, KINDS[kind], size),)
    if remarks is None:
        return Commit(origin, seq, timestamp, changes, by)
    several = changes if remarks.changes is None else remarks.changes
    return Commit(origin, seq, timestamp, several, by, remarks.tags, remarks.note)
