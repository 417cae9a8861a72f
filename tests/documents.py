"""The blocks of code in documents, and what has to be true of each kind.

=================  ==============================================================================
block              what is checked
=================  ==============================================================================
``python``         with ``>>>``: it prints what it says; otherwise it runs
``yaml``           it is loaded as a configuration
``json``           it is read, or each line of it is: as a trace, where these are operations
``toml``           it is read
``console``        every command exists, with its options; where a block shows what is printed
                   after ``$ command``, or in a block of text right behind it, that is run
``text``           what a mark says, see below
=================  ==============================================================================

All blocks of a document share a folder and their names. A comment in the line above is a mark:

- ``<!-- examples/x.py -->``: the block shows that file, which is put into the folder;
- ``<!-- file: agent.yaml -->``: the block is put into the folder under that name;
- ``<!-- not run: why -->``: it is only compiled, or read, or looked up;
- ``<!-- checked: tests/test_x.py::test_y -->``: that test looks at it;
- ``<!-- measured: benchmarks/x.py -->``: that program prints it, on another machine other figures;
- ``<!-- drawn -->``: a picture made of letters.
"""

from __future__ import annotations

import doctest
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen
from shown_commands import compare, look_up, run_shown

from backpack.config import load_file
from backpack.trace import read_trace

__all__ = ["Block", "blocks_of", "forget_modules", "problems_of"]

ROOT = Path(__file__).parent.parent
_FENCE = re.compile(
    r"^(?:<!-- (?P<mark>(?:(?!-->).)*?) -->\n)?^(?P<indent> *)```(?P<kind>[^\n]*)\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_MARKS = re.compile(
    r"(?P<what>file|not run|checked|measured): (?P<told>\S.*)|(?P<drawn>drawn)|(?P<shown>\S+/\S+)"
)


