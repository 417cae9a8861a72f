"""Made-up values: as large as they shall be, with as much new as they shall have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import MsgpackCodec
from backpack.policies.frames import compress
from backpack.synthetic import new_bytes, synthetic

CODEC = MsgpackCodec()
sizes = st.integers(1, 400) | st.sampled_from([32, 33, 257, 258, 65_538, 65_539, 70_000])


@given(steps=st.lists(st.tuples(sizes, sizes), min_size=1, max_size=8))
def test_a_made_up_value_is_as_large_as_it_shall_be(steps: list[tuple[int, int]]) -> None:
    """To the byte, but for lengths that no string has; and new exactly if something is new."""
    value: object = None
    for number, (size, new) in enumerate(steps):
        before = value
        value = synthetic(before, size, min(new, size), f"{number}")
        # There is no string of which the encoding has 33, 258 or 65,539 bytes.
        assert len(CODEC.encode(value)) - size in {
            33: (-1,),
            258: (-1,),
            65_539: (-1, -2),
            65_540: (-2,),
        }.get(size, (0,))
        assert value != before
        assert value == synthetic(before, size, min(new, size), f"{number}")
        assert value == synthetic(value, size, 0, "anything")


@given(size=st.integers(200, 5_000), share=st.floats(0.0, 0.8))
def test_as_much_is_new_as_shall_be(size: int, share: float) -> None:
    """As the storage policy that holds differences sees it."""
    first = synthetic(None, size, size, "1")
    new = int(size * share)
    second = synthetic(first, size, new, "2")
    found = new_bytes(CODEC.encode(second), CODEC.encode(first))
    assert new - 24 <= found <= new + 24


def test_made_up_text_compresses_as_that_of_agents() -> None:
    """To about two fifths."""
    encoded = CODEC.encode(synthetic(None, 50_000, 50_000, "1"))
    assert 2.4 < len(encoded) / len(compress(encoded, 2)) < 3.2


@pytest.mark.parametrize(
    ("encoded", "before", "new"),
    [
        (b"x" * 100, None, 100),
        (b"x" * 100, b"x" * 100, 0),
        (b"short", b"shorter", 5),
        (b"a" * 50 + b"b" * 50, b"a" * 50 + b"c" * 50, 50),
    ],
)
def test_what_is_new_is_what_the_value_before_has_not(
    encoded: bytes, before: bytes | None, new: int
) -> None:
    """All of it where there was none; nothing where it is the same."""
    assert new == new_bytes(encoded, before)
