"""The account: what history takes, in bytes of real memory, and the recount that proves it.

The budget bounds memory, not payload. What CPython really allocates for a commit record, a
version, a chain or a name was measured (``benchmarks/overheads.py`` repeats it) and is charged
as a fixed cost beside the bytes of the values themselves; law B3 of the spec holds real memory
to at most 1.10 times the account.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from backpack.entries import Entry
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.history import Held, History, Retained
    from backpack.records import Commit

__all__ = [
    "CHAIN_BYTES",
    "CHANGE_BYTES",
    "COMMIT_BYTES",
    "ENTRY_BYTES",
    "MINIMUM_BUDGET",
    "NAME_BYTES",
    "OWNED_BYTES",
    "REFERENCE_BYTES",
    "TAGS_BYTES",
    "VERSION_BYTES",
    "commit_cost",
    "held_cost",
    "name_cost",
    "names_of",
    "owned_cost",
    "recount",
    "text_cost",
]

# The headers of CPython's strings, the closing zeros of the text and of its UTF-8 included.
_ASCII_BYTES: Final = 49
_UNICODE_BYTES: Final = 78

#: A retained commit: its record, its number and time, its place in the two columns.
COMMIT_BYTES = 320
#: One changed key in a commit record, and its size.
CHANGE_BYTES = 112
#: One key that a commit owns.
OWNED_BYTES = 8
#: The tags of a commit, beside their places, if it has any.
TAGS_BYTES = 40
#: A superseded version: its place in the two columns of the chain, and the header and rounding
#: of its bytes object.
VERSION_BYTES = 64
#: An entry, beside its version: its record, its number, its hash and the slot in the table of
#: those, its place in what its base knows of it, or in the tail.
ENTRY_BYTES = 288
#: A reference in place of a value, its texts aside.
REFERENCE_BYTES = 96
#: A key's chain: two lists, the record that holds them, its slot in the table.
CHAIN_BYTES = 360
#: A key, node or tag: its slot in the table, its text aside.
NAME_BYTES = 176

#: The least that can be a budget: room for the head and one commit before it.
MINIMUM_BUDGET = 4096


def text_cost(text: str) -> int:
    """Return what a string takes, in bytes, with the UTF-8 that CPython may keep beside it.

    A pure function of the text: ``sys.getsizeof`` changes once somebody has asked for its UTF-8.
    """
    if text.isascii():
        return _ASCII_BYTES + len(text)
    widest = ord(max(text))
    width = 1 if widest < 0x100 else 2 if widest < 0x10000 else 4
    return _UNICODE_BYTES + width * len(text) + len(text.encode("utf-8", "surrogatepass"))


def held_cost(held: Held) -> int:
    """Return what one version in a chain takes, in bytes."""
    if isinstance(held, bytes):
        return VERSION_BYTES + len(held)
    if isinstance(held, Entry):
        return VERSION_BYTES + ENTRY_BYTES + len(held.data)
    if isinstance(held, Reference):
        preview = 0 if held.preview is None else text_cost(held.preview)
        texts = text_cost(held.digest) + text_cost(held.reason) + preview
        return VERSION_BYTES + REFERENCE_BYTES + texts
    return VERSION_BYTES


def commit_cost(commit: Commit, owned: int) -> int:
    """Return what a retained commit that owns so many keys takes, names aside, in bytes."""
    note = 0 if commit.note is None else text_cost(commit.note)
    labels = OWNED_BYTES * (owned + len(commit.tags)) + (TAGS_BYTES if commit.tags else 0)
    return COMMIT_BYTES + CHANGE_BYTES * len(commit.changes) + labels + note


def name_cost(name: str) -> int:
    """Return what a name takes, however often it is used, in bytes."""
    return NAME_BYTES + text_cost(name)


def names_of(commit: Commit) -> Iterator[str]:
    """Iterate over the names a commit record mentions."""
    for change in commit.changes:
        yield change.key
    yield from commit.tags
    if commit.by is not None:
        yield commit.by


def recount(history: History) -> int:
    """Return what history takes, counted from scratch: what the running account must equal."""
    names: Counter[str] = Counter(history.chains.keys())
    total = 0
    for retained in history.retained:
        names.update(names_of(retained.commit))
        total += commit_cost(retained.commit, len(retained.owned))
    for chain in history.chains.values():
        total += CHAIN_BYTES + sum(map(held_cost, chain.held))
    return total + sum(map(name_cost, names))


def owned_cost(history: History, retained: Retained) -> int:
    """Return what history holds on a commit's behalf: its record and the versions it owns."""
    seq = retained.commit.seq
    total = commit_cost(retained.commit, len(retained.owned))
    for key in retained.owned:
        chain = history.chains.get(key)
        current = history.current.get(key)
        if chain is not None and (current is None or current.seq > seq):
            setter, held = chain.at(seq)
            total += held_cost(held) if setter else 0  # A removal of nothing is not held.
    return total
