"""The scribe: sees to it that what history gives up, or acknowledges, is in the log first.

The log is the whole past in order, up to some commit: entered lazily, when something of it is
pruned, or before a commit is acknowledged. A plan is carried out once what it needs is durable;
where that fails, it is not, and the state is as before.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from backpack.commits import record_of
from backpack.entries import Entry
from backpack.history import Current
from backpack.logged import Entered, LoggedCommit, LoggedVersion, is_left_out
from backpack.records import Archived, Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backpack.commits import Commits
    from backpack.history import History
    from backpack.proposal import Proposal
    from backpack.protocols import CommitLog
    from backpack.records import Commit, Event
    from backpack.relief import Room
    from backpack.store import Store

__all__ = ["Scribe", "logged_at"]

#: Encoded bytes of versions that are kept at hand for the next ones to lean on.
_AT_HAND = 4 * 1024 * 1024


@frozen(eq=False)
class _Writing:
    """What has been written and is to be made durable."""

    log: CommitLog
    entered: Entered

    @property
    def is_done(self) -> bool:
        return self.log.done is self.entered

    def commit(self) -> None:
        self.log.commit(self.entered)


class Scribe:
    """Enters into a log what has to be in it.

    Args:
        log: The log.
        history: The history.
        store: Reads superseded versions.
        on_commit: Whether each commit has to be durable before it is acknowledged.
    """

    def __init__(self, log: CommitLog, history: History, store: Store, *, on_commit: bool) -> None:
        self.log = log
        self._history = history
        self._store = store
        self._on_commit = on_commit
        self._spent: list[tuple[str, int, int]] = []

    def apply(self, proposal: Proposal, room: Room, erased: Sequence[int] = ()) -> list[Event]:
        """Carry out a plan, once what has to be in the log is durable; tell if anything had to be.

        Args:
            proposal: The change.
            room: The plan.
            erased: The numbers, ascending, of commits that go from the log for good.

        Raises:
            ArchiveError: It cannot be made so; nothing was changed.
        """
        history = self._history
        started = perf_counter()
        entered = self._entered(proposal, room.victims, erased)
        spent = self._superseded(proposal)
        told: list[Event] = []
        if entered is None:
            history.apply(room.plan)
        else:
            self.log.write(entered)
            history.apply(room.plan, _Writing(self.log, entered))
            told.append(Archived(len(entered.commits), perf_counter() - started))
            self._forget_spent(entered)
        self._spent += spent
        if entered is not None:
            self.log.tidy()
        return told

    def enter_all(self) -> list[Event]:
        """Enter all that is not in the log yet; tell if anything was.

        Raises:
            ArchiveError: It cannot be made durable.
        """
        self._history.settle()
        started = perf_counter()
        entered = self._until(self._history.made, (), ())
        if entered is None:
            return []
        self._make_durable(entered)
        return [Archived(len(entered.commits), perf_counter() - started)]

    def _make_durable(self, entered: Entered) -> None:
        """Enter what changes nothing here."""
        self.log.write(entered)
        self.log.commit(entered)
        self._forget_spent(entered)

    def close(self) -> list[Event]:
        """Enter all that is not in the log yet, and let go of it; tell if anything was.

        Raises:
            ArchiveError: It cannot be made durable.
        """
        told = self.enter_all()
        spent = self._spent_by_now()
        if spent:
            self._make_durable(Entered(spent=spent))
        self.log.tidy()
        columns = self._history.commits.columns
        self.log.keep_accesses(
            each
            for each in zip(columns.seq, columns.accesses, columns.last_access, strict=True)
            if each[1]
        )
        self.log.close()
        return told

    def amend(
        self, before: LoggedCommit, tags: tuple[str, ...], *, pinned: bool
    ) -> tuple[Commit, Archived]:
        """Give a commit that is in the log only other tags, or have it pinned or not; tell of it.

        Raises:
            ArchiveError: It cannot be written.
        """
        started = perf_counter()
        after = evolve(before, commit=evolve(before.commit, tags=tags), pinned=pinned)
        entered = Entered(amended=[(after, before)])
        self._make_durable(entered)
        told = Archived(0, perf_counter() - started)
        self.log.tidy()
        return after.commit, told

    def _entered(
        self, proposal: Proposal, victims: Sequence[int], erased: Sequence[int]
    ) -> Entered | None:
        """Return what has to be durable before a change with these victims."""
        history = self._history
        until = victims[-1] if victims else 0
        # The log ends with the newest commit where any is erased, so that this is none of them.
        is_whole = self._on_commit or bool(erased)
        if is_whole:
            until = history.made
        for step in proposal.steps:  # Spilled: not in history any more, when it is superseded.
            before = history.current.get(step.key)
            if before is not None and before.reference is not None and before.reference.spilled:
                until = max(until, before.seq)
        until = self._whole_at(until)
        amended = [
            self._amended(each.seq, each.remarks.tags, pinned=each.pinned)
            for each in proposal.amended
            if each.seq <= max(until, self.log.head)
        ]
        entered = self._until(until, victims, amended, erased)
        if not is_whole or proposal.commit is None:
            return entered
        older = entered or Entered(spent=self._spent_by_now())
        return evolve(
            older,
            commits=[*older.commits, LoggedCommit(proposal.commit, last_access=history.made + 1)],
            versions=chain(older.versions, self._arriving(proposal)),
        )

    def _until(
        self,
        until: int,
        victims: Sequence[int],
        amended: Sequence[tuple[LoggedCommit, LoggedCommit]],
        erased: Sequence[int] = (),
    ) -> Entered | None:
        """Return what has to be entered for the log to reach a commit; None if that is nothing."""
        head = self.log.head
        gone = set(victims)
        commits = [
            self._logged(seq, retained=seq not in gone) for seq in range(head + 1, until + 1)
        ]
        pruned = [seq for seq in victims if seq <= head]
        if not (commits or pruned or amended or erased):
            return None
        versions = self.versions([each.commit.seq for each in commits])
        return Entered(commits, versions, pruned, amended, self._spent_by_now(), erased)

    def _whole_at(self, until: int) -> int:
        """Return the first commit from there on at which all that is current is at hand.

        Of a value that history left out the bytes are gone once it is superseded: the log must
        not end between the two, or it could not be gone on with from its end.
        """
        seq = self.log.head
        while seq < until:
            seq += 1
            for key in self._history.commits.own(self._index_of(seq)):
                _, version = self._history.version_at(key, seq)
                if isinstance(version, Reference) and is_left_out(version):
                    until = max(until, self._superseded_at(key, seq))
        return until

    def _superseded_at(self, key: str, seq: int) -> int:
        """Return the number of the commit that superseded what one had set."""
        seqs = self._history.chains[key].seqs
        behind = bisect_right(seqs, seq)
        return seqs[behind] if behind < len(seqs) else self._history.current[key].seq

    def _spent_by_now(self) -> list[tuple[str, int]]:
        """Return the values that the log, as far as it is durable, need not have any more.

        Those that are current where it ends it has to have: what is entered next may not last.
        """
        head = self.log.head
        return [(key, seq) for key, seq, superseded in self._spent if superseded <= head]

    def _forget_spent(self, entered: Entered) -> None:
        """Forget those that were let go of."""
        if entered.spent:
            spent = {*entered.spent}
            self._spent = [each for each in self._spent if each[:2] not in spent]

    def _index_of(self, seq: int) -> int:
        """Return the index of a commit that is not in the log."""
        index = self._history.commits.find(seq)
        assert index is not None, "what is not in the log is retained"  # noqa: S101
        return index

    def _logged(self, seq: int, *, retained: bool) -> LoggedCommit:
        """Return a retained commit as it is logged."""
        return logged_at(self._history.commits, self._index_of(seq), retained=retained)

    def _amended(
        self, seq: int, tags: tuple[str, ...], *, pinned: bool
    ) -> tuple[LoggedCommit, LoggedCommit]:
        before = self._logged(seq, retained=True)
        return evolve(before, commit=evolve(before.commit, tags=tags), pinned=pinned), before

    def _superseded(self, proposal: Proposal) -> list[tuple[str, int, int]]:
        """Return the values that history leaves out from now on, and by which commit."""
        seq = 0 if proposal.commit is None else proposal.commit.seq
        return [
            (step.key, before.seq, seq)
            for step in proposal.steps
            if (before := self._history.current.get(step.key)) is not None
            and is_left_out(before.reference)
        ]

    def _arriving(self, proposal: Proposal) -> Iterator[LoggedVersion]:
        """Iterate over the versions a proposed commit sets."""
        commit = proposal.commit
        assert commit is not None  # noqa: S101
        for step in proposal.steps:
            current, before = step.current, self._history.current.get(step.key)
            if current is None:
                yield LoggedVersion(step.key, commit.seq, None)
                continue
            base, base_seq = None, 0
            if before is not None and not is_left_out(before.reference):
                base, base_seq = before.encoded, before.seq
            yield LoggedVersion(
                step.key,
                commit.seq,
                current.encoded,
                current.size,
                current.reference,
                base,
                base_seq,
            )

    def versions(self, seqs: Sequence[int]) -> Iterator[LoggedVersion]:
        """Iterate over the versions that retained commits set."""
        commits = self._history.commits
        last: dict[str, tuple[int, bytes]] = {}
        at_hand = 0
        for seq in seqs:
            for change in record_of(commits.known_of(self._index_of(seq))).changes:
                key = change.key
                if change.kind == "same":
                    continue
                if change.kind == "removed":
                    yield LoggedVersion(key, seq, None)
                    continue
                encoded, reference = self._read(key, seq)
                before = last.get(key) or self._before(key, seq)
                base_seq, base = before if before is not None else (0, None)
                yield LoggedVersion(key, seq, encoded, change.size, reference, base, base_seq)
                last.pop(key, None)
                if encoded is not None and not is_left_out(reference):
                    at_hand += len(encoded)
                    if at_hand > _AT_HAND:
                        last.clear()
                        at_hand = len(encoded)
                    last[key] = seq, encoded

    def _read(self, key: str, seq: int) -> tuple[bytes | None, Reference | None]:
        """Return the encoded bytes of the version a commit set, and what history has instead."""
        setter, version = self._history.version_at(key, seq)
        assert setter == seq  # noqa: S101
        if isinstance(version, Current):
            return version.encoded, version.reference
        if isinstance(version, Reference):
            return None, version
        assert isinstance(version, (bytes, Entry))  # noqa: S101
        return self._store.read(key, seq, version), None

    def _before(self, key: str, seq: int) -> tuple[int, bytes] | None:
        """Return the version before the one a commit set, if history has its bytes."""
        setter, version = self._history.version_at(key, seq - 1)
        if isinstance(version, (bytes, Entry)):
            return setter, self._store.read(key, setter, version)
        return None


def logged_at(commits: Commits, index: int, *, retained: bool = True) -> LoggedCommit:
    """Return the commit at an index as it is logged."""
    columns = commits.columns
    return LoggedCommit(
        commits[index],
        retained,
        bool(columns.pinned[index]),
        columns.accesses[index],
        columns.last_access[index],
    )
