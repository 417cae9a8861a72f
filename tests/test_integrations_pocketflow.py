"""Flows of PocketFlow on a Backpack: each node is a commit, and no class of theirs is changed."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pocketflow import (  # type: ignore[import-untyped]
    AsyncBatchFlow,
    AsyncFlow,
    AsyncNode,
    AsyncParallelBatchFlow,
    AsyncParallelBatchNode,
    BatchFlow,
    BatchNode,
    Flow,
    Node,
)

from backpack import Backpack, ConflictError, UnpackableValue
from backpack.audit import audit
from backpack.integrations.pocketflow import run_flow, run_flow_async
from backpack.integrations.shared import SharedState


def told(bp: Backpack) -> list[tuple[str | None, tuple[str, ...]]]:
    """Return who made which commits, oldest first."""
    return [(commit.by, commit.keys) for commit in bp.history()[::-1]]


class Ask(Node):  # type: ignore[misc, unused-ignore]
    """Asks a scripted function in place of a model, and goes round until it has an answer."""

    def prep(self, shared: Any) -> Any:
        shared.setdefault("messages", []).append({"role": "user", "content": shared["question"]})
        return shared["messages"]

    def exec(self, messages: Any) -> Any:
        return f"answer {len(messages)}"

    def post(self, shared: Any, messages: Any, answer: Any) -> str:
        shared["messages"].append({"role": "assistant", "content": answer})
        return "done" if len(messages) > 3 else "again"


class Summarize(Node):  # type: ignore[misc, unused-ignore]
    """Counts what there is."""

    def post(self, shared: Any, prepared: Any, done: Any) -> None:
        shared["summary"] = {"messages": len(shared["messages"])}


class Idle(Node):  # type: ignore[misc, unused-ignore]
    """Changes nothing."""


class Fail(Node):  # type: ignore[misc, unused-ignore]
    """Changes a list, and fails."""

    def prep(self, shared: Any) -> Any:
        shared["messages"].append("half done")
        shared["new"] = 1

    def exec(self, prepared: Any) -> Any:
        raise ValueError("no model")


def asking(after: Any) -> Any:
    """Return a flow that asks twice, and what comes then."""
    ask = Ask()
    ask - "again" >> ask
    ask - "done" >> after
    return Flow(start=ask)


def test_each_node_is_a_commit() -> None:
    """Also one that comes round again; one that changes nothing is none."""
    bp = Backpack()
    bp["question"] = "any flights?"
    idle = Idle()
    idle >> Summarize()
    flow = asking(idle)
    assert run_flow(flow, bp) is None
    assert [
        (None, ("question",)),
        ("Ask", ("messages",)),
        ("Ask", ("messages",)),
        ("Summarize", ("summary",)),
    ] == told(bp)
    plain = {"question": "any flights?"}
    flow.run(plain)
    assert plain == bp.to_dict()
    assert type(flow) is Flow
    assert type(flow.start_node) is Ask


def test_the_last_action_is_returned_as_ever() -> None:
    """As by ``flow.run``; names can be others."""
    bp = Backpack()
    bp["question"] = "?"
    node = Ask()
    assert "again" == node.run({"question": "?"})
    assert "again" == run_flow(node, bp, name=lambda node: f"node {node.max_retries}")
    assert "node 1" == bp.history()[0].by


def test_a_node_that_fails_leaves_nothing_behind() -> None:
    """What was done before it stays; the flow raises what the node raised."""
    bp = Backpack()
    bp["question"] = "?"
    state = SharedState(bp)
    with pytest.raises(ValueError, match="no model"):
        run_flow(asking(Fail()), state)
    assert ["Ask", "Ask"] == [by for by, _ in told(bp)][1:]
    assert {"question", "messages"} == bp.keys()
    assert 4 == len(bp["messages"])
    run_flow(Summarize(), state)
    assert {"messages": 4} == bp["summary"]


def test_what_cannot_be_packed_is_told_with_its_node() -> None:
    """A client that somebody has put into the shared store, say."""

    class Connect(Node):  # type: ignore[misc, unused-ignore]
        def post(self, shared: Any, prepared: Any, done: Any) -> None:
            shared["tools"] = [{"client": open}]

    bp = Backpack()
    with pytest.raises(
        UnpackableValue, match=r"^tools\[0\]\.client: node 'Connect' left there a value of class"
    ):
        run_flow(Flow(start=Connect()), bp)
    assert [] == bp.history()


def test_a_flow_is_a_node_too() -> None:
    """Inside another one; what it does itself is by its own class, before and after its nodes."""

    class Inner(Flow):  # type: ignore[misc, unused-ignore]
        def prep(self, shared: Any) -> None:
            shared["messages"] = ["prepared"]

        def post(self, shared: Any, prepared: Any, action: Any) -> str:
            shared["messages"].append("posted")
            return "on"

    class Say(Node):  # type: ignore[misc, unused-ignore]
        def post(self, shared: Any, prepared: Any, done: Any) -> None:
            shared["messages"].append(self.params.get("word", "said"))

    inner = Inner(start=Say())
    inner - "on" >> Summarize()
    bp = Backpack()
    run_flow(Flow(start=inner), bp)
    assert ["prepared", "said", "posted"] == bp["messages"]
    assert ["Inner", "Say", "Inner", "Summarize"] == [by for by, _ in told(bp)]


def test_batches() -> None:
    """A batch node is one commit; a batch flow is a commit for each node of each batch."""

    class Chunks(BatchNode):  # type: ignore[misc, unused-ignore]
        def prep(self, shared: Any) -> Any:
            return shared["text"].split()

        def exec(self, word: Any) -> Any:
            return word.upper()

        def post(self, shared: Any, prepared: Any, words: Any) -> None:
            shared["words"] = words

    class Each(BatchFlow):  # type: ignore[misc, unused-ignore]
        def prep(self, shared: Any) -> Any:
            return [{"place": place} for place in range(len(shared["words"]))]

    class Count(Node):  # type: ignore[misc, unused-ignore]
        def post(self, shared: Any, prepared: Any, done: Any) -> None:
            place = self.params["place"]
            shared.setdefault("lengths", {})[shared["words"][place]] = place

    chunks = Chunks()
    chunks >> Each(start=Count())
    bp = Backpack()
    bp["text"] = "one two"
    run_flow(Flow(start=chunks), bp)
    assert {"ONE": 0, "TWO": 1} == bp["lengths"]
    assert [None, "Chunks", "Count", "Count"] == [by for by, _ in told(bp)]


class Add(AsyncNode):  # type: ignore[misc, unused-ignore]
    """Waits in ``exec``, as nodes do that call a model, and adds to a list in ``post``."""

    async def prep_async(self, shared: Any) -> Any:
        return len(shared["results"]), self.params["number"]

    async def exec_async(self, prepared: Any) -> Any:
        await asyncio.sleep(0.001 * (prepared[1] % 3))
        return prepared[1]

    async def post_async(self, shared: Any, prepared: Any, number: Any) -> None:
        shared["results"].append(number)
        shared[f"number {number}"] = True


class Together(AsyncParallelBatchFlow):  # type: ignore[misc, unused-ignore]
    """Seven at once."""

    async def prep_async(self, shared: Any) -> Any:
        shared["results"] = []
        return [{"number": number} for number in range(7)]

    async def post_async(self, shared: Any, prepared: Any, done: Any) -> None:
        shared["results"].sort()


class InTurn(AsyncBatchFlow):  # type: ignore[misc, unused-ignore]
    """One after the other."""

    async def prep_async(self, shared: Any) -> Any:
        return [{"number": number} for number in (7, 8)]


def test_parallel_nodes_are_a_commit_each() -> None:
    """They see each other's results, and what the flow had prepared; sync nodes among them."""
    together, in_turn = Together(start=Add()), InTurn(start=Add())
    together >> in_turn
    in_turn >> Count()
    bp = Backpack()
    asyncio.run(run_flow_async(AsyncFlow(start=together), bp))
    assert [*range(9), "counted"] == bp["results"]
    assert ["Together", *["Add"] * 7, "Together", "Add", "Add", "Count"] == [
        by for by, _ in told(bp)
    ]
    plain: dict[str, Any] = {}
    asyncio.run(AsyncFlow(start=together).run_async(plain))
    assert plain == bp.to_dict()
    assert audit(bp) == []


