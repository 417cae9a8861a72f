"""Reading versions back: from a key and a commit to a value, under the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.entries import Entry
from backpack.errors import CommitPruned, CorruptError, UnknownCommit, UnpackableValue
from backpack.history import Current
from backpack.ids import parse_id
from backpack.records import Commit, Reference, Unavailable
from backpack.wording import described

if TYPE_CHECKING:
    from threading import RLock

    from backpack.history import History, Tombstone
    from backpack.protocols import Codec
    from backpack.store import Store

__all__ = ["Reader", "unavailable"]


class Reader:
    """What a snapshot needs to answer: the history, and how its versions are read.

    Args:
        history: The history.
        codec: Decodes values.
        store: Reads superseded versions.
        lock: Held while the history is looked at.
        code: The Backpack's code, with which its commit ids end.
    """

    def __init__(
        self,
        history: History,
        codec: Codec,
        store: Store,
        lock: RLock,
        code: str,
    ) -> None:
        self.history = history
        self.codec = codec
        self.lock = lock
        self.code = code
        self._store = store

    def find(self, commit: Commit | str) -> int:
        """Return the index of the retained commit a caller means.

        Raises:
            CommitPruned: It existed; history gave it up.
            UnknownCommit: It never was a commit of this Backpack.
        """
        commit_id: object = commit.id if isinstance(commit, Commit) else commit
        parsed = parse_id(commit_id) if isinstance(commit_id, str) else None
        if parsed is None:
            raise UnknownCommit(
                f"{described(commit_id)} is no commit id; pass a Commit or its id, "
                f"such as '12-{self.code}'"
            )
        seq, code = parsed
        if code != self.code:
            raise UnknownCommit(
                f"commit {seq}-{code:.12} belongs to another Backpack: the ids of this one end in "
                f"-{self.code}; a fork knows no commit of what it was forked from"
            )
        index = self.history.commits.find(seq)
        if index is None:
            raise self._missing(seq)
        return index

    def touch(self, commit: Commit | str) -> int:
        """Return the index of the retained commit a caller means, and count it as accessed.

        Raises:
            CommitPruned: It existed; history gave it up.
            UnknownCommit: It never was a commit of this Backpack.
        """
        return self._accessed(self.find(commit))

    def revisit(self, seq: int) -> None:
        """Count the commit with this number, which was retained once, as accessed.

        Raises:
            CommitPruned: History gave it up since.
        """
        index = self.history.commits.find(seq)
        if index is None:
            raise self._missing(seq)
        self._accessed(index)

    def version_at(self, key: str, seq: int) -> bytes | Reference | Tombstone:
        """Return the encoded value that stood under ``key`` at a retained commit, or why not."""
        setter, version = self.history.version_at(key, seq)
        if isinstance(version, Current):
            return version.encoded
        if not isinstance(version, (bytes, Entry)):
            return version
        return self._store.read(key, setter, version)

    def decode(self, key: str, encoded: bytes) -> object:
        """Decode a value.

        Raises:
            CorruptError: The bytes are not what was stored; names the key.
            UnpackableValue: It is of a class that the codec was not told of.
        """
        try:
            return self.codec.decode(encoded)
        except (UnpackableValue, RecursionError, MemoryError):
            raise
        except Exception as error:
            raise CorruptError(f"the stored value of {key!r} does not decode: {error}") from error

    def value(self, key: str, version: bytes | Reference | Tombstone) -> object:
        """Return a version's value: a new copy, or an ``Unavailable`` for a reference."""
        if isinstance(version, Reference):
            return unavailable(key, version)
        return self.decode(key, version) if isinstance(version, bytes) else None

    def _accessed(self, index: int) -> int:
        history = self.history
        columns = history.commits.columns
        columns.accesses[index] += 1
        columns.last_access[index] = history.made
        return index

    def _missing(self, seq: int) -> CommitPruned | UnknownCommit:
        """Return the error that says why no commit with this number is retained."""
        seqs, made = self.history.commits.seqs, self.history.made
        if seq > made:
            newest = f"the newest is {made}-{self.code}" if made else "there are none"
            return UnknownCommit(f"there is no commit {seq}-{self.code} yet; {newest}")
        return CommitPruned(
            f"commit {seq}-{self.code} was pruned to keep the history in its budget; "
            f"{len(seqs):,} commits are retained, from {seqs[0]}-{self.code} to {made}-{self.code}"
        )


def unavailable(key: str, reference: Reference) -> Unavailable:
    """Return what a snapshot answers for a value that history left out."""
    return Unavailable(
        key=key,
        size=reference.size,
        reason=reference.reason,
        hint=(
            "it was readable until it was superseded; to keep such values in history, raise "
            f"reference.max_value_size to at least {reference.size:,} bytes"
        ),
        digest=reference.digest,
        preview=reference.preview,
    )
