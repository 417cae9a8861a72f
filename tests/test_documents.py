"""Every block of code in the documents is of a kind that is checked, and is as it says."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest
from documents import blocks_of, forget_modules, problems_of
from shown_commands import compare
from test_architecture import RANK

from backpack import cli
from backpack.config import load_file
from backpack.errors import ConfigError, TraceError
from backpack.trace import read_trace

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")],
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, of which modules can be imported, on a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    forget_modules(tmp_path)


@pytest.mark.no_cover
@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_a_document_is_as_it_says(path: Path, folder: Path) -> None:
    """Examples run, configurations load, commands exist and print what is shown."""
    assert [] == problems_of(path.read_text(encoding="utf-8"), folder)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```python\n>>> 1 + 1\n3\n```", "Expected:"),
        ("```python\n>>> 1 +\n```", "SyntaxError"),
        ("```python\nunknown\n```", "line 2: NameError: name 'unknown' is not defined"),
        ("<!-- not run: no server -->\n```python\n1 +\n```", "SyntaxError"),
        ("<!-- not run: no server -->\n```python\n>>> 1\n1\n```", "is one that runs"),
        ("```yaml\nmax_history: 5 MiB\n```", "ConfigError"),
        ("<!-- not run: why -->\n```yaml\na: [\n```", "ParserError"),
        ("```json\n{\n```", "JSONDecodeError"),
        ('```json\n{"op": "pack"}\n{"op": "pack"}\n```', "TraceError"),
        ("```toml\na =\n```", "TOMLDecodeError"),
        ("```console\nbackpack pack\n```", "No such command 'pack'"),
        ("```console\nbackpack run --fast\n```", "No such option"),
        ("```console\nbackpack save one.db\n```", "Missing argument"),
        ("```console\n$ backpack --version\nbackpack 7\n```", "it shows"),
        ("```console\nbackpack --version\n```\n\n```text\nbackpack 7\n```", "it shows"),
        ("```console\npip install 'backpack-memory[all]'\n```", "there is no extra 'all'"),
        ("```console\ntox -e fast\n```", "there is no environment"),
        ("```console\npython benchmarks/none.py\n```", "there is no benchmarks/none.py"),
        ("```console\npython none\n```", "nobody knows what python none is"),
        ("```console\nls\n```", "nobody knows the command 'ls'"),
        ("```sh\nls\n```", "nobody knows the command 'ls'"),
        ("```text\nall is well\n```", "a text without a mark"),
        ("<!-- checked: tests/test_docs.py::test_none -->\n```text\n```", "there is no test"),
        ("<!-- measured: benchmarks/none.py -->\n```text\n```", "there is no benchmarks/none.py"),
        ("<!-- examples/none.py -->\n```python\n1\n```", "it is not what stands in"),
        ("```\nall is well\n```", "a block of no kind"),
        ("```sql\nSELECT 1\n```", "a block of sql"),
    ],
)
def test_what_is_not_as_it_says_is_found(text: str, problem: str, folder: Path) -> None:
    """Each kind of block can be wrong."""
    (found,) = problems_of(f"{text}\n", folder)
    assert problem in found


ALL_IS_WELL = {
    "names are shared": """
```python
number = 1
```
and
```python
>>> number += 1
```
```python
number += 1
```
```python
>>> number
3
```
""",
    "modules are found": """
<!-- file: policies.py -->
```python
class Mine:
    def __call__(self, new):
        return 1
```
```yaml
sizing: {use: "policies:Mine"}
```
""",
    "files are read": """
<!-- file: run.jsonl -->
```json
{"op": "pack", "key": "a", "value": 1}
{"op": "remove", "key": "a"}
```
```console
$ backpack run run.jsonl --verify 0
...
Commits        2 made · 2 retained · 0 pruned
...
```
""",
    "what is printed goes to a file": """
```console
$ backpack --version > version
$ python -c "print(open('version').read())"
backpack ...
```
""",
    "a block in a list": """
- There it is:

  ```python
  >>> if True:
  ...     print(1)
  1

  ```
""",
    "what cannot run": """
<!-- not run: there is no server -->
```python
unknown
```
""",
    "a picture": """