@frozen
class Block:
    """A block of code in a document.

    Attributes:
        line: The number of its first line.
        kind: What it says it is.
        text: Its lines.
        mark: What kind of mark is above it; empty if there is none.
        told: What the mark says.
        follows: Whether nothing is between it and the block before.
    """

    line: int
    kind: str
    text: str
    mark: str = ""
    told: str = ""
    follows: bool = False


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a document, in their order.

    Raises:
        ValueError: A fence is left open, or a mark says nothing that is known.
    """
    blocks: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("text")) + 1
        mark = told = ""
        if match["mark"] is not None:
            found = _MARKS.fullmatch(match["mark"])
            if found is None:
                raise ValueError(f"line {line}: nobody knows the mark {match['mark']!r}")
            mark = found["what"] or found["drawn"] or "shown"
            told = found["told"] or found["shown"] or ""
        follows = bool(blocks) and not text[end : match.start()].strip()
        body = textwrap.dedent(match["text"])
        blocks.append(Block(line, match["kind"].strip(), body, mark, told, follows))
        end = match.end()
    if 2 * len(blocks) != len(re.findall(r"^ *```", text, re.MULTILINE)):
        raise ValueError("a fence is left open, or stands inside another")
    return blocks


def problems_of(text: str, folder: Path) -> list[str]:
    """Return what is not as a document says, one line each; it runs in an empty folder."""
    problems: list[str] = []
    names: dict[str, Any] = {"__name__": "document"}
    before: Block | None = None
    blocks = blocks_of(text)
    for block in blocks:
        if block.mark == "file":
            place = folder / block.told
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.text, encoding="utf-8")
        elif block.mark == "shown" and (ROOT / "docs" / block.told).is_file():
            shown = ROOT / "docs" / block.told
            (folder / shown.name).write_bytes(shown.read_bytes())
    for at, block in enumerate(blocks):
        behind = blocks[at + 1] if at + 1 < len(blocks) else None
        shows = behind if behind is not None and _is_output(behind, block) else None
        found = [
            problem.strip() for problem in _problems(block, before, shows, folder, names) if problem
        ]
        problems += [f"line {block.line}: {problem}" for problem in found]
        before = block
    return problems


def _is_output(block: Block, before: Block | None) -> bool:
    """Whether a block is what the commands before it print."""
    return (
        before is not None
        and block.kind == "text"
        and not block.mark
        and block.follows
        and before.kind == "console"
    )


def _problems(
    block: Block, before: Block | None, shows: Block | None, folder: Path, names: dict[str, Any]
) -> Iterator[str]:
    """Yield what is wrong with a block."""
    if block.mark == "shown":
        place = ROOT / "docs" / block.told
        if not place.is_file() or place.read_text(encoding="utf-8").strip() != block.text.strip():
            yield f"it is not what stands in {block.told}"
        return
    if block.kind == "text":
        if not _is_output(block, before):
            yield from _text(block)
        return
    try:
        match block.kind:
            case "python":
                yield from _python(block, names)
            case "yaml":
                _yaml(block, folder)
            case "toml":
                tomllib.loads(block.text)
            case "json" | "jsonl":
                _json(block, folder)
            case "console" | "sh" | "bash":
                yield from _console(block, shows, folder)
            case _:
                yield f"nobody checks a block of {block.kind or 'no kind'}"
    except Exception as error:
        yield f"{type(error).__name__}: {error}"


def _python(block: Block, names: dict[str, Any]) -> Iterator[str]:
    if ">>> " not in block.text:
        code = compile("\n" * (block.line - 1) + block.text, "document", "exec")
        if block.mark != "not run":
            exec(code, names)  # noqa: S102
        return
    if block.mark == "not run":
        yield "an example with '>>> ' is one that runs"
    test = doctest.DocTestParser().get_doctest(block.text, names, "example", None, block.line - 1)
    # A test has a copy of the names, and what comes after it has what it made.
    test.globs = names
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=said.append, clear_globs=False)
    yield "".join(said)


def _yaml(block: Block, folder: Path) -> None:
    if block.mark == "not run":
        yaml.safe_load(block.text)
        return
    place = folder / (block.told if block.mark == "file" else "document.yaml")
    place.write_text(block.text, encoding="utf-8")
    load_file(place)


def _json(block: Block, folder: Path) -> None:
    with suppress(ValueError):
        json.loads(block.text)
        return
    lines = [json.loads(line) for line in block.text.splitlines()]
    if all("op" in line for line in lines):
        place = folder / (block.told if block.mark == "file" else "document.jsonl")
        place.write_text(block.text, encoding="utf-8")
        list(read_trace(place))


def _console(block: Block, shows: Block | None, folder: Path) -> Iterator[str]:
    steps = _steps(block.text)
    for command, _ in steps:
        yield from look_up(command)
    if block.mark == "not run":
        return
    if shows is not None:
        printed = "".join(run_shown(command, folder) for command, _ in steps)
        yield compare(shows.text, printed)
        return
    for command, shown in steps:
        # Commands above a first one that shows what it prints may be what it needs.
        if any(shown is not None for _, shown in steps):
            yield compare(shown or "", run_shown(command, folder))


def _steps(text: str) -> list[tuple[str, str | None]]:
    """Return the commands of a block, and what each is shown to print, if it is."""
    text = text.replace("\\\n", " ")
    if not re.search(r"^\$ ", text, re.MULTILINE):
        return [(line, None) for line in text.splitlines() if line.strip()]
    parts = re.split(r"^\$ (.*)\n?", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def _text(block: Block) -> Iterator[str]:
    match block.mark:
        case "checked":
            file, _, test = block.told.partition("::")
            place = ROOT / file
            source = place.read_text(encoding="utf-8") if place.is_file() else ""
            if not re.search(rf"^def {re.escape(test)}\(", source, re.MULTILINE):
                yield f"there is no test {block.told}"
        case "measured":
            if not (ROOT / block.told).exists():
                yield f"there is no {block.told}"
        case "drawn":
            pass
        case _:
            yield "nobody checks a text without a mark; see tests/documents.py"


def forget_modules(folder: Path) -> None:
    """Have nothing imported from a folder stay."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place is not None and Path(place).is_relative_to(folder):
            del sys.modules[name]
