"""The engine: takes changes through the policies and the budget into the history.

A change passes four stations: the value is encoded and measured (:meth:`Engine.stage`), the
versions it supersedes are made ready for history, room is made on paper
(:func:`~backpack.relief.make_room`), and the plan is applied. Until the last one nothing has
changed, and the last one cannot fail.
"""

from __future__ import annotations

import time
from threading import RLock
from typing import TYPE_CHECKING

from attrs import define, evolve

from backpack.codec.layout import class_name
from backpack.commits import NOTHING
from backpack.errors import ArchiveError, BudgetError, CommitPruned, PolicyError, UnknownKey
from backpack.events import Events, references
from backpack.guard import Guard, name_of
from backpack.history import Current, History
from backpack.ids import new_code
from backpack.nodes import Nodes, all_open
from backpack.proposal import Amendment, Proposal, Step
from backpack.reader import Reader
from backpack.records import (
    Change,
    Commit,
    Committed,
    LookedBack,
    NewValue,
    Pruned,
    Reference,
    Refused,
    SizedValue,
    digest,
)
from backpack.relief import make_room
from backpack.resume import restore
from backpack.scribe import Scribe
from backpack.store import Store
from backpack.units import FIRST_SECOND, LAST_SECOND
from backpack.wording import described

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, KeysView, Mapping

    from backpack.commits import Known
    from backpack.history import Held
    from backpack.labels import Labels
    from backpack.logged import Entered
    from backpack.protocols import CommitLog, ReadableLog, ReferencePolicy
    from backpack.records import Event
    from backpack.settings import Settings

__all__ = ["Engine", "Staged"]


@define
class Staged:
    """A value that is encoded and measured, ready to be committed.

    Attributes:
        encoded: Its encoded bytes.
        size: Bytes, as the sizing policy measured it.
        reference: What history will keep in its place; None keeps the value.
    """

    encoded: bytes
    size: int
    reference: Reference | None


