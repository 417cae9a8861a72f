"""What the document on looking back shows on the command line is what happens."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from backpack.cli import main
from backpack.past import Past

DOCUMENT = Path(__file__).parent.parent / "docs" / "looking-back.md"


def test_every_command_in_the_document_prints_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """On the file that its first example makes; each Backpack has a code of its own."""
    monkeypatch.chdir(tmp_path)
    assert 0 == doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8").failed
    capfd.readouterr()
    with Past("agent.backpack") as past:
        code = past.code
    text = DOCUMENT.read_text(encoding="utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    examples = re.findall(r"^\$ backpack (.*)\n((?:(?!\$ ).*\n)*)", "".join(blocks), re.MULTILINE)
    assert 10 == len(examples)
    for command, expected in examples:
        with pytest.raises(SystemExit) as caught:
            main(command.split())
        printed = re.sub(code, "k3fq7x", capfd.readouterr().out)
        checker = doctest.OutputChecker()
        assert checker.check_output(expected, printed, doctest.ELLIPSIS), (command, printed)
        assert 0 == caught.value.code


@pytest.mark.skipif(os.name == "nt", reason="there is no head")
def test_a_log_can_be_read_by_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a shell."""
    monkeypatch.chdir(tmp_path)
    doctest.testfile(str(DOCUMENT), module_relative=False, encoding="utf-8")
    command = f"{sys.executable} -m backpack log agent.backpack --json | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, check=True)  # noqa: S602
    assert (1, b"") == (done.stdout.count(b"\n"), done.stderr)
