"""What is written in ten lines where no library is at hand: lists of copies, bytes or maps."""

from __future__ import annotations

import importlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import ormsgpack

from peers.versions import Index

__all__ = ["DeepCopies", "Maps", "Serialized"]


class DeepCopies:
    """The whole state of every commit as a dict, in which only the changed value is a new copy."""

    def __init__(self, folder: Path) -> None:
        self._states: list[dict[str, Any]] = []
        self._state: dict[str, Any] = {}

    def commit(self, key: str, value: Any) -> None:
        """Copy the value deeply and the state shallowly."""
        self._state = dict(self._state)
        self._state[key] = deepcopy(value)
        self._states.append(self._state)

    def read(self, commit: int, key: str) -> Any:
        """Return the object in the list itself."""
        return self._states[commit][key]

    def close(self) -> None:
        """Nothing is open."""


class Serialized:
    """The bytes of every value in a list, and an index of which is whose."""

    def __init__(self, folder: Path) -> None:
        self._values: list[bytes] = []
        self._index = Index()

    def commit(self, key: str, value: Any) -> None:
        """Append its bytes."""
        self._index.add(key)
        self._values.append(ormsgpack.packb(value))

    def read(self, commit: int, key: str) -> Any:
        """Decode the newest bytes of the key up to that commit."""
        return ormsgpack.unpackb(self._values[self._index.commit_at(key, commit)])

    def close(self) -> None:
        """Nothing is open."""


class Maps:
    """An immutable map for every commit, which shares with the one before what did not change."""

    def __init__(self, folder: Path) -> None:
        # Imported here: the other two need no such package.
        self._map = importlib.import_module("immutables").Map()
        self._maps: list[Any] = []

    def commit(self, key: str, value: Any) -> None:
        """Keep a map with the value, the caller's own object, in it."""
        self._map = self._map.set(key, value)
        self._maps.append(self._map)

    def read(self, commit: int, key: str) -> Any:
        """Return the object in the map itself."""
        return self._maps[commit][key]

    def close(self) -> None:
        """Nothing is open."""
