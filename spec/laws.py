"""The laws every Backpack keeps, by id, and how each is checked against the model.

A law is raised with :func:`require`, never with ``assert``, so that ``python -O`` changes no
verdict. Checks take a Backpack and the :class:`~backpack.spec.model.Model` of what was done to
it, and look at nothing but what the Backpack answers, :func:`backpack.audit.audit` aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backpack.audit import audit
from backpack.errors import BackpackError, CommitPruned, UnknownCommit, ValueUnavailable
from backpack.records import Unavailable
from backpack.spec.values import same

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.container import Backpack
    from backpack.snapshot import Snapshot
    from backpack.spec.model import Model

__all__ = ["LAWS", "LawBroken", "check_laws", "require"]

#: ``{id: sentence}``.
LAWS: Final = {
    "B1": "The history never takes more than its budget, at any observable instant.",
    "B2": "The running account equals a recount from scratch.",
    "S1": "A snapshot of any retained commit equals the model's state, value for value, "
    "type for type.",
    "S2": "The snapshot of the head is the current state.",
    "S3": "No operation on the caller's objects changes the history or the current state.",
    "S4": "The versions held are exactly those visible from retained commits.",
    "P1": "The head and the pinned commits survive any policy.",
    "P2": "A pruned commit says CommitPruned, one that never was says UnknownCommit.",
    "P3": "A misbehaving policy changes nothing but the error.",
    "R1": "Current values are always whole.",
    "R2": "A reference tells size and reason; a still-current value is readable.",
    "F1": "An operation that raises leaves the state as it was before.",
}


class LawBroken(AssertionError):
    """A law does not hold.

    Args:
        law: Its id.
        message: What was seen.
    """

    def __init__(self, law: str, message: str) -> None:
        super().__init__(f"{law} is broken: {LAWS[law]} {message}")
        self.law = law


def require(condition: object, law: str, message: str | Callable[[], str]) -> None:
    """Raise unless a condition holds.

    Args:
        condition: What must be true.
        law: The id of the law that says so.
        message: What was seen instead.

    Raises:
        LawBroken: The condition is false.
    """
    if not condition:
        raise LawBroken(law, message if isinstance(message, str) else message())


def check_laws(backpack: Backpack, model: Model, *, most: int | None = None) -> None:
    """Check every law that can be seen between two operations.

    Args:
        backpack: The Backpack.
        model: What was done to it.
        most: Look at so many retained commits and so many pruned ones, the newest, the oldest
            and some between, in place of all.

    Raises:
        LawBroken: One does not hold.
    """
    check_budget(backpack)
    check_current(backpack, model)
    check_commits(backpack, model, most=most)
    check_versions(backpack, model)
    check_snapshots(backpack, model, most=most)


def _some(seqs: list[int], most: int | None) -> list[int]:
    """Return all, or some: the oldest and the newest third of so many, and a third between."""
    if most is None or len(seqs) <= most:
        return seqs
    third = most // 3
    between = seqs[third:-third]
    return [*seqs[:third], *between[:: len(between) // third + 1], *seqs[-third:]]


def check_budget(backpack: Backpack) -> None:
    """B1 and B2: the account is within the budget, and true."""
    usage = backpack.memory_usage()
    require(
        usage.history_bytes <= usage.peak_history_bytes <= usage.budget_bytes,
        "B1",
        lambda: (
            f"Now {usage.history_bytes}, peak {usage.peak_history_bytes}, "
            f"budget {usage.budget_bytes} bytes."
        ),
    )
    for fault in audit(backpack):
        raise LawBroken("B2", fault)


def check_current(backpack: Backpack, model: Model) -> None:
    """R1: every current value reads back whole."""
    current = dict(backpack)
    require(
        same(dict(sorted(current.items())), dict(sorted(model.current().items()))),
        "R1",
        lambda: f"The state is {current!r:.300}, the model says {model.current()!r:.300}.",
    )
    require(list(backpack) == list(current), "R1", "Iterating gives other keys than items().")
    require(len(backpack) == len(current), "R1", f"len() is {len(backpack)}.")


def check_commits(backpack: Backpack, model: Model, *, most: int | None = None) -> None:
    """P1 and P2: who must be retained is, and every other id is answered for truthfully."""
    retained = {commit.seq: commit for commit in backpack.history()}
    head = backpack.head
    made = len(model.commits)
    require((0 if head is None else head.seq) == made, "P1", f"The head is {head}.")
    require(head is None or head.seq in retained, "P1", "The head is not retained.")
    for seq in model.pinned:
        require(seq in retained, "P1", f"Pinned commit {seq} was pruned.")
    usage = backpack.memory_usage()
    counts = usage.commits_made, usage.commits_retained, usage.commits_pruned
    require(counts == (made, len(retained), made - len(retained)), "P2", f"It counts {counts}.")
    for seq in retained:
        commit, recorded = retained[seq], model.commits[seq - 1].commit
        require(commit == recorded, "P2", lambda: f"{commit} was made as {recorded}.")
    pruned = [recorded.seq for recorded in model.commits if recorded.seq not in retained]
    for seq in _some(pruned, most):
        _require_error(backpack, model.commits[seq - 1].commit.id, CommitPruned)
    for stranger in (f"{made + 1}-{model.code}", f"1-{model.code[::-1]}x", "HEAD", ""):
        _require_error(backpack, stranger, UnknownCommit)


def _require_error(backpack: Backpack, commit_id: str, error: type[BackpackError]) -> None:
    try:
        backpack.snapshot(commit_id)
    except BackpackError as raised:
        require(type(raised) is error, "P2", f"{commit_id!r} gave {raised!r}.")
    else:
        raise LawBroken("P2", f"{commit_id!r} gave a snapshot, not {error.__name__}.")


def check_versions(backpack: Backpack, model: Model) -> None:
    """S4: nothing is held that nobody can see, and nothing seen is missing."""
    usage = backpack.memory_usage(by_key=True)
    visible = model.held({commit.seq for commit in backpack.history()})
    require(usage.by_key is not None, "S4", "memory_usage(by_key=True) tells no keys.")
    held = {key: each.versions for key, each in (usage.by_key or {}).items() if each.versions}
    require(held == visible, "S4", lambda: f"Held {held}, visible {visible}.")
    total = sum(visible.values())
    require(usage.versions == total, "S4", f"It counts {usage.versions}, {total} are visible.")


def check_snapshots(backpack: Backpack, model: Model, *, most: int | None = None) -> None:
    """S1, S2 and R2: every retained commit shows what the model remembers."""
    for seq in _some([commit.seq for commit in reversed(backpack.history())], most):
        check_snapshot(backpack.snapshot(model.commits[seq - 1].commit), model)
    head = backpack.head
    if head is not None:
        shown, current = backpack.snapshot(head).to_dict(), dict(backpack)
        require(
            same(dict(sorted(shown.items())), dict(sorted(current.items()))),
            "S2",
            lambda: f"The head shows {shown!r:.300}, the state is {current!r:.300}.",
        )


def check_snapshot(snapshot: Snapshot, model: Model) -> None:
    """S1 and R2, for a view of one retained commit."""
    seq = snapshot.commit.seq
    shown, expected = snapshot.to_dict(), model.state_at(seq)
    require(
        shown.keys() == expected.keys() == set(snapshot),
        "S1",
        lambda: f"Commit {seq} shows keys {sorted(shown)}, the model has {sorted(expected)}.",
    )
    require(len(snapshot) == len(expected), "S1", f"len() of commit {seq} is {len(snapshot)}.")
    for key, version in expected.items():
        value = shown[key]
        if not (version.left_out and model.is_superseded(version)):
            require(
                same(value, version.value),
                "R2" if version.left_out else "S1",
                lambda: f"Commit {seq} shows {key}={value!r:.200}, not {version.value!r:.200}.",
            )
            require(same(snapshot[key], value), "S1", "[] and to_dict() do not agree.")
            continue
        require(
            isinstance(value, Unavailable)
            and (value.key, value.size) == (key, version.size)
            and value.reason
            and value.hint,
            "R2",
            lambda: f"Commit {seq} shows {key}={value!r:.200} for a left-out value.",
        )
        try:
            read = snapshot[key]
        except ValueUnavailable as error:
            require(error.unavailable == value, "R2", f"[] says {error.unavailable}.")
        else:
            raise LawBroken("R2", f"snapshot[{key!r}] gave {read!r:.200} for a left-out value.")
