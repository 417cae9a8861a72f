"""The trace reader: every sound trace is read as it says, every other one says where it breaks."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backpack.errors import TraceError
from backpack.operations import Append, Look, Operation, Pack, Remove, Several
from backpack.trace import read_trace

DOCS = Path(__file__).resolve().parents[1] / "docs"
AIRLINE = Path(__file__).resolve().parents[2] / "shared" / "data" / "airline-agent.jsonl.gz"

PACK: dict[str, Any] = {"op": "pack", "key": "plan", "value": {"steps": []}, "by": "planner"}
LIST: dict[str, Any] = {"op": "pack", "key": "notes", "value": [], "by": None}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
# No surrogates: what a name must be.
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@st.composite
def traces(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the lines of a sound trace, at least one."""
    lines: list[dict[str, Any]] = []
    state: dict[str, object] = {}
    commits = 0
    for _ in range(draw(st.integers(1, 12))):
        lists = [key for key, value in state.items() if isinstance(value, list)]
        choices = ["pack", *(["remove"] if state else []), *(["append", "commit"] if lists else [])]
        match draw(st.sampled_from([*choices, *(["snapshot"] if commits else [])])):
            case "pack":
                key = draw(st.sampled_from(sorted(state)) | names if state else names)
                state[key] = draw(json_values | st.just([]))
                line = {"op": "pack", "key": key, "value": state[key]}
            case "append":
                line = {"op": "append", "key": draw(st.sampled_from(lists)), "item": 1}
            case "remove":
                key = draw(st.sampled_from(sorted(state)))
                del state[key]
                line = {"op": "remove", "key": key}
            case "commit":
                changes: list[dict[str, Any]] = []
                line = {"op": "commit", "changes": changes}
                if draw(st.booleans()):
                    gone, grown = draw(st.sampled_from(sorted(state))), draw(st.sampled_from(lists))
                    changes.append({"op": "append", "key": grown, "item": None})
                    if gone != grown:
                        changes.append({"op": "remove", "key": gone})
                        del state[gone]
                    changes.append({"op": "pack", "key": f"{gone}+", "value": 1})
                    state[f"{gone}+"] = 1
            case _:
                lines.append({"op": "snapshot", "back": draw(st.integers(0, commits - 1))})
                continue
        commits += 1
        labels = {"by": "node"}, {"by": None}, {"tags": ["b", "a"]}, {"note": ""}
        lines.append(line | draw(st.sampled_from([{}, *labels])))
    return lines


