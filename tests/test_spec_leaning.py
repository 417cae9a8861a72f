"""Versions that lean on others: what the suite asks, and what it says of a Backpack."""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof

import pytest
from attrs import evolve

from backpack import Backpack, PruneRequest
from backpack.audit import overweight
from backpack.config import load_preset
from backpack.entries import Entry, Form
from backpack.policies import Delta, Full, Oldest
from backpack.records import HeldVersion, SupersededVersion
from backpack.spec import LAWS, LawBroken, Model, machine_for, standard_backpack
from backpack.spec.cases import Stored, Versions
from backpack.spec.hostile import HostileStorage, Saboteur, hostile
from backpack.spec.target import configured

STORED = tuple(Stored("k", seq, b"text %d, " % seq * 9) for seq in range(1, 6))


class Noting:
    """Hold the numbers of the version and of its base; note what it is asked to read."""

    span = 3

    def __init__(self, least: int = 0) -> None:
        self.least = least
        self.asked: list[tuple[bytes, bytes | None]] = []

    def hold(self, version: SupersededVersion) -> bytes:
        self.asked.append((version.encoded[5:6], version.base and version.base[5:6]))
        return version.encoded[5:6]

    def read(self, version: HeldVersion) -> bytes:
        return version.data


def test_versions_are_held_alone_and_along_a_chain() -> None:
    """Each beside the next, and again without those that were discarded."""
    policy = Noting()
    stored = (STORED[0], Stored("k", 2, STORED[1].encoded, lives=False), STORED[2])
    Versions(stored).hold(policy)
    alone = [(b"1", None), (b"2", None), (b"3", None)]
    assert [*alone, (b"1", b"2"), (b"2", b"3"), (b"1", b"3")] == policy.asked


def test_versions_are_read_over_as_many_as_the_span() -> None:
    """Beside the next one, and along the chain, half of the way and all of it, nearest first."""
    policy, case = Noting(), Versions(STORED)
    first = [held for each, held in case.kept(policy, case.hold(policy)) if each is STORED[0]]
    assert [
        HeldVersion("k", 1, b"1"),
        HeldVersion("k", 1, b"1", STORED[1].encoded),
        HeldVersion("k", 1, b"1", STORED[2].encoded, (b"2",)),
        HeldVersion("k", 1, b"1", STORED[3].encoded, (b"2", b"3")),
    ] == first


def test_a_policy_is_not_asked_about_less_than_its_least() -> None:
    """Where it leans versions on others; one without a span is asked about all."""
    case = Versions((Stored("k", 1, b"short"), *STORED))
    assert list(STORED) == case.asked(Noting(least=40))
    assert list(case.stored) == case.asked(Full())
    assert all(base is None for _, base in case.pairs(Full()))


def leaning() -> tuple[Backpack, HostileStorage]:
    """Return a Backpack whose versions lean on one another, and its storage policy."""
    plain = standard_backpack(pruning=Oldest())
    bp = Backpack(max_history_size=8192, **hostile(plain, Saboteur()))
    for at in range(12):
        bp.pack("k", f"{at} " + "and so on " * 20)
    assert isinstance(bp.storage, HostileStorage)
    return bp, bp.storage


def entries(bp: Backpack) -> list[Entry]:
    """Return the entries of a Backpack with one key."""
    return [each for each in bp._engine.history.chains["k"].held if isinstance(each, Entry)]


def test_what_was_never_held_beside_a_base_is_told() -> None:
    """A policy may be asked to read along bases beside which that was held, and no others."""
    bp, storage = leaning()
    for commit in bp.history():
        bp.snapshot(commit).to_dict()
    assert [] == storage.saboteur.misled
    for data, base in list(storage.held):
        if base is not None:
            storage.read(HeldVersion("k", 1, data, base + b"?"))
    assert storage.saboteur.misled


def test_a_copy_of_hostile_storage_knows_what_was_held() -> None:
    """And its saboteur is another."""
    bp, storage = leaning()
    fork = bp.fork(bp.history()[0]).storage
    assert isinstance(fork, HostileStorage)
    assert (storage.held, storage.told) == (fork.held, fork.told)
    assert storage.held is not fork.held
    assert storage.saboteur is not fork.saboteur


def _loses_a_dependent(bp: Backpack) -> None:
    next(each for each in entries(bp) if each.dependents).dependents = ()


def _lets_too_much_wait(bp: Backpack) -> None:
    history = bp._engine.history
    history.raw_bytes = bp.max_history_size
    chain = history.chains["k"]
    chain.tail = evolve(chain.tail, raw=(Entry("k", 1, Form.RAW, b""),))


@pytest.mark.parametrize(
    ("law", "tamper"), [("S5", _loses_a_dependent), ("B4", _lets_too_much_wait)]
)
def test_a_law_sees_what_was_tampered_with(law: str, tamper: Callable[[Backpack], None]) -> None:
    """And holds before."""
    bp, _ = leaning()
    model = Model(bp.code, lambda key, value, previous: (0, None))
    LAWS[law](bp, model)
    tamper(bp)
    with pytest.raises(LawBroken, match=f"{law} is broken"):
        LAWS[law](bp, model)


def test_long_values_that_differ_in_one_place_are_told_apart() -> None:
    """The machine packs them where versions lean on others."""
    machine = machine_for(standard_backpack)()
    machine.begin(budget=0)
    machine.pack_near_twins(key="k", order=[0, 1, 0, 2])
    machine.teardown()
    assert machine.model.commits


def test_a_configured_backpack_makes_deltas_of_everything() -> None:
    """However large a version has to be where it is used."""
    subjects = configured(load_preset("default", storage="delta"), "mine", "--config mine.yaml")
    storage = subjects[-1].make().storage
    assert Delta(span=4, least=1) == storage


def one_at_a_time(request: PruneRequest) -> list[str]:
    """Prune the oldest commit."""
    return [next(iter(request.candidates)).id]


def test_tables_shrink_where_they_are_emptied_little_by_little() -> None:
    """And not only where most goes at once."""
    bp = Backpack(max_history_size="256 KiB", storage=Delta(span=4, least=1), pruning=one_at_a_time)
    for at in range(300):
        bp.pack("k", at)
    marks = len(bp._engine.history.marks)
    while len(bp.history()) > 10:
        bp.pack("note", None, note="n" * 30_000)
    assert len(bp._engine.history.marks) < marks // 8
    assert getsizeof(bp._engine.history.marks) < 80 * marks // 8
    assert [] == overweight(bp)
