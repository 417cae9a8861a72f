"""The commands that move a whole Backpack, and look whether it is whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from archives import Past, settings
from commands import Run

from backpack import Backpack

_ANOTHER = "name another file for the checkpoint\n"
_CLOSE = "which holds b.db@it.lock; close that, or name another file\n"


def used(url: str, name: str, count: int = 60) -> Past:
    """Use a Backpack in an archive for a while; return its past."""
    past = Past()
    with Backpack.open(url, name, **settings()) as backpack:
        for number in range(count):
            state = past.current | {"a": f"{number}" * 99}
            past.record(backpack.pack("a", state["a"]), state)
    return past


def test_a_backpack_travels_in_a_file(run: Run, tmp_path: Path) -> None:
    """From an archive to a file, and into another archive, with all its past."""
    first, second = (f"sqlite:///{tmp_path}/{name}.db" for name in "ab")
    past = used(first, "it")
    file = tmp_path / "it.backpack"
    assert run("save", first, file) == (0, f"it: 60 versions saved to {file}\n", "")
    assert run("verify", file) == (0, "it: 60 commits, 60 versions: all as written\n", "")
    assert run("verify", first) == (0, "it: 60 commits, 60 versions: all as written\n", "")
    assert run("verify", tmp_path / "a.db")[0] == 0
    assert run("restore", file, second) == (0, f"it: 60 versions restored to {second}\n", "")
    with Backpack.open(second, "it", **settings()) as again:
        past.check(again)
    code, _, error = run("restore", file, second)
    assert code == 2
    assert error.startswith("backpack: there is a Backpack called 'it' in the archive")


def test_a_name_is_given_where_there_are_several(run: Run, tmp_path: Path) -> None:
    """Without one, it says which there are."""
    url, file = f"sqlite:///{tmp_path}/a.db", tmp_path / "file"
    for name in ("one", "other"):
        used(url, name, 3)
    code, _, error = run("save", url, file)
    assert (code, file.exists()) == (2, False)
    assert "which Backpack?; there are: one, other" in error
    assert run("save", url, file, "--name", "other")[:2] == (
        0,
        f"other: 3 versions saved to {file}\n",
    )
    assert "there is no 'none'; there are: other" in run("verify", file, "--name", "none")[2]


def test_a_name_is_printed_on_one_line(run: Run, tmp_path: Path) -> None:
    """Whatever it is: a strange file cannot write to a terminal."""
    url, file = f"sqlite:///{tmp_path}/a.db", tmp_path / "file"
    used(url, "a\x1b[31m\nb", 3)
    for command in (("save", url, file), ("verify", file), ("restore", file, f"{url}.copy")):
        code, out, _ = run(*command)
        assert (code, out[: len("a\\x1b[31m b: 3 ")]) == (0, "a\\x1b[31m b: 3 ")
        assert out.count("\n") == 1


def test_an_archive_in_use_is_not_written_over(run: Run, tmp_path: Path) -> None:
    """Neither that which is saved, nor another; a closed one is, as any file."""
    url, other = f"sqlite:///{tmp_path}/a.db", tmp_path / "b.db"
    past = used(url, "it", 3)
    assert run("save", url, tmp_path / "a.db") == (
        2,
        "",
        f"backpack: {tmp_path}/a.db is the archive that is saved; {_ANOTHER}",
    )
    code, _, error = run("restore", tmp_path / "a.db", url)
    assert (code, "a.db cannot be restored into itself; name another file" in error) == (2, True)
    with Backpack.open(f"sqlite:///{other}", "it", **settings()) as writer:
        code, out, error = run("save", url, other)
        writer.pack("kept", 1)
    assert (code, out, error) == (
        2,
        "",
        f"backpack: {other} is an archive that has a writer, {_CLOSE}",
    )
    with Backpack.open(f"sqlite:///{other}", "it", **settings()) as writer:
        assert dict(writer) == {"kept": 1}
    assert run("save", url, other) == (0, f"it: 3 versions saved to {other}\n", "")
    with Backpack.open(url, "it", **settings()) as again:
        past.check(again)


def test_a_name_that_is_too_long_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    """Whichever command it is given to."""
    url, long = f"sqlite:///{tmp_path}/a.db", "x" * 300
    used(url, "it", 1)
    for command in (
        ("save", url, tmp_path / long),
        ("save", tmp_path / long, tmp_path / "file"),
        ("restore", tmp_path / long, url),
        ("restore", tmp_path / "a.db", f"sqlite:///{tmp_path}/{long}"),
        ("verify", tmp_path / long),
        ("inspect", tmp_path / "a.db", "--export", tmp_path / long),
    ):
        code, out, error = run(*command)
        assert (code, out, error.count("\n")) == (2, "", 1)
        assert error.endswith(": File name too long; name another file\n")


def test_a_damaged_file_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    """And so is one that is none, or not there."""
    url, file = f"sqlite:///{tmp_path}/a.db", tmp_path / "file"
    used(url, "it", 20)
    run("save", url, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE backpack_versions SET size = size + 1 WHERE seq = 7")
    for bad in (file, tmp_path / "missing", tmp_path):
        code, out, error = run("verify", bad)
        assert (code, out) == (2, "")
        assert error.startswith("backpack: ")
        assert error.count("\n") == 1
