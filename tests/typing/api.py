"""What users write, for the type checker alone: nothing here is run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

from backpack import (
    Backpack,
    Commit,
    Diff,
    NewValue,
    PruneRequest,
    Reference,
    SizedValue,
    Snapshot,
    Transaction,
    Unavailable,
    Usage,
)
from backpack.policies import Compressed, KeepTagged, Oldest, Stub
from backpack.protocols import PruningPolicy, ReferencePolicy, SizingPolicy


def newest_last(request: PruneRequest) -> Iterable[str]:
    """A plain function is a pruning policy."""
    return [candidate.id for candidate in request.candidates][:1]


class Halves:
    """So is a class."""

    def __call__(self, request: PruneRequest, /) -> Iterable[str]:
        """Prune the older half."""
        return [each.id for each in request.candidates][: len(request.candidates) // 2 + 1]


def by_value(new: NewValue) -> int:
    """A sizing policy."""
    return len(new.encoded)


def keep_small(value: SizedValue) -> Reference | None:
    """A reference policy."""
    return None if value.size < 10 else Reference.to(value, "too large")


pruning: PruningPolicy = Halves()
plain: PruningPolicy = newest_last
sizing: SizingPolicy = by_value
reference: ReferencePolicy = keep_small
bp = Backpack(
    max_history_size="5 MiB",
    sizing=sizing,
    reference=reference,
    storage=Compressed(level=5),
    pruning=KeepTagged(inner=plain),
)
other = Backpack(pruning=Oldest(fraction=0.1), reference=Stub("50 KiB"))
shared: MutableMapping[str, Any] = bp
commit: Commit = bp.pack("k", [1], by="node", tags=["a"], note="n")
head: Commit | None = bp.head
snapshot: Snapshot = bp.snapshot(commit.id)
state: Mapping[str, Any] = snapshot
diff: Diff = bp.diff(commit)
usage: Usage = bp.memory_usage(by_key=True)
free: int = usage.headroom_bytes
fork: Backpack = bp.fork(at=commit)
marker = snapshot.unpack("k")
if isinstance(marker, Unavailable):
    size: int = marker.size
with bp.transaction(by="node") as tx:
    transaction: Transaction = tx
    tx["a"] = 1
with bp.edit("k") as value:
    value.append(2)
