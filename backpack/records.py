"""The frozen records that pass between the parts: what happened, what is held, what is asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Literal, TypeAlias

from attrs import field, frozen

from backpack.errors import BackpackError

__all__ = [
    "Archived",
    "Change",
    "Commit",
    "Committed",
    "Diff",
    "Event",
    "HeldVersion",
    "KeyUsage",
    "LookedBack",
    "NewValue",
    "PruneRequest",
    "Pruned",
    "Reference",
    "Referenced",
    "Refused",
    "RetainedCommit",
    "SizedValue",
    "SupersededVersion",
    "Unavailable",
    "Usage",
    "digest",
]


def digest(encoded: bytes) -> str:
    """Return the BLAKE2b-128 digest of an encoded value, in hex."""
    return blake2b(encoded, digest_size=16).hexdigest()


# --- what happened ---------------------------------------------------------------------------


@frozen
class Change:
    """What one commit did to one key.

    Attributes:
        key: The key.
        kind: ``set`` to a new value, packed with the ``same`` value again, or ``removed``.
        size: Bytes of the value as the sizing policy measures it; 0 for a removal.
    """

    key: str
    kind: Literal["set", "same", "removed"]
    size: int = 0


@frozen
class Commit:
    """One change of one or more keys.

    Attributes:
        origin: The code of the Backpack that made it; every one of its ids ends with it.
        seq: Its number there: 1, 2, 3, ... without gaps.
        timestamp: When, in seconds since the epoch.
        changes: What it did, one entry a key.
        by: Which node made it, if it said.
        tags: Its labels, sorted.
        note: A remark, if there is one.
    """

    origin: str
    seq: int
    timestamp: float
    changes: tuple[Change, ...]
    by: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None

    @property
    def id(self) -> str:
        """Its name: short, unique, stable, fit for a command line (``412-k3fq7x``)."""
        return f"{self.seq}-{self.origin}"

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys it changed."""
        return tuple(change.key for change in self.changes)

    @property
    def time(self) -> datetime:
        """When, as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.timestamp, UTC)


@frozen
class Reference:
    """What history keeps in place of a value it left out.

    Attributes:
        size: The value's size in bytes, as the sizing policy measures it.
        digest: BLAKE2b-128 of the encoded value, in hex: equal values have equal digests.
        reason: Why it was left out.
        preview: The value's first characters, where the policy keeps some.
        spilled: Whether the value goes to the archive, from where snapshots read it.
    """

    size: int
    digest: str
    reason: str
    preview: str | None = None
    spilled: bool = False

    @classmethod
    def to(
        cls, value: SizedValue, reason: str, preview: str | None = None, *, spilled: bool = False
    ) -> Reference:
        """Return a reference to a value: its size and digest, why, and perhaps a preview."""
        return cls(value.size, digest(value.encoded), reason, preview, spilled)


@frozen
class Unavailable:
    """The answer of a snapshot for a value that history left out.

    Attributes:
        key: Whose value.
        size: Its size in bytes, as the sizing policy measured it.
        reason: Why it was left out.
        hint: What to do about it.
        digest: BLAKE2b-128 of the encoded value, in hex.
        preview: The value's first characters, where the policy keeps some.
    """

    key: str
    size: int
    reason: str
    hint: str
    digest: str
    preview: str | None = None

    def __str__(self) -> str:
        return f"{self.key!r} ({self.size:,} bytes) is not in history: {self.reason}; {self.hint}"


@frozen
class Diff:
    """What changed between two commits.

    Attributes:
        added: ``{key: value}`` of the keys only the second has.
        removed: ``{key: value}`` of the keys only the first has.
        changed: ``{key: (before, after)}`` of the keys whose value differs.
    """

    added: Mapping[str, object]
    removed: Mapping[str, object]
    changed: Mapping[str, tuple[object, object]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


# --- what is held ----------------------------------------------------------------------------


@frozen
class KeyUsage:
    """What one key takes.

    Attributes:
        current_bytes: Encoded bytes of its current value; 0 for a removed key.
        history_bytes: Bytes its superseded versions take in history.
        versions: How many superseded versions history holds.
    """

    current_bytes: int
    history_bytes: int
    versions: int


@frozen
class Usage:
    """What a Backpack takes, in bytes and in numbers.

    Attributes:
        current_bytes: Encoded bytes of the current values; outside the budget.
        history_bytes: Bytes of history: superseded versions and commit records, overhead included.
        budget_bytes: What history may take at most.
        peak_history_bytes: The most it took since it has this budget.
        commits_made: Commits made so far.
        commits_retained: Commits that snapshots still answer for.
        versions: Superseded versions held, tombstones of removed keys included.
        references: How many of them are references.
        pins: Commits that are pinned.
        keys: Keys in the current state.
        by_key: ``{key: KeyUsage}``, where asked for.
    """

    current_bytes: int
    history_bytes: int
    budget_bytes: int
    peak_history_bytes: int
    commits_made: int
    commits_retained: int
    versions: int
    references: int
    pins: int
    keys: int
    by_key: Mapping[str, KeyUsage] | None = None

    @property
    def headroom_bytes(self) -> int:
        """Bytes of the budget that are free."""
        return self.budget_bytes - self.history_bytes

    @property
    def commits_pruned(self) -> int:
        """Commits that history gave up."""
        return self.commits_made - self.commits_retained


# --- what a policy is asked ------------------------------------------------------------------


@frozen
class NewValue:
    """A value on its way in, as a sizing policy sees it.

    Attributes:
        key: The key it is packed under.
        value: The caller's own object: look, don't touch.
        encoded: Its encoded bytes.
        previous: The encoded bytes of the value it is to supersede; None if there is none.
    """

    key: str
    value: object
    encoded: bytes
    previous: bytes | None = None


@frozen
class SizedValue:
    """A value on its way in, as a reference policy sees it.

    Attributes:
        key: The key it is packed under.
        value: The caller's own object: look, don't touch.
        encoded: Its encoded bytes.
        size: Bytes, as the sizing policy measured it.
    """

    key: str
    value: object
    encoded: bytes
    size: int


@frozen
class SupersededVersion:
    """A version on its way into history, as a storage policy sees it.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        encoded: Its encoded bytes.
        base: The encoded bytes of a newer version that it may lean on: ``read`` gets the same.
            Only for a policy with a ``span``; None if it must stand alone.
    """

    key: str
    seq: int
    encoded: bytes
    base: bytes | None = None


@frozen
class HeldVersion:
    """A version in history, as a storage policy gets it back.

    Attributes:
        key: Whose value.
        seq: The number of the commit that set it.
        data: What the policy's ``hold`` returned for it.
        base: The encoded bytes that ``hold`` was given to lean on, if nothing is between; None
            if it stands alone.
        between: What is held of the versions between it and the base, the nearest to it first:
            it leans on the first of them, that on the second, and the last on the base.
    """

    key: str
    seq: int
    data: bytes
    base: bytes | None = None
    between: tuple[bytes, ...] = ()


@frozen
class RetainedCommit:
    """A commit a pruning policy may choose.

    Attributes:
        commit: The commit.
        size: Bytes that history holds on its behalf: its record, and the superseded versions
            that nobody older sees. Pruning it frees at most these; versions that the next
            retained commit also sees live on.
        accesses: How often a snapshot of it was opened, read or diffed.
        last_access: The number of the newest commit at the time of the last access; its own
            number if there was none.
    """

    commit: Commit
    size: int
    accesses: int = 0
    last_access: int = 0

    @property
    def id(self) -> str:
        """The commit's id: what a pruning policy returns."""
        return self.commit.id


