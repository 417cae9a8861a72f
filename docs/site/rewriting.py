"""What the site writes otherwise than the files: docstrings, and links from the root folder."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from textwrap import dedent
from textwrap import indent as indented

__all__ = ["docstring_to_markdown", "first_sentence", "root_page", "with_id", "with_levels"]

_ROLE = re.compile(r":(?P<role>[a-z]+):`(?:(?P<title>[^`<]+?)\s*<(?P<to>[^`>]+)>|(?P<name>[^`]+))`")
_LITERAL = re.compile(
    r"^(?P<indent> *)(?P<lead>\S.*)?::\n\n"
    r"(?P<block>(?P=indent) +\S.*(?:\n(?:(?P=indent) +\S.*)?)*)",
    re.MULTILINE,
)
_EXAMPLE = re.compile(
    r"^(?P<indent> *)>>> .*(?:\n(?P=indent)\S.*|\n(?P=indent) +\S.*)*", re.MULTILINE
)
_LINK = re.compile(r"\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def docstring_to_markdown(text: str, resolve: Callable[[str], str]) -> str:
    """Return a docstring as Markdown, its roles as references that have to lead somewhere.

    Args:
        text: The docstring, in which ``:class:`~package.Name``` is a role.
        resolve: Returns the whole path of a name as it is written there.
    """

    def reference(match: re.Match[str]) -> str:
        name = match["to"] or match["name"]
        if match["role"] == "doc":
            page = name.strip("/")
            return f"[{match['title'] or page}][{_page_id(page)}]"
        path = resolve(name.lstrip("~").removesuffix("()"))
        shown = match["title"] or (name[1:].rpartition(".")[2] if name.startswith("~") else name)
        call = "()" if match["role"] in {"func", "meth"} and "(" not in shown else ""
        return f"[`{shown}{call}`][{path}]"

    def example(match: re.Match[str]) -> str:
        indent = match["indent"]
        return f"{indent}```pycon\n{match[0]}\n{indent}```"

    def literal(match: re.Match[str]) -> str:
        indent, block = match["indent"], dedent(match["block"]).strip("\n")
        lead = f"{indent}{match['lead']}:\n\n" if match["lead"] else ""
        fenced = f"```{'python' if _is_python(block) else 'text'}\n{block}\n```"
        rest = match[0][len(match[0].rstrip("\n")) :]
        return f"{lead}{indented(fenced, indent)}{rest}"

    return _EXAMPLE.sub(example, _ROLE.sub(reference, _LITERAL.sub(literal, text)))


def _is_python(block: str) -> bool:
    try:
        ast.parse(block)
    except SyntaxError:
        return False
    return True


def root_page(text: str, names: dict[str, str]) -> str:
    """Return a page of the root folder with its links as they are from ``docs``.

    Args:
        text: The page.
        names: What pages of the root folder are called in ``docs``.
    """

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        target = names.get(target, target.removeprefix("docs/"))
        return f"]({target}{match['anchor'] or ''})"

    return _LINK.sub(link, text)


def first_sentence(text: str) -> str:
    """Return what a page says first below its title, without marks: what others say it is about."""
    for paragraph in text.split("\n\n"):
        if re.match(r"(?!```)[A-Za-z*`\[]", paragraph):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
            plain = re.sub(r"[*`]", "", plain)
            return re.split(r"(?<=[.!?]) ", plain, maxsplit=1)[0]
    return ""


def with_id(text: str, path: str) -> str:
    """Return a page whose title has an id of its own, by which docstrings find it.

    Args:
        text: The page.
        path: Where it is in ``docs``.
    """
    return re.sub(r"\A(# .+)", rf"\1 {{ #{_page_id(path.removesuffix('.md'))} }}", text)


def with_levels(text: str) -> str:
    """Return a page in which what ``:::`` shows has a heading one below the one it stands under."""
    level = 1
    lines = []
    for line in text.split("\n"):
        if heading := re.match(r"(#+) ", line):
            level = len(heading[1])
        if lines and line == "    options:" and lines[-1].startswith("      heading_level:"):
            continue
        lines.append(line)
        if line.startswith("::: "):
            lines += ["    options:", f"      heading_level: {level + 1}"]
    return "\n".join(lines)


def _page_id(page: str) -> str:
    return f"page-{page.replace('/', '-')}"
