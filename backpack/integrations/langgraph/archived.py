"""The checkpoints of a thread that are in the archive only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backpack.integrations.langgraph.loading import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backpack import Backpack
    from backpack.integrations.langgraph.ledger import Entry, Ledger
    from backpack.integrations.langgraph.records import Place

__all__ = ["Archived"]

#: So many of them are remembered once they were looked for.
_REMEMBERED: Final = 10_000


class Archived:
    """Finds checkpoints in the archive, by going through its commits where need be.

    Args:
        backpack: The Backpack of the thread, which has an archive.
        ledger: What history answers for.
    """

    def __init__(self, backpack: Backpack, ledger: Ledger) -> None:
        self._backpack = backpack
        self._ledger = ledger
        self._known: dict[Place, Entry] = {}
        #: What was looked for last and was not remembered, with those before it.
        self._looked: dict[Place, Entry] = {}
        self._is_all = False
        self._newest: dict[str, str] = {}
        for entry in self._look().values():
            self._remember(entry)

    def find(self, place: Place) -> Entry | None:
        """Return the entry of an archived checkpoint, if it is one."""
        found = self._known.get(place) or self._looked.get(place)
        if found is not None or self._is_all or place[1] > self._newest.get(place[0], ""):
            return found
        looked = self._look()
        if place in looked:
            # Whoever goes through them comes to those before it.
            places = list(looked)
            until = places.index(place) + 1
            near = places[max(0, until - _REMEMBERED) : until]
            self._looked = {each: looked[each] for each in near}
        return looked.get(place)

    def newest(self, namespace: str) -> Entry | None:
        """Return the entry of the newest archived checkpoint of a namespace."""
        name = self._newest.get(namespace)
        return None if name is None else self.find((namespace, name))

    def places(self) -> Iterator[Place]:
        """Iterate over all archived checkpoints."""
        return iter(list(self._known if self._is_all else self._look()))

    def add(self, entry: Entry) -> None:
        """Note that history gave up a checkpoint."""
        self._remember(entry)

    def remove(self, place: Place) -> None:
        """Note that a checkpoint is not in the archive only, or not at all."""
        self._known.pop(place, None)
        self._looked.pop(place, None)
        if self._newest.get(place[0]) == place[1]:
            others = (name for namespace, name in self.places() if namespace == place[0])
            newest = max((name for name in others if name != place[1]), default=None)
            if newest is None:
                del self._newest[place[0]]
            else:
                self._newest[place[0]] = newest

    def _look(self) -> dict[Place, Entry]:
        """Go through all commits, and return what is not in the ledger."""
        found = entries_of(reversed(self._backpack.history()))
        self._is_all = len(found) <= _REMEMBERED
        return {place: each for place, each in found.items() if self._ledger.find(place) is None}

    def _remember(self, entry: Entry) -> None:
        place = entry.namespace, entry.id
        self._known[place] = entry
        if entry.id > self._newest.get(entry.namespace, ""):
            self._newest[entry.namespace] = entry.id
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
            self._is_all = False
