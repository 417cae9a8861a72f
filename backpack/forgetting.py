"""Forgetting on request: a smaller budget, and commits that go for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backpack.errors import ArchiveError, BudgetError, ConflictError, PolicyError
from backpack.proposal import Proposal
from backpack.records import Refused
from backpack.settings import check_least

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from backpack.engine import Engine, Staged
    from backpack.labels import Labels
    from backpack.records import Commit, Event

__all__ = ["erase", "resize"]


def resize(engine: Engine, budget: int) -> None:
    """Do what :meth:`Backpack.resize <backpack.container.Backpack.resize>` does.

    Args:
        engine: The engine.
        budget: What its history may take from now on, in bytes.
    """
    check_least(budget)
    with engine.lock:
        engine.guard.check()
        engine.history.settle()
        events = _told(engine, Proposal(budget=budget))
    engine.events.emit(events)


def erase(
    engine: Engine,
    commits: Iterable[Commit | str],
    replacing: tuple[Mapping[str, Staged | None], Labels] | None = None,
) -> Commit | None:
    """Do what :meth:`Backpack.erase <backpack.container.Backpack.erase>` does.

    Args:
        engine: The engine.
        commits: Commits or their ids.
        replacing: The changes and labels of a commit that comes in their place.

    Returns:
        The commit that came.
    """
    with engine.lock:
        engine.guard.check()
        engine.history.settle()
        going = _erasable(engine, commits, newest=replacing is not None)
        if replacing is not None:
            return engine.commit(*replacing, going)
        events = _told(engine, Proposal(), going) if going else []
    engine.events.emit(events)
    return None


def _told(engine: Engine, proposal: Proposal, leaving: Collection[int] = ()) -> list[Event]:
    """Apply a proposal; return what is to be told of it, or tell that it was refused."""
    try:
        return engine.apply(proposal, leaving)
    except (ArchiveError, BudgetError, PolicyError) as error:
        engine.events.emit([Refused(error)])
        raise


def _erasable(engine: Engine, commits: Iterable[Commit | str], *, newest: bool) -> set[int]:
    """Return the numbers of commits that may be erased.

    Args:
        engine: The engine.
        commits: Commits or their ids.
        newest: Whether the newest may be one of them.

    Raises:
        CommitPruned: One of them is gone already.
        UnknownCommit: One of them is no commit of this Backpack.
        ConflictError: One of them is the newest, or pinned.
    """
    going: set[int] = set()
    for which in commits:
        logged = engine.reader.archived(which)
        if logged is not None:
            seq, pinned = logged.commit.seq, logged.pinned
        else:
            index = engine.reader.find(which)
            columns = engine.history.commits.columns
            seq, pinned = columns.seq[index], bool(columns.pinned[index])
        if pinned or (seq == engine.history.made and not newest):
            why = "is pinned: unpin it first" if pinned else "is the newest, and stays"
            raise ConflictError(f"commit {seq}-{engine.code} {why}; nothing was erased")
        going.add(seq)
    return going
