"""What is built is what users get."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("backpack", "policies", "configs", "spec")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel and an sdist of a copy of the tree; return the folder they are in."""
    copy = tmp_path_factory.mktemp("tree") / "project"
    ignore = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*", "build", "dist")
    shutil.copytree(ROOT, copy, symlinks=True, ignore=ignore)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", "out", "."]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    return copy / "out"


def expected() -> set[str]:
    """Return the files of the wheel: every module, preset and marker in the tree."""
    names = {"backpack/py.typed", "backpack/demo.jsonl.gz"}
    for folder in FOLDERS:
        top = ROOT / folder
        prefix = "backpack" if folder == "backpack" else f"backpack/{folder}"
        # The links to the other folders are for editors.
        inside = [path for path in top.glob("*/*.py") if not path.parent.is_symlink()]
        inside += top.glob("integrations/*/*.py")
        for path in [*top.glob("*.py"), *inside, *top.glob("*.yaml")]:
            names.add(f"{prefix}/{path.relative_to(top).as_posix()}")
    assets = (ROOT / "backpack" / "inspect" / "assets").iterdir()
    return names | {f"backpack/inspect/assets/{path.name}" for path in assets}


def test_the_wheel_holds_every_module_preset_and_marker(built: Path) -> None:
    """And nothing beside them: no other top-level name is installed."""
    (wheel,) = built.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert expected() == names
    assert "backpack_memory-" in wheel.name


def test_the_wheel_declares_its_command_and_licence(built: Path) -> None:
    """``backpack`` is a command; the licence travels with it."""
    (wheel,) = built.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    texts = {Path(name).name: name for name in archive.namelist() if ".dist-info/" in name}
    assert "backpack = backpack.cli:main" in archive.read(texts["entry_points.txt"]).decode()
    assert "Apache License" in archive.read(texts["LICENSE"]).decode()
    assert "Name: backpack-memory" in archive.read(texts["METADATA"]).decode()


def test_the_sdist_builds_the_same_wheel(built: Path, tmp_path: Path) -> None:
    """Whoever installs from source gets the same files."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", "out", "."]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    (wheel,) = (source / "out").glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert expected() == names


def test_the_typed_interface_checks_strictly(tmp_path: Path) -> None:
    """A user's program with types passes a strict type check."""
    program = ROOT / "tests" / "typing" / "api.py"
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
