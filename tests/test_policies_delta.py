"""Differences read back exactly, over however many versions, and are small where little differs."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

import backpack.policies.delta
from backpack.errors import ConfigError, CorruptError
from backpack.policies import Delta
from backpack.policies.frames import FRAME, RAW, compress, decompress
from backpack.policies.patches import PATCH
from backpack.protocols import StoragePolicy
from backpack.records import HeldVersion, SupersededVersion

DELTA = Delta()
#: What a patch takes beside what it copies and inserts; that of a text of nothing is no smaller.
EMPTY_PATCH = 9
PATCH_FRAME = b"\x03"

WORDS = [f"{number:x}{number * 7919:x}" for number in range(500)]


def hold(encoded: bytes, base: bytes | None = None, delta: Delta = DELTA) -> bytes:
    """What is held of a version, alone or beside its base."""
    return delta.hold(SupersededVersion("key", 7, encoded, base))


def read(data: bytes, base: bytes | None = None, between: tuple[bytes, ...] = ()) -> bytes:
    """What is made of what is held."""
    return DELTA.read(HeldVersion("key", 7, data, base, between))


def messages(count: int) -> list[bytes]:
    """Messages of about a kilobyte as agents write them, none like another."""
    words = random.Random(count)  # noqa: S311
    texts = (" ".join(words.choices(WORDS, k=words.randrange(100, 120))) for _ in range(count))
    return [json.dumps({"role": "user", "content": text}).encode() for text in texts]


def edited(text: bytes, seed: int) -> bytes:
    """Return a text with a few places changed, filled or emptied."""
    chance = random.Random(seed)  # noqa: S311
    for _ in range(chance.randrange(5)):
        at, width = chance.randrange(len(text) + 1), chance.choice((0, 1, 30))
        text = text[:at] + chance.randbytes(chance.choice((0, 1, 100))) + text[at + width :]
    return text


def windows(count: int, width: int, messages: Sequence[bytes]) -> list[bytes]:
    """Return windows of so many messages, each one further than the one before."""
    return [b",".join(messages[at : at + width]) for at in range(count)]


CHATTER = messages(60)
RANDOM = random.Random(5).randbytes(20_000)  # noqa: S311
BLOCKS = [CHATTER[number] for number in range(4)] + [RANDOM[:6000], RANDOM[6000:6010], b"", b"x"]
#: Texts that have something in common, much or nothing.
texts = st.one_of(
    st.binary(max_size=12),
    st.binary(max_size=300),
    st.lists(st.sampled_from(BLOCKS), max_size=6).map(b"".join),
)

KINDS = ("anything", "edited", "growing", "emptied", "window", "field", "and back")


@st.composite
def versions(draw: st.DrawFn) -> list[bytes]:
    """Draw the versions of a key, oldest first, as agents and others make them."""
    kind = draw(st.sampled_from(KINDS))
    count = draw(st.integers(1, 12))
    if kind == "anything":
        return draw(st.lists(texts, min_size=1, max_size=12))
    if kind == "edited":
        made = [draw(texts)]
        for seed in draw(st.lists(st.integers(0, 2**32), min_size=count, max_size=count)):
            made.append(edited(made[-1], seed))
        return made
    if kind == "growing":
        return [b"%d" % size + b",".join(CHATTER[:size]) for size in range(count)]
    if kind == "emptied":
        return [RANDOM + b"".join(CHATTER[: 5 * left]) for left in range(count, -1, -1)]
    if kind == "window":
        return windows(count, draw(st.integers(1, 5)), CHATTER)
    if kind == "field":
        at = draw(st.integers(0, 5000))
        return [RANDOM[:at] + b"%d" % number + RANDOM[at:8000] for number in range(count)]
    first, second = draw(texts), draw(texts)
    return [first, second] * count


def of(held: bytes) -> str:
    """Return in a word what is held."""
    return {RAW: "bytes", FRAME: "a frame", PATCH: "a patch", PATCH_FRAME: "a framed patch"}[
        held[:1]
    ]


@given(encoded=texts)
@example(encoded=b"")
@example(encoded=b"\x02" * 100)
def test_what_is_held_alone_reads_back(encoded: bytes) -> None:
    """A version that leans on nothing is itself, at the price of one byte at most."""
    held = hold(encoded)
    event(of(held))
    assert encoded == read(held)
    assert len(held) <= len(encoded) + 1


@given(encoded=texts, base=texts)
@example(encoded=b"", base=b"")
@example(encoded=b"", base=RANDOM)
@example(encoded=RANDOM, base=b"")
@example(encoded=RANDOM, base=RANDOM)
@example(encoded=RANDOM, base=RANDOM[:7])
@example(encoded=RANDOM[:24], base=RANDOM[:24])
@example(encoded=RANDOM[:31] + b"x" * 10, base=RANDOM[:31])
@example(encoded=RANDOM, base=RANDOM[:15_500])
@example(encoded=RANDOM[:15_500] + b"x" * 4500, base=RANDOM[:15_500])
def test_what_is_held_beside_a_base_reads_back(encoded: bytes, base: bytes) -> None:
    """Whatever the two have in common; at the price of one byte, or what an empty patch takes."""
    held = hold(encoded, base)
    event(of(held))
    assert encoded == read(held, base)
    assert len(held) <= max(len(encoded) + 1, EMPTY_PATCH)


@given(versions=versions())
def test_chains_read_back(versions: list[bytes]) -> None:
    """Each version reads back over those between, whatever is held of them, and from each base."""
    held = [hold(old, new) for old, new in pairwise(versions)]
    for data in held:
        event(of(data))
    for start, data in enumerate(held):
        for end in range(start + 1, len(versions)):
            between = tuple(held[start + 1 : end])
            assert versions[start] == read(data, versions[end], between)


@given(versions=versions(), level=st.integers(1, 6))
def test_what_is_held_depends_on_nothing_else(versions: list[bytes], level: int) -> None:
    """A policy that held other versions before holds the same bytes as a new one."""
    used = Delta(level)
    for old, new in pairwise(versions):
        assert hold(old, new, Delta(level)) == hold(old, new, used)
        assert hold(new, old, Delta(level)) == hold(new, old, used)
        assert hold(old, None, Delta(level)) == hold(old, None, used)


@pytest.mark.parametrize("level", range(1, 23))
def test_every_level_reads_back(level: int) -> None:
    """Every level gives back what it was given, alone, as a frame and as a framed patch."""
    delta = Delta(level)
    assert CHATTER[0] == read(hold(CHATTER[0], None, delta))
    frame = hold(CHATTER[1], CHATTER[2], delta)
    assert b"\x01" == frame[:1]
    assert CHATTER[1] == read(frame, CHATTER[2])
    text = RANDOM + b"".join(CHATTER[:5])
    framed = hold(text, RANDOM, delta)
    assert PATCH_FRAME == framed[:1]
    assert len(framed) < 4000
    assert text == read(framed, RANDOM)


def test_megabytes_read_back() -> None:
    """Large texts too, of which little, much or nothing is known."""
    base = RANDOM * 150
    for text in (
        base[:1_000_000] + b"changed" + base[1_000_000:] + b"added",
        base[500_000:],
        os.urandom(500_000) + base,
        os.urandom(3_000_000),
        b"x" * 3_000_000,
    ):
        held = hold(text, base)
        assert len(held) <= len(text) + 1
        assert text == read(held, base)
    assert len(hold(base[:1_000_000] + b"changed" + base[1_000_000:], base)) < 60


def test_every_version_of_the_longest_chain_reads_back() -> None:
    """A thousand patches, each of which cuts what the ones before copy, follow each other."""
    versions = [RANDOM]
    for at in range(len(RANDOM) - 10, 0, -len(RANDOM) // 1000):
        text = versions[-1]
        versions.append(text[:at] + b"#" + text[at + 1 :])
    held = [hold(old, new) for old, new in pairwise(versions)]
    assert {PATCH} == {data[:1] for data in held}
    assert len(held) > 990
    assert RANDOM == read(held[0], versions[-1], tuple(held[1:]))


def test_a_sliding_window_costs_what_leaves_it() -> None:
    """Of fifty messages of 1 KB of which one goes and one comes, little more than one is held."""
    versions = windows(100, 50, messages(150))
    assert min(map(len, versions)) > 50_000
    for old, new in pairwise(versions):
        assert len(hold(old, new)) < 1200


def test_a_growing_list_costs_next_to_nothing() -> None:
    """A list of messages has all that it had before."""
    versions = [b"%d:" % size + b",".join(CHATTER[:size]) for size in range(3, 60)]
    for old, new in pairwise(versions):
        assert len(hold(old, new)) < 100


def test_what_is_alike_in_another_way_is_a_frame() -> None:
    """Texts made of the same words in another order are held small, if not as a patch."""
    words = [word.encode() * 3 for word in WORDS]
    base = b" ".join(words)
    random.Random(6).shuffle(words)  # noqa: S311
    text = b" ".join(words)
    held = hold(text, base)
    assert FRAME == held[:1]
    assert len(held) < len(hold(text)) < len(text) / 2
    assert text == read(held, base)


def test_numbers_that_do_not_fit_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a base that is too long for patches, or of a text that is, a frame is made."""
    monkeypatch.setattr(backpack.policies.delta, "LONGEST", 10_000)
    for text, base in ((RANDOM, RANDOM[:100]), (RANDOM[:100], RANDOM), (RANDOM, RANDOM)):
        assert PATCH != hold(text, base)[:1]
        assert text == read(hold(text, base), base)
    assert PATCH == hold(RANDOM[:10_000], RANDOM[:10_000])[:1]


