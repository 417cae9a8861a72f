"""What looks back on the command line goes with other commands."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parent.parent / "docs" / "looking-back.md"


@pytest.mark.skipif(os.name == "nt", reason="there is no head")
def test_a_log_can_be_read_by_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a shell."""
    monkeypatch.chdir(tmp_path)
    doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    command = f"{sys.executable} -m backpack log agent.backpack --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, check=True)  # noqa: S602
    assert (1, b"") == (done.stdout.count(b"\n"), done.stderr)
