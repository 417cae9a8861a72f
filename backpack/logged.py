"""The records between the engine and an archive: what is logged of commits and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from backpack.protocols import ReadableLog
    from backpack.records import Commit, Reference

__all__ = [
    "Entered",
    "LoggedCommit",
    "LoggedVersion",
    "Read",
    "Saved",
    "Version",
    "is_left_out",
    "logged_again",
]


@frozen
class LoggedCommit:
    """A commit, and how it stands.

    Attributes:
        commit: Its record.
        retained: Whether the Backpack answers for it from memory.
        pinned: Whether it must stay so.
        accesses: How often it was looked at.
        last_access: The number of the newest commit at the last access.
    """

    commit: Commit
    retained: bool = True
    pinned: bool = False
    accesses: int = 0
    last_access: int = 0


@frozen
class LoggedVersion:
    """A version that a commit set.

    Attributes:
        key: Whose value.
        seq: The number of the commit.
        encoded: Its encoded bytes; None where the key was removed, or history left them out.
        size: Bytes, as the sizing policy measured it.
        reference: What history has in its place, once it is superseded; None keeps the value.
        base: The encoded bytes of a version before, where they are at hand.
        base_seq: The number of the commit that set that.
        born: Where the key stands among others; 0 if that is told by when it was first set.
    """

    key: str
    seq: int
    encoded: bytes | None
    size: int = 0
    reference: Reference | None = None
    base: bytes | None = None
    base_seq: int = 0
    born: int = 0


@frozen(eq=False)
class Entered:
    """What is entered into a log in one go, all or nothing.

    Attributes:
        commits: New commits, in order, behind all that are there.
        versions: What they set and removed, in that order; read once.
        pruned: The numbers of commits in the log that are no longer retained.
        amended: Commits in the log that have other tags, or are pinned or not: as they will be,
            and as they are.
        spent: The keys and numbers of versions in the log that history has left out since: none
            that was current where the log ends before this is entered.
        erased: The numbers, ascending, of commits that go for good, with the versions that stood
            at none but them. None of them is retained, or the newest, once this is entered.
    """

    commits: Sequence[LoggedCommit] = ()
    versions: Iterable[LoggedVersion] = ()
    pruned: Sequence[int] = ()
    amended: Sequence[tuple[LoggedCommit, LoggedCommit]] = ()
    spent: Sequence[tuple[str, int]] = ()
    erased: Sequence[int] = ()


@frozen
class Read:
    """A version as it is read from a log: what stood under a key.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        encoded: Its encoded bytes; None where the key was removed, or history left them out.
        size: Bytes, as the sizing policy measured it.
        reference: What history has in their place, if it leaves them out.
        born: Where the key stands among others: those that were there before have less.
    """

    key: str
    seq: int
    encoded: bytes | None
    size: int
    reference: Reference | None
    born: int


@frozen
class Saved:
    """What goes into a checkpoint.

    Attributes:
        name: What the Backpack is called in it.
        code: What the ids of its commits end with.
        codec: The name of its codec's class.
        settings: Its settings, as JSON.
        commits: Its commits, in order.
        versions: Their versions, those of a key in order; closed by whoever reads it.
        count: How many versions that are; 0 if that is not known.
    """

    name: str
    code: str
    codec: str
    settings: str
    commits: Sequence[LoggedCommit]
    versions: Generator[LoggedVersion, None, None]
    count: int


@frozen
class Version:
    """A version in a file, without its value.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        size: Bytes, as the sizing policy measured it; 0 of a superseded one in a checkpoint, where
            its commit tells.
        stored: Bytes it takes in the file: as what it differs in from the version before.
        is_removal: Whether the key was removed.
        is_left_out: Whether history left the value out.
        born: Where the key stands among others: those that were there before have less.
    """

    key: str
    seq: int
    size: int
    stored: int
    is_removal: bool
    is_left_out: bool
    born: int = 0


def is_left_out(reference: Reference | None) -> bool:
    """Whether nothing can lean on a value: history leaves it out, and so does the log."""
    return reference is not None and not reference.spilled


def logged_again(log: ReadableLog) -> Generator[LoggedVersion, None, None]:
    """Iterate over the versions in a log, as they are entered into another."""
    key, base, base_seq = None, None, 0
    for each in log.versions(0):
        if each.key != key:
            key, base, base_seq = each.key, None, 0
        yield LoggedVersion(
            each.key,
            each.seq,
            each.encoded,
            each.size,
            each.reference,
            base,
            base_seq,
            each.born,
        )
        base, base_seq = (None if is_left_out(each.reference) else each.encoded), each.seq
