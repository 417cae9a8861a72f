"""Equal names are one object with one number, for as long as somebody uses it."""

from __future__ import annotations

from sys import getsizeof

from hypothesis import given
from hypothesis import strategies as st

from backpack import Backpack
from backpack.names import Names


def test_equal_names_are_one_object() -> None:
    """The first that was put in stands for all that equal it; a stranger stands for itself."""
    names = Names()
    first, second, stranger = "plan-1", "-".join(["plan", "1"]), "plan-2"
    names.put({first: (0, 1)})
    names.put({second: (0, 2)})
    assert names.interned(second) is first
    assert names.interned(stranger) is stranger
    assert {first: (0, 2)} == names.known


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)), max_size=6))
def test_putting_twice_is_putting_once(steps: list[dict[str, int]]) -> None:
    """Numbers lead to names and back, and a name that nobody uses is gone."""
    once, twice = Names(), Names()
    for step in steps:
        changes = {name: (ord(name), uses) for name, uses in step.items()}
        once.put(changes)
        twice.put(changes)
        twice.put(changes)
        assert (once.known, once.texts) == (twice.known, twice.texts)
        assert {number: name for name, (number, _) in once.known.items()} == once.texts
        assert all(uses for _, uses in once.known.values())


def test_names_that_are_gone_take_no_room() -> None:
    """Tables of thousands of names are small again when most of them go."""
    names = Names()
    names.put({f"name-{number}": (number, 1) for number in range(5000)})
    names.put({f"name-{number}": (number, 0) for number in range(4990)})
    names.shrink()
    assert len(names.known) == 10
    assert getsizeof(names.known) < 2000 > getsizeof(names.texts)


def test_no_number_is_given_twice() -> None:
    """A name that comes back, comes back under another number."""
    bp = Backpack(max_history_size="8 KiB")
    numbers = []
    for number in range(300):
        bp.pack("k", number, by=f"node-{number % 150}")
        numbers.append(bp._engine.history.names.known[f"node-{number % 150}"][0])
    assert len(numbers) == len(set(numbers))
    assert bp._engine.history.names.given == 301
