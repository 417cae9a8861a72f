"""Records what is done with a Backpack, as a trace that can be replayed.

The thread that makes a commit only hands its encoded values over; another one works out what to
write, and writes it.
"""

from __future__ import annotations

import os
import time
import weakref
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from attrs import define, field, frozen

from backpack.events import log
from backpack.json_form import appended, as_json, form_of
from backpack.operations import LONGEST
from backpack.synthetic import new_bytes
from backpack.trace_file import TraceFile
from backpack.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from backpack.engine import Engine
    from backpack.protocols import Codec
    from backpack.records import Commit

__all__ = ["Recorder"]

#: So many encoded bytes wait to be written at most; then whoever commits waits.
_MOST_WAITING: Final = 32 * 1024 * 1024
#: How long, in seconds, before what nobody writes is given up.
_PATIENCE: Final = 10.0
#: After so many seconds without anything to do, what was kept back is written.
_IDLE: Final = 0.5
#: How long the end of a recording is waited for, in seconds.
_LAST: Final = 60.0


class Recorder:
    """A recording under way; made by :meth:`~backpack.container.Backpack.record`.

    Args:
        engine: What is recorded.
        path: The file; compressed if its name ends in ``.gz``.
        values: Whether values and notes are written, or only how large they are.
        keys: Whether keys, tags and ``by`` are written, or only numbers in their place.
        replace: Whether a file that is there is replaced.

    Raises:
        TraceError: The file cannot be written, or is there.

    >>> import os, tempfile
    >>> from backpack import Backpack
    >>> path = os.path.join(tempfile.mkdtemp(), "run.jsonl")
    >>> bp = Backpack()
    >>> with bp.record(path) as recorder:
    ...     first = bp.pack("plan", ["look"], by="planner")
    ...     second = bp.pack("plan", ["look", "book"])
    ...     before = bp.snapshot(first)
    >>> print(Path(path).read_text(), end="")
    {"op":"pack","key":"plan","value":["look"],"by":"planner"}
    {"op":"append","key":"plan","item":"book"}
    {"op":"snapshot","back":1}
    >>> recorder
    <Recorder of 2 commits and 1 look-back, ended>
    """

    def __init__(
        self,
        engine: Engine,
        path: str | os.PathLike[str],
        *,
        values: bool = True,
        keys: bool = True,
        replace: bool = False,
    ) -> None:
        self.path = Path(path)
        self._engine = engine
        self._process = os.getpid()
        file = TraceFile(self.path, replace=replace)
        lines = _Lines(engine.settings.codec, values=values, keys=keys)
        self._writer = writer = _Writer(file, lines)
        # Nothing of a recording is lost when the program ends without closing it.
        self._end = weakref.finalize(self, writer.end)
        writer.thread.start()
        with engine.lock:
            engine.history.settle()
            self._last = engine.history.made
            writer.put(_Start(self._last, self._state()))
            engine.events.witnesses = (*engine.events.witnesses, self)

    @property
    def error(self) -> Exception | None:
        """What ended the recording early; None if nothing did."""
        return self._writer.error

    @property
    def commits(self) -> int:
        """Commits written, that of the state at the beginning included."""
        return self._writer.lines.made

    @property
    def look_backs(self) -> int:
        """Look-backs written."""
        return self._writer.lines.look_backs

    @property
    def left_out(self) -> int:
        """Look-backs not written: at commits made before the recording began."""
        return self._writer.lines.left_out

    def close(self) -> None:
        """End the recording; the file is whole then, unless there is an :attr:`error`."""
        if os.getpid() != self._process:
            return
        with self._engine.lock:
            events = self._engine.events
            events.witnesses = tuple(each for each in events.witnesses if each is not self)
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        ended = "" if self._end.alive and self.error is None else ", ended"
        ended = ended if self.error is None else f"{ended} by {self.error!r}"
        commits, looks = counted(self.commits, "commit"), counted(self.look_backs, "look-back")
        return f"<Recorder of {commits} and {looks}{ended}>"

    # --- what the engine tells, while it is locked -------------------------------------------

    def committed(self, commit: Commit, values: Mapping[str, bytes | None], /) -> None:
        """Take a commit."""
        # A copy of this process, made by os.fork, has the file too, but not the thread.
        if self._writer.error is not None or os.getpid() != self._process:
            return
        before, self._last = self._last, commit.seq
        # An interruption may have come between a commit and its record.
        missed = commit.seq - before - 1
        self._writer.put(_Made(commit, self._state() if missed else values, missed))

    def looked_back(self, seq: int, /) -> None:
        """Take a look-back."""
        if self._writer.error is None and os.getpid() == self._process:
            self._writer.put(seq)

    def _state(self) -> dict[str, bytes | None]:
        return {key: current.encoded for key, current in self._engine.history.current.items()}


