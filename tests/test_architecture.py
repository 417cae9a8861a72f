"""The shape of the house: which part may import which, and what users may rely on."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import backpack

ROOT = Path(__file__).parent.parent

#: Every module's layer: it may import its own layer's neighbours and those below, at module level.
LAYERS = [
    {"splices", "unicode", "wording", "lock_files"},
    {"errors"},
    {"records"},
    {"protocols", "units", "ids", "labels", "nodes", "entries", "logged", "overwriting"},
    {"policies", "codec", "history", "commits", "names", "budget", "proposal", "events", "guard"},
    {"store", "draft", "chains"},
    {"plan", "push", "reader", "resume", "settings", "usage"},
    {"relief", "snapshot"},
    {"archive", "scribe"},
    {"engine", "forgetting", "transaction"},
    {"container"},
    {"aio", "audit", "audit_entries", "awaited", "registry", "document", "strategies", "configs"},
    {"config", "saving", "synthetic", "operations", "trace", "trace_file", "json_form"},
    {"opening", "past", "replay", "verify", "report", "recording", "converting"},
    {"compare", "inspect", "integrations", "looking"},
    {"cli"},
    {"__main__"},
]
RANK = {module: rank for rank, layer in enumerate(LAYERS) for module in layer}


def sources() -> list[Path]:
    """Return the library's modules, the spec aside."""
    top = ROOT / "backpack"
    return [
        *sorted(top.glob("*.py")),
        # The links to the other folders are for editors.
        *(path for path in sorted(top.glob("*/*.py")) if not path.parent.is_symlink()),
        *sorted(top.glob("integrations/*/*.py")),
        *sorted((ROOT / "policies").glob("*.py")),
        *sorted((ROOT / "configs").glob("*.py")),
    ]


def part_of(path: Path) -> str:
    """Return which part of the house a file belongs to."""
    top = path.relative_to(ROOT).parts
    inside = top[1:] if top[0] == "backpack" else top
    return path.stem if len(inside) == 1 else inside[0]


def run_time_imports(path: Path) -> set[str]:
    """Return what a module imports when it is imported: not for types only, not in functions."""
    found: set[str] = set()

    def visit(statements: list[ast.stmt]) -> None:
        for node in statements:
            match node:
                case ast.Import():
                    found.update(alias.name for alias in node.names)
                case ast.ImportFrom():
                    found.add(node.module or "")
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    visit(node.orelse)
                case ast.If() | ast.Try():
                    visit(node.body)
                    visit(node.orelse)

    visit(ast.parse(path.read_text(encoding="utf-8")).body)
    return found


def all_imports(path: Path) -> set[str]:
    """Return everything a module imports, wherever it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_run_one_way(path: Path) -> None:
    """A module imports only from its own layer or from layers below it."""
    part = part_of(path)
    if part == "__init__":
        return
    for name in run_time_imports(path):
        if not name.startswith("backpack."):
            assert name != "backpack", f"{path} imports the whole package"
            continue
        imported = name.split(".")[1]
        assert imported == part or RANK[imported] <= RANK[part], f"{part} imports {imported}"


@pytest.mark.parametrize("path", sorted((ROOT / "policies").glob("*.py")), ids=lambda p: p.name)
def test_policies_see_records_errors_and_contracts_only(path: Path) -> None:
    """The built-in policies have the rights of a user's class."""
    allowed = {"errors", "records", "protocols", "units", "policies"}
    for name in all_imports(path):
        if name.startswith("backpack"):
            assert name.split(".")[1] in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_at_run_time_imports_the_spec(path: Path) -> None:
    """Hypothesis is no dependency of the library."""
    for name in all_imports(path):
        assert not name.startswith(("backpack.spec", "hypothesis")), f"{path} imports {name}"


def test_every_module_has_a_layer() -> None:
    """A new module has to say where it belongs."""
    parts = {part_of(path) for path in sources()} - {"__init__"}
    assert set(RANK) == parts


def test_modules_stay_small() -> None:
    """Four hundred lines are where a module is to be split; a few are long lists of small parts."""
    long = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in [*sources(), *sorted((ROOT / "spec").rglob("*.py"))]
    }
    limits = {"backpack/container.py": 880, "backpack/records.py": 440}
    assert {} == {name: n for name, n in long.items() if n > limits.get(name, 400)}


def test_importing_backpack_imports_no_optional_part() -> None:
    """Neither the spec's Hypothesis nor what the command line needs is loaded with the package."""
    optional = (
        *("hypothesis", "click", "yaml", "numpy", "pydantic", "matplotlib", "backpack.config"),
        *("langgraph", "langchain_core", "agents", "opentelemetry", "backpack.integrations"),
    )
    code = f"import backpack, sys; print([name for name in {optional} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_the_public_names_are_pinned() -> None:
    """What users import from ``backpack``, and nothing else."""
    assert [
        "ArchiveError",
        "Archived",
        "AsyncBackpack",
        "Backpack",
        "BackpackError",
        "BudgetError",
        "Change",
        "Commit",
        "CommitPruned",
        "Committed",
        "ConfigError",
        "ConflictError",
        "CorruptError",
        "Diff",
        "Event",
        "HeldVersion",
        "InvalidKey",
        "KeyUsage",
        "LookedBack",
        "MsgpackCodec",
        "NewValue",
        "PolicyError",
        "PruneRequest",
        "Pruned",
        "Reference",
        "Referenced",
        "Refused",
        "RetainedCommit",
        "SizedValue",
        "Snapshot",
        "StaleWriter",
        "SupersededVersion",
        "TraceError",
        "Transaction",
        "Unavailable",
        "UnknownCommit",
        "UnknownKey",
        "UnknownName",
        "UnpackableValue",
        "UnsafePickleCodec",
        "Usage",
        "ValueUnavailable",
        "__version__",
    ] == backpack.__all__
    for name in backpack.__all__:
        assert hasattr(backpack, name)


def test_errors_are_what_their_bases_say() -> None:
    """Code that catches Python's own errors catches ours."""
    bases = {
        "ConfigError": ValueError,
        "TraceError": ValueError,
        "InvalidKey": TypeError,
        "UnpackableValue": TypeError,
        "UnknownKey": KeyError,
        "UnknownCommit": LookupError,
        "CommitPruned": LookupError,
        "ValueUnavailable": LookupError,
    }
    for name, base in bases.items():
        error = getattr(backpack, name)
        assert issubclass(error, base)
        assert issubclass(error, backpack.BackpackError)
    assert not issubclass(backpack.ValueUnavailable, KeyError)
