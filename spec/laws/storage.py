"""The laws of storage policies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve

from backpack.records import HeldVersion
from backpack.spec.cases import Stored, Versions, span_of, version
from backpack.spec.drawing import cases
from backpack.spec.laws.law import LawBroken, NotApplicable, law, require
from backpack.spec.laws.policy import PolicyFailed, answers, copies, growth, made
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.protocols import StoragePolicy

__all__: list[str] = []

#: The header of a bytes object, which is not the policy's doing.
_HEADER = sys.getsizeof(b"")
#: Thousands of versions that are longer would take more memory than a check should.
_LARGE = 16 * 1024


def _require_same(law_id: str, stored: Stored, data: object, how: str) -> None:
    if type(data) is not bytes:
        raise LawBroken(law_id, f"Of {stored.encoded!r:.100} it read back {described(data)}.")
    require(
        data == stored.encoded,
        law_id,
        lambda: (
            f"{stored.key!r} of commit {stored.seq}, {stored.encoded!r:.100} "
            f"({len(stored.encoded):,} bytes), was read back{how} as {data!r:.100} "
            f"({len(data):,} bytes)."
        ),
    )


def _read(policy: StoragePolicy, held: HeldVersion) -> object:
    with answers():
        return policy.read(held)


def _hold(policy: StoragePolicy, each: Stored, base: bytes | None) -> HeldVersion:
    with answers():
        return HeldVersion(each.key, each.seq, policy.hold(version(each, base)), base)


@law("ST1", "storage", cases=cases)
def reads_back_what_it_was_given(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """What it reads back is exactly the bytes it was given."""
    policy = made(make)
    least = getattr(policy, "least", 0) if span_of(policy) else 0
    for each, base in case.pairs(policy):
        held = _hold(policy, each, base)
        _require_same("ST1", each, _read(policy, held), "")
        # What it makes of a version is a version it may be given.
        again = evolve(each, encoded=bytes(held.data))
        for beside in {base, None} if len(again.encoded) >= least else ():
            _require_same("ST1", again, _read(policy, _hold(policy, again, beside)), "")


@law("ST2", "storage", cases=cases)
def versions_stand_alone(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """A version reads back whatever became of the others, again and again, by any copy of it.

    Of what it leans on, if it does, only what it is given with the question is left.
    """
    policy = made(make)
    with answers():
        kept = case.kept(policy, case.hold(policy))
    readers: list[tuple[str, Any]] = [("", policy), (" again", policy)]
    with suppress(Exception):  # Whether it can be copied is another law's question.
        readers += [(f" by {way}", copy) for way, copy in copies(policy)]
    readers.append((" by another of its kind", made(make)))
    for how, reader in readers:
        for each, data in kept:
            over = f" over {len(data.between) + 1} others" if data.base is not None else ""
            try:
                read = _read(reader, data)
            except PolicyFailed as failed:
                why = (
                    f"{each.key!r} of commit {each.seq}, read back{how}{over}: it raised {failed}."
                )
                raise LawBroken("ST2", why) from failed.__cause__
            _require_same("ST2", each, read, how + over)


@law("ST3", "storage", cases=cases)
def holds_what_it_returns(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """What ``hold`` returns is all that is held: its length is its memory."""
    policy = made(make)
    for each, base in case.pairs(policy):
        data: object = _hold(policy, each, base).data
        if type(data) is not bytes:
            raise LawBroken("ST3", f"It returned {described(data)}, not bytes.")
        size = sys.getsizeof(data)
        require(
            size == _HEADER + len(data),
            "ST3",
            f"It returned {len(data):,} bytes that take {size:,} of memory.",
        )


@law("ST4", "storage")
def holds_nothing_beside(make: Callable[[], StoragePolicy]) -> None:
    """It keeps nothing of a version beside what it returns."""
    policy = made(make)
    least = getattr(policy, "least", 0) if span_of(policy) else 0
    if least > _LARGE:
        raise NotApplicable(f"it is not asked about less than {least:,} bytes")
    times = 40 + least // 12

    def hold(start: int, stop: int) -> list[bytes]:
        texts = [b"%d: " % at + b"once more %d, " % (at * at) * times for at in range(start, stop)]
        bases = [*texts[1:], None] if span_of(policy) else [None] * len(texts)
        return [
            policy.hold(version(Stored(f"key {seq % 9}", seq, text), base))
            for seq, (text, base) in enumerate(zip(texts, bases, strict=True), start + 1)
        ]

    with answers():
        held = sum(_HEADER + len(data) for data in hold(1_000, 4_000))
        grown = growth(hold)
    require(
        grown <= 1.1 * held + 100_000,
        "ST4",
        f"It returned {held:,} bytes for 3,000 versions, and memory grew by {grown:,}.",
    )


@law("ST5", "storage", cases=cases)
def leaning_depends_on_bytes_alone(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """What it holds of a version beside another depends on nothing but the bytes of the two."""
    policy, other = made(make), made(make)
    if not span_of(policy):
        raise NotApplicable("it has no span, and holds every version alone")
    pairs = [(each, base) for each, base in case.pairs(policy) if base is not None]
    first = [_hold(policy, each, base).data for each, base in pairs]
    for (each, base), data in zip(pairs[::-1], first[::-1], strict=True):
        renamed = Stored(f"{each.key}, or another", each.seq + 1, each.encoded)
        for holder in (policy, other):
            again = _hold(holder, renamed, base).data
            require(
                again == data,
                "ST5",
                lambda: (
                    f"{each.encoded!r:.100} beside {base!r:.100} was held as {data!r:.100}, "
                    f"under another key later as {again!r:.100}."
                ),
            )
