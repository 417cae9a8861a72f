"""Starts a fresh process for every case and looks at it from outside."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import attrs

from peers import memory
from peers.contenders import Needs
from peers.records import Figures, Observed, Task

__all__ = ["CaseFailed", "Skipped", "no_room", "run", "run_case"]

_PACKAGE = Path(__file__).resolve().parent

# What is left to the rest of the machine.
_SHARE = 0.8


class CaseFailed(Exception):
    """A case did not end as it should: a wrong answer or an error."""


class Skipped(Exception):
    """A case cannot run here; the message says why."""


def no_room(needs: Needs, folder: Path) -> str | None:
    """Return why a contender would not fit into this machine, or None if it will."""
    for what, wanted, free in (
        ("memory", needs.memory, memory.available()),
        ("disk", needs.disk, shutil.disk_usage(folder).free),
    ):
        if wanted > _SHARE * free:
            return f"needs about {wanted / 1e6:,.0f} MB of {what}; {free / 1e6:,.0f} MB are free"
    return None


def run_case(task: Task) -> tuple[Figures, Observed]:
    """Run a case in a process of its own.

    Raises:
        CaseFailed: It returned a wrong answer, or ended with an error.
        Skipped: It says that it cannot run.
    """
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        task = attrs.evolve(task, folder=folder)
        watch = _Watch(Path(folder) / "store")
        done = _run(task, watch)
    return Figures(**done), watch.observed()


def run(task: Task) -> dict[str, Any]:
    """Run a task that is no case in a process of its own; return its result."""
    return _run(task, None)


class _Watch:
    """What is seen of a process at the points it announces."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._resident: dict[str, int] = {}
        self._peak = 0
        self._disk = 0

    def look(self, process: int, point: str) -> None:
        """Measure; the process stands still meanwhile."""
        self._resident[point] = memory.resident(process)
        if point == "before":
            memory.forget_peak(process)
        elif point == "after":
            self._peak = memory.peak(process)
            self._disk = sum(
                path.stat().st_size for path in self._folder.rglob("*") if path.is_file()
            )

    def observed(self) -> Observed:
        """Return what was seen, less what there was before the first commit."""
        before = self._resident["before"]
        return Observed(
            growth=self._resident["collected"] - before,
            peak=max(self._peak, self._resident["after"]) - before,
            disk=self._disk,
        )


def _run(task: Task, watch: _Watch | None) -> dict[str, Any]:
    # -P: what is installed is measured, not what happens to lie in the current folder.
    command = [sys.executable, "-P", "-m", "peers.child"]
    paths = [str(_PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
        ) as child,
    ):
        try:
            message = _talk(child, task, watch)
        except BaseException:
            child.kill()
            raise
        code = child.wait()
        errors.seek(0)
        told = errors.read().decode(errors="replace").strip()
    name = f"{task.kind} {task.workload} {task.target} {' '.join(task.arguments)}".strip()
    if "wrong" in message:
        raise CaseFailed(f"{name}: WRONG ANSWER: {message['wrong']}")
    if "skip" in message:
        raise Skipped(message["skip"])
    if code or "done" not in message:
        raise CaseFailed(f"{name}: ended with code {code}:\n{told[-3000:]}")
    done: dict[str, Any] = message["done"]
    return done


def _talk(child: subprocess.Popen[str], task: Task, watch: _Watch | None) -> dict[str, Any]:
    """Give a process its task, look at it where it says, and return its last message."""
    _tell(child.stdin, json.dumps(attrs.asdict(task)))
    message: dict[str, Any] = {}
    for line in child.stdout or ():
        message = json.loads(line)
        if "at" in message:
            if watch is not None:
                watch.look(child.pid, message["at"])
            _tell(child.stdin, "go on")
    return message


def _tell(pipe: IO[str] | None, line: str) -> None:
    if pipe is not None:
        pipe.write(line + "\n")
        pipe.flush()
