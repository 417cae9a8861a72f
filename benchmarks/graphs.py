"""Measure savers of LangGraph under a real graph: memory, files, time a step, old states.

    python benchmarks/graphs.py [STEPS] [--reads READS]

A graph of one node takes 2,000 steps, in each of which it says 500 characters, so that what it has
said grows to 1 MB; in one graph under a plain reducer, in the other in a delta channel. Each saver
runs each graph in a fresh process, one after the other. Memory is what the process takes at the end
beyond what it took before, as the system tells it; files are what is on disk once all is closed.
After the run old states are read, at checkpoints chosen by lot, and compared with what was said by
then. The first row is the graph without a saver: what is left of a step is LangGraph's own.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import operator
import os
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from peers.memory import resident

from backpack.integrations.langgraph import BackpackSaver

#: ``{saver: what it is}``; the others are compared with the second.
SAVERS = {
    "none": "no saver",
    "memory": "InMemorySaver",
    "sqlite": "SqliteSaver",
    "backpack": "BackpackSaver, 64 MiB",
    "backpack-default": "BackpackSaver, as it comes",
    "backpack-file": "BackpackSaver, an archive",
}
GRAPHS = {"reducer": "a plain reducer", "delta": "a delta channel"}
_WORDS = Path(__file__).read_text(encoding="utf-8").split()


def said_at(step: int) -> str:
    """Return what is said in a step: 500 characters."""
    lots = random.Random(step)
    return f"{step} {' '.join(lots.choices(_WORDS, k=120))}"[:500]


def extended(state: list[str], writes: list[list[str]]) -> list[str]:
    """Return a list with all that was written at its end: the reducer of a delta channel."""
    return state + [each for write in writes for each in write]


class Plain(TypedDict):
    """What the one graph has."""

    said: Annotated[list[str], operator.add]
    step: int


class Delta(TypedDict):
    """What the other graph has."""

    said: Annotated[list[str], DeltaChannel(extended, list)]
    step: int


def compiled(kind: str, steps: int, saver: Any) -> Any:
    """Return a graph that takes so many steps."""

    def take(state: Any) -> dict[str, Any]:
        step = state["step"] + 1
        return {"said": [said_at(step)], "step": step}

    graph = StateGraph(Plain if kind == "reducer" else Delta)
    graph.add_node("take", take)
    graph.add_edge(START, "take")
    graph.add_conditional_edges("take", lambda state: "take" if state["step"] < steps else END)
    return graph.compile(checkpointer=saver)


def opened(saver: str, folder: Path) -> Any:
    """Return a saver."""
    match saver:
        case "none":
            return None
        case "memory":
            return InMemorySaver()
        case "sqlite":
            sqlite = importlib.import_module("langgraph.checkpoint.sqlite")
            connection = sqlite3.connect(folder / "saver.db", check_same_thread=False)
            return sqlite.SqliteSaver(connection)
        case "backpack":
            return BackpackSaver(max_thread_size="64 MiB", max_total_size="64 MiB")
        case "backpack-default":
            return BackpackSaver()
        case _:
            return BackpackSaver(archive=f"sqlite:///{folder}/archive.db")


def measure(kind: str, name: str, steps: int, reads: int, folder: Path) -> dict[str, float]:
    """Return what a graph takes with a saver."""
    saver = opened(name, folder)
    graph = compiled(kind, steps, saver)
    thread = {"configurable": {"thread_id": "1"}, "recursion_limit": steps + 10}
    gc.collect()
    before, started = resident(os.getpid()), perf_counter()
    ended = graph.invoke({"said": [], "step": 0}, thread)
    took = perf_counter() - started
    said = ended["said"]
    del ended
    gc.collect()
    memory = resident(os.getpid()) - before
    if said != [said_at(step) for step in range(1, steps + 1)]:
        raise RuntimeError(f"{name} ended with something else")
    there, times = 0, [0.0]
    if saver is not None:
        configs = [(each.config, each.metadata["step"]) for each in saver.list(thread)]
        there = len(configs)
        lots = random.Random(1)
        times = []
        for config, step in lots.sample(configs, min(reads, len(configs))):
            started = perf_counter()
            values = graph.get_state(config).values
            times.append(perf_counter() - started)
            if values.get("said", []) != said[: max(0, step)]:
                raise RuntimeError(f"{name} is wrong at step {step}")
        if name == "sqlite":
            saver.conn.close()
        elif name.startswith("backpack"):
            saver.close()
    files = sum(each.stat().st_size for each in folder.iterdir())
    return {
        "step": took / steps,
        "memory": memory,
        "files": files,
        "there": there,
        "read": median(times),
    }


def run(kind: str, name: str, steps: int, reads: int) -> dict[str, float]:
    """Measure in another process."""
    command = [sys.executable, __file__, str(steps), "--reads", str(reads)]
    done = subprocess.run(
        [*command, "--child", kind, name], check=True, capture_output=True, text=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure all and print a table of each graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", nargs="?", type=int, default=2000)
    parser.add_argument("--reads", type=int, default=200)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        with TemporaryDirectory() as folder:
            kind, name = options.child
            found = measure(kind, name, options.steps, options.reads, Path(folder))
        print(json.dumps(found))
        return
    for kind, words in GRAPHS.items():
        print(f"\n{options.steps:,} steps, {words}:\n")
        print("| saver | states | memory | files | a step | an old state |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        peer: dict[str, float] = {}
        for name, said in SAVERS.items():
            found = run(kind, name, options.steps, options.reads)
            peer = found if name == "memory" else peer
            cells = [said, f"{found['there']:,.0f}"]
            for column, factor, unit in (
                ("memory", 1e-6, "MB"),
                ("files", 1e-6, "MB"),
                ("step", 1e3, "ms"),
                ("read", 1e3, "ms"),
            ):
                ratio = f" ({found[column] / peer[column]:.2g} x)" if peer.get(column) else ""
                figure = found[column] * factor
                cells.append(f"{figure:,.1f} {unit}{ratio}" if figure else "-")
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
