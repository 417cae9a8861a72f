"""LangGraph's graphs on Backpack: its own conformance suite, and real graphs that are resumed."""

from __future__ import annotations

import asyncio
import operator
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

from backpack import Backpack, BudgetError, ConfigError, ConflictError, UnpackableValue
from backpack.archive import SqlArchive
from backpack.integrations.langgraph import BackpackSaver
from backpack.integrations.langgraph.archived import Archived
from backpack.integrations.langgraph.ledger import Ledger
from backpack.integrations.langgraph.threads import Threads
from backpack.past import Past
from backpack.policies import Delta, EncodedSize, Oldest, Stub

#: For how many seconds threads of execution get in each other's way.
SOAK = float(os.environ.get("BACKPACK_SOAK", "1"))

#: What the suite has, by capability: nothing of it is to be left out.
CONFORMANCE = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


def extended(state: list[Any], writes: list[list[Any]]) -> list[Any]:
    """Return a list with all that was written at its end: the reducer of a delta channel."""
    return state + [each for write in writes for each in write]


class State(TypedDict):
    """What the graphs here have."""

    messages: Annotated[list[str], operator.add]
    notes: Annotated[list[str], DeltaChannel(extended, list, snapshot_frequency=7)]
    n: int


def step(state: State) -> dict[str, Any]:
    """Count, and say so."""
    n = state["n"] + 1
    return {"messages": [f"message {n} of some length"], "notes": [f"note {n}"], "n": n}


def counting(saver: BaseCheckpointSaver[Any], until: int) -> Any:
    """Return a graph that counts."""
    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda state: "step" if state["n"] % until else END)
    return graph.compile(checkpointer=saver)


def config(thread: str = "t", **others: Any) -> RunnableConfig:
    """Return a config that names a thread."""
    return {"configurable": {"thread_id": thread, **others}, "recursion_limit": 1000}


def fresh(**others: Any) -> Any:
    """Return a checkpoint with nothing in it, of an id that is newer than all before."""
    return {**empty_checkpoint(), "id": str(uuid6()), **others}


def said(number: int) -> list[str]:
    """Return what a graph that counts has said."""
    return [f"message {n} of some length" for n in range(1, number + 1)]


def noted(number: int) -> list[str]:
    """Return what a graph that counts has noted."""
    return [f"note {n}" for n in range(1, number + 1)]


# --- conformance ------------------------------------------------------------------------------


def conformance(**settings: Any) -> dict[str, int]:
    """Run LangGraph's own suite; return how many of its tests passed, by capability."""

    @checkpointer_test(name="BackpackSaver")
    async def make() -> AsyncGenerator[BackpackSaver]:
        async with BackpackSaver(**settings) as saver:
            yield saver

    report = asyncio.run(validate(make, capabilities=set(CONFORMANCE)))
    failures = [failure for each in report.results.values() for failure in each.failures or ()]
    assert failures == []
    assert all(each.detected and not each.tests_skipped for each in report.results.values())
    return {name: each.tests_passed for name, each in report.results.items()}


def test_conformance_in_memory() -> None:
    """All base tests and all extended ones."""
    assert conformance() == CONFORMANCE


def test_conformance_in_an_archive(url: str) -> None:
    """The same, on each engine."""
    assert conformance(archive=url) == CONFORMANCE


# --- graphs -----------------------------------------------------------------------------------


def histories(saver: BaseCheckpointSaver[Any], runs: int, until: int) -> list[dict[str, Any]]:
    """Run a graph that counts some times; return all states of it, the newest first."""
    graph = counting(saver, until)
    for run in range(runs):
        graph.invoke({"messages": [], "notes": [], "n": run * until}, config())
    return [
        {**state.values, "next": state.next, "step": state.metadata["step"]}
        for state in graph.get_state_history(config())
    ]


def test_all_states_are_as_in_memory(url: str) -> None:
    """Whatever is kept in memory is kept here, and is the same; so it is after a restart."""
    expected = histories(InMemorySaver(), 3, 15)
    assert histories(BackpackSaver(), 3, 15) == expected
    with BackpackSaver(archive=url, max_thread_size="30 KiB") as saver:
        assert histories(saver, 3, 15) == expected
    with BackpackSaver(archive=url, max_thread_size="30 KiB") as saver:
        graph = counting(saver, 15)
        again = [state.values for state in graph.get_state_history(config())]
        assert again == [
            {key: each[key] for key in each if key not in ("next", "step")} for each in expected
        ]


