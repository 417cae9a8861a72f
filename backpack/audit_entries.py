"""What must be true of entries: who leans on whom, how they are found, and what is held raw."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from backpack.entries import Entry, Form, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.history import History
    from backpack.store import Store

__all__ = ["entries_amiss", "held_twice", "raw_amiss"]


def entries_amiss(history: History, store: Store) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with the entries. O(entries)."""
    entries = _entries(history)
    known = set(entries)
    astray = [each for entry in entries for each in _amiss(entry, known, store.span)]
    yield from astray
    if not astray:  # A version can be read where its way to the ground has an end.
        yield from _marks_amiss(history, entries, store)
    for key, chain in history.chains.items():
        tail = chain.tail
        if not set(tail.members) <= known or any(each.key != key for each in tail.members):
            yield f"The tail of {key!r} has entries that its chain has not."
        if any(each.form is not Form.RAW or each.base or each.dependents for each in tail.raw):
            yield f"The raw tail of {key!r} is not raw, or not by itself."
        if sum(len(each.data) for each in tail.raw) != tail.size:
            yield f"The raw tail of {key!r} is not of {tail.size:,} bytes."


def raw_amiss(history: History) -> Iterator[str]:
    """Yield a sentence for everything that is wrong with what is written down of raw versions."""
    for key, chain in history.chains.items():
        raw = sum(len(each.data) for each in chain.tail.members if each.form is Form.RAW)
        waiting = history.waiting.get(key, 0)
        if raw != waiting:
            yield f"The tail of {key!r} holds {raw:,} bytes raw, {waiting:,} are written down."
    total = sum(history.waiting.values())
    if total != history.raw_bytes:
        yield f"The tails hold {total:,} bytes raw, {history.raw_bytes:,} are written down."
    for key in history.waiting.keys() - history.chains.keys():
        yield f"The tail of {key!r} waits to be made a group, and there is no such chain."


def held_twice(history: History, store: Store) -> list[bytes]:
    """Return the encoded bytes that are held for several versions, those in raw tails aside.

    Long ones may be without blame, where others had their fingerprints. O(entries).
    """
    raw = {entry for chain in history.chains.values() for entry in chain.tail.raw}
    owners = Counter(store.encoded(entry) for entry in _entries(history) if _owns(entry, raw))
    return [text for text, number in owners.items() if number > 1]


def _owns(entry: Entry, raw: set[Entry]) -> bool:
    return entry.form is not Form.SAME and entry not in raw


def _entries(history: History) -> list[Entry]:
    chains = history.chains.values()
    return [held for chain in chains for held in chain.held if isinstance(held, Entry)]


def _amiss(entry: Entry, known: set[Entry], span: int) -> Iterator[str]:
    what = f"The version of {entry.key!r} that commit {entry.seq} set"
    stands = entry.form in (Form.RAW, Form.ALONE)
    if stands != (entry.base is None):
        yield f"{what} is {entry.form.name}, and its base {entry.base and entry.base.seq}."
    if entry.base is not None and (
        entry.base not in known or entry.base.dependents.count(entry) != 1
    ):
        yield f"{what} leans on one that does not know it."
    if any(each not in known or each.base is not entry for each in entry.dependents):
        yield f"{what} has dependents that do not lean on it."
    if sum(each.form is Form.LEANING for each in entry.dependents) > 1:
        yield f"{what} has more than one that leans on it."
    steps, links, ground = 0, 0, entry
    while ground.base is not None and links <= span:
        steps += ground.form is Form.LEANING
        links += 1
        ground = ground.base
    if steps >= span or ground.base is not None:
        yield f"{what} is more than {span} steps from the ground."


def _marks_amiss(history: History, entries: list[Entry], store: Store) -> Iterator[str]:
    for mark, entry in history.marks.items():
        if entry.mark != mark or fingerprint(store.encoded(entry)) != mark:
            yield f"The version of {entry.key!r} that commit {entry.seq} set is found by mistake."
    marked = {entry for entry in entries if entry.mark is not None}
    if marked != set(history.marks.values()):
        yield f"{len(marked)} entries are marked, {len(history.marks)} are found."
