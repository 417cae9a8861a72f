"""Stores on disk: SQLite by hand, diskcache, ZODB."""

from __future__ import annotations

import importlib
import sqlite3
from pathlib import Path
from typing import Any

import ormsgpack

from peers.ledger import Gone
from peers.versions import Index

__all__ = ["DiskCache", "Objects", "Versions"]

_TID = 8


class Versions:
    """A table of key, version and bytes, with a write-ahead log; otherwise as SQLite comes."""

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "versions.db", isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE versions (key TEXT, version INTEGER, value BLOB,"
            " PRIMARY KEY (key, version))"
        )
        self._made = 0

    def commit(self, key: str, value: Any) -> None:
        """Insert a row, a transaction of its own."""
        row = (key, self._made, ormsgpack.packb(value))
        self._connection.execute("INSERT INTO versions VALUES (?, ?, ?)", row)
        self._made += 1

    def read(self, commit: int, key: str) -> Any:
        """Select the newest row of the key up to that commit."""
        (value,) = self._connection.execute(
            "SELECT value FROM versions WHERE key = ? AND version <= ?"
            " ORDER BY version DESC LIMIT 1",
            (key, commit),
        ).fetchone()
        return ormsgpack.unpackb(value)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class DiskCache:
    """A cache entry for every commit, as diskcache comes: pickled, large values in files."""

    def __init__(self, folder: Path) -> None:
        self._cache: Any = importlib.import_module("diskcache").Cache(str(folder))
        self._index = Index()

    def commit(self, key: str, value: Any) -> None:
        """Set an entry that is named after the commit."""
        self._cache.set(self._index.add(key), value)

    def read(self, commit: int, key: str) -> Any:
        """Get the entry; it may have been evicted."""
        entry = self._index.commit_at(key, commit)
        value = self._cache.get(entry, default=self)
        if value is self:
            raise Gone(f"entry {entry} was evicted")
        return value

    def close(self) -> None:
        """Close the files."""
        self._cache.close()


class Objects:
    """A persistent object for every key, a transaction for every commit, in one file."""

    def __init__(self, folder: Path) -> None:
        # As it comes, it keeps a connection to every moment read for five minutes, and goes over
        # all of them to open the next: thousands of reads would measure each other.
        self._database: Any = importlib.import_module("ZODB").DB(
            str(folder / "objects.fs"), historical_timeout=0
        )
        self._mapping: Any = importlib.import_module("persistent.mapping").PersistentMapping
        self._connection = self._database.open()
        self._manager = self._connection.transaction_manager
        state = importlib.import_module("BTrees.OOBTree").OOBTree()
        self._connection.root()["state"] = state
        self._manager.commit()
        self._state = state
        self._tids = bytearray()

    def commit(self, key: str, value: Any) -> None:
        """Set the value in the key's object, and commit the transaction."""
        held = self._state.get(key)
        if held is None:
            self._state[key] = self._mapping({"value": value})
        else:
            held["value"] = value
        self._manager.commit()
        self._tids += self._database.lastTransaction()

    def read(self, commit: int, key: str) -> Any:
        """Open a connection as of that transaction, and read."""
        at = bytes(self._tids[commit * _TID : (commit + 1) * _TID])
        connection = self._database.open(at=at)
        try:
            return connection.root()["state"][key]["value"]
        finally:
            connection.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        self._database.close()
