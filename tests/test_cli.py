"""The command: its output, its exit codes, and one clear line for everything that goes wrong."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from commands import Ran, Run

from backpack.cli import run as run_command
from backpack.cli.imports import modules_here
from backpack.config import load_file, load_preset, preset_names
from backpack.replay import Replay
from backpack.replay import replay as honest_replay
from backpack.verify import Verification
from backpack.verify import verify as honest_verify

AIRLINE = Path(__file__).resolve().parents[2] / "shared" / "data" / "airline-agent.jsonl.gz"
POLICIES = '''
def junk(request):
    """A pruning policy that chooses what it was not offered."""
    return ["no such commit"]
'''


@pytest.fixture
def backpack(run: Run) -> Run:
    """Run the command in this process."""
    return run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A trace of 40 commits of 500 bytes each, and a look-back."""
    lines = [{"op": "pack", "key": "a", "value": f"{number:500}"} for number in range(40)]
    path = tmp_path / "run.jsonl"
    path.write_text(
        "".join(json.dumps(line) + "\n" for line in [*lines, {"op": "snapshot", "back": 1}])
    )
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A configuration whose history never holds 40 commits of 500 bytes, and never prunes."""
    path = tmp_path / "small.yaml"
    path.write_text(
        "max_history_size: 8 KiB\n"
        "reference: {use: stub, max_value_size: 1 KiB}\n"
        "pruning: {use: none}\n"
    )
    return path


def in_a_process(*arguments: object, **environment: str) -> Ran:
    """Run the command in a process of its own, as a shell would."""
    done = subprocess.run(
        [sys.executable, "-m", "backpack", *map(str, arguments)],
        capture_output=True,
        check=False,
        env=os.environ | environment,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


# --- backpack run ------------------------------------------------------------------------------


def test_without_a_trace_the_demo_is_replayed(backpack: Run) -> None:
    """The shipped trace is replayed whole and verified, and the report shows it."""
    ran = backpack("run")

    assert (0, "") == (ran.code, ran.err)
    assert "Backpack · demo trace · preset default" in ran.out
    assert "✔ Exact." in ran.out
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in ran.out.splitlines())


def test_a_trace_is_replayed_and_reported_for_programs(backpack: Run, trace: Path) -> None:
    """With --json, the only output is one JSON object."""
    ran = backpack("run", trace, "--json")

    assert (0, "") == (ran.code, ran.err)
    assert (41, 40, 40, 40, 0, 1) == tuple(
        ran.json[name]
        for name in ("operations", "commits", "retained", "verified", "wrong", "snapshots_read")
    )
    assert (str(trace), "default", None, "exact", None) == tuple(
        ran.json[name] for name in ("trace", "preset", "config", "verdict", "error")
    )


def test_a_preset_and_a_budget_can_be_chosen(backpack: Run, trace: Path) -> None:
    """--preset and --budget decide; the history stays inside, and what was pruned is told."""
    ran = backpack("run", trace, "--json", "--preset", "high-frequency", "--budget", "16 KiB")

    assert (0, "high-frequency", 16_384) == (
        ran.code,
        ran.json["preset"],
        ran.json["budget_bytes"],
    )
    assert ran.json["peak_history_bytes"] <= 16_384
    assert ran.json["pruned"] == 40 - ran.json["retained"] > 0
    assert ran.json["verified"] == ran.json["retained"]


def test_a_configuration_can_be_chosen(backpack: Run, trace: Path, tmp_path: Path) -> None:
    """--config reads a file; the report names it."""
    config = tmp_path / "agent.yaml"
    config.write_text("max_history_size: 1 MiB\n")

    ran = backpack("run", trace, "--config", config, "--json", "--no-imports")

    assert 0 == ran.code
    assert (str(config), 2**20) == (ran.json["config"], ran.json["budget_bytes"])


@pytest.mark.parametrize(("limit", "verified"), [(0, 0), (1, 1), (7, 7), (1_000, 40)])
def test_so_many_commits_are_verified(
    backpack: Run, trace: Path, limit: int, verified: int
) -> None:
    """--verify N compares N retained commits, or all there are."""
    ran = backpack("run", trace, "--json", "--verify", limit)

    assert (0, verified) == (ran.code, ran.json["verified"])


@pytest.mark.skipif(not AIRLINE.exists(), reason="the airline trace is not here")
@pytest.mark.parametrize("preset", preset_names())
def test_a_real_agent_is_replayed_exactly(backpack: Run, preset: str) -> None:
    """Every preset keeps all of a long real run, exactly, in 8 MiB."""
    ran = backpack("run", AIRLINE, "--preset", preset, "--json", "--verify", 200)

    assert (0, 200) == (ran.json["wrong"], ran.json["verified"])
    assert (0, 7_072, 7_072) == (ran.code, ran.json["commits"], ran.json["retained"])
    assert ran.json["peak_history_bytes"] <= 8 * 1024**2


# --- what goes wrong ---------------------------------------------------------------------------


def test_a_broken_line_keeps_what_came_before(backpack: Run, trace: Path) -> None:
    """The report covers the lines before; the error names the line; the exit code is 2."""
    trace.write_text(trace.read_text() + "no JSON\n")

    ran = backpack("run", trace)

    assert 2 == ran.code
    assert "The trace cannot be replayed further" in ran.out
    assert "40 made · 40 retained" in ran.out
    assert (
        f"backpack: {trace}:42: no JSON (Expecting value, column 1); one JSON object a line is "
        "expected\n" == ran.err
    )


def test_a_broken_line_is_told_to_programs(backpack: Run, trace: Path) -> None:
    """With --json, the error is a field of the report, and still one line on stderr."""
    trace.write_bytes(gzip.compress(trace.read_bytes())[:-9])

    ran = backpack("run", trace, "--json")

    assert 2 == ran.code
    assert "bad input" == ran.json["verdict"]
    assert f"backpack: {ran.json['error']}\n" == ran.err
    assert "the compressed data ends here, too early" in ran.json["error"]
    assert 0 == ran.json["wrong"]


def test_a_missing_trace_is_one_line(backpack: Run, trace: Path) -> None:
    """Where nothing was replayed there is no report, only the error with the nearest name."""
    ran = backpack("run", trace.with_name("run.json"))

    assert (2, "") == (ran.code, ran.out)
    assert (
        f"backpack: {trace.with_name('run.json')}: there is no such file; "
        "did you mean 'run.jsonl'?\n" == ran.err
    )


def test_a_missing_trace_is_a_report_for_programs(backpack: Run, tmp_path: Path) -> None:
    """A program gets its JSON whatever happens."""
    ran = backpack("run", tmp_path / "none.jsonl", "--json")

    assert (2, 0, "bad input") == (ran.code, ran.json["commits"], ran.json["verdict"])
    assert ran.json["error"].endswith("none.jsonl: there is no such file")


def test_a_refusal_ends_with_three(backpack: Run, trace: Path, small: Path) -> None:
    """A full history that may not be pruned: budget, need and help are told, the rest is exact."""
    ran = backpack("run", trace, "--config", small)

    assert 3 == ran.code
    assert "The Backpack refused to go on. Before that, " in " ".join(ran.out.split())
    assert " 0 wrong" in ran.out
    assert 1 == len(ran.err.splitlines())
    assert ran.err.startswith(f"backpack: {trace}:")
    for part in (
        "the change needs",
        "the budget of 8,192",
        "What helps: a larger max_history_size",
    ):
        assert part in ran.err


def test_a_failing_policy_ends_with_three(
    backpack: Run,
    trace: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A policy of the user's own that breaks its contract is named, with the line."""
    (tmp_path / "junk_policies.py").write_text(POLICIES)
    monkeypatch.syspath_prepend(tmp_path)
    small.write_text(small.read_text().replace("none", "junk_policies:junk"))

    ran = backpack("run", trace, "--config", small, "--json")
    refused = backpack("run", trace, "--config", small, "--no-imports")

    assert (3, "refused", 0) == (ran.code, ran.json["verdict"], ran.json["wrong"])
    assert "pruning policy junk chose 'no such commit', which was not offered to it" in ran.err
    assert (2, "") == (refused.code, refused.out)
    assert f"backpack: {small}:3: pruning.use: " in refused.err