class Count(Node):  # type: ignore[misc, unused-ignore]
    """A node of the other kind."""

    def post(self, shared: Any, prepared: Any, done: Any) -> None:
        shared["results"].append("counted")


def test_parallel_nodes_that_hold_on_to_what_they_read_are_in_conflict() -> None:
    """The flow raises, and no result of another is lost."""

    class Hold(Add):
        async def prep_async(self, shared: Any) -> Any:
            return shared["results"], self.params["number"]

        async def post_async(self, shared: Any, prepared: Any, number: Any) -> None:
            prepared[0].append(number)

    bp = Backpack()
    with pytest.raises(ConflictError, match="^'results' was packed or removed by another while"):
        asyncio.run(run_flow_async(Together(start=Hold()), bp))
    assert 1 <= len(bp["results"])
    assert ["Together", *["Hold"] * len(bp["results"])] == [by for by, _ in told(bp)]


def test_one_of_several_fails() -> None:
    """The flow raises; what the others had done by then is there, each as a commit."""

    class Some(Add):
        async def post_async(self, shared: Any, prepared: Any, number: Any) -> None:
            await super().post_async(shared, prepared, number)
            if number == 1:
                raise ValueError("not this one")

    bp = Backpack()
    with pytest.raises(ValueError, match="not this one"):
        asyncio.run(run_flow_async(Together(start=Some()), bp))
    assert {0, 3, 6} <= {*bp["results"]}
    assert 1 not in bp["results"]
    assert "number 1" not in bp


