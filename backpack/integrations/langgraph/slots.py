"""Slots: some pending writes under one key, so that one more does not write all of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backpack.integrations.langgraph.records import Write

__all__ = ["in_slots", "merge"]

#: So many writes, or bytes of them, share a slot.
_MOST: Final = 32
_MOST_BYTES: Final = 64 * 1024


def merge(slots: list[list[Write]], writes: Iterable[Write], *, may_grow: bool = True) -> set[int]:
    """Put writes into slots; return the numbers of the slots that changed.

    What a task has written already stays as it is; only errors and the like are replaced.

    Args:
        slots: The slots; changed.
        writes: The writes.
        may_grow: Whether there may be more slots, where the last is full.
    """
    known = {each.slot: number for number, slot in enumerate(slots) for each in slot}
    changed: set[int] = set()
    for write in writes:
        number = known.get(write.slot)
        if number is None:
            if not slots or (may_grow and _is_full(slots[-1])):
                slots.append([])
            number = known[write.slot] = len(slots) - 1
            slots[number].append(write)
        elif write.index < 0 and write not in slots[number]:
            slots[number] = [write if each.slot == write.slot else each for each in slots[number]]
        else:
            continue
        changed.add(number)
    return changed


def in_slots(writes: Iterable[Write]) -> list[list[Write]]:
    """Return writes in slots."""
    slots: list[list[Write]] = []
    merge(slots, writes)
    return slots


def _is_full(slot: Sequence[Write]) -> bool:
    return len(slot) >= _MOST or sum(len(each.value[1]) for each in slot) >= _MOST_BYTES
