"""What hangs, prints or exits is contained."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from backpack.spec.containment import Contained, OutOfTime, contained

SLEEPS = """
import sys, threading, time
from backpack.spec.containment import contained

def sleep():
    threading.Event().wait(60.0)

def soon():
    end = time.monotonic() + 0.1
    return lambda: end

def look(*_):
    return None

sys.settrace(look)
first = contained(sleep, deadline=soon())
sys.setprofile(look)
second = contained(sleep, deadline=soon())
third = contained(look, deadline=soon())
print(first.late, second.late, third.late)
"""


def run(what: Callable[[], object], limit: float = 20.0) -> Contained:
    """Run something contained, which has just begun."""
    end = time.monotonic() + limit
    return contained(what, deadline=lambda: end)


def test_what_comes_back_is_left_alone() -> None:
    """No time is lost, and nothing is told."""
    assert Contained() == run(lambda: None)


def test_what_it_prints_is_kept() -> None:
    """From both streams."""

    def prints() -> None:
        print("one")
        print("two", file=sys.stderr)

    assert "one\ntwo\n" == run(prints).printed


@pytest.mark.parametrize("leave", [lambda: os._exit(3), lambda: sys.exit(3)])
def test_an_exit_is_an_error_like_any(leave: Callable[[], None]) -> None:
    """The process goes on, and can still be ended in earnest."""
    before = os._exit
    assert isinstance(run(leave).error, SystemExit)
    assert os._exit is before


def test_what_goes_round_for_ever_is_ended() -> None:
    """It does not keep a core busy afterwards."""
    threads = []

    def goes_round() -> None:
        threads.append(threading.current_thread())
        while True:
            pass

    assert Contained(late=True) == run(goes_round, limit=0.05)
    threads[0].join(10.0)
    assert not threads[0].is_alive()


def test_what_goes_on_is_told_twice() -> None:
    """A handler that takes everything keeps nothing going."""
    heard: list[str] = []

    def goes_on() -> None:
        try:
            while True:
                pass
        except OutOfTime as told:
            heard.append(type(told).__name__)
            while True:
                pass

    assert run(goes_on, limit=0.05).late
    assert ["OutOfTime"] == heard


def test_what_sleeps_holds_up_nobody_who_is_traced() -> None:
    """An exception that never arrives keeps CPython 3.11 from entering functions."""
    done = subprocess.run(
        [sys.executable, "-c", SLEEPS], capture_output=True, text=True, timeout=60.0, check=False
    )
    assert "True True False\n" == done.stdout, done.stderr


def test_an_interruption_ends_what_runs() -> None:
    """Ctrl-C is no reason to leave a thread behind."""
    threads = []

    def goes_round() -> None:
        threads.append(threading.current_thread())
        while True:
            pass

    def interrupted() -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contained(goes_round, deadline=interrupted)
    threads[0].join(10.0)
    assert not threads[0].is_alive()