def test_a_small_budget_keeps_the_newest_states_whole() -> None:
    """What is there is right, delta channels too, though their ancestors are what goes first."""
    saver = BackpackSaver(max_thread_size="24 KiB")
    graph = counting(saver, 10**6)
    for n in range(120):
        graph.update_state(config(), {"messages": said(n + 1)[-1:], "notes": [f"note {n + 1}"]})
        thread = saver._threads._open["t"]
        assert thread.used <= 24 * 1024
    states = [state.values for state in graph.get_state_history(config())]
    assert 7 < len(states) < 110
    for at, values in enumerate(states):
        assert values == {"messages": said(120 - at), "notes": noted(120 - at)}


class Asking(TypedDict):
    """What the graph has that asks."""

    found: Annotated[list[str], operator.add]
    log: Annotated[list[str], DeltaChannel(extended, list, snapshot_frequency=3)]
    answer: str


def asking(saver: BaseCheckpointSaver[Any]) -> Any:
    """Return a graph that looks in parallel, asks within a subgraph, and ends."""

    def plan(state: Asking) -> dict[str, Any]:
        return {"log": ["planned"]}

    def look(task: dict[str, Any]) -> dict[str, Any]:
        return {"found": [f"found {task['where']}"], "log": [f"looked {task['where']}"]}

    def ask(state: Asking) -> dict[str, Any]:
        return {"answer": interrupt("go on?"), "log": ["asked"]}

    inner = StateGraph(Asking)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    graph = StateGraph(Asking)
    graph.add_node("plan", plan)
    graph.add_node("look", look)  # type: ignore[arg-type]
    graph.add_node("inner", inner.compile())
    graph.add_edge(START, "plan")
    sends = [Send("look", {"where": each}) for each in "abc"]
    graph.add_conditional_edges("plan", lambda _: sends, ["look"])
    graph.add_edge("look", "inner")
    return graph.compile(checkpointer=saver)


def test_an_interrupt_is_resumed_after_hard_pruning(url: str) -> None:
    """While other threads take the room there is, what a pending interrupt needs stays."""
    oracle = asking(InMemorySaver())
    begun = {"found": [], "log": ["begun"], "answer": ""}
    oracle.invoke(begun, config())
    expected = oracle.invoke(Command(resume="yes"), config())
    for settings in ({}, {"archive": url}):
        saver = BackpackSaver(max_thread_size="40 KiB", max_total_size="100 KiB", **settings)  # type: ignore[arg-type]
        with saver:
            graph = asking(saver)
            graph.invoke(begun, config())
            assert graph.get_state(config()).next == ("inner",)
            other = counting(saver, 60)
            for thread in ("x", "y"):
                other.invoke({"messages": [], "notes": [], "n": 0}, config(thread))
                assert saver._threads.used <= 100 * 1024
            (task,) = graph.get_state(config(), subgraphs=True).tasks
            assert task.interrupts[0].value == "go on?"
            assert graph.invoke(Command(resume="yes"), config()) == expected


def test_a_fork_from_an_old_checkpoint() -> None:
    """It goes on from the state there, and both branches are right; so is a fork of the fork."""
    for budget in ("40 KiB", "1 MiB"):
        saver = BackpackSaver(max_thread_size=budget)
        graph = counting(saver, 12)
        graph.invoke({"messages": [], "notes": [], "n": 0}, config())
        old = next(
            state for state in graph.get_state_history(config()) if state.values.get("n") == 8
        )
        forked = graph.update_state(old.config, {"notes": ["forked"]})
        ended = graph.invoke(None, forked)
        assert ended["notes"] == [*noted(8), "forked", *noted(12)[8:]]
        assert ended["messages"] == said(12)
        # What an older branch has is as it was.
        assert graph.get_state(old.config).values["notes"] == noted(8)
        for state in graph.get_state_history(config()):
            n = state.values.get("n", 0)
            assert state.values["messages"] == said(n)
            assert [each for each in state.values["notes"] if each != "forked"] == noted(n)


