"""Looking back at a Backpack in a file: it answers as the Backpack itself does."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from attrs import evolve
from hypothesis import Phase, event, given, settings
from hypothesis import strategies as st

from backpack import (
    ArchiveError,
    Backpack,
    BudgetError,
    Commit,
    CommitPruned,
    CorruptError,
    MsgpackCodec,
    Unavailable,
    UnknownCommit,
    UnknownKey,
    UnknownName,
    UnsafePickleCodec,
    ValueUnavailable,
)
from backpack.archive import SqlArchive
from backpack.codec.foreign import decode_foreign
from backpack.looking.comparing import between
from backpack.looking.statistics import statistics_of
from backpack.past import Past
from backpack.policies import Full, Stub
from backpack.spec.sameness import same
from backpack.spec.values import json_values, values

KEYS = ("plan", "a:b", "\x1b[2J", "é")
LIMIT = 600

steps = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "large", "remove", "several", "tag", "pin", "back"]),
        st.sampled_from(KEYS),
        json_values(4) | values(3),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=25,
)


def do(backpack: Backpack, step: tuple[str, str, Any, int]) -> None:
    """Do one step of a program."""
    what, key, value, number = step
    made = backpack.history()
    match what:
        case "set":
            backpack.pack(key, value, by=f"node {number % 3}", note="once" if number % 2 else None)
        case "large":
            backpack.pack(key, f"{number}" * LIMIT, tags=[f"tag {number % 4}"])
        case "remove" if key in backpack:
            del backpack[key]
        case "several":
            with backpack.transaction() as changed:
                changed[KEYS[number % 4]] = number
                changed[key] = [value, number]
        case "tag" if made:
            backpack.tag(made[number % len(made)].id, f"tag {number % 4}")
        case "pin" if made:
            backpack.pin(made[number % len(made)].id)
        case "back" if made:
            backpack.rollback(made[number % len(made)].id)


@contextmanager
def used(program: list[tuple[str, str, Any, int]], place: str) -> Iterator[tuple[Backpack, str]]:
    """Run a program on a Backpack; give it, and where it is to be looked back at."""
    ticks = count(1_750_000_000)
    with TemporaryDirectory() as folder:
        archive = SqlArchive(f"sqlite:///{folder}/archive.db", write="on-commit")
        with Backpack(
            max_history_size=4096,
            reference=Stub(LIMIT),
            clock=lambda: float(next(ticks)),
            archive=None if place == "alone" else archive,
        ) as backpack:
            for step in program:
                with suppress(BudgetError, ValueUnavailable):
                    do(backpack, step)
            if place == "archive":
                yield backpack, f"{folder}/archive.db"
            elif place == "url":
                yield backpack, archive.url
            else:
                backpack.save(f"{folder}/file", archived=True)
                yield backpack, f"{folder}/file"


def foreign(value: Any) -> object:
    """Return a value as a reader has it who has none of its classes."""
    return value if isinstance(value, Unavailable) else decode_foreign(MsgpackCodec().encode(value))


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same, as far as a reader without their classes can tell."""
    if isinstance(one, Unavailable) or isinstance(other, Unavailable):
        return bool(one == other)
    return MsgpackCodec().encode(one) == MsgpackCodec().encode(other)


@pytest.mark.parametrize("place", ["alone", "saved", "archive", "url"])
@settings(max_examples=12, phases=[Phase.generate])
@given(program=steps)
def test_it_answers_as_the_backpack_does(place: str, program: list[Any]) -> None:
    """Every commit, every state, every key, every tag; of what was pruned, that it was."""
    with used(program, place) as (backpack, file), Past(file) as past:
        history = backpack.history()
        event(f"{place}: {'some' if len(history) < past.head else 'none'} pruned")
        assert history == [logged.commit for logged in past.commits()]
        assert history[::-1] == [each.commit for each in past.commits(newest_first=False)]
        assert (past.head, past.code) == (history[0].seq if history else 0, backpack.code)
        if history:
            assert list(backpack) == past.keys_at(past.head)
        for back, commit in enumerate(history):
            snapshot = backpack.snapshot(commit.id)
            state = past.state(commit.seq)
            assert list(state) == past.keys_at(commit.seq)
            assert {*snapshot} == {*state}
            for key, value in snapshot.to_dict().items():
                assert alike(foreign(value), state[key])
                assert alike(state[key], past.value(key, commit.seq))
            for text in (commit.id, f"{commit.seq}", f"HEAD~{back}", f"@{'^' * back}"):
                assert commit == past.find(text).commit
            for key in KEYS:
                assert past.setters_at(commit.seq).get(key) == past.setter(key, commit.seq)
            for key in {*KEYS} - {*state}:
                with pytest.raises(UnknownKey):
                    past.value(key, commit.seq)
        for tag in {tag for commit in history for tag in commit.tags}:
            newest = next(commit for commit in history if tag in commit.tags)
            assert newest == past.find(tag).commit
        for seq in {*range(1, past.head)} - {commit.seq for commit in history}:
            for where in (f"{seq}", f"{seq}-{past.code}"):
                with pytest.raises(CommitPruned, match=f"commit {seq}-{past.code} was pruned"):
                    past.find(where)
        check_versions(past, history)