<!-- drawn -->
```text
->
```
""",
}


@pytest.mark.parametrize("text", ALL_IS_WELL.values(), ids=ALL_IS_WELL)
def test_what_is_as_it_says_is_fine(text: str, folder: Path) -> None:
    """Blocks share a folder and their names."""
    assert [] == problems_of(text, folder)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```python\n1\n", "a fence is left open"),
        ("<!-- skip -->\n```python\n1\n```\n", "nobody knows the mark 'skip'"),
        ("<!-- not run: -->\n```python\n1\n```\n", "nobody knows the mark 'not run:'"),
    ],
)
def test_a_document_that_cannot_be_read_is_no_document(text: str, problem: str) -> None:
    """A mark with a mistake marks nothing, and is told."""
    with pytest.raises(ValueError, match=problem):
        blocks_of(text)


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("commit 1-k3fq7x by a", "commit 1-m0ab2c by a", True),
        ("commit 1-k3fq7x by a", "commit 2-k3fq7x by a", False),
        ("at 2026-01-31 09:30:00", "at 2027-12-01 23:59:59", True),
        ("at 2026-01-31 09:30", "at 23:59", False),
        ("1\n...\n4", "1\n2\n3\n4", True),
        ("1\n4", "1\n2\n4", False),
        ("1  \n", "\n1", True),
    ],
)
def test_what_is_printed_is_compared_with_what_is_shown(
    shown: str, printed: str, same: bool
) -> None:
    """But for what is another in every run."""
    assert same is not bool(compare(shown, printed))


def told_by(name: str, test: str) -> list[str]:
    """Return the lines of the block of a document that a test of this module is to look at."""
    blocks = blocks_of((ROOT / name).read_text(encoding="utf-8"))
    (block,) = [each for each in blocks if each.told == f"tests/test_documents.py::{test}"]
    return block.text.splitlines()


def test_the_house_is_as_drawn() -> None:
    """The folders that contributors are told of are those that there are."""
    drawn = told_by("CONTRIBUTING.md", "test_the_house_is_as_drawn")
    folders = [line.split("/")[0] for line in drawn if not line.startswith(" ")]
    assert folders == [name for name in folders if (ROOT / name).is_dir()]
    for folder in {"backpack", "policies", "configs", "spec", "tests", "docs", "benchmarks"}:
        assert folder in folders


def test_imports_run_as_drawn() -> None:
    """Of the modules that contributors are told of, none may import what is drawn to its right."""
    drawn = " ".join(told_by("CONTRIBUTING.md", "test_imports_run_as_drawn"))
    ranks = [[RANK[name.strip()] for name in part.split(",")] for part in drawn.split("←")]
    for left, right in pairwise(ranks):
        assert max(left) <= min(right)


def test_the_usage_is_that_of_the_command() -> None:
    """Every command is there with every option it has, and no other."""
    usage = "\n".join(told_by("docs/command-line.md", "test_the_usage_is_that_of_the_command"))
    shown: dict[str, set[str]] = {}
    for name, rest in re.findall(r"^backpack ([a-z][a-z-]*)(.*(?:\n +.*)*)", usage, re.MULTILINE):
        shown.setdefault(name, set()).update(re.findall(r"--[a-z-]+", rest))
    options = {
        name: {
            option
            for parameter in each.params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--")
        }
        for name, each in cli.command.commands.items()
    }
    assert options == shown


#: What the lines are that the errors of a trace are shown of, the last one aside.
BROKEN_LINES = (
    '{"op": "pakc"}',
    '{"op": "snapshot", "back": 9}',
    '{"op": "append", "key": "plan", "item": 1}',
    '{"op": "commit", "changes": [%s, %s]}' % (('{"op": "remove", "key": "plan"}',) * 2),
)


def test_the_errors_of_a_trace_are_as_shown(folder: Path) -> None:
    """Word for word, after four commits; the last of a file that is cut off."""
    shown = told_by("docs/trace-format.md", "test_the_errors_of_a_trace_are_as_shown")
    example, *_ = blocks_of((ROOT / "docs" / "trace-format.md").read_text(encoding="utf-8"))
    lines = example.text.splitlines()
    before = [*lines[:3], lines[0]]
    told = []
    for broken, line in zip((*BROKEN_LINES, ""), shown, strict=True):
        name, number, _ = line.split(":", 2)
        text = "\n".join([*before, *[""] * (int(number) - 5), broken])
        packer = zlib.compressobj(wbits=31)
        packed = packer.compress(text.encode()) + packer.flush(zlib.Z_SYNC_FLUSH)
        (folder / name).write_bytes(packed if name.endswith(".gz") else text.encode())
        with pytest.raises(TraceError) as caught:
            list(read_trace(name))
        told.append(str(caught.value))
    assert told == shown


def test_the_errors_of_a_configuration_are_as_shown(folder: Path) -> None:
    """Word for word."""
    texts = (
        "\n\n\n\n\npruning: {use: oldst}",
        "\n\n\n\n\n\npruning: {use: oldest, fraction: 2}",
        "\n\nmax_history_size: 50 M",
        "max_history_size: 1 MiB\n\n\nreference: {use: stub, max_value_size: 2 MiB}",
    )
    told = []
    for text in texts:
        (folder / "agent.yaml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_file("agent.yaml")
        told.append(str(caught.value))
    with pytest.raises(ConfigError) as caught:
        load_file("agent.yml")
    told.append(str(caught.value))
    test = "test_the_errors_of_a_configuration_are_as_shown"
    assert told == told_by("docs/configuration.md", test)
