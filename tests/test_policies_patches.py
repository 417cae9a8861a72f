"""Patches make exactly the text they were made of, also of patches of patches."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.policies.patches import PATCH, apply, make_patch, stretches

#: Texts that have much in common: a few blocks, in any order, with something in between.
BLOCKS = [bytes([65 + number]) * (7 * number) + os.urandom(40) for number in range(8)]
texts = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([*BLOCKS, b"", b"x", b"\x00" * 100]), max_size=8).map(b"".join),
)


def edited(text: bytes, seed: int) -> bytes:
    """Return a text with a few places changed, filled or emptied."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(chance.randrange(5)):
        at, width = chance.randrange(len(text) + 1), chance.choice((0, 1, 30))
        text = text[:at] + chance.randbytes(chance.choice((0, 1, 100))) + text[at + width :]
    return text


@given(text=texts, base=texts)
@example(text=b"", base=b"")
@example(text=b"", base=b"x" * 100)
@example(text=b"x" * 100, base=b"")
@example(text=b"a" * 99 + b"b", base=b"a" * 100)
def test_a_patch_makes_its_text(text: bytes, base: bytes) -> None:
    """What is in common and what is inserted are the whole text, whatever the two are."""
    assert text == apply([make_patch(text, stretches(text, base))], base)


@given(text=texts, base=texts)
def test_stretches_are_in_order_and_alike(text: bytes, base: bytes) -> None:
    """Stretches follow each other in both texts, without overlap, and are the same in both."""
    at = place = 0
    for start, first, length in stretches(text, base):
        assert start >= at
        assert first >= place
        assert length > 0
        assert text[start : start + length] == base[first : first + length]
        at, place = start + length, first + length


@given(seeds=st.lists(st.integers(0, 2**32), min_size=1, max_size=12), text=texts)
def test_patches_of_patches_make_the_first_text(seeds: list[int], text: bytes) -> None:
    """A whole chain of patches is carried out at once."""
    versions = [text]
    for seed in seeds:
        versions.append(edited(versions[-1], seed))
    patches = [make_patch(old, stretches(old, new)) for old, new in pairwise(versions)]
    for start in range(len(patches) + 1):
        assert versions[start] == apply(patches[start:], versions[-1])


@given(data=st.binary() | st.binary().map(lambda body: PATCH + body), base=st.binary(max_size=50))
def test_what_is_no_patch_is_refused(data: bytes, base: bytes) -> None:
    """Whatever is taken for a patch, it makes a text or is a ValueError."""
    with suppress(ValueError):
        assert isinstance(apply([data], base), bytes)


def test_a_patch_of_something_longer_is_refused() -> None:
    """A patch that copies what its base has not says so."""
    patch = make_patch(b"x" * 100, [(0, 0, 100)])
    with pytest.raises(ValueError, match=r"a patch copies up to byte 100 of a text of 99"):
        apply([patch], b"x" * 99)
    with pytest.raises(ValueError, match=r"b'no patch' is not how a patch starts"):
        apply([b"no patch"], b"")


@pytest.mark.parametrize("place", [0, 40_000, 99_000])
def test_one_change_in_a_large_text_is_small(place: int) -> None:
    """What is put in, taken out or changed anywhere costs its own bytes and little more."""
    base = random.Random(1).randbytes(100_000)  # noqa: S311
    for old, new in ((b"", b"y" * 50), (base[place : place + 300], b""), (b"1", b"2")):
        text = base[:place] + new + base[place + len(old) :]
        assert len(make_patch(text, stretches(text, base))) <= 100 + len(new)


def test_many_changes_are_found() -> None:
    """Thirty fields that change at once, and one that moves all behind it, are thirty stretches."""
    chance = random.Random(2)  # noqa: S311
    fields = [chance.randbytes(500) for _ in range(30)]
    base = b"".join(b"00000000" + field for field in fields)
    text = b"".join(b"%08d" % number + field for number, field in enumerate(fields, 1)) + b"!"
    assert len(make_patch(b"header" + text, stretches(b"header" + text, base))) < 1_000


def test_texts_with_nothing_in_common_are_given_up_early() -> None:
    """Where nothing is alike, few searches are made."""
    chance = random.Random(3)  # noqa: S311
    assert [] == stretches(chance.randbytes(100_000), chance.randbytes(100_000))