def check_versions(past: Past, history: list[Commit]) -> None:
    """What is told of versions fits what they are, and what the commits say."""
    found = {(each.key, each.seq): each for each in past.versions()}
    read = {(key, seq): value for key, seq, value in past.values()}
    assert read.keys() == {at for at, each in found.items() if not each.is_removal}
    assert past.keys() == sorted({key for key, _ in found})
    for at, version in found.items():
        assert version.is_left_out == isinstance(read.get(at), Unavailable)
        assert version.stored or version.is_removal or version.is_left_out
    sizes = {}
    for commit in history:
        setters = past.setters_at(commit.seq)
        assert past.keys_at(commit.seq) == list(setters)
        sizes[commit.seq] = {change.key: change.size for change in commit.changes}
        for key, seq in setters.items():
            assert alike(past.value(key, commit.seq), read[key, seq])
    for commit in history:
        if commit.seq - 1 in sizes:
            before = past.setters_at(commit.seq - 1)
            for key in commit.keys:
                seq = before.get(key, 0)
                size = past.size_before(key, commit.seq)
                assert (seq == 0) == (size is None)
                assert seq not in sizes or size == sizes[seq].get(key)


def test_what_stands_alone_tells_how_far_it_is_retained(tmp_path: Path) -> None:
    """Pins, and whether a commit is in memory or in the archive only, are told."""
    with Backpack(
        archive=SqlArchive(f"sqlite:///{tmp_path}/a.db", write="on-commit"), max_history_size=4096
    ) as backpack:
        first = backpack.pack("a", 0)
        backpack.pin(first.id)
        for number in range(100):
            backpack.pack("a", f"{number}" * 99)
        with Past(tmp_path / "a.db") as past:
            oldest, second, *_ = past.commits(newest_first=False)
            assert (first, True, True) == (oldest.commit, oldest.retained, oldest.pinned)
            assert (False, False) == (second.retained, second.pinned)
            assert past.file == tmp_path / "a.db"
            assert 0 < past.bytes_in_use


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A checkpoint of five commits."""
    backpack = Backpack()
    for number in range(4):
        backpack.pack("plan", number, tags=["decided"] if number == 1 else [])
    del backpack["plan"]
    backpack.save(tmp_path / "it")
    return tmp_path / "it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("decidet", "did you mean the tag 'decided'?"),
        ("nothing like it", "'nothing like it' is no commit: neither an id, such as 5-"),
        ("", "'' is no commit"),
        ("0", "there is no commit 0-"),
        ("6", "the newest is 5-"),
        ("HEAD~5", "there is no HEAD~5: the number of commits is 5"),
        ("HEAD~99999999999999999", "the number of commits is 5"),
        ("2-zzzzzz", "commit 2-zzzzzz belongs to another Backpack: the ids of this one end in -"),
        ("9" * 17, "there is no commit 9999"),
        ("9" * 99, "is no commit"),
        ("٣", "is no commit"),
        ("HEAD~\n", "is no commit"),
        ("\x1b[31m", "'\\x1b[31m' is no commit"),
    ],
)
def test_a_commit_that_is_none_is_told(text: str, said: str, file: Path) -> None:
    """With what there is instead."""
    with Past(file) as past, pytest.raises(UnknownCommit) as caught:
        past.find(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_key_that_is_none_is_told(file: Path) -> None:
    """With the one that was probably meant."""
    with Past(file) as past:
        with pytest.raises(UnknownKey, match="no key 'plam' at commit 3-.*did you mean 'plan'"):
            past.value("plam", 3)
        with pytest.raises(UnknownKey, match="no key 'plan' at commit 5-"):
            past.encoded("plan", 5)
        assert past.size_before("plan", 1) is None
        assert past.size_before("plan", 5) == 1
        assert past.size_before("none", 5) is None


def test_a_file_with_nothing_in_it_has_no_commits(tmp_path: Path) -> None:
    """And says so, where one is asked for."""
    Backpack().save(tmp_path / "it")
    with Past(tmp_path / "it") as past:
        assert ([], 0, []) == ([*past.commits()], past.head, past.keys())
        with pytest.raises(UnknownCommit, match="there is no HEAD: the number of commits is 0"):
            past.find("HEAD")
        with pytest.raises(UnknownCommit, match="there are none"):
            past.find("1")


def test_one_of_several_is_told_by_its_name(tmp_path: Path) -> None:
    """And is closed behind a block."""
    url = f"sqlite:///{tmp_path}/a.db"
    for name in ("one", "other"):
        with Backpack.open(url, name) as backpack:
            backpack.pack("name", name)
    with Past(url, "other") as past:
        assert ("other", {"name": "other"}) == (past.name, past.state(1))
    with pytest.raises(ArchiveError, match="is closed"):
        past.find("1")
    with pytest.raises(UnknownName, match="which Backpack"):
        Past(url)
    with pytest.raises(UnknownName, match="there is no 'none'"):
        Past(url, "none")


def test_a_codec_that_runs_code_is_not_used(tmp_path: Path) -> None:
    """Its commits are told, and its bytes; not what these stand for."""
    backpack = Backpack(codec=UnsafePickleCodec())
    backpack.pack("plan", [1])
    backpack.save(tmp_path / "it")
    with Past(tmp_path / "it") as past:
        assert not past.is_readable
        assert ["plan"] == past.keys_at(1)
        assert isinstance(past.encoded("plan", 1), bytes)
        with pytest.raises(ArchiveError, match="may run code of what it reads; Backpack.restore"):
            past.value("plan", 1)


def test_it_is_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    """What is written meanwhile is not seen, and who writes it is not disturbed."""
    url = f"sqlite:///{tmp_path}/a.db"
    with Backpack.open(url, "it") as backpack:
        backpack.pack("plan", 1)
        with Past(url) as past:
            for number in range(50):
                backpack.pack("plan", number)
            assert 1 == past.head == len([*past.commits()])
            assert {"plan": 1} == past.state(1)
        with Past(url) as past:
            assert 51 == past.head


@pytest.mark.parametrize("text", ["[]", "nothing", "[" * 100_000])
def test_settings_that_are_none_are_damage(text: str, file: Path) -> None:
    """Whoever wrote them."""
    from backpack.archive.rows import pack_row

    with closing(sqlite3.connect(file)) as connection, connection:
        connection.row_factory = sqlite3.Row
        row = dict(connection.execute("SELECT * FROM backpack_packs").fetchone())
        del row["mark"]
        row = pack_row(**{**row, "settings": text})
        connection.execute("UPDATE backpack_packs SET settings = ?, mark = ?", (text, row["mark"]))
    with pytest.raises(CorruptError, match="the settings of .* are none"):
        Past(file)


@pytest.mark.parametrize("table", ["commits", "versions"])
def test_what_is_not_as_it_was_written_is_damage(table: str, file: Path) -> None:
    """It is told when it is read."""
    column = "note" if table == "commits" else "size"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(f"UPDATE backpack_{table} SET {column} = '7' WHERE seq = 2")  # noqa: S608
    with Past(file) as past:
        with pytest.raises(CorruptError):
            if table == "commits":
                past.find("2")
            else:
                past.value("plan", 2)
        with pytest.raises(CorruptError):
            past.size_before("plan", 3)


def test_the_settings_are_told(file: Path) -> None:
    """As a preset's file has them."""
    with Past(file) as past:
        assert {"use": "msgpack"} == past.settings["codec"]
        assert json.dumps(past.settings)
        assert "HEAD" not in past.settings


