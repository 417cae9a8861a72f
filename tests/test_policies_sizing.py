"""The sizing policies measure what they say."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from backpack.policies import DeepSize, EncodedSize
from backpack.policies.memory import deep_size
from backpack.protocols import SizingPolicy
from backpack.records import NewValue

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


def test_contracts_are_met() -> None:
    """Both are sizing policies."""
    assert isinstance(EncodedSize(), SizingPolicy)
    assert isinstance(DeepSize(), SizingPolicy)
