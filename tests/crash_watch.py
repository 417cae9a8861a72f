"""Sees the steps of the library go by, and ends the process before one of them, as kill -9 does.

There are no hooks for it in the library: a step is a statement that is sent to a database, a call
that locks, synchronizes, renames or removes a file, or a part of carrying out a plan, named by what
of the plan it carries out. A finer step is every line that runs in the modules that write.

:func:`serve` is a warm process: it forks one for each order, which costs milliseconds where an
interpreter costs half a second. It has one thread, unlike that of the tests.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final
from unittest.mock import patch

from filelock import FileLock
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

import backpack.archive
from backpack.archive.database import Database
from backpack.history import History
from backpack.push import Push

__all__ = ["RETURNED", "Killer", "Watch"]

#: What stands behind the last step.
RETURNED: Final = "returned"

_LIBRARY: Final = Path(backpack.archive.__file__).parents[1]
_WRITING: Final = frozenset(
    [
        *(str(path) for path in (_LIBRARY / "archive").glob("*.py")),
        *(
            str(_LIBRARY / f"{name}.py")
            for name in ("engine", "history", "opening", "push", "resume", "saving", "scribe")
        ),
    ]
)
_TABLE: Final = re.compile(
    r"(?:FROM|INTO|UPDATE|TABLE) (?:backpack_)?(\w+)(?: SET (\w+))?", re.IGNORECASE
)


def _statement(text: str) -> str:
    """Return what a statement is called: its verb, the table, and the first column it sets.

    One that only reads is no step.
    """
    words = " ".join(text.replace("\t", " ").split())
    verb = words.split()[0]
    if verb in ("BEGIN", "COMMIT"):
        return verb
    if verb == "PRAGMA":
        return words.split("=")[0].split("(")[0] if "=" in words or "(" in words else ""
    if verb == "SELECT":
        return "lock" if "advisory" in words else ""
    found = _TABLE.search(words)
    if found is None:
        return words
    column = found[2] if found[2] not in (None, "name") else ""
    return f"{verb} {found[1]} {column}".rstrip()


@cache
def _parts(code: CodeType) -> dict[int, str]:
    """Return ``{line: name}`` of the statements of a method that carries out a plan."""
    function = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
    assert isinstance(function, ast.FunctionDef)
    plan = "plan" if any(each.arg == "plan" for each in function.args.args) else "self"
    return {
        part.lineno + code.co_firstlineno - 1: f"carry out: {_field(part, plan)}"
        for part in function.body[1:]
    }


def _field(part: ast.stmt, plan: str) -> str:
    """Return the field of a plan that a statement is about."""
    inner = ast.Module(part.body, []) if isinstance(part, ast.If) else part
    for tree in (inner, part):
        fields = [
            (each.lineno, each.col_offset, each.attr)
            for each in ast.walk(tree)
            if isinstance(each, ast.Attribute)
            and isinstance(each.value, ast.Name)
            and each.value.id == plan
            and each.attr != "key"
        ]
        if fields:
            return min(fields)[2]
    return "account"


class Watch:
    """Notes the steps that go by, and ends the process before one of them.

    Args:
        last: How many steps may be done; any number, if left out.
        each_line: Whether every line is a step.
        in_parts: Whether each part of carrying out a plan is a step, or all of it is one.

    Attributes:
        steps: The names of those that were done.
    """

    def __init__(
        self, last: int | None = None, *, each_line: bool = False, in_parts: bool = True
    ) -> None:
        self.steps: list[str] = []
        self._last = last
        self._each_line = each_line
        self._in_parts = in_parts

    def step(self, name: str) -> None:
        """Note that a step is about to be done."""
        if len(self.steps) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.steps.append(name)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what is done in a block, and its end."""
        tracer = self._line if self._each_line else self._part
        before = sys.gettrace()
        with ExitStack() as stack:
            if not self._each_line:
                stack.enter_context(self._calls())
            sys.settrace(tracer)
            try:
                yield
            finally:
                sys.settrace(before)
        self.step(RETURNED)

    @contextmanager
    def _calls(self) -> Iterator[None]:
        def sent(_: Any, __: Any, statement: str, *___: Any) -> None:
            name = _statement(statement)
            if name:
                self.step(name)

        def connected(*_: Any) -> None:
            self.step("connect")

        def disconnects(*_: Any) -> None:
            self.step("disconnect")

        with ExitStack() as stack:
            for owner, name, step in (
                (FileLock, "_acquire", "lock"),
                (FileLock, "_release", "unlock"),
                (History, "apply", "put down the plan"),
                (Database, "shrink", "shrink"),
                (os, "fsync", "synchronize"),
                (Path, "replace", "rename"),
                (Path, "unlink", "remove what is left"),
            ):
                self._stepping(stack, owner, name, step)
            for target, kind, listener in (
                (Engine, "before_cursor_execute", sent),
                (Pool, "connect", connected),
                (Pool, "close", disconnects),
            ):
                event.listen(target, kind, listener)
                stack.callback(event.remove, target, kind, listener)
            yield

    def _stepping(self, stack: ExitStack, owner: Any, name: str, step: str) -> None:
        """Have a function be a step."""
        original: Callable[..., Any] = getattr(owner, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            self.step(step)
            return original(*args, **kwargs)

        stack.enter_context(patch.object(owner, name, called))

    def _part(self, frame: FrameType, _: str, __: object) -> Any:
        """Trace the lines of what carries out a plan."""
        code = frame.f_code
        if code not in (History.carry_out.__code__, Push.carry_out.__code__):
            return None
        if not self._in_parts:
            self.step("carry out the plan")
            return None
        parts = iter(sorted(_parts(code).items()))
        awaited = next(parts)

        def line(frame: FrameType, event: str, _: object) -> Any:
            nonlocal awaited
            # Loops come back to a line; each part is begun once.
            while event == "line" and awaited[0] <= frame.f_lineno:
                self.step(awaited[1])
                awaited = next(parts, (sys.maxsize, ""))
            return line

        return line

    def _line(self, frame: FrameType, event: str, _: object) -> Any:
        """Trace every line of the modules that write."""
        if frame.f_code.co_filename not in _WRITING:
            return None
        if event == "line":
            self.step(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        return self._line


class Killer:
    """A warm process that forks others, which end before some step.

    Args:
        command: What it runs; it calls :func:`serve`.
    """

    def __init__(self, command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", command],
            cwd=Path(__file__).parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, *, when: tuple[str, int, float] | None = None, **order: Any) -> int:
        """Have an order carried out by a process; return what it ended with: -9 if killed.

        Args:
            when: When it is killed, if not by itself: once a file has so many bytes, and so many
                seconds later.
            order: What it is given.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([when, order]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()


def serve(perform: Callable[..., object]) -> None:
    """Carry out orders, each in a process of its own, until there are no more."""
    for line in sys.stdin:
        when, order = json.loads(line)
        child = os.fork()
        if not child:
            _end(perform, order)
        if when is not None:
            path, size, seconds = when
            # Is it at an end already, it has failed: that is told.
            while Path(path).stat().st_size < size and not os.waitid(*_look_at(child)):
                time.sleep(0.001)
            time.sleep(seconds)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _look_at(child: int) -> tuple[int, int, int]:
    """Return how to ask whether a child has ended, and leave it there."""
    return os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT


def _end(perform: Callable[..., object], order: dict[str, Any]) -> None:
    """Carry out an order, and end without a trace of what was inherited."""
    code = 1
    try:
        perform(**order)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
