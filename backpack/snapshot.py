"""The read-only state as of one commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from backpack.commits import record_of
from backpack.errors import UnknownKey, ValueUnavailable
from backpack.history import TOMBSTONE
from backpack.reader import unavailable
from backpack.records import Diff, Reference, digest

if TYPE_CHECKING:
    from backpack.commits import Known
    from backpack.history import Tombstone
    from backpack.reader import Reader
    from backpack.records import Commit

__all__ = ["Snapshot", "diff"]

_MISSING: Final = object()


class Snapshot(Mapping[str, Any]):
    """The state as it was at one commit: a read-only mapping, O(1) to open, read on demand.

    It is a view: when its commit is pruned, the next read says
    :class:`~backpack.errors.CommitPruned`. :meth:`to_dict` and
    :meth:`~backpack.container.Backpack.fork` make copies that stay.

    A value that history left out is told apart from data: ``snapshot[key]`` raises
    :class:`~backpack.errors.ValueUnavailable`, while :meth:`unpack` and :meth:`to_dict` give an
    :class:`~backpack.records.Unavailable` with its size, the reason and what to do.
    """

    __slots__ = ("_known", "_reader", "_seq")

    def __init__(self, reader: Reader, known: Known) -> None:
        self._reader = reader
        self._known = known
        self._seq = known[1]

    @property
    def archived(self) -> bool:
        """Whether its commit is in the archive, from where it is read now."""
        with self._reader.lock:
            self._reader.history.settle()
            return self._reader.is_archived(self._seq)

    @property
    def commit(self) -> Commit:
        """The commit it shows, as it was recorded when the snapshot was opened."""
        return record_of(self._known)

    def unpack(self, key: str, default: Any = _MISSING) -> Any:
        """Return a new copy of the value, or an ``Unavailable`` where history left it out.

        Args:
            key: Whose value.
            default: What to return if the key did not exist; without it, that is an error.

        Raises:
            UnknownKey: The key did not exist at this commit.
            CommitPruned: The commit was pruned since.
        """
        value = self._version(key)
        if value is TOMBSTONE:
            if default is _MISSING:
                raise self._unknown(key)
            return default
        return self._reader.value(key, value)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole state, ``Unavailable`` where history left a value out.

        Raises:
            CommitPruned: The commit was pruned since.
        """
        reader, seq = self._reader, self._seq
        with reader.lock:
            reader.history.settle()
            reader.revisit(seq)
            keys = list(reader.keys_at(seq))
            return {key: reader.value(key, reader.version_at(key, seq)) for key in keys}

    def __getitem__(self, key: str) -> Any:
        value = self._version(key)
        if value is TOMBSTONE:
            raise self._unknown(key)
        if isinstance(value, Reference):
            raise ValueUnavailable(unavailable(key, value))
        return self._reader.value(key, value)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._version(key) is not TOMBSTONE

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())

    def __repr__(self) -> str:
        commit = self.commit
        return f"<Snapshot {commit.id} of {commit.time:%Y-%m-%d %H:%M:%S} UTC>"

    def _version(self, key: str) -> bytes | Reference | Tombstone:
        reader = self._reader
        with reader.lock:
            reader.history.settle()
            reader.revisit(self._seq)
            return reader.version_at(key, self._seq)

    def _keys(self) -> list[str]:
        reader = self._reader
        with reader.lock:
            reader.history.settle()
            reader.revisit(self._seq)
            return list(reader.keys_at(self._seq))

    def _unknown(self, key: object) -> UnknownKey:
        return UnknownKey(f"there was no key {key!r:.60} at commit {self.commit.id}")


def diff(reader: Reader, first: int, second: int) -> Diff:
    """Compare the states at two commits, by their numbers; the caller holds the lock.

    O(keys log versions), and a decode for every value that differs.
    """
    added, removed, changed = {}, {}, {}
    for key in dict.fromkeys((*reader.keys_at(first), *reader.keys_at(second))):
        if reader.is_one_version(key, first, second):
            continue
        before, after = reader.version_at(key, first), reader.version_at(key, second)
        if before is TOMBSTONE:
            added[key] = reader.value(key, after)
        elif after is TOMBSTONE:
            removed[key] = reader.value(key, before)
        elif _digest(before) != _digest(after):
            changed[key] = reader.value(key, before), reader.value(key, after)
    return Diff(added=added, removed=removed, changed=changed)


def _digest(version: bytes | Reference) -> str:
    """Return the digest of a value, also of one that history left out."""
    return version.digest if isinstance(version, Reference) else digest(version)
