"""Makes the trace that ships with the package: one run of an invented coding agent.

Run it to write the trace again::

    python benchmarks/make_demo_trace.py [FILE]

The agent is asked to make a parser faster. It plans, reads pages, edits files, runs tests and
talks to itself, as such agents do: a message list grows until it is summarised, results come and
go, a few test logs are far larger than the rest, and now and then somebody looks back. Everything
is invented and seeded; the same operations come out on every run and every Python version.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

SEED = 20_240_612
ROUNDS = 60
SUMMARISE_ABOVE = 106_000
KEPT_MESSAGES = 75
TARGET = Path(__file__).resolve().parent.parent / "backpack" / "demo.jsonl.gz"

T = TypeVar("T")

MODULES = ("scanner", "tokens", "grammar", "parser", "tree", "errors", "cache", "printer")
STEPS = (
    "measure where the time goes",
    "read how others solved it",
    "replace the regular expressions of the scanner",
    "keep tokens as tuples",
    "cache the rules that fail often",
    "share subtrees that are equal",
    "report errors with line and column",
    "compare with the first measurement",
    "write down what was learned",
)
THOUGHTS = (
    "The profile says that {m} takes {n} percent of the time, so that is where to start.",
    "If {m} kept its results, {o} would not have to ask {n} times for the same thing.",
    "I expected {m} to be faster after the change, but it is {n} percent slower; let me look.",
    "The tests of {m} pass again. The next step is {o}, which still copies {n} lists a call.",
    "There are {n} places in {o} that depend on the order of {m}; they have to change together.",
    "A note for later: {m} and {o} repeat each other in {n} lines.",
    "The user asked not to change what {m} returns, so the change stays inside {o}.",
    "I was wrong about {m}: the time goes into {o}, {n} microseconds for every token.",
)
ASIDES = (
    "First a test that fails without the change, then the change.",
    "This is the smallest step that can be measured.",
    "Nothing else reads this value, so it can go.",
    "The old behaviour is kept for an empty input — there is a test for it.",
    "Should this not help, the previous commit can be restored as it was.",
    "Memory matters less here than time.",
    "That confirms the guess, though on one machine only.",
    "Let me check this against the page read before.",
)
PAGES = (
    "Scanning without backtracking",
    "How fast parsers lay out their nodes",
    "Packrat parsing, and what it costs",
    "Profiling short functions",
    "Interning: when equal means the same",
    "Error messages people can act on",
)
CODE = (
    "    if self.position >= len(self.text):\n        return None\n",
    "    token = self.tokens[self.position]\n    self.position += 1\n",
    "    while self.skip_space() or self.skip_comment():\n        pass\n",
    "    if (node := self.cache.get((self.position, rule))) is not None:\n        return node\n",
    "    raise ParseError(self.line, self.column, expected=rule.name)\n",
    "    children = tuple(child for child in node.children if child is not None)\n",
)


class Chance:
    """Seeded draws, made only from ``random()``: the one method whose sequence is promised."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to below the limit."""
        return int(self._random.random() * limit)

    def one_of(self, choices: Sequence[T]) -> T:
        """Return one of the choices."""
        return choices[self.below(len(choices))]

    def happens(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self._random.random() < probability


class Agent:
    """The invented agent: its methods yield what it does, as operations."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance
        self.commits = 0
        self.messages: list[Any] = []
        self.files: dict[str, str] = {}
        self.pages: list[str] = []
        self.plan: list[dict[str, Any]] = [
            {"step": step, "done": False, "hours": None} for step in STEPS
        ]

    def run(self) -> Iterator[dict[str, Any]]:
        """Yield the whole run."""
        for operation in self.work():
            self.commits += operation["op"] != "snapshot"
            yield operation

    def work(self) -> Iterator[dict[str, Any]]:
        """Yield what the agent does, round by round, and the look-backs between."""
        task: dict[str, Any] = {
            "text": "Make the parser twice as fast.",
            "deadline": None,
            "limits": [],
        }
        yield pack("task", task, "user")
        yield pack("plan", self.plan, "planner")
        yield pack("messages", [], "planner")
        yield pack("notes", [], "researcher")
        yield pack("symbols", [self.symbol(line) for line in range(1_650)], "coder")
        yield pack("covered", [self.symbol(line) for line in range(0, 4_800, 3)], "tester")
        yield pack("tries", 0, "tester")
        for number in range(ROUNDS):
            yield from self.think()
            if number % 4 == 1:
                yield from self.read_a_page()
            yield from self.edit()
            yield from self.test(number)
            if number % 7 == 6:
                yield from self.finish_step(number)
            if len(json.dumps(self.messages)) > SUMMARISE_ABOVE:
                yield from self.summarise()
            yield from self.look_back(number)
        yield pack("status", "done", "planner")
        yield pack("answer", "The parser is 2.3 times as fast; see the notes.", "planner")
        yield {"op": "snapshot", "back": 0}
        yield {"op": "snapshot", "back": self.commits - 1}

    def think(self) -> Iterator[dict[str, Any]]:
        """Yield a few messages."""
        yield pack("status", "thinking", "planner")
        for _ in range(7 + self.chance.below(3)):
            role = self.chance.one_of(("assistant", "assistant", "tool", "critic"))
            yield self.say(role, self.text(6 + self.chance.below(10)))

    def read_a_page(self) -> Iterator[dict[str, Any]]:
        """Yield a page that is fetched, noted, and later dropped."""
        title = self.chance.one_of(PAGES)
        key = f"page/{len(self.pages) + 1}"
        self.pages.append(key)
        yield pack("status", "reading", "researcher")
        page = {"title": title, "score": self.chance.below(100) / 100, "text": self.text(60)}
        yield pack(key, page, "researcher")
        note = {"from": key, "title": title, "says": self.text(2)}
        yield {"op": "append", "key": "notes", "item": note, "by": "researcher"}
        if len(self.pages) > 3:
            yield {"op": "remove", "key": self.pages[-4], "by": "researcher"}

    def edit(self) -> Iterator[dict[str, Any]]:
        """Yield a file that is written, and then corrected once or twice."""
        module = self.chance.one_of(MODULES)
        key = f"file/{module}.py"
        for _ in range(2 + self.chance.below(2)):
            name = f"{module}_{self.chance.below(1000)}"
            body = "".join(self.chance.one_of(CODE) for _ in range(4))
            text = self.files.get(key, f'"""The {module}."""\n')[-5_000:]
            self.files[key] = f"{text}\n\ndef {name}(self):\n{body}"
            yield pack(key, self.files[key], "coder")
            symbol = {"name": name, "in": key, "line": self.files[key].count("\n")}
            yield {"op": "append", "key": "symbols", "item": symbol, "by": "coder"}

    def test(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield a test run: its result, and for some the whole log."""
        yield pack("tries", number + 1, "tester")
        for _ in range(3):
            covered = self.symbol(self.chance.below(1_650))
            yield {"op": "append", "key": "covered", "item": covered, "by": "tester"}
        failed = self.chance.below(4) if number < ROUNDS - 2 else 0
        yield pack("result", {"passed": 240 - failed, "failed": failed, "error": None}, "tester")
        if number % 13 == 9:
            lines = 1_700 + 400 * (number // 13)
            yield pack("log", "\n".join(self.log_line(line) for line in range(lines)), "tester")
            yield self.say("tool", f"The log has {lines} lines; the last one says it all.")
        elif number % 13 == 12:
            yield {"op": "remove", "key": "log", "by": "tester"}

    def finish_step(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the plan with one more step done."""
        step = self.plan[number // 7]
        step["done"] = True
        step["hours"] = (1 + self.chance.below(30)) / 10
        yield pack("plan", self.plan, "planner")

    def summarise(self) -> Iterator[dict[str, Any]]:
        """Yield the message list cut down to a summary and the last messages."""
        summary = {"role": "system", "content": f"Summary: {self.text(6)}"}
        self.messages = [summary, *self.messages[-KEPT_MESSAGES:]]
        yield pack("messages", self.messages, "planner")

    def look_back(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield, now and then, a look at an earlier state: mostly a recent one."""
        if number % 2 == 1:
            back = self.chance.below(12)
            if self.chance.happens(0.25):
                back = self.chance.below(self.commits)
            yield {"op": "snapshot", "back": back}

    def say(self, role: str, text: str) -> dict[str, Any]:
        """Return the operation that adds a message."""
        message = {"role": role, "content": text, "tokens": len(text) // 4}
        self.messages.append(message)
        return {"op": "append", "key": "messages", "item": message, "by": role}

    def text(self, sentences: int) -> str:
        """Return some sentences."""
        return " ".join(self.sentence() for _ in range(sentences))

    def sentence(self) -> str:
        """Return one sentence."""
        if self.chance.happens(0.4):
            return self.chance.one_of(ASIDES)
        m, o = self.chance.one_of(MODULES), self.chance.one_of(MODULES)
        return self.chance.one_of(THOUGHTS).format(m=m, o=o, n=2 + self.chance.below(30))

    def symbol(self, number: int) -> dict[str, Any]:
        """Return one entry of the symbol index the agent starts with."""
        module = MODULES[number // 40 % len(MODULES)]
        return {"name": f"{module}_{number}", "in": f"file/{module}.py", "line": 12 * number + 1}

    def log_line(self, line: int) -> str:
        """Return one line of a test log."""
        module = MODULES[line // 40 % len(MODULES)]
        return f"tests/test_{module}.py::test_{module}_reads_example[{line % 40}] PASSED in 0.01 s"


def pack(key: str, value: object, by: str) -> dict[str, Any]:
    """Return the operation that sets a key."""
    return {"op": "pack", "key": key, "value": value, "by": by}


def lines() -> Iterator[str]:
    """Yield the trace, line by line, each with its line end."""
    for operation in Agent(Chance(SEED)).run():
        yield json.dumps(operation, ensure_ascii=False, separators=(",", ":")) + "\n"


def write(target: Path) -> None:
    """Write the trace.

    Args:
        target: The file; it is replaced.
    """
    with (
        target.open("wb") as raw,
        # Without a name and a time in it, the file is the same every time.
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as file,
    ):
        for line in lines():
            file.write(line.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
