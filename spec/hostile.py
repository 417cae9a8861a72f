"""Hostile policies: wrappers that behave until told to break their contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import evolve, field, mutable

from backpack.audit import retained
from backpack.errors import CommitPruned
from backpack.records import Reference

if TYPE_CHECKING:
    from backpack.container import Backpack
    from backpack.protocols import (
        PruningPolicy,
        ReferencePolicy,
        SizingPolicy,
        StoragePolicy,
    )
    from backpack.records import (
        HeldVersion,
        NewValue,
        PruneRequest,
        SizedValue,
        SupersededVersion,
    )

__all__ = ["MISDEEDS", "TRESPASSES", "Sabotage", "Saboteur", "hostile"]

#: ``{axis: ways to break its contract}``.
MISDEEDS: Final = {
    "sizing": ("raise", "raise ours", "interrupt", "reenter", "negative", "text", "nothing"),
    "reference": ("raise", "raise ours", "interrupt", "reenter", "text", "lie", "swap"),
    "storage": ("raise", "raise ours", "interrupt", "reenter", "text", "nothing"),
    "pruning": (
        "raise",
        "raise ours",
        "interrupt",
        "reenter",
        "nothing",
        "text",
        "junk",
        "stranger",
        "twice",
        "head",
        "pinned",
        "gone",
        "endless",
        "late",
    ),
}

#: Ways to change a Backpack from inside a policy that it asks.
TRESPASSES: Final[dict[str, Callable[[Backpack], object]]] = {
    "pack": lambda backpack: backpack.pack("intruder", True),
    # Clearing what is empty changes nothing.
    "clear": lambda backpack: backpack.clear() if backpack else backpack.pack("intruder", True),
    "tag": lambda backpack: backpack.tag(backpack.history()[0], "intruder"),
    "pin": lambda backpack: backpack.pin(backpack.history()[-1]),
    "read and pack": lambda backpack: _read_and_pack(backpack),
}


def _read_and_pack(backpack: Backpack) -> None:
    """Read all there is, which a policy may; then pack, which it may not."""
    for commit in retained(backpack):
        backpack.snapshot(commit).to_dict()
    backpack.pack("intruder", True)


Answer = TypeVar("Answer")


class Sabotage(Exception):
    """What a hostile policy raises."""


@mutable
class Saboteur:
    """Decides which policy misbehaves next, and how.

    Attributes:
        backpack: Whom to re-enter.
        axis: The axis that misbehaves; None while all behave.
        misdeed: How; one of :data:`MISDEEDS`.
        patience: How many questions it answers before.
        trespass: How it re-enters; one of :data:`TRESPASSES`.
        fired: Whether it did.
        lenient: Whether the reference policy lets everything into history for now.
        misled: What the storage policy was asked to read and had never held.
        asked: How many questions were put to policies.
        watch: Called with every request to the pruning policy.
    """

    backpack: Backpack | None = None
    axis: str | None = None
    misdeed: str = ""
    patience: int = 0
    trespass: str = "pack"
    fired: bool = False
    lenient: bool = False
    asked: int = 0
    misled: list[str] = field(factory=list)
    watch: list[Callable[[PruneRequest], object]] = field(factory=list)

    def __deepcopy__(self, memo: object) -> Saboteur:
        return Saboteur()  # A fork's policies behave until they are told otherwise.

    def strikes(self, axis: str) -> str | None:
        """Return the misdeed if it is this axis' turn; common ones are done right here."""
        self.asked += 1
        if self.axis != axis:
            return None
        if self.patience:
            self.patience -= 1
            return None
        self.fired = True
        if self.misdeed == "raise":
            raise Sabotage(f"the {axis} policy fails")
        if self.misdeed == "raise ours":
            raise CommitPruned(f"the {axis} policy says what is not its to say")
        if self.misdeed == "interrupt":
            raise KeyboardInterrupt
        if self.misdeed == "reenter" and self.backpack is not None:
            self.axis = None
            TRESPASSES[self.trespass](self.backpack)
        return self.misdeed


_JUNK: Final[dict[str, Any]] = {"negative": -1, "text": "text", "nothing": None}


def _ask(policy: Callable[..., Answer], question: object) -> Answer:
    """Ask a policy of the user's; one that ends the process only fails."""
    try:
        return policy(question)
    except (SystemExit, KeyboardInterrupt) as error:
        raise Sabotage(f"the policy raised {type(error).__name__}") from error


def _contained(answer: Iterator[Answer]) -> Iterator[Answer]:
    """Hand on what an iterator gives; one that ends the process only fails."""
    try:
        yield from answer
    except (SystemExit, KeyboardInterrupt) as error:
        raise Sabotage(f"the policy raised {type(error).__name__}") from error


@mutable(eq=False)
class HostileSizing:
    """A sizing policy, until the saboteur strikes."""

    inner: SizingPolicy
    saboteur: Saboteur

    def __call__(self, new: NewValue) -> int:
        """Measure, or misbehave."""
        misdeed = self.saboteur.strikes("sizing")
        size: int = _JUNK[misdeed] if misdeed in _JUNK else _ask(self.inner, new)
        return size


