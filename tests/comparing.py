"""What the tests of comparisons share: traces, and trials done in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st

from backpack.compare.comparison import Comparison, compare
from backpack.compare.contenders import Contender
from backpack.compare.survey import Survey, survey
from backpack.compare.trial import Outcome, Trial, run

__all__ = ["compared", "configured", "here", "some_trace", "traces", "write_trace"]

#: Every built-in way to choose what goes.
PRUNING = {
    "oldest": "{use: oldest}",
    "least-accessed": "{use: least-accessed}",
    "thinning": "{use: thinning, fraction: 0.1}",
    "keep-tagged": "{use: keep-tagged, inner: {use: thinning}}",
    "none": "{use: none}",
}


def write_trace(path: Path, operations: Iterable[dict[str, Any]]) -> Path:
    """Write a trace, and return its path."""
    path.write_text("".join(f"{json.dumps(each)}\n" for each in operations))
    return path


def pack(key: str, value: object) -> dict[str, Any]:
    """Return a line that packs."""
    return {"op": "pack", "key": key, "value": value}


def look(back: int) -> dict[str, Any]:
    """Return a line that looks back."""
    return {"op": "snapshot", "back": back}


_KINDS = ("pack", "pack", "again", "list", "append", "remove", "several", "look", "look")
_steps = st.tuples(
    st.sampled_from(_KINDS), st.sampled_from("abcd"), st.integers(0, 1_200), st.integers(0, 40)
)


def traces() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw operations that can follow each other, many of them looks, and values of all sizes."""
    long = st.builds(
        some_trace, st.integers(0, 2**32), st.integers(50, 120), st.sampled_from([5, 20, 50])
    )
    return st.lists(_steps, min_size=1, max_size=60).map(_operations) | long


def some_trace(seed: int, operations: int, reach: int) -> list[dict[str, Any]]:
    """Make up operations; looks go so many commits back, on average."""
    random = Random(seed)  # noqa: S311
    return _operations(
        (
            random.choice(_KINDS),
            random.choice("abcd"),
            int(random.expovariate(1 / 300)),
            int(random.expovariate(1 / reach)),
        )
        for _ in range(operations)
    )


def _operations(steps: Iterable[tuple[str, str, int, int]]) -> list[dict[str, Any]]:
    """Return the operations that steps stand for: those that cannot follow, as others that can."""
    lines: list[dict[str, Any]] = []
    values: dict[str, object] = {}
    commits = 0
    for kind, key, size, back in steps:
        if kind == "look" and commits:
            lines.append(look(min(back, commits - 1)))
            continue
        commits += 1
        if kind == "remove" and key in values:
            del values[key]
            lines.append({"op": "remove", "key": key})
        elif kind == "several":
            # Of no change, of one, or of two, of which one is perhaps the same as before.
            changes = [pack(key, "s" * size), {"op": "pack", "key": f"{key}{key}", "size": 100}]
            lines.append({"op": "commit", "changes": changes[: back % 3]})
            values.update({key: "s" * size} if back % 3 else {})
        elif kind == "append" and isinstance(values.get(key), list):
            lines.append({"op": "append", "key": key, "item": "i" * size})
        elif kind == "again" and isinstance(values.get(key), str):
            lines.append(pack(key, values[key]))
        else:
            # Text that hardly compresses, and is the same every time.
            letters = Random(len(lines))  # noqa: S311
            text = "".join(letters.choices("abcdefghijklmnop", k=size))
            values[key] = [text] if kind == "list" else text
            lines.append(pack(key, [text] if kind == "list" else text))
    return lines


def configured(folder: Path, limit: str = "1 KiB") -> list[Contender]:
    """Write a configuration with each built-in pruning policy, and return the contenders."""
    found = []
    for name, pruning in PRUNING.items():
        path = folder / f"{name}.yaml"
        path.write_text(f"reference: {{use: stub, max_value_size: {limit}}}\npruning: {pruning}\n")
        found.append(Contender(path.name, file=str(path)))
    return found


def here(
    trials: Sequence[Trial],
    path: Path,
    survey: Survey,
    progress: Callable[[int, int], None] | None,
) -> list[Outcome]:
    """Do trials in this process."""
    found = []
    for number, trial in enumerate(trials, start=1):
        found.append(run(trial, path, survey))
        if progress is not None:
            progress(number, len(trials))
    return found


def compared(
    path: Path, contenders: Sequence[Contender], budgets: Sequence[int] = (), **options: Any
) -> Comparison:
    """Compare in this process."""
    return compare(path, survey(path), contenders, budgets, here, **options)