def test_a_copy_of_a_checkpoint_has_what_that_one_has() -> None:
    """LangGraph puts it beside it, made from the same parent, and names no channel as new."""

    def copies(saver: BaseCheckpointSaver[Any]) -> list[dict[str, Any]]:
        graph = counting(saver, 9)
        graph.invoke({"messages": [], "notes": [], "n": 0}, config())
        found: list[dict[str, Any]] = []
        for state in [*graph.get_state_history(config())][:-1]:
            told = graph.update_state(state.config, None, as_node="__copy__")
            found.append(graph.get_state(told).values)
            told = graph.update_state(told, {"notes": ["more"]}, as_node="step")
            found.append(graph.get_state(told).values)
        return found + [state.values for state in graph.get_state_history(config())]

    assert copies(BackpackSaver()) == copies(InMemorySaver())


def test_pruning_keeps_what_delta_channels_are_rebuilt_from() -> None:
    """The newest state is whole, and the graph goes on."""
    saver = BackpackSaver()
    graph = counting(saver, 10)
    graph.invoke({"messages": [], "notes": [], "n": 0}, config())
    before = graph.get_state(config())
    saver.prune(["t"])
    left = len([*saver.list(config())])
    assert 1 < left < 10
    assert graph.get_state(config()) == before
    graph.invoke({"messages": [], "notes": [], "n": 10}, config())
    assert graph.get_state(config()).values["notes"] == noted(20)


def test_a_run_from_which_others_are_rebuilt_is_not_deleted() -> None:
    """Nothing is done by half: all runs go, or none."""
    saver = BackpackSaver()
    graph = counting(saver, 4)
    for number, run in enumerate(("first", "second")):
        given = {"messages": [], "notes": [], "n": number * 4}
        graph.invoke(given, {**config(), "metadata": {"run_id": run}})
    before = [*saver.list(config())]
    with pytest.raises(ConflictError) as refused:
        saver.delete_for_runs(["first"])
    assert "is to be deleted; nothing was deleted. Delete its run too" in str(refused.value)
    assert str(refused.value).startswith("thread 't': checkpoint ")
    assert [*saver.list(config())] == before
    saver.delete_for_runs(["first", "second"])
    assert [*saver.list(config())] == []


def test_graphs_that_are_awaited(url: str) -> None:
    """The same, awaited; the loop goes on while something is written."""

    async def run() -> None:
        async with BackpackSaver(archive=SqlArchive(url, write="on-commit")) as saver:
            graph = counting(saver, 12)
            beats = 0

            async def beat() -> None:
                nonlocal beats
                while True:
                    await asyncio.sleep(0.001)
                    beats += 1

            beating = asyncio.create_task(beat())
            await asyncio.gather(
                *(
                    graph.ainvoke({"messages": [], "notes": [], "n": 0}, config(thread))
                    for thread in ("a", "b")
                )
            )
            beating.cancel()
            assert beats > 5
            for thread in ("a", "b"):
                states = [each async for each in graph.aget_state_history(config(thread))]
                assert len(states) == 14
                assert states[0].values["notes"] == noted(12)
            await saver.acopy_thread("a", "c")
            await saver.aprune(["c"])
            await saver.adelete_for_runs(["none"])
            await saver.adelete_thread("a")
            assert [each.config["configurable"]["thread_id"] async for each in saver.alist(None)][
                :1
            ] in (["b"], ["c"])
            assert await saver.aget_tuple(config("a")) is None

    asyncio.run(run())


def test_a_put_that_is_cancelled_is_whole(tmp_path: Path) -> None:
    """It is done, or not; the saver goes on."""

    async def run() -> None:
        async with BackpackSaver(archive=f"sqlite:///{tmp_path}/runs.db") as saver:
            for number in range(30):
                checkpoint = fresh()
                putting = asyncio.create_task(
                    saver.aput(config(checkpoint_ns=""), checkpoint, {"step": number}, {})
                )
                await asyncio.sleep(number / 20_000)
                putting.cancel()
                await asyncio.gather(putting, return_exceptions=True)
            found = [each async for each in saver.alist(config())]
            for each in found:
                assert each == await saver.aget_tuple(each.config)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("of", "method"),
    [
        (Ledger, "enter"),
        (Ledger, "lose"),
        (Ledger, "leave"),
        (Ledger, "move"),
        (Ledger, "choose"),
        (Threads, "_note"),
    ],
)
def test_what_is_interrupted_is_found_out(
    monkeypatch: pytest.MonkeyPatch, of: type, method: str
) -> None:
    """Ctrl-C at any time: what is there then is served as it is, and the thread goes on."""
    saver = BackpackSaver(max_thread_size="16 KiB", max_total_size="24 KiB")
    kept, interrupted = getattr(of, method), 0

    def interrupt_once(self: Any, *given: Any, **named: Any) -> Any:
        monkeypatch.setattr(of, method, kept)
        raise KeyboardInterrupt

    for n in range(60):
        thread = config("ab"[n % 2], checkpoint_ns="")
        newest = saver.get_tuple(thread)
        if n % 7 == 6:
            monkeypatch.setattr(of, method, interrupt_once)
        try:
            checkpoint = fresh(channel_values={"n": n}, channel_versions={"n": n})
            parent = thread if newest is None else newest.config
            told = saver.put(parent, checkpoint, {"step": n}, {"n": n})
            saver.put_writes(told, [("n", n)], "task")
        except KeyboardInterrupt:
            interrupted += 1
        for each in saver.list(thread):
            at = each.metadata["step"]
            assert each.checkpoint["channel_values"] == {"n": at}
            assert each.pending_writes in ([], [("task", "n", at)])
        threads = saver._threads
        assert threads.used == sum(each.used for each in threads._open.values()) <= 24 * 1024
    assert interrupted > 2