@frozen
class _Start:
    """The state at the beginning, and the number of the newest commit then."""

    seq: int
    values: Mapping[str, bytes | None]


@frozen
class _Made:
    """A commit, and what it made of its keys; or of all keys, if commits before it were missed."""

    commit: Commit
    values: Mapping[str, bytes | None]
    missed: int


#: A look-back is the number of a commit; None is the end.
_Item: TypeAlias = _Start | _Made | int | None


class _Writer:
    """The thread that writes, and what waits for it.

    Attributes:
        lines: Works out what to write.
        error: What ended it early.
        thread: The thread.
    """

    def __init__(self, file: TraceFile, lines: _Lines) -> None:
        self.lines = lines
        self.error: Exception | None = None
        self.thread = Thread(target=self._work, name="backpack recorder", daemon=True)
        self._file = file
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        # Each is counted by one side alone.
        self._put = 0
        self._taken = 0

    def put(self, item: _Item) -> None:
        """Hand something over; wait while too much is waiting."""
        try:
            self._queue.put(item)
            self._put += _size_of(item)
            if self._put - self._taken > _MOST_WAITING:
                self._wait()
        except Exception as error:
            self.fail(error)

    def end(self) -> None:
        """Have everything written and the file closed."""
        self._queue.put(None)
        if current_thread() is not self.thread:
            self.thread.join(_LAST)

    def fail(self, error: Exception) -> None:
        """End the recording."""
        if self.error is None:
            self.error = error
            path = str(self._file.path)
            log("error", "recording_ended", path=path, error=f"{type(error).__name__}: {error}")

    def _wait(self) -> None:
        taken, since = self._taken, time.monotonic()
        while self.error is None and self._put - self._taken > _MOST_WAITING:
            if self._taken != taken:
                taken, since = self._taken, time.monotonic()
            elif time.monotonic() - since > _PATIENCE:
                raise TimeoutError(f"nothing could be written for {_PATIENCE:g} seconds")
            time.sleep(0.001)

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                for line in self.lines.of(item):
                    self._file.write(line)
                self._taken += _size_of(item)
                del item  # It may be large, and the next may be long in coming.
            self._file.close()
        except Exception as error:
            self.fail(error)
            with suppress(OSError):
                self._file.close()

    def _next(self) -> _Item:
        with suppress(Empty):
            return self._queue.get(timeout=_IDLE)
        self._file.flush()
        return self._queue.get()


def _size_of(item: _Item) -> int:
    if isinstance(item, _Made | _Start):
        return sum(len(each) for each in item.values.values() if each is not None)
    return 0


@define
class _Held:
    """What a key holds, and whether the trace has its value, or how large it is."""

    encoded: bytes
    is_sized: bool


