"""The laws of Backpacks with an archive; they say nothing of others.

An archive takes what history gives up, so that nothing is lost; and it is what a Backpack is made
again of, after it was closed or killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backpack.audit import has_archive, retained
from backpack.spec.laws.container import hold
from backpack.spec.laws.law import ARCHIVE, CONTAINER, LAWS, LawBroken, law, proclaim, require
from backpack.spec.laws.shown import check_left_out, check_shown, check_snapshot

if TYPE_CHECKING:
    from backpack.container import Backpack
    from backpack.spec.model import Model

__all__ = ["check_made_again"]

#: Of so many archived commits that could be looked at, one is.
_RARELY: Final = 6
#: The laws about what a Backpack answers; the others are about what it takes, and does.
_ANSWERS: Final = ("S1", "S2", "P1", "P2", "P4", "R1", "R2", "C1", "A1")


@law("A1", CONTAINER, ARCHIVE)
def nothing_is_lost(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """Every commit is either retained or archived, and an archived one shows what it showed.

    So do a diff with one, a rollback to it, a fork of it and a view that was opened before. One
    that was erased is neither.
    """
    if not has_archive(backpack):
        return
    told = backpack.history()
    made = [each.commit for each in reversed(model.commits) if each.seq not in model.erased]
    require(
        told == made,
        "A1",
        lambda: (
            f"Of commits {made[-1].seq if made else 0} to {len(made)} it lists "
            f"{[each.seq for each in told]}, {sum(each not in made for each in told)} of them as "
            "they never were."
        ),
    )
    stay = {commit.seq for commit in retained(backpack)}
    archived = [each.seq for each in reversed(made) if each.seq not in stay]
    if most is not None and archived:  # Reading them takes time: another one each time.
        archived = archived[len(made) % len(archived) :: len(archived) * _RARELY // most + 1]
    for seq in archived:
        snapshot = backpack.snapshot(model.commits[seq - 1].commit.id)
        require(snapshot.archived, "A1", f"Commit {seq} is not retained, nor said to be archived.")
        require(
            snapshot.commit == model.commits[seq - 1].commit,
            "A1",
            lambda: f"Commit {seq} is {snapshot.commit}, not {model.commits[seq - 1].commit}.",
        )
        if seq == archived[0]:
            check_snapshot(snapshot, model, "A1")
            check_left_out(snapshot, model, "A1")
        else:
            check_shown(snapshot.to_dict(), seq, model, "A1")


proclaim(
    "A2",
    "What is closed and opened again, or saved and restored, gives the same answers to everything.",
    CONTAINER,
    ARCHIVE,
)
proclaim(
    "A3",
    "After a crash all that was durable by its settings is there, up to some commit, and nothing "
    "is wrong.",
    CONTAINER,
    ARCHIVE,
)


def check_made_again(
    backpack: Backpack, model: Model, law_id: str, most: int | None = None
) -> None:
    """A2 and A3: what was made again answers what the model knows.

    Args:
        backpack: The Backpack that was made again.
        model: What was done to the one before, as far as it was to be kept.
        law_id: Which of the two laws says so.
        most: How many retained and archived commits are looked at; all if left out.
    """
    require(backpack.code == model.code, law_id, f"Its code was {model.code}, is {backpack.code}.")
    for each in _ANSWERS:
        try:
            hold(each, LAWS[each], backpack, model, most)
        except LawBroken as broken:
            raise LawBroken(law_id, f"{each} does not hold any more: {broken.why}") from broken