def test_a_configuration_is_told_by_its_name(backpack: Run, trace: Path, small: Path) -> None:
    """And by its file; by that alone if it has no name."""
    assert "Backpack · run.jsonl · small.yaml\n" in backpack("run", trace, "--config", small).out
    small.write_text(f"preset: support-desk\n{small.read_text()}")
    out = backpack("run", trace, "--config", small).out
    assert "Backpack · run.jsonl · support-desk (small.yaml)\n" in out


def test_modules_in_the_current_folder_are_found(
    backpack: Run,
    trace: Path,
    small: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As those of ``check`` are; never in place of what is installed, and not afterwards."""
    (tmp_path / "policies_here.py").write_text(
        "def all_of_it(request):\n    return [each.id for each in request.candidates]\n"
    )
    small.write_text(small.read_text().replace("none", "policies_here:all_of_it"))
    path = list(sys.path)
    refused = backpack("run", trace, "--config", small)
    monkeypatch.chdir(tmp_path)

    ran = backpack("run", trace, "--config", small, "--json")

    assert (2, True) == (refused.code, "no module is called 'policies_here'" in refused.err)
    assert (0, "exact") == (ran.code, ran.json["verdict"])
    assert path == sys.path
    with modules_here(wanted=True), modules_here(wanted=True):
        assert [*path, str(Path.cwd())] == sys.path


def test_an_unpackable_value_names_the_line(backpack: Run, tmp_path: Path) -> None:
    """What the trace may say but the Backpack cannot keep is bad input."""
    path = tmp_path / "deep.jsonl"
    deep = "[" * 900 + "]" * 900
    path.write_text('{"op": "pack", "key": "a", "value": 1}\n' * 2)
    path.write_text(path.read_text() + f'{{"op": "pack", "key": "b", "value": {deep}}}\n')

    ran = backpack("run", path, "--json")

    assert (2, 2, 0) == (ran.code, ran.json["commits"], ran.json["wrong"])
    assert ran.err.startswith(f"backpack: {path}:3: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--preset", "defualt"], "no preset is called 'defualt'; did you mean 'default'?"),
        (["run", "--budget", "5 apples"], "--budget: '5 apples' is not a size"),
        (["run", "--budget", "1 KiB"], "--budget: 1,024 bytes cannot hold a history; the least is"),
        (["run", "--preset", "a", "--config", "b"], "--preset and --config exclude each other"),
        (["run", "--config", "none.yaml"], "none.yaml"),
        (["run", "--verify", "-1"], "invalid value for '--verify': -1 is not in the range x>=0"),
        (["run", "--what"], "no such option '--what'"),
        (["run", "a", "b"], "got unexpected extra argument (b)"),
        (["walk"], "no such command 'walk'"),
        (["presets", "short"], "no preset is called 'short'"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    backpack: Run, arguments: list[str], message: str
) -> None:
    """Usage and configuration: one line, exit code 2, nothing on stdout."""
    ran = backpack(*arguments)

    assert (2, "") == (ran.code, ran.out)
    assert 1 == len(ran.err.splitlines())
    assert ran.err.startswith("backpack: ")
    assert message in ran.err


def test_a_wrong_configuration_is_told_to_programs(backpack: Run, trace: Path) -> None:
    """With --json there is an object with the error, even where there is no report."""
    ran = backpack("run", trace, "--preset", "x", "--json")

    assert 2 == ran.code
    assert "bad input" == ran.json["verdict"]
    assert f"backpack: {ran.json['error']}\n" == ran.err


def test_keys_cannot_steer_the_terminal(backpack: Run, tmp_path: Path) -> None:
    """Control characters and markup of a trace are shown, not obeyed; so are those of its name."""
    path = tmp_path / "[red]\x1b[2J.jsonl"
    path.write_text(
        '{"op": "pack", "key": "a", "value": 1}\n{"op": "remove", "key": "[b]\\u001b[2J"}\n'
    )

    ran = backpack("run", path)

    assert 2 == ran.code
    assert "\x1b" not in ran.out + ran.err
    assert r"[red]\x1b[2J.jsonl" in ran.out
    assert r"remove '[b]\x1b[2J', which does not exist here" in ran.err


@pytest.mark.parametrize("broken", ["wrong", "over budget"])
def test_a_wrong_answer_ends_with_one(
    backpack: Run, trace: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Neither a wrong answer nor an exceeded budget passes."""

    def verify(*arguments: Any, **options: Any) -> Verification:
        found = honest_verify(*arguments, **options)
        return Verification(0, 1, 0, 0, 0, 0, ("commit 1-abc: 'a' is wrong",), found.seconds)

    def replay(*arguments: Any, **options: Any) -> Replay:
        replayed = honest_replay(*arguments, **options)
        object.__setattr__(replayed, "over_budget", 2)
        return replayed

    if broken == "wrong":
        monkeypatch.setattr(run_command, "verify", verify)
    else:
        monkeypatch.setattr(run_command, "replay", replay)
    ran = backpack("run", trace)

    assert (1, "") == (ran.code, ran.err)
    assert ("✘ Wrong: 1 answer" if broken == "wrong" else "✘ Over budget") in ran.out
    assert ("commit 1-abc: 'a' is wrong" in ran.out) == (broken == "wrong")


def test_an_interruption_is_quiet(
    backpack: Run, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with 130, without a report and without a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_command, "replay", interrupted)
    ran = backpack("run", trace)

    assert (130, "", "") == (ran.code, ran.out, ran.err.strip())


# --- terminals and pipes -----------------------------------------------------------------------


def test_progress_is_shown_on_a_terminal_only(
    backpack: Run, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bars go to stderr; the report stays clean."""
    trace.write_text(trace.read_text() * 3)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    ran = backpack("run", trace, "--json")

    assert 0 == ran.code
    assert 120 == ran.json["commits"]
    assert "replaying" in ran.err
    assert "verifying" in ran.err


def test_an_old_terminal_gets_a_plain_report(trace: Path) -> None:
    """Where stdout knows only ASCII, so is the report."""
    ran = in_a_process("run", trace, PYTHONIOENCODING="ascii")

    assert (0, "") == (ran.code, ran.err)
    assert ran.out.isascii()
    assert "+ Exact. 40 retained commits" in ran.out


def test_a_reader_that_leaves_is_no_error(trace: Path) -> None:
    """Output that nobody reads any more ends the command quietly."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "backpack", "run", trace],
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
            preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN),
        )

    assert (141, b"") == (done.returncode, done.stderr)


