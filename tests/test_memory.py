"""B3: "50 MiB" means 50 MiB of real memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: A tracer takes memory of its own.
pytestmark = pytest.mark.no_cover

PROGRAM = """
import gc, json, sys, tracemalloc
from backpack import Backpack
from backpack.policies import Full, Compressed

size, budget, packs, keys, storage = json.loads(sys.argv[1])
value = "0123456789abcdef" * (size // 16 + 1)
def make():
    policy = Full() if storage == "full" else Compressed()
    return Backpack(max_history_size=budget, storage=policy)
warm = make()
for number in range(50):
    warm.pack("k", f"{number:08}" + value[: size - 8], by="worker")
gc.collect()
tracemalloc.start()
real = tracemalloc.get_traced_memory()[0]
bp = make()
for number in range(packs):
    bp.pack(f"key-{number % keys}", f"{number:08}" + value[: size - 8], by=f"worker-{number % 5}")
gc.collect()
real = tracemalloc.get_traced_memory()[0] - real
after = bp.memory_usage()
print(json.dumps({
    "real": real,
    "accounted": after.history_bytes + after.current_bytes,
    "pruned": after.commits_pruned,
    "full": after.history_bytes / after.budget_bytes,
}))
"""


DELTAS = """
import gc, json, random, sys, tracemalloc
from backpack import Backpack
from backpack.policies import Delta

kind, budget, packs = json.loads(sys.argv[1])
chance = random.Random(1)
def message(number):
    return {"role": "user", "content": f"{number} {chance.randbytes(500).hex()}"}
def steps(kind, packs):
    window = [message(number) for number in range(20)]
    for number in range(packs):
        if kind == "window":
            window = [*window[1:], message(number)]
            yield "messages", window
        elif kind == "many keys":
            yield f"key-{number % 300}", [number, *window[:2]]
        else:
            yield "plan", window[:10 + number % 2]
def make(kind, packs):
    bp = Backpack(max_history_size=budget, storage=Delta())
    for key, value in steps(kind, packs):
        bp.pack(key, value, by="worker")
    return bp
warm = make(kind, 60)
gc.collect()
tracemalloc.start()
real = tracemalloc.get_traced_memory()[0]
bp = make(kind, packs)
gc.collect()
real = tracemalloc.get_traced_memory()[0] - real
after = bp.memory_usage()
print(json.dumps({
    "real": real,
    "accounted": after.history_bytes + after.current_bytes,
    "pruned": after.commits_pruned,
    "full": after.history_bytes / after.budget_bytes,
}))
"""


@pytest.mark.parametrize(
    ("kind", "budget", "packs"),
    [("window", 2**21, 1_500), ("many keys", 2**20, 3_500), ("back and forth", 2**19, 2_500)],
)
def test_real_memory_is_what_the_account_says_of_deltas(kind: str, budget: int, packs: int) -> None:
    """Versions that lean on each other take at most 1.10 times their charge, and not much less."""
    command = [sys.executable, "-c", DELTAS, json.dumps([kind, budget, packs])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["pruned"] > 0
    assert seen["full"] > 0.75
    assert 0.6 * seen["accounted"] <= seen["real"] <= 1.10 * seen["accounted"], seen


@pytest.mark.parametrize(
    ("size", "budget", "packs", "keys", "storage"),
    [
        (50_000, "20 MiB", 1_000, 1, "full"),
        (100, "4 MiB", 20_000, 1, "full"),
        (100, "4 MiB", 20_000, 500, "full"),
        (2_000, "2 MiB", 20_000, 20, "compressed"),
    ],
)
def test_real_memory_is_what_the_account_says(
    size: int, budget: str, packs: int, keys: int, storage: str
) -> None:
    """The memory a filled history really takes is at most 1.10 times its account."""
    argument = json.dumps([size, budget, packs, keys, storage])
    command = [sys.executable, "-c", PROGRAM, argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    assert seen["pruned"] > 0
    assert seen["full"] > 0.75
    assert seen["real"] <= 1.10 * seen["accounted"], seen
