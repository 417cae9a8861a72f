"""The table of names: the keys, nodes and tags a history mentions, each kept and paid for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.splices import fitted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Names"]


class Names:
    """Names, their numbers and how often they are used.

    A column of numbers says in eight bytes which name is meant. No number is given twice: one
    that is left over somewhere can mean no other name.

    Attributes:
        known: ``{name: (its number, how often it is used)}``.
        texts: ``{number: name}``; the one object that stands for all equal names.
        given: How many numbers were ever given; the next name has this one.
    """

    __slots__ = ("given", "known", "texts")

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, int]] = {}
        self.texts: dict[int, str] = {}
        self.given = 0

    def interned(self, name: str) -> str:
        """Return the one object kept for equal names; the name itself if it is not known."""
        known = self.known.get(name)
        return name if known is None else self.texts[known[0]]

    def put(self, names: Mapping[str, tuple[int, int]]) -> None:
        """Set the numbers and uses of names; one that nobody uses goes. Twice is once."""
        for name, (number, uses) in names.items():
            if uses:
                self.known[self.texts.setdefault(number, name)] = number, uses
            else:
                self.known.pop(name, None)
                self.texts.pop(number, None)

    def shrink(self) -> None:
        """Give back the room of names that are gone."""
        self.known = fitted(self.known)
        self.texts = fitted(self.texts)
