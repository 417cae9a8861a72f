"""Converted logs: a trace that replays to what the log says, or one line on what is wrong."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backpack import Backpack, TraceError, converting
from backpack.cli import main
from backpack.converting import Converted, convert
from backpack.replay import fingerprint, replay
from backpack.trace import read_trace
from backpack.verify import verify

many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "developer", "narrator"])},
    optional={
        "content": st.none() | st.text() | st.just([{"type": "text", "text": "hi"}]),
        "tool_calls": st.just([{"id": "1", "function": {"name": "f", "arguments": "{}"}}]),
        "anything": json_values,
    },
)
states = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "log"]) | names, json_values, max_size=4),
    min_size=1,
    max_size=6,
)

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "any flights?"}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
]


def as_lines(*data: object) -> bytes:
    """Return data as JSON Lines."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in data)


def replayed(path: Path) -> Backpack:
    """Replay a trace; all that is verified has to be right."""
    backpack = Backpack()
    found = replay(read_trace(path), backpack)
    assert found.error is None
    verified = verify(read_trace(path), found, backpack)
    assert (0, found.commits) == (verified.wrong, verified.verified)
    return backpack


@many
@given(
    chats=st.lists(st.lists(messages, max_size=4), min_size=1, max_size=3),
    wrap=st.booleans(),
    pretty=st.booleans(),
    compress=st.booleans(),
)
def test_a_chat_is_appended_message_by_message(
    tmp_path: Path, chats: list[list[Any]], wrap: bool, pretty: bool, compress: bool
) -> None:
    """By its role, whatever else is in it; each chat under a key of its own."""
    source, target = tmp_path / "log", tmp_path / "run.jsonl"
    data = [{"id": 7, "messages": chat} if wrap else chat for chat in chats]
    pretty = pretty and len(data) == 1
    text = json.dumps(data[0], indent=1).encode() if pretty else as_lines(*data)
    source.write_bytes(gzip.compress(text) if compress else text)

    found = convert(source, target, kind="chat", force=True)

    assert Converted("chat", len(chats) + sum(map(len, chats)), 0) == found
    bp = replayed(target)
    keys = [f"messages {n}" for n in range(1, len(chats) + 1)] if len(chats) > 1 else ["messages"]
    assert fingerprint(chats) == fingerprint([bp[key] for key in keys])
    by = [commit.by for commit in reversed(bp.history())]
    assert by == [each for chat in chats for each in (None, *(m["role"] for m in chat))]


@many
@given(states=states, look_backs=st.integers(0, 4), compress=st.booleans())
def test_what_differs_between_states_becomes_commits(
    tmp_path: Path, states: list[dict[str, Any]], look_backs: int, compress: bool
) -> None:
    """One for each step that changed something, so that each state is that of a commit."""
    source, target = tmp_path / "log", tmp_path / f"run.jsonl{'.gz' * compress}"
    source.write_bytes(as_lines(*states))
    expected: list[dict[str, Any]] = [{}]
    for state in states:
        if _printed(state) != _printed(expected[-1]):
            expected.append(state)
    if len(expected) == 1:
        with pytest.raises(TraceError, match="log: no state in it has anything in it"):
            convert(source, target, kind="states", look_backs=look_backs, force=True)
        return

    found = convert(source, target, kind="states", look_backs=look_backs, force=True)

    assert Converted("states", len(expected) - 1, look_backs) == found
    bp = replayed(target)
    for commit, state in zip(reversed(bp.history()), expected[1:], strict=True):
        assert _printed(state) == _printed(bp.snapshot(commit).to_dict())


def _printed(state: dict[str, Any]) -> bytes:
    return fingerprint(sorted((key, fingerprint(value)) for key, value in state.items()))


