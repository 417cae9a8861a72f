"""Looking back at a Backpack in a file: every commit of it, and the state at any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import frozen

from backpack.codec import MsgpackCodec
from backpack.codec.foreign import decode_foreign
from backpack.codec.layout import class_name
from backpack.errors import ArchiveError, CommitPruned, UnknownCommit, UnknownKey
from backpack.ids import parse_id
from backpack.opening import archives
from backpack.reader import unavailable
from backpack.wording import nearest, shown

if TYPE_CHECKING:
    from os import PathLike

    from backpack.logged import LoggedCommit, Read
    from backpack.records import Unavailable

__all__ = ["Past", "Version"]

#: What is decoded without running code of the data.
_SAFE_CODEC: Final = class_name(MsgpackCodec)
_HEAD: Final = re.compile(r"(HEAD|@)(~([0-9]{0,18})|\^*)?", re.ASCII)


@frozen
class Version:
    """A version in a file, without its value.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        size: Bytes, as the sizing policy measured it.
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


class Past:
    """One Backpack in a checkpoint or an archive, as it is at this moment, to be looked back at.

    Nothing is written, nobody who writes is disturbed, and nothing of the file is run: an instance
    of a class is a :class:`~backpack.codec.foreign.Foreign`, whatever is installed here. One
    thread at a time may use it.

    Args:
        place: A checkpoint, an SQLite archive, or the URL of an archive.
        name: Which Backpack of it, where there are several.

    Raises:
        UnknownName: There is no such Backpack in it.
        ArchiveError: It is no such file, or cannot be read.
        CorruptError: It is damaged.

    Attributes:
        place: Where it is, as it was given.
        where: Where it is, as a URL without a password.
        name: What the Backpack is called there.
        code: What the ids of its commits end with.
        codec: The name of the class of the codec that wrote its values.
        settings: The settings it was begun with, as a preset's file has them.

    >>> import os, tempfile
    >>> from backpack import Backpack
    >>> bp = Backpack()
    >>> for steps in (["look"], ["look", "book"]):
    ...     _ = bp.pack("plan", steps, by="planner")
    >>> path = os.path.join(tempfile.mkdtemp(), "agent.backpack")
    >>> bp.save(path)
    >>> with Past(path) as past:
    ...     first = past.find("HEAD~1")
    ...     first.commit.by, past.state(first.commit.seq)
    ('planner', {'plan': ['look']})
    """

    def __init__(self, place: str | PathLike[str], name: str | None = None) -> None:
        checkpoints = archives().checkpoint
        found = checkpoints.look_into(place, name)
        self._log = checkpoints.opened(place, found)
        self.place = place
        self.where: str = self._log.database.name
        self.name: str = self._log.name
        self.code: str = self._log.code
        self.codec: str = self._log.codec
        self.settings: dict[str, Any] = json.loads(self._log.settings)

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- commits -------------------------------------------------------------------------

    @property
    def head(self) -> int:
        """The number of the newest commit; 0 if there is none."""
        head: int = self._log.head
        return head

    def commits(self, *, newest_first: bool = True) -> Iterator[LoggedCommit]:
        """Iterate over all commits, and how each stands.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: One is not as it was written.
        """
        yield from self._log.commits(newest_first=newest_first)

    def find(self, text: str) -> LoggedCommit:
        """Return the commit that somebody means.

        Args:
            text: Its id (``412-k3fq7x``), its number (``412``), ``HEAD`` or ``HEAD~3`` (three
                commits before the newest, of those that are there), or a tag, which means the
                newest that has it.

        Raises:
            CommitPruned: It was, and is not in the file.
            UnknownCommit: There is none, or never was.
        """
        parsed = parse_id(text)
        if parsed is not None and parsed[1] == self.code:
            return self._numbered(parsed[0])
        if text.isascii() and text.isdecimal() and len(text) < 18:
            return self._numbered(int(text))
        head = _HEAD.fullmatch(text)
        if head is not None:
            return self._before_head(_steps(head), text)
        tags = set()
        for logged in self._log.commits():
            tags.update(logged.commit.tags)
            if text in logged.commit.tags:
                return logged  # type: ignore[no-any-return]
        if parsed is not None:
            raise UnknownCommit(
                f"commit {text:.60} belongs to another Backpack: the ids of this one end in "
                f"-{self.code}"
            )
        near = nearest(text, tags)
        meant = "" if near is None else f"; did you mean the tag {shown(near)}?"
        raise UnknownCommit(
            f"{shown(text)} is no commit: neither an id, such as {self.head or 1}-{self.code}, nor "
            f"a number, HEAD, HEAD~3, or a tag{meant}"
        )

    # --- the state at a commit -----------------------------------------------------------

    def keys_at(self, seq: int) -> list[str]:
        """Return the keys that existed at a commit, in their order.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: Something is missing, or not as it was written.
        """
        keys: list[str] = self._log.keys_at(seq)
        return keys

    def setter(self, key: str, seq: int) -> int | None:
        """Return the number of the commit that set what stood under a key; None if nothing did."""
        read = self._log.version_at(key, seq)
        return None if read is None else int(read.seq)

    def encoded(self, key: str, seq: int) -> bytes | Unavailable:
        """Return the encoded bytes that stood under a key at a commit.

        Raises:
            UnknownKey: Nothing did.
            ArchiveError: They cannot be read.
            CorruptError: They are missing, or not as they were written.
        """
        read = self._log.version_at(key, seq)
        if read is None:
            near = nearest(key, self.keys_at(seq))
            meant = "" if near is None else f"; did you mean {shown(near)}?"
            raise UnknownKey(f"there was no key {shown(key)} at commit {seq}-{self.code}{meant}")
        return _encoded(read)

    def encoded_by(self, key: str, seq: int) -> bytes | Unavailable | None:
        """Return the encoded bytes that a commit set; None if it set none, or they are gone.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: They are missing, or not as they were written.
        """
        read = self._log.version_at(key, seq)
        return None if read is None or read.seq != seq else _encoded(read)

    def value(self, key: str, seq: int) -> object:
        """Return what stood under a key at a commit, or an ``Unavailable`` that history left out.

        Raises:
            UnknownKey: Nothing did.
            ArchiveError: It cannot be read, or its codec is not safe to read with.
            CorruptError: It is missing, or not as it was written.
        """
        encoded = self.encoded(key, seq)
        return self.decoded(encoded) if isinstance(encoded, bytes) else encoded

    def state(self, seq: int) -> dict[str, object]:
        """Return the whole state as of a commit.

        Raises:
            ArchiveError: It cannot be read, or its codec is not safe to read with.
            CorruptError: Something is missing, or not as it was written.
        """
        return {key: self.value(key, seq) for key in self.keys_at(seq)}

    # --- all versions --------------------------------------------------------------------

    def versions(self) -> Iterator[Version]:
        """Iterate over all versions, key by key, those of a key in order; no value is read.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: One is not as it was written.
        """
        forms = archives().Form
        for row in self._log.rows():
            yield Version(
                key=row["key"],
                seq=row["seq"],
                size=row["size"],
                stored=len(row["data"] or b""),
                is_removal=row["form"] == forms.REMOVED,
                is_left_out=row["form"] == forms.LEFT_OUT,
                born=row["born"],
            )

    def values(
        self, *, progress: Callable[[int], object] | None = None
    ) -> Iterator[tuple[str, int, Any]]:
        """Iterate over ``(key, number of the commit, value)`` of all versions but removals.

        Args:
            progress: Told how many are done.
        """
        for key, seq, encoded in self.all_encoded(progress=progress):
            yield key, seq, self.decoded(encoded) if isinstance(encoded, bytes) else encoded

    def all_encoded(
        self, *, progress: Callable[[int], object] | None = None
    ) -> Iterator[tuple[str, int, bytes | Unavailable]]:
        """Iterate over what :meth:`values` does, as encoded bytes.

        Args:
            progress: Told how many are done.
        """
        for number, read in enumerate(self._log.versions(0)):
            if progress is not None:
                progress(number)
            if read.encoded is not None or read.reference is not None:
                yield read.key, read.seq, _encoded(read)

    def decoded(self, encoded: bytes) -> object:
        """Return the value of encoded bytes.

        Raises:
            ArchiveError: Their codec is not safe to read with.
            CorruptError: They are of no value.
        """
        if self.codec != _SAFE_CODEC:
            raise ArchiveError(
                f"the values were written with the codec {shown(self.codec)}, which may run code "
                "of what it reads; Backpack.restore(..., codec=...) reads them in a program"
            )
        return decode_foreign(encoded)

    # --- helpers -------------------------------------------------------------------------

    def _numbered(self, seq: int) -> LoggedCommit:
        logged = self._log.commit_at(seq) if seq else None
        if logged is not None:
            return logged  # type: ignore[no-any-return]
        if 0 < seq <= self.head:
            raise CommitPruned(
                f"commit {seq}-{self.code} was pruned, and is not in {self.place}; 'backpack log' "
                "lists those that are"
            )
        newest = f"the newest is {self.head}-{self.code}" if self.head else "there are none"
        raise UnknownCommit(f"there is no commit {seq}-{self.code}; {newest}")

    def _before_head(self, steps: int, text: str) -> LoggedCommit:
        number = -1
        for number, logged in enumerate(self._log.commits()):
            if number == steps:
                return logged  # type: ignore[no-any-return]
        raise UnknownCommit(f"there is no {text}: there are {number + 1:,} commits")


def _steps(head: re.Match[str]) -> int:
    """Return how far back something like HEAD~3, HEAD~ or HEAD^^ goes."""
    _, back, number = head.groups()
    if not back:
        return 0
    return len(back) if back[0] == "^" else int(number or 1)


def _encoded(read: Read) -> bytes | Unavailable:
    if read.encoded is not None:
        return read.encoded
    assert read.reference is not None  # noqa: S101
    return unavailable(read.key, read.reference)
