"""What wants of the history: a new commit, other remarks on old ones, another budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backpack.commits import Remarks
    from backpack.history import Current, Held
    from backpack.records import Commit

__all__ = ["Amendment", "Proposal", "Step"]


@define
class Step:
    """What a proposed commit does to the versions of one key.

    Attributes:
        key: The key.
        current: Its new version; None removes it.
        held: What history holds for the version it supersedes; None if there is none.
    """

    key: str
    current: Current | None
    held: Held | None


@frozen
class Amendment:
    """New tags for a retained commit, or that it must stay or may go again.

    Attributes:
        seq: Its number.
        remarks: What will be out of the ordinary about it.
        pinned: Whether it must stay.
    """

    seq: int
    remarks: Remarks
    pinned: bool


@define
class Proposal:
    """A change of the history: a new commit, new remarks on old ones, or another budget.

    Attributes:
        commit: The new commit, if there is one.
        steps: What it does, for the keys whose value it changes.
        amended: The new remarks.
        budget: What the history may take from then on, in bytes; None leaves that as it is.
    """

    commit: Commit | None = None
    steps: Sequence[Step] = ()
    amended: Sequence[Amendment] = ()
    budget: int | None = None
