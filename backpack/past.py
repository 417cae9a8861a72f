"""Looking back at a Backpack in a file: every commit of it, and the state at any."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from backpack.codec import MsgpackCodec
from backpack.codec.foreign import decode_foreign
from backpack.codec.layout import class_name
from backpack.errors import ArchiveError, CommitPruned, CorruptError, UnknownCommit, UnknownKey
from backpack.ids import parse_id
from backpack.logged import Version, is_left_out
from backpack.opening import archives
from backpack.reader import unavailable
from backpack.wording import nearest, shown

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from backpack.logged import LoggedCommit, Read
    from backpack.records import Unavailable

__all__ = ["Past", "Version"]

T = TypeVar("T")

#: What is decoded without running code of the data.
_SAFE_CODEC: Final = class_name(MsgpackCodec)
_HEAD: Final = re.compile(r"(HEAD|@)(~([0-9]{0,18})|\^*)?", re.ASCII)


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
        try:
            self.settings = _settings(self._log.settings, self.name)
        except CorruptError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def file(self) -> Path | None:
        """The file it is in; None on a server."""
        path: Path | None = self._log.database.path
        return path

    @property
    def bytes_in_use(self) -> int:
        """Bytes of an SQLite file that are in use; on a server, those of this Backpack."""
        size: int = archives().glance.bytes_in_use(self._log)
        return size

    @property
    def is_readable(self) -> bool:
        """Whether values can be decoded: their codec runs no code of what it reads."""
        return self.codec == _SAFE_CODEC

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
        for logged in self._log.commits(tagged=True):
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
        """Return the keys that existed at a commit; at the newest, in their order.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: Something is missing, or not as it was written.
        """
        keys: list[str] = self._log.keys_at(seq)
        return keys

    def keys(self) -> list[str]:
        """Return all keys that anything in the file is known of, sorted.

        Raises:
            ArchiveError: They cannot be read.
        """
        keys: list[str] = archives().glance.keys(self._log)
        return keys

    def size_before(self, key: str, seq: int) -> int | None:
        """Return how large what stood under a key before a commit is; None if nothing did.

        It is 0 where the commit that set it is not in the file, and nobody else knows.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: It is not as it was written.
        """
        found = archives().glance.before(self._log, key, seq)
        if found is None:
            return None
        setter, size = found
        logged = self._log.commit_at(setter)
        changes = () if logged is None else logged.commit.changes
        return next((each.size for each in changes if each.key == key), int(size))

    def setters_at(self, seq: int) -> dict[str, int]:
        """Return ``{key: number of the commit that set it}`` at a commit, in the keys' order.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: Something is missing, or not as it was written.
        """
        setters: dict[str, int] = self._log.setters_at(seq)
        return setters

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
        return self._told(read)

    def encoded_by(self, key: str, seq: int) -> bytes | Unavailable | None:
        """Return the encoded bytes that a commit set; None if it set none, or they are gone.

        Raises:
            ArchiveError: They cannot be read.
            CorruptError: They are missing, or not as they were written.
        """
        read = self._log.version_at(key, seq)
        return None if read is None or read.seq != seq else self._told(read)

    def value(self, key: str, seq: int) -> object:
        """Return what stood under a key at a commit, or an ``Unavailable`` that history left out.

        Raises:
            UnknownKey: Nothing did.
            ArchiveError: It cannot be read, or its codec is not safe to read with.
            CorruptError: It is missing, or not as it was written.
        """
        return self.decoded(self.encoded(key, seq))

    def decoded(self, encoded: bytes | Unavailable) -> object:
        """Return the value of what :meth:`encoded` returned; what was left out stays so.

        Raises:
            ArchiveError: Its codec is not safe to read with.
            CorruptError: These are no bytes of a value.
            UnpackableValue: It needs numpy, which is not installed.
        """
        if not isinstance(encoded, bytes):
            return encoded
        if not self.is_readable:
            raise ArchiveError(
                f"the values were written with the codec {shown(self.codec)}, which may run code "
                "of what it reads; Backpack.restore(..., codec=...) reads them in a program"
            )
        return decode_foreign(encoded)

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
        forms, glance = archives().Form, archives().glance
        for row, following in _with_next(self._log.rows()):
            is_superseded = following is not None and following["key"] == row["key"]
            yield Version(
                key=row["key"],
                seq=row["seq"],
                size=row["size"],
                stored=len(row["data"] or b""),
                is_removal=row["form"] == forms.REMOVED,
                is_left_out=row["form"] == forms.LEFT_OUT
                or (is_superseded and glance.is_left_out_if_superseded(row)),
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
            yield key, seq, self.decoded(encoded)

    def all_encoded(
        self, *, progress: Callable[[int], object] | None = None
    ) -> Iterator[tuple[str, int, bytes | Unavailable]]:
        """Iterate over what :meth:`values` does, as encoded bytes.

        Args:
            progress: Told how many are done.
        """
        for number, (read, following) in enumerate(_with_next(self._log.versions(0))):
            if progress is not None:
                progress(number)
            if read.encoded is not None or read.reference is not None:
                is_superseded = following is not None and following.key == read.key
                yield read.key, read.seq, _encoded(read, is_superseded=is_superseded)

    # --- helpers -------------------------------------------------------------------------

    def _told(self, read: Read) -> bytes | Unavailable:
        """Return the bytes of a version, or what stands for them by now."""
        is_old = is_left_out(read.reference) and archives().glance.is_superseded(
            self._log, read.key, read.seq
        )
        return _encoded(read, is_superseded=is_old)

    def _numbered(self, seq: int) -> LoggedCommit:
        logged = self._log.commit_at(seq) if seq else None
        if logged is not None:
            return logged  # type: ignore[no-any-return]
        if 0 < seq <= self.head:
            raise CommitPruned(
                f"commit {seq}-{self.code} was pruned, or erased, and is not in {self.place}; "
                "'backpack log' lists those that are"
            )
        newest = f"the newest is {self.head}-{self.code}" if self.head else "there are none"
        raise UnknownCommit(f"there is no commit {seq}-{self.code}; {newest}")

    def _before_head(self, steps: int, text: str) -> LoggedCommit:
        for logged in self._log.commits(skipped=steps):
            return logged  # type: ignore[no-any-return]
        count = sum(1 for _ in self._log.commits())
        raise UnknownCommit(f"there is no {text}: the number of commits is {count:,}")


def _settings(text: str, name: str) -> dict[str, Any]:
    try:
        settings = json.loads(text)
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise CorruptError(f"the settings of {shown(name)} are none: {shown(text)}")
    return settings


def _steps(head: re.Match[str]) -> int:
    """Return how far back something like HEAD~3, HEAD~ or HEAD^^ goes."""
    _, back, number = head.groups()
    if not back:
        return 0
    return len(back) if back[0] == "^" else int(number or 1)


def _encoded(read: Read, *, is_superseded: bool) -> bytes | Unavailable:
    """Return the bytes of a version, or what stands for them.

    An archive may have them a while longer than history answers with them.
    """
    is_gone = is_superseded and is_left_out(read.reference)
    if read.encoded is not None and not is_gone:
        return read.encoded
    assert read.reference is not None  # noqa: S101
    return unavailable(read.key, read.reference)


def _with_next(items: Iterable[T]) -> Iterator[tuple[T, T | None]]:
    """Iterate over items, each with the one behind it."""
    before: list[T] = []
    for item in items:
        if before:
            yield before.pop(), item
        before.append(item)
    if before:
        yield before[0], None
