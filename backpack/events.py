"""Telling what happened: subscribers get records, operators get log lines through structlog.

Only what an operator wants to know is logged: pruned, referenced, refused, and which
configuration was loaded; nothing per pack. The library never configures structlog, and stays
silent until the application has: a library has no business on an unsuspecting program's stdout.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from backpack.guard import name_of
from backpack.records import Archived, Committed, LookedBack, Pruned, Referenced, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from backpack.engine import Staged
    from backpack.proposal import Step
    from backpack.records import Commit, Event

__all__ = ["Events", "Witness", "log", "references"]


class Witness(Protocol):
    """Who has to know everything in order, with the values; unlike a subscriber, part of the house.

    It is told while the Backpack is locked, so in the order in which things happen. It must not
    raise, nor wait for whoever needs the lock.
    """

    def committed(self, commit: Commit, values: Mapping[str, bytes | None], /) -> None:
        """A commit was made.

        Args:
            commit: The commit.
            values: The encoded value of each key it changed or packed again; None for a removal.
        """
        ...

    def looked_back(self, seq: int, /) -> None:
        """Somebody asked for the state as of the commit with this number, retained or not."""
        ...


def log(level: str, event: str, **fields: object) -> None:
    """Log an event, if the application has configured structlog."""
    # Whoever configured structlog has imported it; importing it for nobody would cost more time
    # than the rest of the package.
    structlog = sys.modules.get("structlog")
    if structlog is None or not structlog.is_configured():
        return
    # What is logged has happened: a full disk under the log must not make it look otherwise.
    with suppress(Exception):
        getattr(structlog.get_logger("backpack"), level)(event, **fields)


@frozen(eq=False)
class _Subscription:
    """One of perhaps several subscriptions of a callback."""

    callback: Callable[[Event], object]


class Events:
    """The subscribers of one Backpack, and its witnesses.

    Attributes:
        witnesses: Those who have to know everything in order.
    """

    def __init__(self) -> None:
        self.witnesses: tuple[Witness, ...] = ()
        self._callbacks: tuple[_Subscription, ...] = ()
        self._telling: set[int] = set()

    def __bool__(self) -> bool:
        """Whether anybody listens."""
        return bool(self._callbacks)

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback`` with every event from here on; return what ends that."""
        mine = _Subscription(callback)
        self._callbacks = (*self._callbacks, mine)

        def unsubscribe() -> None:
            self._callbacks = tuple(each for each in self._callbacks if each is not mine)

        return unsubscribe

    def emit(self, events: list[Event]) -> None:
        """Log the events and hand them to the subscribers.

        What they tell of has happened: a subscriber's exception is logged, and the others are
        called all the same.
        """
        for event in events:
            _log_event(event)
            for each in self._callbacks:
                try:
                    each.callback(event)
                except Exception:
                    log("exception", "subscriber_failed", subscriber=name_of(each.callback))

    def tell_look(self, look: LookedBack) -> None:
        """Hand a look-back to the subscribers, unless it is one of theirs.

        One that looks back when told of a look-back would be told of that, and so on.
        """
        thread = get_ident()
        if thread in self._telling:
            return
        try:
            self._telling.add(thread)
            self.emit([look])
        finally:
            self._telling.discard(thread)

    def see_look(self, seq: int) -> None:
        """Have the witnesses see a look-back, at the commit with this number."""
        for witness in self.witnesses:
            witness.looked_back(seq)

    def see_commit(self, commit: Commit, staged: Mapping[str, Staged | None]) -> None:
        """Have the witnesses see a commit, made of staged values."""
        values: dict[str, bytes | None] = {}
        for change in commit.changes:
            value = staged[change.key]
            values[change.key] = None if value is None else value.encoded
        for witness in self.witnesses:
            witness.committed(commit, values)


def _log_event(event: Event) -> None:
    match event:
        case Pruned():
            log(
                "info",
                "pruned",
                commits=len(event.commits),
                oldest=event.commits[0],
                newest=event.commits[-1],
                freed_bytes=event.freed_bytes,
                policy=event.policy,
            )
        case Referenced():
            log(
                "info",
                "referenced",
                commit=event.commit,
                key=event.key,
                size=event.reference.size,
                reason=event.reference.reason,
            )
        case Refused():
            log("warning", "refused", keys=event.keys, error=str(event.error))
        case Archived() | Committed() | LookedBack():
            pass


# Not in line: a loop inside a ``with`` can be interrupted where CPython 3.12 and later no longer
# count it as inside.
def references(commit: Commit, steps: Iterable[Step]) -> list[Event]:
    """Tell of the values that history will keep as references only."""
    return [
        Referenced(commit.id, step.key, step.current.reference)
        for step in steps
        if step.current is not None and step.current.reference is not None
    ]
