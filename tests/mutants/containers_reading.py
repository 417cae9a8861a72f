"""Containers whose snapshots, diffs, forks and current values are wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from backpack import (
    chains,
    container,
    engine,
    history,
    plan,
    reader,
    settings,
    snapshot,
    transaction,
)
from backpack.errors import CommitPruned
from mutants.broken_container import BrokenContainer
from mutants.rewriting import replaced, rewriting, together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack.history import Tombstone
    from backpack.records import Reference

__all__ = ["BROKEN_READINGS"]


@contextmanager
def _alias_handed_out() -> Iterator[None]:
    """Decode equal bytes once, and hand the same object out again."""
    decode, seen = reader.Reader.decode, dict[bytes, object]()

    def cached(self: reader.Reader, key: str, encoded: bytes) -> object:
        if encoded not in seen:
            seen[encoded] = decode(self, key, encoded)
        return seen[encoded]

    with replaced(reader.Reader, "decode", cached):
        yield


@contextmanager
def _live_object_kept() -> Iterator[None]:
    """Keep the caller's own object as the current value, and hand it out."""
    stage, unpack = engine.Engine.stage, engine.Engine.unpack
    live = dict[bytes, object]()

    def staged(self: engine.Engine, key: str, value: object) -> engine.Staged:
        made = stage(self, key, value)
        live[made.encoded] = value
        return made

    def unpacked(self: engine.Engine, key: str) -> object:
        value = unpack(self, key)
        return live.get(self.history.current[key].encoded, value)

    with replaced(engine.Engine, "stage", staged), replaced(engine.Engine, "unpack", unpacked):
        yield


class _RememberingSnapshot(snapshot.Snapshot):
    """A view that goes on answering for what it was read of once."""

    def _version(self, key: str) -> bytes | Reference | Tombstone:
        read: dict[str, Any] = self.__dict__.setdefault("read", {})
        try:
            read[key] = super()._version(key)
        except CommitPruned:
            if key not in read:
                raise
        version: bytes | Reference | Tombstone = read[key]
        return version


#: A block that stages its values anew when it ends.
_STAGED_AT_THE_END: Final = """\
            for key, value in getattr(transaction, "late", {}).items():
                if transaction._staged.get(key) is not None:
                    transaction._staged[key] = engine.stage(key, value)
            if transaction._staged:
"""

