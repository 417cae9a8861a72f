"""The command ``backpack inspect``."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from commands import Run

from backpack import Backpack
from backpack.cli import inspect as command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A Backpack in a file."""
    backpack = Backpack()
    backpack["a"] = Random(1).randbytes(100)  # noqa: S311
    backpack["a"] = "y"
    backpack.save(tmp_path / "it.backpack")
    return tmp_path / "it.backpack"


def test_a_page_is_exported(run: Run, file: Path, tmp_path: Path) -> None:
    """And it is told what is in it, and what is not."""
    out = tmp_path / "page.html"
    code, text, error = run("inspect", file, "--export", out)
    assert (0, "") == (code, error)
    assert re.fullmatch(rf"\w+: 2 commits, 2 values written to {out} \([\d.]+ KiB\)\n", text)
    code, text, error = run("inspect", file, "--export", out, "--limit", "50 B")
    assert text.endswith("; 1 values over the limit are left out\n")


def test_options_that_do_not_fit_are_told(run: Run, file: Path, tmp_path: Path) -> None:
    """In one line, with exit code 2."""
    out = tmp_path / "page.html"
    for arguments, message in (
        (["--limit", "1 MiB"], "--limit is about --export OUT; give that, too"),
        (["--export", out, "--port", "80"], "--export writes a file: there is no --port"),
        (["--export", out, "--no-open"], "--export writes a file: there is no --port"),
        (["--export", out, "--limit", "x"], "--limit: 'x' is not a size"),
        (["--port", "0"], "invalid value for '--port': 0 is not in the range 1<=x<=65535"),
    ):
        code, text, error = run("inspect", file, *arguments)
        assert (2, "") == (code, text)
        assert message in error
        assert 1 == error.count("\n")
    assert not out.exists()


def test_a_file_that_is_none_is_told(run: Run, tmp_path: Path) -> None:
    """Before anything is served or written."""
    (tmp_path / "text").write_text("no archive, but more than a byte")
    for bad in (tmp_path / "missing", tmp_path / "text", tmp_path):
        for arguments in (["--no-open"], ["--export", tmp_path / "page.html"]):
            code, text, error = run("inspect", bad, *arguments)
            assert (2, "") == (code, text)
            assert error.startswith("backpack: ")
            assert 1 == error.count("\n")


def test_what_is_missing_is_told(
    run: Run, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the line that installs it; exporting needs none of it."""
    for name in ("server", "guarding"):
        monkeypatch.delitem(sys.modules, f"backpack.inspect.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    code, text, error = run("inspect", file)
    assert (2, "") == (code, text)
    assert (
        "backpack: a page is served with the package uvicorn; "
        'pip install "backpack-memory[inspect]" brings it. --export needs no more than '
        '"backpack-memory[archive]"\n' == error
    )
    assert 0 == run("inspect", file, "--export", tmp_path / "page.html")[0]


def test_a_port_in_use_is_told(run: Run, file: Path) -> None:
    """With exit code 2."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        code, _, error = run("inspect", file, "--port", port, "--no-open")
    assert 2 == code
    assert f"backpack: --port: port {port} of 127.0.0.1 is in use; choose another" in error


def test_a_browser_is_opened(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the address that is told, unless it is not to be."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    async def at_once(_: object) -> None:
        """End the server as soon as it has begun."""

    monkeypatch.setattr("uvicorn.Server.main_loop", at_once)
    code, text, _ = run("inspect", file)
    assert (0, 1) == (code, len(opened))
    assert f"{file} at {opened[0]}\nCtrl-C ends it.\n" == text
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{12}/\?token=[\w-]{43}", opened[0])
    run("inspect", file, "--no-open")
    assert 1 == len(opened)
    assert "inspect" in command.__name__


@pytest.mark.skipif(sys.platform == "win32", reason="there, Ctrl-C is another thing")
def test_ctrl_c_ends_it(file: Path) -> None:
    """Cleanly: exit code 130, and nothing on stderr."""
    arguments = [sys.executable, "-m", "backpack", "inspect", str(file), "--no-open"]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        assert it.stdout.readline().startswith(f"{file} at http://127.0.0.1:")
        it.stdout.readline()
        it.send_signal(signal.SIGINT)
        _, error = it.communicate(timeout=60)
    assert (130, "") == (it.returncode, error.strip())
