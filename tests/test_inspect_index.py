"""What a page is told: with it alone, it knows every state that the Backpack knew."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Columns, agrees, embedded_values
from sqlalchemy import make_url

from backpack import Backpack, Unavailable, ValueUnavailable
from backpack.codec.foreign import decode_foreign
from backpack.errors import ArchiveError
from backpack.inspect.export import export, left_out
from backpack.inspect.index import LEFT_OUT, REMOVED, SEEN, index_of
from backpack.inspect.inspected import Inspected, value_node
from backpack.past import Past
from backpack.policies import Stub

_KEYS = st.sampled_from(["a", "b", "c", "ключ"])
_VALUES = st.one_of(
    st.integers(),
    st.text(max_size=5),
    st.tuples(st.binary(max_size=4), st.sets(st.integers(0, 5))),
    st.lists(st.integers(0, 99), max_size=9),
    st.builds("x".__mul__, st.integers(300, 900)),
)
_NAMES = st.sampled_from(["one", "two"])
_STEPS = st.one_of(
    st.tuples(st.just("pack"), _KEYS, _VALUES),
    st.tuples(st.just("pack"), _KEYS, _VALUES),
    st.tuples(st.just("remove"), _KEYS, st.none()),
    st.tuples(st.just("tagged"), _KEYS, _NAMES),
    st.tuples(st.just("several"), _VALUES, _VALUES),
    st.tuples(st.just("rollback"), st.integers(0, 5), st.none()),
)


def done(backpack: Backpack, program: list[tuple[str, Any, Any]]) -> dict[int, dict[str, Any]]:
    """Do what a program says, as far as that can be done; return the state after each commit."""
    states = {}
    for kind, one, other in program:
        if kind == "pack":
            backpack.pack(one, other, by=str(one))
        elif kind == "remove":
            backpack.pop(one, None)
        elif kind == "tagged":
            backpack.pack(one, other, tags=[other], note=other)
        elif kind == "several":
            with backpack.transaction() as transaction:
                transaction["a"], transaction["d"] = one, other
        elif backpack.history():
            commits = backpack.history()
            with suppress(ValueUnavailable):
                backpack.rollback(commits[min(one, len(commits) - 1)])
        states[backpack.head.seq if backpack.head else 0] = dict(backpack)
    return states


def check(
    backpack: Backpack, states: dict[int, dict[str, Any]], columns: Columns, value: Any
) -> None:
    """Every state is the one that the columns and values make."""
    told = {each.seq: backpack.snapshot(each).to_dict() for each in backpack.history()}
    assert sorted(told) == columns.seqs
    for seq, snapshot in told.items():
        found = columns.state(seq)
        assert set(snapshot) == set(states[seq]) == set(found)
        for key, expected in snapshot.items():
            node = value(found[key])
            if isinstance(expected, Unavailable):
                assert ["unavailable", expected.size] == [node[0], node[1]["size"]]
            else:
                assert expected == states[seq][key]
                assert agrees(node, expected)


@settings(max_examples=15)
@given(st.lists(_STEPS, max_size=30), st.booleans())
def test_a_page_knows_every_state(program: list[tuple[str, Any, Any]], is_archive: bool) -> None:
    """For any program, with an archive or saved; served, and exported: values, types and order."""
    with TemporaryDirectory() as folder:
        place = f"{folder}/it.db"
        kept: dict[str, Any] = {"max_history_size": 8192, "reference": Stub(256)}
        if is_archive:
            backpack = Backpack.open(f"sqlite:///{place}", "it", **kept)
        else:
            backpack = Backpack(**kept)
        with backpack:
            states = done(backpack, program)
            if not is_archive:
                backpack.save(place)
            inspected = Inspected(place)
            columns = Columns(json.loads(inspected.index().as_json()))
            check(backpack, states, columns, lambda at: json.loads(inspected.values([at[:2]]))[0])
            with Past(place) as past:
                assert all(past.keys_at(seq) == list(columns.state(seq)) for seq in columns.seqs)
            inspected.close()
            export(place, f"{folder}/page.html")
            nodes = embedded_values(Path(f"{folder}/page.html").read_text(encoding="utf-8"))
            check(backpack, states, columns, lambda at: nodes[at[2]])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A checkpoint of a few commits, of which some are pinned, tagged or left out."""
    backpack = Backpack(reference=Stub(100), clock=lambda: 1.5, max_history_size="1 MiB")
    first = backpack.pack("a", "x" * 200, by="one", tags=["t"], note="why")
    backpack.pin(first)
    backpack.pack("a", "y")
    del backpack["a"]
    backpack.save(tmp_path / "it.backpack")
    return tmp_path / "it.backpack"


