"""The reference policies leave out what is larger than their limit, and only that."""

from __future__ import annotations

import hashlib

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from backpack.policies import Preview, Spill, Stub
from backpack.protocols import ReferencePolicy
from backpack.records import Reference, SizedValue

limits = st.integers(1, 10**9)


def sized(size: int, value: object = "text", encoded: bytes = b"\xa4text") -> SizedValue:
    """A value of that size."""
    return SizedValue("key", value, encoded, size)


@given(limit=limits, below=st.integers(0, 10**9))
def test_up_to_the_limit_values_are_kept(limit: int, below: int) -> None:
    """A value of at most the limit is kept, one exactly at the limit too."""
    for size in (limit, max(limit - below, 0)):
        assert Stub(limit)(sized(size)) is None
        assert Preview(limit)(sized(size)) is None


@given(limit=limits, above=st.integers(1, 10**9), encoded=st.binary(min_size=1))
def test_above_the_limit_values_are_references(limit: int, above: int, encoded: bytes) -> None:
    """A value above the limit is a reference with its size, digest and the reason."""
    expected = Reference(
        size=limit + above,
        digest=hashlib.blake2b(encoded, digest_size=16).hexdigest(),
        reason=f"larger than max_value_size ({limit:,} bytes)",
    )
    assert expected == Stub(limit)(sized(limit + above, encoded=encoded))


@given(text=st.text(), characters=st.integers(1, 50))
def test_preview_is_the_beginning(text: str, characters: int) -> None:
    """A preview is a stub with the first characters."""
    value = sized(10, text)
    reference = Preview(5, characters)(value)
    stub = Stub(5)(value)
    assert isinstance(reference, Reference)
    assert isinstance(stub, Reference)
    assert text[:characters] == reference.preview
    assert (stub.size, stub.digest, stub.reason) == (
        reference.size,
        reference.digest,
        reference.reason,
    )


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_what_is_spilled_is_what_a_stub_leaves_out(limit: int, size: int) -> None:
    """The same reference, but that the value is to be archived."""
    stub, spill = Stub(limit)(sized(size)), Spill(limit)(sized(size))
    assert (stub is None) == (spill is None)
    if spill is not None:
        assert spill.spilled
        assert stub == evolve(spill, spilled=False)


def test_the_reason_is_readable() -> None:
    """The reason names the setting and its bytes."""
    reference = Stub("50 KiB")(sized(51201))
    assert reference is not None
    assert reference.reason == "larger than max_value_size (51,200 bytes)"


def test_defaults() -> None:
    """A limit of 100 KiB and 200 characters are the defaults."""
    assert 102400 == Stub().max_value_size == Preview().max_value_size == Spill().max_value_size
    assert Preview().characters == 200


@pytest.mark.parametrize("policy", [Stub(), Preview(), Spill()])
def test_contracts_are_met(policy: object) -> None:
    """All are reference policies."""
    assert isinstance(policy, ReferencePolicy)
