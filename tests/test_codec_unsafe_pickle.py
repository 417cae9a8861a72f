"""Pickle as a codec: it takes nearly everything, and says so when it cannot."""

from __future__ import annotations

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.codec import UnsafePickleCodec
from backpack.errors import CorruptError, UnpackableValue
from backpack.protocols import Codec
from backpack.spec.sameness import same
from backpack.spec.values import json_values, values

CODEC = UnsafePickleCodec()


@given(value=values())
def test_values_come_back_the_same(value: object) -> None:
    """Any value the default codec takes comes back the same."""
    assert same(value, CODEC.decode(CODEC.encode(value)))


@given(value=json_values(), at=st.integers(0))
def test_truncated_pickles_are_corrupt(value: object, at: int) -> None:
    """A pickle that was cut anywhere raises CorruptError."""
    encoded = CODEC.encode(value)

    with pytest.raises(CorruptError, match="no pickle of a value"):
        CODEC.decode(encoded[: at % len(encoded)])


def test_cycles_and_subclasses_are_taken() -> None:
    """It takes what the default codec refuses."""
    cycle: list[object] = [OrderedDict(a=1)]
    cycle.append(cycle)

    decoded: list[object] = CODEC.decode(CODEC.encode(cycle))  # type: ignore[assignment]

    assert OrderedDict(a=1) == decoded[0]
    assert decoded is decoded[1]


def test_what_pickle_refuses_is_refused() -> None:
    """The error names the key, the type, pickle's reason and what to do."""
    with pytest.raises(
        UnpackableValue, match=r"^plan: pickle refuses this function: .*; pack the data it is made"
    ):
        CODEC.encode(lambda: None, "plan")


def test_the_codec_satisfies_the_contract() -> None:
    """It is a Codec."""
    assert isinstance(CODEC, Codec)
