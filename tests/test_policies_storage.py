"""The storage policies give back exactly what they were given, and hold it tightly."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import random
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.errors import ConfigError, CorruptError
from backpack.policies import Compressed, Full
from backpack.protocols import StoragePolicy
from backpack.records import HeldVersion, SupersededVersion

FULL, COMPRESSED = Full(), Compressed()

payloads = st.binary() | st.builds(
    lambda pattern, times: pattern * times, st.binary(max_size=50), st.integers(0, 200)
)


def hold(policy: StoragePolicy, encoded: bytes) -> bytes:
    """What the policy holds."""
    return policy.hold(SupersededVersion("key", 7, encoded))


def read(policy: StoragePolicy, data: bytes) -> bytes:
    """What the policy makes of what it holds."""
    return policy.read(HeldVersion("key", 7, data))


def messages(seed: int, length: int = 12_000) -> bytes:
    """Text as agents write it."""
    words = random.Random(seed)  # noqa: S311
    text = "".join(
        json.dumps({"role": "user", "content": " ".join(words.choices(VOCABULARY, k=40))})
        for _ in range(length // 200)
    )
    return text.encode()[:length]


VOCABULARY = [f"{number:x}{number * 7919:x}" for number in range(500)]


@pytest.mark.parametrize("policy", [FULL, COMPRESSED], ids=repr)
@given(encoded=payloads)
@example(encoded=b"")
@example(encoded=b"\x00")
@example(encoded=b"\x01" * 100)
@example(encoded=b"\x28\xb5\x2f\xfd" * 10)
def test_what_is_held_reads_back(policy: StoragePolicy, encoded: bytes) -> None:
    """Reading gives exactly the bytes that were held."""
    assert encoded == read(policy, hold(policy, encoded))


@given(encoded=payloads)
def test_compression_costs_one_byte_at_most(encoded: bytes) -> None:
    """What is held is never more than one byte longer, in a buffer of no more than its length."""
    held = hold(COMPRESSED, encoded)
    assert len(held) <= len(encoded) + 1
    assert bytes is type(held)
    assert sys.getsizeof(b"") + len(held) == sys.getsizeof(held)


@given(encoded=payloads)
def test_compression_is_deterministic(encoded: bytes) -> None:
    """A compressor that was used before makes the same bytes as a new one."""
    assert hold(Compressed(), encoded) == hold(COMPRESSED, encoded)


@given(data=st.binary() | st.binary().map(lambda body: b"\x01" + body))
def test_broken_data_is_corrupt(data: bytes) -> None:
    """Whatever is read, it is bytes or a CorruptError, nothing else."""
    try:
        assert isinstance(read(COMPRESSED, data), bytes)
    except CorruptError:
        assert data[:1] != b"\x00"


@pytest.mark.parametrize("cut", [1, 2, 5, 20])
def test_cut_data_is_corrupt(cut: int) -> None:
    """Compressed bytes without their end are told from whole ones, and named."""
    held = hold(COMPRESSED, messages(1))
    with pytest.raises(CorruptError) as caught:
        read(COMPRESSED, held[:-cut])
    assert str(caught.value).startswith(
        "key: what is held of commit 7's value does not decompress: "
    )


def test_an_unknown_marker_is_corrupt() -> None:
    """Data that starts with no known marker is named, with what was expected."""
    for data, shown in ((b"\x07abc", "b'\\x07'"), (b"", "b''")):
        with pytest.raises(CorruptError) as caught:
            read(COMPRESSED, data)
        assert str(caught.value) == (
            f"key: what is held of commit 7's value starts with {shown}, "
            "not with b'\\x00' or b'\\x01'"
        )


def test_full_copies_nothing() -> None:
    """Full holds the very bytes it was given, and returns them."""
    encoded = messages(2)
    assert hold(FULL, encoded) is encoded
    assert read(FULL, encoded) is encoded


def test_text_is_held_small() -> None:
    """Messages shrink to less than half, repetition to next to nothing."""
    encoded = messages(3)
    assert len(hold(COMPRESSED, encoded)) < len(encoded) / 2
    assert len(hold(COMPRESSED, b"again " * 10_000)) < 100


def test_large_values_are_held_too() -> None:
    """A value of megabytes reads back as well, compressible or not."""
    for encoded in (b"large " * 500_000, os.urandom(2_000_000)):
        held = hold(COMPRESSED, encoded)
        assert len(held) <= len(encoded) + 1
        assert encoded == read(COMPRESSED, held)


def test_every_level_reads_back() -> None:
    """Every level from 1 to 22 gives back what it was given."""
    encoded = messages(4, 3000)
    for level in range(1, 23):
        held = hold(Compressed(level), encoded)
        assert len(held) < len(encoded)
        assert encoded == read(COMPRESSED, held)


def test_threads_may_share_a_policy() -> None:
    """One policy serves many threads at a time."""
    payload = [messages(seed) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        held = list(pool.map(lambda encoded: hold(COMPRESSED, encoded), payload * 5))
    assert payload * 5 == [read(COMPRESSED, data) for data in held]


def test_memory_is_what_is_counted() -> None:
    """A thousand versions held take no more memory than their lengths say, and a little."""
    payload = [messages(seed, 4000) for seed in range(20)]
    held: list[bytes] = [b""] * 1000
    hold(COMPRESSED, payload[0])
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000):
            held[number] = hold(COMPRESSED, payload[number % 20])
        real = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert real <= 1.05 * sum(map(sys.getsizeof, held))


@pytest.mark.parametrize("level", [0, 23, -1, True, 3.0, "3", None])
def test_other_levels_are_refused(level: int) -> None:
    """What is no level is refused, naming it and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        Compressed(level)
    assert caught.value.field == "level"
    assert caught.value.message == (
        f"{level!r} is not a compression level; write a whole number from 1 (fast) to 22 (small)"
    )


def test_copies_work_like_the_original() -> None:
    """Pickled and deep copies are equal and hold the same."""
    policy = Compressed(5)
    hold(policy, messages(5))
    for twin in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy), copy.copy(policy)):
        assert policy == twin
        assert hash(policy) == hash(twin)
        assert hold(policy, messages(6)) == hold(twin, messages(6))


@pytest.mark.parametrize("policy", [FULL, COMPRESSED], ids=repr)
def test_contracts_are_met(policy: object) -> None:
    """Both are storage policies."""
    assert isinstance(policy, StoragePolicy)
