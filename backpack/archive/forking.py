"""What is open when a process is forked stays its parent's: the child neither uses nor closes it.

Two processes on one connection would both be taken for the one writer; and who closes a file that
SQLite has open lets go of locks that others rely on.
"""

from __future__ import annotations

import os
from typing import Final, Protocol
from weakref import WeakSet

__all__ = ["forsaken", "watch"]


class _Forsaking(Protocol):
    """What has something open."""

    def forsake(self) -> None:
        """Let go of it all without closing it, by :func:`forsaken`."""


_watched: Final[WeakSet[_Forsaking]] = WeakSet()
#: What must not be closed here: it is kept for as long as the process lives.
_kept: Final[list[object]] = []


def watch(opened: _Forsaking) -> None:
    """Have something forsake what it has open, in a process that is forked from here on."""
    _watched.add(opened)


def forsaken(*parts: object) -> None:
    """Keep what is the parent's, so that nothing closes it."""
    _kept.extend(parts)


def _forsake_all() -> None:
    for each in list(_watched):
        each.forsake()


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=_forsake_all)
