"""A shared dict of live values: what a node has changed is committed, all of it, and once."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import json
import threading
from collections import Counter
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

import pytest
from attrs import frozen
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_interrupts import Interrupter

from backpack import (
    AsyncBackpack,
    Backpack,
    BudgetError,
    ConflictError,
    InvalidKey,
    UnknownKey,
    UnpackableValue,
)
from backpack.audit import audit
from backpack.integrations.shared import SharedState
from backpack.nodes import _OPENED

Shared: TypeAlias = MutableMapping[str, Any]


class Stop(Exception):
    """What a node raises on purpose."""


@frozen
class Step:
    """One change of what is in a shared dict, or none.

    Attributes:
        how: What it does.
        path: Which key, and which value inside its value: numbers, taken modulo what there is.
        value: What it puts there.
    """

    how: str
    path: list[int]
    value: Any


@frozen
class Node:
    """A node that does things one after the other.

    Attributes:
        name: Its name.
        body: Steps and nodes.
        ends: How it ends: well, with an exception, or with what cannot be packed left behind.
    """

    name: str
    body: list[Any]
    ends: str


@frozen
class Outside:
    """What somebody packs into the Backpack while no node is open."""

    key: str


KEYS = ["a", "b", "c"]
HOW = ["put", "add", "empty", "take", "alias", "keep", "use kept", "delete", "default", "look"]
VALUES = st.recursive(
    st.integers(0, 2) | st.sampled_from(["text", None, True, 1.0, b"x", (1, [2]), {3}]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("kl"), inner, max_size=2)
    ),
    max_leaves=4,
)
STEPS = st.builds(Step, st.sampled_from(HOW), st.lists(st.integers(0, 5), max_size=3), VALUES)
ENDS = st.sampled_from(["well", "well", "well", "raising", "leaving a stranger"])
NAMES = st.sampled_from(["triage", "write"])
NODES = st.builds(
    Node,
    NAMES,
    st.lists(STEPS | st.builds(Node, NAMES, st.lists(STEPS, max_size=4), ENDS), max_size=6),
    ENDS,
)
PROGRAMS = st.lists(NODES | st.builds(Outside, st.sampled_from(KEYS)), max_size=6)


def change(shared: Shared, step: Step, kept: list[Any]) -> None:
    """Do one step: the same to a dict and to what stands in for one."""
    place, *path = [*step.path, 0]
    key = KEYS[place % len(KEYS)]
    # Of its own, not to be shared by two runs.
    value = copy.deepcopy(step.value)
    match step.how:
        case "put":
            shared[key] = value
            return
        case "delete":
            shared.pop(key, None)
            return
        case "default":
            found = shared.setdefault(key, value)
            assert found is shared[key]
            return
        case "alias":
            if key in shared:
                shared[KEYS[len(path) % len(KEYS)]] = shared[key]
            return
        case "use kept":
            found = kept[-1] if kept else None
        case _:
            found = shared.get(key)
            for number in path[:-1]:
                inner = list(found.values()) if type(found) is dict else found
                if type(inner) is not list or not inner:
                    break
                found = inner[number % len(inner)]
    if step.how == "keep":
        kept.append(found)
    elif type(found) is list:
        match step.how:
            case "add" | "use kept":
                found.append(value)
            case "empty":
                found.clear()
            case "take" if found:
                found.pop()
    elif type(found) is dict:
        match step.how:
            case "add" | "use kept":
                found["m"] = value
            case "empty":
                found.clear()
            case "take" if found:
                found.popitem()


class Plain:
    """The same program on a plain dict, which is put back by hand where a node fails."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.committed: dict[str, Any] = {}
        self.clean: dict[str, Any] = {}
        self.kept: list[Any] = []
        self.commits: list[tuple[str | None, set[str]]] = []

    def run(self, node: Node) -> bool:
        """Run a node; return whether it ended well."""
        for each in node.body:
            if isinstance(each, Node):
                self.commit(node.name)
                self.run(each)
            else:
                change(self.state, each, self.kept)
        if node.ends == "well":
            self.commit(node.name)
            return True
        for key in changed(self.committed, self.state):
            self.state.pop(key, None)
            if key in self.committed:
                # The same object, if it was not changed itself.
                self.state[key] = self.clean[key]
                if repr(self.clean[key]) != repr(self.committed[key]):
                    self.state[key] = copy.deepcopy(self.committed[key])
        self.clean = dict(self.state)
        self.kept.clear()
        return False

    def commit(self, name: str | None) -> None:
        """Note what has changed."""
        keys = changed(self.committed, self.state)
        self.clean = dict(self.state)
        if keys:
            self.commits.append((name, keys))
            # One by one, as they are packed.
            self.committed = {key: copy.deepcopy(value) for key, value in self.state.items()}

    def outside(self, key: str) -> None:
        """Set a key between nodes."""
        self.state[key] = ["outside", len(self.commits)]
        self.kept.clear()
        self.commit(None)


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return the keys whose values are not the same, type for type."""
    return {
        key for key in {*before, *after} if repr(before.get(key, ...)) != repr(after.get(key, ...))
    }


def run_node(state: SharedState, node: Node, kept: list[Any]) -> None:
    """Run a node on a shared state; what it raises on purpose ends it."""
    try:
        with state.node(node.name) as shared:
            for each in node.body:
                if isinstance(each, Node):
                    run_node(state, each, kept)
                else:
                    change(shared, each, kept)
            if node.ends == "raising":
                raise Stop
            if node.ends != "well":
                shared["stranger"] = [{"client": print}]
    except Stop:
        kept.clear()
    except UnpackableValue as error:
        kept.clear()
        where, who = "stranger[0].client", f"node {node.name!r} left there a value of class"
        if error.path != where or who not in str(error):
            raise


@given(PROGRAMS)
def test_it_is_what_a_plain_dict_is(program: list[Any]) -> None:
    """After each node; with one commit where something changed, and none where nothing did."""
    bp, plain, kept = Backpack(), Plain(), list[Any]()
    state = SharedState(bp)
    for each in program:
        if isinstance(each, Outside):
            bp.pack(each.key, ["outside", len(plain.commits)])
            kept.clear()
            plain.outside(each.key)
        else:
            run_node(state, each, kept)
            event("a node ended well" if plain.run(each) else "a node failed")
        assert changed(plain.state, bp.to_dict()) == set()
        assert plain.commits == [(commit.by, {*commit.keys}) for commit in bp.history()[::-1]]
    with state.node("the last") as shared:
        assert repr(sorted(plain.state.items())) == repr(sorted(shared.items()))
        assert len(plain.state) == len(shared)
    assert len(plain.commits) == len(bp.history())
    assert audit(bp) == []


HOW_LISTS = ["read", "append", "replace", "wait", "wait", "hold", "use held", "note", "use noted"]
ACTIONS = st.lists(
    st.tuples(st.sampled_from(HOW_LISTS), st.sampled_from([*KEYS[:2], KEYS[0]])),
    min_size=1,
    max_size=8,
)


class Adding:
    """Adds numbers of its own to the lists of a shared dict, and notes which.

    Args:
        number: Which node it is.
    """

    def __init__(self, number: int) -> None:
        self.name = f"node {number}"
        self.tokens: dict[str, set[int]] = {key: set() for key in KEYS}
        self.held: dict[str, list[int]] = {}
        self.noted: dict[str, tuple[list[int], set[int]]] = {}
        self._next = 100 * number

    def act(self, shared: Shared, how: str, key: str) -> None:
        """Do something to a list, or to one that was read before."""
        self._next += 1
        if how not in ("wait", "note", "use noted", "use held"):
            # Whoever reads a key again has seen what others have made of it.
            self.noted.pop(key, None)
        match how:
            case "read":
                assert self.tokens[key] <= {*shared.get(key, [])}
            case "hold":
                self.held[key] = shared.setdefault(key, [])
            case "note":
                self.noted[key] = [*shared.get(key, [])], {*self.tokens[key]}
            case "append":
                shared.setdefault(key, []).append(self._next)
                self.tokens[key].add(self._next)
            case "use held" if key in self.held:
                self.held[key].append(self._next)
                self.tokens[key].add(self._next)
            case "replace":
                self._set(shared, key, [*shared.get(key, [])], self.tokens[key])
            case "use noted" if key in self.noted:
                self._set(shared, key, *self.noted[key])

    def _set(self, shared: Shared, key: str, before: list[int], own: set[int]) -> None:
        """Put a new list in place of one that was read before, as it was then."""
        shared[key] = [*before, self._next]
        self.tokens[key] = {*own, self._next}
        # A list that was held is the state's no longer, as in a dict.
        self.held.pop(key, None)


#: What a node does, whether it fails then, and whether it runs in a thread.
PARALLEL = st.tuples(
    ACTIONS, st.sampled_from([False, False, True]), st.sampled_from([False] * 3 + [True])
)


@settings(max_examples=200)
@given(st.lists(PARALLEL, min_size=2, max_size=6))
def test_no_change_of_parallel_nodes_is_lost(nodes: list[tuple[Any, bool, bool]]) -> None:
    """All that nodes which ended well have added is there, and nothing of those that failed."""
    bp = Backpack()
    bp[KEYS[0]] = []
    state = SharedState(bp)
    added: dict[str, dict[str, set[int]]] = {}
    failed: dict[str, str] = {}

    async def run(number: int, actions: Any, fails: bool) -> None:
        adding = Adding(number)
        try:
            with state.node(adding.name) as shared:
                for how, key in actions:
                    if how == "wait":
                        await asyncio.sleep(0)
                    adding.act(shared, how, key)
                if fails:
                    raise Stop
        except ConflictError as error:
            failed[adding.name] = str(error)
        except Stop:
            pass
        else:
            added[adding.name] = adding.tokens

    async def main() -> None:
        await asyncio.gather(
            *(
                asyncio.to_thread(asyncio.run, run(number, actions, fails))
                if is_thread
                else run(number, actions, fails)
                for number, (actions, fails, is_thread) in enumerate(nodes)
            )
        )

    asyncio.run(asyncio.wait_for(main(), 60))
    event("a conflict" if failed else "no conflict")
    for name, told in failed.items():
        assert f"node {name!r}" in told
        assert "nothing of the node was committed" in told
    there = Counter((key, token) for key in KEYS for token in bp.get(key, []))
    assert there == Counter(
        (key, token) for tokens in added.values() for key, own in tokens.items() for token in own
    )
    commits = [commit.by for commit in bp.history()[:-1]]
    assert len(commits) == len({*commits})
    assert {name for name, tokens in added.items() if any(tokens.values())} <= {*commits}
    assert {*commits} <= {*added}
    assert audit(bp) == []


def test_nodes_that_change_a_key_in_one_go_are_never_in_conflict() -> None:
    """Also when they have read it before they waited: it is read anew."""
    bp = Backpack()
    bp["results"] = []
    state = SharedState(bp)

    async def work(number: int) -> None:
        with state.node(f"node {number}") as shared:
            seen = len(shared["results"])
            await asyncio.sleep(0.001 * (number % 3))
            shared["results"].append((number, seen))

    async def main() -> None:
        await asyncio.gather(*map(work, range(9)))

    asyncio.run(main())
    assert set(range(9)) == {number for number, _ in bp["results"]}
    assert 10 == len(bp.history())
    assert 1 == len({commit.by for commit in bp.history(key="results")[:1]})


def test_of_two_that_change_the_same_key_the_second_fails() -> None:
    """Nothing of it is committed; the first one stays, and no sum is wrong."""
    bp = Backpack()
    bp["n"] = 1
    state = SharedState(bp)

    async def add(name: str, wait: float) -> None:
        with state.node(name) as shared:
            before = shared["n"]
            shared[name] = True
            await asyncio.sleep(wait)
            shared["n"] = before + 1

    async def main() -> list[Any]:
        adding = add("quick", 0), add("slow", 0.01)
        return list(await asyncio.gather(*adding, return_exceptions=True))

    quick, slow = asyncio.run(main())
    assert quick is None
    assert isinstance(slow, ConflictError)
    assert {"n": 2, "quick": True} == bp.to_dict()


def test_what_is_read_once_and_changed_after_another_is_a_conflict() -> None:
    """A value that was handed out before is watched to the end."""
    bp = Backpack()
    bp["items"] = [1]
    state = SharedState(bp)
    with pytest.raises(
        ConflictError,
        match="^'items' was packed or removed by another while node 'it' was open, which changed "
        "it too; nothing of the node was committed: let nodes that run in parallel change keys of "
        "their own, or read and change a key without awaiting in between$",
    ):
        with state.node("it") as shared:
            shared["items"].append(2)
            bp["items"] = [3]
    with pytest.raises(
        ConflictError,
        match="^node 'it' changed a value of 'items' that is not the state's any more, since "
        "another packed the key, or a node inside failed; nothing of the node was committed: read "
        "the key again before you change its value$",
    ):
        with state.node("it") as shared:
            before = shared["items"]
            bp["items"] = [4]
            assert [4] == shared["items"]
            before.append(5)
    assert [4] == bp["items"]
    assert 3 == len(bp.history())


def test_what_a_failed_node_inside_had_changed_is_read_anew() -> None:
    """The outer node goes on; what it changes of the old value is not lost silently."""
    bp = Backpack()
    bp["items"] = [1]
    state = SharedState(bp)
    with pytest.raises(ConflictError, match="or a node inside failed"):
        with state.node("outer") as shared:
            items = shared["items"]
            with pytest.raises(Stop), state.node("inner"):
                items.append(2)
                raise Stop
            items.append(3)
    with state.node("outer") as shared:
        with pytest.raises(Stop), state.node("inner"):
            shared["items"].append(2)
            raise Stop
        shared["items"].append(3)
    assert [1, 3] == bp["items"]


def test_what_a_failed_node_inside_has_put_elsewhere() -> None:
    """Objects that it put under other keys, or others in their place, are as before."""
    bp = Backpack()
    bp["a"] = [1]
    state = SharedState(bp)
    with state.node("outer") as shared:
        items = shared["a"]
        with suppress(Stop), state.node("inner"):
            shared["b"], shared["a"] = shared["a"], "another"
            raise Stop
        items.append(2)
    assert {"a": [1, 2]} == bp.to_dict()
    with state.node("both") as shared:
        shared["b"] = shared["a"]
    bp["b"] = "from elsewhere"
    with state.node("one") as shared:
        shared["a"].append(3)
    assert {"a": [1, 2, 3], "b": "from elsewhere"} == bp.to_dict()


@pytest.mark.parametrize("before", [{}, {"a": [1]}])
def test_what_the_outer_node_has_put_itself_is_live_again(before: dict[str, Any]) -> None:
    """A value of its own, or an equal one in place of what was there."""
    bp = Backpack()
    bp.update(before)
    state = SharedState(bp)
    with state.node("outer") as shared:
        assert shared.get("a") == before.get("a")
        shared["a"] = items = [1]
        with suppress(Stop), state.node("inner"):
            shared["a"] = "another"
            raise Stop
        items.append(2)
    assert {"a": [1, 2]} == bp.to_dict()


def test_a_failed_node_inside_takes_nothing_from_the_outer_one() -> None:
    """Values that it did not change are live still, and a conflict of its own is over with it."""
    bp = Backpack()
    bp.update(items=[1], other=[1])
    state = SharedState(bp)
    with state.node("outer") as shared:
        items = shared["items"]
        with pytest.raises(Stop), state.node("inner"):
            shared["other"].append(2)
            raise Stop
        items.append(2)
        with pytest.raises(ConflictError, match="a value of 'other' that is not the state's"):
            with state.node("inner"):
                other = shared["other"]
                bp["other"] = [3]
                assert [3] == shared["other"]
                other.append(4)
    assert {"items": [1, 2], "other": [3]} == bp.to_dict()


def test_a_node_inside_a_node() -> None:
    """What the outer one has changed so far is committed first, by it."""
    bp = Backpack()
    state = SharedState(bp)
    with state.node("outer") as shared:
        shared["a"] = [1]
        with state.node("inner"):
            shared["a"].append(2)
        shared["a"].append(3)
    assert [("outer", [1, 2, 3]), ("inner", [1, 2]), ("outer", [1])] == [
        (commit.by, bp.snapshot(commit)["a"]) for commit in bp.history()
    ]


def test_whoever_has_not_seen_a_key_that_comes_is_in_conflict() -> None:
    """That a key is not there is something to go by, too."""
    bp = Backpack()
    state = SharedState(bp)

    async def claim(name: str) -> None:
        with state.node(name) as shared:
            if "claimed by" not in shared:
                await asyncio.sleep(0)
                shared["claimed by"] = name

    async def main() -> list[Any]:
        return list(await asyncio.gather(claim("a"), claim("b"), return_exceptions=True))

    first, second = asyncio.run(main())
    assert first is None
    assert isinstance(second, ConflictError)
    assert {"claimed by": "a"} == bp.to_dict()


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_a_node_that_raises_anything_is_undone(error: type[BaseException]) -> None:
    """What is live afterwards is what was committed last."""
    bp = Backpack()
    bp["a"] = [1]
    state = SharedState(bp)
    with pytest.raises(error), state.node("it") as shared:
        shared["a"].append(2)
        shared["b"] = 1
        raise error
    with state.node("next") as shared:
        assert {"a": [1]} == shared
    assert 1 == len(bp.history())


def test_contexts_of_others_than_asyncio_have_nodes_of_their_own() -> None:
    """Tasks of another library, say, that were started inside of a node."""
    bp = Backpack()
    bp["a"] = [1]
    state = SharedState(bp)

    def steps(name: str, fails: bool) -> Any:
        with state.node(name) as shared:
            shared[name] = 1
            yield
            if fails:
                raise Stop

    with state.node("outer"):
        ways = [(steps("bad", True), contextvars.copy_context())]
        ways += [(steps("good", False), contextvars.copy_context())]
        for running, context in ways:
            context.run(next, running)
        with pytest.raises(Stop):
            ways[0][1].run(next, ways[0][0])
        ways[1][1].run(next, ways[1][0], None)
    assert {"a": [1], "good": 1} == bp.to_dict()


def test_a_task_started_inside_a_node_has_nodes_of_its_own() -> None:
    """It sees what was there when it began; the outer node sees what it has done."""
    bp = Backpack()
    state = SharedState(bp)

    async def work(number: int) -> None:
        with state.node(f"work {number}") as shared:
            shared[f"seen {number}"] = shared["task"]
            await asyncio.sleep(0)

    async def main() -> None:
        with state.node("outer") as shared:
            shared["task"] = "fly"
            shared["mine"] = [1]
            mine = shared["mine"]
            await asyncio.gather(work(1), work(2))
            assert ["fly", "fly"] == [shared["seen 1"], shared["seen 2"]]
            mine.append(2)

    asyncio.run(main())
    assert ["outer", "work 2", "work 1", "outer"] == [commit.by for commit in bp.history()]
    assert [1, 2] == bp["mine"]


def test_a_task_that_fails_takes_nothing_from_the_node_it_was_started_in() -> None:
    """Nor does it commit what that has changed since."""
    bp = Backpack()
    state = SharedState(bp)

    async def work(fails: bool) -> None:
        with state.node("work") as shared:
            shared["work"] = True
            await asyncio.sleep(0.001)
            if fails:
                raise Stop

    async def main(fails: bool) -> None:
        with state.node("outer") as shared:
            shared["a"] = [1]
            task = asyncio.ensure_future(work(fails))
            await asyncio.sleep(0)
            shared["a"].append(2)
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main(fails=True))
    assert {"a": [1, 2]} == bp.to_dict()
    asyncio.run(main(fails=False))
    assert {"a": [1, 2], "work": True} == bp.to_dict()
    assert [
        ("outer", [1, 2]),
        ("work", [1]),
        ("outer", [1]),
        ("outer", [1, 2]),
        ("outer", [1]),
    ] == [(commit.by, bp.snapshot(commit)["a"]) for commit in bp.history()]


def test_keys_that_are_not_there_take_no_memory() -> None:
    """However many a program asks for, or removes, from node to node."""
    state = SharedState(Backpack())
    for number in range(3):
        with state.node("it") as shared:
            shared[f"new {number}"] = 1
            assert "not there" not in shared
        with state.node("it") as shared:
            del shared[f"new {number}"]
    with state.node("the last"):
        pass
    assert {} == state._idle


def test_labels_and_what_the_block_packs_itself() -> None:
    """The commit has the tags and the note; other commits of the block are by the node."""
    bp = Backpack()
    state = SharedState(bp)
    with state.node("triage", tags=["decided"], note="quickly") as shared:
        shared["a"] = 1
        bp["b"] = 2
        assert 2 == shared["b"]
    commit, direct = bp.history()
    assert ("triage", ("decided",), "quickly") == (commit.by, commit.tags, commit.note)
    assert ("triage", ("b",)) == (direct.by, direct.keys)


def test_a_node_that_changes_nothing_makes_no_commit() -> None:
    """Nor one that changes a value and changes it back, or packs an equal one."""
    bp = Backpack()
    bp["a"] = {"k": [1]}
    state = SharedState(bp)
    with state.node("it") as shared:
        shared["a"]["k"].append(2)
        shared["a"]["k"].pop()
        shared["a"] = {"k": [1]}
        shared["new"] = 1
        del shared["new"]
    assert 1 == len(bp.history())


def test_it_is_used_as_a_dict() -> None:
    """Everything that plain functions do."""
    bp = Backpack()
    bp.update(a=1, b=[2])
    state = SharedState(bp)
    assert "<SharedState of <Backpack" in repr(state)
    with state.node("it") as shared:
        assert shared is state
        assert {"a": 1, "b": [2]} == shared
        assert shared["b"] is shared["b"]
        shared |= {"c": 3}
        shared.update(d=4)
        assert ["a", "b", "c", "d"] == list(shared)
        assert ("d", 4) == shared.popitem()
        assert shared.get("z") is None
        assert "z" not in shared
        strangers: list[Any] = [7, None]
        assert all(stranger not in shared for stranger in strangers)
        assert '{"a": 1, "b": [2], "c": 3}' == json.dumps(dict(shared))
        with pytest.raises(KeyError, match="there is no key 'z' in the shared state"):
            shared["z"]
        with pytest.raises(UnknownKey, match="there is no key 'z' in the shared state"):
            del shared["z"]
        with pytest.raises(InvalidKey, match="a key must be a non-empty string, not int 7"):
            shared[7] = 1  # type: ignore[index]
    assert {"a": 1, "b": [2], "c": 3} == bp.to_dict()
    with state.node("it") as shared:
        shared.clear()
        assert not shared
        with pytest.raises(UnknownKey, match="there is no key to pop"):
            shared.popitem()
    assert {} == bp.to_dict()
    assert 3 == len(bp.history())


def test_outside_of_a_node_it_is_not_used() -> None:
    """A value that is changed there would be lost; a thread is outside, too."""
    state = SharedState(Backpack())
    caught: list[BaseException] = []

    def use() -> None:
        try:
            state["a"] = 1
        except RuntimeError as error:
            caught.append(error)

    use()
    with state.node("it"):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        context = contextvars.copy_context()
        assert context.run(lambda: "a" not in state)
    assert 2 == len(caught)
    for error in caught:
        assert (
            "no node of this SharedState is open here: use it inside `with state.node(name):`, in "
            "the same task or thread; outside, state.backpack has the values" == str(error)
        )
    with pytest.raises(RuntimeError, match="is open here; node 'it' has ended: use it inside"):
        context.run(state.get, "a")


def test_what_cannot_be_packed_is_told_with_its_node_and_place() -> None:
    """Nothing of the node is committed, and the values are as before."""
    bp = Backpack()
    bp["plan"] = {"steps": [{}]}
    state = SharedState(bp)
    with pytest.raises(UnpackableValue) as caught:
        with state.node("triage") as shared:
            shared["other"] = 1
            shared["plan"]["steps"][0]["client"] = print
    assert str(caught.value).startswith(
        "plan.steps[0].client: node 'triage' left there a value of class builtin_function_or_method"
    )
    assert "plan.steps[0].client" == caught.value.path
    assert 1 == len(bp.history())
    with state.node("next") as shared:
        assert {"plan": {"steps": [{}]}} == shared


def test_what_does_not_fit_is_undone() -> None:
    """The error is the Backpack's."""
    bp = Backpack.from_preset(
        "short-lived", max_history_size="4 KiB", reference={"use": "stub", "max_value_size": 4096}
    )
    bp["a"] = "x" * 3000
    state = SharedState(bp)
    with state.node("fits") as shared:
        shared["a"] = "y" * 3000
    with pytest.raises(BudgetError):
        with state.node("does not") as shared:
            shared["a"] = "z" * 3000
    with state.node("next") as shared:
        assert "y" * 3000 == shared["a"]


