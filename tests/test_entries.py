"""Versions that lean on each other: exact whatever goes, within the budget, and small."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

import backpack.draft
from backpack import Backpack, BudgetError, PolicyError, PruneRequest
from backpack.audit import audit, overweight
from backpack.entries import Entry, Form, fingerprint
from backpack.history import History
from backpack.policies import Delta, Full, KeepAll, Stub
from backpack.records import HeldVersion, SupersededVersion
from backpack.spec.standard import Haphazard

LETTERS = "abcdefghij"


def unlike(size: int, seed: int) -> str:
    """Return a text that has nothing in common with one of another seed."""
    return "".join(random.Random(seed).choices(LETTERS, k=size))  # noqa: S311


def history_of(bp: Backpack) -> History:
    """Return a Backpack's history."""
    bp._engine.history.settle()
    return bp._engine.history


def entries(bp: Backpack, *keys: str) -> list[Entry]:
    """Return what is held of superseded versions, oldest first; of these keys, or of all."""
    chains = history_of(bp).chains
    chosen = keys or tuple(chains)
    return [held for key in chosen for held in chains[key].held if isinstance(held, Entry)]


def forms(bp: Backpack, key: str) -> str:
    """Return the form of each version of a key, oldest first, by its first letter."""
    return "".join(entry.form.name[0] for entry in entries(bp, key))


def states(bp: Backpack) -> dict[str, dict[str, Any]]:
    """Return the states of all retained commits, by id."""
    return {commit.id: bp.snapshot(commit).to_dict() for commit in bp.history()}