def test_states_say_who_made_them(tmp_path: Path) -> None:
    """In a field that is no part of them; lists that grow are appended to."""
    source, target = tmp_path / "log.jsonl", tmp_path / "run.jsonl"
    source.write_bytes(
        as_lines(
            {"node": "planner", "plan": ["look"], "task": "fly"},
            {"node": "critic", "plan": ["look"], "task": "fly"},
            {"node": None, "plan": ["look", "book"], "seats": 2},
            {"plan": ["look", "book", 1.0], "seats": 2.0},
            {"plan": ["fly", "book", 1.0, 2], "seats": 2.0},
        )
    )
    convert(source, target, by="node")
    assert [
        {
            "op": "commit",
            "changes": [
                {"op": "pack", "key": "plan", "value": ["look"]},
                {"op": "pack", "key": "task", "value": "fly"},
            ],
            "by": "planner",
        },
        {
            "op": "commit",
            "changes": [
                {"op": "append", "key": "plan", "item": "book"},
                {"op": "pack", "key": "seats", "value": 2},
                {"op": "remove", "key": "task"},
            ],
        },
        {
            "op": "commit",
            "changes": [
                {"op": "append", "key": "plan", "item": 1.0},
                {"op": "pack", "key": "seats", "value": 2.0},
            ],
        },
        {"op": "pack", "key": "plan", "value": ["fly", "book", 1.0, 2]},
    ] == [json.loads(line) for line in target.read_text().splitlines()]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (as_lines(CHAT), "chat"),
        (as_lines({"messages": CHAT}), "chat"),
        (as_lines({"messages": CHAT}, {"messages": CHAT[:1]}), "chat"),
        (json.dumps(CHAT, indent=2).encode(), "chat"),
        (b"\xef\xbb\xbf" + json.dumps({"messages": CHAT}, indent=2).encode(), "chat"),
        (b"\n\n" + as_lines(CHAT), "chat"),
        (as_lines({"plan": 1}), "states"),
        (as_lines({"messages": "none"}), "states"),
        (as_lines({"messages": CHAT[:1], "plan": 1}, {"messages": CHAT, "plan": 2}), "states"),
    ],
)
def test_what_a_file_holds_is_told_from_it(tmp_path: Path, data: bytes, kind: str) -> None:
    """Where messages go on from line to line, each line is a state."""
    source = tmp_path / "log"
    source.write_bytes(data)
    assert kind == convert(source, tmp_path / "run.jsonl").kind
    replayed(tmp_path / "run.jsonl")


def test_look_backs_are_seeded_and_mostly_near(tmp_path: Path) -> None:
    """The same for the same seed; half of them no further than the square root of what there is."""
    source, target = tmp_path / "log.jsonl", tmp_path / "run.jsonl"
    source.write_bytes(as_lines(*({"step": step} for step in range(400))))
    traces = []
    for seed in (1, 1, 2):
        convert(source, target, look_backs=300, seed=seed, force=True)
        traces.append(target.read_text())
    assert traces[0] == traces[1] != traces[2]
    shares, made = [], 0
    for line in map(json.loads, traces[0].splitlines()):
        made += line["op"] != "snapshot"
        if line["op"] == "snapshot":
            shares.append((line["back"] + 1) / made**0.5)
    assert 300 == len(shares)
    assert 0.7 < median(shares) < 1.4
    replayed(target)


# --- what is wrong ---------------------------------------------------------------------------

