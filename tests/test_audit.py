"""The invariant checker sees what is wrong inside."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backpack import Backpack, Change
from backpack.audit import audit, overweight, real_bytes, sizes_owned
from backpack.commits import Remarks
from backpack.history import TOMBSTONE, Chain, History
from backpack.policies import Stub


def filled() -> Backpack:
    """Return a Backpack with versions, a removal, a reference, a pin and a tag."""
    bp = Backpack(reference=Stub(100))
    for number in range(4):
        bp.pack("k", number)
        bp.pack("large", "x" * (200 + number))
    bp.remove("k")
    bp.tag(bp.pin(bp.history()[2]), "t")
    return bp


def _misalign(history: History) -> None:
    history.chains["k"] = Chain(history.chains["k"].seqs[:-1], history.chains["k"].held)


def _disorder(history: History) -> None:
    history.chains["k"] = Chain(history.chains["k"].seqs[::-1], history.chains["k"].held)


def _lead_with_a_removal(history: History) -> None:
    history.chains["k"].held[0] = TOMBSTONE


def _resurrect(history: History) -> None:
    del history.chains["k"].held[-1], history.chains["k"].seqs[-1]


def _swap_numbers(history: History) -> None:
    history.commits.seqs.reverse()


def _lose_a_time(history: History) -> None:
    history.commits.columns.timestamp.pop()


def _remark_on_nobody(history: History) -> None:
    history.commits.remarks[99] = Remarks(tags=("t",))


def _remark_nothing(history: History) -> None:
    history.commits.remarks[1] = Remarks()


def _tell_twice(history: History) -> None:
    history.commits.remarks[1] = Remarks((Change("k", "set", 1),))


def _inherit_out_of_order(history: History) -> None:
    history.commits.heirs.extend([2, 1])
    history.commits.inherited.extend(["k", "k"])


def _name_nobody(history: History) -> None:
    history.commits.columns.key[0] = 99


def _mistake_a_number(history: History) -> None:
    history.names.texts[99] = history.names.texts.pop(0)


def _give_numbers_again(history: History) -> None:
    history.names.given = 0


def _lose_the_head(history: History) -> None:
    history.made += 1


def _own_twice(history: History) -> None:
    history.commits.heirs.append(1)
    history.commits.inherited.append("k")


def _own_nothing(history: History) -> None:
    history.commits.columns.kind[0] = 1


def _charge_nothing(history: History) -> None:
    history.history_bytes = 0


def _forget_a_use(history: History) -> None:
    number, uses = history.names.known["k"]
    history.names.known["k"] = number, uses - 1


def _hoard(history: History) -> None:
    vars(history)["hoard"] = [f"{number} of what was read" * 9 for number in range(50)]


FAULTS: dict[str, tuple[Callable[[History], None], str]] = {
    "columns of different length": (_misalign, "The columns of the chain of 'k' are"),
    "a chain out of order": (_disorder, "The chain of 'k' is not in order."),
    "a leading removal": (_lead_with_a_removal, "The chain of 'k' starts with a removal."),
    "a lost removal": (_resurrect, "The chain of the removed key 'k' does not end with its rem"),
    "rows that end too early": (_lose_a_time, "The columns of the commits are [9, 8, 9, 9, 9,"),
    "remarks on a pruned commit": (_remark_on_nobody, "There are remarks on, or heirs that are,"),
    "remarks that say nothing": (_remark_nothing, "There are remarks that say nothing."),
    "a change told twice": (_tell_twice, "A commit has changes in its row and in its remarks, or"),
    "heirs out of order": (_inherit_out_of_order, "The columns of inherited keys are not aligned,"),
    "a number without a name": (_name_nobody, "mentions a number that no name has."),
    "a name under another number": (_mistake_a_number, "The numbers of names do not lead back to"),
    "a number to be given again": (_give_numbers_again, "A name has a number that is still to be"),
    "numbers out of order": (_swap_numbers, "The retained commits are not in order."),
    "a lost head": (_lose_the_head, "The newest commit is not retained."),
    "a key owned twice": (_own_twice, "A commit owns a key twice."),
    "a version nobody owns": (_own_nothing, "The version of 'k' that commit 1 set is owned by"),
    "a stale account": (_charge_nothing, "history_bytes is 0, a recount gives"),
    "a use that is missing": (_forget_a_use, "The table of names does not count what is used"),
    "memory beside the chains": (_hoard, "bytes of memory, its account says"),
    "memory nobody pays for": (_charge_nothing, "bytes of memory, its account says 0."),
}


def test_all_is_well() -> None:
    """A Backpack that was only used has nothing wrong inside."""
    bp = filled()
    assert [] == [*audit(bp), *overweight(bp)]
    assert 2_000 < real_bytes(bp._engine.history) <= 1.1 * bp.memory_usage().history_bytes + 512


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """Each is told in a sentence that names what is wrong."""
    break_it, sentence = FAULTS[fault]
    bp = filled()
    break_it(bp._engine.history)
    found = [*audit(bp), *overweight(bp)]
    assert any(sentence in each for each in found), found


def test_what_is_charged_too_little_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version, all columns and all remarks are held against their real size."""
    bp = filled()
    monkeypatch.setattr("backpack.audit.held_cost", lambda held: 1)
    monkeypatch.setattr("backpack.audit.remarks_cost", lambda remarks: 1)
    monkeypatch.setattr("backpack.audit.EMPTY_BYTES", 0)
    found = overweight(bp)
    assert any("A version of 'k' takes" in each and "is charged 1." in each for each in found)
    assert any("The columns of the commits take" in each for each in found)
    assert any("odd about commit 7 takes" in each and "is charged 1." in each for each in found)


def test_some_are_weighed_and_the_whole_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long history the oldest, the newest and some between are weighed one by one."""
    bp = Backpack()
    for number in range(40):
        bp.pack("k", number, tags=["t"])
    monkeypatch.setattr("backpack.audit.remarks_cost", lambda remarks: 1)
    assert len(overweight(bp)) == 40
    found = overweight(bp, 6)
    assert [1, 2, 3, 22, 39, 40] == [int(each.split()[5]) for each in found]
    bp._engine.reader.leak = bytes(100_000)  # type: ignore[attr-defined]
    assert "The history takes" in overweight(bp, 6)[0]


def test_what_is_held_for_a_commit_is_counted() -> None:
    """Its record and the versions nobody older sees; together with names and chains, all."""
    bp = Backpack()
    first, second = bp.pack("k", "x" * 1000), bp.pack("k", "y" * 1000)
    sizes = sizes_owned(bp)
    assert [first.id, second.id] == list(sizes)
    assert sizes[first.id] - sizes[second.id] > 1000
    assert sum(sizes.values()) < bp.memory_usage().history_bytes


def test_looks_and_tags_are_paid_for() -> None:
    """A commit far down a long history, looked at again and again, takes what it is charged."""
    bp = Backpack()
    for number in range(400):
        bp.pack("k", number)
    for commit in bp.history()[50:100]:
        bp.tag(commit, "a", "b", "c", "d")
        for _ in range(300):
            bp.snapshot(commit)
    assert [] == overweight(bp)