# --- the rest ----------------------------------------------------------------------------------


def test_presets_are_listed(backpack: Run) -> None:
    """Every preset with its budget and what it is for."""
    ran = backpack("presets")

    assert (0, "") == (ran.code, ran.err)
    for part in ("default", "short-lived", "long-running", "high-frequency", "100 MiB"):
        assert part in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_a_preset_is_explained(backpack: Run) -> None:
    """Its settings as they can be written, and how to use it."""
    ran = backpack("presets", "long-running")

    assert (0, "") == (ran.code, ran.err)
    for part in (
        "50 MiB (52,428,800 bytes)",
        "stub, max_value_size: 50 KiB",
        "oldest, fraction: 0.2",
        'Backpack.from_preset("long-running")',
        "backpack run --preset long-running",
    ):
        assert part in ran.out


def test_a_preset_is_printed_to_be_copied(backpack: Run, tmp_path: Path) -> None:
    """The file that it says is a configuration, the same one."""
    for name in preset_names():
        ran = backpack("presets", name, "--yaml")
        (tmp_path / "mine.yaml").write_text(ran.out, encoding="utf-8")
        assert (0, load_preset(name)) == (ran.code, load_file(tmp_path / "mine.yaml"))
    for arguments in ([], ["default", "--json"]):
        ran = backpack("presets", *arguments, "--yaml")
        assert 2 == ran.code
        assert ran.err.startswith("backpack: --yaml prints the file of one preset: give its NAME")


def test_presets_are_told_to_programs(backpack: Run) -> None:
    """A list of all of them, or the one that was asked for, with the same fields."""
    (default,) = (each for each in backpack("presets", "--json").json if each["name"] == "default")

    assert default == backpack("presets", "default", "--json").json
    assert (52_428_800, {"use": "oldest", "fraction": 0.2}) == (
        default["max_history_size"],
        default["pruning"],
    )


def test_help_and_version(backpack: Run) -> None:
    """Alone, the command helps; so does --help; --version tells the version."""
    assert (0, backpack("--help").out) == (backpack().code, backpack().out)
    assert "Exit codes:\n    0    nothing was wrong" in backpack("run", "--help").out
    assert f"backpack {version('backpack-memory')}\n" == backpack("--version").out


def test_the_module_is_the_command() -> None:
    """``python -m backpack`` does what ``backpack`` does, its name in messages included."""
    ran = in_a_process("presets", "none")

    assert (2, "") == (ran.code, ran.out)
    assert ran.err.startswith("backpack: no preset is called 'none'")