class Program:
    """A random program on one Backpack, and a plain model of what it did."""

    def __init__(self, seed: int, budget: int, span: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.bp = Backpack(
            max_history_size=budget,
            reference=Stub(4096),
            storage=Delta(span=span, least=self.chance.choice((1, 1, 30))),
            pruning=Haphazard(),
        )
        self.state: dict[str, Any] = {}
        self.states: dict[str, dict[str, Any]] = {}
        self.again = [unlike(size, seed) for size in (50, 300, 600, 1200)]

    def value(self, key: str) -> Any:
        """Return a value that has something in common with others, or nothing."""
        chance, before = self.chance, self.state.get(key)
        kind = chance.randrange(8)
        if kind < 2:
            return chance.choice(self.again)
        if kind < 5 and isinstance(before, str):
            at = chance.randrange(len(before) + 1)
            return (before[:at] + str(chance.random()) + before[at:])[:1500]
        if kind < 6 and isinstance(before, str):
            return before[20:] + unlike(40, chance.randrange(100))
        if kind < 7:
            return unlike(chance.choice((10, 200, 900)), chance.randrange(2**32))
        return chance.randrange(100)

    def step(self) -> None:
        """Do something, or have it refused for want of room."""
        kind, key = self.chance.randrange(20), self.chance.choice("abc")
        try:
            if kind == 0 and key in self.state:
                commit = self.bp.remove(key)
                del self.state[key]
            elif kind < 4:
                changed = {each: self.value(each) for each in "abc"[kind - 1 :]}
                self.bp.update(changed)
                commit = self.bp.history()[0]
                self.state |= changed
            elif kind == 4 and self.states:
                self.bp.tag(self.chance.choice(self.bp.history()), f"tag {self.chance.random()}")
                return
            elif kind == 5 and self.states:
                for pinned in self.bp.history():
                    self.bp.unpin(pinned)
                self.bp.pin(self.chance.choice(self.bp.history()))
                return
            else:
                value = self.value(key)
                commit = self.bp.pack(key, value)
                self.state[key] = value
        except BudgetError:
            event("refused")
            return
        self.states[commit.id] = dict(self.state)

    def check(self) -> None:
        """What every retained commit says is what was."""
        assert self.state == dict(self.bp)
        for commit_id, state in states(self.bp).items():
            assert self.states[commit_id] == state


@given(
    seed=st.integers(0, 2**32),
    budget=st.sampled_from([8 * 1024, 16 * 1024, 64 * 1024]),
    span=st.sampled_from([1, 2, 3, 5, 8]),
    steps=st.integers(1, 150),
)
def test_whatever_goes_the_rest_is_exact(seed: int, budget: int, span: int, steps: int) -> None:
    """Any values in any order, any commits pruned: within the budget, sound, and to the byte."""
    program = Program(seed, budget, span)
    bp = program.bp
    for number in range(steps):
        before = {
            entry: (entry.form, entry.base, entry.dependents, entry.mark) for entry in entries(bp)
        }
        program.step()
        assert audit(bp) == []
        assert bp.memory_usage().history_bytes <= budget
        if number % 16 == 0:
            program.check()
        after = set(entries(bp))
        for entry, (form, base, dependents, mark) in before.items():
            if entry not in after:
                if dependents:
                    event("one that others lean on goes")
                if any(each not in after for each in dependents):
                    event("one goes, and one that leans on it")
            elif form is Form.SAME and entry.form is not Form.SAME and base is not None:
                event("an equal one takes over")
                event("an equal one takes over", "another key" if base.key != entry.key else "")
            elif mark is not None and entry.mark is None:
                event("another is found in its place")
        for chain in history_of(bp).chains.values():
            leader = chain.tail.leader
            if leader is not None and leader.form is Form.ALONE:
                event("a tail is pressed")
    program.check()
    assert overweight(bp) == []


def filled(values: Iterable[object], key: str = "k", **settings: Any) -> Backpack:
    """Return a Backpack into which these values were packed, one after the other."""
    bp = Backpack(**{"storage": Delta(span=4, least=1), **settings})
    for value in values:
        bp.pack(key, value)
    return bp


def some_of(seed: int) -> Callable[[PruneRequest], list[str]]:
    """Return a pruning policy that chooses some at random, the same each time it is made."""
    chance = random.Random(seed)  # noqa: S311

    def choose(request: PruneRequest) -> list[str]:
        candidates = [each.id for each in request.candidates]
        return chance.sample(candidates, len(candidates) // 4 + 1)

    return choose


def test_groups_lean_on_the_next_newer_one() -> None:
    """The newest stay raw; of the others only the one that leads each span stands."""
    bp = filled(unlike(900, 0)[number:] for number in range(21))
    # A group of four is made when eight are raw, and each span of four has its leader.
    assert "LLLRLLLRLLLRLLLRRRRR"[-20:] == forms(bp, "k")
    assert audit(bp) == []


def test_values_set_back_and_forth_are_held_once() -> None:
    """Of two values that alternate two versions are held; the others are the same as these."""
    one, other = unlike(5000, 1), unlike(5000, 2)
    bp = filled((one, other)[number % 2] for number in range(60))
    grouped = [entry for entry in entries(bp) if entry not in history_of(bp).chains["k"].tail.raw]
    assert len(grouped) >= 50
    assert 2 == sum(entry.form is not Form.SAME for entry in grouped)
    assert audit(bp) == []
    assert [(one, other)[number % 2] for number in range(60)] == [
        bp.snapshot(commit)["k"] for commit in reversed(bp.history())
    ]


def test_many_equal_versions_are_held_a_few_times() -> None:
    """On one lean 64 at most; the next is held once more, and found by those after it."""
    value = unlike(2000, 3)
    bp = filled((value, number)[number % 2] for number in range(600))
    held = [entry for entry in entries(bp) if len(entry.data) > 500]
    assert 5 <= len(held) <= 10
    assert 64 == max(len(entry.dependents) for entry in entries(bp))
    assert audit(bp) == []


def test_a_value_under_ten_keys_is_held_once() -> None:
    """Once it is superseded and in a group, whatever the keys."""
    keys, value = [f"key {number}" for number in range(10)], unlike(20_000, 4)
    bp = Backpack(storage=Delta(span=2, least=1))
    bp.update(dict.fromkeys(keys, value))
    for number in range(5):
        bp.update(dict.fromkeys(keys, number))
    firsts = [entry for entry in entries(bp) if entry.seq == 1]
    assert 10 == len(firsts)
    assert 9 == sum(entry.form is Form.SAME for entry in firsts)
    assert bp.memory_usage().history_bytes < 45_000
    assert dict.fromkeys(keys, value) == bp.snapshot(bp.history()[-1]).to_dict()
    assert audit(bp) == []


def test_nothing_of_the_current_state_is_leaned_on() -> None:
    """The current values are no entries, and reading them asks no policy."""

    class Counted:
        span, least, reads = 3, 1, 0
        delta = Delta(span=3, least=1)

        def hold(self, version: SupersededVersion) -> bytes:
            return self.delta.hold(version)

        def read(self, version: HeldVersion) -> bytes:
            self.reads += 1
            return self.delta.read(version)

    storage = Counted()
    bp = filled((unlike(900, 5)[number:] for number in range(30)), storage=storage)
    storage.reads = 0
    head = bp.history()[0]
    assert unlike(900, 5)[29:] == bp["k"] == bp.snapshot(head)["k"]
    assert 0 == storage.reads
    assert all(entry.seq < head.seq for entry in entries(bp))
    assert unlike(900, 5) == bp.snapshot(bp.history()[-1])["k"]
    assert 1 == storage.reads


@pytest.mark.parametrize("span", [1, 2, 3, 8, 20])
def test_a_version_is_read_back_over_span_others_at_most(span: int) -> None:
    """However many versions there are, and whichever of them go."""
    between: list[int] = []

    class Measured:
        delta = Delta(least=1)

        def __init__(self) -> None:
            self.span, self.least = span, 1

        def hold(self, version: SupersededVersion) -> bytes:
            return self.delta.hold(version)

        def read(self, version: HeldVersion) -> bytes:
            between.append(len(version.between))
            return self.delta.read(version)

    bp = filled(
        (unlike(900, 6)[number:] for number in range(200)),
        storage=Measured(),
        max_history_size=32 * 1024,
        pruning=some_of(16),
    )
    for _ in states(bp):
        assert max(between, default=0) + 1 < max(span, 2)
    assert audit(bp) == []


def every_other(commits: list[str]) -> list[str]:
    """Return every other of some commits, but for the last."""
    return commits[:-1:2]


GOING: dict[str, Callable[[list[str]], list[str]]] = {
    "every other one": every_other,
    "the newest": lambda commits: commits[-11:-1],
    "the oldest": lambda commits: commits[:10],
    "one in the middle": lambda commits: commits[20:21],
    "all but the head": lambda commits: commits[:-1],
}


def prune(bp: Backpack, wanted: list[str]) -> None:
    """Make a commit that fits but for a few bytes, so that the policy is asked what is wanted."""
    going, wanted[:] = list(wanted), []
    note = "n" * bp.max_history_size
    with pytest.raises(BudgetError) as caught:
        bp.pack("other", len(bp.history()), note=note)
    wanted[:] = going
    missing = caught.value.needed - caught.value.free
    bp.pack("other", len(bp.history()), note=note[: max(0, len(note) - missing + 20)])


@pytest.mark.parametrize("span", [1, 3, 16])
@pytest.mark.parametrize("name", GOING)
def test_all_but_those_that_go_stay_exact(name: str, span: int) -> None:
    """Whichever commits go, again and again, in whatever order, the others are what they were."""
    wanted: list[str] = []

    def choose(request: PruneRequest) -> list[str]:
        return [each.id for each in request.candidates if each.id in wanted]

    values = [unlike(500, 7)[:number] + str(number % 3) * 300 for number in range(60)]
    bp = filled(
        values,
        storage=Delta(span=span, least=1),
        max_history_size=256 * 1024,
        reference=Stub("256 KiB"),
        pruning=choose,
    )
    for _ in range(3):
        before = states(bp)
        wanted[:] = GOING[name]([commit.id for commit in reversed(bp.history())])
        going = set(wanted)
        prune(bp, wanted)
        assert audit(bp) == []
        after = states(bp)
        assert before.keys() - going == after.keys() - {bp.history()[0].id}
        assert all(before[commit] == after[commit] for commit in before.keys() - going)


@pytest.mark.parametrize("other", ["k", "another key"])
def test_an_equal_version_takes_the_place_of_a_leader(other: str) -> None:
    """It leads on where it is of the same key; of another key it is leaned on, and leads nothing.

    What is packed then is held as ever.
    """
    wanted: list[str] = []

    def choose(request: PruneRequest) -> list[str]:
        return [each.id for each in request.candidates if each.id in wanted]

    value = unlike(900, 17)
    bp = Backpack(storage=Delta(span=4, least=1), max_history_size=2**18, pruning=choose)
    spare = bp.pack("spare", 0)
    bp.pack("k", value[1:])
    bp.pack("k", value if other == "k" else value[3:])
    bp.pack("k", value[2:])
    leading = bp.pack("k", value)
    bp.pack("k", "small")
    if other != "k":
        bp.pack(other, value)
        bp.pack(other, "small")
    wanted[:] = [spare.id]
    prune(bp, wanted)  # Before that, all that is raw is compacted.
    leader = history_of(bp).chains["k"].tail.leader
    assert leader is not None
    assert leading.seq == leader.seq
    leader_data = bp._engine.store.encoded(leader)
    (twin,) = (entry for entry in leader.dependents if entry.form is Form.SAME)
    assert other == twin.key
    wanted[:] = [leading.id]
    before = states(bp)
    prune(bp, wanted)
    assert before.keys() - states(bp).keys() == {leading.id}
    assert Form.ALONE is twin.form
    assert twin is history_of(bp).marks[fingerprint(leader_data)]
    assert (twin if other == "k" else None) is history_of(bp).chains["k"].tail.leader
    assert {"k"} == {entry.key for entry in twin.dependents}
    assert (twin if other == "k" else None) is history_of(bp).chains["k"].tail.leader
    wanted[:] = [commit.id for commit in bp.history()[:2]]  # Their notes take what there is.
    for number in range(20):
        bp.pack("k", value[number:])
        assert audit(bp) == []
    after = states(bp)
    assert all(after[commit] == state for commit, state in before.items() if commit in after)


@pytest.mark.parametrize("at_hand", [0, 2000])
def test_a_change_reads_over_as_often_as_it_must(
    at_hand: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where little of what was read is kept at hand, what is held is the same."""
    held: list[list[bytes]] = []
    for limit in (at_hand, 2**23):
        monkeypatch.setattr(backpack.draft, "_AT_HAND", limit)
        bp = filled(
            (unlike(900, number // 10)[number % 10 :] for number in range(80)),
            max_history_size=32 * 1024,
            pruning=some_of(18),
        )
        assert bp.memory_usage().commits_pruned > 20
        assert audit(bp) == []
        held.append([entry.data for entry in entries(bp)])
    assert held[0] == held[1]


def test_what_is_raw_is_compacted_before_anything_is_pruned() -> None:
    """Values that take more than the budget raw stay all, if they fit as differences."""
    values = [unlike(3000, 8) + str(number) for number in range(15)]
    bp = filled(values, max_history_size=24 * 1024, pruning=KeepAll(), storage=Delta(least=1))
    assert sum(map(len, values)) > 40 * 1024
    assert 0 == bp.memory_usage().commits_pruned
    assert values == [bp.snapshot(commit)["k"] for commit in reversed(bp.history())]
    assert audit(bp) == []


def test_the_key_that_waited_longest_is_compacted_first() -> None:
    """Of many keys as many are pressed as it takes, and what is about to change comes last."""

    def full() -> Backpack:
        bp = Backpack(max_history_size=256 * 1024, storage=Delta(least=1), pruning=KeepAll())
        for number in range(3):
            for key in "abcdefgh":
                bp.pack(key, unlike(700, 9) + key + str(number))
        assert {"RR"} == {forms(bp, key) for key in "abcdefgh"}
        return bp

    twin = full()
    before = twin.memory_usage()
    twin.pack("h", "last", note="")
    taken = twin.memory_usage().history_bytes - before.history_bytes
    bp = full()
    bp.pack("h", "last", note="n" * (before.headroom_bytes - taken + 2000))
    assert 0 == bp.memory_usage().commits_pruned
    pressed = [key for key in "abcdefgh" if "R" not in forms(bp, key)]
    assert pressed == list("abcdefgh"[: len(pressed)])
    assert 0 < len(pressed) < 8
    assert "h" not in pressed
    assert audit(bp) == []


def test_tails_hold_little_of_the_budget_raw() -> None:
    """All tails together hold raw no more than a sixteenth of it, however many keys there are."""
    budget = 512 * 1024
    bp = Backpack(max_history_size=budget, storage=Delta(least=1))
    for number in range(400):
        bp.pack(f"key {number % 40}", unlike(1500, 10) + str(number))
        raw = sum(len(entry.data) for entry in entries(bp) if entry.form is Form.RAW)
        keyframes = [e for e in entries(bp) if e.form is Form.RAW and e.dependents]
        assert raw - sum(len(entry.data) for entry in keyframes) <= budget // 16
        assert history_of(bp).raw_bytes <= budget // 16
        # Those that changed last are left raw.
        changed = [f"key {each % 40}" for each in range(40, number + 1)][-40:]
        waiting = list(history_of(bp).waiting)
        assert waiting == changed[len(changed) - len(waiting) :]
        if changed:
            assert history_of(bp).chains[changed[-1]].tail.raw
    assert audit(bp) == []
    assert overweight(bp) == []


def test_small_values_stay_plain_bytes() -> None:
    """Values below the least size are held as they were encoded, between larger ones."""
    values: list[object] = [f"{number}" * (1 + 200 * (number % 2)) for number in range(10, 40)]
    bp = filled(values, storage=Delta(span=4, least=100))
    held = history_of(bp).chains["k"].held
    assert [number % 2 == 1 for number in range(10, 39)] == [
        isinstance(each, Entry) for each in held
    ]
    assert {bytes} == {type(each) for each in held[::2]}
    assert values == [bp.snapshot(commit)["k"] for commit in reversed(bp.history())]
    assert audit(bp) == []


class Xor:
    """A storage policy of a user's own: what is held is the difference of each byte."""

    span, least = 5, 10

    def hold(self, version: SupersededVersion) -> bytes:
        """Return the version, less its base if there is one."""
        return self._less(version.encoded, version.base)

    def read(self, version: HeldVersion) -> bytes:
        """Follow the versions between, from the base on."""
        text = version.base
        for data in reversed(version.between):
            text = self._less(data, text)
        return self._less(version.data, text)

    @staticmethod
    def _less(text: bytes, base: bytes | None) -> bytes:
        base = b"" if base is None else base
        padded = base[: len(text)].ljust(len(text), b"\0")
        return bytes(one ^ other for one, other in zip(text, padded, strict=True))


def test_a_policy_of_ones_own_may_lean_versions() -> None:
    """Two methods on bytes and a span are all it takes."""
    values = [unlike(200 + number % 7, number // 9) for number in range(120)]
    bp = filled(values, storage=Xor(), max_history_size=32 * 1024, pruning=some_of(16))
    kept = {commit.seq: bp.snapshot(commit)["k"] for commit in bp.history()}
    assert 5 < len(kept) < 120
    assert kept == {seq: values[seq - 1] for seq in kept}
    assert "L" in forms(bp, "k")
    assert audit(bp) == []


class Moody:
    """One that fails when it is told to."""

    span, least = 4, 1
    delta = Delta()
    answer: Any = None

    def hold(self, version: SupersededVersion) -> bytes:
        """Return what it should, or what it was told to."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.delta.hold(version) if self.answer is None else self.answer

    def read(self, version: HeldVersion) -> bytes:
        """Return what it should."""
        return self.delta.read(version)


ANSWERS: dict[str, tuple[object, str]] = {
    "raises": (ValueError("no mood"), "policy Moody raised ValueError: no mood; nothing was chang"),
    "text": (
        "text",
        "storage policy Moody must return bytes to hold, not str; nothing was changed",
    ),
    "a bytearray": (bytearray(9), "storage policy Moody must return bytes to hold, not bytearray;"),
}


@pytest.mark.parametrize("moment", ["grouping", "pruning", "compacting"])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_policy_that_fails_changes_nothing(name: str, moment: str) -> None:
    """Whenever it is asked, an error leaves all as it was; the same change works afterwards."""
    answer, message = ANSWERS[name]
    storage = Moody()
    settings: dict[str, Mapping[str, Any]] = {
        "grouping": {},
        "pruning": {"max_history_size": 24 * 1024, "pruning": some_of(16)},
        "compacting": {"max_history_size": 12 * 1024, "pruning": KeepAll()},
    }
    bp = filled([], storage=storage, **settings[moment])

    def shown() -> object:
        return states(bp), bp.memory_usage(by_key=True), bp.history(), dict(bp), audit(bp)

    failures: list[PolicyError] = []
    for number in range(12 if moment == "compacting" else 60):
        value = unlike(250, 11) + str(number)
        before = shown()
        storage.answer = answer
        try:
            bp.pack("k", value)
        except PolicyError as error:
            failures.append(error)
            storage.answer = None
            assert before == shown()
            bp.pack("k", value)
        storage.answer = None
        assert value == bp["k"]
        assert audit(bp) == []
    assert len(failures) > 1
    assert all(message in str(failure) for failure in failures)
    assert {"Moody"} == {failure.policy for failure in failures}


def test_a_policy_that_reads_no_bytes_is_told() -> None:
    """What it reads back must be bytes, when it is looked at and when it is held anew."""

    class Illiterate(Xor):
        def read(self, version: HeldVersion) -> Any:
            return version.data.decode("latin-1")

    def choose(request: PruneRequest) -> list[str]:
        return [each.id for each in list(request.candidates)[2:5]]

    bp = filled(
        (unlike(900, 12) + str(number) for number in range(18)),
        storage=Illiterate(),
        max_history_size=64 * 1024,
        pruning=choose,
    )
    message = "storage policy Illiterate must read back bytes, not str"
    with pytest.raises(PolicyError, match=message) as caught:
        states(bp)
    assert "Illiterate" == caught.value.policy
    head = bp.head
    with pytest.raises(PolicyError, match=message):
        for number in range(30):
            head = bp.head
            bp.pack("k", unlike(3000, number))
    assert head == bp.head


def test_without_a_span_nothing_leans() -> None:
    """A policy of two methods holds every version by itself."""
    bp = filled((unlike(900, 13) for _ in range(3)), storage=Full())
    assert [] == entries(bp)
    assert {} == history_of(bp).waiting


def test_fingerprints_of_long_texts_tell_their_length() -> None:
    """Equal texts have equal ones; of long ones that differ in size they differ."""
    text = unlike(5000, 14).encode()
    assert fingerprint(text) == fingerprint(bytes(bytearray(text)))
    assert fingerprint(text) != fingerprint(text + b"a")
    assert fingerprint(text[:4096]) != fingerprint(text[:4095])


def test_texts_that_are_taken_for_equal_are_compared() -> None:
    """Where two texts differ in no place that is looked at, each is held as it is."""
    text = unlike(9000, 15)
    values = [text[:4000] + str(number) * 10 + text[4010:] for number in range(8)]
    assert 1 == len({fingerprint(b"\xda\x23\x28" + value.encode()) for value in values})
    bp = filled(values[number % 8] for number in range(40))
    assert [values[number % 8] for number in range(40)] == [
        bp.snapshot(commit)["k"] for commit in reversed(bp.history())
    ]
    assert audit(bp) == []
