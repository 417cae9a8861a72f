"""Drawing the cases that policies are asked: at random, and streams that never repeat."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import count, islice
from typing import Any, Final

from hypothesis import strategies as st

from backpack.spec.cases import Case, Moment, Scene, Shown, Stored, Versions
from backpack.spec.values import json_values, sized_value, values

__all__ = ["cases", "stream"]

_sizes: Final = st.sampled_from([1000, 400, 5000]) | st.integers(200, 3000)
#: Numbers of commits, and where they outgrow what somebody may have thought enough for them.
_NUMBERS: Final = (1, 2, 120, 250, 65_530, 2**31 - 3, 2**32)
_numbers: Final = st.sampled_from(_NUMBERS)
_moments: Final = st.builds(
    Moment,
    size=_sizes,
    after=st.sampled_from([1.0, 0.0, 60.0, -30.0, 3600.0]),
    by=st.sampled_from([None, "planner", "worker", "drafter"]),
    tags=st.sampled_from([(), (), ("decided",), ("draft",), ("decided", "draft")]),
    keys=st.sampled_from([("plan",), ("messages",), ("messages", "plan"), ("k",)]),
    accesses=st.sampled_from([0, 0, 0, 1, 2, 7]),
    pinned=st.sampled_from([False, False, False, True]),
)
_alike: Final = st.builds(
    lambda text, number, at: (text * number + str(at)).encode(),
    st.sampled_from(["a", "the message list, again: ", "é"]),
    st.sampled_from([0, 1, 40, 40, 2000, 50_000]),
    st.integers(0, 99),
)
_first_bytes: Final = st.integers(0, 255).map(lambda byte: bytes([byte]))
_marked: Final = st.builds(bytes.__add__, _first_bytes, _alike)
_chunks: Final = st.one_of(_alike, _marked, st.binary(max_size=40), st.just(b""))
_SMALL: Final = 20_000
_stored_keys: Final = st.sampled_from(["plan", "messages"])
_lives: Final = st.sampled_from([True, True, False])


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Return histories of up to some hundred commits, and needs from a byte to everything."""
    moments = draw(st.lists(_moments, min_size=1, max_size=12))
    times = draw(st.integers(1, 30))
    whole = sum(moment.size for moment in moments if not moment.pinned) * times
    needed = draw(st.sampled_from([1000, 1, max(1, whole // 2), max(1, whole), whole + 1]))
    return Scene(tuple(moments), times, needed, draw(_numbers))


def shown_values(axis: str) -> st.SearchStrategy[Shown]:
    """Return values of every kind, small and large, some of them under one key."""
    large = st.builds(
        sized_value, st.sampled_from([1024, 9000, 1024, 9000, 120_000]), st.integers(0, 3)
    )
    plain = json_values(max_leaves=6)
    shared = st.one_of(st.text(min_size=2), large, plain).map(lambda value: [value, value])
    sets = st.sampled_from([8, 64, 800]).map(lambda number: set(range(0, 8 * number, 8)))
    each = st.one_of(plain, plain, large, values(6), shared, sets)
    pairs = st.lists(st.tuples(st.sampled_from(["plan", "messages", "k"]), each), min_size=1)
    some = st.builds(tuple, pairs.map(lambda pairs: pairs[:6]))
    return st.builds(Shown, st.just(axis), some, st.sampled_from([1, 1, 3]))


def _edited(text: bytes, other: bytes, how: str, at: int) -> bytes:
    """Return the text of the next version, as agents make it of the last."""
    place = at * len(text) // 8
    match how:
        case "grown":
            return text + other
        case "shifted":
            return other + text
        case "edited":
            return text[:place] + other + text[place + len(other) :]
        case "cut":
            return text[place:]
        case "turned":
            return text[place:] + text[:place]
    return text


_edits: Final = st.tuples(
    st.sampled_from(["grown", "equal", "edited", "shifted", "cut", "turned", "other"]),
    st.one_of(st.sampled_from([b"and more", b"x"]), st.binary(max_size=9), _chunks),
    st.integers(0, 8),
)


@st.composite
def stored_versions(draw: st.DrawFn) -> Versions:
    """Return versions of a few keys: some like the one before, as versions are; some like none."""
    number, start = draw(st.integers(1, 8)), draw(_numbers)
    alike = draw(st.booleans())
    stored: list[Stored] = []
    for seq in range(start, start + number):
        if alike and stored:
            how, other, at = draw(_edits)
            last = stored[-1].encoded
            text = other if how == "other" else _edited(last, other, how, at)
        else:
            text = draw(_chunks)
        stored.append(Stored(draw(_stored_keys), seq, text, draw(_lives)))
    # A long chain of long versions would take long.
    is_small = sum(len(each.encoded) for each in stored) < _SMALL
    times = draw(st.sampled_from([1, 13])) if is_small else 1
    return Versions(tuple(stored), draw(st.booleans()), times)


@cache
def cases(axis: str) -> st.SearchStrategy[Any]:
    """Return cases for an axis."""
    if axis == "pruning":
        return scenes()
    return stored_versions() if axis == "storage" else shown_values(axis)


def stream(axis: str, number: int) -> Iterator[Case]:
    """Make cases without end that are all different, each of one question or a few.

    Args:
        axis: The axis.
        number: How many.
    """
    for at in islice(_fresh, number):
        if axis == "pruning":
            moment = Moment(size=400 + at % 7, by=f"node {at % 3}", after=1.0 + at)
            yield Scene((moment,), times=3, needed=300)
        elif axis == "storage":
            text = b"%d: " % at + b"text " * 120
            yield Versions((Stored(f"key {at % 50}", at + 1, text),), times=2)
        else:
            yield Shown(axis, ((f"key {at % 50}", f"{at}: " + "text " * 50),))


#: What makes each case of a stream differ from all before it in this process.
_fresh: Final = count()
