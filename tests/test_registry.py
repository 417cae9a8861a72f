"""Names stand for built-in strategies, for what packages offer, and for classes written out."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack import protocols
from backpack.errors import ConfigError
from backpack.registry import AXES, Axis, find

PRUNING = AXES["pruning"]
_numbers = itertools.count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which modules and packages can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def module(folder: Path, text: str) -> str:
    """Write a module and return its name; each is another one."""
    name = f"registry_example_{next(_numbers)}"
    (folder / f"{name}.py").write_text(text)
    return name


def offer(folder: Path, package: str, group: str, name: str, target: str) -> None:
    """Install a package that offers a strategy."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")


def refusal(name: str, *, axis: Axis = PRUNING, allow_imports: bool = True) -> str:
    """The message with which a name is refused."""
    with pytest.raises(ConfigError) as caught:
        find(axis, name, allow_imports=allow_imports)
    assert str(caught.value).isprintable()
    return str(caught.value)


@given(axis=st.sampled_from(sorted(AXES)), name=st.text(st.characters(exclude_characters=":")))
def test_any_other_name_is_refused(axis: str, name: str) -> None:
    """A name that is neither built in nor offered is refused on one line that says so."""
    if name not in AXES[axis].built_in:
        assert refusal(name, axis=AXES[axis]).startswith(f"no {AXES[axis].noun} is called ")


@given(name=st.text().map(lambda text: f"{text}:x") | st.text().map(lambda text: f"os:{text}"))
def test_no_text_with_a_colon_is_imported_where_imports_are_off(name: str) -> None:
    """With imports off, every name with a colon is refused before anything is imported."""
    before = set(sys.modules)
    assert "imports are off" in refusal(name, allow_imports=False)
    assert before == set(sys.modules)


@pytest.mark.parametrize(
    ("axis", "name"), [(axis.name, name) for axis in AXES.values() for name in axis.built_in]
)
def test_built_in_names(axis: str, name: str) -> None:
    """Every built-in name stands for a class, whether or not imports are allowed."""
    found = find(AXES[axis], name, allow_imports=False)
    assert isinstance(found, type)
    assert AXES[axis].built_in[name].endswith(f":{found.__name__}")


@pytest.mark.parametrize("axis", AXES.values(), ids=lambda axis: axis.name)
def test_axes_name_their_contracts(axis: Axis) -> None:
    """The contract an axis names exists, and has the methods the axis lists."""
    contract = getattr(protocols, axis.protocol)
    assert all(callable(getattr(contract, method)) for method in axis.methods)
    assert f"backpack.{axis.name}" == axis.group


def test_class_written_out() -> None:
    """A name with a colon is imported: a class, a nested one, a function, any object."""
    assert find(PRUNING, "pathlib:Path") is Path
    assert find(PRUNING, "pathlib:Path.cwd") == Path.cwd


def test_entry_point(folder: Path) -> None:
    """A package's offer is found under its name."""
    offer(folder, "plans", "backpack.pruning", "keep-plans", "pathlib:Path")
    assert find(PRUNING, "keep-plans") is Path


def test_entry_point_of_another_axis(folder: Path) -> None:
    """An offer serves the axis of its group only."""
    offer(folder, "plans", "backpack.storage", "keep-plans", "pathlib:Path")
    assert "no pruning policy is called 'keep-plans'" in refusal("keep-plans")


def test_built_in_wins(folder: Path) -> None:
    """A package can't take over a built-in name."""
    offer(folder, "plans", "backpack.pruning", "oldest", "pathlib:Path")
    assert find(PRUNING, "oldest") is not Path


def test_entry_point_where_imports_are_off(folder: Path) -> None:
    """With imports off, an offer is refused, and not suggested either."""
    offer(folder, "plans", "backpack.pruning", "keep-plans", "pathlib:Path")
    assert refusal("keep-plans", allow_imports=False) == (
        "'keep-plans' comes from another package, and imports are off (allow_imports=False); "
        "built in: keep-tagged, least-accessed, none, oldest, thinning"
    )
    assert "keep-plans" not in refusal("keep-plan", allow_imports=False).partition(";")[2]
    assert refusal("keep-plan").endswith("did you mean 'keep-plans'?")


def test_two_offers(folder: Path) -> None:
    """Two packages that offer different things under one name are told apart by the user."""
    offer(folder, "plans", "backpack.pruning", "keep", "pathlib:Path")
    offer(folder, "others", "backpack.pruning", "keep", "pathlib:PurePath")
    assert refusal("keep") == (
        "several packages offer a pruning policy called 'keep'; write one of them out: "
        "'pathlib:Path' or 'pathlib:PurePath'"
    )


def test_one_offer_twice(folder: Path) -> None:
    """The same offer seen twice is one offer."""
    offer(folder, "plans", "backpack.pruning", "keep", "pathlib:Path")
    offer(folder, "others", "backpack.pruning", "keep", "pathlib:Path")
    assert find(PRUNING, "keep") is Path


NO_CLASS = "names no class; write 'package.module:Class', like 'my_agent.policies:KeepPlans'"
NAMES = "keep-tagged, least-accessed, none, oldest, thinning"
COLON = "a class is written with a colon: 'package.module:Class'"
INSTALLED = "is it installed, or its folder on PYTHONPATH?"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("oldst", "no pruning policy is called 'oldst'; did you mean 'oldest'?"),
        ("app.plans.Mine", f"no pruning policy is called 'app.plans.Mine'; {COLON}"),
        (
            "x",
            f"no pruning policy is called 'x'; there are: {NAMES}; or write 'package.module:Class'",
        ),
        ("pathlib:", f"'pathlib:' {NO_CLASS}"),
        ("../evil:x", f"'../evil:x' {NO_CLASS}"),
        ("pathlib:Pth", "'pathlib' has nothing called 'Pth'; did you mean 'Path'?"),
        ("pathlib:Path.zzzz", "'pathlib.Path' has nothing called 'zzzz'; check the spelling"),
        ("no_such_module.sub:X", f"no module is called 'no_such_module'; {INSTALLED}"),
        ("xml.no_such_module:X", f"no module is called 'xml.no_such_module'; {INSTALLED}"),
    ],
)
def test_refusal(name: str, message: str) -> None:
    """What can't be found is refused, naming what is missing and what was probably meant."""
    assert message == refusal(name)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_module", "it needs the module 'no_such_module', which is not installed"),
        ("raise RuntimeError('no\\nGPU')", "RuntimeError: no GPU"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("from os import no_such_name", "ImportError: cannot import name 'no_such_name'"),
    ],
)
def test_module_that_fails(folder: Path, text: str, reason: str) -> None:
    """A module that can't be imported is refused with the reason, whatever it raises."""
    name = module(folder, text)
    assert refusal(f"{name}:X").startswith(f"importing {name!r} failed: {reason}")


def test_interrupt_while_importing(folder: Path) -> None:
    """Ctrl-C during an import is no configuration error."""
    name = module(folder, "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        find(PRUNING, f"{name}:X")