def written(lines: list[dict[str, Any]]) -> bytes:
    """Return the lines as a plain trace."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def as_line(operation: Operation) -> dict[str, Any]:
    """Return what a trace would say of an operation, `by` left out if there is none."""
    match operation:
        case Pack():
            line: dict[str, Any] = {"op": "pack", "key": operation.key, "value": operation.value}
        case Append():
            line = {"op": "append", "key": operation.key, "item": operation.item}
        case Remove():
            line = {"op": "remove", "key": operation.key}
        case Several():
            line = {"op": "commit", "changes": [as_line(each) for each in operation.changes]}
        case Look():
            return {"op": "snapshot", "back": operation.back}
    labels = {"by": operation.by, "tags": list(operation.tags) or None, "note": operation.note}
    return line | {name: label for name, label in labels.items() if label is not None}


def read_until_error(path: Path, **options: Any) -> tuple[list[Operation], TraceError | None]:
    """Return what a trace yields, and the error that ends it."""
    operations: list[Operation] = []
    try:
        for operation in read_trace(path, **options):
            operations.append(operation)
    except TraceError as error:
        return operations, error
    return operations, None


# A file is written anew for every example, so the directory may be shared.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@many
@given(lines=traces(), compress=st.booleans())
def test_a_sound_trace_is_read_as_it_says(
    tmp_path: Path, lines: list[dict[str, Any]], compress: bool
) -> None:
    """Plain or gzip, whatever the name: the operations are those of the lines, in order."""
    path = tmp_path / "trace"
    path.write_bytes(gzip.compress(written(lines)) if compress else written(lines))

    operations = list(read_trace(path))

    expected = [{k: v for k, v in line.items() if (k, v) != ("by", None)} for line in lines]
    assert expected == [as_line(operation) for operation in operations]
    assert list(range(1, len(lines) + 1)) == [operation.line for operation in operations]


@many
@given(lines=traces(), compress=st.booleans(), data=st.data())
def test_a_cut_trace_keeps_what_came_before(
    tmp_path: Path, lines: list[dict[str, Any]], compress: bool, data: st.DataObject
) -> None:
    """Wherever a file is cut off, whole lines before the cut are read, and nothing else."""
    path = tmp_path / "trace"
    plain = written(lines)
    content = gzip.compress(plain) if compress else plain
    cut = content[: data.draw(st.integers(0, len(content) - 1))]
    path.write_bytes(cut)

    operations, error = read_until_error(path)

    expected = [{k: v for k, v in line.items() if (k, v) != ("by", None)} for line in lines]
    assert expected[: len(operations)] == [as_line(operation) for operation in operations]
    if compress:
        assert error is not None
    else:
        # The last line needs no line break.
        whole = [line for line in cut.split(b"\n") if line in plain.splitlines()]
        assert len(whole) == len(operations)
        assert (error is None) == (bool(whole) and b"\n".join(whole) == cut.rstrip(b"\n"))


@many
@given(junk=st.binary(max_size=200), compress=st.booleans())
def test_junk_is_a_trace_error(tmp_path: Path, junk: bytes, compress: bool) -> None:
    """Whatever the bytes, there is one error, it names the file, and it is one line."""
    path = tmp_path / "junk"
    path.write_bytes(b"\x1f\x8b" + junk if compress else junk)

    with pytest.raises(TraceError) as caught:
        list(read_trace(path))

    assert str(caught.value).startswith(str(path))
    assert 1 == len(str(caught.value).splitlines())


@many
@given(line=st.dictionaries(st.sampled_from(["op", "key", "value", "by", "back"]), json_values))
def test_any_object_is_an_operation_or_an_error(tmp_path: Path, line: dict[str, Any]) -> None:
    """Fields of any type are taken or refused; nothing else happens."""
    path = tmp_path / "trace"
    path.write_bytes(written([line]))

    operations, error = read_until_error(path)

    assert (len(operations) == 1) == (error is None)


BROKEN: list[tuple[str, bytes | dict[str, Any] | list[Any], str]] = [
    ("no JSON", b"pack plan\n", "no JSON (Expecting value, column 1); one JSON object a line"),
    ("cut", b'{"op": "pack", "ke', "the last line ends in the middle of its JSON"),
    ("no object", [], "the line is a list; an object with the field 'op' is expected"),
    ("no op", {"key": "a"}, "there is no field 'op'; it says what to do: pack, append, remove"),
    ("op no string", {"op": 3}, "op is a number; expected is one of pack, append, remove"),
    (
        "unknown op",
        {"op": "pakc", "key": "a"},
        "there is no operation 'pakc'; expected is one of pack, append, remove, commit, snaps",
    ),
    (
        "unknown op, nothing near",
        {"op": "zzz\x1b[2J"},
        r"there is no operation 'zzz\x1b[2J'; expected is one of pack, append, remove, commit, ",
    ),
    (
        "missing",
        {"op": "pack", "key": "a"},
        "pack lacks its field 'value'; its fields are key, val",
    ),
    (
        "extra",
        {"op": "pack", "key": "a", "valeu": 1},
        "pack has no field 'valeu'; its fields are key, value, by, tags, note; did you mean",
    ),
    (
        "key type",
        {"op": "pack", "key": 1, "value": 1},
        "pack.key is a number; a string is expected",
    ),
    ("empty key", {"op": "pack", "key": "", "value": 1}, "pack.key is an empty string"),
    (
        "surrogate",
        b'{"op": "pack", "key": "\\ud800", "value": 1}\n',
        r"pack.key is '\ud800', which is no valid Unicode",
    ),
    ("by type", PACK | {"by": ["x"]}, "pack.by is a list; a string is expected"),
    (
        "back type",
        {"op": "snapshot", "back": True},
        "snapshot.back is a truth value; a whole number",
    ),
    ("back text", {"op": "snapshot", "back": "1"}, "snapshot.back is a string; a whole number"),
    (
        "back negative",
        {"op": "snapshot", "back": -1},
        "snapshot.back is -1; 0 is the newest commit",
    ),
    (
        "too far back",
        {"op": "snapshot", "back": 2},
        "snapshot looks 2 commits back, but 2 were made before it; at most 1",
    ),
    (
        "append to nothing",
        {"op": "append", "key": "note", "item": 1},
        "append to 'note', which does not exist here; a pack must come first; did you mean 'note",
    ),
    (
        "append to no list",
        {"op": "append", "key": "plan", "item": 1},
        "append to 'plan', which holds an object; append needs a list",
    ),
    ("remove nothing", {"op": "remove", "key": "x"}, "remove 'x', which does not exist here"),
    ("tags type", PACK | {"tags": "x"}, "pack.tags is a string; a list of strings is expected"),
    ("tag type", PACK | {"tags": ["x", 1]}, "pack.tags[1] is a number; a string is expected"),
    ("empty tag", PACK | {"tags": [""]}, "pack.tags[0] is an empty string; a name is expected"),
    ("note type", PACK | {"note": 1}, "pack.note is a number; a string is expected"),
    ("value and size", PACK | {"size": 9}, "pack has a value and its size; either of them is"),
    (
        "new without size",
        {"op": "pack", "key": "a", "new": 9},
        "pack lacks its field 'size'; its fields are key, by, tags, note, size, new",
    ),
    (
        "size type",
        {"op": "pack", "key": "a", "size": "9"},
        "pack.size is a string; a number of bytes is expected",
    ),
    (
        "size negative",
        {"op": "pack", "key": "a", "size": -1},
        "pack.size is -1; 0 to 268,435,456 bytes are expected",
    ),
    (
        "size too large",
        {"op": "pack", "key": "a", "size": 2**28 + 1},
        "pack.size is 268435457; 0 to 268,435,456 bytes are expected",
    ),
    (
        "new type",
        {"op": "pack", "key": "a", "size": 9, "new": 1.5},
        "pack.new is a number; a number of bytes is expected",
    ),
    (
        "more new than there is",
        {"op": "pack", "key": "a", "size": 9, "new": 10},
        "pack.new is 10; 0 to 9 bytes are expected",
    ),
    (
        "changes type",
        {"op": "commit", "changes": {"op": "pack"}},
        "commit.changes is an object; a list of operations is expected",
    ),
    ("no changes", {"op": "commit"}, "commit lacks its field 'changes'; its fields are changes, b"),
    (
        "change type",
        {"op": "commit", "changes": [7]},
        "commit.changes[0] is a number; an object with the field 'op' is expected",
    ),
    (
        "change without op",
        {"op": "commit", "changes": [{"key": "a"}]},
        "commit.changes[0]: there is no field 'op'; it says what to do: pack, append, remove",
    ),
    (
        "change op type",
        {"op": "commit", "changes": [{"op": None}]},
        "commit.changes[0]: op is null; expected is one of pack, append, remove",
    ),
    (
        "look in a commit",
        {"op": "commit", "changes": [{"op": "snapshot", "back": 0}]},
        "commit.changes[0]: there is no operation 'snapshot'; expected is one of pack, append, re",
    ),
    (
        "by in a change",
        {"op": "commit", "changes": [{"op": "remove", "key": "plan", "by": "x"}]},
        "commit.changes[0]: remove has no field 'by'; its fields are key",
    ),
    (
        "change lacks",
        {"op": "commit", "changes": [{"op": "append", "key": "notes"}]},
        "commit.changes[0]: append lacks its field 'item'; its fields are key, item",
    ),
    (
        "change key",
        {"op": "commit", "changes": [{"op": "remove", "key": ""}]},
        "commit.changes[0]: remove.key is an empty string; a name is expected",
    ),
    (
        "key twice",
        {"op": "commit", "changes": [{"op": "remove", "key": "plan"}] * 2},
        "commit.changes[1]: 'plan' is changed already; a commit changes it once",
    ),
    (
        "change of nothing",
        {"op": "commit", "changes": [{"op": "remove", "key": "x"}]},
        "remove 'x', which does not exist here; a pack must come first",
    ),
    ("no UTF-8", b'{"op": "\xff"}\n', "byte 9 is no UTF-8; a trace is JSON Lines in UTF-8"),
    ("UTF-16", '{"op": "pack"}\n'.encode("utf-16"), "byte 1 is no UTF-8"),
    ("deep", b"[" * 100_000 + b"\n", "the JSON is nested too deeply to be read"),
    (
        "huge number",
        b"1" * 5_000 + b"\n",
        "the JSON cannot be read (Exceeds the limit (4300 digits)",
    ),
]


@pytest.mark.parametrize(
    ("line", "message"), [case[1:] for case in BROKEN], ids=[c[0] for c in BROKEN]
)
def test_a_broken_line_says_what_is_wrong_and_where(
    tmp_path: Path, line: bytes | dict[str, Any] | list[Any], message: str
) -> None:
    """The error names file, line, what was found and what is expected; what came before counts."""
    path = tmp_path / "run.jsonl"
    broken = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
    path.write_bytes(written([PACK, LIST]) + broken)

    operations, error = read_until_error(path)

    assert 2 == len(operations)
    assert error is not None
    assert f"{path}:3" == error.where
    assert error.message.startswith(message)
    assert 1 == len(str(error).splitlines())


def test_nothing_can_be_looked_at_before_the_first_commit(tmp_path: Path) -> None:
    """A snapshot on the first line has nothing to show."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(written([{"op": "snapshot", "back": 0}]))

    with pytest.raises(TraceError, match="0 were made before it; there is no commit yet"):
        list(read_trace(path))


