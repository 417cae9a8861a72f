"""A conversation in chunks: what was added is there, and each turn is answered exactly or not."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from attrs import frozen
from hypothesis import event, given
from hypothesis import strategies as st

from backpack import (
    Backpack,
    Commit,
    CommitPruned,
    ConfigError,
    PruneRequest,
    UnknownCommit,
    ValueUnavailable,
)
from backpack.integrations import chats
from backpack.integrations.chats import Chat
from backpack.policies import Stub


@frozen
class At:
    """What a conversation was at a commit.

    Attributes:
        items: The items, each with its turn, and whether it begins that.
        turn: The turn.
        is_end: Whether the turn may end there.
        is_cleared: Whether everything was removed there.
    """

    items: tuple[tuple[int, bool, str], ...] = ()
    turn: int = 0
    is_end: bool = False
    is_cleared: bool = False


class Model:
    """A conversation that copies everything, beside the one in a Backpack."""

    def __init__(self, backpack: Backpack) -> None:
        self.backpack = backpack
        self.chat = Chat(backpack, "chat")
        self.now = At()
        self.line: tuple[At, ...] = ()
        self.lines: list[tuple[str, tuple[At, ...]]] = []

    def done(self, now: At) -> None:
        """Note what has come of a change."""
        self.now, self.line = now, (*self.line, now)
        assert self.backpack.head is not None
        self.lines.append((self.backpack.head.id, self.line))

    def add(self, items: list[str], begins: bool) -> None:
        """Add items."""
        self.chat.add(items, begins=begins)
        turn = self.now.turn + begins
        added = tuple((turn, begins and at == 0, item) for at, item in enumerate(items))
        is_end = begins or not self.line or not self.line[-1].is_cleared
        self.done(At((*self.now.items, *added), turn, is_end))

    def pop(self, number: int) -> None:
        """Pop some, one after the other."""
        for _ in range(number):
            self.pop_one()

    def pop_one(self) -> None:
        """Pop one, of which the turn may be over."""
        made = len(self.backpack.history())
        popped = self.chat.pop()
        if not self.now.items:
            assert popped is None
            assert made == len(self.backpack.history())
            return
        *items, (_, begins, item) = self.now.items
        assert item == popped
        self.done(At(tuple(items), self.now.turn - begins, True))

    def replace(self, items: list[str]) -> None:
        """Replace all by others."""
        if self.chat.replace(items) is None:
            assert not items
            assert not self.now.items
            return
        turn = self.now.turn
        others = tuple((turn, turn > 0 and at == 0, item) for at, item in enumerate(items))
        self.done(At(others, turn, False, not items))

    def roll_back(self, number: int) -> None:
        """Go back to some commit, if it is still there."""
        if self.lines:
            commit, line = self.lines[number % len(self.lines)]
            try:
                made = self.chat.roll_back(commit)
            except CommitPruned:
                event("the commit to go back to was pruned")
                return
            if made.keys:
                self.now, self.line = line[-1], line
                self.lines.append((made.id, line))
            assert line[-1].items == self.now.items

    def check(self) -> None:
        """Compare all that can be asked."""
        items = [item for *_, item in self.now.items]
        assert items == self.chat.items()
        for limit in (0, 1, 3, len(items), len(items) + 1):
            assert items[max(len(items) - limit, 0) :] == self.chat.items(limit)
        turns = self.chat.turns()
        listed = [(turn.number, item) for turn in turns for item in turn.items]
        assert [(turn, item) for turn, _, item in self.now.items] == listed
        for turn in turns:
            try:
                found_turn = self.chat.find(turn.number)
            except (CommitPruned, UnknownCommit):
                assert turn.commit is None
            else:
                assert found_turn == turn.commit
        ends = {at.turn: at for at in self.line if at.is_end}
        for number in range(1, self.now.turn + 1):
            try:
                found = self.chat.items(at=self.chat.find(number))
            except CommitPruned:
                event("a turn is not there")
                assert self.backpack.memory_usage().commits_pruned or number not in ends
                continue
            assert [item for *_, item in ends[number].items] == found
        with pytest.raises(UnknownCommit):
            self.chat.find(self.now.turn + 1)


TEXTS = st.lists(st.sampled_from(["a", "bb", "c" * 40, "d" * 90]), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), TEXTS.filter(bool), st.booleans()),
        st.tuples(st.just("add"), TEXTS.filter(bool), st.just(True)),
        st.tuples(st.just("pop"), st.integers(1, 4)),
        st.tuples(st.just("replace"), TEXTS),
        st.tuples(st.just("roll_back"), st.integers(0, 50)),
        st.tuples(st.just("other"), st.integers(0, 3)),
    ),
    max_size=30,
)


def follow(model: Model, steps: Iterable[tuple[Any, ...]]) -> None:
    """Do what steps say, and compare behind each."""
    for name, *arguments in steps:
        if name == "other":
            model.backpack.pack("chat/", arguments[0])
            model.backpack.pack("chat/0/0", arguments[0])
        else:
            getattr(model, name)(*arguments)
        model.check()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have chunks that are soon full."""
    monkeypatch.setattr(chats, "_FULL", 50)


