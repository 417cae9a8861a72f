"""Policies are not trusted: what they are offered, and what happens when they misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from backpack import Backpack, BudgetError, PolicyError, PruneRequest, Reference, RetainedCommit
from backpack.audit import audit
from backpack.policies import Full, Stub


def full(pruning: Callable[[PruneRequest], Any], **settings: Any) -> Backpack:
    """Return a Backpack whose next pack must prune."""
    settings = {"storage": Full()} | settings
    bp = Backpack(max_history_size=8192, reference=Stub(2000), pruning=pruning, **settings)
    while bp.memory_usage().headroom_bytes > 2500:
        bp.pack("k", f"{len(bp.history()):03}" * 300)
    return bp


def overfill(bp: Backpack) -> None:
    """Pack until something must go."""
    for number in range(5):
        bp.pack("k", f"{number:04}" * 450)


def shown(bp: Backpack) -> object:
    """Return what can be seen of a Backpack."""
    return bp.history(), bp.memory_usage(by_key=True), dict(bp)


FAULTS: dict[str, tuple[Callable[[PruneRequest], Any], str]] = {
    "none": (lambda request: None, r"must return the ids of the commits to prune, not None"),
    "a string": (
        lambda request: next(iter(request.candidates)).id,
        r"must return the ids of the commits to prune, not '1-",
    ),
    "a number": (
        lambda request: [1],
        r"chose int 1, which was not offered to it; it was off",
    ),
    "a record": (
        lambda request: [request.head],
        r"chose a value of class Commit, which was not offered to it",
    ),
    "the head": (lambda request: [request.head.id], r"chose '\d+-\w+', which was not offered"),
    "a stranger": (lambda request: ["1-zzzzzz"], r"chose '1-zzzzzz', which was not offered to it"),
    "no id": (lambda request: ["HEAD"], r"chose 'HEAD', which was not offered to it"),
    "twice": (
        lambda request: [next(iter(request.candidates)).id] * 2,
        r"which was chosen twice; it was offered \d commits and must return ids of these, each",
    ),
    "an exception": (
        lambda request: [][1],
        r"policy <lambda> raised IndexError: list index out of range; nothing was changed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_answer_changes_nothing(fault: str) -> None:
    """The error names the policy, what it did and what it may do."""
    policy, message = FAULTS[fault]
    bp = full(policy)
    before: object = None
    with pytest.raises(PolicyError, match=message) as caught:
        for number in range(5):
            before = shown(bp)
            bp.pack("k", f"{number:04}" * 450)
    assert "<lambda>" == caught.value.policy
    assert before == shown(bp)
    assert audit(bp) == []


def test_an_endless_choice_is_cut_off() -> None:
    """No more is read than could be right."""

    def endless(request: PruneRequest) -> Iterable[str]:
        while True:
            yield from (candidate.id for candidate in request.candidates)

    bp = full(endless)
    with pytest.raises(PolicyError, match="which was chosen twice"):
        overfill(bp)


def test_a_policy_may_read_but_not_change_the_backpack_that_asks() -> None:
    """Reading in a callback works and shows the state before; every change is refused."""
    seen: list[object] = []
    attempts: list[Callable[[Backpack], object]] = [
        lambda bp: bp.pack("intruder", 1),
        lambda bp: bp.remove("k"),
        lambda bp: bp.tag(bp.history()[0], "t"),
        lambda bp: bp.pin(bp.history()[0]),
        lambda bp: bp.rollback(bp.history()[0]),
    ]

    def nosy(request: PruneRequest) -> list[str]:
        seen.append((shown(bp), bp.snapshot(bp.history()[-1]).to_dict()))
        for attempt in attempts:
            with pytest.raises(PolicyError, match="policy nosy tried to change the Backpack that"):
                attempt(bp)
        return [candidate.id for candidate in request.candidates]

    bp = full(nosy)
    while not seen:
        before = shown(bp)
        bp.pack("k", f"{len(bp.history()):04}" * 400)
    assert before == seen[0][0]  # type: ignore[index]
    assert "intruder" not in bp


def test_a_reentrant_policy_is_refused() -> None:
    """An error that the callback lets through refuses the change it was asked for."""

    def reentrant(request: PruneRequest) -> list[str]:
        bp.pack("intruder", 1)
        return []

    bp = full(reentrant)
    with pytest.raises(PolicyError, match="policy reentrant tried to change the Backpack"):
        overfill(bp)
    assert "intruder" not in bp
    assert audit(bp) == []


def test_what_is_offered() -> None:
    """Oldest first; neither head nor pinned nor already chosen; sizes and accesses are told."""
    requests: list[tuple[PruneRequest, list[RetainedCommit]]] = []

    def one(request: PruneRequest) -> list[str]:
        offered = list(request.candidates)
        assert len(offered) == len(request.candidates)
        assert all(each in request.candidates for each in offered)
        names: list[object] = [request.head.id, 7, *(each.id for each in offered)]
        assert [False, False, *(True for _ in offered)] == [
            name in request.candidates for name in names
        ]
        requests.append((request, offered))
        return [offered[0].id]

    bp = full(one)
    pinned = bp.pin(bp.history()[-1])
    bp.snapshot(bp.history()[-2])["k"]
    start = bp.memory_usage().commits_made
    while len(requests) < 3:
        bp.pack("k", f"{len(bp.history()):04}" * 450)
    request, offered = requests[0]
    assert [each.commit.seq for each in offered] == sorted(each.commit.seq for each in offered)
    assert pinned.id not in [each.id for each in offered]
    assert offered[0].accesses == 2
    assert offered[0].last_access == start
    assert all(900 < each.size < 3000 for each in offered)
    assert request.budget == 8192 < request.used == request.needed + request.budget
    assert 0 == len(list(request.candidates)), "the question is over"
    assert offered[0] not in request.candidates


def test_a_policy_is_asked_until_it_fits() -> None:
    """One commit a time is slow, but right; each is chosen once."""
    asked: list[int] = []

    def one(request: PruneRequest) -> list[str]:
        asked.append(len(request.candidates))
        return [list(request.candidates)[-1].id]

    bp = Backpack(max_history_size=16_384, reference=Stub(8000), storage=Full(), pruning=one)
    for number in range(200):
        bp.pack("k", number)
        if bp.memory_usage().headroom_bytes < 600:
            break
    bp.pack("k", "x" * 7000)
    asked.clear()
    bp.pack("k", 1)
    assert len(asked) > 10
    assert asked == list(range(asked[0], asked[0] - len(asked), -1))
    assert audit(bp) == []


def test_a_policy_that_gives_nothing_up_refuses_the_change() -> None:
    """An empty answer is an answer: the change does not fit."""
    bp = full(lambda request: [])
    with pytest.raises(BudgetError, match="<lambda> gives nothing more up"):
        overfill(bp)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizing": lambda new: 1.5}, "sizing policy .* must return a size in bytes, 0 or more"),
        (
            {"sizing": lambda new: True},
            "sizing policy .* must return a size in bytes, 0 or more, not bool True",
        ),
        ({"reference": lambda value: "no"}, "reference policy .* must return a Reference or None"),
        (
            {"reference": lambda value: Reference(value.size, "made up", "large")},
            r"reference policy .* must return Reference\.to\(value, reason\), with its size",
        ),
        ({"reference": lambda value: 1 / 0}, "policy <lambda> raised ZeroDivisionError"),
    ],
)
def test_other_policies_are_not_trusted_either(settings: dict[str, Any], message: str) -> None:
    """A wrong answer of any axis is a PolicyError, and nothing happens."""
    bp = Backpack(**settings)
    with pytest.raises(PolicyError, match=message):
        bp["k"] = 1
    assert bp.head is None


def test_a_storage_policy_must_hold_and_read_bytes() -> None:
    """What it holds is what history pays; what it reads back must be bytes."""

    class Careless(Full):
        hold_: Any = None
        read_: Any = None

        def hold(self, version: Any) -> bytes:
            return self.hold_ if self.hold_ is not None else super().hold(version)

        def read(self, version: Any) -> bytes:
            return self.read_ if self.read_ is not None else super().read(version)

    class Holds(Careless):
        hold_ = bytearray(b"x")

    class Reads(Careless):
        read_ = "text"

    bp = Backpack(storage=Holds())
    bp["k"] = 1
    with pytest.raises(PolicyError, match="storage policy Holds must return bytes to hold, not by"):
        bp["k"] = 2
    assert 1 == bp["k"]
    bp = Backpack(storage=Reads())
    commit = bp.pack("k", 1)
    bp["k"] = 2
    with pytest.raises(PolicyError, match="storage policy Reads must read back bytes, not str"):
        bp.snapshot(commit)["k"]
