"""Commands that documents show: whether they exist, and what they print."""

from __future__ import annotations

import doctest
import io
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import click

from backpack import cli

__all__ = ["compare", "look_up", "run_shown"]

ROOT = Path(__file__).parent.parent
_CHECKER = doctest.OutputChecker()
_ID = re.compile(r"\b(\d+)-[a-hjkmnp-tv-z][0-9a-hjkmnp-tv-z]{5}\b")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_TIME = re.compile(r"\b\d\d:\d\d(:\d\d(\.\d+)?)?\b")


def compare(shown: str, printed: str) -> str:
    """Return how what is printed differs from what is shown.

    In what is shown ``...`` stands for anything. The code in the ids of commits, and the time of
    day and year, are others in every run, and only their shape has to be the same.
    """
    shown, printed = (_ended(text) for text in (shown, printed))
    if _CHECKER.check_output(_shape(shown), _shape(printed), doctest.ELLIPSIS):
        return ""
    return f"it shows\n{shown}and what is printed is\n{printed}"


def _ended(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


def _shape(text: str) -> str:
    return _TIME.sub("(time)", _DATE.sub("(date)", _ID.sub(r"\1-(code)", text)))


def run_shown(line: str, folder: Path) -> str:
    """Run a line in the folder, and return what it prints, errors at the end."""
    printed = ""
    for part in line.split(" && "):
        command, _, file = part.partition(" > ")
        output = "".join(_run(words, folder) for words in _commands(command))
        if file:
            (folder / file.strip()).write_text(output, encoding="utf-8")
        else:
            printed += output
    return printed


def _run(words: list[str], folder: Path) -> str:
    if words[0] == "backpack":
        return _run_backpack(words[1:])
    if words[0] != "python":
        raise ValueError(f"nobody runs {words[0]!r} to see what it prints")
    command = [sys.executable, *words[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def _run_backpack(arguments: list[str]) -> str:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        with suppress(SystemExit):
            cli.main(arguments)
    text = ""
    for stream in (out, err):
        stream.flush()
        stream.seek(0)
        text += stream.read()
    return text


def look_up(line: str) -> Iterator[str]:
    """Yield what a line names that does not exist."""
    for words in _commands(line):
        program, *arguments = words
        match program:
            case "backpack":
                yield from _look_up_backpack(arguments)
            case "pip" if arguments[:1] == ["install"]:
                yield from _extras(arguments)
            case "python":
                yield from _python(arguments)
            case "pytest" | "mkdocs":
                yield from _paths(arguments)
            case "tox":
                yield from _environments(arguments)
            case _:
                yield f"nobody knows the command {program!r}"


def _commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line, without where its program and output are."""
    for part in line.split(" && "):
        words = shlex.split(part.split(" > ")[0], comments=True)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        if words:
            program = re.sub(r"^\.venv[-\w]*/bin/", "", words[0])
            program = "python" if program == "python3" else program
            words[0] = program
            yield words[2:] if words[:3] == ["python", "-m", "backpack"] else words


def _look_up_backpack(arguments: list[str]) -> Iterator[str]:
    """Yield what the command itself would say against its arguments."""
    if arguments in ([], ["--help"], ["--version"]):
        return
    try:
        with click.Context(cli.command, info_name="backpack") as context:
            name, found, rest = cli.command.resolve_command(context, arguments)
            if found is not None:
                found.make_context(name, list(rest), parent=context)
    except click.ClickException as error:
        yield f"backpack {shlex.join(arguments)}: {error.format_message()}"


def _project() -> dict[str, object]:
    project: dict[str, object] = tomllib.loads(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    return project


def _extras(arguments: list[str]) -> Iterator[str]:
    extras = _project()["optional-dependencies"]
    assert isinstance(extras, dict)
    for argument in arguments:
        found = re.fullmatch(r"(backpack-memory|\.)\[(.*)\]", argument)
        for extra in found[2].split(",") if found else ():
            if extra not in extras:
                yield f"there is no extra {extra!r}"


def _python(arguments: list[str]) -> Iterator[str]:
    match arguments:
        case ["-m", "venv", _]:
            return
        case ["-c", code]:
            compile(code, "document", "exec")
        case [script, *_] if script.startswith(("benchmarks/", "tests/")):
            yield from _paths([script])
        case [script] if script.endswith(".py"):
            return
        case _:
            yield f"nobody knows what python {shlex.join(arguments)} is"


def _paths(arguments: list[str]) -> Iterator[str]:
    for argument in arguments:
        if "/" in argument and not (ROOT / argument).exists():
            yield f"there is no {argument}"


def _environments(arguments: list[str]) -> Iterator[str]:
    known = re.findall(r"^\[testenv:(.*)\]$", (ROOT / "tox.ini").read_text("utf-8"), re.MULTILINE)
    if arguments[:1] != ["-e"] or arguments[1] not in known:
        yield f"there is no environment {shlex.join(arguments)}"
