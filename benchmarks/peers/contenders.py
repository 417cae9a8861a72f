"""Who takes part: what each keeps, what it does not do, and what it needs.

Nothing here imports a peer: that is left to the process that measures it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from peers.records import Shape

__all__ = ["BACKPACK", "CONTENDERS", "Contender", "Needs", "Store", "opened"]

#: What the names of Backpack's own contenders begin with.
BACKPACK = "Backpack"


class Store(Protocol):
    """A contender under way. Opening it is making it, with an empty folder for its files."""

    def commit(self, key: str, value: Any) -> None:
        """Set a key, as the next commit; the first is 0."""
        ...

    def read(self, commit: int, key: str) -> Any:
        """Return the key's value as of a commit, or raise :class:`peers.ledger.Gone`."""
        ...

    def close(self) -> None:
        """Give up files and connections."""
        ...


@frozen
class Needs:
    """What a contender takes, about, in bytes: of memory and of disk."""

    memory: int = 0
    disk: int = 0


@frozen
class Contender:
    """A contender.

    Attributes:
        name: Its name.
        target: ``module:attribute`` of its store.
        arguments: What the store takes beside its folder.
        requires: The modules it cannot do without.
        needs: What it takes for a workload of some shape.
        limits: ``{workload: the most commits}`` where all would take too long or too much.
        only: The workloads it takes part in; all if empty.
        budget: Whether anything bounds what it keeps.
        durable: Whether a commit outlives the process.
        lacks: What else it does not do.
    """

    name: str
    target: str
    budget: str
    durable: str
    lacks: str
    needs: Callable[[Shape], Needs]
    arguments: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    limits: dict[str, int] = field(factory=dict)
    only: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Return the modules it needs that are not installed."""
        return [name for name in self.requires if not _found(name)]


def opened(target: str, arguments: tuple[str, ...], folder: Path) -> Store:
    """Import a contender's store and open it."""
    module, _, attribute = target.partition(":")
    store: Store = getattr(importlib.import_module(module), attribute)(folder, *arguments)
    return store


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _backpack_needs(shape: Shape) -> Needs:
    return Needs(memory=2**30 + shape.keys * 2 * shape.encoded)


def _backpack(setting: str, *only: str) -> Contender:
    return Contender(
        name=f"{BACKPACK}, {setting}",
        target="peers.backpacks:Packed",
        arguments=(setting,),
        budget="its history, in bytes",
        durable="no",
        lacks="keeps nothing beyond its process",
        needs=_backpack_needs,
        only=only,
    )


def _archived(write: str, sync: str, survives: str) -> Contender:
    return Contender(
        name=f"{BACKPACK}, archive {write}, {sync}",
        target="peers.backpacks:Archived",
        arguments=(write, sync),
        requires=("sqlalchemy", "filelock"),
        budget="its history in memory, in bytes",
        durable=survives,
        lacks="is written by one process at a time",
        needs=lambda shape: Needs(memory=2**30, disk=2 * shape.steps * (shape.encoded + 1_500)),
        only=("random", "window-2000", "airline"),
    )


_FIFTY = ("window", "random", "keys", "window-2000")

CONTENDERS: dict[str, Contender] = {
    each.name: each
    for each in (
        _backpack("default"),
        _backpack("long-running", *_FIFTY, "growing", "airline"),
        _backpack("long-running up to 100 KiB", *_FIFTY),
        _backpack("long-chat", "window", "window-2000", "growing", "airline"),
        _backpack("unpruned, 1 GiB", "small"),
        _archived("on-prune", "process", "what was given up; all once it is closed"),
        _archived("on-commit", "process", "yes, at each commit; not against a loss of power"),
        _archived("on-commit", "power", "yes, at each commit"),
        Contender(
            name="InMemorySaver",
            target="peers.savers:InMemory",
            requires=("langgraph.checkpoint.memory",),
            budget="none",
            durable="no",
            lacks="reads the whole state, never one key; every checkpoint lists the version of "
            "every key",
            needs=lambda shape: Needs(
                memory=shape.steps * (shape.encoded + 75 * shape.keys + 1_500)
                + 4 * shape.keys * shape.encoded
            ),
            limits={"small": 10_000},
        ),
        Contender(
            name="SqliteSaver",
            target="peers.savers:Sqlite",
            requires=("langgraph.checkpoint.sqlite",),
            budget="none",
            durable="yes, at each commit",
            lacks="reads the whole state, never one key; every checkpoint holds the whole state",
            needs=lambda shape: Needs(
                memory=6 * shape.keys * shape.encoded,
                disk=shape.steps * (shape.keys * (shape.encoded + 100) * 2 + 1_500),
            ),
            limits={"keys": 200, "small": 2_000},
        ),
        Contender(
            name="list of deep copies",
            target="peers.plain:DeepCopies",
            budget="none",
            durable="no",
            lacks="hands out its own objects: a reader can change the past; texts are shared, "
            "dicts and lists are not",
            needs=lambda shape: Needs(
                memory=shape.steps * (shape.fresh + 250 * shape.parts + 45 * shape.keys + 100)
            ),
            limits={"small": 20_000},
        ),
        Contender(
            name="list of bytes",
            target="peers.plain:Serialized",
            requires=("ormsgpack",),
            budget="none",
            durable="no",
            lacks="keeps what MessagePack knows: tuples become lists",
            needs=lambda shape: Needs(memory=shape.steps * (shape.encoded + 100)),
        ),
        Contender(
            name="immutables.Map",
            target="peers.plain:Maps",
            requires=("immutables",),
            budget="none",
            durable="no",
            lacks="copies nothing: whoever changes a value changes the past",
            needs=lambda shape: Needs(
                memory=shape.steps * (shape.fresh + 10 * shape.parts + 400)
                + (1_000 * shape.steps if shape.keys > 1 else 0)
            ),
        ),
        Contender(
            name="sqlite3",
            target="peers.databases:Versions",
            requires=("ormsgpack",),
            budget="none",
            durable="yes, at each commit",
            lacks="keeps what MessagePack knows: tuples become lists",
            needs=lambda shape: Needs(disk=2 * shape.steps * (shape.encoded + 100)),
            limits={"small": 100_000},
        ),
        Contender(
            name="diskcache",
            target="peers.databases:DiskCache",
            requires=("diskcache",),
            budget="its disk, about: 1 GiB as it comes",
            durable="mostly: not synchronized at each commit",
            lacks="knows no versions: every commit is a key, and which one is whose is kept "
            "beside it, in memory",
            needs=lambda shape: Needs(disk=2 * shape.steps * (shape.encoded + 300)),
            limits={"small": 100_000},
        ),
        Contender(
            name="ZODB",
            target="peers.databases:Objects",
            requires=("ZODB", "BTrees"),
            budget="none, until somebody packs the file",
            durable="yes, at each commit",
            lacks="an old state is found by walking back one revision after the other",
            needs=lambda shape: Needs(
                memory=400 * 2 * shape.encoded, disk=2 * shape.steps * (shape.encoded + 500)
            ),
            limits={"small": 100_000},
        ),
    )
}
