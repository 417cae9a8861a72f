"""The guide's policy: what the guide shows is what the files say, and every door passes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from backpack import Backpack
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
from backpack.spec import backpack_with, check_policy, machine_for
from backpack.spec.laws import laws_of
from backpack.spec.target import subject_of

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLE = DOCS / "examples" / "keep-decisions"
#: What is covered elsewhere need not be traced here.
pytestmark = pytest.mark.no_cover

BUILT_IN = (
    *(Compressed, DeepSize, EncodedSize, Full, KeepAll, KeepTagged),
    *(LeastAccessed, Oldest, Preview, Stub, Thinning),
)
#: Each goes through the suite for pytest, too: by default through one of the two doors here.
STEP = 1 if "BACKPACK_SEEDS" in os.environ else 2


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """Return the guide's module."""
    spec = util.spec_from_file_location("keep_decisions", EXAMPLE / "keep_decisions.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules["keep_decisions"] = module
    spec.loader.exec_module(module)
    return module


def outside(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run something beside the example, as its author would."""
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLE), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=EXAMPLE
    )


def test_the_guide_shows_the_files() -> None:
    """To the letter."""
    text = (DOCS / "writing-policies.md").read_text(encoding="utf-8")
    shown = re.findall(r"<!-- (\S+) -->\n```\w+\n(.*?)\n```", text, re.DOTALL)
    assert 4 == len(shown)
    for name, content in shown:
        assert (DOCS / name).read_text(encoding="utf-8").rstrip() == content


def test_it_passes_in_a_program(example: ModuleType) -> None:
    """The first door."""
    report = check_policy(example.KeepDecisions, seed=0, examples=4)
    assert report.ok, str(report)


def test_it_passes_with_pytest() -> None:
    """The second door, and its own test."""
    done = outside("pytest", "-q", "-p", "no:cacheprovider", "-c", "pyproject.toml", "-k",
                   "PR or outlive")  # fmt: skip
    assert 0 == done.returncode, done.stdout
    assert "6 passed" in done.stdout


def test_it_passes_on_the_command_line() -> None:
    """The third door."""
    options = ("--seed", "1", "--examples", "4", "--json")
    done = outside("backpack", "check", "keep_decisions:KeepDecisions", *options)
    assert 0 == done.returncode, done.stdout + done.stderr
    (report,) = json.loads(done.stdout)["reports"]
    assert len((*laws_of("pruning"), *laws_of("container"))) == len(report["verdicts"])


def test_it_passes_in_the_state_machine(example: ModuleType) -> None:
    """The fourth door."""
    machine = machine_for(lambda: backpack_with("pruning", example.KeepDecisions()))
    few = settings(max_examples=5, suppress_health_check=list(HealthCheck), deadline=None)
    run_state_machine_as_test(machine, settings=few)


def test_its_first_version_is_caught(example: ModuleType) -> None:
    """The bug that the guide tells of is one that the suite finds, as the guide says."""
    source = (EXAMPLE / "keep_decisions.py").read_text(encoding="utf-8")
    assert 1 == source.count("range(1 - number % 2, number, 2)")
    first = ModuleType("first_version")
    sys.modules["first_version"] = first
    exec(source.replace("range(1 - number", "range(number"), vars(first))  # noqa: S102
    verdict = check_policy(first.KeepDecisions, laws=["PR2"], seed=1)["PR2"]
    guide = (DOCS / "writing-policies.md").read_text(encoding="utf-8")
    assert verdict.why in guide
    assert str(verdict.program).splitlines()[-1] in guide


@pytest.mark.parametrize("policy", BUILT_IN[::STEP], ids=lambda policy: policy.__name__)
def test_built_in_policies_pass_the_state_machine(policy: type) -> None:
    """And the other doors elsewhere; here the one that Hypothesis has."""
    subject = subject_of(policy)
    machine = machine_for(subject.backpack, limit=subject.limit)
    few = settings(max_examples=6, suppress_health_check=list(HealthCheck), deadline=None)
    run_state_machine_as_test(machine, settings=few)


@pytest.mark.parametrize("policy", BUILT_IN[STEP - 1 :: STEP], ids=lambda policy: policy.__name__)
def test_built_in_policies_pass_in_a_program(policy: type) -> None:
    """Every law of their axes."""
    report = check_policy(policy, seed=2, examples=4)
    assert report.ok, str(report)


def test_the_decisions_are_kept(example: ModuleType) -> None:
    """What the policy is for."""
    bp = Backpack(max_history_size="32 KiB", pruning=example.KeepDecisions())
    for step in range(400):
        bp.pack("plan", f"step {step}", tags=["decided"] if step % 40 == 0 else [])
    assert 10 == sum("decided" in commit.tags for commit in bp.history())
