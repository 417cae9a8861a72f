"""The short way to plan a change comes to the same as the long one."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from backpack import Backpack, BudgetError, relief
from backpack.audit import audit
from backpack.plan import make_plan
from backpack.policies import Compressed, Delta, Full, Oldest, Stub
from backpack.protocols import StoragePolicy
from backpack.push import make_push

STORAGE: dict[str, StoragePolicy] = {
    "full": Full(),
    "compressed": Compressed(),
    "delta": Delta(span=3, least=1),
    "delta, long tails": Delta(least=20),
}

steps = st.lists(
    st.tuples(
        st.sampled_from(["pack", "pack", "pack", "pack", "remove", "tag", "two", "note", "blank"]),
        st.sampled_from("abc"),
        st.integers(0, 3).map(lambda number: f"{number}" * 40 ** (number % 3)),
        st.sampled_from([None, "a", "worker"]),
    ),
    max_size=60,
)


def run(program: list[tuple[str, str, str, str | None]], storage: StoragePolicy) -> Backpack:
    """Return a Backpack in which these things were done."""
    bp = Backpack(
        max_history_size=12 * 1024,
        reference=Stub(1000),
        storage=storage,
        pruning=Oldest(0.5),
        clock=iter(range(10_000)).__next__,
    )
    for number, (what, key, text, by) in enumerate(program):
        value = text + str(number % 7)
        if what == "remove" and key in bp:
            bp.remove(key, by=by)
        elif what == "tag" and bp.head is not None:
            bp.tag(bp.head, "tagged")
        elif what == "two":
            bp.update({"a": value, key: value + "!"})
        else:
            bp.pack(key, value, by=by, note={"note": "noted", "blank": ""}.get(what))
    return bp


def inside(bp: Backpack) -> dict[str, Any]:
    """Return all that a history is made of, without the code of its Backpack."""
    history = bp._engine.history

    def plain(held: Any) -> Any:
        lean = getattr(held, "form", None)
        if lean is None:
            return held
        return lean, held.data, held.base and held.base.seq, [each.seq for each in held.dependents]

    def tail(chain: Any) -> Any:
        end = chain.tail
        return end.leader and end.leader.seq, end.reach, [each.seq for each in end.raw], end.size

    numbers = {name: value for name, value in vars(history).items() if isinstance(value, int)}
    return {
        **numbers,
        "current": history.current,
        "chains": {
            key: (chain.seqs, list(map(plain, chain.held)), tail(chain))
            for key, chain in history.chains.items()
        },
        "waiting": list(history.waiting.items()),
        "names": (history.names.known, history.names.texts),
        "columns": [list(column) for column in history.commits.columns],
        "remarks": history.commits.remarks,
    }


@pytest.mark.parametrize("storage", STORAGE)
@given(program=steps)
def test_both_ways_come_to_the_same(
    storage: str, program: list[tuple[str, str, str, str | None]]
) -> None:
    """Whatever was done, nothing inside tells which way it was planned."""
    short: list[bool] = []

    def watched(*arguments: Any) -> Any:
        push = make_push(*arguments)
        short.append(push is not None)
        return push

    with patch.object(relief, "make_push", watched):
        one = run(program, STORAGE[storage])
    with patch.object(relief, "make_push", lambda *arguments: None):
        other = run(program, STORAGE[storage])
    event(f"short ways: {sum(short) // 10}0s")
    assert inside(other) == inside(one)
    assert [] == audit(one)


def test_most_packs_take_the_short_way() -> None:
    """In a steady state only the making of a group goes the long way."""
    with patch.object(relief, "make_plan", wraps=make_plan) as long:
        bp = Backpack(storage=Delta(least=1))
        for number in range(800):
            bp.pack(f"key {number % 4}", f"{number:4}" * 10, by="worker")
    assert long.call_count < 800 / 8 + 20


def test_a_push_that_does_not_fit_is_planned_the_long_way() -> None:
    """The budget holds on the short way: what does not fit prunes, or is refused."""
    bp = Backpack(max_history_size=4096, storage=Full(), pruning=lambda request: [])
    with pytest.raises(BudgetError):
        for number in range(100):
            bp.pack("k", f"{number:100}")
    assert bp.memory_usage().history_bytes <= 4096
    assert [] == audit(bp)
