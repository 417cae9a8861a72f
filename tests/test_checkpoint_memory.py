"""A large checkpoint: little memory beyond what is held, and progress where somebody watches."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkpoints import OPERATIONS, filled, measured

#: A tracer takes memory, and time.
pytestmark = pytest.mark.no_cover

#: How large the checkpoint is, in MiB.
SIZE = int(os.environ.get("BACKPACK_CHECKPOINT_MB", "24"))
#: Bytes that may be taken beyond what is held: 50 MB, or as much less as shows a copy of all.
BEYOND = 50_000_000 if SIZE >= 100 else 20_000_000

on_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(),
    reason="how much memory a process took at most is read from /proc/self, and there is none",
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a checkpoint of that size."""
    path = tmp_path_factory.mktemp("large") / "file"
    filled(SIZE).save(path)
    assert path.stat().st_size > SIZE * 2**20 - 200_000
    return path


@on_linux
@pytest.mark.parametrize("what", OPERATIONS)
def test_it_takes_what_is_held_and_little_more(
    what: str, file: Path, tmp_path: Path, record_property: Any
) -> None:
    """Versions go through one after the other, and are not gathered anywhere."""
    place = tmp_path / "file"
    if what != "save":
        place.symlink_to(file)
    seen = measured(what, place, SIZE if what == "save" else 0)
    record_property(what, seen)
    if what in ("save", "restore"):
        assert seen["held"] > SIZE * 2**20 - 200_000
    assert seen["beyond"] < BEYOND, seen


#: The command, drawing so often that a quick machine does not do it all between two pictures.
DRAWN_OFTEN = """
import sys
from functools import partial
from rich import progress
progress.Progress = partial(progress.Progress, refresh_per_second=500)
from backpack.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", ["restore", "save", "verify"])
def test_progress_is_drawn_on_a_terminal(command: str, file: Path, tmp_path: Path) -> None:
    """More than once, up to all of it, and taken away at the end."""
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    master, slave = pty.openpty()
    _, _, _, *rest = arguments(command, file, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", DRAWN_OFTEN, *rest],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as running:
        os.close(slave)
        drawn = b"".join(iter(lambda: read(master), b""))
        assert running.stdout is not None
        out = running.stdout.read()
    os.close(master)
    assert 0 == running.returncode, drawn
    shown = [int(each) for each in re.findall(rb"(\d+)%", drawn)]
    assert shown == sorted(shown)
    # A small file is verified between two pictures.
    assert len(set(shown)) > (0 if command == "verify" and SIZE < 100 else 2)
    assert 100 == shown[-1]
    assert drawn.endswith(b"\x1b[2K")
    assert 1 == out.count(b"\n")


@pytest.mark.parametrize("command", ["restore", "save", "verify"])
def test_nothing_is_drawn_elsewhere(command: str, file: Path, tmp_path: Path) -> None:
    """Where errors go to a file or a pipe there is nobody to watch."""
    done = subprocess.run(arguments(command, file, tmp_path), capture_output=True, check=True)
    assert b"" == done.stderr
    assert 1 == done.stdout.count(b"\n")


def arguments(command: str, file: Path, folder: Path) -> list[str]:
    """Return how a command is run."""
    target = {"restore": f"sqlite:///{folder}/archive.db", "save": str(folder / "again")}
    more = [target[command]] if command in target else []
    return [sys.executable, "-m", "backpack", command, str(file), *more]


def read(master: int) -> bytes:
    """Return what was written to a terminal since; nothing at its end."""
    try:
        return os.read(master, 65536)
    except OSError:  # So Linux says that nobody has it open any more.
        return b""