def test_many_threads_of_execution() -> None:
    """Sixty-four of them over eight threads: no exception, no lost write, and the budgets held."""
    saver = BackpackSaver(max_thread_size="60 KiB", max_total_size="500 KiB")
    until, failures, done = time.monotonic() + SOAK, list[BaseException](), list[int]()

    def work(number: int) -> None:
        try:
            graph, thread = counting(saver, 5), f"t{number % 8}-{number // 8}"
            shared = config(f"t{number % 8}", checkpoint_ns="")
            rounds = 0
            while time.monotonic() < until:
                # Each writes to a thread that eight share, and runs a graph of its own.
                checkpoint = fresh()
                told = saver.put(shared, checkpoint, {"step": rounds}, {})
                saver.put_writes(told, [("a", number), ("b", rounds)], f"task {number}")
                found = saver.get_tuple(told)
                if found is not None:  # Others may have needed the room.
                    assert found.pending_writes == [
                        (f"task {number}", "a", number),
                        (f"task {number}", "b", rounds),
                    ]
                if number % 8 == 0:
                    ended = graph.invoke({"messages": [], "notes": [], "n": 0}, config(thread))
                    assert ended["messages"] == said(5)
                    saver.delete_thread(thread)
                newest = saver.get_tuple(config(f"t{number % 8}"))
                assert newest is not None
                rounds += 1
            done.append(rounds)
        except BaseException as error:
            failures.append(error)

    def watch() -> None:
        while time.monotonic() < until:
            with saver._threads.lock:
                assert saver._threads.used <= 500 * 1024
                assert all(each.used <= 60 * 1024 for each in saver._threads._open.values())
            time.sleep(0.01)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(64)]
    for each in workers:
        each.start()
    watch()
    for each in workers:
        each.join()
    assert failures == []
    assert len(done) == 64
    with saver._threads.lock:
        for thread in saver._threads._open.values():
            for place in thread.places(""):
                entry = thread.find(place)
                assert entry is not None
                assert 2 == len(thread.reader.writes(entry)) or thread.name.count("-")


class Plain(TypedDict):
    """What graphs have that have subgraphs in subgraphs, and no delta channel."""

    found: Annotated[list[str], operator.add]
    answer: str
    n: int


def nested(saver: BaseCheckpointSaver[Any], *, asks: bool, goes_on: bool = False) -> Any:
    """Return a graph whose subgraph counts in each step, or has one that asks."""
    inner, middle, graph = (StateGraph(Plain) for _ in range(3))
    counted: Any
    if asks:
        inner.add_node("ask", lambda state: {"answer": interrupt("go on?")})
        inner.add_edge(START, "ask")
        middle.add_node("inner", inner.compile())
        middle.add_edge(START, "inner")
        graph.add_node("middle", middle.compile())
        graph.add_edge(START, "middle")
    else:
        inner.add_node("count", lambda state: {"n": state["n"] + 1})
        inner.add_edge(START, "count")
        counted = inner.compile(checkpointer=True if goes_on else None)
        graph.add_node("call", lambda state: {"n": counted.invoke({"n": state["n"]})["n"]})
        graph.add_edge(START, "call")
        graph.add_conditional_edges("call", lambda state: "call" if state["n"] < 60 else END)
    return graph.compile(checkpointer=saver)


