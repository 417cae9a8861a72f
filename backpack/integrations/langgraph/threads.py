"""All threads of a saver: their budgets, each one's and that of all together, and their archive."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from backpack.budget import MINIMUM_BUDGET
from backpack.container import Backpack
from backpack.errors import BudgetError, ConfigError
from backpack.integrations.langgraph.ledger import ENTRY_BYTES, Ledger
from backpack.integrations.langgraph.pruning import POLICY, PruneCheckpoints, keep_whole
from backpack.integrations.langgraph.records import SaverUsage
from backpack.integrations.langgraph.thread import Thread
from backpack.opening import place_of_archive
from backpack.policies import Delta, EncodedSize
from backpack.units import parse_size
from backpack.wording import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backpack.protocols import Archive

__all__ = ["Threads"]

#: What Backpacks of threads are called in an archive, before the id of the thread.
PREFIX: Final = "langgraph/"

#: Where room is made in other threads, so much more than needed: a share of the budget of all.
_SLACK: Final = 64

#: Pending writes have little in common, and those of many checkpoints are read one after another.
_SAVING: Final = 0.25

#: What a commit takes at most beside its values: its record, its keys and what leaves them.
_OVERHEAD: Final = 4096

#: What a thread takes at least.
_LEAST: Final = MINIMUM_BUDGET + 2 * ENTRY_BYTES


class Threads:
    """The threads of a saver, one Backpack each.

    One lock is for all of them: room for one may have to be made in another.

    Args:
        max_thread_size: What the history of one thread may take.
        max_total_size: What those of all threads may take together; None for no limit to that.
        archive: Where what is given up goes, or its URL; None if it is lost.
        max_open: How many threads stay open where there is an archive.

    Raises:
        ConfigError: One of them cannot be.

    Attributes:
        lock: Held by whoever uses a thread.
    """

    def __init__(
        self,
        max_thread_size: int | str,
        max_total_size: int | str | None,
        archive: str | Archive | None,
        max_open: int,
    ) -> None:
        self.lock = RLock()
        self._most = parse_size(max_thread_size, field="max_thread_size")
        self._total = (
            None if max_total_size is None else parse_size(max_total_size, field="max_total_size")
        )
        for field, size in (("max_thread_size", self._most), ("max_total_size", self._total)):
            if size is not None and size < _LEAST:
                raise ConfigError(
                    f"{size:,} bytes cannot hold a history; the least is {_LEAST:,} bytes",
                    field=field,
                )
        if type(max_open) is not int or max_open < 1:
            raise ConfigError(
                f"{described(max_open)} is no number of threads, 1 or more",
                field="max_open_threads",
            )
        self._archive: Any = None if archive is None else place_of_archive(archive)
        self._max_open = max_open
        #: The least recently used first.
        self._open: OrderedDict[str, Thread] = OrderedDict()
        self._sizes: dict[str, int] = {}
        #: Those of which it is not known how a change of them has ended.
        self._doubtful: set[str] = set()
        self._used = 0

    @property
    def used(self) -> int:
        """What the histories of all open threads take, in bytes."""
        return self._used

    def usage(self) -> SaverUsage:
        """Return what the threads take that are open."""
        with self.lock:
            threads = list(self._open.values())
            return SaverUsage(
                len(threads),
                sum(len(each.ledger) for each in threads),
                self._used,
                self._total,
                sum(each.backpack.memory_usage().current_bytes for each in threads),
                sum(each.early.size for each in threads),
            )

    def names(self) -> list[str]:
        """Return the ids of all threads."""
        with self.lock:
            found = dict.fromkeys(self._open)
            if self._archive is not None:
                for name in self._archive.names():
                    if name.startswith(PREFIX):
                        found.setdefault(name.removeprefix(PREFIX))
            return list(found)

    def find(self, name: str) -> Thread | None:
        """Return a thread, if there is one of that id; the lock is held."""
        self._settle()
        thread = self._open.get(name)
        if thread is None and self._archive is not None and self._is_archived(name):
            thread = self._opened(name)
        if thread is not None:
            self._open.move_to_end(name)
        return thread

    def change(self, name: str, size: int, work: Callable[[Thread], None]) -> None:
        """Change a thread, with as much room as there may be.

        Args:
            name: Its id; it is made if there is none.
            size: About how many bytes the change takes.
            work: Changes it, or raises a BudgetError and changes nothing.

        Raises:
            BudgetError: There is no room, and all that is there is needed.
        """
        with self.lock:
            thread = self.find(name) or self._opened(name)
            self._open.move_to_end(name)
            thread.is_tight = False
            try:
                with self._noted(thread):
                    self._fit(thread, size)
                    self._try(thread, size, work)
            except BudgetError as error:
                raise _no_room(thread, error) from error

    def close(self) -> None:
        """Write to the archive what is not in it yet, and let go of all threads."""
        with self.lock:
            while self._open:
                self._close(next(iter(self._open)))

    def delete(self, name: str) -> None:
        """Delete a thread with all that is archived of it."""
        with self.lock:
            if name in self._open:
                self._close(name)
            if self._archive is not None:
                self._archive.delete(PREFIX + name)

    # --- helpers -------------------------------------------------------------------------

    def _is_archived(self, name: str) -> bool:
        return PREFIX + name in self._archive.names()

    def _opened(self, name: str) -> Thread:
        """Make a thread, or go on with one that is archived."""
        if self._archive is not None:
            surplus = len(self._open) + 1 - self._max_open
            for other in self._closable(name)[: max(0, surplus)]:
                self._close(other)
        room = self._room(name, _LEAST)
        if room < _LEAST:
            raise self._too_many(name, room)
        ledger = Ledger()
        settings: dict[str, Any] = {
            "max_history_size": room - ENTRY_BYTES,
            "sizing": EncodedSize(),
            "reference": keep_whole,
            "storage": Delta(saving=_SAVING),
            "pruning": PruneCheckpoints(ledger, keeps_all=self._archive is not None),
        }
        if self._archive is None:
            backpack = Backpack(**settings)
        else:
            backpack = Backpack.open(self._archive, PREFIX + name, **settings)
        try:
            thread = Thread(name, backpack, ledger)
        except BaseException:
            backpack.close()
            raise
        self._open[name] = thread
        self._note(thread)
        return thread

    def _close(self, name: str) -> None:
        self._open[name].backpack.close()
        del self._open[name]
        self._used -= self._sizes.pop(name)

    @contextmanager
    def _noted(self, thread: Thread) -> Iterator[None]:
        """Have a thread changed, and note what it takes; a BudgetError has changed nothing."""
        self._doubtful.add(thread.name)
        try:
            yield
        except BudgetError:
            self._note(thread)
            self._doubtful.discard(thread.name)
            raise
        self._note(thread)
        self._doubtful.discard(thread.name)

    def _settle(self) -> None:
        """Find out how changes have ended that something has interrupted."""
        for name in list(self._doubtful):
            thread = self._open.get(name)
            if thread is not None:
                thread.load()
                self._note(thread)
            self._used = sum(self._sizes.values())
            self._doubtful.discard(name)

    def _try(self, thread: Thread, size: int, work: Callable[[Thread], None]) -> None:
        """Do some work; where there is too little room, make what it is found to take."""
        while True:
            budget = thread.backpack.max_history_size
            try:
                work(thread)
                return
            except BudgetError as error:
                has = thread.used - thread.ledger.size
                size = max(size, budget - has) + max(0, error.needed - error.free)
                if error.policy != POLICY:
                    self._fit(thread, size)
                if thread.backpack.max_history_size <= budget:
                    raise

    def _note(self, thread: Thread) -> None:
        """Note what a thread takes now."""
        self._used += thread.used - self._sizes.get(thread.name, 0)
        self._sizes[thread.name] = thread.used

    def _fit(self, thread: Thread, size: int) -> None:
        """Give a thread the budget it may have, making room in others where there is too little."""
        size += _OVERHEAD + ENTRY_BYTES
        room = self._room(thread.name, thread.used + size)
        # Where checkpoints are small, what is known of them takes as much as they do.
        while room - _beside(thread) < MINIMUM_BUDGET:
            if not _shrink(thread, thread.used // 2):
                raise self._too_many(thread.name, room - _beside(thread))
        budget, has = room - _beside(thread), thread.backpack.max_history_size
        # A little more is no reason to change it at each commit.
        if has > budget or (has < budget and has < thread.used + size):
            thread.backpack.resize(budget)

    def _room(self, name: str, wanted: int) -> int:
        """Return what a thread may take in all; other threads are made smaller if need be."""
        wanted = min(wanted, self._most)
        room = self._left_for(name)
        if room < wanted:
            self._make_room(name, wanted - room)
            room = self._left_for(name)
        # Of what is closed nothing is in memory.
        for other in self._closable(name) if self._archive is not None else ():
            if room >= _LEAST:
                break
            self._close(other)
            room = self._left_for(name)
        return room

    def _closable(self, name: str) -> list[str]:
        """Return the threads that may be closed for another one, by what was not used longest.

        Writes that wait for their checkpoint are in memory only.
        """
        return [each for each, thread in self._open.items() if each != name and not thread.early]

    def _left_for(self, name: str) -> int:
        if self._total is None:
            return self._most
        return min(self._most, self._total - self._used + self._sizes.get(name, 0))

    def _make_room(self, name: str, missing: int) -> None:
        """Prune for a thread those that were not used for longest."""
        missing += (self._total or 0) // _SLACK
        for thread in list(self._open.values()):
            if missing <= 0:
                break
            if thread.name != name:
                before = thread.used
                with self._noted(thread):
                    _shrink(thread, missing)
                missing -= before - thread.used

    def _too_many(self, name: str, room: int) -> BudgetError:
        total = self._total or self._most
        return BudgetError(
            f"thread {name!r:.60}: of the {total:,} bytes for the histories of all threads only "
            f"{max(0, room):,} are left, and one takes {_LEAST:,} at least; {len(self._open):,} "
            "threads have them, and need them to be resumed. What helps: a larger max_total_size, "
            "deleting threads that are over, or an archive",
            needed=_LEAST,
            free=max(0, room),
            budget=total,
            policy=POLICY,
        )


def _beside(thread: Thread) -> int:
    """Return what a thread takes beside its history, with one checkpoint more."""
    return thread.ledger.size + ENTRY_BYTES


def _shrink(thread: Thread, missing: int) -> bool:
    """Make a thread smaller by so many bytes, or by as much of that as can go.

    Returns:
        Whether anything went.
    """
    before, wanted = thread.used, missing
    if thread.is_tight or missing < ENTRY_BYTES:
        return False
    while missing >= ENTRY_BYTES and before - thread.used < wanted:
        history = thread.backpack.memory_usage().history_bytes
        if history <= MINIMUM_BUDGET:
            break
        try:
            thread.backpack.resize(max(MINIMUM_BUDGET, history - missing))
        except BudgetError:
            pass  # Of what is left, too much is needed to resume it.
        finally:
            thread.ledger.going.clear()
        missing //= 2
    thread.is_tight = thread.used == before
    return not thread.is_tight


def _no_room(thread: Thread, error: BudgetError) -> BudgetError:
    """Return what a refused change means for a thread."""
    if error.policy == POLICY:
        return error
    budget = thread.backpack.max_history_size
    return BudgetError(
        f"thread {thread.name!r:.60}: there is no room in the {budget:,} bytes that its history "
        f"may take: all {len(thread.ledger):,} checkpoints that it has are needed, to resume it or "
        "to rebuild its delta channels; nothing was changed. What helps: a larger max_thread_size "
        "or max_total_size, a smaller snapshot_frequency of a DeltaChannel, or an archive",
        needed=error.needed,
        free=error.free,
        budget=budget,
        policy=POLICY,
    )