class Engine:
    """One Backpack's history and everything that may change it, under one lock.

    Args:
        settings: The policies, the budget, the codec and the clock; the history keeps the budget.
        code: What the ids of its commits end with; a new one if left out.
    """

    def __init__(self, settings: Settings, code: str | None = None) -> None:
        self.settings = settings
        self.code = new_code() if code is None else code
        self.lock = RLock()
        self.guard = Guard()
        self.events = Events()
        self.nodes: Nodes[str] = Nodes()
        self.history = History(self.code, settings.max_history_size)
        self.store = Store(settings.storage, self.guard)
        self.reader = Reader(self.history, settings.codec, self.store, self.lock, self.code)
        self.scribe: Scribe | None = None

    def attach(self, log: CommitLog) -> None:
        """Enter into a log from here on what history gives up, and look back there."""
        on_commit = self.settings.archive is not None and self.settings.archive.on_commit
        self.scribe = Scribe(log, self.history, self.store, on_commit=on_commit)
        self.reader.log = log

    def begin(self, name: str, settings: str, entered: Entered | None = None) -> CommitLog:
        """Begin a log in the archive, and enter into it from here on.

        Args:
            name: What the Backpack is called there.
            settings: Its settings, as JSON.
            entered: What is in it from the first, if anything is.

        Raises:
            ArchiveError: It cannot be written, or has one of that name.
        """
        archive = self.settings.archive
        assert archive is not None  # noqa: S101
        codec = class_name(type(self.settings.codec))
        log = archive.start(name, self.code, codec, settings, entered)
        self.attach(log)
        return log

    def restore(self, log: ReadableLog, progress: Callable[[int], None] | None = None) -> None:
        """Go on from where a log ends; of an engine that has done nothing yet.

        Args:
            log: The log.
            progress: Told how many versions are done.

        Raises:
            ArchiveError: The log cannot be read.
            CorruptError: Something of it is missing, or not as it was written.
            BudgetError: What is retained does not fit, and nothing of it is given up.
            PolicyError: A policy failed.
        """
        is_given_up = restore(self.history, log, self.store, progress)
        if is_given_up and self.scribe is not None:
            self.scribe.log.retain(log.head)
        self.apply(Proposal())

    def close(self) -> None:
        """Enter into the log what is not in it yet, and close it."""
        events: list[Event] = []
        with self.lock:
            if self.scribe is not None and not self.guard.is_closed:
                self.guard.check()
                events = self.scribe.close()
                self.guard.close()
        self.events.emit(events)

    def current_keys(self) -> KeysView[str]:
        """Return the keys of the current state, in the order they were first packed."""
        with self.lock:
            self.history.settle()
            return self.history.current.keys()

    def unpack(self, key: str) -> object:
        """Return a new copy of a current value.

        Raises:
            UnknownKey: The key does not exist.
        """
        with self.lock:
            self.history.settle()
            current = self.history.current.get(key)
        if current is None:
            raise UnknownKey(f"there is no key {key!r:.60} in the current state")
        return self.reader.decode(key, current.encoded)

    def stage(self, key: str, value: object) -> Staged:
        """Encode and measure a value, as it is at this moment.

        Raises:
            UnpackableValue: It cannot be kept exactly.
            PolicyError: The sizing or reference policy failed.
        """
        encoded = self.settings.codec.encode(value, key)
        sizing, reference = self.settings.sizing, self.settings.reference
        with self.lock:
            self.guard.check()
            self.history.settle()
            before = self.history.current.get(key)
            previous = None if before is None else before.encoded
            try:
                size = self.guard.ask(sizing, sizing, NewValue(key, value, encoded, previous))
                if type(size) is not int or not 0 <= size < 2**63:
                    raise _breach(
                        "sizing", sizing, f"a size in bytes, 0 or more, not {described(size)}"
                    )
                left = self.guard.ask(reference, reference, SizedValue(key, value, encoded, size))
                if left is not None:
                    _check_reference(reference, left, size, encoded)
                    if left.spilled and self.scribe is None:
                        raise _breach("reference", reference, "no spilled one without an archive")
            except PolicyError as error:
                self.events.emit([Refused(error, (key,))])
                raise
        return Staged(encoded, size, left)

    def commit(
        self,
        staged: Mapping[str, Staged | None],
        labels: Labels,
        leaving: Collection[int] = (),
    ) -> Commit:
        """Make a commit of staged values; None removes a key. Those in ``leaving`` go for good.

        Raises:
            BudgetError: It does not fit, and nothing more is given up for it.
            PolicyError: A policy failed.
        """
        with self.lock:
            self.guard.check()
            self.history.settle()
            try:
                commit, steps = self._propose(staged, labels)
                events = self.apply(Proposal(commit, steps), leaving)
            except (ArchiveError, BudgetError, PolicyError) as error:
                self.events.emit([Refused(error, tuple(staged))])
                raise
            if self.events.witnesses:
                self.events.see_commit(commit, staged)
            events += references(commit, steps)
            if self.events:
                events.append(Committed(commit))
        if events:
            self.events.emit(events)
        return commit

    def _propose(
        self, staged: Mapping[str, Staged | None], labels: Labels
    ) -> tuple[Commit, list[Step]]:
        """Work out what staged values change, and ready what they supersede for history."""
        history, interned = self.history, self.history.names.interned
        # First of all, since a clock may be anybody's: it may pack, or take its time.
        timestamp = self._now()
        seq = history.made + 1
        by = self.nodes.innermost() if labels.by is None and all_open() else labels.by
        changes: list[Change] = []
        steps: list[Step] = []
        for name, value in staged.items():
            key = interned(name)
            before = history.current.get(key)
            if value is None:
                if before is not None:
                    changes.append(Change(key, "removed"))
                    steps.append(Step(key, None, self._held(key, before)))
            elif before is not None and before.encoded == value.encoded:
                changes.append(Change(key, "same", value.size))
            else:
                changes.append(Change(key, "set", value.size))
                current = Current(seq, value.encoded, value.size, value.reference)
                held = None if before is None else self._held(key, before)
                steps.append(Step(key, current, held))
        commit = Commit(
            origin=self.code,
            seq=seq,
            timestamp=timestamp,
            changes=tuple(changes),
            by=None if by is None else interned(by),
            tags=tuple(map(interned, labels.tags)),
            note=labels.note,
        )
        return commit, steps

    def amend(
        self,
        which: Commit | str,
        tagging: Callable[[tuple[str, ...]], tuple[str, ...]] | None = None,
        *,
        pinned: bool | None = None,
    ) -> Commit:
        """Give a commit that is retained or archived other tags, or pin or unpin it.

        Args:
            which: The commit.
            tagging: Makes its tags of those it has.
            pinned: Whether it must stay.

        Raises:
            CommitPruned: It existed; history gave it up.
            UnknownCommit: It never was a commit of this Backpack.
            BudgetError: The tags do not fit, and nothing more is given up for them.
            PolicyError: The pruning policy failed.
            ArchiveError: The archive cannot be read, or written.
        """
        with self.lock:
            self.guard.check()
            archived = self.reader.archived(which)
            if archived is not None and self.scribe is not None:
                tags = archived.commit.tags if tagging is None else tagging(archived.commit.tags)
                stays = archived.pinned if pinned is None else pinned
                commit, told = self.scribe.amend(archived, tags, pinned=stays)
                self.events.emit([told])
                return commit
            commits, index = self.history.commits, self.reader.find(which)
            commit, before = commits[index], commits.remarks.get(commits.seqs[index], NOTHING)
            if tagging is not None:
                tags = tagging(commit.tags)
                commit = evolve(commit, tags=tuple(map(self.history.names.interned, tags)))
            stays = bool(commits.columns.pinned[index]) if pinned is None else pinned
            remarks = evolve(before, tags=commit.tags)
            try:
                events = self.apply(Proposal(amended=(Amendment(commit.seq, remarks, stays),)))
            except (ArchiveError, BudgetError, PolicyError) as error:
                self.events.emit([Refused(error)])
                raise
        if events:
            self.events.emit(events)
        return commit

    def look_back(self, which: Commit | str) -> Known:
        """Return what is known of a commit whose state somebody asks for.

        Whoever reads it tells the subscribers when done, by :meth:`tell_of_look`: what they do
        then breaks no reading.

        Raises:
            CommitPruned: It existed; history gave it up. The subscribers are told.
            UnknownCommit: It never was a commit of this Backpack.
            ArchiveError: It is archived, and the archive cannot be read.
        """
        try:
            with self.lock:
                self.history.settle()
                known = self.reader.open(which)
                if self.events.witnesses:
                    self.events.see_look(known[1])
        except CommitPruned:
            seq = self.reader.number(which)
            self.events.see_look(seq)
            self.tell_of_look(seq, answered=False)
            raise
        return known

    def tell_of_look(self, seq: int, *, answered: bool = True) -> None:
        """Tell the subscribers that somebody looked back at the commit with this number."""
        if self.events:
            self.events.tell_look(LookedBack(f"{seq}-{self.code}", answered))

    def apply(self, proposal: Proposal, leaving: Collection[int] = ()) -> list[Event]:
        """Make room for a proposal and apply it; return what is to be told of that.

        Commits with the numbers in ``leaving``, retained or archived, go for good.
        """
        pruning = self.settings.pruning
        room = make_room(
            self.history,
            proposal,
            policy=pruning,
            guard=self.guard,
            store=self.store,
            leaving=[seq for seq in leaving if self.history.commits.find(seq) is not None],
        )
        events: list[Event] = []
        if self.scribe is None:
            self.history.apply(room.plan)
        else:
            events = self.scribe.apply(proposal, room, sorted(leaving))
        if room.victims:
            pruned = tuple(f"{seq}-{self.code}" for seq in room.victims)
            by = "erase" if leaving else name_of(pruning)
            events.append(Pruned(pruned, room.freed_bytes, by))
        return events

    def _now(self) -> float:
        """Return the time, in seconds since the epoch."""
        clock = self.settings.clock
        if clock is time.time:
            return clock()  # It needs neither a fence nor a check.
        now = self.guard.ask(clock, lambda _: clock(), None)
        if type(now) not in (int, float) or not FIRST_SECOND <= now <= LAST_SECOND:
            raise PolicyError(
                f"the clock must tell seconds since the epoch, as a number between the years 1 "
                f"and 9999, not {described(now)}",
                policy=name_of(clock),
            )
        return float(now)

    def _held(self, key: str, superseded: Current) -> Held:
        """Return what history will hold for a version that is about to be superseded."""
        if superseded.reference is not None:
            return superseded.reference
        return self.store.arriving(key, superseded.seq, superseded.encoded)


def _check_reference(policy: ReferencePolicy, left: object, size: int, encoded: bytes) -> None:
    """Hold what a reference policy leaves in a value's place against the value."""
    if type(left) is not Reference:
        raise _breach("reference", policy, f"a Reference or None, not {described(left)}")
    texts = (left.digest, left.reason, "" if left.preview is None else left.preview)
    if any(type(text) is not str for text in texts) or (left.size, left.digest) != (
        size,
        digest(encoded),
    ):
        raise _breach("reference", policy, "Reference.to(value, reason), with its size and digest")


def _breach(axis: str, policy: object, expected: str) -> PolicyError:
    name = name_of(policy)
    return PolicyError(
        f"{axis} policy {name} must return {expected}; nothing was changed", policy=name
    )