@pytest.mark.parametrize("goes_on", [False, True])
def test_subgraphs_whose_step_is_over_make_room(url: str, goes_on: bool) -> None:
    """However many steps have called one, no room is lost for it, nor memory beside it."""
    for settings in ({}, {"archive": url}):
        with BackpackSaver(max_thread_size="48 KiB", **settings) as saver:  # type: ignore[arg-type]
            graph = nested(saver, asks=False, goes_on=goes_on)
            assert graph.invoke({"found": [], "n": 0}, config())["n"] == 60
            ledger = saver._threads._open["t"].ledger
            assert len(ledger.lines) < 15
            assert len(ledger._inner) < 15


@pytest.mark.parametrize("durability", ["sync", "exit"])
def test_interrupts_that_are_never_answered_make_room(durability: Any) -> None:
    """What asked in a step that nobody goes on from goes; the newest can be answered."""
    saver = BackpackSaver(max_thread_size="48 KiB")
    graph = nested(saver, asks=True)
    for number in range(15):
        graph.invoke({"found": [f"found {number}"]}, config(), durability=durability)
    (task,) = graph.get_state(config(), subgraphs=True).tasks
    assert task.state.tasks[0].state.tasks[0].interrupts[0].value == "go on?"
    ended = graph.invoke(Command(resume="yes"), config(), durability=durability)
    assert ended["answer"] == "yes"


# --- archives ---------------------------------------------------------------------------------


def test_more_threads_than_are_open(url: str) -> None:
    """Those that are not used are in the archive only; all of them are listed, and go on."""
    with BackpackSaver(archive=url, max_open_threads=2) as saver:
        graph = counting(saver, 3)
        for number in range(5):
            graph.invoke({"messages": [], "notes": [], "n": 0}, config(f"t{number}"))
            assert len(saver._threads._open) <= 2
        listed = {each.config["configurable"]["thread_id"] for each in saver.list(None)}
        assert listed == {f"t{number}" for number in range(5)}
        for number in range(5):
            assert graph.get_state(config(f"t{number}")).values["notes"] == noted(3)
        saver.copy_thread("t0", "t9")
        assert graph.get_state(config("t9")).values["notes"] == noted(3)
    assert SqlArchive(url).names() == [f"langgraph/t{number}" for number in (0, 1, 2, 3, 4, 9)]


def test_what_was_given_up_is_read_and_gone_on_from(url: str) -> None:
    """An archived checkpoint is read, listed, forked from, and its late writes are kept."""
    with BackpackSaver(archive=url, max_thread_size="12 KiB") as saver:
        graph = counting(saver, 30)
        graph.invoke({"messages": [], "notes": [], "n": 0}, config())
        states = [*graph.get_state_history(config())]
        assert len(states) == 32
        assert len(saver._threads._open["t"].ledger) < 32
        old = states[-6]
        assert old.values["notes"] == noted(4)
        saver.put_writes(old.config, [("n", 77)], "late task")
    with BackpackSaver(archive=url, max_thread_size="12 KiB") as saver:
        found = saver.get_tuple(old.config)
        assert found is not None
        assert ("late task", "n", 77) in (found.pending_writes or [])
        graph = counting(saver, 6)
        ended = graph.invoke(None, graph.update_state(old.config, {"notes": ["forked"]}))
        assert ended["notes"] == [*noted(4), "forked", *noted(6)[4:]]
        saver.prune(["t"])
        left = [*saver.list(config())]
        assert len(left) < 10
        assert graph.get_state(config()).values == ended
    with BackpackSaver(archive=url) as saver:
        assert len([*saver.list(config())]) == len(left)


def test_the_archive_is_not_gone_through_for_each_checkpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However many it has: not for one that is new, and seldom where all are listed."""
    looks = 0
    look = Archived._look

    def counted(self: Archived) -> Any:
        nonlocal looks
        looks += 1
        return look(self)

    monkeypatch.setattr(Archived, "_look", counted)
    monkeypatch.setattr("backpack.integrations.langgraph.archived._REMEMBERED", 20)
    with BackpackSaver(archive=f"sqlite:///{tmp_path}/a.db", max_thread_size="16 KiB") as saver:
        told = config(checkpoint_ns="")
        for number in range(120):
            told = saver.put(told, fresh(), {"step": number}, {})
        assert looks == 1
        found = [each.metadata["step"] for each in saver.list(config())]
        assert found == [*reversed(range(120))]
        assert looks < 10
        saver.delete_thread("t")
        assert [*saver.list(config())] == []


# --- what may be in a checkpoint --------------------------------------------------------------


class Customer:
    """A class of a user's own.

    Args:
        name: What they are called.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Customer) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def model_dump(self) -> dict[str, str]:
        """Say what it is made of, as pydantic does."""
        return {"name": self.name}


