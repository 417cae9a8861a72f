"""Telling what happened: subscribers get records, operators get log lines through structlog.

Only what an operator wants to know is logged: pruned, referenced, refused, and which
configuration was loaded; nothing per pack. The library never configures structlog, and stays
silent until the application has: a library has no business on an unsuspecting program's stdout.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import frozen

from backpack.guard import name_of
from backpack.records import Committed, Pruned, Referenced, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.records import Event

__all__ = ["Events", "log"]


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
    """The subscribers of one Backpack."""

    def __init__(self) -> None:
        self._callbacks: tuple[_Subscription, ...] = ()

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
        case Committed():
            pass
