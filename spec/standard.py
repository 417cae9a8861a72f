"""The Backpack that laws are tried in: little room, previews, deltas, haphazard pruning."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from attrs import frozen

from backpack.container import Backpack
from backpack.policies import Delta, Preview
from backpack.spec.temporary import temporary_archive

if TYPE_CHECKING:
    from backpack.records import NewValue, PruneRequest

__all__ = ["BUDGET", "LIMIT", "Haphazard", "standard_backpack"]

#: Its budget, in bytes.
BUDGET: Final = 8 * 1024
#: Its per-value limit, in bytes.
LIMIT: Final = 1024


@frozen
class Haphazard:
    """A pruning policy that chooses at random: any set of commits may go.

    Whatever can go wrong when commits are squashed goes wrong with this one, sooner or later.
    """

    def __call__(self, request: PruneRequest, /) -> list[str]:
        """Return one to all of the candidates."""
        candidates = [each.id for each in request.candidates]
        number = random.choice((1, 1, 2, max(1, len(candidates) // 2), len(candidates)))  # noqa: S311
        return random.sample(candidates, min(number, len(candidates)))


def measured(new: NewValue, /) -> int:
    """Measure a value as a little larger than its encoding, so that the two can be told apart.

    A little more where it supersedes another, so that it can be told which.
    """
    behind = 0 if new.previous is None else 1 + crc32(new.previous) % 4
    return len(new.encoded) + 7 + behind


def standard_backpack(**settings: Any) -> Backpack:
    """Return a new Backpack of 8 KiB that keeps values up to 1 KiB, old ones as deltas.

    Where these go to an archive, it is a temporary one.

    Args:
        **settings: What is to be different.

    Raises:
        ArchiveError: It has to have an archive, and what that needs is not installed.
    """
    if getattr(settings.get("reference"), "spills", False):
        settings = {"archive": temporary_archive(), **settings}
    return Backpack(
        **{
            "max_history_size": BUDGET,
            "reference": Preview(LIMIT, characters=200),
            "pruning": Haphazard(),
            "storage": Delta(span=4, least=1),
            "sizing": measured,
            **settings,
        }
    )
