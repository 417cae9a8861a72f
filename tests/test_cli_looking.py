"""The commands that look back at a Backpack in a file: log, show, diff and stats."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID, SafeUUID

import pytest
from commands import Run

from backpack import Backpack, UnsafePickleCodec
from backpack.archive import SqlArchive
from backpack.policies import Stub

#: What a terminal would obey, were it not escaped; and what others would.
NASTY = "\x1b]0;owned\x07\x1b[2J\x1b[35;44;5m\x9b5m\u202eevil\u2066\r\n\x08[red]</b><script>:x:"
COMMANDS = ("log", "show", "diff", "stats")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass
class Trip:
    """A class of an agent's own."""

    to: str
    nights: int


def fill(backpack: Backpack) -> None:
    """Make the commits that most tests look at, a minute apart."""
    backpack.pack("plan", {"goal": "Rome", "steps": ["look"], "budget": 100}, by="planner")
    backpack.tag(backpack.pack("trip", Trip("Rome", 3), by="planner", note="a\nnote").id, "start")
    backpack.pack("a:b", "x" * 5000)
    with backpack.transaction(by="agent", tags=["done"]) as changed:
        changed["plan"] = {"goal": "Rome", "steps": ["look", "fly"], "budget": 100.0}
        changed["a:b"] = "one\ntwo\nthree\n"
        del changed["trip"]
    backpack.pack("a:b", "one\n2\nthree\n", by="agent")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A checkpoint of five commits, a minute apart, of 1 May 2026."""
    times = count(1_777_593_600, 60)
    backpack = Backpack(clock=lambda: float(next(times)), reference=Stub(1000))
    fill(backpack)
    backpack.save(tmp_path / "it")
    return tmp_path / "it"


def ids(printed: str) -> list[int]:
    """Return the numbers of the commits in what ``log --json`` or ``--oneline`` printed."""
    if printed.startswith("{"):
        return [json.loads(line)["seq"] for line in printed.splitlines()]
    return [int(line.partition("-")[0]) for line in printed.splitlines()]


# --- log ---------------------------------------------------------------------------------------


def test_commits_are_listed_newest_first(run: Run, file: Path) -> None:
    """With all that is known of each."""
    code, out, error = run("log", file)
    assert (0, "") == (code, error)
    first, *_, second, _ = re.sub(r"-[a-z0-9]{6}", "", out).split("\ncommit ")
    assert first == (
        "commit 5 (HEAD, retained)\nTime:  2026-05-01 00:04:00 UTC\nBy:    agent\n\n"
        "    set      a:b  13 B\n"
    )
    assert second == (
        "2 (retained)\nTime:  2026-05-01 00:01:00 UTC\nBy:    planner\nTags:  start\n"
        "Note:  a\n       note\n\n    set      trip  43 B\n"
    )
    assert "    removed  trip\n" in out


def test_a_line_for_each(run: Run, file: Path) -> None:
    """Tells what matters most."""
    _, out, _ = run("log", file, "--oneline")
    assert [
        "5 2026-05-01 00:04:00 (HEAD) agent a:b",
        "4 2026-05-01 00:03:00 agent [done] plan a:b -trip",
        "3 2026-05-01 00:02:00 a:b",
        "2 2026-05-01 00:01:00 planner [start] trip - a note",
        "1 2026-05-01 00:00:00 planner plan",
    ] == re.sub(r"-[a-z0-9]{6} ", " ", out).splitlines()


def test_sizes_are_told_with_those_before(run: Run, file: Path) -> None:
    """And how much more or less it is."""
    _, out, _ = run("log", file, "--oneline", "--stat", "-n", 2)
    assert [
        "    set      a:b  15 B -> 13 B (-2 B)",
        "    set      plan  31 B -> 43 B (+12 B)",
        "    set      a:b  4.9 KiB -> 15 B (-4.9 KiB)",
        "    removed  trip  43 B -> none (-43 B)",
    ] == [each for each in out.splitlines() if each.startswith(" ")]
    assert "set      plan  none -> " in run("log", file, "--stat", "--until", 1)[1]


def test_commits_are_told_to_programs(run: Run, file: Path) -> None:
    """An object on each line."""
    _, out, _ = run("log", file, "--json")
    newest, *_, second, _ = map(json.loads, out.splitlines())
    assert second == {
        "id": second["id"],
        "seq": 2,
        "time": "2026-05-01T00:01:00+00:00",
        "timestamp": 1777593660.0,
        "by": "planner",
        "tags": ["start"],
        "note": "a\nnote",
        "changes": [{"key": "trip", "kind": "set", "size": second["changes"][0]["size"]}],
        "head": False,
        "retained": True,
        "pinned": False,
    }
    assert (5, True) == (newest["seq"], newest["head"])
    assert 2 == run("log", file, "--json", "--stat")[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--key plan", [4, 1]),
        ("--by planner", [2, 1]),
        ("--tag done", [4]),
        ("-n 2", [5, 4]),
        ("-n 0", []),
        ("--since 3", [5, 4, 3]),
        ("--since start", [5, 4, 3, 2]),
        ("--since HEAD~1", [5, 4]),
        ("--until done", [4, 3, 2, 1]),
        ("--since 2 --until 4 --key a:b", [4, 3]),
        ("--since 2min", [5, 4, 3]),
        ("--since 90s", [5, 4]),
        ("--until 2min", [3, 2, 1]),
        ("--since 2026-05-01T00:03", [5, 4]),
        ("--since 2026-05-01T02:03:00+02:00", [5, 4]),
        ("--until 2026-05-01", [5, 4, 3, 2, 1]),
        ("--since 2026-05-01", [5, 4, 3, 2, 1]),
        ("--until 2026-04-30", []),
        ("--since 2026-05-02", []),
        ("--by planner --key a:b", []),
    ],
)
def test_commits_are_chosen(run: Run, file: Path, options: str, expected: list[int]) -> None:
    """By what they changed, who made them, and when."""
    for form in ("--oneline", "--json"):
        code, out, error = run("log", file, form, *options.split())
        assert (0, "", expected) == (code, error, ids(out))


def test_a_span_may_have_a_space_and_a_commit_its_id(run: Run, file: Path) -> None:
    """As people write them."""
    assert [5, 4] == ids(run("log", file, "--oneline", "--since", "1 minute")[1])
    commit = json.loads(run("log", file, "--json", "--tag", "start")[1])["id"]
    assert [2, 1] == ids(run("log", file, "--oneline", "--until", commit)[1])


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a process cannot be set")
def test_a_time_is_in_utc_wherever_it_is_read(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a command means the same on every machine."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert [5, 4] == ids(run("log", file, "--oneline", "--since", "2026-05-01T00:03")[1])
        assert "2026-05-01 00:04:00" in run("log", file, "--oneline")[1]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_commits_that_are_archived_are_told_so(run: Run, tmp_path: Path) -> None:
    """One of which a bound was pruned bounds all the same."""
    archive = SqlArchive(f"sqlite:///{tmp_path}/a.db", max_commits=0)
    with Backpack(archive=archive, max_history_size=4096) as backpack:
        backpack.pin(backpack.pack("a", 0))
        for number in range(200):
            backpack.pack("a", f"{number}" * 99)
    _, out, _ = run("log", tmp_path / "a.db", "--oneline")
    gone = next(iter({*range(1, 201)} - {*ids(out)}))
    assert "(pinned) a" in out
    assert (
        min(seq for seq in ids(out) if seq > gone)
        == ids(run("log", f"sqlite:///{tmp_path}/a.db", "--oneline", "--since", gone)[1])[-1]
    )
    assert "was pruned, or erased, and is not in" in run("show", tmp_path / "a.db", gone)[2]


# --- show --------------------------------------------------------------------------------------


def test_a_commit_is_shown_with_what_it_changed(run: Run, file: Path) -> None:
    """Each value on a line, or that it was removed."""
    code, out, _ = run("show", file, "done")
    assert 0 == code
    assert "\n        {'goal': 'Rome', 'steps': ['look', 'fly'], 'budget': 100.0}\n" in out
    assert "\n    trip  removed\n" in out
    assert out.endswith("\n    2 keys as of this commit; --state shows all\n")
    assert run("show", file)[1] == run("show", file, "HEAD")[1]
    told = json.loads(run("show", file, "4", "--json")[1])
    assert ["plan", "a:b"] == list(told["keys"])
    assert told["id"] == told["keys"]["plan"]


def test_a_whole_state_is_shown(run: Run, file: Path) -> None:
    """Which commit set what; for programs, with the values."""
    _, out, _ = run("show", file, "3", "--state")
    assert re.search(r"\n    trip  set by 2-\w+, 43 B\n        Trip\(to='Rome', nights=3\)\n", out)
    state = json.loads(run("show", file, "3", "--state", "--json")[1])["state"]
    assert {"plan", "trip", "a:b"} == {*state}
    assert {"to": "Rome", "nights": 3} == state["trip"]["value"]
    assert 5003 == state["a:b"]["$unavailable"]["size"]


def test_a_value_is_shown(run: Run, file: Path) -> None:
    """Only the first colon separates; what history left out says so, and is no error."""
    assert (0, "'one\\n2\\nthree\\n'\n", "") == run("show", file, "HEAD:a:b")
    assert (0, "'one\\ntwo\\nthree\\n'\n", "") == run("show", file, "done:a:b")
    assert (0, "Trip(to='Rome', nights=3)\n", "") == run("show", file, "2:trip")
    code, out, _ = run("show", file, "3:a:b")
    assert 0 == code
    assert out.startswith("<'a:b' (5,003 bytes) is not in history: larger than max_value_size")
    assert 5003 == json.loads(run("show", file, "3:a:b", "--json")[1])["$unavailable"]["size"]


def test_a_text_is_written_as_it_is(file: Path) -> None:
    """Or bytes; for anything else there is JSON."""
    command = [sys.executable, "-m", "backpack", "show", str(file)]
    done = subprocess.run([*command, "HEAD:a:b", "--raw"], capture_output=True, check=True)
    assert b"one\n2\nthree\n" == done.stdout
    for what, said in (
        ("2:trip", b"--raw is for a text or bytes, and this is an object of class Foreign; use"),
        ("3:a:b", b"this is left out of history"),
        ("HEAD", b"--raw with COMMIT:KEY"),
    ):
        done = subprocess.run([*command, what, "--raw"], capture_output=True, check=False)
        assert (2, b"") == (done.returncode, done.stdout)
        assert said in done.stderr


# --- diff --------------------------------------------------------------------------------------


def test_what_changed_is_told(run: Run, file: Path) -> None:
    """By key, and by what is inside of values."""
    code, out, error = run("diff", file, "2")
    assert (0, "") == (code, error)
    assert [
        "2 -> 5",
        "~ plan  changed, 31 B -> 43 B",
        "    + plan.steps[1]: 'fly'",
        "    ~ plan.budget: 100 (int) -> 100.0 (float)",
        "- trip  removed, 43 B",
        "    - trip: Trip(to='Rome', nights=3)",
        "+ a:b  added, 13 B",
        "    + a:b: 'one\\n2\\nthree\\n'",
    ] == re.sub(r"-[a-z0-9]{6}\b", "", out).splitlines()


def test_a_text_is_told_by_its_lines(run: Run, file: Path) -> None:
    """Those that differ, and those around them."""
    _, out, _ = run("diff", file, "4", "5")
    assert [
        "    ~ a:b:",
        "      @@ -1,3 +1,3 @@",
        "       one",
        "      -two",
        "      +2",
        "       three",
    ] == out.splitlines()[2:]


def test_a_difference_is_bounded_by_a_key(run: Run, file: Path) -> None:
    """Or told in sums."""
    assert "plan" not in run("diff", file, "2", "5", "--key", "a:b")[1]
    _, out, _ = run("diff", file, "2", "5", "--stat")
    assert ["~ plan", "- trip", "+ a:b"] == [line[:6].rstrip() for line in out.splitlines()[1:]]
    assert "(nothing differs)" == run("diff", file, "5", "5")[1].splitlines()[1]
    assert (
        "there is no key 'plam' at either commit; did you mean 'plan'?"
        in (run("diff", file, "2", "--key", "plam")[2])
    )


def test_differences_are_told_to_programs(run: Run, file: Path) -> None:
    """In one object."""
    told = json.loads(run("diff", file, "2", "4", "--json")[1])
    assert {"plan": "changed", "trip": "removed", "a:b": "added"} == {
        each["key"]: each["kind"] for each in told["keys"]
    }
    steps, budget = told["keys"][0]["differences"]
    assert {"path": "plan.steps[1]", "kind": "added", "note": None, "after": "fly"} == steps
    assert (100, 100.0, "type") == (budget["before"], budget["after"], budget["kind"])
    assert (
        "differences" not in json.loads(run("diff", file, 2, 4, "--json", "--stat")[1])["keys"][0]
    )


def test_what_was_left_out_differs_by_its_digest(run: Run, file: Path) -> None:
    """It is told that it was."""
    _, out, _ = run("diff", file, "3", "4", "--key", "a:b")
    assert "~ a:b  changed, 4.9 KiB -> 15 B" in out
    assert "- <'a:b' (5,003 bytes) is not in history" in out


# --- stats -------------------------------------------------------------------------------------


def test_where_the_bytes_are_is_told(run: Run, file: Path) -> None:
    """By key, by node, the largest; with the settings."""
    code, out, _ = run("stats", file)
    assert 0 == code
    for said in (
        "commits   5 of 5: 5 retained, 0 archived, 0 pinned",
        "period    2026-05-01 00:00:00 to 2026-05-01 00:04:00 UTC",
        "left out  1 of the values, 4.9 KiB",
        "max_history_size  50 MiB (52,428,800 bytes)",
        "reference         use: stub, max_value_size: 1000 B",
        "(no node)        1   4.9 KiB",
    ):
        assert said in out
    told = json.loads(run("stats", file, "--json")[1])
    keys = {each["key"]: each for each in told["keys"]}
    assert (3, 0, 5003) == tuple(keys["a:b"][each] for each in ("versions", "removals", "left_out"))
    assert (1, 1, 43) == tuple(keys["trip"][each] for each in ("versions", "removals", "measured"))
    assert 31 + 43 == keys["plan"]["measured"]
    assert 5003 == told["largest"][0]["size"]
    assert {"planner": 2, "agent": 2, None: 1} == {
        each["by"]: each["commits"] for each in told["nodes"]
    }
    assert file.stat().st_size == told["file_size"] >= told["in_use"]


def test_of_many_keys_the_largest_are_told(run: Run, tmp_path: Path) -> None:
    """And how many more there are."""
    backpack = Backpack()
    for number in range(30):
        backpack.pack(f"key {number}", number, by=f"node {number}", tags=[f"tag {number}"])
    backpack.save(tmp_path / "it")
    out = run("stats", tmp_path / "it")[1]
    assert 2 == out.count("and 10 more; --json tells of all")
    assert 30 == len(json.loads(run("stats", tmp_path / "it", "--json")[1])["keys"])


def test_letters_that_cannot_be_shown_are_escaped(tmp_path: Path) -> None:
    """Where standard output knows only ASCII."""
    backpack = Backpack()
    backpack.pack("été", 1)
    backpack.save(file := tmp_path / "it")
    for command in ("stats", "log"):
        done = subprocess.run(
            [sys.executable, "-m", "backpack", command, str(file)],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert b"\\xe9t\\xe9" in done.stdout


# --- what may go wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("log FILE --key plam", "no commit in .* changed a key 'plam'; did you mean 'plan'?"),
        ("log FILE --by plannr", "was made by 'plannr'; did you mean 'planner'?"),
        ("log FILE --tag strat", "has the tag 'strat'; did you mean 'start'?"),
        (
            "log FILE --since nonsense",
            "'nonsense' is neither a time nor a commit: write a date or time like",
        ),
        ("log FILE --since strat", "HEAD, HEAD~3 or a tag; did you mean the tag 'start'?"),
        ("log FILE --since 2026-13-01", "'2026-13-01' is neither a time"),
        ("log FILE --since 3parsecs", "'3parsecs' is neither a time"),
        ("log FILE --until 99", "^backpack: there is no commit 99-.*the newest is 5-"),
        ("log FILE -n -1", "-1 is not in the range x>=0"),
        ("show FILE 99", "there is no commit 99-.*the newest is 5-"),
        ("show FILE strat", "'strat' is no commit.*did you mean the tag 'start'?"),
        ("show FILE 3:plam", "there was no key 'plam' at commit 3-.*did you mean 'plan'?"),
        ("show FILE 3:plan --state", "--state goes with a COMMIT"),
        ("diff FILE 1 9", "there is no commit 9-"),
        ("diff FILE", "missing argument 'A'"),
        ("diff FILE 1 --key plam", "no key 'plam' at either commit; did you mean 'plan'?"),
        ("stats FILE --name other", "there is no 'other'; there are: "),
    ],
)
def test_bad_input_is_told_in_one_line(run: Run, file: Path, arguments: str, said: str) -> None:
    """What is wrong, and what was meant; the exit code is 2."""
    code, out, error = run(*(str(file) if each == "FILE" else each for each in arguments.split()))
    assert (2, "") == (code, out)
    assert re.search(said.replace("?", r"\?"), error)
    assert error.startswith("backpack: ")
    assert 1 == error.count("\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_files_that_are_none_are_told(run: Run, file: Path, tmp_path: Path, command: str) -> None:
    """And those of several Backpacks, and damaged ones."""
    (tmp_path / "text").write_text("this is no archive" * 1000)
    data = bytearray(file.read_bytes())
    data[len(data) // 3 :] = b"\xff" * len(data[len(data) // 3 :])
    (tmp_path / "damaged").write_bytes(data)
    for name in ("one", "other"):
        with Backpack.open(f"sqlite:///{tmp_path}/several", name) as backpack:
            backpack.pack("plan", 1)
    more = ["1"] if command == "diff" else []
    for place, said in (
        ("missing", "missing"),
        ("text", "is none: file is not a database; a trace is read by 'backpack run'"),
        ("damaged", "damaged"),
        ("several", "which Backpack?; there are: one, other"),
    ):
        code, out, error = run(command, tmp_path / place, *more)
        assert (2, "", 1) == (code, out, error.count("\n"))
        assert said in error
    assert 0 == run(command, tmp_path / "several", *more, "--name", "one")[0]


def test_without_deepdiff_nothing_is_told_by_halves(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But what to install; --stat needs none of it."""
    monkeypatch.setitem(sys.modules, "deepdiff", None)
    code, out, error = run("diff", file, "1")
    assert (2, "") == (code, out)
    assert 'package deepdiff; pip install "backpack-memory[look]" brings it\n' in error
    assert 0 == run("diff", file, "1", "--stat").code


