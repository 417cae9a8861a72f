"""Counting what a Backpack takes, for :meth:`~backpack.container.Backpack.memory_usage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.budget import CHAIN_BYTES, held_cost
from backpack.records import KeyUsage, Usage

if TYPE_CHECKING:
    from backpack.history import History

__all__ = ["measure"]


def measure(history: History, *, by_key: bool = False) -> Usage:
    """Return what a history takes. O(1), and O(versions) for the usage by key."""
    return Usage(
        current_bytes=history.current_bytes,
        history_bytes=history.history_bytes,
        budget_bytes=history.budget,
        peak_history_bytes=history.peak_bytes,
        commits_made=history.made,
        commits_retained=len(history.commits),
        versions=history.versions,
        references=history.references,
        pins=history.pins,
        keys=len(history.current),
        by_key=_by_key(history) if by_key else None,
    )


def _by_key(history: History) -> dict[str, KeyUsage]:
    usage: dict[str, KeyUsage] = {}
    for key in dict.fromkeys((*history.current, *history.chains)):
        current, chain = history.current.get(key), history.chains.get(key)
        held = () if chain is None else chain.held
        usage[key] = KeyUsage(
            current_bytes=0 if current is None else len(current.encoded),
            history_bytes=(CHAIN_BYTES if held else 0) + sum(map(held_cost, held)),
            versions=len(held),
        )
    return usage
