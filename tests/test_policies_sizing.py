"""The sizing policies measure what they say."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.errors import ConfigError
from backpack.policies import DeepSize, Delta, EncodedSize, StoredSize, Stub
from backpack.policies.memory import deep_size
from backpack.protocols import SizingPolicy
from backpack.records import NewValue, SupersededVersion

values = st.recursive(st.integers() | st.text() | st.floats(), st.lists, max_leaves=20)


@given(encoded=st.binary())
def test_encoded_size_is_the_length(encoded: bytes) -> None:
    """The encoded size is the length of the encoded bytes and nothing else."""
    assert len(encoded) == EncodedSize()(NewValue("key", object(), encoded))


@given(value=values, encoded=st.binary())
def test_deep_size_is_the_graph(value: object, encoded: bytes) -> None:
    """The deep size is that of the value's objects, however they are encoded."""
    before = copy.deepcopy(value)
    assert deep_size(value) == DeepSize()(NewValue("key", value, encoded))
    assert repr(before) == repr(value)


texts = st.binary(max_size=600) | st.builds(
    lambda seed, size, more: random.Random(seed).randbytes(size) + more,  # noqa: S311
    st.integers(0, 3),
    st.integers(500, 5000),
    st.binary(max_size=600),
)


@given(encoded=texts, previous=st.none() | texts, level=st.integers(1, 5))
def test_stored_size_is_what_delta_would_hold(
    encoded: bytes, previous: bytes | None, level: int
) -> None:
    """It is the length of what is held beside the value before; of small values, their length."""
    held = Delta(level).hold(SupersededVersion("key", 1, encoded, previous))
    size = len(encoded) if len(encoded) < 512 else len(held)
    assert size == StoredSize(level)(NewValue("key", object(), encoded, previous))


def test_a_message_in_a_large_list_is_small() -> None:
    """A megabyte of messages that gains one measures what that one takes, and stays in history."""
    chance = random.Random(4)  # noqa: S311
    log = [chance.randbytes(5000).hex() for _ in range(100)]
    bp = Backpack(sizing=StoredSize(), storage=Delta(), reference=Stub("900 KiB"))
    first = bp.pack("log", log)
    log.append("one message more")
    second = bp.pack("log", log)
    assert 400_000 < first.changes[0].size < 900_000
    assert second.changes[0].size < 1000
    bp["log"] = []
    assert [log[:-1], log] == [bp.snapshot(commit)["log"] for commit in (first, second)]


@pytest.mark.parametrize("level", [0, 23, True, "2"])
def test_other_levels_are_refused(level: Any) -> None:
    """What is no level is refused as that of the storage policy is."""
    with pytest.raises(ConfigError) as caught:
        StoredSize(level)
    assert "level" == caught.value.field


def test_contracts_are_met() -> None:
    """All are sizing policies."""
    assert isinstance(StoredSize(), SizingPolicy)
    assert isinstance(EncodedSize(), SizingPolicy)
    assert isinstance(DeepSize(), SizingPolicy)
