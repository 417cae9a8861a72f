"""The laws of every Backpack, whatever its policies.

Those that can be seen between two operations are functions of a Backpack and of the
:class:`~backpack.spec.model.Model` of what was done to it; they look at nothing but what the
Backpack answers, :mod:`backpack.audit` aside. The others can only be seen while something is
done, and the state machine sees to them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from backpack.audit import (
    accounts,
    duplicates,
    has_archive,
    leanings,
    overweight,
    raw_bytes,
    retained,
    some,
)
from backpack.errors import BackpackError, CommitPruned, UnknownCommit
from backpack.spec.laws.law import CONTAINER, LAWS, LawBroken, law, proclaim, require
from backpack.spec.laws.shown import check_left_out, check_snapshot
from backpack.spec.sameness import same

if TYPE_CHECKING:
    from backpack.container import Backpack
    from backpack.spec.model import Model, Version

#: The part of the budget that may wait raw is one in so many.
_SHARES: Final = 16
#: So many equal versions share what is held, if they have no more bytes than that.
_EQUALS, _SHORT = 64, 4096

__all__ = ["check_laws", "hold"]


def check_laws(
    backpack: Backpack,
    model: Model,
    *,
    most: int | None = None,
    laws: Collection[str] | None = None,
) -> None:
    """Check every law that can be seen between two operations.

    Args:
        backpack: The Backpack.
        model: What was done to it.
        most: Look at so many retained commits and so many pruned ones, the newest, the oldest
            and some between, in place of all.
        laws: Only these; all if left out.

    Raises:
        LawBroken: One does not hold.
    """
    for each in LAWS.values():
        if CONTAINER in each.axes and each.check and (laws is None or each.id in laws):
            hold(each.id, each, backpack, model, most)


def hold(law_id: str, check: Callable[..., None], *evidence: object) -> None:
    """Check a law; what cannot even be looked at breaks it, too.

    Args:
        law_id: The law.
        check: What finds out: the law itself, or a part of it.
        *evidence: What that takes.

    Raises:
        LawBroken: It does not hold.
    """
    try:
        check(*evidence)
    except LawBroken:
        raise
    except Exception as error:
        why = f"Looking raised {type(error).__name__}: {error}"[:500]
        raise LawBroken(law_id, why) from error


# --- the budget ----------------------------------------------------------------------------------


@law("B1", CONTAINER)
def stays_in_budget(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """The history never takes more than its budget, at any observable instant."""
    usage = backpack.memory_usage()
    require(
        usage.history_bytes <= usage.peak_history_bytes <= usage.budget_bytes,
        "B1",
        lambda: (
            f"Now {usage.history_bytes}, peak {usage.peak_history_bytes}, "
            f"budget {usage.budget_bytes} bytes."
        ),
    )


@law("B2", CONTAINER)
def account_is_true(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """The running account equals a recount from scratch."""
    for fault in accounts(backpack):
        raise LawBroken("B2", fault)
    usage = backpack.memory_usage(by_key=True)
    told = {key: each.current_bytes for key, each in (usage.by_key or {}).items()}
    current = model.current()
    for key in told.keys() | current.keys():
        size = len(backpack.codec.encode(current[key], key)) if key in current else 0
        require(
            told.get(key) == size, "B2", f"{key!r} takes {size}, and is told as {told.get(key)}."
        )
    total = sum(told.values())
    require(total == usage.current_bytes, "B2", f"{total} bytes are told as {usage.current_bytes}.")


@law("B3", CONTAINER)
def account_covers_memory(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """Real memory is at most 1.10 times the account."""
    for fault in overweight(backpack, most):
        raise LawBroken("B3", fault)


@law("B4", CONTAINER)
def little_waits_raw(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """What waits raw for versions to lean on takes no more than a sixteenth of the budget.

    One version a key, where these are large; and none once anything is pruned.
    """
    raw, are_leaders = raw_bytes(backpack)
    share = backpack.memory_usage().budget_bytes // _SHARES
    require(raw <= share or are_leaders, "B4", f"{raw:,} bytes wait raw, {share:,} may.")


# --- snapshots -----------------------------------------------------------------------------------


@law("S1", CONTAINER)
def snapshots_are_exact(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """A snapshot of any retained commit equals the model's state, value for value, type for type.

    So do a diff of any two, a rollback and a fork.
    """
    for seq in some([commit.seq for commit in reversed(retained(backpack))], most):
        check_snapshot(backpack.snapshot(model.commits[seq - 1].commit), model)


@law("S2", CONTAINER)
def head_is_current(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """The snapshot of the head is the current state."""
    head = backpack.head
    if head is not None:
        shown, current = backpack.snapshot(head).to_dict(), dict(backpack)
        require(
            same(dict(sorted(shown.items())), dict(sorted(current.items()))),
            "S2",
            lambda: f"The head shows {shown!r:.300}, the state is {current!r:.300}.",
        )


proclaim(
    "S3",
    "No operation on the caller's objects, on what was read or on a fork changes the history or "
    "the current state.",
    CONTAINER,
)


@law("S4", CONTAINER)
def versions_are_those_visible(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """The versions held are exactly those visible from retained commits."""
    usage = backpack.memory_usage(by_key=True)
    visible = model.held({commit.seq for commit in retained(backpack)})
    require(usage.by_key is not None, "S4", "memory_usage(by_key=True) tells no keys.")
    held = {key: each.versions for key, each in (usage.by_key or {}).items() if each.versions}
    require(held == visible, "S4", lambda: f"Held {held}, visible {visible}.")
    total = sum(visible.values())
    require(usage.versions == total, "S4", f"It counts {usage.versions}, {total} are visible.")


@law("S5", CONTAINER)
def all_reach_the_ground(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """What a version leans on is held, and is so few others as the storage policy allows."""
    for fault in leanings(backpack):
        raise LawBroken("S5", fault)


@law("S6", CONTAINER)
def equal_versions_are_held_once(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """Where versions lean on others, equal ones of up to 4 KiB are held once, up to 64 of them."""
    for text in duplicates(backpack):
        if len(text) > _SHORT:  # It is found by a few of its bytes, or missed.
            continue
        made = [each for each in model.versions() if _encoded(backpack, each) == text]
        require(len(made) > _EQUALS, "S6", lambda: f"{text!r:.200} is held twice.")


def _encoded(backpack: Backpack, version: Version) -> bytes:
    return backpack.codec.encode(version.value, version.key)


# --- pruning -------------------------------------------------------------------------------------


@law("P1", CONTAINER)
def head_and_pinned_survive(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """The head and the pinned commits survive any policy."""
    stay = {commit.seq for commit in retained(backpack)}
    head = backpack.head
    require((0 if head is None else head.seq) == len(model.commits), "P1", f"The head is {head}.")
    require(head is None or head.seq in stay, "P1", "The head is not retained.")
    for seq in model.pinned:
        require(seq in stay, "P1", f"Pinned commit {seq} was pruned.")
    pins = backpack.memory_usage().pins
    require(pins == len(model.pinned), "P1", f"{pins} are pinned, not {sorted(model.pinned)}.")


@law("P2", CONTAINER)
def ids_are_answered_truly(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """A pruned commit says CommitPruned, one that never was says UnknownCommit.

    One that is archived is answered for; see A1.
    """
    stay = {commit.seq for commit in retained(backpack)}
    made = len(model.commits)
    usage = backpack.memory_usage()
    counts = usage.commits_made, usage.commits_retained, usage.commits_pruned
    require(counts == (made, len(stay), made - len(stay)), "P2", f"It counts {counts}.")
    pruned = [recorded.seq for recorded in model.commits if recorded.seq not in stay]
    for seq in [] if has_archive(backpack) else some(pruned, most):
        _require_error(backpack, model.commits[seq - 1].commit.id, CommitPruned)
    head = f"{made}-{model.code}"
    near = (f"{head} ", f" {head}", f"{head}\n", f"{head}-1", f"0{head}", f"+{head}", head.upper())
    for stranger in (f"{made + 1}-{model.code}", f"1-{model.code[::-1]}x", "HEAD", "", *near):
        if stranger != head:
            _require_error(backpack, stranger, UnknownCommit)


def _require_error(
    backpack: Backpack, commit_id: str, error: type[BackpackError], law_id: str = "P2"
) -> None:
    for what, look in (("snapshot", backpack.snapshot), ("diff", backpack.diff)):
        try:
            look(*[commit_id] * (1 + (what == "diff")))
        except BackpackError as raised:
            require(type(raised) is error, law_id, f"{commit_id!r} gave {raised!r}.")
        else:
            raise LawBroken(law_id, f"{commit_id!r} gave a {what}, not {error.__name__}.")


proclaim("P3", "A misbehaving policy changes nothing but the error.", CONTAINER)


@law("P4", CONTAINER)
def erased_is_gone(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """A commit that is erased is gone, from the archive too; all others are what they were."""
    listed = {commit.seq for commit in backpack.history()}
    left = sorted(model.erased & listed)
    require(not left, "P4", lambda: f"Erased, and listed: {left}.")
    for seq in some(sorted(model.erased), most):
        _require_error(backpack, model.commits[seq - 1].commit.id, CommitPruned, "P4")


# --- values --------------------------------------------------------------------------------------


@law("R1", CONTAINER)
def current_values_are_whole(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """Current values are always whole."""
    current = dict(backpack)
    require(
        same(dict(sorted(current.items())), dict(sorted(model.current().items()))),
        "R1",
        lambda: f"The state is {current!r:.300}, the model says {model.current()!r:.300}.",
    )
    require(same(backpack.to_dict(), current), "R1", "to_dict() gives others than items().")
    require(list(backpack) == list(current), "R1", "Iterating gives other keys than items().")
    require(len(backpack) == len(current), "R1", f"len() is {len(backpack)}.")


@law("R2", CONTAINER)
def references_tell(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """A reference tells size, reason and what helps; a still-current value is readable."""
    for seq in some([commit.seq for commit in reversed(retained(backpack))], most):
        check_left_out(backpack.snapshot(model.commits[seq - 1].commit), model)


# --- operations ----------------------------------------------------------------------------------

proclaim("F1", "An operation that raises leaves the state as it was before.", CONTAINER)
proclaim(
    "F2",
    "An operation raises nothing but the errors it documents, and they tell the truth.",
    CONTAINER,
)
proclaim(
    "X1",
    "An edit or a transaction never overwrites what changed meanwhile, and makes a commit only if "
    "it succeeds and changes something.",
    CONTAINER,
)


@law("C1", CONTAINER)
def commits_say_what_was_done(backpack: Backpack, model: Model, most: int | None = None) -> None:
    """A commit says what was done: its number, time, keys, kinds, sizes, node, tags and note."""
    history = [(commit, commit.keys) for commit in backpack.history()]
    for commit, _ in history:
        recorded = model.commits[commit.seq - 1].commit
        require(commit == recorded, "C1", lambda: f"{commit} was made as {recorded}.")
    asked = sorted({key for _, keys in history[:20] for key in keys})[:6]
    if asked and has_archive(backpack):  # Which is read anew for each.
        asked = [asked[len(history) % len(asked)]]
    for key in asked:
        told = backpack.history(key)
        expected = [commit for commit, keys in history if key in keys]
        require(told == expected, "C1", lambda: f"history({key!r}) tells {told}, not {expected}.")


proclaim(
    "E1",
    "Subscribers are told of every commit, pruning, reference and refusal, once and truly.",
    CONTAINER,
)
proclaim(
    "Q1",
    "A policy is told the truth: what is needed, used and offered, of what size and how often "
    "read; and a question that is over offers nothing.",
    CONTAINER,
)