def test_a_removed_key_is_gone(tmp_path: Path) -> None:
    """After a remove, the key can be neither appended to nor removed again."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(
        written([LIST, {"op": "remove", "key": "notes"}, {"op": "remove", "key": "notes"}])
    )

    with pytest.raises(TraceError, match=":3: remove 'notes', which does not exist here"):
        list(read_trace(path))


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"\n\r\n  \n" + written([PACK]) + b"\n", 1),
        (written([PACK]).replace(b"\n", b"\r\n"), 1),
        (b"\xef\xbb\xbf" + written([PACK]), 1),
        (written([PACK]).rstrip(), 1),
        (b'{"op": "pack", "key": "a", "value": [NaN, Infinity]}\n', 1),
        (b'{"op": "pack", "key": "a", "value": 1, "value": 2}\n', 1),
        (gzip.compress(written([PACK])) + gzip.compress(written([LIST])), 2),
    ],
    ids=["blank lines", "CRLF", "BOM", "no last line break", "NaN", "twice", "two gzip members"],
)
def test_harmless_variations_are_read(tmp_path: Path, content: bytes, count: int) -> None:
    """What editors and other programs do to a file does not matter."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)

    assert count == len(list(read_trace(path)))


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_a_trace_without_operations_is_an_error(tmp_path: Path, content: bytes) -> None:
    """An empty file is more likely a mistake than a run."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(content)

    with pytest.raises(TraceError, match="the file holds no operations; a trace has one JSON obj"):
        list(read_trace(path))


def test_damaged_gzip_says_from_where_on(tmp_path: Path) -> None:
    """Lines before the damage are read; the error names the line after them."""
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(written([PACK])) + b"no gzip, but more than padding")

    operations, error = read_until_error(path)

    assert 1 == len(operations)
    assert error is not None
    assert f"{path}:2" == error.where
    assert error.message.startswith("the compressed data is damaged from here on (Not a gzipped")


def test_damaged_deflate_data_is_an_error(tmp_path: Path) -> None:
    """Broken compression is told as such."""
    path = tmp_path / "run.jsonl.gz"
    data = bytearray(gzip.compress(written([PACK])))
    # No block of compressed data is of this type.
    data[10] = 0xFF
    path.write_bytes(data)

    with pytest.raises(TraceError, match="the compressed data is damaged from here on"):
        list(read_trace(path))


def test_cut_gzip_says_so(tmp_path: Path) -> None:
    """A download that was cut off is told as such."""
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(gzip.compress(written([PACK]))[:-6])

    with pytest.raises(TraceError, match=":2: the compressed data ends here, too early"):
        list(read_trace(path))


def test_a_line_that_never_ends_is_refused(tmp_path: Path) -> None:
    """A file that is no trace does not fill the memory."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(written([PACK]) + b" " * 200)

    operations, error = read_until_error(path, line_limit=100)

    assert 1 == len(operations)
    assert f"{path}:2: the line is longer than 100 bytes; an operation is expected" == str(error)


