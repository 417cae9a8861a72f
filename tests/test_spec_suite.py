"""The laws as pytest tests: one for each, told apart as pytest tells things apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backpack import ConfigError
from backpack.policies import (  # fmt: skip
    Compressed,
    DeepSize,
    EncodedSize,
    Full,
    KeepAll,
    KeepTagged,
    LeastAccessed,
    Oldest,
    Preview,
    Stub,
    Thinning,
)
from backpack.spec import policy_suite
from backpack.spec.laws import LAWS, laws_of

#: What one of each axis passes through, the others do too.
untraced = pytest.mark.no_cover

TestOldest = policy_suite(Oldest, seed=0, examples=2)
TestLeastAccessed = untraced(policy_suite(LeastAccessed, seed=0, examples=2))
TestThinning = untraced(policy_suite(Thinning, seed=0, examples=2))
TestKeepTagged = untraced(policy_suite(KeepTagged, seed=0, examples=2))
TestKeepAll = untraced(policy_suite(KeepAll, seed=0, examples=2))
TestEncodedSize = untraced(policy_suite(EncodedSize, seed=0, examples=2))
TestDeepSize = policy_suite(DeepSize, seed=0, examples=2)
TestStub = untraced(policy_suite(lambda: Stub(2000), seed=0, examples=2))
TestPreview = policy_suite(lambda: Preview(2000), seed=0, examples=2)
TestFull = untraced(policy_suite(Full, seed=0, examples=2))
TestCompressed = policy_suite(Compressed, seed=0, examples=2)

MODULE = """
from backpack import PruneRequest
from backpack.records import Reference, SizedValue
from backpack.spec import policy_suite

class RoundsDown:
    def __call__(self, request: PruneRequest):
        candidates = [each.id for each in request.candidates]
        return candidates[: len(candidates) // 5]

def by_key(value: SizedValue):
    return Reference.to(value, "scratch") if value.key == "scratch" else None

TestBroken = policy_suite(RoundsDown, laws=["PR1", "PR2"], seed=1)
TestExpected = policy_suite(
    RoundsDown, laws=["PR1", "PR2"], seed=1, expected_failures={"PR2": "keeps four"})
TestUnexpected = policy_suite(
    RoundsDown, laws=["PR1"], seed=1, expected_failures={"PR1": "chooses what it likes"})
TestByKey = policy_suite(by_key, laws=["RE1", "RE4"], seed=1)

class TestMore(TestByKey):
    def test_mine(self):
        pass
"""


def test_there_is_one_test_for_each_law() -> None:
    """With the law's name and sentence, and nothing that is inherited from Hypothesis."""
    tests = {name: test for name, test in vars(TestOldest).items() if name.startswith("test")}
    laws = (*laws_of("pruning"), *laws_of("container"))
    assert [f"test_{law}" for law in laws] == list(tests)
    assert [LAWS[law].sentence for law in laws] == [test.__doc__ for test in tests.values()]
    assert "TestOldest" == TestOldest.__name__
    assert not any(hasattr(test, "hypothesis") for test in tests.values())


@pytest.mark.no_cover
def test_pytest_tells_the_outcomes_apart(tmp_path: Path) -> None:
    """Broken fails with the report, expected is xfailed, not applicable is skipped."""
    path = tmp_path / "test_mine.py"
    path.write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-rsx", "-p", "no:cacheprovider", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert 1 == done.returncode
    for line in (
        "TestBroken::test_PR1 PASSED",
        "TestBroken::test_PR2 FAILED",
        "TestExpected::test_PR2 XFAIL (keeps four)",
        "TestUnexpected::test_PR1 FAILED",
        "TestByKey::test_RE4 SKIPPED",
        "It declares no max_value_size.",
        "TestMore::test_RE1 PASSED",
        "TestMore::test_mine PASSED",
        "PR2 BROKEN: Where it gives commits up at all",
        "It was to fail: chooses what it likes",
        "2 failed, 5 passed, 2 skipped, 1 xfailed",
    ):
        assert line in done.stdout


def test_nothing_to_check_is_refused() -> None:
    """A class without tests would pass for nothing."""
    with pytest.raises(ConfigError, match="laws: no law is left to be checked"):
        policy_suite(Oldest, laws=[])
