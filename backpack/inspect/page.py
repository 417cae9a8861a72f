"""The files of the page, as they are, and as one script."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["TYPES", "asset", "asset_names", "one_script"]

#: What the files are, by how their names end.
TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

_FILES: Final = files("backpack.inspect") / "assets"
_IMPORT: Final = re.compile(r'^import (\{[^}]*\}) from "\./([a-z]+)\.js";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function|class|const) (\w+)", re.MULTILINE)


@cache
def asset_names() -> frozenset[str]:
    """Return the names of the files that the page loads."""
    names = (each.name for each in _FILES.iterdir())
    return frozenset(each for each in names if each.rpartition(".")[2] in TYPES)


@cache
def asset(name: str) -> str:
    """Return the text of a file."""
    return (_FILES / name).read_text(encoding="utf-8")


@cache
def one_script() -> str:
    """Return all modules as one script: each a function, behind those it imports from.

    The modules keep to a form that makes it that simple: they import by name, from one another
    alone and not in circles, and export what they declare.
    """
    done: dict[str, str] = {}

    def take(name: str) -> None:
        text = asset(f"{name}.js")
        for _, other in _IMPORT.findall(text):
            if other not in done:
                take(other)
        exported = ", ".join(each for _, each in _EXPORT.findall(text))
        body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(r"const \1 = from_\2;", text))
        done[name] = f"const from_{name} = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"

    take("app")
    return "\n".join(done.values())