def test_threads_may_share_a_policy() -> None:
    """One policy serves many threads at a time."""
    pairs = list(pairwise([*windows(10, 5, CHATTER), *CHATTER, RANDOM, RANDOM[:50]]))
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda pair: hold(*pair), pairs * 5))
        back = list(pool.map(lambda data, pair: read(data, pair[1]), held, pairs * 5))
    assert held == [hold(*pair) for pair in pairs] * 5
    assert back == [old for old, _ in pairs] * 5


@given(
    marker=st.sampled_from([b"", RAW, FRAME, PATCH, PATCH_FRAME, b"\x04"]),
    body=st.binary(max_size=60),
    base=st.none() | texts,
    between=st.lists(st.sampled_from([hold(RANDOM, RANDOM[1:]), hold(b"abc", b"def"), b"?"])),
)
def test_broken_data_is_corrupt(
    marker: bytes, body: bytes, base: bytes | None, between: list[bytes]
) -> None:
    """Whatever is read, beside whatever, it is bytes or a CorruptError that names the version."""
    for data in (marker + body, marker + compress(body, 1)):
        try:
            made: object = read(data, base, tuple(between))
        except CorruptError as error:
            event("corrupt")
            named = str(error).startswith("key: what is held of commit 7's value ")
            made = b"" if named else error
        assert bytes is type(made)


