"""The files of the page keep to what makes them safe, readable, and easy to make one of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backpack.inspect.page import TYPES, asset, asset_names, one_script

ASSETS = Path(__file__).parent.parent / "backpack" / "inspect" / "assets"
MODULES = sorted(path.name for path in ASSETS.glob("*.js"))


def test_all_files_are_served() -> None:
    """None lies there for nothing."""
    assert {path.name for path in ASSETS.iterdir()} == asset_names()
    assert {name.rpartition(".")[2] for name in asset_names()} == set(TYPES)


@pytest.mark.parametrize("name", sorted(path.name for path in ASSETS.iterdir()))
def test_nothing_is_made_of_markup_or_run_from_text(name: str) -> None:
    """No way from a value to markup or code, none that a policy has to allow for, none outside."""
    text = asset(name)
    for word in (
        *(
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "createContextualFragment",
        ),
        *(
            "eval(",
            "Function(",
            "setHTML",
            "srcdoc",
            "unsafe",
            "DOMParser",
            "javascript:",
            "@import",
        ),
        *("</script><", "<!--", "localStorage", "sessionStorage"),
    ):
        if (name, word) != ("page.html", "</script><"):
            assert word not in text
    assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
    if name == "page.html":
        assert [] == re.findall(r"\s(?:style|on\w+)=", text)
        assert 1 == text.count("<script")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_is_and_stays_small(name: str) -> None:
    """One purpose, told in the first line; a page of imports by name; at most 400 lines."""
    lines = asset(name).splitlines()
    assert re.fullmatch(r"// [A-Z].*[.:?]", lines[0])
    assert len(lines) <= 400
    assert max(map(len, lines)) <= 140
    for line in lines:
        if line.startswith("import"):
            assert re.fullmatch(r'import \{ [\w, ]+ \} from "\./[a-z]+\.js";', line)
        assert not line.startswith("export {")
        assert not line.startswith("export default")


def test_the_modules_become_one_script() -> None:
    """Each once, behind those it needs, and nothing of a module's own is left."""
    script = one_script()
    for name in MODULES:
        assert 1 == script.count(f"const from_{name.removesuffix('.js')} = (() => {{")
    assert [] == re.findall(r"^(?:import|export) ", script, re.MULTILINE)
    assert script.index("const from_dom ") < script.index("const from_tree ")
    assert "</script" not in script
    assert "<!--" not in script