BROKEN: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("empty", b"", {}, "{log}: the file is empty; JSON or JSON Lines are expected"),
    ("blank", b"\n \n", {}, "{log}: the file is empty; JSON or JSON Lines are expected"),
    ("cut", as_lines(CHAT, CHAT)[:-9], {}, "{log}:2: the last line ends in the middle of its JSON"),
    ("one line cut", as_lines(CHAT)[:-9], {}, "{log}:1: the last line ends in the middle of its"),
    ("no JSON", as_lines({"a": 1}) + b"{a}\n", {}, "{log}:2: no JSON (Expecting property name"),
    ("never JSON", b"hello\nyou\n", {}, "{log}:1: no JSON (Expecting value, column 1)"),
    (
        "document cut",
        json.dumps(CHAT, indent=1).encode()[:-9],
        {},
        "{log}:21: the last line ends in the middle of its JSON (",
    ),
    (
        "document broken",
        b'[\n{"role": 1},\n oops\n]\n',
        {},
        "{log}:3: no JSON (Expecting value, col",
    ),
    ("document not UTF-8", b'[\n1,\n"\xff"\n]\n', {}, "{log}:3: byte 7 is no UTF-8"),
    ("document too deep", b"[\n" * 100_000, {}, "{log}: the JSON is nested too deeply to be read"),
    ("too deep", b"[" * 100_000 + b"\n", {}, "{log}:1: the JSON is nested too deeply to be read"),
    ("not UTF-8", as_lines(CHAT) + b'"\xff"\n', {}, "{log}:2: byte 2 is no UTF-8"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), {}, "{log}:1: byte 1 is no UTF-8"),
    ("long line", as_lines({"a": "x" * 3_000}), {}, "{log}:1: the line is longer than 2,000 bytes"),
    (
        "long document",
        b"[\n" + b"1,\n" * 1_000 + b"1]",
        {},
        "{log}:668: the document is longer than 2,000 bytes; write it as JSON Lines",
    ),
    ("gzip cut", gzip.compress(as_lines(CHAT))[:-9], {}, "{log}:2: the compressed data ends here"),
    (
        "no message",
        as_lines([*CHAT, "hi"]),
        {},
        "{log}:1: messages[3] is a string; an object is expected",
    ),
    (
        "no role",
        as_lines({"messages": CHAT}, {"messages": [{"content": "hi"}]}),
        {},
        "{log}:2: messages[0] has no 'role'; 'user', 'assistant' or the like is expected",
    ),
    (
        "wrong role",
        as_lines([{"role": 7}]),
        {},
        "{log}:1: messages[0].role is 7; 'user', 'assistant' or the like is expected",
    ),
    (
        "surrogate role",
        as_lines([{"role": "\ud800"}]),
        {},
        r"{log}:1: messages[0].role is '\ud800';",
    ),
    (
        "wrong content",
        as_lines([{"role": "user", "content": {"text": "hi"}}]),
        {},
        "{log}:1: messages[0].content is an object; a string, a list of parts or null is expected",
    ),
    (
        "no chat",
        as_lines(CHAT, {"a": 1}),
        {},
        "{log}:2: an object without a list 'messages'; a chat is a list of messages, or an object",
    ),
    ("a number", as_lines(CHAT, 7), {}, "{log}:2: a number; a chat is a list of messages, or an"),
    ("no state", as_lines({"a": 1}, [1]), {}, "{log}:2: a list; an object with the whole state is"),
    (
        "a chat as states",
        as_lines(CHAT),
        {"kind": "states"},
        "{log}:1: a list; an object with the whole state is expected",
    ),
    (
        "wrong by",
        as_lines({"a": 1, "node": 7}),
        {"by": "node"},
        "{log}:1: 'node' is 7; the name of who made the state is expected",
    ),
    (
        "empty key",
        as_lines({"a": 1}, {"": 1}),
        {},
        "{log}:2: the state has the key ''; a key is a non-empty string of valid Unicode",
    ),
    (
        "surrogate key",
        as_lines({"\ud800": 1}),
        {},
        r"{log}:1: the state has the key '\ud800'; a key",
    ),
    (
        "an answer",
        as_lines({"id": "1", "choices": [{"message": CHAT[0]}]}),
        {},
        "{log}:1: it has 'choices': an answer of a model, and not the conversation; convert the",
    ),
    ("nothing in it", as_lines({}, {}), {}, "{log}: no state in it has anything in it"),
]