HELD = {
    "a frame": (CHATTER[0], None),
    "a frame beside a base": (CHATTER[0], CHATTER[1]),
    "a patch": (CHATTER[0] + b"!" + CHATTER[1] + b"tail", CHATTER[0] + CHATTER[1]),
    "a framed patch": (RANDOM + b"".join(CHATTER[:5]), RANDOM),
}


@pytest.mark.parametrize("name", HELD)
def test_cut_data_is_corrupt(name: str) -> None:
    """What lacks its end is told from what is whole, beside its base and between others."""
    encoded, base = HELD[name]
    held = hold(encoded, base)
    assert of(held) in name
    for cut in (*range(1, 40), len(held) // 2, len(held) - 3, len(held) - 2):
        with pytest.raises(CorruptError, match=r"^key: what is held of commit 7's value "):
            read(held[:-cut], base)
        if base is not None:
            with pytest.raises(CorruptError, match=r"^key: what is held of commit 7's value "):
                read(hold(encoded + b"!", encoded), base, (held[:-cut],))


def test_a_patch_needs_its_base() -> None:
    """Without its base, or beside a shorter one, a patch is corrupt, and it is said how."""
    held = hold(RANDOM + b"!", RANDOM)
    for base, problem in (
        (None, "a patch needs a base"),
        (RANDOM[:-1], "a patch copies up to byte 20,000 of a text of 19,999"),
    ):
        with pytest.raises(CorruptError) as caught:
            read(held, base)
        assert f"key: what is held of commit 7's value is no patch of its base: {problem}" == str(
            caught.value
        )
    with pytest.raises(CorruptError) as caught:
        read(held[:-1], RANDOM)
    assert str(caught.value).endswith("its base: a patch makes 20,000 bytes of 20,001")


def test_an_unknown_marker_is_corrupt() -> None:
    """Data that starts with no known marker is named."""
    with pytest.raises(CorruptError) as caught:
        read(b"\x07abc", b"base")
    assert "key: what is held of commit 7's value starts with b'\\x07', not with " in str(
        caught.value
    )


@given(text=texts, prefix=texts)
def test_frames_read_back(text: bytes, prefix: bytes) -> None:
    """With a prefix and without; a prefix that is too short for Zstandard is none."""
    for some in (None, prefix):
        assert text == decompress(FRAME + compress(text, 3, some), "it", some)
    if len(prefix) < 8:
        assert compress(text, 3) == compress(text, 3, prefix)


@given(text=texts, prefix=texts, other=texts)
def test_frames_with_another_prefix_are_bytes_or_corrupt(
    text: bytes, prefix: bytes, other: bytes
) -> None:
    """A frame beside a prefix that is not its own makes bytes or a CorruptError."""
    with suppress(CorruptError):
        assert bytes is type(decompress(FRAME + compress(text, 3, prefix), "it", other))


@pytest.mark.parametrize("level", [0, 23, -1, True, 3.0, "3", None])
def test_other_levels_are_refused(level: int) -> None:
    """What is no level is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Delta(level)
    assert "level" == caught.value.field
    assert (
        f"{level!r} is not a compression level; write a whole number from 1 (fast) to 22 (small)"
        == caught.value.message
    )


@pytest.mark.parametrize("span", [0, 1025, -1, True, 8.0, "8", None])
def test_other_spans_are_refused(span: int) -> None:
    """What is no span is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Delta(span=span)
    assert "span" == caught.value.field
    assert (
        f"{span!r} versions cannot lean on one; write a whole number from 1 (quick to look back) "
        "to 1024 (small)" == caught.value.message
    )


@pytest.mark.parametrize("least", [0, -1, True, 1.5, "much", None])
def test_what_is_no_size_is_refused(least: Any) -> None:
    """The least size is a size, and a refusal names it."""
    with pytest.raises(ConfigError) as caught:
        Delta(least=least)
    assert "least" == caught.value.field


def test_settings_are_what_was_given() -> None:
    """Spans and levels up to the largest, and sizes as people write them."""
    assert (2, 96, 512) == (DELTA.level, DELTA.span, DELTA.least)
    delta = Delta(22, 1024, "1 KiB")
    assert (22, 1024, 1024) == (delta.level, delta.span, delta.least)
    assert (1, 1) == (Delta(span=1, least=1).span, Delta(span=1, least=1).least)


def test_the_contract_is_met() -> None:
    """It is a storage policy."""
    assert isinstance(DELTA, StoragePolicy)


def test_what_saves_little_by_leaning_stands_alone() -> None:
    """It is read without what is newer; a patch leans all the same."""
    lots = random.Random(1)  # noqa: S311
    texts = [bytes(lots.choices(b"abcdefghij klmnop", k=900)) for _ in range(4)]
    delta = Delta(saving=0.25)
    held = [delta.hold(SupersededVersion("k", seq, texts[seq], texts[seq + 1])) for seq in range(3)]
    broken = (b"\x01broken", b"\x01broken")
    assert delta.read(HeldVersion("k", 0, held[0], b"anything", broken)) == texts[0]
    assert Delta().hold(SupersededVersion("k", 0, texts[0], texts[1])) != held[0]
    patch = delta.hold(SupersededVersion("k", 0, texts[0] + b"more", texts[0]))
    assert delta.read(HeldVersion("k", 0, patch, texts[0])) == texts[0] + b"more"
    chain = (held[1], held[2])
    assert delta.read(HeldVersion("k", 0, held[0], texts[3], chain)) == texts[0]


@pytest.mark.parametrize("saving", [1, -0.1, "much", True])
def test_what_cannot_be_saved_is_refused(saving: Any) -> None:
    """The number, and what is allowed."""
    with pytest.raises(ConfigError) as refused:
        Delta(saving=saving)
    assert str(refused.value).startswith("saving: ")
    assert "write a number from 0 (all lean that can) to less than 1" in str(refused.value)