@define
class _Lines:
    """Works out the lines of a trace from what was done.

    Attributes:
        codec: Encoded the values.
        values: Whether they are written, or how large they are.
        keys: Whether names are written, or numbers.
        made: Commits that the trace has.
        look_backs: Look-backs that it has.
        left_out: Look-backs that it has not.
    """

    codec: Codec
    values: bool
    keys: bool
    made: int = 0
    look_backs: int = 0
    left_out: int = 0
    _held: dict[str, _Held] = field(factory=dict)
    _names: dict[str, dict[str, str]] = field(factory=dict)
    _first: int = 0
    _last: int = 0

    def of(self, item: _Start | _Made | int) -> list[bytes]:
        """Return the lines that say what was done."""
        if isinstance(item, int):
            return self._look(item)
        if isinstance(item, _Start):
            self._last = item.seq
            # The commit whose state is there at the beginning is the first one of the trace.
            self._first = item.seq if item.values else item.seq + 1
            return [self._commit(item.values, {})] if item.values else []
        missing = [self._commit({}, {}) for _ in range(item.missed)]
        values = dict(item.values)
        if missing:
            values = {k: v for k, v in values.items() if not self._is_held(k, v)}
            values |= dict.fromkeys(key for key in self._held if key not in item.values)
        self._last = item.commit.seq
        return [*missing, self._commit(values, self._labels(item.commit))]

    def _look(self, seq: int) -> list[bytes]:
        if not self._first <= seq <= self._last:
            self.left_out += 1
            return []
        self.look_backs += 1
        return [as_json({"op": "snapshot", "back": self._last - seq})]

    def _commit(self, values: Mapping[str, bytes | None], labels: dict[str, Any]) -> bytes:
        before = {key: self._held.get(key) for key in values}
        line = self._operation(values, before, labels, sized=not self.values)
        if len(line) > LONGEST:
            line = self._operation(values, before, labels, sized=True)
        self.made += 1
        return line

    def _operation(
        self,
        values: Mapping[str, bytes | None],
        before: Mapping[str, _Held | None],
        labels: dict[str, Any],
        *,
        sized: bool,
    ) -> bytes:
        changes = [self._change(key, values[key], before[key], sized) for key in values]
        if len(changes) != 1:
            changes = [b'{"op":"commit","changes":[' + b",".join(changes) + b"]}"]
        return changes[0][:-1] + b"," + as_json(labels)[1:] if labels else changes[0]

    def _change(self, key: str, encoded: bytes | None, before: _Held | None, sized: bool) -> bytes:
        name = self._name("key", key)
        if encoded is None:
            self._held.pop(key, None)
            return as_json({"op": "remove", "key": name})
        self._held[key] = held = _Held(encoded, is_sized=sized)
        if not sized:
            with suppress(Exception):
                return self._written(name, encoded, before)
            held.is_sized = True
        operation = {"op": "pack", "key": name, "size": min(len(encoded), LONGEST)}
        if before is not None and before.is_sized:
            operation["new"] = min(new_bytes(encoded, before.encoded), LONGEST)
        return as_json(operation)

    def _written(self, name: str, encoded: bytes, before: _Held | None) -> bytes:
        """Return what says a value.

        Raises:
            Exception: It has no JSON form.
        """
        item = None
        if before is not None and not before.is_sized:
            item = appended(encoded, before.encoded, self.codec)
        if item is None:
            start, what = as_json({"op": "pack", "key": name}), b"value"
            form = as_json(form_of(encoded, self.codec))
        else:
            start, what = as_json({"op": "append", "key": name}), b"item"
            form = as_json(form_of(item, self.codec))
        return b'%b,"%b":%b}' % (start[:-1], what, form)

    def _labels(self, commit: Commit) -> dict[str, Any]:
        labels: dict[str, Any] = {}
        if commit.by is not None:
            labels["by"] = self._name("by", commit.by)
        if commit.tags:
            labels["tags"] = [self._name("tag", tag) for tag in commit.tags]
        if commit.note is not None:
            labels["note"] = commit.note if self.values else "x" * len(commit.note.encode())
        return labels

    def _name(self, kind: str, name: str) -> str:
        if self.keys:
            return name
        known = self._names.setdefault(kind, {})
        return known.setdefault(name, f"{kind} {len(known) + 1}")

    def _is_held(self, key: str, encoded: bytes | None) -> bool:
        held = self._held.get(key)
        return held is not None and held.encoded == encoded
