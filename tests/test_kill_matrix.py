"""The suite bites: everything broken on purpose is seen by the law that must see it.

The default run tries one seed, for all mutants but those that only an archive shows, of which it
tries some. ``BACKPACK_SEEDS=20`` tries all that the document tells of (``tox -e kills``).
"""

from __future__ import annotations

import os

import pytest
from mutants import matrix
from mutants.containers import BROKEN as CONTAINERS
from mutants.containers_archived import ODD_ARCHIVES
from mutants.killing import MUTANTS, is_killed
from mutants.policies import BROKEN as POLICIES
from mutants.policies import HANGING, ODD

from backpack.spec import check_backpack, check_policy, standard_backpack
from backpack.spec.laws import ARCHIVE, LAWS, laws_of

#: What is covered elsewhere need not be traced here.
pytestmark = pytest.mark.no_cover

SEEDS = int(os.environ.get("BACKPACK_SEEDS", "1"))

#: What only an archive shows takes ten times as long: by default it is one in three of each law.
_STEP = 1 if "BACKPACK_SEEDS" in os.environ else 3
TRIED = [name for name, mutant in MUTANTS.items() if mutant.law not in laws_of(ARCHIVE)]
for _law in laws_of(ARCHIVE):
    TRIED += [name for name, mutant in MUTANTS.items() if mutant.law == _law][::_STEP]


@pytest.mark.parametrize("name", TRIED)
def test_a_mutant_is_killed_by_its_law(name: str) -> None:
    """The law it declares sees it, from as many seeds as the document says."""
    missed = [seed for seed in range(SEEDS) if not is_killed(MUTANTS[name], seed)]
    most = matrix.SEEDS - matrix.kept()[name].killed if matrix.SEEDS == SEEDS else 0
    assert len(missed) <= most, missed


def test_the_document_has_every_mutant() -> None:
    """No line is missing or left over, and each says that its law kills it nearly every time."""
    kept = matrix.kept()
    assert {name: mutant.law for name, mutant in MUTANTS.items()} == {
        name: row.law for name, row in kept.items()
    }
    assert min(row.killed for row in kept.values()) >= 0.9 * matrix.SEEDS
    assert sum(row.killed < matrix.SEEDS for row in kept.values()) <= 2
    text = matrix.DOCUMENT.read_text(encoding="utf-8")
    version = text.split("(here ")[1].split(")")[0]
    assert matrix.document(kept.values(), version) == text


def test_every_law_kills_something() -> None:
    """No law is there for nothing; and there is enough that is broken."""
    assert set(LAWS) == {mutant.law for mutant in MUTANTS.values()}
    assert len(CONTAINERS) >= 20
    assert len(POLICIES) >= 30


@pytest.mark.parametrize("name", HANGING)
def test_what_does_not_come_back_is_told(name: str) -> None:
    """A policy that hangs or exits breaks the law that says so, and the next law is tried."""
    broken = HANGING[name]
    report = check_policy(
        broken.make, axis=broken.axis, laws=[broken.law, "PO3"], seed=0, time_limit=1.0
    )
    assert report[broken.law].outcome in ("broken", "out of time")
    assert [broken.law, "PO3"] == [verdict.law for verdict in report.verdicts]


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_and_correct_passes(name: str, seed: int) -> None:
    """A policy is not to be blamed for being strange."""
    axis, make = ODD[name]
    examples = 4 if SEEDS < matrix.SEEDS else None
    report = check_policy(make, axis=axis, laws=laws_of(axis), seed=seed, examples=examples)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", ODD_ARCHIVES)
def test_an_archive_that_is_odd_and_correct_passes(name: str) -> None:
    """How an archive goes about it is its own business."""
    examples = 20 if SEEDS < matrix.SEEDS else None
    with ODD_ARCHIVES[name]():
        report = check_backpack(
            standard_backpack, laws=laws_of(ARCHIVE), seed=SEEDS, examples=examples
        )
    assert report.ok, str(report)
