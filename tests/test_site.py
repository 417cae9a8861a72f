"""The site: it has every page and every public name, and asks for nothing from elsewhere."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import backpack
import backpack.spec
from backpack.config import Use, load_preset, preset_names
from backpack.units import format_size

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SITE = DOCS / "site"
PAGES = sorted(DOCS.rglob("*.md"))
REWRITING = runpy.run_path(str(SITE / "rewriting.py"))
docstring_to_markdown = REWRITING["docstring_to_markdown"]
first_sentence = REWRITING["first_sentence"]
root_page = REWRITING["root_page"]
with_id = REWRITING["with_id"]
with_levels = REWRITING["with_levels"]


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    """Return the settings of the site."""
    read: dict[str, Any] = yaml.safe_load((SITE / "mkdocs.yml").read_text(encoding="utf-8"))
    return read


def leaves(tree: object) -> Iterator[str]:
    """Yield every string at the end of a tree."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, list | dict):
        for each in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(each)


def test_every_page_is_in_the_navigation(settings: dict[str, Any]) -> None:
    """Each once, those of the root folder too."""
    pages = [page.relative_to(DOCS).as_posix() for page in PAGES]
    assert sorted([*pages, "changelog.md", "contributing.md"]) == sorted(leaves(settings["nav"]))


def test_nothing_is_asked_for_from_elsewhere(settings: dict[str, Any]) -> None:
    """No font, no script, no style of another host."""
    assert settings["theme"]["font"] is False
    assert not [each for each in leaves(settings) if "//" in each]
    for path in (*SITE.glob("*.js"), *SITE.glob("*.css"), *(DOCS / "images").glob("*.svg")):
        # Namespaces are names, and nobody loads them.
        text = re.sub(r"http://www\.w3\.org/[\w/]+", "", path.read_text(encoding="utf-8"))
        assert not re.search(r"https?:|url\((?!#)|@import", text), path.name


def test_a_link_that_leads_nowhere_is_an_error(settings: dict[str, Any]) -> None:
    """Everything that can be validated warns, and a warning ends the build."""
    assert {"warn"} == set(leaves(settings["validation"]))
    command = "mkdocs build --strict --config-file docs/site/mkdocs.yml"
    assert command in (ROOT / "tox.ini").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").replace(
        '"$bin/mkdocs"', "mkdocs"
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(DOCS).as_posix())
def test_every_page_says_what_it_is_about(path: Path) -> None:
    """It begins with its title; its first sentence is what the site describes it with."""
    text = path.read_text(encoding="utf-8")
    assert re.match(r"# \S[^\n]*\n\n", text)
    assert 1 == len(re.findall(r"^# ", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M), re.M))
    assert re.fullmatch(r".{20,300}[.:?]", first_sentence(text))


def referred() -> set[int]:
    """Return what the reference shows, by identity; of a module, all it makes public."""
    shown: set[int] = set()
    for path in (DOCS / "reference").glob("*.md"):
        for name in re.findall(r"^::: ([\w.]+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
            found = named(name)
            members = found.__all__ if isinstance(found, ModuleType) else ()
            shown |= {id(found), *(id(getattr(found, member)) for member in members)}
    return shown


def named(path: str) -> Any:
    """Return what a dotted path names: a module, or something in one."""
    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(named(module), name)


@pytest.mark.parametrize("module", [backpack, backpack.spec], ids=lambda module: module.__name__)
def test_the_reference_has_every_public_name(module: ModuleType) -> None:
    """Whatever can be imported from the package and from the spec."""
    shown = referred()
    names = [name for name in module.__all__ if name != "__version__"]
    assert [] == [name for name in names if id(getattr(module, name)) not in shown]


@pytest.mark.parametrize("path", ["README.md", "docs/presets.md"])
def test_a_table_of_presets_says_what_their_files_say(path: str) -> None:
    """Of each preset there is a row, with its budget and its limit."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for name in preset_names():
        config = load_preset(name)
        (row,) = re.findall(rf"^\| `{name}` \| .*$", text, re.MULTILINE)
        assert isinstance(config.reference, Use)
        assert format_size(config.max_history_size) in row
        assert str(config.reference.arguments["max_value_size"]) in row


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Use :meth:`edit`.", "Use [`edit()`][whole.edit]."),
        ("A :class:`~a.b.Name`.", "A [`Name`][whole.a.b.Name]."),
        ("Raises :class:`a.Name`.", "Raises [`a.Name`][whole.a.Name]."),
        ("By :meth:`Mine.open <a.Mine.open>`.", "By [`Mine.open()`][whole.a.Mine.open]."),
        (
            "By :func:`take`, not :func:`make()`.",
            "By [`take()`][whole.take], not [`make()`][whole.make].",
        ),
        ("See :doc:`values </values>`.", "See [values][page-values]."),
        ("So::\n\n    x = 1\n\n    y = 2\n\nEnd.", "So:\n\n```python\nx = 1\n\ny = 2\n```\n\nEnd."),
        ("::\n\n    a ── b\n", "```text\na ── b\n```\n"),
        ("One.\n\n>>> 1\n1\n\nTwo.", "One.\n\n```pycon\n>>> 1\n1\n```\n\nTwo."),
        ("Plain ``code`` and a :colon.", "Plain ``code`` and a :colon."),
    ],
)
def test_docstrings_read_as_markdown(written: str, shown: str) -> None:
    """Roles are references, literal blocks and examples are blocks of code."""
    assert shown == docstring_to_markdown(written, lambda name: f"whole.{name}")


def test_no_role_is_left_in_a_docstring() -> None:
    """The site knows each role that the docstrings have."""
    for path in sorted((ROOT / "backpack").rglob("*.py")):
        text = docstring_to_markdown(path.read_text(encoding="utf-8"), lambda name: name)
        assert not re.search(r":(?:class|meth|func|data|doc|mod|attr|exc|ref):`", text), path.name


def test_pages_of_the_root_folder_link_as_from_the_documents() -> None:
    """Wherever a link goes, it goes there from its new place."""
    names = {"CONTRIBUTING.md": "contributing.md"}
    text = "[a](docs/a.md#b), [c](CONTRIBUTING.md#d), [e](#f), [g](https://h.i/docs/j.md)"
    moved = "[a](a.md#b), [c](contributing.md#d), [e](#f), [g](https://h.i/docs/j.md)"
    assert moved == root_page(text, names)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# T\n\nOne `thing`\nis *here*. Two.", "One thing is here."),
        ("# T\n\n```python\n1\n```\n\n[A link](b.md) is it.", "A link is it."),
        ("# T\n\n| a |\n| - |\n", ""),
    ],
)
def test_a_page_is_described_by_its_first_sentence(text: str, sentence: str) -> None:
    """Without marks, and without what is no sentence."""
    assert sentence == first_sentence(text)


def test_a_title_has_the_id_that_docstrings_refer_to() -> None:
    """Whatever its words are, and whatever else has the same."""
    assert "# T { #page-design-a }\n\n# Not this" == with_id("# T\n\n# Not this", "design/a.md")
    assert "[A][page-design-a]" == docstring_to_markdown(":doc:`A </design/a>`", str)


def test_headings_of_the_reference_are_one_below_the_heading_they_stand_under() -> None:
    """With and without other options."""
    text = "# T\n\n::: a\n\n## U\n\n::: b\n    options:\n      members: []\n"
    assert (
        "# T\n\n::: a\n    options:\n      heading_level: 2\n\n## U\n\n"
        "::: b\n    options:\n      heading_level: 3\n      members: []\n"
    ) == with_levels(text)
