"""Resuming: the history in memory, made again of a log.

What is retained is told by the log; how its versions lean on each other is worked out anew. Where
that takes more than the budget, commits are given up as ever: they stay in the log.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING

from attrs import evolve

from backpack.budget import names_of, recount
from backpack.commits import NOTHING, remarks_of, row_of
from backpack.draft import Draft, Workshop
from backpack.entries import Entry
from backpack.errors import CorruptError
from backpack.history import TOMBSTONE, Chain, Current
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backpack.history import Held, History
    from backpack.logged import LoggedCommit, Read
    from backpack.protocols import ReadableLog
    from backpack.store import Store

__all__ = ["restore"]


def restore(
    history: History,
    log: ReadableLog,
    store: Store,
    progress: Callable[[int], None] | None = None,
) -> bool:
    """Make an empty history what a log says.

    Args:
        history: The history; nothing is in it.
        log: The log.
        store: Turns versions into what history holds of them.
        progress: Told how many versions are done.

    Returns:
        Whether the log has the newest commit for one that was given up: whoever wrote it stopped
        when that was given up for one that never came. It is retained all the same.

    Raises:
        ArchiveError: The log cannot be read.
        CorruptError: Something of it is missing, or not as it was written.
        PolicyError: The storage policy failed.
    """
    history.made = log.head
    if not log.head:
        return False
    retained = list(log.commits(retained=True, newest_first=False))
    is_given_up = not retained or retained[-1].commit.seq != log.head
    if is_given_up:
        newest = log.commit_at(log.head)
        if newest is None:
            raise CorruptError(f"the log has no commit {log.head}, which should be its newest")
        retained.append(evolve(newest, retained=True))
    builder = _Builder(history, store, [each.commit.seq for each in retained])
    before: Read | None = None
    for number, each in enumerate(log.versions(retained[0].commit.seq)):
        if progress is not None:
            progress(number)
        if before is not None:
            builder.add(before, each.seq if each.key == before.key else None)
        before = each
    if before is not None:
        builder.add(before, None)
    builder.enter(retained)
    history.current = builder.in_order()
    history.history_bytes = recount(history)
    return is_given_up


class _Builder:
    """Makes chains of versions as they come, key by key, in order.

    Args:
        history: The history.
        store: Turns versions into what history holds of them.
        retained: The numbers of the retained commits, ascending.
    """

    def __init__(self, history: History, store: Store, retained: Sequence[int]) -> None:
        self._history = history
        self._store = store
        self._retained = retained
        self._current: dict[str, tuple[Current, int]] = {}
        self._inherited: list[tuple[int, str]] = []
        self._chain = Chain()

    def add(self, read: Read, until: int | None) -> None:
        """Take a version, which stood until a commit; the newest stands yet."""
        retained = self._retained
        owner = bisect_left(retained, read.seq)
        is_seen = owner < len(retained) and (until is None or retained[owner] < until)
        is_removed = read.encoded is None and read.reference is None
        if until is None and not is_removed:
            self._stand(read)
        elif is_seen and (self._chain.seqs or not is_removed):
            self._hold(read)
        else:
            is_seen = False
        if is_seen and retained[owner] != read.seq:
            self._inherited.append((retained[owner], read.key))
        if until is None:
            self._close(read.key)

    def enter(self, commits: Sequence[LoggedCommit]) -> None:
        """Enter the retained commits, and what they inherited."""
        history = self._history
        uses = Counter(history.chains.keys())
        for each in commits:
            uses.update(names_of(each.commit))
        numbered = {name: (number, used) for number, (name, used) in enumerate(uses.items())}
        history.names.put(numbered)
        history.names.given = len(numbered)
        for index, each in enumerate(commits):
            commit = evolve(
                each.commit,
                by=each.commit.by and history.names.interned(each.commit.by),
                tags=tuple(map(history.names.interned, each.commit.tags)),
            )
            row = row_of(commit, lambda name: numbered[name][0])
            history.commits.append(
                row._replace(
                    pinned=each.pinned, accesses=each.accesses, last_access=each.last_access
                ),
                index,
            )
            remarks = remarks_of(commit)
            if remarks is not NOTHING:
                history.commits.remarks[commit.seq] = remarks
            history.pins += each.pinned
        for seq, key in sorted(self._inherited, key=itemgetter(0)):
            history.commits.heirs.append(seq)
            history.commits.inherited.append(history.names.interned(key))

    def in_order(self) -> dict[str, Current]:
        """Return the current versions in the order in which their keys were first packed."""
        current = self._current
        return {key: current[key][0] for key in sorted(current, key=lambda key: current[key][1])}

    def _stand(self, read: Read) -> None:
        """Take the newest version of a key, which has not been removed."""
        if read.encoded is None:
            raise CorruptError(f"the log has lost the current value of {read.key!r:.60}")
        current = Current(read.seq, read.encoded, read.size, read.reference)
        self._current[read.key] = current, read.born
        self._history.current_bytes += len(read.encoded)

    def _hold(self, read: Read) -> None:
        """Take a version that is not the newest, or is a removal."""
        history, chain = self._history, self._chain
        held: Held = TOMBSTONE
        if read.reference is not None:
            held = read.reference
        elif read.encoded is not None:
            held = self._store.arriving(read.key, read.seq, read.encoded)
        chain.seqs.append(read.seq)
        chain.held.append(held)
        history.versions += 1
        history.references += isinstance(held, Reference)
        if isinstance(held, Entry):
            draft = self._draft()
            chain.tail = draft.group(draft.tail(chain.tail, [held]))
            history.rewrite(draft.finished(), draft.marks)

    def _close(self, key: str) -> None:
        """Put a chain where it belongs; the tails of all together hold raw what they may."""
        history, chain = self._history, self._chain
        self._chain = Chain()
        if not chain.seqs:
            return
        history.chains[key] = chain.copied()
        draft = self._draft()
        raw = draft.raw_bytes(chain.tail)
        if self._store.span and history.raw_bytes + raw > history.share:
            history.chains[key].tail = tail = draft.press(chain.tail)
            history.rewrite(draft.finished(), draft.marks)
            raw = draft.raw_bytes(tail)
        history.raw_bytes += raw
        if raw:
            history.waiting[key] = raw

    def _draft(self) -> Draft:
        return Draft(self._history.marks, Workshop(self._store))
