"""The account: what history takes, in bytes of real memory, and the recount that proves it.

The budget bounds memory, not payload. What CPython really allocates for a commit record, a
version, a chain or a name was measured (``benchmarks/overheads.py`` repeats it) and is charged
as a fixed cost beside the bytes of the values themselves; law B3 of the spec holds real memory
to at most 1.10 times the account.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import TYPE_CHECKING, Final

from backpack.commits import NOTHING
from backpack.entries import Entry, Form
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.commits import Commits, Remarks
    from backpack.history import Held, History
    from backpack.records import Commit

__all__ = [
    "CHAIN_BYTES",
    "CHANGE_BYTES",
    "COMMIT_BYTES",
    "EMPTY_BYTES",
    "ENTRY_BYTES",
    "GROUND_BYTES",
    "INHERITED_BYTES",
    "MINIMUM_BUDGET",
    "NAME_BYTES",
    "PLACE_BYTES",
    "REFERENCE_BYTES",
    "REMARKS_BYTES",
    "TUPLE_BYTES",
    "VERSION_BYTES",
    "entry_cost",
    "held_cost",
    "name_cost",
    "names_of",
    "owned_cost",
    "record_cost",
    "recount",
    "remarks_cost",
    "share_of",
    "text_cost",
]

# The headers of CPython's strings, the closing zeros of the text and of its UTF-8 included.
_ASCII_BYTES: Final = 49
_UNICODE_BYTES: Final = 78

#: A history with nothing in it: its tables and the columns of its commits, with the room they take
#: ahead as they begin to grow.
EMPTY_BYTES = 2816
#: A retained commit: its places in the nine columns, and the sixteenth they take ahead.
COMMIT_BYTES = 64
#: What is out of the ordinary about a commit: the record of it, its slot in the table, the
#: commit's number there.
REMARKS_BYTES = 176
#: Several changes there, or tags: their tuple.
TUPLE_BYTES = 56
#: One of them: its place in the tuple.
PLACE_BYTES = 8
#: One of several changes: its record and its size.
CHANGE_BYTES = 104
#: A key that a commit inherited: its places in two columns, which may be half empty.
INHERITED_BYTES = 24
#: A superseded version: its place in the two columns of the chain, and the header and rounding
#: of its bytes object.
VERSION_BYTES = 64
#: An entry, beside its version: its record, its number, its place in what its base knows of it or
#: in the tail.
ENTRY_BYTES = 144
#: One that others can lean on, or be found to be the same as: its fingerprint, the slot in the
#: table of those, what it knows of others.
GROUND_BYTES = 144
#: A reference in place of a value: its record and its size, less the header of the bytes that it
#: stands for; its texts aside.
REFERENCE_BYTES = 56
#: A key's chain: a list and an array, the record that holds them, its slot in the table.
CHAIN_BYTES = 320
#: A key, node or tag: its slots in two tables, which are two thirds full at most, its number and
#: uses; its text aside.
NAME_BYTES = 176

#: The least that can be a budget: room for the head and one commit before it.
MINIMUM_BUDGET = 4096

#: Raw versions at the ends of all chains take at most one in so many parts of the budget, leaders
#: of large values aside.
_SHARES: Final = 16


def share_of(budget: int) -> int:
    """Return how many bytes all tails together may hold raw, in a budget of so many."""
    return budget // _SHARES


def text_cost(text: str) -> int:
    """Return what a string takes, in bytes, with the UTF-8 that CPython may keep beside it.

    A pure function of the text: ``sys.getsizeof`` changes once somebody has asked for its UTF-8.
    """
    if text.isascii():
        return _ASCII_BYTES + len(text)
    widest = ord(max(text))
    width = 1 if widest < 0x100 else 2 if widest < 0x10000 else 4
    return _UNICODE_BYTES + width * len(text) + len(text.encode("utf-8", "surrogatepass"))


def entry_cost(form: Form, data: bytes) -> int:
    """Return what one version that is an entry takes, in bytes."""
    own = VERSION_BYTES + ENTRY_BYTES + len(data)
    return own if form is Form.SAME else own + GROUND_BYTES


def held_cost(held: Held) -> int:
    """Return what one version in a chain takes, in bytes."""
    if isinstance(held, bytes):
        return VERSION_BYTES + len(held)
    if isinstance(held, Entry):
        return entry_cost(held.form, held.data)
    if isinstance(held, Reference):
        preview = 0 if held.preview is None else text_cost(held.preview)
        texts = text_cost(held.digest) + text_cost(held.reason) + preview
        return VERSION_BYTES + REFERENCE_BYTES + texts
    return VERSION_BYTES


def remarks_cost(remarks: Remarks) -> int:
    """Return what a commit takes for what is out of the ordinary, names aside, in bytes."""
    if remarks is NOTHING:
        return 0
    note = 0 if remarks.note is None else text_cost(remarks.note)
    changes = remarks.changes or ()
    total = REMARKS_BYTES + CHANGE_BYTES * len(changes) + note
    for places in (changes, remarks.tags):
        total += TUPLE_BYTES + PLACE_BYTES * len(places) if places else 0
    return total


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
    commits = history.commits
    total = EMPTY_BYTES + COMMIT_BYTES * len(commits) + INHERITED_BYTES * len(commits.inherited)
    total += sum(map(remarks_cost, commits.remarks.values()))
    for commit in commits:
        names.update(names_of(commit))
    for chain in history.chains.values():
        total += CHAIN_BYTES + sum(map(held_cost, chain.held))
    return total + sum(map(name_cost, names))


def record_cost(commits: Commits, seq: int, inherited: int) -> int:
    """Return what a retained commit that inherited so many keys takes itself, names aside."""
    remarks = remarks_cost(commits.remarks[seq]) if seq in commits.remarks else 0
    return COMMIT_BYTES + remarks + INHERITED_BYTES * inherited


def owned_cost(history: History, index: int) -> int:
    """Return what history holds on a commit's behalf: its record and the versions it owns."""
    commits, chains, currents = history.commits, history.chains, history.current
    seq = commits.columns.seq[index]
    own, inherited = commits.own(index), commits.inherited_by(seq)
    total = record_cost(commits, seq, len(inherited))
    for key in (*own, *inherited):
        chain, current = chains.get(key), currents.get(key)
        if chain is not None and (current is None or current.seq > seq):
            at = bisect_right(chain.seqs, seq) - 1
            # A removal of nothing is not held.
            total += held_cost(chain.held[at]) if at >= 0 else 0
    return total
