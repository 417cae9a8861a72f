"""The Backpack: what users hold in their hands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Self

from backpack.codec import MsgpackCodec
from backpack.engine import Engine
from backpack.errors import ConfigError, UnknownKey, ValueUnavailable
from backpack.forgetting import erase, resize
from backpack.labels import Labels, check_key, check_keys, check_labels, check_name, check_tags
from backpack.nodes import named_block
from backpack.policies import Delta, EncodedSize, Oldest, Stub
from backpack.records import Unavailable
from backpack.settings import Settings
from backpack.snapshot import Snapshot, diff
from backpack.transaction import edit, transact
from backpack.units import format_size, parse_size
from backpack.usage import measure
from backpack.wording import counted, described

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from os import PathLike

    from backpack.engine import Staged
    from backpack.protocols import (
        Archive,
        Codec,
        PruningPolicy,
        ReferencePolicy,
        SizingPolicy,
        StoragePolicy,
    )
    from backpack.recording import Recorder
    from backpack.records import Commit, Diff, Event, Usage
    from backpack.transaction import Transaction

__all__ = ["Backpack"]

_MISSING: Final = object()


class Backpack(MutableMapping[str, Any]):
    """An agent's state kept whole, and its git-like history inside a byte budget.

    The current state is a mapping of string keys to values, always whole and readable. Every
    change is a commit. The history (superseded values and commit records) never takes more than
    ``max_history_size``: when room is needed, the pruning policy chooses commits to give up.
    Every commit that is still retained can be looked back at, exactly.

    Values have value semantics: what you pack is what it was at that moment, and what you
    unpack is a copy, yours to change. To change a value in place, use :meth:`edit`.

    Safe to use from several threads.

    Args:
        max_history_size: The budget of the history, in bytes or as text (``"50 MiB"``). The
            current state is not part of it.
        sizing: How many bytes is a value? Default: its encoded length.
        reference: Does history keep a value, or only a reference to it? Default: values up to
            100 KiB, or as large as a smaller budget, are kept.
        storage: How are superseded values held? Default: as what they differ in from newer ones.
        pruning: Which commits go? Default: the oldest fifth.
        codec: Turns values into bytes and back. Default: exact, safe, without pickle.
        clock: Tells the time of commits, in seconds since the epoch.
        archive: Where do commits go that history gives up? Default: nowhere, they are lost.
        name: What the Backpack is called in the archive; its code if left out.

    Raises:
        ConfigError: A setting cannot work.
        ArchiveError: The archive cannot be used, or has one of that name.

    >>> bp = Backpack()
    >>> first = bp.pack("plan", ["look", "book"], by="planner")
    >>> second = bp.pack("plan", ["book"], by="planner", tags=["decided"])
    >>> bp["plan"]
    ['book']
    >>> bp.snapshot(first)["plan"]
    ['look', 'book']
    >>> [commit.seq for commit in bp.history("plan")]
    [2, 1]
    """

    def __init__(
        self,
        *,
        max_history_size: int | str = "50 MiB",
        sizing: SizingPolicy | None = None,
        reference: ReferencePolicy | None = None,
        storage: StoragePolicy | None = None,
        pruning: PruningPolicy | None = None,
        codec: Codec | None = None,
        clock: Callable[[], float] = time.time,
        archive: Archive | None = None,
        name: str | None = None,
    ) -> None:
        budget = parse_size(max_history_size, field="max_history_size")
        settings = Settings(
            max_history_size=budget,
            sizing=EncodedSize() if sizing is None else sizing,
            reference=Stub(min(100 * 1024, budget)) if reference is None else reference,
            storage=Delta() if storage is None else storage,
            pruning=Oldest() if pruning is None else pruning,
            codec=MsgpackCodec() if codec is None else codec,
            clock=clock,
            archive=archive,
        )
        settings.check_limit()
        self._engine = Engine(settings)
        if archive is None and name is not None:
            raise ConfigError(
                f"{described(name)} is what a Backpack is called in an archive, and there is none; "
                "add archive={'use': 'sql', 'url': 'sqlite:///runs.db'}, or give no name",
                field="name",
            )
        if archive is not None:
            from backpack.saving import settings_of

            name = self._engine.code if name is None else check_name(name)
            self._engine.begin(name, settings_of(settings))

    @classmethod
    def from_preset(
        cls,
        preset: str = "default",
        /,
        *,
        clock: Callable[[], float] = time.time,
        name: str | None = None,
        **overrides: Any,
    ) -> Self:
        """Make a Backpack from a preset: ``default``, ``short-lived``, ``long-running``, ...

        Args:
            preset: The preset's name.
            clock: Tells the time of commits, in seconds since the epoch.
            name: What the Backpack is called in its archive; its code if left out.
            **overrides: Settings that differ: ``max_history_size``, or an axis as a policy
                object, a name, or a mapping of its arguments.

        Raises:
            ConfigError: There is no such preset or setting, or it cannot work.

        >>> Backpack.from_preset("short-lived", max_history_size="1 MiB", reference={
        ...     "max_value_size": "64 KiB"}).max_history_size
        1048576
        """
        from backpack.config import load_preset

        return cls(**load_preset(preset, **overrides).arguments(), clock=clock, name=name)

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        /,
        *,
        allow_imports: bool = True,
        clock: Callable[[], float] = time.time,
        name: str | None = None,
        **overrides: Any,
    ) -> Self:
        """Make a Backpack from a YAML file.

        Args:
            path: The file.
            allow_imports: Whether the file may name classes to import. Importing runs code: pass
                False for a file you do not trust.
            clock: Tells the time of commits, in seconds since the epoch.
            name: What the Backpack is called in its archive; its code if left out.
            **overrides: Settings that differ, as for :meth:`from_preset`.

        Raises:
            ConfigError: The file cannot be read, or a setting cannot work; names the line.
        """
        from backpack.config import load_file

        config = load_file(path, allow_imports=allow_imports, **overrides)
        return cls(**config.arguments(), clock=clock, name=name)

    @classmethod
    def open(
        cls,
        archive: str | Archive,
        name: str,
        /,
        *,
        preset: str | None = None,
        allow_imports: bool = False,
        clock: Callable[[], float] = time.time,
        **overrides: Any,
    ) -> Self:
        """Go on with a Backpack from where it stopped, or begin it.

        It has the head, the state, the history, the tags, the pins and the ids it had. A Backpack
        that was killed has all that was durable by then: with ``on-commit`` every commit that was
        acknowledged, with ``on-prune`` all up to some commit. Only one at a time has the name.

        Args:
            archive: Where it is: an archive, or the URL of one (``sqlite:///runs.db``), which is
                then written to on each commit.
            name: What it is called there.
            preset: The preset for the other settings; if left out, those it was begun with, or
                ``default``.
            allow_imports: Whether the archive may name classes to import.
            clock: Tells the time of commits, in seconds since the epoch.
            **overrides: Settings that differ, as for :meth:`from_preset`.

        Raises:
            StaleWriter: It is open somewhere else.
            ArchiveError: The archive cannot be used, or is none.
            CorruptError: Something of it is missing, or not as it was written.
            ConfigError: A setting cannot work, or names what is not allowed.
            BudgetError: What is retained does not fit, and the pruning policy gives nothing up.
        """
        from backpack.opening import open_in

        return open_in(cls, archive, name, preset, allow_imports, clock, overrides)

    def save(
        self,
        path: str | PathLike[str],
        /,
        *,
        archived: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Write the whole Backpack to one file, from which :meth:`restore` makes it again.

        A file that is there is replaced once the new one is whole and synchronized. Other threads
        wait meanwhile.

        Args:
            path: The file.
            archived: Whether archived commits go into it, too.
            progress: Told how many versions are done, and of how many.

        Raises:
            ArchiveError: It cannot be written, or is an archive that somebody has open, such as
                that of this Backpack; a file that was there is as before.

        >>> import os, tempfile
        >>> bp = Backpack()
        >>> first = bp.pack("plan", ["look"])
        >>> path = os.path.join(tempfile.mkdtemp(), "agent.backpack")
        >>> bp.save(path)
        >>> again = Backpack.restore(path)
        >>> again["plan"], again.head == first
        (['look'], True)
        """
        from backpack.opening import save

        save(self._engine, path, archived=archived, progress=progress)

    @classmethod
    def restore(
        cls,
        path: str | PathLike[str],
        /,
        name: str | None = None,
        *,
        preset: str | None = None,
        allow_imports: bool = False,
        clock: Callable[[], float] = time.time,
        progress: Callable[[int, int], None] | None = None,
        **overrides: Any,
    ) -> Self:
        """Make a Backpack again from a file: same state, history, tags, pins and ids.

        Reading the file runs no code of it. It has the settings it was saved with; policies that
        do not come with Backpack have to be given, or their imports allowed. What it had archived
        is restored if an ``archive`` is given for it: one, or its URL, as for :meth:`open`.

        Args:
            path: The file: a checkpoint, or an SQLite archive.
            name: Which Backpack of it, where there are several.
            preset: The settings of this preset instead of those in the file.
            allow_imports: Whether the file may name classes to import.
            clock: Tells the time of commits, in seconds since the epoch.
            progress: Told how many versions are done, and of how many.
            **overrides: Settings that differ, as for :meth:`from_preset`.

        Raises:
            ArchiveError: It is no such file, or a newer one.
            UnknownName: There is no such Backpack in it.
            CorruptError: It is damaged.
            ConfigError: Its settings cannot work here, or need what is not allowed.
            BudgetError: What is retained does not fit, and the pruning policy gives nothing up.
        """
        from backpack.opening import restore_from

        return restore_from(cls, path, name, preset, allow_imports, clock, progress, overrides)

    def close(self) -> None:
        """Write to the archive what is not in it yet, and let go of it.

        What is in memory can be read afterwards, but not what is in the archive, nor the list of
        both that :meth:`history` gives; nothing can be changed. Without an archive there is
        nothing to close.

        Raises:
            ArchiveError: It cannot be written; the Backpack is still open.
        """
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the current state ---------------------------------------------------------------

    def pack(
        self,
        key: str,
        value: object,
        *,
        by: str | None = None,
        tags: Iterable[str] = (),
        note: str | None = None,
    ) -> Commit:
        """Set ``key`` to ``value``, as it is at this moment, and make a commit.

        Packing an equal value makes a commit too, which costs only its record.

        Args:
            key: A non-empty string.
            value: What to keep; see :doc:`values </values>` for what can be kept.
            by: Which node does it.
            tags: Labels for the commit.
            note: A remark for the commit.

        Raises:
            InvalidKey: The key is not a non-empty string.
            UnpackableValue: The value cannot be kept exactly; names the place inside it.
            BudgetError: There is no room, and the pruning policy makes none.
            PolicyError: A policy failed.
        """
        key = check_key(key)
        labels = check_labels(by, tags, note)
        return self._engine.commit({key: self._engine.stage(key, value)}, labels)

    def unpack(self, key: str, default: Any = _MISSING) -> Any:
        """Return a new copy of the current value.

        Args:
            key: Whose value.
            default: What to return if there is none; without it, that is an error.

        Raises:
            UnknownKey: The key does not exist.
        """
        try:
            return self._engine.unpack(key)
        except UnknownKey:
            if default is _MISSING:
                raise
            return default

    def remove(
        self,
        key: str,
        *,
        by: str | None = None,
        tags: Iterable[str] = (),
        note: str | None = None,
    ) -> Commit:
        """Remove ``key`` and make a commit; snapshots of earlier commits still have it.

        Raises:
            UnknownKey: The key does not exist.
            BudgetError: There is no room, and the pruning policy makes none.
            PolicyError: A policy failed.
        """
        labels = check_labels(by, tags, note)
        with self._engine.lock:
            if key not in self:
                raise UnknownKey(f"there is no key {key!r:.60} to remove")
            return self._engine.commit({key: None}, labels)

    def transaction(
        self, *, by: str | None = None, tags: Iterable[str] = (), note: str | None = None
    ) -> AbstractContextManager[Transaction]:
        """Change several keys in one commit, all or none.

        >>> bp = Backpack()
        >>> with bp.transaction(by="router") as tx:
        ...     tx["task"] = "book a flight"
        ...     tx["messages"] = []
        >>> tx.commit.keys
        ('task', 'messages')
        """
        return transact(self._engine, check_labels(by, tags, note))

    def edit(
        self,
        key: str,
        *,
        by: str | None = None,
        tags: Iterable[str] = (),
        note: str | None = None,
    ) -> AbstractContextManager[Any]:
        """Change a value in place: packs what the block has made of it.

        A block that changes nothing makes no commit, nor does one that raises. Other threads
        wait while the block runs.

        Raises:
            UnknownKey: The key does not exist.
            ConflictError: The block itself, or another task of this thread, packed the key.
            UnpackableValue: What the block made of it cannot be kept exactly.
            BudgetError: There is no room, and the pruning policy makes none.
            PolicyError: A policy failed.

        >>> bp = Backpack()
        >>> bp["messages"] = ["hello"]
        >>> with bp.edit("messages", by="user") as messages:
        ...     messages.append("any flights?")
        >>> bp["messages"]
        ['hello', 'any flights?']
        """
        return edit(self._engine, key, check_labels(by, tags, note))

    def node(self, name: str, /) -> AbstractContextManager[None]:
        """Have commits made inside the block be by a node, unless they say ``by`` themselves.

        The innermost block counts; tasks started inside inherit it, other threads do not.

        Raises:
            TypeError: The name is not a non-empty string.

        >>> bp = Backpack()
        >>> with bp.node("triage"):
        ...     bp.pack("urgent", True).by
        'triage'
        """
        return named_block(self._engine.nodes, name)

    # --- the mapping interface -----------------------------------------------------------

    def __getitem__(self, key: str) -> Any:
        return self._engine.unpack(key)

    def __setitem__(self, key: str, value: object) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.remove(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._engine.current_keys()

    def __iter__(self) -> Iterator[str]:
        with self._engine.lock:
            return iter(list(self._engine.current_keys()))

    def __len__(self) -> int:
        return len(self._engine.current_keys())

    def __repr__(self) -> str:
        usage = self.memory_usage()
        return (
            f"<Backpack {self._engine.code}: {counted(usage.keys, 'key')}, "
            f"{usage.commits_retained:,} of {usage.commits_made:,} commits retained, history "
            f"{format_size(usage.history_bytes)} of {format_size(usage.budget_bytes)}>"
        )

    def __reduce__(self) -> Any:
        raise TypeError("a Backpack cannot be copied or pickled; use fork() for an independent one")

    def get(self, key: str, default: Any = None) -> Any:
        """Return a new copy of the current value, or ``default`` if there is none."""
        return self.unpack(key, default)

    def pop(self, key: str, default: Any = _MISSING) -> Any:
        """Remove ``key`` and return its value, or ``default`` if it does not exist.

        Raises:
            UnknownKey: The key does not exist, and no default was given.
        """
        with self._engine.lock:
            if key not in self and default is not _MISSING:
                return default
            value = self._engine.unpack(key)
            self.remove(key)
            return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the key that was added last, as a dict does, and return it with its value.

        Raises:
            UnknownKey: There is none.
        """
        with self._engine.lock:
            if not self:
                raise UnknownKey("there is no key to pop: the state is empty")
            key = next(reversed(self._engine.history.current))
            return key, self.pop(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a copy of the value; pack ``default`` first if there is none."""
        with self._engine.lock:
            if key not in self:
                self.pack(key, default)
            return self._engine.unpack(key)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the whole current state, as of one moment."""
        with self._engine.lock:
            return dict(self)

    def update(self, /, *args: Any, **kwargs: Any) -> None:
        """Pack every key of a mapping, pairs or keyword arguments, in one commit."""
        with self.transaction() as transaction:
            transaction.update(*args, **kwargs)

    def clear(self) -> None:
        """Remove every key, in one commit; snapshots of earlier commits still have them."""
        with self.transaction() as transaction:
            transaction.clear()

    # --- history -------------------------------------------------------------------------

    @property
    def head(self) -> Commit | None:
        """The newest commit, or None before the first."""
        with self._engine.lock:
            self._engine.history.settle()
            return self._engine.history.head

    def history(self, key: str | None = None) -> list[Commit]:
        """Return the retained and archived commits, newest first.

        Args:
            key: Only those that changed, or packed again, this key.

        Raises:
            ArchiveError: The archive cannot be read.
        """
        engine = self._engine
        with engine.lock:
            engine.history.settle()
            commits = engine.history.commits
            indexes = range(len(commits)) if key is None else commits.changing(key)
            retained = [commits[index] for index in reversed(indexes)]
            archived = engine.reader.archived_commits(key)
        return sorted(retained + archived, key=lambda commit: -commit.seq) if archived else retained

    def snapshot(self, commit: Commit | str) -> Snapshot:
        """Open the state as of a retained commit, to be read on demand.

        Args:
            commit: A commit or its id.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
        """
        engine = self._engine
        known = engine.look_back(commit)
        engine.tell_of_look(known[1])
        return Snapshot(engine.reader, known)

    def diff(self, a: Commit | str, b: Commit | str | None = None) -> Diff:
        """Return what changed from one retained commit to another.

        Args:
            a: A commit or its id.
            b: Another; the head if left out.

        Raises:
            CommitPruned: One of them was given up to keep the history in its budget.
            UnknownCommit: One of them is no commit of this Backpack.
        """
        engine = self._engine
        with engine.lock:
            first = engine.look_back(a)[1]
            second = engine.look_back(self._head_id() if b is None else b)[1]
            found = diff(engine.reader, first, second)
        engine.tell_of_look(first)
        engine.tell_of_look(second)
        return found

    def tag(self, commit: Commit | str, *tags: str) -> Commit:
        """Add tags to a retained commit; return its new record.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
            BudgetError: There is no room for the tags, and the pruning policy makes none.
        """
        engine = self._engine
        with engine.lock:
            engine.history.settle()
            return engine.amend(commit, lambda before: check_tags((*before, *tags)))

    def untag(self, commit: Commit | str, *tags: str) -> Commit:
        """Take tags off a retained commit; return its new record.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
        """
        engine = self._engine
        with engine.lock:
            engine.history.settle()
            return engine.amend(
                commit, lambda before: tuple(tag for tag in before if tag not in tags)
            )

    def pin(self, commit: Commit | str) -> Commit:
        """Keep a commit whatever the pruning policy says; return its record.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
        """
        return self._set_pinned(commit, pinned=True)

    def unpin(self, commit: Commit | str) -> Commit:
        """Let a pinned commit be pruned again; return its record.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
        """
        return self._set_pinned(commit, pinned=False)

    def rollback(self, commit: Commit | str, *, keys: Iterable[str] | None = None) -> Commit:
        """Make the state as of a retained commit the current one again, as a new commit.

        Args:
            commit: A commit or its id.
            keys: Only these keys, leaving the others as they are; all if left out.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
            ValueUnavailable: History holds only a reference to one of the values.
            BudgetError: There is no room, and the pruning policy makes none.
            PolicyError: A policy failed.
        """
        engine = self._engine
        keys = None if keys is None else check_keys(keys)
        with engine.lock:
            target, old = self._state_at(commit, keys)
            staged = self._differences(old, keys)
            return engine.commit(staged, Labels(note=f"rollback to {target.id}"))

    def fork(
        self, at: Commit | str | None = None, *, keys: Iterable[str] | None = None
    ) -> Backpack:
        """Make an independent Backpack that starts from the state as of a commit.

        It has the same settings, copies of the policies, and a history of its own, which begins
        with one commit that holds the state. It knows no commit of this Backpack.

        Args:
            at: A commit or its id; the head if left out.
            keys: Only these keys; all if left out.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of this Backpack.
            ValueUnavailable: History holds only a reference to one of the values.
            BudgetError: The commit records of so many keys do not fit into the budget.
        """
        keys = None if keys is None else check_keys(keys)
        with self._engine.lock:
            fork = type(self)(**self._engine.settings.copied())
            fork.resize(self.max_history_size)
            start = self.head if at is None else at
            if start is None:
                return fork
            origin, state = self._state_at(start, keys)
        with fork.transaction(note=f"fork of {origin.id}") as transaction:
            transaction.update(state)
        return fork

    # --- the budget and the settings -----------------------------------------------------

    def memory_usage(self, *, by_key: bool = False) -> Usage:
        """Return what the state and the history take, in bytes and in numbers.

        Args:
            by_key: Also for each key. O(versions).
        """
        engine = self._engine
        with engine.lock:
            engine.history.settle()
            return measure(engine.history, by_key=by_key)

    def resize(self, max_history_size: int | str, /) -> None:
        """Give the history another budget: commits are pruned until it fits a smaller one.

        The new one holds from the moment at which the history fits it, the old one until then. An
        archive keeps the settings that a Backpack was begun with: give the budget again where it
        is opened again.

        Args:
            max_history_size: In bytes or as text (``"50 MiB"``).

        Raises:
            ConfigError: It is no size, or too small for a history.
            BudgetError: The pruning policy gives nothing more up; the budget is as before.
            PolicyError: The pruning policy failed.
            ArchiveError: What is given up cannot be archived; the budget is as before.

        >>> bp = Backpack(max_history_size="1 MiB")
        >>> bp.resize("512 KiB")
        >>> bp.max_history_size
        524288
        """
        resize(self._engine, parse_size(max_history_size, field="max_history_size"))

    def erase(self, *commits: Commit | str) -> None:
        """Remove commits for good: from the history, and from the archive, whose file shrinks.

        The state as of every other commit is as it was: what another one also sees is kept. To
        erase a whole Backpack from an archive, delete it there.

        Args:
            *commits: Commits or their ids, retained or archived; all of them go, or none.

        Raises:
            CommitPruned: One of them is gone already.
            UnknownCommit: One of them is no commit of this Backpack.
            ConflictError: One of them is the newest, or pinned.
            ArchiveError: The archive cannot be written; nothing was erased.

        >>> bp = Backpack()
        >>> first, second = bp.pack("token", "secret"), bp.pack("token", "")
        >>> bp.erase(first)
        >>> bp.history() == [second]
        True
        """
        erase(self._engine, commits)

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback`` with every event from here on; return what ends that.

        Events are records: :class:`~backpack.records.Archived`,
        :class:`~backpack.records.Committed`, :class:`~backpack.records.LookedBack`,
        :class:`~backpack.records.Pruned`, :class:`~backpack.records.Referenced`,
        :class:`~backpack.records.Refused`. They tell of
        what has happened already; an exception in the callback is logged and changes nothing. The
        callback runs in the thread that made the change, which may hold the Backpack: it must not
        wait for another thread that uses it.
        """
        return self._engine.events.subscribe(callback)

    def record(
        self,
        path: str | PathLike[str],
        /,
        *,
        values: bool = True,
        keys: bool = True,
        replace: bool = False,
    ) -> Recorder:
        """Write a :doc:`trace </recording>` of what is done from here on, for ``backpack run``.

        It begins with the state as it is. Recording never makes a change fail: what ends it, such
        as a full disk, is logged, and kept as the recorder's ``error``.

        Args:
            path: The file; compressed if its name ends in ``.gz``.
            values: Whether values and notes are written, or only how large they are.
            keys: Whether keys, tags and ``by`` are written, or only numbers in their place.
            replace: Whether a file that is there is replaced.

        Returns:
            What ends the recording: by ``close()``, or at the end of a ``with`` block.

        Raises:
            TraceError: The file cannot be written, or is there.
        """
        from backpack.recording import Recorder

        return Recorder(self._engine, path, values=values, keys=keys, replace=replace)

    @property
    def code(self) -> str:
        """What the ids of all its commits end with (``k3fq7x``)."""
        return self._engine.code

    @property
    def max_history_size(self) -> int:
        """The budget of the history, in bytes."""
        return self._engine.history.budget

    @property
    def sizing(self) -> SizingPolicy:
        """The policy that measures values."""
        return self._engine.settings.sizing

    @property
    def reference(self) -> ReferencePolicy:
        """The policy that decides which values history keeps."""
        return self._engine.settings.reference

    @property
    def storage(self) -> StoragePolicy:
        """The policy that holds superseded versions."""
        return self._engine.settings.storage

    @property
    def pruning(self) -> PruningPolicy:
        """The policy that chooses the commits to give up."""
        return self._engine.settings.pruning

    @property
    def codec(self) -> Codec:
        """What turns values into bytes and back."""
        return self._engine.settings.codec

    # --- helpers -------------------------------------------------------------------------

    def _head_id(self) -> str:
        return f"{self._engine.history.made or 1}-{self._engine.code}"

    def _set_pinned(self, commit: Commit | str, *, pinned: bool) -> Commit:
        engine = self._engine
        with engine.lock:
            engine.history.settle()
            return engine.amend(commit, pinned=pinned)

    def _state_at(
        self, commit: Commit | str, keys: tuple[str, ...] | None
    ) -> tuple[Commit, dict[str, Any]]:
        """Return a commit and the state at it, or at some of its keys, if that is whole."""
        engine = self._engine
        snapshot = Snapshot(engine.reader, engine.look_back(commit))
        if keys is None:
            state = snapshot.to_dict()
        else:
            self._check_known(keys, snapshot)
            state = {key: snapshot.unpack(key) for key in keys if key in snapshot}
        engine.tell_of_look(snapshot.commit.seq)
        for value in state.values():
            if isinstance(value, Unavailable):
                raise ValueUnavailable(value)
        return snapshot.commit, state

    def _check_known(self, keys: tuple[str, ...], snapshot: Snapshot) -> None:
        for key in keys:
            if key not in snapshot and key not in self:
                raise UnknownKey(
                    f"there is no key {key!r:.60}, neither at commit {snapshot.commit.id} nor in "
                    "the current state"
                )

    def _differences(
        self, old: dict[str, Any], keys: tuple[str, ...] | None
    ) -> dict[str, Staged | None]:
        """Return what makes the current state, or some of its keys, an old one again."""
        engine = self._engine
        staged: dict[str, Staged | None] = {}
        for key in engine.current_keys() if keys is None else keys:
            if key not in old and key in self:
                staged[key] = None
        for key, value in old.items():
            new, current = engine.stage(key, value), engine.history.current.get(key)
            if current is None or current.encoded != new.encoded:
                staged[key] = new
        return staged
