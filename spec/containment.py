"""Running what may hang, print or exit: in a thread of its own, with an eye on the time."""

from __future__ import annotations

import ctypes
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Final

from attrs import mutable

__all__ = ["Contained", "contained"]

_POLL: Final = 0.02
#: Seconds a thread has to end once it is told to.
_GRACE: Final = 1.0


class OutOfTime(BaseException):
    """Thrown into a thread that does not come back."""


@mutable
class Contained:
    """What came of running something.

    Attributes:
        late: Whether it was still running when its time was over.
        printed: What was printed meanwhile.
        error: What it raised.
    """

    late: bool = False
    printed: str = ""
    error: BaseException | None = None


def contained(run: Callable[[], object], *, deadline: Callable[[], float]) -> Contained:
    """Run something to its end, or until its time is over; then end it, or leave it alone.

    Args:
        run: What to run.
        deadline: Tells by the monotonic clock, in seconds, when the time is over of what that is
            at. It is asked again and again.
    """
    result = Contained()
    ended = threading.Lock()
    ended.acquire()

    def work() -> None:
        with suppress(OutOfTime):  # Which may arrive late.
            try:
                run()
            except OutOfTime:
                pass
            except BaseException as error:
                result.error = error
            finally:
                ended.release()

    with _quiet(result), _no_noise(), _no_exit():
        worker = threading.Thread(target=work, name="backpack check", daemon=True)
        worker.start()
        try:
            while not ended.acquire(timeout=_POLL):
                if time.monotonic() > deadline():
                    result.late = True
                    _end(worker, ended)
                    break
        except BaseException:
            _end(worker, ended)
            raise
    return result


def _end(worker: threading.Thread, ended: threading.Lock) -> None:
    """Throw OutOfTime into a thread, once more if it goes on; then leave it alone.

    One that sleeps does not take it. As long as it is on its way, CPython 3.11 lets no thread that
    is traced or profiled enter a function: so nothing is called here that is written in Python, and
    what was not taken is withdrawn. Its mark stays until some thread takes one.
    """
    throw = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thrown, theirs = ctypes.py_object(OutOfTime), ctypes.c_ulong(worker.ident or 0)
    mine = ctypes.c_ulong(threading.get_ident())
    for _ in range(2):
        throw(theirs, thrown)
        if ended.acquire(True, _GRACE):
            return
    throw(theirs, None)
    if sys.version_info < (3, 12):
        try:
            throw(mine, thrown)
            while True:  # It arrives where a loop goes round.
                pass
        except OutOfTime:
            pass


@contextmanager
def _quiet(result: Contained) -> Iterator[None]:
    """Keep what is printed, so that a report stays readable."""
    text = io.StringIO()
    try:
        with redirect_stdout(text), redirect_stderr(text):
            yield
    finally:
        result.printed = text.getvalue()


@contextmanager
def _no_noise() -> Iterator[None]:
    """Say nothing of an OutOfTime that arrives where nobody can take it, as in a finalizer."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not OutOfTime:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextmanager
def _no_exit() -> Iterator[None]:
    """Let what ends the process only end its answer."""

    def leave(code: int = 0) -> None:
        raise SystemExit(f"os._exit({code})")

    before = os._exit
    os._exit = leave  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = before
