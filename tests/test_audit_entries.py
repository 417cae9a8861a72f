"""The invariant checker sees what is wrong with entries, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import evolve

from backpack import Backpack
from backpack.audit import audit
from backpack.entries import EMPTY_TAIL, Entry, Form
from backpack.history import History
from backpack.policies import Delta, Full


def filled() -> Backpack:
    """Return a Backpack with groups, equal versions, raw tails and what is too small for them."""
    bp = Backpack(storage=Delta(span=4, least=20))
    for number in range(20):
        bp.pack("k", f"{number % 6}" * 10 + "the same each time, " * 10)
        bp.pack("other", f"{number}" if number == 12 else "always the same thing" * (number % 5))
    bp.remove("other")
    return bp


def entries(history: History, key: str = "k") -> list[Entry]:
    """Return what is held of a key's versions, oldest first."""
    return [held for held in history.chains[key].held if isinstance(held, Entry)]


def of(history: History, form: Form, key: str = "k") -> Entry:
    """Return the oldest entry of a form that is in no tail."""
    chain = history.chains[key]
    return next(
        entry
        for entry in entries(history, key)
        if entry.form is form and entry not in (chain.tail.leader, *chain.tail.raw)
    )


def _cut_loose(history: History) -> None:
    of(history, Form.LEANING).base = None


def _lean_what_stands(history: History) -> None:
    of(history, Form.LEANING).form = Form.ALONE


def _lean_the_raw(history: History) -> None:
    raw = history.chains["k"].tail.raw
    raw[0].base = raw[1]


def _lean_on_one_that_is_gone(history: History) -> None:
    entry = of(history, Form.LEANING)
    assert entry.base is not None
    entry.base = evolve(entry.base)


def _forget_a_dependent(history: History) -> None:
    base = of(history, Form.LEANING).base
    assert base is not None
    base.dependents = ()


def _count_a_dependent_twice(history: History) -> None:
    base = of(history, Form.LEANING).base
    assert base is not None
    base.dependents *= 2


def _keep_one_that_is_gone(history: History) -> None:
    entry = of(history, Form.RAW)
    entry.dependents = (*entry.dependents, Entry("k", 1, Form.LEANING, b"", entry))


def _claim_a_dependent(history: History) -> None:
    entry = of(history, Form.RAW)
    entry.dependents = (*entry.dependents, history.chains["k"].tail.raw[0])


def _lean_in_a_circle(history: History) -> None:
    entry = of(history, Form.LEANING)
    base = entry.base
    assert base is not None
    base.form, base.base = Form.LEANING, entry
    entry.dependents = (*entry.dependents, base)


def _be_the_same_in_a_circle(history: History) -> None:
    entry = of(history, Form.SAME, "other")
    base = entry.base
    assert base is not None
    base.form, base.base = Form.SAME, entry
    entry.dependents = (base,)


def _lengthen_the_way(history: History) -> None:
    leaders = [entry for entry in entries(history) if entry.form is Form.RAW and entry.dependents]
    older, newer = leaders[:2]
    older.form, older.base = Form.LEANING, newer
    newer.dependents = (*newer.dependents, older)


def _lean_two_on_one(history: History) -> None:
    leaders = [entry for entry in entries(history) if entry.form is Form.RAW and entry.dependents]
    ends = [entry for entry in entries(history) if entry.form is Form.LEANING][:1]
    ends[0].base, leaders[1].dependents = leaders[1], (*leaders[1].dependents, ends[0])


def _mark_another(history: History) -> None:
    mark, entry = next(iter(history.marks.items()))
    history.marks[mark + 1] = entry
    del history.marks[mark]
    entry.mark = mark + 1


def _unmark(history: History) -> None:
    entry = next(iter(history.marks.values()))
    entry.mark = None


def _lose_a_mark(history: History) -> None:
    history.marks.popitem()


def _end_with_a_stranger(history: History) -> None:
    chain = history.chains["k"]
    chain.tail = evolve(chain.tail, raw=(*chain.tail.raw, Entry("k", 1, Form.RAW, b"")))


def _swap_tails(history: History) -> None:
    one, other = history.chains["k"], history.chains["other"]
    one.tail, other.tail = other.tail, one.tail


