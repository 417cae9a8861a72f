"""Several threads on one Backpack."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from backpack import Backpack, CommitPruned
from backpack.audit import audit
from backpack.policies import Delta, Full, Stub
from backpack.protocols import StoragePolicy


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_no_edit_is_lost() -> None:
    """Edits of one list from many threads all arrive, each as one commit."""
    bp = Backpack()
    bp["log"] = []

    def work(worker: int) -> None:
        for number in range(40):
            with bp.edit("log", by=f"worker {worker}") as log:
                log.append((worker, number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert {(w, n) for w in range(8) for n in range(40)} == set(bp["log"])
    assert 8 * 40 + 1 == len(bp.history())
    assert audit(bp) == []


@pytest.mark.parametrize("storage", [Full(), Delta(span=3, least=1)], ids=repr)
def test_the_budget_holds_for_every_onlooker(storage: StoragePolicy) -> None:
    """While some threads write and prune, others see whole states within the budget."""
    bp = Backpack(max_history_size=16_384, reference=Stub(2_000), storage=storage)
    done = Event()

    def write(worker: int) -> None:
        for number in range(150):
            with bp.transaction() as tx:
                tx[f"a{worker}"] = tx[f"b{worker}"] = f"{number}" * 100

    def watch(_: int) -> int:
        looks = 0
        while not done.is_set() or not looks:
            usage = bp.memory_usage()
            assert usage.history_bytes <= usage.peak_history_bytes <= usage.budget_bytes
            for commit in bp.history()[:3]:
                try:
                    state = bp.snapshot(commit).to_dict()
                except CommitPruned:
                    continue
                for worker in range(4):
                    assert state.get(f"a{worker}") == state.get(f"b{worker}")
            looks += 1
        return looks

    with ThreadPoolExecutor(6) as pool:
        watchers = [pool.submit(watch, number) for number in range(2)]
        try:
            for writer in [pool.submit(write, number) for number in range(4)]:
                writer.result()
        finally:
            done.set()
        assert all(watcher.result() for watcher in watchers)
    assert 4 * 150 == bp.memory_usage().commits_made
    assert audit(bp) == []
