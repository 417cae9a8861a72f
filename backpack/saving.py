"""What a whole Backpack is, as it is saved: its commits, and every version that is held."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING

from backpack.codec.layout import class_name
from backpack.entries import Entry
from backpack.history import Current
from backpack.logged import LoggedVersion, Saved, is_left_out, logged_again
from backpack.records import Reference
from backpack.registry import AXES
from backpack.scribe import logged_at
from backpack.strategies import describe

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from backpack.engine import Engine
    from backpack.history import Held, History
    from backpack.protocols import CommitLog
    from backpack.scribe import Scribe
    from backpack.settings import Settings
    from backpack.store import Store

__all__ = ["saved", "settings_of"]


def settings_of(settings: Settings) -> str:
    """Return settings as JSON, as far as they can be written down."""
    described = {axis: describe(AXES[axis], getattr(settings, axis)) for axis in AXES}
    return json.dumps(
        {
            "max_history_size": settings.max_history_size,
            **{axis: {"use": use.name, **use.arguments} for axis, use in described.items()},
        }
    )


def versions_of(
    history: History, store: Store, log: CommitLog | None = None
) -> Generator[LoggedVersion, None, None]:
    """Iterate over all versions that are held, key by key.

    Args:
        history: The history; not changed meanwhile.
        store: Reads versions.
        log: Where spilled values are.
    """
    # When a key was first set may be forgotten; what comes later comes behind all of these.
    places = {key: place for place, key in enumerate(history.current, -len(history.current))}
    for key in dict.fromkeys((*history.current, *history.chains)):
        held = history.chains.get(key)
        base, base_seq = None, 0
        for seq, version in zip(held.seqs, held.held, strict=True) if held else ():
            encoded, size, reference = _read(key, seq, version, store, log)
            yield LoggedVersion(
                key, seq, encoded, size, reference, base, base_seq, places.get(key, 0)
            )
            base, base_seq = (None if is_left_out(reference) else encoded), seq
        current = history.current.get(key)
        if current is not None:
            yield LoggedVersion(
                key,
                current.seq,
                current.encoded,
                current.size,
                current.reference,
                base,
                base_seq,
                places[key],
            )


def saved(engine: Engine, *, archived: bool, logged: int | None = None) -> Saved:
    """Return what goes into a checkpoint; the engine is not to change until it is read.

    Args:
        engine: The engine.
        archived: Whether archived commits go into it, too.
        logged: How many versions are in its archive, where that is known.
    """
    history, scribe = engine.history, engine.scribe
    log = None if scribe is None else scribe.log
    commits = [logged_at(history.commits, index) for index in range(len(history.commits))]
    versions = versions_of(history, engine.store, log)
    count = history.versions + len(history.current)
    if archived and scribe is not None:
        newer = [each for each in commits if each.commit.seq > scribe.log.head]
        commits = [*scribe.log.commits(newest_first=False), *newer]
        versions = _all_of(scribe, [each.commit.seq for each in newer])
        changes = chain.from_iterable(each.commit.changes for each in newer)
        newest = sum(each.kind != "same" for each in changes)
        count = 0 if logged is None else logged + newest
    return Saved(
        engine.code if log is None else log.name,
        engine.code,
        class_name(type(engine.settings.codec)),
        settings_of(engine.settings.resized(history.budget)),
        commits,
        versions,
        count,
    )


def _all_of(scribe: Scribe, newer: Sequence[int]) -> Generator[LoggedVersion, None, None]:
    """Iterate over the versions that are in the log, and those of commits that are not."""
    yield from logged_again(scribe.log)
    yield from scribe.versions(newer)


def _read(
    key: str, seq: int, version: Held | Current, store: Store, log: CommitLog | None
) -> tuple[bytes | None, int, Reference | None]:
    """Return the encoded bytes of a version, its size, and what history has in its place."""
    if isinstance(version, Reference):
        read = log.version_at(key, seq) if version.spilled and log is not None else None
        return (None if read is None else read.encoded), version.size, version
    if isinstance(version, (bytes, Entry)):
        return store.read(key, seq, version), 0, None
    return None, 0, None
