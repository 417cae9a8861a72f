"""The laws of pruning policies."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from backpack.spec.cases import Moment, Scene, View
from backpack.spec.drawing import cases
from backpack.spec.laws.law import LawBroken, Table, law, require
from backpack.spec.laws.policy import PolicyFailed, answered, answers, made
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.protocols import PruningPolicy
    from backpack.records import PruneRequest, RetainedCommit

__all__: list[str] = []

#: So many rows of a table are worth reading.
_ROWS: Final = 30
#: Retained commits in the smaller of two histories, and how much larger the other is.
_SMALL: Final = 100
_LARGER: Final = 4
#: What grows as n log n stays below this at four times n; what grows as n² reaches 16.
_MOST: Final = 8.0


def _shown(scene: Scene, offered: set[str]) -> Iterator[tuple[RetainedCommit, Moment]]:
    """Return the commits of a scene; its head only where it is offered."""
    yield from zip(scene.candidates(), scene.moments * scene.times, strict=True)
    head = scene.head()
    if head.id in offered:
        yield head, Moment()


def _table(scene: Scene, offered: set[str], chosen: list[Any]) -> Table:
    """Show a scene, and what a policy made of it."""
    rows: list[tuple[str, ...]] = [
        (
            str(each.commit.seq),
            each.id,
            f"{each.size:,}",
            "pinned" if moment.pinned else "",
            "offered" if each.id in offered else "",
            "chosen" if each.id in chosen else "",
        )
        for each, moment in _shown(scene, offered)
    ]
    if len(rows) > _ROWS:
        left = len(rows) - _ROWS
        rows = [*rows[: _ROWS // 2], (f"({left} more)", *[""] * 5), *rows[-_ROWS // 2 :]]
    return Table(("#", "commit", "bytes", "pinned", "offered", "chosen"), tuple(rows))


def _play(scene: Scene, policy: PruningPolicy, law_id: str, gives: bool | None = None) -> None:
    """Hold the laws of choosing against a scene: PR1, and PR2 if ``gives`` is told."""
    random.seed(0)
    needed = scene.needed
    request: PruneRequest
    with answers():
        for request, answer in scene.play(policy):
            left = {each.id: each.size for each in request.candidates}
            wrong = _wrong(left, answer)
            if wrong and law_id != "PR2":
                raise LawBroken(law_id, wrong, _table(scene, set(left), answer))
            freed = sum(size for commit_id, size in left.items() if commit_id in answer)
            needed -= freed
            if gives is True and not freed and left:
                why = f"It gave nothing more, with {needed:,} bytes needed and {len(left)} left."
                raise LawBroken(law_id, why, _table(scene, set(left), answer))
            if gives is False and freed:
                why = "It gave something here, and nothing of many commits that are all alike."
                raise LawBroken(law_id, why, _table(scene, set(left), answer))


def _wrong(left: dict[str, int], answer: list[Any]) -> str | None:
    """Say what is wrong with an answer; None if it is a choice of what was offered."""
    if len(answer) > len(left):
        return f"It chose more than the {len(left)} it was offered."
    seen: set[str] = set()
    for each in answer:
        if not isinstance(each, str) or each not in left:
            return f"It chose {described(each)}, which was not offered."
        if each in seen:
            return f"It chose {each!r} twice."
        seen.add(each)
    return None


def _gives(make: Callable[[], PruningPolicy]) -> bool:
    """Whether a policy gives anything of sixty commits that are all alike."""
    plain = Scene((Moment(),), times=60)
    with answers():
        return any(answer for _, answer in plain.play(made(make)))


@law("PR1", "pruning", cases=cases)
def chooses_what_is_offered(make: Callable[[], PruningPolicy], scene: Scene) -> None:
    """It chooses only what it is offered, and nothing twice."""
    _play(scene, made(make), "PR1")


@law("PR2", "pruning", cases=cases)
def goes_on_until_there_is_room(make: Callable[[], PruningPolicy], scene: Scene) -> None:
    """Where it gives commits up at all, it does until the need is met or none is left."""
    _play(scene, made(make), "PR2", gives=_gives(make))


_EDGES: Final = {
    "one commit": Scene((Moment(),)),
    "one commit that is looked at": Scene((Moment(accesses=3),)),
    "one tagged commit": Scene((Moment(tags=("decided",), by="planner"),)),
    "no commit but the head": Scene(()),
    "pinned commits only": Scene((Moment(pinned=True),), times=3),
    "equal times": Scene((Moment(after=0.0),), times=20, needed=12_000),
    "a clock that steps back": Scene((Moment(after=-60.0),), times=20, needed=12_000),
    "a clock that jumps about": Scene(
        (Moment(after=3600.0), Moment(after=-7200.0)), times=10, needed=12_000
    ),
    "a need of the whole budget": Scene((Moment(), Moment(size=400)), times=10, needed=14_000),
    "a need of more than there is": Scene((Moment(),), times=5, needed=6_000),
    "a need of one byte": Scene((Moment(),), times=5, needed=1),
}


@law("PR3", "pruning")
def copes_with_the_edges(make: Callable[[], PruningPolicy]) -> None:
    """It copes with one commit, only the head, equal times, a clock set back, a need of all."""
    try:
        gives = _gives(make)
    except (PolicyFailed, LawBroken):
        gives = None
    for name, scene in _EDGES.items():
        try:
            _play(scene, made(make), "PR3", gives=gives)
        except (LawBroken, PolicyFailed) as fault:
            why = fault.why if isinstance(fault, LawBroken) else f"It raised {fault}."
            table = fault.table if isinstance(fault, LawBroken) else None
            raise LawBroken("PR3", f"With {name}: {why}", table) from fault.__cause__


@law("PR4", "pruning")
def reads_in_proportion(make: Callable[[], PruningPolicy]) -> None:
    """Its work grows no faster than the history: with 4 times the commits, about 4 times."""
    small, large = _reads(made(make), _SMALL), _reads(made(make), _SMALL * _LARGER)
    if large > _MOST * max(small, _SMALL):
        raise LawBroken(
            "PR4",
            f"While a history of {_SMALL} commits is replaced by half, it reads {small:,} records; "
            f"with {_SMALL * _LARGER} it reads {large:,}, {large / small:.1f} times as many. "
            "Give up a share of the history at a time, or read only what you choose.",
        )


@law("PR5", "pruning", cases=lambda axis: st.tuples(cases(axis), cases(axis)))
def remembers_nothing(make: Callable[[], PruningPolicy], scenes: tuple[Scene, Scene]) -> None:
    """What it was asked before changes no answer."""
    scene, other = scenes
    policy = made(make)
    first = answered(scene, policy)
    answered(other, policy)
    later = answered(scene, policy)
    require(
        later == first,
        "PR5",
        lambda: f"It answered {first!r:.200}; asked the same later, {later!r:.200}.",
    )


def _reads(policy: PruningPolicy, number: int) -> int:
    """Count the records read while half as many packs need room for a commit each."""
    pattern = tuple(
        Moment(by="planner" if at % 3 else "worker", tags=("decided",) if at == 0 else ())
        for at in range(10)
    )
    commits = Scene(pattern, times=number // 5).candidates()
    scene, left, coming = Scene((Moment(),), times=number * 2), commits[:number], commits[number:]
    reads = 0
    random.seed(0)
    room = 0
    with answers():
        for arriving in coming[: number // 2]:
            while room < arriving.size and left:
                request = scene.request(left, arriving.size - room)
                chosen = set(policy(request))
                view = request.candidates
                reads += view.reads if isinstance(view, View) else 0
                rest = [each for each in left if each.id not in chosen]
                if len(rest) == len(left):
                    return reads
                room += sum(each.size for each in left if each.id in chosen)
                left = rest
            room -= arriving.size
            left = [*left, arriving]
    return reads