def kept(saver: BackpackSaver, value: object) -> object:
    """Put a checkpoint that has a value, and return what is read."""
    checkpoint = fresh(channel_values={"who": value}, channel_versions={"who": 1})
    told = saver.put(config(checkpoint_ns=""), checkpoint, {}, {"who": 1})
    found = saver.get_tuple(told)
    assert found is not None
    return found.checkpoint["channel_values"]["who"]


def test_a_class_has_to_be_allowed() -> None:
    """What LangGraph would go on with as a dict is an error; an allowed class is made again."""
    customer = Customer("Ada")
    with pytest.raises(UnpackableValue) as refused:
        kept(BackpackSaver(), customer)
    assert str(refused.value) == (
        f"channel who: {__name__}.Customer is not allowed in a checkpoint; if you trust it, allow "
        "it where the saver is made: BackpackSaver(allow=[Customer])"
    )
    assert kept(BackpackSaver(allow=[Customer]), customer) == customer
    assert kept(BackpackSaver(allow=[(__name__, "Customer")]), customer) == customer
    trusting = JsonPlusSerializer(allowed_msgpack_modules=True)
    assert kept(BackpackSaver(serde=trusting), customer) == customer
    # What a graph allows of itself, where LangGraph is strict, goes for the copy that it uses.
    strict = BackpackSaver()
    assert kept(strict.with_allowlist([(__name__, "Customer")]), customer) == customer  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_thread_size": 100}, "max_thread_size: 100 bytes cannot hold a history; the least"),
        ({"max_total_size": "1 KiB"}, "max_total_size: 1,024 bytes cannot hold a history; the"),
        ({"max_open_threads": 0}, "max_open_threads: int 0 is no number of threads, 1 or more"),
        ({"archive": 5}, "archive: an archive is opened by its URL, such as 'sqlite:///runs.db'"),
        (
            {"serde": JsonPlusSerializer(), "allow": [Customer]},
            "allow: what may be in a checkpoint is for the serializer to say, and one is given",
        ),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    """They are refused when the saver is made."""
    with pytest.raises(ConfigError) as refused:
        BackpackSaver(**settings)
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda saver: saver.get_tuple({}),
            (
                "configurable.thread_id: a thread is called by a string of 1 to 180 characters, "
                "not None: pass config={'configurable': {'thread_id': 'one'}}"
            ),
        ),
        (
            lambda saver: saver.delete_thread("x" * 181),
            "configurable.thread_id: a thread is called by a string of 1 to 180 characters, not",
        ),
        (
            lambda saver: saver.get_tuple(config(checkpoint_id=5)),
            "configurable.checkpoint_id: it must be a string, not int 5",
        ),
        (
            lambda saver: saver.put(config(checkpoint_ns="a\ud800"), empty_checkpoint(), {}, {}),
            "configurable.checkpoint_ns: it must be valid Unicode, without lone surrogates, not",
        ),
        (
            lambda saver: saver.put_writes(config(), [("a", 1)], "task"),
            "configurable.checkpoint_id: pending writes are of a checkpoint: the config has to",
        ),
        (
            lambda saver: saver.prune(["t"], strategy="keep_some"),
            "strategy: found 'keep_some'; there are: delete, keep_latest",
        ),
    ],
)
def test_calls_that_cannot_work(call: Callable[[BackpackSaver], Any], message: str) -> None:
    """They say what is wrong, where, and what is allowed."""
    with pytest.raises(ConfigError) as refused:
        call(BackpackSaver())
    assert str(refused.value).startswith(message)


def test_a_thread_may_be_called_by_a_number() -> None:
    """As LangGraph's own savers allow."""
    saver = BackpackSaver()
    counting(saver, 2).invoke({"messages": [], "notes": [], "n": 0}, config(7))  # type: ignore[arg-type]
    assert saver.get_tuple(config("7")) is not None


def test_a_checkpoint_for_which_all_is_needed_is_refused() -> None:
    """The thread, the numbers and what helps are named; what is there can be resumed."""
    saver = BackpackSaver(max_thread_size="12 KiB")
    graph = counting(saver, 60)
    with pytest.raises(BudgetError) as refused:
        graph.invoke({"messages": [], "notes": [], "n": 0}, config())
    message = str(refused.value)
    assert message.startswith("thread 't': there is no room in the ")
    assert "checkpoints that it has are needed, to resume it or to rebuild its delta" in message
    state = graph.get_state(config())
    assert state.values["notes"] == noted(state.values["n"])
    assert len(state.values["notes"]) > 0


