"""Hypothesis profiles, databases, and what is not traced where coverage is measured.

Choose a profile with ``pytest --hypothesis-profile=spec``: ``light`` by default, ``spec`` and
``deep`` on request.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import Run, runner
from coverage import Coverage
from hypothesis import HealthCheck, settings
from servers import server_of_its_own
from sqlalchemy import text

from backpack.archive import SqlArchive
from backpack.archive.database import Database

#: Tests that were run.
_tests = count(1)
_FREEZE_EVERY = 50

_slow = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,  # a program of 500 steps is large, however small each is
]

# The default run says the same on every machine; the longer ones look for what it has missed.
settings.register_profile(
    "light",
    deadline=None,
    derandomize=True,
    max_examples=60,
    stateful_step_count=30,
    suppress_health_check=_slow,
)
settings.register_profile(
    "spec",
    deadline=None,
    max_examples=500,
    stateful_step_count=50,
    suppress_health_check=_slow,
    print_blob=True,
)
settings.register_profile(
    "deep",
    deadline=None,
    max_examples=12,
    stateful_step_count=500,
    suppress_health_check=_slow,
    print_blob=True,
)
settings.load_profile("light")


def pytest_configure() -> None:
    """Take Ctrl-C as in a terminal: what runs in the background ignores it, with all it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Let the collector pass over what is there for good, modules and tests.

    Hypothesis collects garbage whenever it runs in a new thread, as it does for every law.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Let it pass over what has stayed since, too: caches, and modules that tests import."""
    if next(_tests) % _FREEZE_EVERY == 0:
        gc.collect()
        gc.freeze()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command ``backpack``, and tells what came of it."""
    return runner(capsys)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Start a PostgreSQL server; return the URL of a database."""
    with server_of_its_own() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an archive that is empty, once for each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/archive.db"
    server: str = request.getfixturevalue("server")
    with closing(Database(SqlArchive(server).parsed)) as database:
        connection = database.begin()
        for table in ("about", "packs", "commits", "versions"):
            connection.execute(text(f"DROP TABLE backpack_{table}"))
        database.commit()
    return server


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Trace nothing of a test marked ``no_cover``, nor of what it starts.

    pytest-cov stops its own tracer; the one that coverage starts with every process goes on under
    it, and a traced program takes two to seven times as long.
    """
    if item.get_closest_marker("no_cover") is None:
        return (yield)
    stopped: list[Coverage] = []
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
            del os.environ[name]
        while (running := Coverage.current()) is not None:
            running.stop()
            stopped.append(running)
        try:
            return (yield)
        finally:
            for each in reversed(stopped):
                each.start()