def test_values_stay_the_same_objects_from_node_to_node() -> None:
    """What a program has kept of one node is live in the next; and one object in two places."""
    bp = Backpack()
    state = SharedState(bp)
    with state.node("first") as shared:
        shared["a"] = shared["b"] = kept = [1]
    kept.append(2)
    with state.node("second"):
        kept.append(3)
    assert {"a": [1, 2, 3], "b": [1, 2, 3]} == bp.to_dict()
    assert ("second", ("a", "b")) == (bp.history()[0].by, bp.history()[0].keys)


def test_a_rollback_between_nodes_is_seen() -> None:
    """As is whatever else is done to the Backpack."""
    bp = Backpack()
    first = bp.pack("a", [1])
    state = SharedState(bp)
    with state.node("it") as shared:
        shared["a"].append(2)
    bp.rollback(first)
    with state.node("it") as shared:
        assert [1] == shared["a"]
        bp.remove("a")
        assert "a" not in shared
        assert {} == shared


def test_generators_that_end_in_any_order() -> None:
    """All that they change is committed, and no node is left open."""
    bp = Backpack()
    state = SharedState(bp)

    def steps(name: str) -> Any:
        with state.node(name) as shared:
            shared[name] = [1]
            yield
            shared[name].append(2)

    one, two = steps("one"), steps("two")
    next(one)
    next(two)
    assert "END" == next(one, "END")
    assert "END" == next(two, "END")
    assert {"one": [1, 2], "two": [1, 2]} == bp.to_dict()
    with pytest.raises(RuntimeError, match="no node of this SharedState is open here"):
        len(state)