BROKEN_READINGS: Final[dict[str, BrokenContainer]] = {
    # --- S1: snapshots and diffs ---------------------------------------------------------
    "a chain reads one commit off": BrokenContainer(
        "S1",
        rewriting(
            history.Chain,
            "at",
            "bisect_right(self.seqs, seq) - 1",
            "bisect_right(self.seqs, seq - 1) - 1",
        ),
    ),
    "a tombstone is forgotten in a squash": BrokenContainer(
        "S1", rewriting(chains, "_with_leading_tombstones", "break", "continue")
    ),
    "a tombstone goes with the version before it": BrokenContainer(
        "S1",
        rewriting(
            plan,
            "_cut",
            "cuts[key].append(index)",
            "cuts[key].append(index)\n"
            "            if chain.held[index + 1 : -1][:1] == [TOMBSTONE]:\n"
            "                cuts[key].append(index + 1)",
        ),
    ),
    "a removed key is missing from the snapshots before": BrokenContainer(
        "S1",
        rewriting(
            history.History,
            "keys_at",
            "(live is None or live.seq > seq)",
            "(live is not None and live.seq > seq)",
        ),
    ),
    "a snapshot does not contain what history left out": BrokenContainer(
        "S1",
        rewriting(
            snapshot.Snapshot,
            "__contains__",
            "self._version(key) is not TOMBSTONE",
            "isinstance(self._version(key), bytes)",
        ),
    ),
    "the sides of a diff are swapped": BrokenContainer(
        "S1",
        rewriting(
            snapshot,
            "diff",
            "reader.value(key, before), reader.value(key, after)",
            "reader.value(key, after), reader.value(key, before)",
        ),
    ),
    "what was removed is missing from a diff": BrokenContainer(
        "S1", rewriting(snapshot, "diff", "removed[key] = reader.value(key, before)", "pass")
    ),
    "a diff skips references": BrokenContainer(
        "S1",
        rewriting(
            snapshot,
            "diff",
            "elif _digest(before) != _digest(after):",
            "elif _digest(before) != _digest(after) and not isinstance(before, Reference):",
        ),
    ),
    "a diff tells of a value that was set back": BrokenContainer(
        "S1", rewriting(snapshot, "diff", "elif _digest(before) != _digest(after):", "else:")
    ),
    "a rollback forgets removals": BrokenContainer(
        "S1", rewriting(container.Backpack, "_differences", "staged[key] = None", "pass")
    ),
    "a rollback to some keys takes them all": BrokenContainer(
        "S1",
        rewriting(
            container.Backpack,
            "rollback",
            "self._state_at(commit, keys)",
            "self._state_at(commit, None)",
        ),
    ),
    "a fork takes the current state": BrokenContainer(
        "S1",
        rewriting(
            container.Backpack,
            "fork",
            "origin, state = self._state_at(start, keys)",
            "origin, state = self._state_at(start, keys)[0], self._state_at(self.head, keys)[1]",
        ),
    ),
    # --- S2: the head --------------------------------------------------------------------
    "a tombstone is forgotten in a removal": BrokenContainer(
        "S2", rewriting(plan, "_arrive", "entries.append((commit.seq, TOMBSTONE))", "pass")
    ),
    "a snapshot of the head shows the value before": BrokenContainer(
        "S2",
        rewriting(
            history.History,
            "version_at",
            "current.seq <= seq:",
            "(current.seq < seq or current.seq == seq and key not in self.chains):",
        ),
    ),
    "a snapshot of the head misses the keys it set": BrokenContainer(
        "S2",
        rewriting(history.History, "keys_at", "if current.seq <= seq:", "if current.seq < seq:"),
    ),
    # --- S3: value semantics -------------------------------------------------------------
    "an alias is handed out": BrokenContainer("S3", _alias_handed_out),
    "the caller's own object is kept": BrokenContainer("S3", _live_object_kept),
    "a transaction takes its values when it ends": BrokenContainer(
        "S3",
        together(
            rewriting(
                transaction.Transaction,
                "pack",
                "self._staged[key] = self._engine.stage(key, value)",
                "self._staged[key] = self._engine.stage(key, value)\n"
                '    self.__dict__.setdefault("late", {})[key] = value',
            ),
            rewriting(
                transaction,
                "transact",
                "            if transaction._staged:\n",
                _STAGED_AT_THE_END,
            ),
        ),
    ),
    "a fork shares the policies": BrokenContainer(
        "S3",
        rewriting(
            settings.Settings, "copied", "arguments[axis] = deepcopy(policy)", "deepcopy(policy)"
        ),
    ),
    # --- P2: commits that are gone -------------------------------------------------------
    "a pruned commit is unknown": BrokenContainer(
        "P2", rewriting(reader.Reader, "_missing", "if seq > made:", "if True:")
    ),
    "the ids of other Backpacks are known": BrokenContainer(
        "P2", rewriting(reader.Reader, "number", "if code != self.code:", "if False:")
    ),
    "a dead view tells its length": BrokenContainer(
        "P2",
        rewriting(
            snapshot.Snapshot,
            "_keys",
            "reader.revisit(self._seq)",
            "reader.history.commits.find(self._seq) is None or reader.revisit(self._seq)",
        ),
    ),
    "a dead view contains nothing": BrokenContainer(
        "P2",
        rewriting(
            snapshot.Snapshot,
            "__contains__",
            "return isinstance(key, str) and self._version(key) is not TOMBSTONE",
            "try:\n"
            "        return isinstance(key, str) and self._version(key) is not TOMBSTONE\n"
            "    except LookupError:\n"
            "        return False",
        ),
    ),
    "a view goes on answering for what it was read of": BrokenContainer(
        "P2", lambda: replaced(container, "Snapshot", _RememberingSnapshot)
    ),
    # --- R1: current values --------------------------------------------------------------
    "a current value is unavailable where history will leave it out": BrokenContainer(
        "R1",
        rewriting(
            engine.Engine,
            "unpack",
            "self.reader.decode(key, current.encoded)",
            "self.reader.value(key, current.reference or current.encoded)",
        ),
    ),
    "the whole state is without what history will leave out": BrokenContainer(
        "R1",
        rewriting(
            container.Backpack,
            "to_dict",
            "return dict(self)",
            "current = self._engine.history.current\n"
            "        return {key: self[key] for key in self if current[key].reference is None}",
        ),
    ),
    # --- R2: references ------------------------------------------------------------------
    "a reference tells another size": BrokenContainer(
        "R2",
        rewriting(reader, "unavailable", "size=reference.size,", "size=reference.size + 1,"),
    ),
    "a reference tells no digest": BrokenContainer(
        "R2", rewriting(reader, "unavailable", "digest=reference.digest,", 'digest="",')
    ),
    "the preview of a reference is lost": BrokenContainer(
        "R2", rewriting(reader, "unavailable", "preview=reference.preview,", "preview=None,")
    ),
    "a reference tells no reason": BrokenContainer(
        "R2",
        rewriting(reader, "unavailable", "reason=reference.reason,", 'reason="it was left out",'),
    ),
    "a reference hints at a limit that is too small": BrokenContainer(
        "R2",
        rewriting(reader, "unavailable", "{reference.size:,}", "{reference.size - 1:,}"),
    ),
    "a snapshot has a reference for what is still current": BrokenContainer(
        "R2",
        rewriting(
            reader.Reader,
            "version_at",
            "return version.encoded",
            "return version.reference or version.encoded",
        ),
    ),
    "a superseded value gets the reference of the one after it": BrokenContainer(
        "R2",
        rewriting(
            engine.Engine,
            "_propose",
            "held = None if before is None else self._held(key, before)",
            "held = None if before is None else value.reference or self._held(key, before)",
        ),
    ),
    "a removed value is kept that should be left out": BrokenContainer(
        "R2",
        rewriting(
            engine.Engine,
            "_propose",
            "Step(key, None, self._held(key, before))",
            "Step(key, None, self._held(key, evolve(before, reference=None)))",
        ),
    ),
}
