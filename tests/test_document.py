"""YAML files are read as YAML 1.2 says, and whatever could be misread is refused with its line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backpack.document import parse_document, read_document
from backpack.errors import ConfigError
from backpack.wording import shown

names = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["C"]))
numbers = st.integers(-(10**50), 10**50) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def parse(text: str) -> object:
    """The settings of a text."""
    return parse_document(text.encode(), file="agent.yaml").values


def refusal(data: str | bytes) -> str:
    """The message with which a file is refused."""
    with pytest.raises(ConfigError) as caught:
        parse_document(data.encode() if isinstance(data, str) else data, file="agent.yaml")
    assert str(caught.value).isprintable()
    return str(caught.value)


def read_or_refuse(data: bytes) -> None:
    """Hold that the answer is settings, or a refusal on one line that names the file."""
    try:
        document = parse_document(data, file="agent.yaml")
    except ConfigError as error:
        refused = str(error)
    else:
        assert all(isinstance(key, str) for key in document.values)
        refused = "agent.yaml"
    assert refused.startswith("agent.yaml")
    assert refused.isprintable()


@given(settings=st.dictionaries(names, values))
def test_json_is_read(settings: dict[str, object]) -> None:
    """JSON is YAML: an object is read as the same data, of the same types, in the same order."""
    assert repr(settings) == repr(parse(json.dumps(settings, ensure_ascii=False)))


@given(data=st.binary() | st.text().map(str.encode))
@example(b'a: "\\U99999999"')
@example(b"%YAML 1." + b"9" * 5000 + b"\n---\na: 1")
@example(b"a: " + b"[" * 5000)
@example(b"? " * 5000)
@example(b"- " * 5000)
@example(b"a: 1" + b":30" * 5000)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Whatever a file holds, the answer is settings or a ConfigError that names the file."""
    read_or_refuse(data)


@given(
    tokens=st.lists(
        st.sampled_from(
            ["a", "b", ": ", ":", "- ", "\n", " ", "  ", "{", "}", "[", "]", ",", "'", '"', "&x ",
             "*x", "!", "!!str ", "|", ">", "? ", "---\n", "...\n", "#", "%", "\t", "<<", "010",
             "1:30", "yes", "~", "\\", "=", "@", "\u2028"]
        )
    )
)  # fmt: skip
def test_any_yaml_is_read_or_refused(tokens: list[str]) -> None:
    """The same for texts made of what means something in YAML."""
    read_or_refuse("".join(tokens).encode())


@given(lines=st.lists(st.sampled_from(["# a comment", ""]), max_size=20))
def test_lines_are_counted_from_one(lines: list[str]) -> None:
    """A setting's line is the one an editor shows."""
    text = "\n".join([*lines, "pruning:", "  use: oldest", "  tags:", "  - {deep: 1}"])
    document = parse_document(text.encode(), file="agent.yaml")
    fields = ("pruning", "pruning.use", "pruning.tags.0.deep", "pruning.fraction", "other")
    first = len(lines) + 1
    assert [
        f"agent.yaml:{first}",
        f"agent.yaml:{first + 1}",
        f"agent.yaml:{first + 3}",
        f"agent.yaml:{first}",
        None,
    ] == [document.where(field) for field in fields]


def test_without_a_setting() -> None:
    """A setting that no longer comes from the file has no line, nor has anything in it."""
    document = parse_document(b"a:\n  b:\n    c: 1\n  d: 2\ne: 3", file="agent.yaml")
    fields = ("a.b.c", "a.b", "a.d", "a.x", "a", "e")
    changed = [document.without("a"), document.without("a", but={"b"})]
    assert [
        [None, None, None, None, None, "agent.yaml:5"],
        ["agent.yaml:3", "agent.yaml:2", None, None, None, "agent.yaml:5"],
    ] == [[each.where(field) for field in fields] for each in changed]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e6", 1e6),
        ("1.5e3", 1500.0),
        ("12", 12),
        ("-0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        (".5", 0.5),
        ("5.", 5.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("none", "none"),
        ("'yes'", "yes"),
        ('"010"', "010"),
        ("|\n  1:30", "1:30"),
        ("50 MiB", "50 MiB"),
        ("app.models:Plan", "app.models:Plan"),
        ("[a, 'no', {b: 1}]", ["a", "no", {"b": 1}]),
    ],
)
def test_values(text: str, value: object) -> None:
    """Values are those of YAML 1.2; text in quotes is text, whatever it looks like."""
    assert repr({"a": value}) == repr(parse(f"a: {text}"))


def test_not_a_number() -> None:
    """The number that is none can be written."""
    assert repr({"a": math.nan}) == repr(parse("a: .nan"))


def test_names_are_text() -> None:
    """A name of a setting is text, though it would be something else as a value."""
    assert parse("on: 1\n010: 2\nnull: 3") == {"on": 1, "010": 2, "null": 3}


def test_byte_order_mark() -> None:
    """A file may begin with the mark some editors write."""
    assert parse("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "true"),
        ("NO", "false"),
        ("On", "true"),
        ("off", "false"),
        ("1:30", "90"),
        ("1:30.5", "90.5"),
        ("1_000", "1000"),
        ("0b11", "3"),
    ],
)
def test_text_that_others_take_for_a_value(text: str, value: str) -> None:
    """What readers of YAML disagree about is refused, with what to write for either reading."""
    assert (
        f"agent.yaml:2: pruning.fraction: {text} is text to some readers of YAML and {value} to "
        f"others; write {value}, or '{text}' in quotes"
    ) == refusal(f"pruning:\n  fraction: {text}")