def test_columns_are_what_is_documented(file: Path) -> None:
    """A small one, to the number."""
    with Past(file) as past:
        index = index_of(past)
    assert {
        "seq": [1, 1, 1],
        "time": [1500, 0, 0],
        "node": [0, -1, -1],
        "flags": [3, 1, 1],
        "count": [1, 1, 1],
        "key": [0, 0, 0],
        "kind": [0, 0, 2],
        "size": [202, 2, 0],
        "tags": {0: [0]},
        "notes": {0: "why"},
    } == index.commits
    assert (["a"], ["one"], ["t"]) == (index.keys, index.nodes, index.tags)
    assert [SEEN | LEFT_OUT, SEEN, SEEN | REMOVED] == index.versions["form"]
    assert [(0, 1), (0, 2), (0, 3)] == index.numbered
    assert (2**20, str(file)) == (index.about["budget"], index.about["where"])


def test_what_only_archived_commits_see_is_told(tmp_path: Path) -> None:
    """An archive says which versions a retained commit has in its state."""
    url = f"sqlite:///{tmp_path}/a.db"
    with Backpack.open(url, "it", max_history_size=8192, reference=Stub(4000)) as backpack:
        for number in range(60):
            backpack.pack("a", f"{number}" * 300)
        retained = {commit.seq for commit in backpack.history()[:1]}
        oldest = backpack.memory_usage().commits_retained
    with Past(url) as past:
        index = index_of(past)
    forms = [form & SEEN for form in index.versions["form"]]
    assert oldest < 60
    assert forms == [0] * (60 - oldest) + [SEEN] * oldest
    assert 60 in retained


def test_the_largest_are_left_out_first(file: Path) -> None:
    """As many as it takes, and none where all fit."""
    with Past(file) as past:
        index = index_of(past)
    stored = [5, 9, 1, 9]
    index.versions["stored"][:] = stored
    assert [set(), set(), {1}, {1, 3}, {0, 1, 3}, {0, 1, 2, 3}] == [
        left_out(index, limit) for limit in (99, 24, 23, 14, 5, 0)
    ]


def test_a_value_that_is_gone_is_told(file: Path) -> None:
    """A version that no commit set, though another stands there, and a key that nobody knows."""
    inspected = Inspected(str(file))
    inspected.index()
    assert [["gone"], "y", ["gone"]] == json.loads(inspected.values([(0, 9), (0, 2), (7, 1)]))
    inspected.close()
    backpack = Backpack()
    backpack["a"] = 1
    backpack["b"] = 2
    backpack.save(file)
    inspected.index()
    keys = [inspected._keys.number(each) for each in "ab"]
    found = inspected.values([(keys[0], 1), (keys[0], 2), (keys[1], 2)])
    assert [1, ["gone"], 2] == json.loads(found)
    inspected.close()


def test_another_backpack_in_its_place_is_no_answer(file: Path, tmp_path: Path) -> None:
    """Its values belong to other commits."""
    inspected = Inspected(str(file))
    inspected.index()
    inspected.close()
    other = Backpack()
    other["a"] = 1
    other.save(file)
    with pytest.raises(ArchiveError, match="another Backpack is in the place of .*; reload"):
        inspected.values([(0, 1)])
    assert other.code == inspected.moment()["code"]
    inspected.close()