def test_a_codec_that_runs_code_is_not_used(run: Run, tmp_path: Path) -> None:
    """Its commits are told all the same, and which values changed."""
    backpack = Backpack(codec=UnsafePickleCodec())
    for number in range(2):
        backpack.pack("plan", [number])
    backpack.save(file := tmp_path / "it")
    assert [2, 1] == ids(run("log", file, "--oneline")[1])
    assert "UnsafePickleCodec, which may run code>" in run("show", file)[1]
    assert "~ plan  changed" in run("diff", file, "1")[1]
    assert "(its codec may run code of what it reads)" in run("diff", file, "1")[1]
    assert json.loads(run("diff", file, "1", "--json")[1])["keys"][0]["differences"][0]["note"]
    assert 0 == run("stats", file)[0]
    code, _, error = run("show", file, "1:plan")
    assert (2, True) == (code, "may run code of what it reads" in error)


# --- what a terminal would obey ----------------------------------------------------------------


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Backpack that has in all places what a terminal, a browser or rich would obey."""
    file = tmp_path_factory.mktemp("nasty") / "it.db"
    with Backpack.open(f"sqlite:///{file}", NASTY) as backpack:
        for value in (
            "none",
            {NASTY: [NASTY, {NASTY}, NASTY.encode(), (NASTY,), Trip(NASTY, 1)]},
            {NASTY: [NASTY, {NASTY + "2"}, NASTY.encode(), (1,), Trip(NASTY + "2", 1)]},
            "line\n" + NASTY + "\nline",
            "line\n" + NASTY + "2\nline",
        ):
            backpack.pack(NASTY, value, by=NASTY, tags=[NASTY], note=NASTY)
        backpack.pack(NASTY + "removed", 1)
        del backpack[NASTY + "removed"]
    return file


NASTY_COMMANDS = [
    ["log"],
    ["log", "--oneline"],
    ["log", "--stat"],
    ["log", "--json"],
    ["log", "--key", NASTY],
    ["log", "--key", NASTY + "?"],
    ["log", "--tag", NASTY + "?"],
    ["log", "--by", NASTY + "?"],
    ["log", "--since", NASTY + "?"],
    ["show"],
    ["show", "3"],
    ["show", "3", "--state"],
    ["show", "3", "--state", "--json"],
    ["show", f"3:{NASTY}"],
    ["show", f"3:{NASTY}", "--json"],
    ["show", f"3:{NASTY}", "--full"],
    ["show", f"3:{NASTY}?"],
    ["show", NASTY + "?"],
    ["diff", "1"],
    ["diff", "2", "3"],
    ["diff", "4", "5"],
    ["diff", "3", "5", "--json"],
    ["diff", "1", "7", "--stat"],
    ["diff", "1", "--key", NASTY + "?"],
    ["stats"],
    ["stats", "--json"],
    ["stats", "--name", NASTY + "?"],
]


def check_harmless(printed: str, where: list[str]) -> None:
    """Nothing in an output does anything, but for the colours that are the command's own."""
    assert "\x1b[35;44;5m" not in printed
    plain = COLOURS.sub("", printed)
    for line in plain.splitlines(keepends=True):
        assert line.rstrip("\r\n").isprintable(), (where, line)
        assert line.count("\r") <= 1
    assert "owned" not in plain or "\\x1b]0;owned\\x07" in plain or "\\u001b]0;owned" in plain