def test_a_fork_of_what_was_given_up_is_refused() -> None:
    """Where delta channels would have to be rebuilt from it."""
    saver = BackpackSaver(max_thread_size="40 KiB")
    graph = counting(saver, 30)
    graph.update_state(config(), {"messages": said(1), "notes": noted(1)})
    first = saver.get_tuple(config())
    assert first is not None
    graph.invoke({"messages": [], "notes": [], "n": 0}, config())
    assert saver.get_tuple(first.config) is None
    checkpoint = fresh(channel_versions=first.checkpoint["channel_versions"])
    metadata: Any = {"counters_since_delta_snapshot": {"notes": (1, 1)}}
    with pytest.raises(BudgetError) as refused:
        saver.put(first.config, checkpoint, metadata, {})
    assert "which was given up to keep the history in its budget" in str(refused.value)


@pytest.mark.parametrize("count", [*range(9, 17), 100])
def test_room_is_made_for_a_checkpoint_of_many_channels(count: int) -> None:
    """What a change takes beside its values is found out, where other threads have that much."""
    saver = BackpackSaver(max_total_size="64 KiB")
    for n in range(90):
        saver.put(config("other", checkpoint_ns=""), fresh(), {"step": n}, {})
    assert saver._threads.used > 40 * 1024
    values: Any = dict.fromkeys((f"{'channel' * 6} {number}" for number in range(count)), 1)
    checkpoint = fresh(channel_values=values, channel_versions=values)
    told = saver.put(config(checkpoint_ns=""), checkpoint, {}, values)
    found = saver.get_tuple(told)
    assert found is not None
    assert found.checkpoint["channel_values"] == values


def test_threads_without_room_are_refused() -> None:
    """There are more than the budget of all has room for."""
    saver = BackpackSaver(max_thread_size="20 KiB", max_total_size="20 KiB")
    with pytest.raises(BudgetError, match="one takes 4,896 at least; . threads have them"):
        for number in range(30):
            saver.put(config(f"t{number}", checkpoint_ns=""), empty_checkpoint(), {}, {})
    assert saver._threads.used <= 20 * 1024