def test_nothing_is_held_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was looked at does not keep a writer from tidying its write-ahead log."""
    place = tmp_path / "a.db"
    with Backpack.open(f"sqlite:///{place}", "it") as backpack:
        backpack.pack("a", 1)
        monkeypatch.setattr("backpack.inspect.inspected.HELD", 0.05)
        inspected = Inspected(str(place))
        inspected.index()
        end = monotonic() + 20
        while inspected._past is not None and monotonic() < end:
            sleep(0.02)
        log = backpack._engine.scribe
        assert log is not None
        connection: Any = log.log.database.connection  # type: ignore[attr-defined]
        row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        assert (0, 0) == tuple(row)[:2]


def test_new_commits_are_noticed(tmp_path: Path) -> None:
    """And what was not changed is not read again."""
    place = tmp_path / "a.db"
    with Backpack.open(f"sqlite:///{place}", "it") as backpack:
        backpack.pack("a", 1)
        inspected = Inspected(str(place))
        assert 1 == inspected.moment()["head"]
        assert inspected.moment() is inspected.moment()
        backpack.pack("a", 2)
        assert 2 == inspected.moment()["head"]
        inspected.close()


def test_values_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    """Those of a codec that may run code are not decoded."""
    from backpack import UnsafePickleCodec

    backpack = Backpack(codec=UnsafePickleCodec())
    backpack["a"] = [1]
    backpack.save(tmp_path / "it")
    inspected = Inspected(str(tmp_path / "it"))
    inspected.index()
    (node,) = json.loads(inspected.values([(0, 1)]))
    assert "unreadable" == node[0]
    assert "may run code of what it reads" in node[1]
    inspected.close()


def test_one_damaged_value_leaves_the_others(file: Path) -> None:
    """It says so in its place."""
    inspected = Inspected(str(file))
    inspected.index()
    inspected.close()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE backpack_versions SET size = size + 1 WHERE seq = 1")
    damaged, whole = json.loads(inspected.values([(0, 1), (0, 2)]))
    assert "unreadable" == damaged[0]
    assert "is not as it was written" in damaged[1]
    assert "y" == whole
    inspected.close()


def test_a_value_may_be_too_large_to_be_shown(file: Path) -> None:
    """Then its size is."""
    with Past(file) as past:
        encoded = past.encoded_by("a", 2)
        assert isinstance(encoded, bytes)
        assert '"y"' == value_node(past, encoded, most=2)
        assert '["beyond",2]' == value_node(past, encoded, most=1)


def test_large_values_are_sent_when_asked_for(tmp_path: Path) -> None:
    """Until then their size is told."""
    backpack = Backpack()
    backpack["a"] = "x" * 70_000
    backpack.save(tmp_path / "it")
    inspected = Inspected(str(tmp_path / "it"))
    inspected.index()
    size = len(backpack._engine.settings.codec.encode("x" * 70_000))
    assert [["large", size]] == json.loads(inspected.values([(0, 1)]))
    assert ["x" * 70_000] == json.loads(inspected.values([(0, 1)], whole=True))
    inspected.close()
    assert decode_foreign(backpack._engine.settings.codec.encode("x")) == "x"


def test_an_archive_on_a_server_is_looked_at(url: str) -> None:
    """As a file is; its password is not shown."""
    with Backpack.open(url, "it") as backpack:
        backpack.pack("a", (1, 2))
        place = make_url(url)
        if place.host or place.query:
            place = place.set(password="not-to-be-shown")  # noqa: S106
        inspected = Inspected(place.render_as_string(hide_password=False), "it")
        index = inspected.index()
        assert [["tuple", [1, 2]]] == json.loads(inspected.values([(0, 1)]))
        assert 1 == inspected.moment()["head"]
        backpack.pack("a", 3)
        assert {"code": backpack.code, "head": 2} == inspected.moment()
        inspected.close()
    assert "not-to-be-shown" not in index.as_json()
    assert ("***" in index.about["where"]) == (place.password is not None)