@pytest.mark.parametrize("command", NASTY_COMMANDS, ids=lambda command: " ".join(command)[:20])
def test_what_a_terminal_would_obey_is_shown(run: Run, nasty: Path, command: list[str]) -> None:
    """Escaped, in every output and in every error, in a pipe."""
    code, out, error = run(command[0], nasty, *command[1:])
    check_harmless(out + error, command)
    is_wrong = any(argument.endswith("?") for argument in command)
    assert (2 if is_wrong else 0) == code
    assert (1 if is_wrong else 0) == error.count("\n")
    assert "[red]" in out + error or "2-" not in out


@pytest.fixture
def terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Return what runs the command on a terminal, and gives its exit code and what it printed."""
    pty = pytest.importorskip("pty")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def on_terminal(*arguments: object) -> tuple[int, str]:
        master, slave = pty.openpty()
        pieces: list[bytes] = []

        def read() -> None:
            with suppress(OSError):  # Linux has no other way to say that it is the end.
                while some := os.read(master, 65536):
                    pieces.append(some)

        reader = Thread(target=read)
        reader.start()
        with monkeypatch.context() as patch, os.fdopen(slave, "w", encoding="utf-8") as stream:
            patch.setattr(sys, "stdout", stream)
            patch.setattr(sys, "stderr", stream)
            code, *_ = run(*arguments)
        reader.join()
        os.close(master)
        return code, b"".join(pieces).decode()

    return on_terminal


@pytest.mark.parametrize(
    "command",
    [["log"], ["show", "3", "--state"], ["show", f"3:{NASTY}"], ["diff", "2", "5"], ["stats"]],
    ids=lambda command: " ".join(command)[:20],
)
def test_a_terminal_obeys_nothing(
    terminal: Callable[..., tuple[int, str]], nasty: Path, command: list[str]
) -> None:
    """It is shown colours of the command's own."""
    code, printed = terminal(command[0], nasty, *command[1:])
    assert 0 == code
    check_harmless(printed, command)
    assert ("\x1b[" in printed) == (command[1:2] != [f"3:{NASTY}"])