@mutable(eq=False)
class HostileReference:
    """A reference policy, until the saboteur strikes."""

    inner: ReferencePolicy
    saboteur: Saboteur

    def __call__(self, value: SizedValue) -> Reference | None:
        """Decide, or misbehave."""
        misdeed = self.saboteur.strikes("reference")
        if misdeed in _JUNK:
            left: Reference | None = _JUNK[misdeed]
            return left
        true = Reference.to(value, "hostile")
        if misdeed == "lie":
            return evolve(true, size=value.size + 1)
        if misdeed == "swap":
            return evolve(true, digest="0" * len(true.digest))
        return None if self.saboteur.lenient else _ask(self.inner, value)


@mutable(eq=False)
class HostileStorage:
    """A storage policy, until the saboteur strikes while it takes a version in or reads one.

    Attributes:
        told: What it was given to hold under a key and a number, alone or beside a base.
        held: ``{(what it held, beside which base): all that this was held of}``.
    """

    inner: StoragePolicy
    saboteur: Saboteur
    told: dict[tuple[str, int], bytes] = field(factory=dict)
    held: dict[tuple[bytes, bytes | None], set[bytes]] = field(factory=dict)

    def __deepcopy__(self, memo: dict[int, Any]) -> HostileStorage:
        inner, saboteur = deepcopy(self.inner, memo), deepcopy(self.saboteur, memo)
        held = {pair: {*texts} for pair, texts in self.held.items()}
        return type(self)(inner, saboteur, {**self.told}, held)

    def hold(self, version: SupersededVersion) -> bytes:
        """Hold, or misbehave."""
        misdeed = self.saboteur.strikes("storage")
        held: bytes = _JUNK[misdeed] if misdeed in _JUNK else _ask(self.inner.hold, version)
        self.told[version.key, version.seq] = version.encoded
        self.held.setdefault((held, version.base), set()).add(version.encoded)
        return held

    def read(self, version: HeldVersion) -> bytes:
        """Read back, or misbehave; what is asked for must be what was held, of what it says."""
        if self.told.get((version.key, version.seq)) not in self._texts(version):
            self.saboteur.misled.append(f"{version.key!r} of commit {version.seq}")
        misdeed = self.saboteur.strikes("storage")
        read: bytes = _JUNK[misdeed] if misdeed in _JUNK else _ask(self.inner.read, version)
        return read

    def _texts(self, version: HeldVersion) -> set[bytes]:
        """Return of what the data was held, if it was, beside what is said to be between."""
        bases: set[bytes] | set[None] | set[bytes | None] = {version.base}
        for data in (*reversed(version.between), version.data):
            bases = {text for base in bases for text in self.held.get((data, base), ())}
        return {text for text in bases if text is not None}


class HostileLeaningStorage(HostileStorage):
    """A storage policy that holds versions beside others, until the saboteur strikes."""

    @property
    def span(self) -> int:
        """Over how many versions at most one is read back."""
        return self.inner.span  # type: ignore[attr-defined, no-any-return]

    @property
    def least(self) -> int:
        """From how many encoded bytes on it is asked."""
        return getattr(self.inner, "least", 0)


@mutable(eq=False)
class HostilePruning:
    """A pruning policy, until the saboteur strikes."""

    inner: PruningPolicy
    saboteur: Saboteur

    def __call__(self, request: PruneRequest) -> Iterable[str]:
        """Choose, or misbehave."""
        for look in self.saboteur.watch:
            look(request)
        misdeed = self.saboteur.strikes("pruning")
        if misdeed is None:
            answer = _ask(self.inner, request)
            return _contained(answer) if isinstance(answer, Iterator) else answer
        good = [each.id for each in request.candidates]
        return self._misbehave(misdeed, request, good)

    def _misbehave(self, misdeed: str, request: PruneRequest, good: list[str]) -> Iterable[str]:
        backpack = self.saboteur.backpack
        stay = [] if backpack is None else retained(backpack)
        never = f"{request.head.seq + 1}-{request.head.origin}"
        # Of those it was not offered, one alone, so that nothing else gives it away.
        others = [each.id for each in reversed(stay) if each.id not in good]
        gone = f"1-{request.head.origin}"
        answers: dict[str, Any] = {
            "nothing": None,
            "text": good[0],
            "junk": [*good, 42],
            "stranger": [*good, never],
            "twice": [*good, good[0]],
            "head": [request.head.id if request.head.id not in good else never, *good],
            "pinned": [*(others[:1] or [never]), *good],
            "gone": [gone if gone not in good else never, *good],
            "endless": self._endless(good),
            "late": self._late(good),
            "reenter": good,
        }
        answer: Iterable[str] = answers[misdeed]
        return answer

    @staticmethod
    def _endless(good: list[str]) -> Iterator[str]:
        while True:
            yield from good

    @staticmethod
    def _late(good: list[str]) -> Iterator[str]:
        yield from good
        raise Sabotage("the pruning policy fails after its choice")


def hostile(backpack: Backpack, saboteur: Saboteur) -> dict[str, Any]:
    """Return the policies of a Backpack, as settings, in the saboteur's hands."""
    leans = hasattr(backpack.storage, "span")
    storage = HostileLeaningStorage if leans else HostileStorage
    return {
        "sizing": HostileSizing(backpack.sizing, saboteur),
        "reference": HostileReference(backpack.reference, saboteur),
        "storage": storage(backpack.storage, saboteur),
        "pruning": HostilePruning(backpack.pruning, saboteur),
    }
