"""The laws of storage policies."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve

from backpack.spec.cases import Stored, Versions, version
from backpack.spec.drawing import cases
from backpack.spec.laws.law import LawBroken, law, require
from backpack.spec.laws.policy import PolicyFailed, answers, copies, growth, made
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.protocols import StoragePolicy
    from backpack.records import HeldVersion

__all__: list[str] = []

#: The header of a bytes object, which is not the policy's doing.
_HEADER = sys.getsizeof(b"")


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


def _hold(case: Versions, policy: StoragePolicy) -> list[HeldVersion]:
    with answers():
        return case.hold(policy)


@law("ST1", "storage", cases=cases)
def reads_back_what_it_was_given(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """What it reads back is exactly the bytes it was given."""
    policy = made(make)
    for each in case.stored:
        (held,) = _hold(Versions((each,)), policy)
        _require_same("ST1", each, _read(policy, held), "")
        # What it makes of a version is a version it may be given.
        again = evolve(each, encoded=bytes(held.data))
        (held,) = _hold(Versions((again,)), policy)
        _require_same("ST1", again, _read(policy, held), "")


@law("ST2", "storage", cases=cases)
def versions_stand_alone(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """A version reads back whatever became of the others, again and again, by any copy of it."""
    policy = made(make)
    held = _hold(case, policy)
    readers: list[tuple[str, Any]] = [("", policy), (" again", policy)]
    with suppress(Exception):  # Whether it can be copied is another law's question.
        readers += [(f" by {way}", copy) for way, copy in copies(policy)]
    readers.append((" by another of its kind", made(make)))
    pairs = [pair for pair in zip(case.stored, held, strict=True) if pair[0].lives]
    if case.backwards:
        pairs.reverse()
    for how, reader in readers:
        for each, data in pairs:
            try:
                read = _read(reader, data)
            except PolicyFailed as failed:
                why = f"{each.key!r} of commit {each.seq}, read back{how}: it raised {failed}."
                raise LawBroken("ST2", why) from failed.__cause__
            _require_same("ST2", each, read, how)


@law("ST3", "storage", cases=cases)
def holds_what_it_returns(make: Callable[[], StoragePolicy], case: Versions) -> None:
    """What ``hold`` returns is all that is held: its length is its memory."""
    for held in _hold(case, made(make)):
        data: object = held.data
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

    def hold(start: int, stop: int) -> list[bytes]:
        texts = (b"%d: " % at + b"once more %d, " % (at * at) * 40 for at in range(start, stop))
        return [
            policy.hold(version(Stored(f"key {seq % 9}", seq, text)))
            for seq, text in enumerate(texts, start + 1)
        ]

    with answers():
        held = sum(_HEADER + len(data) for data in hold(1_000, 4_000))
        grown = growth(hold)
    require(
        grown <= 1.1 * held + 100_000,
        "ST4",
        f"It returned {held:,} bytes for 3,000 versions, and memory grew by {grown:,}.",
    )