@pytest.mark.parametrize("text", ["2024-01-01", "=", "<<", "1" + ":30" * 3000])
def test_text_that_others_take_for_something_else(text: str) -> None:
    """The same for what has no value to write instead."""
    assert (
        f"agent.yaml:1: a: {shown(text)[1:-1]} is text to some readers of YAML and something else "
        f"to others; write {shown(text)} in quotes"
    ) == refusal(f"a: {text}")


@pytest.mark.parametrize(("text", "value"), [("010", "10"), ("-08", "-8"), ("00", "0")])
def test_leading_zeros(text: str, value: str) -> None:
    """A number that may be octal is refused."""
    assert (
        f"agent.yaml:1: a: {text} begins with a zero, which some readers of YAML take for octal; "
        f"write {value}, or '{text}' in quotes"
    ) == refusal(f"a: {text}")


EXPECTED = "expected settings, like 'max_history_size: 50 MiB'; found"
EMPTY = "is empty; write at least one setting, like 'max_history_size: 50 MiB'"
TWICE = "stands twice, first in line 1; delete one"
ALIAS = "aliases (*x) are not supported; write the value out"
ANCHOR = "anchors (&x) are not supported; delete it"
PLAIN = "is refused: a configuration is plain data; delete it"
TAB = "found character '\\t' that cannot start any token; indent with spaces, not tabs"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f": {EMPTY}"),
        ("# only\n", f": {EMPTY}"),
        ("---\n...", f":2: {EXPECTED} nothing (null)"),
        ("- a", f":1: {EXPECTED} a list"),
        ("\nhello", f":2: {EXPECTED} 'hello'"),
        ("a: 1\n---\nb: 2", ":2: a second document begins; a file holds one"),
        ("a: 1\nb: 2\na: 3", f":3: a: {TWICE}"),
        ("a: {b: 1, b: 2}", f":1: a.b: {TWICE}"),
        ("a: &x 1", f":1: a: {ANCHOR}"),
        ("&x a: 1", f":1: {ANCHOR}"),
        ("a: &x [1]", f":1: a: {ANCHOR}"),
        ("a: *x", f":1: a: {ALIAS}"),
        ("a:\n- *x", f":2: a.0: {ALIAS}"),
        ("*x : 1", f":1: {ALIAS}"),
        ("a: {<<: {b: 1}}", ":1: a: merge keys are not supported; write the settings out"),
        ("a: !!python/name:os.system x", f":1: a: the tag !!python/name:os.system {PLAIN}"),
        ("a: !!str 1", f":1: a: the tag !!str {PLAIN}"),
        ("a: !mine {b: 1}", f":1: a: the tag !mine {PLAIN}"),
        ("a: ! 1", f":1: a: the tag ! {PLAIN}"),
        ("? [a]\n: 1", ":1: expected the name of a setting; found a list or mapping"),
        ("a:\n\tb: 1", f":2: is not YAML: {TAB}"),
        ("a: b: c", ":1: is not YAML: mapping values are not allowed here"),
        ("a: [1,", ":1: is not YAML: expected the node content, but found '<stream end>'"),
        ("a: 1\nb: \x07", ":2: is not YAML: found the control character 0x07; delete it"),
        ('a: "\\ud83d"', ":1: a: found half of a surrogate pair, which is no character"),
        ("a: " + "1" * 61, ":1: a: a number has more than 60 characters"),
        ("a: " + "[" * 21, ":1: is nested more than 20 levels deep"),
        ("a: " + "x" * 65536, ": is no configuration: it is larger than 65,536 bytes"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    """What is not one mapping of plain data is refused, naming the line and what to do."""
    assert f"agent.yaml{message}" == refusal(text)


def test_a_character_beyond_unicode() -> None:
    """It is refused in the words of the Python in use."""
    assert refusal('a: "\\U99999999"').startswith("agent.yaml: is not YAML: ")


def test_many_aliases() -> None:
    """A document that would grow without bound is refused at its first anchor."""
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    assert "anchors" in refusal("\n".join(lines))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfea\x00", "agent.yaml: is UTF-16; save it as UTF-8"),
        (
            b"a: 1\nb: caf\xe9",
            "agent.yaml:2: is not UTF-8: found the byte 0xe9; save it as UTF-8",
        ),
    ],
)
def test_encodings(data: bytes, message: str) -> None:
    """Only UTF-8 is read."""
    assert message == refusal(data)


def test_file_is_read(tmp_path: Path) -> None:
    """A file is read by its path, and called what the caller called it."""
    path = tmp_path / "agent.yaml"
    path.write_text("a: 1")
    documents = [read_document(path), read_document(str(path))]
    assert [({"a": 1}, str(path))] * 2 == [(d.values, d.file) for d in documents]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("agnt.yaml", "agnt.yaml: no such file; did you mean 'agent.yaml'?"),
        ("zzz", "zzz: no such file in '.'"),
        ("no/a.yaml", "no/a.yaml: no such file: there is no folder 'no' that can be read"),
        (".", ".: is a directory; name a file in it"),
        ("agent.yaml/x", "agent.yaml/x: cannot be read: Not a directory"),
        ("a\0b", "a\\x00b: is not the name of a file: embedded null byte"),
        ("a\nb", "a b: no such file in '.'"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """A file that can't be read is refused with the reason, and a near name where there is one."""
    (tmp_path / "agent.yaml").write_text("a: 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_document(name)

    assert message == str(caught.value)


def test_no_name() -> None:
    """An empty name is not the current directory."""
    with pytest.raises(ConfigError, match="the name of a file is expected; found empty text"):
        read_document("")