def _missing(folder: Path) -> Path:
    (folder / "trace-1.jsonl").touch()
    return folder / "trace-l.jsonl"


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_missing, "there is no such file; did you mean 'trace-1.jsonl'?"),
        (lambda folder: folder / "none" / "run.jsonl", "there is no such file"),
        (lambda folder: folder, "is a directory; name a file of JSON Lines, plain or gzip"),
        (_pipe, "is no regular file; a trace is read twice, so it cannot come through a pipe"),
    ],
    ids=["missing", "no folder", "directory", "pipe"],
)
def test_what_is_no_file_is_an_error(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    """The error says what stands there instead, or which name is near."""
    path = make(tmp_path)

    with pytest.raises(TraceError) as caught:
        list(read_trace(path))

    assert f"{path}: {message}" == str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system says is passed on."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(written([PACK]))

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(TraceError, match="cannot be read: Permission denied"):
        list(read_trace(path))


def test_progress_tells_bytes_read_and_ends_at_the_size(tmp_path: Path) -> None:
    """Progress only grows, never passes the size of the file, and reaches it."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(written([PACK] * 1_000))
    told: list[tuple[int, int]] = []

    list(read_trace(str(path), progress=lambda done, total: told.append((done, total))))

    size = path.stat().st_size
    assert sorted(told) == told
    assert {size} == {total for _, total in told}
    assert (size, size) == told[-1]
    assert 1_000 // 64 + 1 == len(told)


def test_the_example_in_the_docs_is_a_trace(tmp_path: Path) -> None:
    """What the description of the format shows can be read, every operation once at least."""
    text = (DOCS / "trace-format.md").read_text(encoding="utf-8")
    path = tmp_path / "run.jsonl"
    path.write_text(text.split("```json\n")[1].split("```")[0])

    operations = list(read_trace(path))

    assert {Pack, Append, Remove, Several, Look} == {type(operation) for operation in operations}


@pytest.mark.skipif(not AIRLINE.exists(), reason="the airline trace is not here")
def test_the_airline_trace_is_read() -> None:
    """A long trace of a real agent has the operations its description says."""
    operations = list(read_trace(AIRLINE))

    looks = sum(isinstance(operation, Look) for operation in operations)
    assert (7_072, 287) == (len(operations) - looks, looks)


def test_made_up_values_are_the_same_in_every_reading(tmp_path: Path) -> None:
    """They are as large as the trace says, and share with the one before what is not new."""
    path = tmp_path / "run.jsonl"
    sized = {"op": "pack", "key": "a", "size": 1_000}
    grown = {"op": "commit", "changes": [sized | {"size": 1_100, "new": 100}]}
    path.write_bytes(
        written(
            [sized, grown, sized | {"new": 0}, {"op": "remove", "key": "a"}, sized | {"new": 0}]
        )
    )

    operations = list(read_trace(path))

    assert operations == list(read_trace(path))
    first, several, last, _, again = operations
    assert isinstance(first, Pack)
    assert isinstance(several, Several)
    assert isinstance(last, Pack)
    assert isinstance(again, Pack)
    (second,) = several.changes
    assert isinstance(second, Pack)
    assert str(second.value).startswith(str(first.value))
    assert str(second.value).endswith(str(last.value))
    assert [997, 1_097, 997] == [len(str(each.value)) for each in (first, second, last)]
    assert again.value != last.value


def test_nothing_is_appended_to_a_made_up_value(tmp_path: Path) -> None:
    """It is no list."""
    path = tmp_path / "run.jsonl"
    path.write_bytes(
        written([{"op": "pack", "key": "a", "size": 9}, {"op": "append", "key": "a", "item": 1}])
    )

    with pytest.raises(TraceError, match=":2: append to 'a', which holds a string; append needs"):
        list(read_trace(path))
