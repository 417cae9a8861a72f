"""The page as one file: what is in it, what is not, and that nothing of it can do harm."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, blocks, embedded_values, hostile

from backpack import Backpack
from backpack.errors import ArchiveError
from backpack.inspect import export as exporting
from backpack.inspect.export import export, parts
from backpack.past import Past


class Tags(HTMLParser):
    """The elements of a page, and the texts of those that are run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[int, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Note what comes behind it elsewhere."""
        self.tags.append((f"/{tag}", {}))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts[len(self.tags) - 1] = self.texts.get(len(self.tags) - 1, "") + data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page over a Backpack in which all is hostile."""
    folder = tmp_path_factory.mktemp("export")
    export(str(hostile(folder / "it.backpack")), folder / "page.html")
    return (folder / "page.html").read_text(encoding="utf-8")


def test_no_text_of_the_backpack_is_in_the_page(page: str, tmp_path: Path) -> None:
    """Only as base64, so that nothing can end a script or begin a comment."""
    empty = Backpack()
    empty.save(tmp_path / "empty")
    export(str(tmp_path / "empty"), tmp_path / "empty.html")
    plain = (tmp_path / "empty.html").read_text(encoding="utf-8")
    block = r'<script type="application/octet-stream" id="[a-z0-9-]+">[A-Za-z0-9+/=]*</script>\n?'
    assert re.sub(block, "", plain) == re.sub(block, "", page)
    assert all(each not in page for each in HOSTILE if len(each) > 12 and each != "constructor")


def test_only_the_script_of_the_page_runs(page: str) -> None:
    """The policy names it by its hash, and the style; nothing is loaded from anywhere."""
    tags = Tags()
    tags.feed(page)
    metas = [attrs for tag, attrs in tags.tags if tag == "meta"]
    (policy,) = (each["content"] or "" for each in metas if "http-equiv" in each)
    first = next(at for at, (tag, _) in enumerate(tags.tags) if tag in ("style", "script"))
    assert ("meta", metas[-1]) in tags.tags[:first]
    hashes = {}
    for at, (tag, attrs) in enumerate(tags.tags):
        if tag == "style" or (tag == "script" and attrs["type"] == "module"):
            digest = hashlib.sha256(tags.texts[at].encode()).digest()
            hashes[tag] = f"'sha256-{base64.b64encode(digest).decode()}'"
        assert tag not in ("link", "iframe", "object", "img", "base")
        assert not {"src", "href", "style"} & set(attrs) or attrs.get("href") == "#timeline-slider"
    rules = dict(each.split(" ", 1) for each in policy.split("; "))
    assert {
        "default-src": "'none'",
        "script-src": hashes["script"],
        "style-src": hashes["style"],
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    } == rules


def test_all_values_are_in_the_page(page: str) -> None:
    """Every version in its place."""
    index = blocks(page)["index"]
    nodes = embedded_values(page)
    assert len(index["versions"]["seq"]) == len(nodes) == 32
    assert 0 == index["omitted"]
    assert {"dict", "list", "<a text>"} == {
        "<a text>" if isinstance(node, str) else node[0] for node in nodes
    }


@settings(max_examples=40)
@given(st.lists(st.text(st.sampled_from("ab"), max_size=9), max_size=12))
def test_a_part_tells_each_value(texts: list[str]) -> None:
    """As what it differs in from the one before."""
    found = []
    for count, part in parts(texts):
        text = ""
        versions = json.loads(part)
        assert count == len(versions)
        for first, last, middle in versions:
            text = text[:first] + middle + text[len(text) - last :]
            found.append(text)
    assert texts == found


def test_parts_are_bounded() -> None:
    """What is alike is told once, but nobody has to make too much of it."""
    different = [f"{at:07}" * 40_000 for at in range(4)]
    assert [1, 1, 1, 1] == [count for count, _ in parts(different)]
    alike = [different[0]] * 200
    counts = [count for count, _ in parts(alike)]
    assert counts == [59, 59, 59, 23]
    assert all(len(text) < 300_000 for _, text in parts(alike))


def test_the_largest_values_are_left_out_by_the_limit(tmp_path: Path) -> None:
    """And the page knows: how many, and of each how large it was."""
    backpack = Backpack()
    for number in range(5):
        backpack.pack("a", Random(number).randbytes(100 * number + 10))  # noqa: S311
    backpack.save(tmp_path / "it")
    out = tmp_path / "page.html"
    done = export(str(tmp_path / "it"), out, limit=300)
    text = out.read_text(encoding="utf-8")
    nodes = embedded_values(text)
    omitted = [node for node in nodes if node[0] == "omitted"]
    assert done.left_out == len(omitted) == blocks(text)["index"]["omitted"] > 0
    assert (done.values, done.commits, done.size) == (5 - len(omitted), 5, out.stat().st_size)
    assert "bytes" == nodes[0][0]
    assert ["omitted", 413] == nodes[-1]
    assert 0 == export(str(tmp_path / "it"), out).left_out


def test_a_page_does_not_tell_where_it_was_made(tmp_path: Path) -> None:
    """It may be sent to somebody, whom the folders of its maker are no business of."""
    Backpack().save(tmp_path / "it.backpack")
    export(str(tmp_path / "it.backpack"), tmp_path / "page.html")
    index = blocks((tmp_path / "page.html").read_text(encoding="utf-8"))["index"]
    assert "it.backpack" == index["about"]["where"]
    assert tmp_path.name not in json.dumps(index)


def test_what_is_looked_at_is_not_written_over(tmp_path: Path) -> None:
    """A page in the place of the Backpack would be the end of it."""
    backpack = Backpack()
    backpack["a"] = 1
    place = tmp_path / "it"
    backpack.save(place)
    for same in (str(place), f"sqlite:///{place}"):
        with pytest.raises(ArchiveError, match="is what is to be looked at; name another file"):
            export(same, place)
    with Past(place) as past:
        assert {"a": 1} == past.state(1)


def test_an_archive_in_use_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one that is opened while the page is made: a page there would be the end of it."""
    place, other = tmp_path / "it", tmp_path / "other.db"
    Backpack().save(place)
    said = (
        r"other\.db is an archive that has a writer, which holds other\.db@a\.lock; close that, or"
    )
    with Backpack.open(f"sqlite:///{other}", "a") as writer:
        with pytest.raises(ArchiveError, match=said):
            export(str(place), other)
        writer.pack("a", 1)
    opened: list[Backpack] = []

    def made(*_: object) -> str:
        opened.append(Backpack.open(f"sqlite:///{other}", "a"))
        return "page"

    monkeypatch.setattr(exporting, "page_of", made)
    with pytest.raises(ArchiveError, match=said):
        export(str(place), other)
    opened[0].close()
    with Backpack.open(f"sqlite:///{other}", "a") as writer:
        assert {"a": 1} == dict(writer)
    assert {"it", "other.db", "other.db@a.lock"} == {each.name for each in tmp_path.iterdir()}


def test_a_page_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    """Nothing is left behind."""
    backpack = Backpack()
    backpack.save(tmp_path / "it")
    with pytest.raises(
        ArchiveError, match=r"page\.html cannot be written: No such file or directory; nothing was"
    ):
        export(str(tmp_path / "it"), tmp_path / "no" / "page.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArchiveError, match="folder is a folder; name a file in it"):
        export(str(tmp_path / "it"), tmp_path / "folder")
    with pytest.raises(ArchiveError, match="x cannot be written: File name too long; name another"):
        export(str(tmp_path / "it"), tmp_path / ("x" * 300))
    assert {"it", "folder"} == {path.name for path in tmp_path.iterdir()}


def test_progress_is_told(tmp_path: Path) -> None:
    """How many versions are done, and of how many."""
    backpack = Backpack()
    backpack["a"] = 1
    backpack["b"] = 2
    backpack.save(tmp_path / "it")
    told: list[tuple[int, int]] = []
    export(str(tmp_path / "it"), tmp_path / "page", progress=lambda *each: told.append(each))
    assert [(0, 2), (1, 2)] == told