def _lead_with_a_stranger(history: History) -> None:
    chain = history.chains["k"]
    chain.tail = evolve(chain.tail, leader=Entry("k", 1, Form.ALONE, b""))


def _end_with_a_member(history: History) -> None:
    chain = history.chains["k"]
    chain.tail = evolve(chain.tail, raw=(*chain.tail.raw, of(history, Form.LEANING)))


def _lean_on_the_tail(history: History) -> None:
    raw = history.chains["k"].tail.raw
    entry = of(history, Form.RAW)
    entry.form, entry.base = Form.SAME, raw[0]
    raw[0].dependents = (entry,)


def _forget_what_is_raw(history: History) -> None:
    history.waiting["k"] -= 1


def _forget_a_tail(history: History) -> None:
    history.chains["k"].tail = EMPTY_TAIL


def _miscount_what_is_raw(history: History) -> None:
    history.raw_bytes += 1


def _wait_for_no_chain(history: History) -> None:
    history.waiting["gone"] = 0


FAULTS: dict[str, tuple[Callable[[History], None], str]] = {
    "one that leans on nothing": (_cut_loose, " set is LEANING, and its base None."),
    "one that stands and leans": (_lean_what_stands, " set is ALONE, and its base "),
    "a raw one that leans": (_lean_the_raw, " set is RAW, and its base "),
    "a base that is gone": (_lean_on_one_that_is_gone, " set leans on one that does not know it."),
    "a base that knows nothing": (_forget_a_dependent, " set leans on one that does not know it."),
    "a base that knows it twice": (_count_a_dependent_twice, " leans on one that does not know it"),
    "a dependent that is gone": (_keep_one_that_is_gone, " has dependents that do not lean on it."),
    "a dependent of none": (_claim_a_dependent, " has dependents that do not lean on it."),
    "a circle": (_lean_in_a_circle, " set is more than 4 steps from the ground."),
    "a circle of equals": (_be_the_same_in_a_circle, " set is more than 4 steps from the ground."),
    "a way that is too long": (_lengthen_the_way, " set is more than 4 steps from the ground."),
    "two that lean on one": (_lean_two_on_one, " set has more than one that leans on it."),
    "a mark of another text": (_mark_another, " set is found by mistake."),
    "a mark that is not its own": (_unmark, " set is found by mistake."),
    "a mark that is missing": (_lose_a_mark, " entries are marked, "),
    "a stranger at the end": (_end_with_a_stranger, "The tail of 'k' has entries that its chain"),
    "a stranger that leads": (_lead_with_a_stranger, "The tail of 'k' has entries that its chain"),
    "tails of others": (_swap_tails, "The tail of 'k' has entries that its chain has not."),
    "a member at the end": (_end_with_a_member, "The raw tail of 'k' is not raw, or not by itself"),
    "a tail that leans": (_lean_the_raw, "The raw tail of 'k' is not raw, or not by itself."),
    "a tail leaned on": (_lean_on_the_tail, "The raw tail of 'k' is not raw, or not by itself."),
    "raw bytes miscounted": (_forget_what_is_raw, "The tail of 'k' holds "),
    "a tail that is forgotten": (_forget_a_tail, "The tail of 'k' holds 0 bytes raw, "),
    "the sum of them": (_miscount_what_is_raw, "The tails hold "),
    "a tail of no chain": (_wait_for_no_chain, "The tail of 'gone' waits to be made a group, and"),
}


def test_all_is_well() -> None:
    """With every form of entry and a removal, nothing is amiss; nor with a policy without span."""
    bp = filled()
    history = bp._engine.history
    both = entries(history) + entries(history, "other")
    assert {Form.RAW, Form.LEANING, Form.SAME} == {entry.form for entry in both}
    assert audit(bp) == []
    plain = Backpack(storage=Full())
    plain.update(a=1)
    plain.update(a=2)
    assert audit(plain) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    """Each is told in a sentence that names what is wrong."""
    break_it, sentence = FAULTS[fault]
    bp = filled()
    break_it(bp._engine.history)
    found = audit(bp)
    assert any(sentence in each for each in found), found
