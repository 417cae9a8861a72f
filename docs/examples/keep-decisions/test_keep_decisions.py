"""The laws, for KeepDecisions; and what it is for."""

from keep_decisions import KeepDecisions

from backpack import Backpack
from backpack.spec import policy_suite

TestKeepDecisions = policy_suite(KeepDecisions)


def test_decisions_outlive_chatter() -> None:
    """Of a long run all decisions are there, and chatter from every part of it."""
    bp = Backpack(max_history_size="64 KiB", pruning=KeepDecisions())
    for step in range(1000):
        bp.pack("plan", f"step {step}, " * 10, tags=["decided"] if step % 50 == 0 else [])
    retained = bp.history()
    assert sum("decided" in commit.tags for commit in retained) == 20
    assert {commit.seq // 250 for commit in retained if not commit.tags} >= {0, 1, 2, 3}
