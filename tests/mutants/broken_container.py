"""What a broken container is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from mutants.rewriting import PutIn

__all__ = ["BrokenContainer"]


@frozen
class BrokenContainer:
    """A Backpack with one bug.

    Attributes:
        law: The law that must kill it.
        put_in: Returns what every Backpack is broken within.
    """

    law: str
    put_in: PutIn
