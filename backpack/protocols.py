"""The contracts of the strategy axes: what a policy is asked, and what it answers.

Each contract takes one frozen record. Three of them are plain callables, so that a function
serves as well as a class; storage has two directions and so two methods. Policies are not
trusted: what they answer is checked before anything changes, and a wrong answer is a
:class:`~backpack.errors.PolicyError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.logged import Entered, LoggedCommit, Read
    from backpack.records import (
        HeldVersion,
        NewValue,
        PruneRequest,
        Reference,
        SizedValue,
        SupersededVersion,
    )

__all__ = [
    "Archive",
    "Codec",
    "CommitLog",
    "PruningPolicy",
    "ReadableLog",
    "ReferencePolicy",
    "SizingPolicy",
    "StoragePolicy",
]


@runtime_checkable
class SizingPolicy(Protocol):
    """Answers: how many bytes is this value?"""

    def __call__(self, new: NewValue, /) -> int:
        """Return the size in bytes, never negative: the same for equal values of equal previous."""
        ...


@runtime_checkable
class ReferencePolicy(Protocol):
    """Answers: does history keep this value, or a reference to it?

    A policy with an attribute ``max_value_size`` (bytes) has it checked against the budget. One
    with a true attribute ``spills`` may return a reference that is ``spilled``: the value goes to
    the archive, which there has to be, and is read from there.
    """

    def __call__(self, value: SizedValue, /) -> Reference | None:
        """Return None to keep the value, or what history shall keep in its place."""
        ...


@runtime_checkable
class StoragePolicy(Protocol):
    """Answers: how are superseded versions held?

    A policy with an attribute ``span``, a whole number from 1, may hold a version as its
    difference from a newer one: ``hold`` is then given such a ``base`` where there is one, and
    ``read`` the same bytes again, or what is held of up to ``span`` versions between. What such a
    policy holds must depend on nothing but the encoded bytes of the two. With an attribute
    ``least`` (bytes), smaller versions are held as they are, and it is not asked.
    """

    def hold(self, version: SupersededVersion, /) -> bytes:
        """Return the bytes history shall hold for this version; they are what it pays."""
        ...

    def read(self, version: HeldVersion, /) -> bytes:
        """Return exactly the encoded bytes that ``hold`` was given."""
        ...


@runtime_checkable
class PruningPolicy(Protocol):
    """Answers: which commits go?"""

    def __call__(self, request: PruneRequest, /) -> Iterable[str]:
        """Return ids of candidates to prune; none refuses the change.

        It is asked again, with what remains, until the change fits.
        """
        ...


class ReadableLog(Protocol):
    """One Backpack's log in an archive: every commit in order, and the versions it set.

    Attributes:
        name: What the Backpack is called in the archive.
        code: What the ids of its commits end with.
        codec: The name of the class of the codec that wrote its values.
        settings: The settings it was begun with, as JSON.
    """

    name: str
    code: str
    codec: str
    settings: str

    @property
    def head(self) -> int:
        """The number of the newest commit in it; 0 if there is none."""
        ...

    def commit_at(self, seq: int, /) -> LoggedCommit | None:
        """Return the commit with this number, if it is in the log."""
        ...

    def has(self, seq: int, /) -> bool:
        """Whether a commit that was found in the log is there yet."""
        ...

    def commits(
        self, *, retained: bool | None = None, newest_first: bool = True
    ) -> Iterator[LoggedCommit]:
        """Iterate over the commits in the log; those that are, or are not, retained."""
        ...

    def version_at(self, key: str, seq: int, /) -> Read | None:
        """Return what stood under a key at a commit; None if nothing did."""
        ...

    def versions(self, since: int, /) -> Iterator[Read]:
        """Iterate over all that stood under any key at a commit or later, key by key, in order."""
        ...

    def keys_at(self, seq: int, /) -> list[str]:
        """Return the keys that existed at a commit."""
        ...

    def close(self) -> None:
        """Let go of it; somebody else may go on with it."""
        ...


class CommitLog(ReadableLog, Protocol):
    """A log that is written."""

    @property
    def done(self) -> Entered | None:
        """What was made durable last."""
        ...

    def write(self, entered: Entered, /) -> None:
        """Write what is entered, so that :meth:`commit` makes it durable, all of it or nothing."""
        ...

    def commit(self, entered: Entered, /) -> None:
        """Make durable what was written last; it is when :attr:`done` is this."""
        ...

    def tidy(self) -> None:
        """Let go of what is done, and remove what the archive does not keep.

        Where that fails, it is tried again later.
        """
        ...

    def retain(self, seq: int, /) -> None:
        """Have a commit that was given up retained again: it is the newest."""
        ...

    def keep_accesses(self, accesses: Iterable[tuple[int, int, int]], /) -> None:
        """Write down how often commits were looked at: their numbers, how often, when last."""
        ...


class Archive(Protocol):
    """Answers: where do commits go that history gives up?"""

    @property
    def on_commit(self) -> bool:
        """Whether each commit has to be durable before it is acknowledged."""
        ...

    def start(
        self, name: str, code: str, codec: str, settings: str, entered: Entered | None = None, /
    ) -> CommitLog:
        """Begin a new log under a name.

        Args:
            name: The name.
            code: What the ids of its commits end with.
            codec: The name of the class of its codec.
            settings: Its settings, as JSON.
            entered: What is in it from the first, if anything is: all of it is there, or no log.
        """
        ...

    def resume(self, name: str, /) -> CommitLog | None:
        """Open the log of a name to go on with it; None if there is none."""
        ...


@runtime_checkable
class Codec(Protocol):
    """Turns values into bytes and back, exactly, type for type."""

    def encode(self, value: object, path: str = "", /) -> bytes:
        """Return the value's bytes: equal bytes if and only if the values are the same.

        Args:
            value: The value.
            path: Its name in errors, the key it is packed under.

        Raises:
            UnpackableValue: It cannot be kept exactly; the path inside the value is named.
        """
        ...

    def decode(self, data: bytes, /) -> object:
        """Return a new value, the caller's to change.

        Raises:
            CorruptError: These bytes are not what ``encode`` makes.
        """
        ...
