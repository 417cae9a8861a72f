"""What the documents show is what happens."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import backpack
from backpack.budget import (
    CHAIN_BYTES,
    CHANGE_BYTES,
    COMMIT_BYTES,
    EMPTY_BYTES,
    INHERITED_BYTES,
    NAME_BYTES,
    PLACE_BYTES,
    REFERENCE_BYTES,
    REMARKS_BYTES,
    TUPLE_BYTES,
    VERSION_BYTES,
)
from backpack.spec.laws import LAWS

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(backpack.__path__, "backpack.")
    if name != "backpack.__main__"
)


@pytest.mark.parametrize("name", ["backpack", *MODULES])
def test_every_example_in_a_docstring_runs(name: str) -> None:
    """Interactive examples print what the docstring says they print."""
    assert 0 == doctest.testmod(importlib.import_module(name)).failed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_in_a_document_leads_somewhere(path: Path) -> None:
    """Relative links name files that are there, and headings of theirs."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)[^)]*\)", text):
        if "://" not in target:
            place = path.parent / target if target else path
            assert place.exists(), f"{path.name} links to {target}"
            if anchor:
                assert anchor in headings_of(place), f"{path.name} links to {target}#{anchor}"


def headings_of(path: Path) -> set[str]:
    """Return what links call the headings of a document, here and where the code is hosted."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_account_is_documented_to_the_byte() -> None:
    """The design note names the costs that are charged."""
    text = (ROOT / "docs" / "design" / "0002-the-account.md").read_text(encoding="utf-8")
    for sentence in (
        f"an empty history | {EMPTY_BYTES:,} bytes |",
        f"| a retained commit | {COMMIT_BYTES} bytes |",
        f"| {REMARKS_BYTES} bytes; {TUPLE_BYTES} and {PLACE_BYTES + CHANGE_BYTES} for every key",
        f"several; {TUPLE_BYTES} and {PLACE_BYTES} for every tag; its note |",
        f"| a key that a commit inherited | {INHERITED_BYTES} bytes |",
        f"| a superseded version | {VERSION_BYTES} bytes and",
        f"| a reference in its place | {VERSION_BYTES + REFERENCE_BYTES} bytes and",
        f"| a removal | {VERSION_BYTES} bytes |",
        f"| a key with superseded versions | {CHAIN_BYTES} bytes |",
        f"mention | {NAME_BYTES} bytes and its text",
    ):
        assert sentence in text


def test_every_law_is_documented() -> None:
    """The document names the laws that are checked, in their words."""
    text = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
    assert [f"| {law.id} | {law.sentence} |" for law in LAWS.values()] == re.findall(
        r"^\| [A-Z]+\d \| .* \|$", text, re.MULTILINE
    )


def test_continuous_integration_calls_the_test_command_of_the_readme() -> None:
    """What lands has passed what a newcomer is told to run."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (pattern,) = re.findall(r"sed -n 's/(.*)/\\1/p' README.md", script)
    pattern = pattern.replace(r"\(", "(").replace(r"\)", ")")
    (command,) = re.findall(
        pattern.rstrip("/"), (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert command.endswith(".venv-test/bin/pytest")


def test_the_laws_hold_without_assertions() -> None:
    """``python -O`` changes no verdict."""
    program = (
        "from backpack.spec import LawBroken, require\n"
        "try:\n    require(False, 'B1', 'seen')\n"
        "except LawBroken as broken:\n    print(broken.law, broken)\n"
    )
    command = [sys.executable, "-O", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"B1 B1 is broken: {LAWS['B1'].sentence} seen" == done.stdout.strip()