def test_a_commit_that_was_amended_is_told_as_it_is(tmp_path: Path) -> None:
    """Its tags are those it has at last."""
    with Backpack(storage=Full(), archive=SqlArchive(f"sqlite:///{tmp_path}/a.db")) as backpack:
        commit = backpack.pack("a", 1)
        backpack.tag(commit.id, "later")
    with Past(tmp_path / "a.db") as past:
        assert evolve(commit, tags=("later",)) == past.find("later").commit
        assert same({"a": 1}, past.state(1))


def test_an_archive_on_a_server_is_looked_back_at_as_well(url: str) -> None:
    """Everything is told there that is told of a file."""
    with Backpack.open(url, "a\0name") as backpack:
        for number in range(3):
            backpack.pack("a\0key", "x" * number, tags=["tag"] if number else [])
    with Past(url, "a\0name") as past:
        assert ["a\0key"] == past.keys() == past.keys_at(3)
        assert (3, 1) == (past.find("tag").commit.seq, past.find("HEAD~2").commit.seq)
        assert ({"a\0key": "xx"}, {"a\0key": 3}) == (past.state(3), past.setters_at(3))
        assert past.size_before("a\0key", 3) == 2
        assert 3 == len([*past.versions()]) == len([*past.values()])
        found = statistics_of(past)
        assert (3, 3, {"tag": 2}) == (found.commits, found.made, found.tags)
        assert 0 < past.bytes_in_use
        assert (past.file is None) == (found.file_size is None) == url.startswith("postgresql")
        assert ["a\0key"] == [each.key for each in between(past, 1, 3)]
