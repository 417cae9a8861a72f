"""Measure sessions of the OpenAI Agents SDK: memory, and how long items take to be added and read.

    python benchmarks/sessions.py [TURNS] [--full BYTES ...]

A chat of 2,000 turns grows to about 1 MB: in each turn a message of the user, then a call of a
tool with its output, then the answer, added as the SDK's runner adds them, in three steps. Each
session runs in a fresh process, one after the other, twice over; the better time counts. Memory is
what the process takes at the end beyond what it took before, as the system tells it. The last two
columns tell how much of the past is there: turns whose items can be read as they were.

With ``--full``, chunks of other sizes, as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from agents.memory import SQLiteSession
from peers.memory import resident

from backpack.integrations import chats
from backpack.integrations.openai_agents import BackpackSession

#: ``{session: what it is}``; the first is what the others are compared with.
SESSIONS = {
    "sqlite": "SQLiteSession, in memory",
    "sqlite-file": "SQLiteSession, a file",
    "backpack": "BackpackSession, in memory",
    "backpack-small": "BackpackSession, in memory, 4 MiB",
    "backpack-file": "BackpackSession, an archive",
}
_WORDS = Path(__file__).read_text(encoding="utf-8").split()


def steps(turns: int) -> list[list[Any]]:
    """Return what is added, step by step."""
    lots = random.Random(1)

    def text(words: int) -> str:
        return " ".join(lots.choices(_WORDS, k=words))

    made: list[list[Any]] = []
    for turn in range(turns):
        call = {"type": "function_call", "call_id": f"call_{turn}", "name": "look"}
        made.append([{"role": "user", "content": text(8)}])
        made.append(
            [
                {**call, "arguments": json.dumps({"query": text(3)})},
                {
                    "type": "function_call_output",
                    "call_id": f"call_{turn}",
                    "output": text(16),
                },
            ]
        )
        made.append(
            [
                {
                    "id": f"msg_{turn}",
                    "content": [{"annotations": [], "text": text(12), "type": "output_text"}],
                    "role": "assistant",
                    "status": "completed",
                    "type": "message",
                }
            ]
        )
    return made


async def opened(kind: str, folder: Path) -> Any:
    """Return a session."""
    match kind:
        case "sqlite":
            return SQLiteSession("chat")
        case "sqlite-file":
            return SQLiteSession("chat", folder / "chat.db")
        case "backpack":
            return BackpackSession("chat")
        case "backpack-small":
            return BackpackSession("chat", max_history_size="4 MiB")
        case _:
            return await BackpackSession.open("chat", f"sqlite:///{folder}/archive.db")


async def measure(kind: str, turns: int, folder: Path) -> dict[str, float]:
    """Return what a session takes."""
    made = steps(turns)
    session = await opened(kind, folder)
    await session.add_items([{"role": "system", "content": "be brief"}])
    gc.collect()
    before = resident(os.getpid())
    adds: list[float] = []
    for items in made:
        started = perf_counter()
        await session.add_items(items)
        adds.append(perf_counter() - started)
    gc.collect()
    took = resident(os.getpid()) - before
    reads: list[float] = []
    recent: list[float] = []
    for _ in range(20):
        started = perf_counter()
        items = await session.get_items()
        reads.append(perf_counter() - started)
        started = perf_counter()
        await session.get_items(20)
        recent.append(perf_counter() - started)
    if len(items) != 1 + 4 * turns:
        raise RuntimeError(f"{kind} has {len(items)} items")
    if isinstance(session, BackpackSession):
        there = len([turn for turn in await session.turns() if turn.commit is not None])
        started = perf_counter()
        old = await session.items_at(turns // 2)
        look_back = perf_counter() - started
        if len(old) != 1 + 4 * (turns // 2):
            raise RuntimeError(f"{kind} had {len(old)} items")
        history = (await session.backpack.memory_usage()).history_bytes
    else:
        there, look_back, history = 0, 0.0, 0
    return {
        "items": sum(len(json.dumps(item)) for item in items),
        "memory": took,
        "history": history,
        "add_median": median(adds),
        "add_mean": mean(adds),
        "add_last": median(adds[-300:]),
        "read": median(reads),
        "recent": median(recent),
        "look_back": look_back,
        "turns": there,
    }


def child(kind: str, turns: int, full: int) -> None:
    """Measure in this process, and print it."""
    chats._FULL = full  # type: ignore[misc]
    with TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(kind, turns, Path(folder)))))


def run(kind: str, turns: int, full: int) -> dict[str, float]:
    """Measure in other processes, twice; return the better of each."""
    command = [sys.executable, __file__, str(turns), "--child", kind, "--full", str(full)]
    both = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(2)
    ]
    return {name: min(each[name] for each in both) for name in both[0]}


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("turns", nargs="?", type=int, default=2000)
    parser.add_argument("--full", nargs="*", type=int, default=[])
    parser.add_argument("--child", choices=SESSIONS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child, options.turns, options.full[0])
        return
    rows = [(SESSIONS[kind], kind, chats._FULL) for kind in SESSIONS]
    rows += [(f"chunks of {full:,} bytes", "backpack", full) for full in options.full]
    first: dict[str, float] | None = None
    print(
        "| session | memory | an add: median | mean | at the end | all items | 20 items | turns |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for words, kind, full in rows:
        found = run(kind, options.turns, full)
        first = first or found
        cells = [words, _cell(found, first, "memory", 1e-6, "MB")]
        for column in ("add_median", "add_mean", "add_last", "read", "recent"):
            cells.append(_cell(found, first, column, 1e6, "µs"))
        print(f"| {' | '.join(cells)} | {found['turns']:,.0f} |", flush=True)
        if found["history"]:
            print(
                f"  history: {found['history']:,.0f} bytes; the items as JSON: "
                f"{found['items']:,.0f}; a look back: {found['look_back'] * 1e6:,.0f} µs",
                file=sys.stderr,
            )


def _cell(
    found: dict[str, float], first: dict[str, float], column: str, factor: float, unit: str
) -> str:
    figure = found[column] * factor
    shown = f"{figure:,.1f}" if figure < 100 else f"{figure:,.0f}"
    return f"{shown} {unit} ({found[column] / first[column]:.2f})"


if __name__ == "__main__":
    main()