def test_colours_can_be_turned_off(
    terminal: Callable[..., tuple[int, str]], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By NO_COLOR, on a terminal that has them."""
    assert "\x1b[" in terminal("diff", file, "1")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in terminal("diff", file, "1")[1]


def test_a_terminal_is_shown_the_beginning_of_large_values(
    terminal: Callable[..., tuple[int, str]], run: Run, tmp_path: Path
) -> None:
    """And how to see all of it; a pipe gets all."""
    backpack = Backpack()
    backpack.pack("many", list(range(10_000)))
    backpack.pack("long", "x" * 10_000 + "end")
    backpack.pack("many", list(range(5, 10_000)))
    backpack.save(file := tmp_path / "it")
    for what in ("1:many", "2:long"):
        printed = terminal("show", file, what)[1]
        assert len(printed) < 5_000
        assert "(cut for the terminal; --full shows all of it)" in printed
        assert len(terminal("show", file, what, "--full")[1]) > 10_000
        assert len(run("show", file, what)[1]) > 10_000
    assert "cut for the terminal" not in terminal("show", file, "HEAD")[1]
    few = Backpack()
    few.pack("many", 1)
    few.pack("many", dict.fromkeys(map(str, range(100))))
    few.pack("many", {})
    few.save(few_file := tmp_path / "few")
    assert "(50 more differences; --full shows them)" in terminal("diff", few_file, "2")[1]
    assert 102 == run("diff", few_file, "2")[1].count("\n")


def test_raw_bytes_do_not_go_to_a_terminal(
    terminal: Callable[..., tuple[int, str]], file: Path
) -> None:
    """It would obey them."""
    code, printed = terminal("show", file, "HEAD:a:b", "--raw")
    assert (2, True) == (code, "--raw goes to a file or a pipe" in printed)


# --- beside others -----------------------------------------------------------------------------


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """It ends in silence."""
    backpack = Backpack()
    for number in range(2000):
        backpack.pack(f"a key that is long enough {number}", number)
    backpack.save(file := tmp_path / "it")
    for arguments in (["log", file, "--json"], ["show", file, "--state"]):
        with subprocess.Popen(
            [sys.executable, "-m", "backpack", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            assert b"" == process.stderr.read()
        assert 141 == process.returncode


def test_an_archive_may_be_written_meanwhile(run: Run, tmp_path: Path) -> None:
    """By a process that is alive, and is not disturbed."""
    program = (
        "import sys; from backpack import Backpack\n"
        "with Backpack.open(sys.argv[1], 'it') as backpack:\n"
        "    number = 0\n"
        "    while True:\n"
        "        backpack.pack('plan', {'n': number, 'text': 'text' * 50})\n"
        "        number += 1\n"
        "        if number % 20:\n            continue\n"
        "        print(number, flush=True)\n"
        "        if not sys.stdin.readline():\n            break\n"
    )
    url = f"sqlite:///{tmp_path}/a.db"
    with subprocess.Popen(
        [sys.executable, "-c", program, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for so_far in (20, 40, 60):
            assert f"{so_far}\n" == process.stdout.readline()
            process.stdin.write("on\n")
            process.stdin.flush()
            code, out, _ = run("log", url, "--json", "-n", "1")
            assert (0, True) == (code, json.loads(out)["seq"] >= so_far)
            for command in (["show"], ["diff", "HEAD~1"], ["stats"]):
                assert 0 == run(command[0], url, *command[1:])[0]
        process.stdin.close()
    assert 0 == process.returncode


def test_what_is_not_used_is_not_imported() -> None:
    """The command starts as fast as without these commands, and a log is there at once."""
    code = (
        "import sys\nfrom backpack.cli.entry import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('sqlalchemy', 'deepdiff', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.splitlines()[-1]


def test_the_newest_of_many_commits_are_there_at_once(run: Run, tmp_path: Path) -> None:
    """Few are read of those that are there."""
    backpack = Backpack(max_history_size="100 MiB")
    for number in range(5_000):
        backpack.pack(f"key {number % 20}", number)
    backpack.save(file := tmp_path / "it")
    start = time.perf_counter()
    assert 10 == len(ids(run("log", file, "--oneline", "-n", 10)[1]))
    assert time.perf_counter() - start < 2


def test_what_is_told_of_differences(run: Run, tmp_path: Path) -> None:
    """Orders, long values, texts of many lines, and values that differ where it does not show."""
    backpack = Backpack()
    states: list[dict[str, Any]] = [
        {"dict": {"a": 1, "b": 2}, "long": "x" * 100, "text": "same\n" * 1100, "uuid": UUID(int=1)},
        {
            "dict": {"b": 2, "a": 1},
            "long": "y" * 200,
            "text": "same\n" * 1101,
            "uuid": UUID(int=1, is_safe=SafeUUID.safe),
        },
        {"text": "1\n2\n3", "dict": {"a": 1, "b": 2}},
        {"long": "y" * 200 + " and more"},
    ]
    for state in states:
        with backpack.transaction(note="long " * 1000) as changes:
            changes.update(state)
    backpack.save(file := tmp_path / "it")
    out = run("diff", file, 1, 2)[1]
    for said in (
        "    ~ dict: its keys are in another order\n      - ['a', 'b']\n      + ['b', 'a']\n",
        f"    ~ long:\n      - '{'x' * 100}'\n      + '{'y' * 200}'\n",
        "    ~ text:\n      - ...'",
        "    ~ uuid:\n      - UUID('00000000-0000-0000-0000-000000000001') (they differ where this",
    ):
        assert said in out
    assert "dict" not in run("diff", file, 1, 3)[1]
    _, out, _ = run("diff", file, 2, 4)
    assert f"      - ...'{'y' * 40}'\n      + ...'{'y' * 40} and more'\n" in out
    assert "      ...\n" in run("show", file, 1)[1]
    with_end, without = Backpack(), "a\nb"
    for text in (without, "a\nb\n", "\n".join(map(str, range(200)))):
        with_end.pack("text", text)
    with_end.save(file)
    assert ["       a", "      -b\\", "      +b"] == run("diff", file, 1, 2)[1].splitlines()[-3:]
    assert "      +199\\\n" in run("diff", file, 1, 3)[1]


def test_long_texts_are_told_by_their_first_lines(
    terminal: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    """On a terminal."""
    backpack = Backpack()
    for start in (0, 500):
        backpack.pack("text", "\n".join(map(str, range(start, start + 300))))
    backpack.save(file := tmp_path / "it")
    assert "(more lines; --full shows them)" in terminal("diff", file, 1)[1]
    assert "+799\\" in COLOURS.sub("", terminal("diff", file, 1, "--full")[1])
