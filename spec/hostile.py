"""Hostile policies: wrappers that behave until told to break their contract."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen, mutable

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
        Reference,
        SizedValue,
        SupersededVersion,
    )

__all__ = ["MISDEEDS", "Sabotage", "Saboteur"]

#: ``{axis: ways to break its contract}``.
MISDEEDS: Final = {
    "sizing": ("raise", "interrupt", "reenter", "negative", "text", "nothing"),
    "reference": ("raise", "interrupt", "reenter", "text"),
    "storage": ("raise", "interrupt", "reenter", "text", "nothing"),
    "pruning": (
        "raise",
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


class Sabotage(Exception):
    """What a hostile policy raises."""


@mutable
class Saboteur:
    """Decides which policy misbehaves next, and how.

    Attributes:
        backpack: Whom to re-enter.
        axis: The axis that misbehaves; None while all behave.
        misdeed: How; one of :data:`MISDEEDS`.
        fired: Whether it did.
        calls: How often a pruning policy was asked.
        watch: Called with every request to the pruning policy.
    """

    backpack: Backpack | None = None
    axis: str | None = None
    misdeed: str = ""
    fired: bool = False
    calls: int = 0
    watch: list[Callable[[PruneRequest], object]] = field(factory=list)

    def __deepcopy__(self, memo: object) -> Saboteur:
        return Saboteur()  # A fork's policies behave until they are told otherwise.

    def strikes(self, axis: str) -> str | None:
        """Return the misdeed if it is this axis' turn; common ones are done right here."""
        if self.axis != axis:
            return None
        self.fired = True
        if self.misdeed == "raise":
            raise Sabotage(f"the {axis} policy fails")
        if self.misdeed == "interrupt":
            raise KeyboardInterrupt
        if self.misdeed == "reenter" and self.backpack is not None:
            self.axis = None
            self.backpack.pack("intruder", True)
        return self.misdeed


_JUNK: Final[dict[str, Any]] = {"negative": -1, "text": "text", "nothing": None}


@frozen
class HostileSizing:
    """A sizing policy, until the saboteur strikes."""

    inner: SizingPolicy
    saboteur: Saboteur

    def __call__(self, new: NewValue) -> int:
        """Measure, or misbehave."""
        misdeed = self.saboteur.strikes("sizing")
        size: int = _JUNK[misdeed] if misdeed in _JUNK else self.inner(new)
        return size


@frozen
class HostileReference:
    """A reference policy, until the saboteur strikes."""

    inner: ReferencePolicy
    saboteur: Saboteur

    def __call__(self, value: SizedValue) -> Reference | None:
        """Decide, or misbehave."""
        misdeed = self.saboteur.strikes("reference")
        left: Reference | None = _JUNK[misdeed] if misdeed in _JUNK else self.inner(value)
        return left


@frozen
class HostileStorage:
    """A storage policy, until the saboteur strikes while it takes a version in."""

    inner: StoragePolicy
    saboteur: Saboteur

    def hold(self, version: SupersededVersion) -> bytes:
        """Hold, or misbehave."""
        misdeed = self.saboteur.strikes("storage")
        held: bytes = _JUNK[misdeed] if misdeed in _JUNK else self.inner.hold(version)
        return held

    def read(self, version: HeldVersion) -> bytes:
        """Read back."""
        return self.inner.read(version)


@frozen
class HostilePruning:
    """A pruning policy, until the saboteur strikes."""

    inner: PruningPolicy
    saboteur: Saboteur

    def __call__(self, request: PruneRequest) -> Iterable[str]:
        """Choose, or misbehave."""
        self.saboteur.calls += 1
        for look in self.saboteur.watch:
            look(request)
        misdeed = self.saboteur.strikes("pruning")
        if misdeed is None:
            return self.inner(request)
        good = [each.id for each in request.candidates]
        return self._misbehave(misdeed, request, good)

    def _misbehave(self, misdeed: str, request: PruneRequest, good: list[str]) -> Iterable[str]:
        backpack = self.saboteur.backpack
        retained = [] if backpack is None else backpack.history()
        never = f"{request.head.seq + 1}-{request.head.origin}"
        not_offered = [each.id for each in retained if each.id not in good]
        answers: dict[str, Any] = {
            "nothing": None,
            "text": good[0],
            "junk": [*good, 42],
            "stranger": [*good, never],
            "twice": [*good, good[0]],
            "head": [*good, request.head.id] if request.head.id not in good else [never],
            "pinned": [*good, *not_offered, never],
            "gone": [*good, f"1-{request.head.origin}", never],
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
