"""Backpack's own contenders: one class, many settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backpack import Backpack, CommitPruned, ValueUnavailable
from backpack.archive import SqlArchive
from peers.ledger import Gone

__all__ = ["SETTINGS", "Archived", "Packed"]

#: What is compared, by the name it has in the tables.
SETTINGS: dict[str, Callable[[], Backpack]] = {
    "default": lambda: Backpack.from_preset("default"),
    "long-running": lambda: Backpack.from_preset("long-running"),
    "long-running up to 100 KiB": lambda: Backpack.from_preset(
        "long-running", reference={"max_value_size": "100 KiB"}, max_history_size="50 MiB"
    ),
    "long-chat": lambda: Backpack.from_preset("long-chat"),
    "unpruned, 1 GiB": lambda: Backpack.from_preset(
        "default", pruning="none", max_history_size="1 GiB"
    ),
}


class Packed:
    """A Backpack, asked by commit id."""

    def __init__(self, folder: Path, setting: str) -> None:
        self._backpack = SETTINGS[setting]()
        self._code = self._backpack.code

    def commit(self, key: str, value: Any) -> None:
        """Pack it."""
        self._backpack.pack(key, value)

    def read(self, commit: int, key: str) -> Any:
        """Open a snapshot and read the key; pruned or left out is gone, and said so."""
        try:
            return self._backpack.snapshot(f"{commit + 1}-{self._code}")[key]
        except (CommitPruned, ValueUnavailable) as error:
            raise Gone(str(error)) from None

    def close(self) -> None:
        """Nothing is open, unless there is an archive."""
        self._backpack.close()


class Archived(Packed):
    """A Backpack with an archive in an SQLite file."""

    def __init__(self, folder: Path, write: Any, sync: Any) -> None:
        self._backpack = Backpack.from_preset(
            "long-running",
            reference={"max_value_size": "100 KiB"},
            max_history_size="50 MiB",
            archive=SqlArchive(f"sqlite:///{folder}/archive.db", write=write, sync=sync),
        )
        self._code = self._backpack.code
