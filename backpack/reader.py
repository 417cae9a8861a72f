"""Reading versions back: from a key and a commit to a value, under the lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.commits import known_of_record
from backpack.entries import Entry
from backpack.errors import CommitPruned, CorruptError, UnknownCommit, UnpackableValue
from backpack.history import TOMBSTONE, Current
from backpack.ids import parse_id
from backpack.records import Commit, Reference, Unavailable
from backpack.wording import described

if TYPE_CHECKING:
    from collections.abc import Iterable
    from threading import RLock

    from backpack.commits import Known
    from backpack.history import History, Tombstone
    from backpack.logged import LoggedCommit
    from backpack.protocols import Codec, CommitLog
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

    Attributes:
        log: Where commits are that history gave up, if they are anywhere.
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
        self.log: CommitLog | None = None
        self._store = store

    def find(self, commit: Commit | str) -> int:
        """Return the index of the retained commit a caller means.

        Raises:
            CommitPruned: It existed; history gave it up.
            UnknownCommit: It never was a commit of this Backpack.
        """
        seq = self.number(commit)
        index = self.history.commits.find(seq)
        if index is None:
            raise self._missing(seq)
        return index

    def archived(self, commit: Commit | str) -> LoggedCommit | None:
        """Return the archived commit a caller means; None where it is retained, or is none.

        Raises:
            UnknownCommit: It is no commit id of this Backpack.
            ArchiveError: The archive cannot be read.
        """
        seq = self.number(commit)
        if self.log is None or not self.is_archived(seq):
            return None
        return self.log.commit_at(seq)

    def archived_commits(self, key: str | None = None) -> list[Commit]:
        """Return the archived commits, newest first; those that have to do with a key, or all.

        Raises:
            ArchiveError: The archive cannot be read.
        """
        if self.log is None:
            return []
        commits = (each.commit for each in self.log.commits(retained=False))
        return [each for each in commits if key is None or key in each.keys]

    def is_archived(self, seq: int) -> bool:
        """Whether a commit is to be looked for in the log, and there only."""
        return (
            self.log is not None
            and 0 < seq <= self.log.head
            and self.history.commits.find(seq) is None
            and self.log.has(seq)
        )

    def open(self, commit: Commit | str) -> Known:
        """Return what is known of the commit a caller means, and count it as accessed.

        Raises:
            CommitPruned: It existed; history gave it up.
            UnknownCommit: It never was a commit of this Backpack.
            ArchiveError: It is archived, and the archive cannot be read.
        """
        archived = self.archived(commit)
        if archived is not None:
            return known_of_record(archived.commit)
        return self.history.commits.known_of(self._accessed(self.find(commit)))

    def revisit(self, seq: int) -> None:
        """Count the commit with this number, which was retained once, as accessed.

        Raises:
            CommitPruned: History gave it up since.
        """
        index = self.history.commits.find(seq)
        if index is not None:
            self._accessed(index)
        elif not self.is_archived(seq):
            raise self._missing(seq)

    def keys_at(self, seq: int) -> Iterable[str]:
        """Return the keys that existed at a commit that is retained or archived."""
        if self.log is not None and self.is_archived(seq):
            return self.log.keys_at(seq)
        return self.history.keys_at(seq)

    def version_at(self, key: str, seq: int) -> bytes | Reference | Tombstone:
        """Return the encoded value that stood under ``key`` at a commit, or why not.

        The commit is retained or archived.
        """
        setter, version = self.history.version_at(key, seq)
        if isinstance(version, Current):
            return version.encoded
        if self.log is not None and self.is_archived(seq):
            return self._logged(self.log, key, seq)
        if isinstance(version, Reference) and version.spilled and self.log is not None:
            return self._logged(self.log, key, setter)
        if not isinstance(version, (bytes, Entry)):
            return version
        return self._store.read(key, setter, version)

    def is_one_version(self, key: str, first: int, second: int) -> bool:
        """Whether the same version stood at two retained commits, as far as is known at once."""
        if self.is_archived(first) or self.is_archived(second):
            return False
        version_at = self.history.version_at
        return version_at(key, first)[0] == version_at(key, second)[0]

    def _logged(self, log: CommitLog, key: str, seq: int) -> bytes | Reference | Tombstone:
        """Return what the log says that stood under a key at a commit."""
        read = log.version_at(key, seq)
        if read is None:
            return TOMBSTONE
        reference = read.reference
        if read.encoded is None or (reference is not None and not reference.spilled):
            assert reference is not None  # noqa: S101
            return reference
        return read.encoded

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

    def number(self, commit: Commit | str) -> int:
        """Return the number of the commit a caller means.

        Raises:
            UnknownCommit: It is no commit id, or one of another Backpack.
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
        return seq

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
        if self.log is not None and seq <= self.log.head:
            return CommitPruned(
                f"commit {seq}-{self.code} was pruned, and removed from the archive since: it was "
                "erased, or over the limits of what that keeps (max_age, max_commits, max_size)"
            )
        return CommitPruned(
            f"commit {seq}-{self.code} was pruned to keep the history in its budget, or erased; "
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