@frozen
class PruneRequest:
    """The question to a pruning policy: which commits should go?

    Attributes:
        needed: Bytes that are still missing.
        budget: The history budget, in bytes.
        used: Bytes history would take with nothing more pruned.
        head: The newest commit.
        candidates: The commits it may choose, oldest first: neither the head nor a pinned one. In
            the last resort, where no other is left and a new commit needs room, the head alone.
            Read as little of it as will do: its records are made as it is iterated.
    """

    needed: int
    budget: int
    used: int
    head: Commit
    candidates: Collection[RetainedCommit]


# --- what subscribers are told ---------------------------------------------------------------


@frozen
class Committed:
    """A commit was made."""

    commit: Commit


@frozen
class Archived:
    """What had to be in the archive is durable there.

    Attributes:
        commits: How many commits were entered; 0 if only tags, pins or prunings were.
        seconds: How long that took.
    """

    commits: int
    seconds: float


@frozen
class LookedBack:
    """Somebody asked for the state as of a commit: a snapshot, a diff, a rollback or a fork.

    Attributes:
        commit: The id of the commit.
        answered: Whether it was there; False if history had given it up.
    """

    commit: str
    answered: bool


@frozen
class Pruned:
    """Commits were given up to make room, or erased.

    Attributes:
        commits: Their ids, oldest first.
        freed_bytes: Bytes of history that became free; below 0 where what a caller had erased was
            leant on by what takes more on its own.
        policy: The pruning policy that chose them; ``erase`` where a caller did.
    """

    commits: tuple[str, ...]
    freed_bytes: int
    policy: str


@frozen
class Referenced:
    """A value that was packed will be kept in history as a reference only.

    Attributes:
        commit: The id of the commit that set it.
        key: Its key.
        reference: Size, digest and reason.
    """

    commit: str
    key: str
    reference: Reference


@frozen
class Refused:
    """A change was refused; the state is as before.

    Attributes:
        error: Why.
        keys: The keys it would have changed.
    """

    error: BackpackError = field(eq=False)
    keys: tuple[str, ...] = ()


Event: TypeAlias = Archived | Committed | LookedBack | Pruned | Referenced | Refused
