"""The built-in policies as a whole: names, values, examples, and what they may import."""

from __future__ import annotations

import ast
import copy
import doctest
import importlib
import pickle
import pkgutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from backpack import policies

MODULES = sorted(module.name for module in pkgutil.iter_modules(policies.__path__))
DOCS = Path(__file__).parent.parent / "docs" / "policies.md"

NAMES = [
    "Compressed",
    "DeepSize",
    "Delta",
    "EncodedSize",
    "Full",
    "KeepAll",
    "KeepTagged",
    "LeastAccessed",
    "Oldest",
    "Preview",
    "Spill",
    "StoredSize",
    "Stub",
    "Thinning",
]

OTHER_SETTINGS: dict[str, dict[str, object]] = {
    "Compressed": {"level": 19},
    "Delta": {"level": 9, "span": 8, "least": 100},
    "KeepTagged": {"inner": policies.Thinning(), "tags": ["milestone"]},
    "LeastAccessed": {"fraction": 0.1, "half_life": 50},
    "Oldest": {"fraction": 0.1},
    "Preview": {"max_value_size": "1 KiB", "characters": 20},
    "StoredSize": {"level": 9},
    "Stub": {"max_value_size": "1 KiB"},
    "Thinning": {"fraction": 0.1},
}


def test_all_names_are_pinned() -> None:
    """The package exports these classes and no other names."""
    assert policies.__all__ == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_values(name: str) -> None:
    """Equal settings make equal policies, copies and pickles too; their repr makes them again."""
    make: Callable[..., object] = getattr(policies, name)
    policy = make()
    twins = [make(), copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))]
    twins.append(eval(repr(policy), vars(policies)))  # noqa: S307
    assert [policy] * 4 == twins
    assert {hash(policy)} == set(map(hash, twins))


@pytest.mark.parametrize("name", sorted(OTHER_SETTINGS))
def test_other_settings_make_other_values(name: str) -> None:
    """Policies with other settings are unequal, and survive pickling as well."""
    make: Callable[..., object] = getattr(policies, name)
    policy = make(**OTHER_SETTINGS[name])
    assert make() != policy
    assert policy == pickle.loads(pickle.dumps(policy))
    assert policy == eval(repr(policy), vars(policies))  # noqa: S307


@pytest.mark.parametrize("name", NAMES)
def test_policies_are_frozen(name: str) -> None:
    """No policy can be changed once it is made."""
    policy = getattr(policies, name)()
    for argument in attrs.fields_dict(type(policy)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(policy, argument, 1)


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_say_what_a_chooser_asks(name: str) -> None:
    """Each class says when to use it, what it costs, where it is from, and shows an example."""
    text = getattr(policies, name).__doc__
    for part in ("When to use: ", "Cost: ", "Source: ", ">>> "):
        assert part in text


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module: str) -> None:
    """Every example in a docstring gives what it says."""
    result = doctest.testmod(importlib.import_module(f"backpack.policies.{module}"))
    assert result.failed == 0


def test_examples_in_the_guide_run() -> None:
    """Every example in the guide to policies gives what it says."""
    result = doctest.testfile(str(DOCS), module_relative=False, encoding="utf-8")
    assert result.attempted > 20
    assert result.failed == 0


@pytest.mark.parametrize("module", ["__init__", *MODULES])
def test_policies_see_no_engine(module: str) -> None:
    """Policies import records, errors, contracts, sizes and each other, nothing else of Backpack.

    So a class of a user's own can do whatever they can.
    """
    (folder,) = policies.__path__
    tree = ast.parse((Path(folder) / f"{module}.py").read_text(encoding="utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    allowed = ("errors", "policies", "protocols", "records", "units")
    for name in imported:
        package, _, rest = name.partition(".")
        assert package != "backpack" or rest.split(".")[0] in allowed
