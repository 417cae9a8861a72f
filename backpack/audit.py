"""The invariant checker: what must be true of the parts, counted from scratch."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections import Counter
from enum import Enum
from sys import getsizeof
from typing import TYPE_CHECKING, TypeVar

from attrs import fields_dict

from backpack.audit_entries import entries_amiss, held_twice, raw_amiss
from backpack.budget import (
    COMMIT_BYTES,
    EMPTY_BYTES,
    INHERITED_BYTES,
    held_cost,
    record_cost,
    recount,
    remarks_cost,
)
from backpack.commits import NOTHING
from backpack.entries import Entry
from backpack.history import TOMBSTONE
from backpack.records import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backpack.container import Backpack
    from backpack.engine import Engine
    from backpack.history import History
    from backpack.records import Commit

__all__ = [
    "accesses",
    "accounts",
    "audit",
    "duplicates",
    "has_archive",
    "leanings",
    "overweight",
    "raw_bytes",
    "real_bytes",
    "retained",
    "sizes_owned",
    "some",
]

T = TypeVar("T")

#: A version's places in the two columns of its chain.
_SLOT_BYTES = 16

#: An entry of the table of remarks, and the commit's number there.
_ENTRY_BYTES = 88
#: What tables of a few entries may take ahead of their charge, in bytes.
_AHEAD_BYTES = 512

#: The identities of what the interpreter has once, whoever refers to it.
_SINGLE = frozenset(map(id, (None, True, False, (), "set", "same", "removed", *range(-5, 257))))
#: What refers to nothing, and is most of what there is.
_LEAVES = frozenset((int, float, str, bytes))
#: What the program has whether or not a Backpack refers to it.
_DEFINITIONS = (type, Enum)


def audit(backpack: Backpack) -> list[str]:
    """Check the inside of a Backpack against itself.

    Returns:
        A sentence for everything that is wrong; none if all is well. O(everything held).

    >>> from backpack import Backpack
    >>> audit(Backpack())
    []
    """
    return [*accounts(backpack), *leanings(backpack)]


def accounts(backpack: Backpack) -> list[str]:
    """Recount what is written down; return a sentence for everything that is wrong."""
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        history = engine.history
        # What is read from columns that are wrong would tell of nothing.
        return list(_columns(history)) or [
            *_accounts(history),
            *_names(history),
            *_order(history),
            *_ownership(history),
            *raw_amiss(history),
        ]


def leanings(backpack: Backpack) -> list[str]:
    """Follow the versions that lean on others; return a sentence for everything that is wrong."""
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        return list(entries_amiss(engine.history, engine.store))


def duplicates(backpack: Backpack) -> list[bytes]:
    """Return the encoded bytes of versions that are held more than once, raw ones aside."""
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        return held_twice(engine.history, engine.store)


def raw_bytes(backpack: Backpack) -> tuple[int, bool]:
    """Return how many bytes wait raw, and whether leaders of groups are all they are of."""
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        chains = engine.history.chains.values()
        return engine.history.raw_bytes, not any(chain.tail.raw for chain in chains)


def overweight(backpack: Backpack, most: int | None = None) -> list[str]:
    """Weigh the inside of a Backpack, object by object, against what is charged for it.

    Args:
        backpack: The Backpack.
        most: Weigh so many of its commits one by one, and so many versions of each key: the
            oldest, the newest and some between. All if left out. What is held is weighed as a
            whole in any case.

    Returns:
        A sentence for everything that takes more than 1.10 times its charge; none if all is
        well. O(everything held).

    >>> from backpack import Backpack
    >>> overweight(Backpack())
    []
    """
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        return [*_whole(engine), *_memory(engine.history, most)]


def has_archive(backpack: Backpack) -> bool:
    """Whether what history gives up goes to an archive."""
    return backpack._engine.scribe is not None


def retained(backpack: Backpack) -> list[Commit]:
    """Return the commits that are answered for from memory, newest first: not those archived."""
    engine = backpack._engine
    if engine.scribe is None:
        return backpack.history()
    with engine.lock:
        engine.history.settle()
        return [*engine.history.commits][::-1]


def accesses(backpack: Backpack) -> dict[str, tuple[int, int]]:
    """Count how often retained commits were looked at.

    Returns:
        ``{id: (times, the number of the newest commit at the last look)}``, as policies are told.
    """
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        columns = engine.history.commits.columns
        looks = zip(columns.seq, columns.accesses, columns.last_access, strict=True)
        return {f"{seq}-{engine.code}": (times, last) for seq, times, last in looks}


def sizes_owned(backpack: Backpack) -> dict[str, int]:
    """Count what history holds on behalf of each retained commit.

    Returns:
        ``{id: bytes}``: the commit's record, and the superseded versions nobody older sees.
    """
    engine = backpack._engine
    with engine.lock:
        engine.history.settle()
        history = engine.history
        commits = history.commits
        sizes = [record_cost(commits, seq, len(commits.inherited_by(seq))) for seq in commits.seqs]
        for chain in history.chains.values():
            for seq, held in zip(chain.seqs, chain.held, strict=True):
                sizes[bisect_left(commits.seqs, seq)] += held_cost(held)
        return {commit.id: size for commit, size in zip(commits, sizes, strict=True)}


def some(them: Sequence[T], most: int | None) -> Sequence[T]:
    """Return all, or some: the first and the last third of so many, and a third between.

    >>> some(range(100), 6)
    [0, 1, 2, 51, 98, 99]
    """
    if most is None or len(them) <= most:
        return them
    third = max(1, most // 3)
    between = them[third:-third]
    return [*them[:third], *between[:: len(between) // third + 1], *them[-third:]]


def real_bytes(history: History) -> int:
    """Return what the objects of a history take in memory, the current state aside.

    Walks the object graph and adds up what the interpreter says of each object, shared ones
    once.
    """
    parts = [history.chains, history.commits, history.names, history.marks, history.waiting]
    return real_size(parts, *history.current)


def real_size(root: object, *left_out: object) -> int:
    """Return what an object and all it refers to take in memory, in bytes.

    Args:
        root: The object.
        *left_out: Objects that somebody else pays for.
    """
    found = [root]
    seen = set(map(id, left_out))
    total = 0
    while found:
        each = found.pop()
        identity = id(each)
        if identity in seen or identity in _SINGLE:
            continue
        seen.add(identity)
        if type(each) in _LEAVES:
            total += getsizeof(each)
        elif not isinstance(each, _DEFINITIONS):
            total += getsizeof(each)
            found += gc.get_referents(each)
    return total


def _whole(engine: Engine) -> Iterator[str]:
    """The account covers whatever the engine holds on to, to a tenth.

    Its settings and its archive aside, which is of a size of its own.
    """
    history, reader, settings = engine.history, engine.reader, engine.settings
    owners = (engine, history, reader)
    others = (settings, engine.lock, engine.guard, engine.events, engine.code, history.current)
    archive = (engine.scribe, reader.log)
    policies = (getattr(settings, name) for name in fields_dict(type(settings)))
    held = [part for owner in owners for part in vars(owner).values()]
    real = real_size(held, *owners, *others, *archive, *policies, *history.current)
    account = history.history_bytes
    if real > 1.10 * account + _AHEAD_BYTES:
        yield f"The history takes {real:,} bytes of memory, its account says {account:,}."


def _memory(history: History, most: int | None) -> Iterator[str]:
    """What versions, commits and remarks are charged covers what they take, to a tenth."""
    for key, chain in history.chains.items():
        for held in some(chain.held, most):
            size, cost = _held_size(held) + _SLOT_BYTES, held_cost(held)
            if size > 1.10 * cost:
                yield f"A version of {key!r} takes {size:,} bytes, and is charged {cost:,}."
    commits = history.commits
    size = sum(map(getsizeof, (*commits.columns, commits.heirs, commits.inherited)))
    cost = COMMIT_BYTES * len(commits) + INHERITED_BYTES * len(commits.heirs) + EMPTY_BYTES
    if size > 1.10 * cost:
        yield f"The columns of the commits take {size:,} bytes, and are charged {cost:,}."
    for seq in some(list(commits.remarks), most):
        remarks = commits.remarks[seq]
        changed = [change.key for change in remarks.changes or ()]
        size = real_size(remarks, *changed, *remarks.tags) + _ENTRY_BYTES
        cost = remarks_cost(remarks)
        if size > 1.10 * cost:
            yield f"What is odd about commit {seq} takes {size:,} bytes, and is charged {cost:,}."


def _held_size(held: object) -> int:
    """Return what a version takes, what it leans on and what leans on it aside."""
    if not isinstance(held, Entry):
        return real_size(held)
    others = held.dependents if held.base is None else (held.base, *held.dependents)
    return real_size(held, held.key, *others)


def _accounts(history: History) -> Iterator[str]:
    """The running numbers are what a recount gives."""
    held = [each for chain in history.chains.values() for each in chain.held]
    counted = {
        "history_bytes": recount(history),
        "current_bytes": sum(len(each.encoded) for each in history.current.values()),
        "versions": len(held),
        "references": sum(isinstance(each, Reference) for each in held),
        "pins": sum(history.commits.columns.pinned),
    }
    for name, count in counted.items():
        running = getattr(history, name)
        if running != count:
            yield f"{name} is {running:,}, a recount gives {count:,}."


def _names(history: History) -> Iterator[str]:
    """The table of names has those that are mentioned, and counts how often."""
    uses = Counter(history.chains.keys())
    for commit in history.commits:
        uses.update([*commit.keys, *commit.tags])
        uses.update([] if commit.by is None else [commit.by])
    counted = {name: number for name, (_, number) in history.names.known.items()}
    if counted != uses:
        wrong = sorted(counted.items() ^ uses.items())
        yield f"The table of names does not count what is used: {wrong[:4]}."


def _columns(history: History) -> Iterator[str]:
    """The columns of the commits are as long as each other and say nothing impossible."""
    commits, columns, names = history.commits, history.commits.columns, history.names
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        yield f"The columns of the commits are {lengths}."
    if not set(commits.remarks) | set(commits.heirs) <= set(commits.seqs):
        yield "There are remarks on, or heirs that are, commits that are not retained."
    if len(commits.heirs) != len(commits.inherited) or list(commits.heirs) != sorted(commits.heirs):
        yield "The columns of inherited keys are not aligned, or not in order."
    if NOTHING in commits.remarks.values():
        yield "There are remarks that say nothing."
    if {number: name for name, (number, _) in names.known.items()} != names.texts:
        yield "The numbers of names do not lead back to them."
    if any(number >= names.given for number in names.texts):
        yield "A name has a number that is still to be given."
    if not set(columns.key) | set(columns.by) <= {*names.texts, -1}:
        yield "A commit mentions a number that no name has."
    several = {seq for seq, each in commits.remarks.items() if each.changes is not None}
    if several != {seq for seq, key in zip(commits.seqs, columns.key, strict=False) if key == -1}:
        yield "A commit has changes in its row and in its remarks, or none at all."


def _order(history: History) -> Iterator[str]:
    """The columns are aligned and ascending, and no chain is empty or starts with a removal."""
    seqs = history.commits.seqs
    if list(seqs) != sorted(set(seqs)):
        yield "The retained commits are not in order."
    if (seqs[-1] if seqs else 0) != history.made:
        yield "The newest commit is not retained."
    for key, chain in history.chains.items():
        if not len(chain.seqs) == len(chain.held) > 0:
            yield f"The columns of the chain of {key!r} are {len(chain.seqs)}, {len(chain.held)}."
        elif list(chain.seqs) != sorted(set(chain.seqs)):
            yield f"The chain of {key!r} is not in order."
        elif chain.held[0] is TOMBSTONE:
            yield f"The chain of {key!r} starts with a removal."
        elif (chain.held[-1] is TOMBSTONE) < (key not in history.current):
            yield f"The chain of the removed key {key!r} does not end with its removal."


def _ownership(history: History) -> Iterator[str]:
    """Every version is owned by the first retained commit that sees it, and only by that."""
    commits, seqs = history.commits, history.commits.seqs
    owned = [(key, seq) for index, seq in enumerate(seqs) for key in commits.owned(index)]
    owners = set(owned)
    if len(owners) != len(owned):
        yield "A commit owns a key twice."
    versions = [(key, seq) for key, chain in history.chains.items() for seq in chain.seqs]
    versions += [(key, current.seq) for key, current in history.current.items()]
    for key, seq in versions:
        index = bisect_left(seqs, seq)
        if index == len(seqs) or (key, seqs[index]) not in owners:
            yield f"The version of {key!r} that commit {seq} set is owned by nobody."