def test_threads_that_give_nothing_up_are_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until they are changed: one more refusal takes no longer where there are many threads."""
    saver = BackpackSaver(max_total_size="100 KiB")
    values: Any = dict.fromkeys((f"channel {number}" for number in range(40)), 1)

    def put(thread: str) -> None:
        checkpoint = fresh(channel_values=values, channel_versions=values)
        saver.put(config(thread, checkpoint_ns=""), checkpoint, {}, values)

    with pytest.raises(BudgetError):
        for number in range(100):
            put(f"t{number}")
    asked = []
    resize = Backpack.resize

    def counted(self: Backpack, size: int) -> None:
        asked.append(size)
        resize(self, size)

    monkeypatch.setattr(Backpack, "resize", counted)
    for _ in range(3):
        with pytest.raises(BudgetError):
            put("more")
    assert len(asked) < 10
    saver.delete_thread("t0")
    put("t1")
    put("more")
    assert saver.get_tuple(config("more")) is not None


def test_all_that_others_can_give_up_is_room() -> None:
    """Not only half of it, where not all that is missing can be had from one thread."""
    saver = BackpackSaver(max_total_size="64 KiB")
    names = [f"channel {number}" for number in range(20)]
    for n in range(60):
        values: Any = dict.fromkeys(names, n)
        checkpoint = fresh(channel_values=values, channel_versions=values)
        saver.put(config("other", checkpoint_ns=""), checkpoint, {}, values)
    threads = saver._threads
    before = threads.used
    with threads.lock:
        threads._make_room("t", before)
    assert before > 40 * 1024
    assert threads.used < before / 3
    assert len([*saver.list(config("other"))]) == 1


def test_the_subgraphs_of_a_step_stay_as_long_as_it_does() -> None:
    """A step that is asked for again and again is there, and so is what it has called."""
    saver = BackpackSaver(max_thread_size="16 KiB")
    step = saver.put(config(checkpoint_ns=""), fresh(), {}, {})
    parents = {"": step["configurable"]["checkpoint_id"]}
    saver.put(config(checkpoint_ns="sub:1"), fresh(), {"parents": parents}, {})
    newest = config(checkpoint_ns="sub:1")
    found, told = saver.get_tuple(newest), step
    for _ in range(60):
        told = saver.put(told, fresh(), {}, {})
        assert saver.get_tuple(step) is not None
    assert len([*saver.list(config(checkpoint_ns=""))]) < 60
    assert found is not None
    assert saver.get_tuple(newest) == found


def test_writes_of_many_tasks_are_in_order() -> None:
    """However many there are, each is there once, in the order of their paths."""
    saver = BackpackSaver()
    told = saver.put(config(checkpoint_ns=""), empty_checkpoint(), {}, {})
    for number in range(200):
        for _ in range(2):
            saver.put_writes(told, [("a", number)], f"task {number}", f"{199 - number:03}")
    found = saver.get_tuple(told)
    assert found is not None
    assert found.pending_writes == [(f"task {n}", "a", n) for n in reversed(range(200))]


def test_bytes_that_wait_for_checkpoints_that_never_come_are_bounded() -> None:
    """Those that wait for longest go; what was written last is never dropped."""
    saver = BackpackSaver()
    for number in range(30):
        there = config(checkpoint_ns="", checkpoint_id=f"{number:03}")
        saver.put_writes(there, [("a", bytes(1_000_000))], "task")
    assert 1_000_000 < saver.memory_usage().waiting_bytes < 20_000_000
    large = config(checkpoint_ns="", checkpoint_id="large")
    saver.put_writes(large, [("a", bytes(30_000_000))], "task")
    told = saver.put(config(checkpoint_ns=""), fresh(id="large"), {}, {})
    found = saver.get_tuple(told)
    assert found is not None
    assert [("task", "a", bytes(30_000_000))] == found.pending_writes


def test_what_the_saver_takes_is_told() -> None:
    """The history, which is bounded, and what is current, which is not."""
    saver = BackpackSaver(max_total_size="1 MiB")
    counting(saver, 20).invoke({"messages": [], "notes": [], "n": 0}, config())
    saver.put_writes(config(checkpoint_ns="", checkpoint_id="later"), [("a", "b" * 1000)], "task")
    usage = saver.memory_usage()
    assert (usage.threads, usage.checkpoints) == (1, 22)
    assert usage.history_bytes == saver._threads.used <= 1024**2 == usage.budget_bytes
    assert usage.current_bytes > 500
    assert usage.waiting_bytes > 1000


def test_writes_for_checkpoints_that_never_come_are_bounded() -> None:
    """The newest sixty-four are kept."""
    saver = BackpackSaver()
    ids = [str(uuid6()) for _ in range(70)]
    for each in ids:
        saver.put_writes(config(checkpoint_ns="", checkpoint_id=each), [("a", each)], "task")
    saver.put(config(checkpoint_ns=""), empty_checkpoint(), {}, {})
    thread = saver._threads._open["t"]
    assert len(thread.early) == 64
    told = saver.put(config(checkpoint_ns=""), fresh(id=ids[-1]), {}, {})
    found = saver.get_tuple(told)
    assert found is not None
    assert found.pending_writes == [("task", "a", ids[-1])]


def test_the_saver_is_looked_back_at_as_any_backpack(tmp_path: Path) -> None:
    """Its archive has a Backpack for each thread, whose keys say what they are."""
    url = f"sqlite:///{tmp_path}/runs.db"
    with BackpackSaver(archive=url) as saver:
        counting(saver, 2).invoke({"messages": [], "notes": [], "n": 0}, config())
    with Past(tmp_path / "runs.db", "langgraph/t") as past:
        keys = past.keys()
    assert "./channel/messages" in keys
    archive = SqlArchive(url)
    with Backpack.open(archive, "langgraph/t", allow_imports=False, **policies()) as backpack:
        assert "./checkpoint/" in backpack


def policies() -> dict[str, Any]:
    """Return policies to open the Backpack of a thread with."""
    return {"sizing": EncodedSize(), "reference": Stub(), "storage": Delta(), "pruning": Oldest()}


def test_a_framework_that_is_missing_is_named() -> None:
    """With the line that installs it."""
    code = (
        "import sys; sys.modules['langgraph.checkpoint'] = None\n"
        "import backpack.integrations.langgraph"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "ImportError: backpack.integrations.langgraph needs langgraph-checkpoint; "
        'pip install "backpack-memory[langgraph]" brings it'
    )