def test_an_asynchronous_batch_node_is_one_commit() -> None:
    """Whatever it does at once inside."""

    class Many(AsyncParallelBatchNode):  # type: ignore[misc, unused-ignore]
        async def prep_async(self, shared: Any) -> Any:
            return [1, 2, 3]

        async def exec_async(self, number: Any) -> Any:
            await asyncio.sleep(0)
            return number * 2

        async def post_async(self, shared: Any, prepared: Any, done: Any) -> None:
            shared["done"] = done

    bp = Backpack()
    asyncio.run(run_flow_async(Many(), bp))
    assert [("Many", ("done",))] == told(bp)
    assert [2, 4, 6] == bp["done"]


def test_a_flow_that_chooses_its_nodes_itself() -> None:
    """They need not be known before it runs, nor linked."""

    class Choosing(Flow):  # type: ignore[misc, unused-ignore]
        def get_next_node(self, node: Any, action: Any) -> Any:
            return Summarize() if isinstance(node, Ask) else None

    bp = Backpack()
    bp["question"] = "?"
    run_flow(Choosing(start=Ask()), bp)
    assert [None, "Ask", "Summarize"] == [by for by, _ in told(bp)]


class Step(Node):  # type: ignore[misc, unused-ignore]
    """Does what its number says."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def post(self, shared: Any, prepared: Any, done: Any) -> str:
        shared["rounds"] = shared.get("rounds", 0) + 1
        seen = shared.setdefault("seen", [])
        match self.number:
            case 0:
                seen.append([shared["rounds"]])
            case 1 if seen:
                seen[-1].append(self.number)
            case 2:
                shared["latest"] = seen[-1] if seen else None
            case 3:
                shared.pop("latest", None)
        return str(shared["rounds"] % 2) if shared["rounds"] < 12 else "end"


@pytest.mark.filterwarnings("ignore:Flow ends")
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("01"), st.integers(0, 3)), max_size=8),
)
def test_any_flow_does_what_it_does_on_a_dict(
    numbers: list[int], links: list[tuple[int, str, int]]
) -> None:
    """Whatever its nodes are and how they lead to each other."""
    nodes = [Step(number) for number in numbers]
    for start, action, end in links:
        nodes[start % len(nodes)].successors[action] = nodes[end % len(nodes)]
    flow, plain = Flow(start=nodes[0]), dict[str, Any]()
    bp = Backpack()
    assert flow.run(plain) == run_flow(flow, bp)
    assert repr(sorted(plain.items())) == repr(sorted(bp.to_dict().items()))
    assert ["Step"] * plain["rounds"] == [commit.by for commit in bp.history()]
    assert [*range(1, plain["rounds"] + 1)] == [
        bp.snapshot(commit)["rounds"] for commit in bp.history()[::-1]
    ]


def test_what_runs_it_is_told_apart() -> None:
    """A flow that is awaited, one that is not, and what is none."""
    bp = Backpack()
    with pytest.raises(TypeError, match=r"AsyncFlow runs asynchronously: `await run_flow_async"):
        run_flow(AsyncFlow(start=Add()), bp)
    with pytest.raises(TypeError, match=r"Flow does not run asynchronously: `run_flow\(flow"):
        asyncio.run(run_flow_async(Flow(start=Idle()), bp))
    wrong: Any = 7
    with pytest.raises(TypeError, match="a flow or a node of PocketFlow is needed, not int 7"):
        run_flow(wrong, bp)
    with pytest.raises(TypeError, match="a SharedState is made of a Backpack"):
        run_flow(Flow(start=Idle()), wrong)


def test_it_warns_as_pocketflow_does() -> None:
    """Of a node that has successors, which only a flow runs."""
    bp = Backpack()
    bp["question"] = "?"
    ask = Ask()
    ask >> Idle()
    with pytest.warns(UserWarning, match="Node won't run successors"):
        run_flow(ask, bp)


def test_a_copy_of_what_runs_still_runs_on_the_backpack() -> None:
    """PocketFlow copies each node before it runs it; so do some flows of people's own."""

    class Copying(Flow):  # type: ignore[misc, unused-ignore]
        def get_next_node(self, node: Any, action: Any) -> Any:
            return copy.copy(super().get_next_node(node, action))

    bp = Backpack()
    bp["question"] = "?"
    ask = Ask()
    ask - "again" >> Summarize()
    run_flow(Copying(start=ask), bp)
    assert [None, "Ask", "Summarize"] == [by for by, _ in told(bp)]


def test_pocketflow_is_not_imported() -> None:
    """It is the program's own, in whatever version."""
    code = (
        "import sys, backpack.integrations.pocketflow\n"
        "print([name for name in ('pocketflow', 'asyncio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()