@pytest.mark.parametrize(
    ("data", "options", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
@pytest.mark.parametrize("look_backs", [0, 3])
def test_what_cannot_be_converted_is_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    options: dict[str, Any],
    message: str,
    look_backs: int,
) -> None:
    """With the file and the line; and nothing is left behind, nor replaced."""
    if "longer" in message:
        monkeypatch.setattr(converting, "LONGEST", 2_000)
    source, target = tmp_path / "log", tmp_path / "run.jsonl"
    source.write_bytes(data)
    target.write_text("mine")

    with pytest.raises(TraceError) as caught:
        convert(source, target, look_backs=look_backs, force=True, **options)

    assert str(caught.value).startswith(message.replace("{log}", str(source)))
    assert 1 == len(str(caught.value).splitlines())
    assert ["log", "run.jsonl"] == _names(tmp_path)
    assert "mine" == target.read_text()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _same(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "log")
    return folder / "link"


def _folder(folder: Path) -> Path:
    (folder / "out").mkdir()
    return folder / "out"


def _archive(folder: Path) -> Path:
    (folder / "runs.db").write_bytes(b"SQLite")
    (folder / "runs.db-wal").write_bytes(b"commits")
    return folder / "runs.db"


def _there(folder: Path) -> Path:
    (folder / "out").write_text("mine")
    return folder / "out"


@pytest.mark.parametrize(
    ("make", "force", "message"),
    [
        (lambda folder: folder / "log", True, "is the file to convert; name another for the trace"),
        (_same, True, "is the file to convert; name another for the trace"),
        (_folder, True, "is a folder; name a file in it"),
        (_archive, True, "is a database that something has open, or did not close: beside it is "),
        (lambda folder: folder / ("x" * 300), True, "cannot be written: File name too long; name"),
        (lambda folder: folder / "log" / "x", True, "cannot be written: Not a directory"),
        (_there, False, "there is such a file, which is left alone; --force replaces it"),
        (
            lambda folder: folder / "no" / "run.jsonl",
            True,
            "cannot be written: No such file or dir",
        ),
    ],
    ids=[
        "itself",
        "itself by a link",
        "a folder",
        "an archive",
        "too long",
        "below a file",
        "there",
        "nowhere",
    ],
)
def test_a_target_that_must_not_be_written_is_left_alone(
    tmp_path: Path, make: Callable[[Path], Path], force: bool, message: str
) -> None:
    """The error names it; the source is as it was."""
    source = tmp_path / "log"
    source.write_bytes(as_lines(CHAT))
    target = make(tmp_path)
    before = _names(tmp_path)
    with pytest.raises(TraceError) as caught:
        convert(source, target, force=force)
    assert str(caught.value).startswith(f"{target}: {message}")
    assert before == _names(tmp_path)
    assert as_lines(CHAT) == source.read_bytes()


def test_an_interruption_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by Ctrl-C."""

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(converting, "_role", interrupted)
    (tmp_path / "log").write_bytes(as_lines(CHAT))
    with pytest.raises(KeyboardInterrupt):
        convert(tmp_path / "log", tmp_path / "run.jsonl")
    assert ["log"] == _names(tmp_path)


# --- the command -----------------------------------------------------------------------------


def test_a_converted_log_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exactly, and the command says what it made."""
    log, out = tmp_path / "log.json", tmp_path / "run.jsonl.gz"
    log.write_text(json.dumps({"messages": CHAT}, indent=2))
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(log), str(out), "--look-backs", "1"])
    assert (0, f"{out}: 4 commits and 1 look-back, of a chat\n") == (
        ended.value.code,
        capsys.readouterr().out,
    )
    with pytest.raises(SystemExit) as ended:
        main(["run", str(out), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (0, "exact", 4, 1) == (
        ended.value.code,
        report["verdict"],
        report["commits"],
        report["snapshots_read"],
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "missing argument 'FILE'"),
        (["{log}", "{out}", "--from", "csv"], 2, "'csv' is not one of 'chat', 'states'"),
        (["{log}", "{out}", "--look-backs", "-1"], 2, "-1 is not in the range x>=0"),
        (
            ["{log}", "{out}", "--from", "chat", "--by", "x"],
            2,
            "--by goes with states; of a message",
        ),
        (["{log}", "{log}"], 2, "is the file to convert; name another for the trace"),
        (["{none}", "{out}"], 2, "there is no such file; did you mean 'log'?"),
    ],
)
def test_a_wrong_command_is_told_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    """And exits with 2."""
    (tmp_path / "log").write_bytes(as_lines({"a": 1}))
    places = {"{log}": "log", "{out}": "out", "{none}": "lok"}
    given = [str(tmp_path / places[each]) if each in places else each for each in arguments]
    with pytest.raises(SystemExit) as ended:
        main(["convert", *given])
    error = capsys.readouterr().err
    assert code == ended.value.code
    assert message in error
    assert 1 == len(error.splitlines())
