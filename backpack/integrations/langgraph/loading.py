"""What a history says of checkpoints: which commit is which one's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.audit import retained
from backpack.integrations.langgraph.keys import CHECKPOINT, LATE, parsed
from backpack.integrations.langgraph.ledger import Entry, Ledger
from backpack.integrations.langgraph.packing import Header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backpack import Backpack, Commit
    from backpack.integrations.langgraph.reading import Reader
    from backpack.integrations.langgraph.records import Place

__all__ = ["entries_of", "load", "place_of"]


def place_of(commit: Commit) -> Place | None:
    """Return the checkpoint a commit is about; None if it is about none."""
    return None if commit.note is None else (commit.by or "", commit.note)


def kinds_of(commit: Commit) -> set[str]:
    """Return what kinds of things a commit has changed in the namespace it is about."""
    namespace = commit.by or ""
    found = (parsed(change.key) for change in commit.changes if change.kind != "removed")
    return {key.kind for key in found if key.namespace == namespace}


def entries_of(commits: Iterable[Commit]) -> dict[Place, Entry]:
    """Return the checkpoints that commits answer for, by the labels and keys of these alone.

    Args:
        commits: All commits that there are, the oldest first.
    """
    found: dict[Place, Entry] = {}
    for commit in commits:
        place, kinds = place_of(commit), kinds_of(commit)
        if place is None:
            continue
        entry = found.get(place)
        if CHECKPOINT in kinds or entry is None:
            if LATE not in kinds:
                found[place] = Entry(*place, None, commit.seq)
        elif LATE in kinds:
            entry.late = commit.seq
        else:
            entry.seq = commit.seq
    return found


def load(backpack: Backpack, ledger: Ledger, reader: Reader) -> None:
    """Enter into a ledger what the history and the current state of a Backpack have."""
    _load_history(backpack, ledger, reader)
    for key in backpack:
        namespace, kind, name = parsed(key)
        line = ledger.line(namespace)
        match kind:
            case "channel":
                line.channels.add(name)
            case "writes":
                line.slots += 1
            case "late":
                line.late.add(name)
            case _:
                header = Header.of(backpack.unpack(key))
                line.current, line.deltas = header.id, set(header.deltas)
                if header.id not in line.entries:
                    ledger.enter(_entry(namespace, header, 0))
    ledger.is_read = True


def _load_history(backpack: Backpack, ledger: Ledger, reader: Reader) -> None:
    """Enter what the retained commits answer for."""
    for commit in reversed(retained(backpack)):
        place, kinds = place_of(commit), kinds_of(commit)
        known = None if place is None else ledger.find(place)
        if place is None:
            ledger.surplus[commit.seq] = None
        elif LATE in kinds and CHECKPOINT not in kinds:
            if known is None:
                ledger.surplus[commit.seq] = None
            else:
                ledger.delay(known, commit.seq)
        elif known is not None and CHECKPOINT not in kinds:
            ledger.move(known, commit.seq)
        else:
            at = Entry(*place, None, commit.seq)
            ledger.enter(_entry(place[0], reader.header(at), commit.seq))


def _entry(namespace: str, header: Header, seq: int) -> Entry:
    return Entry(
        namespace,
        header.id,
        header.parent,
        seq,
        is_open=header.is_open,
        within=header.within,
    )