@given(steps=STEPS)
def test_it_is_what_a_list_would_be(steps: list[tuple[Any, ...]]) -> None:
    """Items, turns and the ends of turns, whatever is popped, cleared, replaced or undone."""
    follow(Model(Backpack()), steps)


@given(steps=STEPS, seed=st.integers(0, 5))
def test_a_turn_is_answered_exactly_or_not_at_all(steps: list[tuple[Any, ...]], seed: int) -> None:
    """Also where a policy gives up commits in the middle of turns."""
    lots = Random(seed)  # noqa: S311

    def any_of_them(request: PruneRequest) -> list[str]:
        return [lots.choice(list(request.candidates)).id]

    backpack = Backpack(max_history_size=6000, reference=Stub(4000), pruning=any_of_them)
    follow(Model(backpack), steps)


def test_an_add_costs_one_chunk_however_long_the_conversation_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the last chunk is packed again, and a new one where that is full."""
    monkeypatch.setattr(chats, "_FULL", 1000)
    backpack = Backpack()
    chat = Chat(backpack, "chat")
    for number in range(400):
        commit = chat.add([f"{number}" * 20], begins=number % 4 == 0)
        assert len(commit.keys) == 1
        assert sum(change.size for change in commit.changes) < 1500
    assert len(backpack) > 20
    assert 400 == len(chat.items())


def test_commits_tell_where_the_conversation_was() -> None:
    """In words that a log shows."""
    backpack = Backpack()
    chat = Chat(backpack, "chat")
    chat.add(["be brief"], begins=False)
    chat.add(["hello"], begins=True)
    chat.add(["hi", "there"], begins=False)
    chat.pop()
    chat.replace(["in short"])
    chat.replace([])
    other = Chat(Backpack(), "other")
    chat.copy(other, chat.find(1))
    assert [
        ("agent", "turn 0"),
        ("user", "turn 1"),
        ("agent", "turn 1"),
        (None, "turn 1, popped"),
        (None, "turn 1, replaced"),
        (None, "turn 1, cleared"),
    ] == [(commit.by, commit.note) for commit in reversed(chat.commits())]
    popped = chat.commits()[2]
    assert [f"turn 1, fork of {popped.id}"] == [each.note for each in other.commits()]
    assert popped == chat.find(1)
    assert ["be brief"] == chat.items(at=chat.find(0))
    assert ["be brief", "hello", "hi"] == other.items()
    assert other.commits()[0] == other.find(1)


def test_what_was_popped_cleared_and_replaced_can_be_had_again() -> None:
    """A turn ended before it was cleared; a commit is a commit."""
    chat = Chat(Backpack(), "chat")
    chat.add(["hello"], begins=True)
    chat.add(["hi"], begins=False)
    chat.add(["bye"], begins=True)
    newest = chat.commits()[0]
    assert "bye" == chat.pop()
    chat.replace([])
    assert [] == chat.items()
    assert [] == chat.turns()
    chat.roll_back(chat.find(1))
    assert ["hello", "hi"] == chat.items()
    chat.roll_back(newest)
    assert ["hello", "hi", "bye"] == chat.items()
    assert [1, 2] == [turn.number for turn in chat.turns()]


def test_a_replacement_in_two_steps_is_no_end_of_a_turn() -> None:
    """What is cleared and filled again within a turn: the turn is as it was, until more comes."""
    chat = Chat(Backpack(), "chat")
    chat.add(["hello"], begins=True)
    chat.add(["hi"], begins=False)
    chat.replace([])
    assert "turn 1, replaced" == chat.add(["in short"], begins=False).note
    assert ["hello", "hi"] == chat.items(at=chat.find(1))
    chat.add(["bye"], begins=True)
    assert ["hello", "hi"] == chat.items(at=chat.find(1))
    assert ["in short", "bye"] == chat.items(at=chat.find(2))
    chat.replace([])
    chat.add(["again"], begins=True)
    assert ["in short", "bye"] == chat.items(at=chat.find(2))
    assert ["again"] == chat.items(at=chat.find(3))


def test_going_back_to_before_the_conversation_removes_it() -> None:
    """Nothing of it is left, and other keys stay as they are."""
    backpack = Backpack()
    before = backpack.pack("plan", 1)
    chat = Chat(backpack, "chat")
    chat.roll_back(before)
    chat.add(["hello"], begins=True)
    backpack.pack("plan", 2)
    chat.roll_back(before)
    assert {"plan": 2} == backpack.to_dict()
    assert [] == chat.items()
    assert "turn 1" == chat.add(["hello"], begins=True).note


def test_a_rollback_of_the_whole_backpack_is_followed() -> None:
    """What it undid is no turn any more; those before it are found."""
    backpack = Backpack()
    chat = Chat(backpack, "chat")
    for text in ("one", "two", "three"):
        chat.add([text], begins=True)
    backpack.rollback(chat.find(2))
    with pytest.raises(UnknownCommit):
        chat.find(3)
    chat.add(["other"], begins=True)
    found = [chat.items(at=chat.find(number)) for number in (1, 2, 3)]
    assert [["one"], ["one", "two"], ["one", "two", "other"]] == found


def test_the_line_that_led_to_the_present_is_followed() -> None:
    """Of two conversations with turns of the same numbers the one that was gone back to."""
    backpack = Backpack()
    before = backpack.pack("plan", 1)
    chat = Chat(backpack, "chat")
    first = [chat.add([f"first {number}"], begins=True) for number in range(3)]
    chat.roll_back(before)
    for number in range(3):
        chat.add([f"second {number}"], begins=True)
    assert ["second 0", "second 1"] == chat.items(at=chat.find(2))
    chat.roll_back(first[-1])
    assert ["first 0", "first 1"] == chat.items(at=chat.find(2))
    chat.add(["first 3"], begins=True)
    assert ["first 0", "first 1"] == chat.items(at=chat.find(2))
    assert ["first 0", "first 1", "first 2"] == chat.items(at=chat.find(3))


@pytest.mark.parametrize("pruned", [2, 3])
def test_a_turn_of_which_the_end_was_pruned_is_not_answered_from_its_middle(pruned: int) -> None:
    """Whichever of its commits is left, the question is answered exactly or not."""
    given_up: list[str] = []

    def that_one(request: PruneRequest) -> list[str]:
        chosen = [
            each.id
            for each in request.candidates
            if each.commit.seq == pruned or "other" in each.commit.keys
        ]
        given_up.extend(chosen)
        return chosen

    backpack = Backpack(max_history_size=16000, reference=Stub(2000), pruning=that_one)
    chat = Chat(backpack, "chat")
    for text, begins in (("a", True), ("b", True), ("c", False), ("d", True), ("e", True)):
        chat.add([text], begins=begins)
    while not given_up:
        backpack.pack("other", str(backpack.head) * 9)
    assert given_up[0].startswith(f"{pruned}-")
    whole = {1: ["a"], 2: ["a", "b", "c"], 3: ["a", "b", "c", "d"]}
    if pruned == 3:
        del whole[2]
        with pytest.raises(CommitPruned, match="turn 2 of"):
            chat.find(2)
    assert whole == {number: chat.items(at=chat.find(number)) for number in whole}


def test_a_fork_of_the_whole_backpack_has_turns_of_its_own() -> None:
    """Commits of the other are none of it, though they may have the same numbers."""
    backpack = Backpack()
    chat = Chat(backpack, "chat")
    for number in range(4):
        chat.add([f"{number}"], begins=True)
    fork = backpack.fork(chat.find(3))
    forked = Chat(fork, "chat")
    for number in range(4, 8):
        forked.add([f"{number}"], begins=True)
    for number in (1, 2, 3):
        with pytest.raises(CommitPruned):
            forked.find(number)
    assert ["0", "1", "2", "4"] == forked.items(at=forked.find(4))
    assert [False, False, False, True, True, True, True] == [
        turn.commit is not None for turn in forked.turns()
    ]


def test_popping_goes_on_where_a_chunk_is_empty() -> None:
    """Down to the first item of all, and no further."""
    chat = Chat(Backpack(), "chat")
    texts = [f"{number}" * 30 for number in range(8)]
    for text in texts:
        chat.add([text], begins=True)
    assert texts[::-1] == [chat.pop() for _ in texts]
    commits = chat.commits()
    assert chat.pop() is None
    assert commits == chat.commits()
    assert "turn 1" == chat.add(["again"], begins=True).note


def small() -> Chat:
    """Return a conversation of which history does not have the first turns any more."""
    chat = Chat(Backpack(max_history_size=8000, reference=Stub(2000)), "chat")
    for number in range(40):
        chat.add([f"{number}" * 30], begins=True)
    return chat


def test_what_is_meant_is_told_from_what_is_not() -> None:
    """One line each, with what to do."""
    chat = small()
    oldest = next(turn for turn in chat.turns() if turn.commit is not None)
    assert oldest.number > 3
    with pytest.raises(
        CommitPruned,
        match=r"^the end of turn 2 of 'chat' is not in history any more; a larger "
        r"max_history_size or an archive keeps more$",
    ):
        chat.find(2)
    with pytest.raises(CommitPruned, match="turn 1 of"):
        chat.find(chat.turns()[0])
    assert oldest.commit == chat.find(oldest)
    with pytest.raises(
        UnknownCommit,
        match=r"^there is no turn 41 in 'chat', which has 40 turns; what was undone is found by "
        r"its commit, in history\(\)$",
    ):
        chat.find(41)
    for number in (0, -1):
        with pytest.raises(UnknownCommit, match=f"there is no turn {number} in"):
            chat.find(number)
    wrong: Any
    for wrong, words in ((1.5, "float 1.5"), (True, "bool True"), (None, "None")):
        with pytest.raises(
            UnknownCommit,
            match=f"^give the number of a turn, a Turn, a commit or its id, not {words}$",
        ):
            chat.find(wrong)
    with pytest.raises(UnknownCommit):
        chat.roll_back("1-nobody")


def test_a_key_that_is_something_else_is_told() -> None:
    """Nothing of it is touched."""
    backpack = Backpack()
    backpack["chat/0"] = {"items": []}
    with pytest.raises(
        ConfigError,
        match=r"^session_id: the key 'chat/0' holds a value of class dict that is no part of a "
        r"conversation; give the session another id, or a Backpack of its own$",
    ):
        Chat(backpack, "chat").add(["hello"], begins=True)
    assert {"chat/0": {"items": []}} == backpack.to_dict()


def test_an_item_too_large_for_history_is_not_mistaken_for_data() -> None:
    """It is whole while it is there; once it was popped, the past says that it is not."""
    chat = Chat(Backpack(reference=Stub(1000)), "chat")
    chat.add(["x" * 5000], begins=True)
    first: Commit = chat.commits()[0]
    chat.add(["small"], begins=True)
    assert ["x" * 5000] == chat.items(at=first)
    chat.replace([])
    with pytest.raises(ValueUnavailable, match="5,0.. bytes"):
        chat.items(at=first)
    with pytest.raises(ValueUnavailable):
        chat.roll_back(first)
    assert [] == chat.items()
