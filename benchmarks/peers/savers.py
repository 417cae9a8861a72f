"""LangGraph's checkpoint savers: each key is a channel, and only changed channels are new."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import LATEST_VERSION
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

__all__ = ["InMemory", "Sqlite"]

# As long as the time stamps and the ids that a graph makes, which would only take longer.
_TIME = "2025-01-01T00:00:00.000000+00:00"


def _id(commit: int) -> str:
    return f"{commit:036}"


class _Saved:
    """A thread of checkpoints in a saver."""

    def __init__(self, saver: Any) -> None:
        self._saver = saver
        self._versions: dict[str, str] = {}
        self._made = 0

    def _put(self, key: str, values: dict[str, Any]) -> None:
        version = self._saver.get_next_version(self._versions.get(key), None)
        self._versions[key] = version
        place = {"thread_id": "1", "checkpoint_ns": ""}
        if self._made:
            place["checkpoint_id"] = _id(self._made - 1)
        checkpoint = {
            "v": LATEST_VERSION,
            "id": _id(self._made),
            "ts": _TIME,
            "channel_values": values,
            "channel_versions": self._versions,
            "versions_seen": {},
            "updated_channels": [key],
        }
        metadata = {"source": "loop", "step": self._made}
        self._saver.put({"configurable": place}, checkpoint, metadata, {key: version})
        self._made += 1

    def read(self, commit: int, key: str) -> Any:
        """Load the checkpoint, which loads every channel, and take one."""
        place = {"thread_id": "1", "checkpoint_ns": "", "checkpoint_id": _id(commit)}
        return self._saver.get_tuple({"configurable": place}).checkpoint["channel_values"][key]


class InMemory(_Saved):
    """The saver that keeps checkpoints in dicts; it stores a channel only when that is new."""

    def __init__(self, folder: Path) -> None:
        super().__init__(InMemorySaver())

    def commit(self, key: str, value: Any) -> None:
        """Put a checkpoint. Of the values it reads only new ones, so it is given no others."""
        self._put(key, {key: value})

    def close(self) -> None:
        """Nothing is open."""


class Sqlite(_Saved):
    """The saver that keeps checkpoints in an SQLite file; each row has all values in it."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "checkpoints.db", check_same_thread=False)
        super().__init__(SqliteSaver(self._connection))
        self._state: dict[str, Any] = {}

    def commit(self, key: str, value: Any) -> None:
        """Put a checkpoint of the whole state."""
        self._state[key] = value
        self._put(key, self._state)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
