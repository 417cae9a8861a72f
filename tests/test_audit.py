"""The invariant checker sees what is wrong inside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backpack import Backpack
from backpack.audit import audit, real_bytes
from backpack.history import TOMBSTONE, Chain, History
from backpack.policies import Stub


def filled() -> Backpack:
    """Return a Backpack with versions, a removal, a reference and a pin."""
    bp = Backpack(reference=Stub(100))
    for number in range(4):
        bp.pack("k", number)
        bp.pack("large", "x" * (200 + number))
    bp.remove("k")
    bp.pin(bp.history()[2])
    return bp


def _misalign(history: History) -> None:
    history.chains["k"] = Chain(history.chains["k"].seqs[:-1], history.chains["k"].held)


def _disorder(history: History) -> None:
    history.chains["k"] = Chain(history.chains["k"].seqs[::-1], history.chains["k"].held)


def _lead_with_a_removal(history: History) -> None:
    history.chains["k"].held[0] = TOMBSTONE


def _resurrect(history: History) -> None:
    del history.chains["k"].held[-1], history.chains["k"].seqs[-1]


def _swap_commits(history: History) -> None:
    history.retained.reverse()


def _swap_numbers(history: History) -> None:
    history.seqs.reverse()


def _lose_the_head(history: History) -> None:
    history.made += 1


def _own_twice(history: History) -> None:
    history.retained[0].owned = ("k", "k")


def _own_nothing(history: History) -> None:
    history.retained[0].owned = ()


def _charge_nothing(history: History) -> None:
    history.history_bytes = 0


FAULTS: dict[str, tuple[Callable[[History], None], str]] = {
    "columns of different length": (_misalign, "The columns of the chain of 'k' are"),
    "a chain out of order": (_disorder, "The chain of 'k' is not in order."),
    "a leading removal": (_lead_with_a_removal, "The chain of 'k' starts with a removal."),
    "a lost removal": (_resurrect, "The chain of the removed key 'k' does not end with its rem"),
    "commits out of order": (_swap_commits, "The numbers of the retained commits are not those"),
    "numbers out of order": (_swap_numbers, "The retained commits are not in order."),
    "a lost head": (_lose_the_head, "The newest commit is not retained."),
    "a key owned twice": (_own_twice, "A commit owns a key twice."),
    "a version nobody owns": (_own_nothing, "The version of 'k' that commit 1 set is owned by"),
    "a stale account": (_charge_nothing, "history_bytes is 0, a recount gives"),
    "memory nobody pays for": (_charge_nothing, "bytes of memory, its account says 0."),
}


def test_all_is_well() -> None:
    """A Backpack that was only used has nothing wrong inside."""
    bp = filled()
    assert [] == audit(bp)
    assert 2_000 < real_bytes(bp._engine.history) <= 1.1 * bp.memory_usage().history_bytes + 1024


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """Each is told in a sentence that names what is wrong."""
    break_it, sentence = FAULTS[fault]
    bp = filled()
    break_it(bp._engine.history)
    assert any(sentence in found for found in audit(bp)), audit(bp)


def test_what_is_charged_too_little_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version and every commit is held against its real size."""
    bp = filled()
    monkeypatch.setattr("backpack.audit.held_cost", lambda held: 1)
    monkeypatch.setattr("backpack.audit.commit_cost", lambda commit, owned: 1)
    found = audit(bp)
    assert any("A version of 'k' takes" in each and "is charged 1." in each for each in found)
    assert any("Commit 1 takes" in each and "is charged 1." in each for each in found)
