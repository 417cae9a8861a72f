"""What a broken container is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from backpack.protocols import StoragePolicy
    from mutants.rewriting import PutIn

__all__ = ["BrokenContainer"]


@frozen
class BrokenContainer:
    """A Backpack with one bug.

    Attributes:
        law: The law that must kill it.
        put_in: Returns what every Backpack is broken within.
        storage: The storage policy of the Backpack that is tried; the standard one if left out.
    """

    law: str
    put_in: PutIn
    storage: StoragePolicy | None = None