@pytest.mark.parametrize("what", [{}, None, 3])
def test_it_is_made_of_a_backpack(what: Any) -> None:
    """Not of a dict, which needs none."""
    with pytest.raises(TypeError, match="a SharedState is made of a Backpack"):
        SharedState(what)


def test_it_is_not_made_of_an_asynchronous_one() -> None:
    """But of what that has inside."""
    wrong: Any = AsyncBackpack(Backpack())
    with pytest.raises(TypeError, match=r"\(of an AsyncBackpack, take its \.sync\)"):
        SharedState(wrong)
    with pytest.raises(TypeError, match="the name of a node must be a non-empty string"):
        SharedState(Backpack()).node("")


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("fails", [False, True])
def test_an_interruption_leaves_all_of_a_node_or_nothing(fails: bool) -> None:
    """Wherever Ctrl-C comes: in the Backpack and in what the next node finds."""

    def operation(state: SharedState) -> None:
        with suppress(Stop), state.node("it") as shared:
            shared["a"].append(2)
            del shared["b"]
            if fails:
                raise Stop

    before, after = {"a": [1], "b": [1]}, {"a": [1, 2]}
    seen = []
    for at in range(1, 10_000):
        bp = Backpack(clock=lambda: 0.0)
        bp.update(before)
        state = SharedState(bp)
        # The next one is given what it has used.
        with state.node("earlier") as shared:
            assert [[1], [1]] == [shared["a"], shared["b"]]
        interrupter = Interrupter(at)
        interrupter.run(lambda: operation(state))  # noqa: B023
        assert () == _OPENED.get(), f"interrupted at place {at}"
        seen.append(bp.to_dict())
        assert seen[-1] in (before, after), f"interrupted at place {at}"
        made = len(bp.history())
        with state.node("next") as shared:
            assert seen[-1] == shared, f"interrupted at place {at}"
        assert made == len(bp.history()), f"interrupted at place {at}"
        if interrupter.places < at:
            break
    assert at > 100
    assert before == seen[0]
    assert (before if fails else after) == seen[-1]
