"""The presets say what their table says, work, and are documented in one file that works too."""

from __future__ import annotations

import inspect
import re
from importlib.resources import files

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from backpack import configs
from backpack.config import Strategies, Use, load_file, load_preset, preset_names
from backpack.registry import ARCHIVE, AXES, find
from backpack.strategies import construct, use_from

KIB, MIB = 1024, 1024**2
REFERENCE = files(configs).joinpath("reference.yaml").read_text()

TABLE = {
    "default": (100 * KIB, 50 * MIB, Use("oldest", {"fraction": 0.2})),
    "short-lived": (1 * MIB, 10 * MIB, Use("none")),
    "long-chat": (1 * MIB, 50 * MIB, Use("oldest", {"fraction": 0.2})),
    "long-running": (50 * KIB, 50 * MIB, Use("oldest", {"fraction": 0.2})),
    "high-frequency": (10 * KIB, 100 * MIB, Use("least-accessed")),
}


@given(name=st.text())
def test_no_other_preset(name: str) -> None:
    """The presets are those of the table."""
    assert (name in TABLE) == (name in preset_names())
    assert sorted(TABLE) == list(preset_names())


@pytest.mark.parametrize("name", TABLE)
def test_table(name: str) -> None:
    """Each preset has the limits and the pruning policy of the table."""
    config = load_preset(name)
    limit = getattr(config.strategies.reference, "max_value_size", None)
    assert TABLE[name] == (limit, config.max_history_size, config.pruning)
    sizing = "stored" if name == "long-chat" else "encoded"
    assert (sizing, "stub", "delta", "msgpack") == tuple(
        use.name
        for use in (config.sizing, config.reference, config.storage, config.codec)
        if isinstance(use, Use)
    )


@pytest.mark.parametrize("name", TABLE)
def test_file(name: str) -> None:
    """A preset's file leaves nothing out, is called like the preset, and helps to choose."""
    values = yaml.safe_load(configs.preset_bytes(name))
    expected = {"preset", "description", "max_history_size", *AXES}
    assert (name, expected) == (values["preset"], set(values))
    assert 150 <= len(values["description"]) <= 400
    assert "\n" not in load_preset(name).description


@pytest.mark.parametrize(
    ("axis", "name"), [(axis.name, name) for axis in AXES.values() for name in axis.built_in]
)
def test_built_in_strategies_need_no_arguments(axis: str, name: str) -> None:
    """Every built-in strategy of every axis can be constructed by its name alone."""
    assert construct(AXES[axis], Use(name), allow_imports=False) is not None


@pytest.mark.parametrize(
    ("axis", "name"), [(axis.name, name) for axis in AXES.values() for name in axis.built_in]
)
def test_built_in_strategies_work_in_a_preset(axis: str, name: str) -> None:
    """Every built-in strategy can override that of a preset."""
    config = load_preset("default", **{axis: name})
    assert Use(name) == getattr(config, axis)
    assert isinstance(config.build(), Strategies)


# --- the reference file ----------------------------------------------------------------------


def test_reference_equals_the_default() -> None:
    """The reference file, as it stands, is the default preset."""
    with_file = files(configs).joinpath("reference.yaml")
    assert load_preset("default") == load_file(str(with_file), allow_imports=False)


def test_reference_holds_every_setting_once() -> None:
    """Every setting stands in the reference file, explained by a comment above it."""
    lines = REFERENCE.splitlines()
    for setting in ("preset", "description", "max_history_size", *AXES, "archive"):
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"{setting}:"))
        assert lines[at - 1].startswith("# ")


def examples() -> list[tuple[str, dict[str, object]]]:
    """The alternatives shown in the comments, with the axis each is shown for."""
    found: list[tuple[str, dict[str, object]]] = []
    pending: list[dict[str, object]] = []
    for line in REFERENCE.splitlines():
        shown = re.match(r"#\s+(\{use: .*\})", line)
        if shown:
            pending.append(yaml.safe_load(shown[1].split("   ")[0]))
        axis = line.partition(":")[0]
        if axis in (*AXES, "archive"):
            found += [(axis, example) for example in pending]
            pending = []
    return found


@pytest.mark.parametrize(("axis", "example"), examples())
def test_reference_examples_work(axis: str, example: dict[str, object]) -> None:
    """Every alternative in a comment can be constructed as it is shown."""
    of = {**AXES, "archive": ARCHIVE}[axis]
    assert construct(of, use_from(of, example))


def test_reference_shows_everything_built_in() -> None:
    """Every built-in strategy is shown, with every argument."""
    shown = {(axis, example["use"]): set(example) - {"use"} for axis, example in examples()}
    assert shown == {
        (axis.name, name): _arguments(find(axis, name))
        for axis in (*AXES.values(), ARCHIVE)
        for name in axis.built_in
    }


def _arguments(target: object) -> set[str]:
    """The arguments of a built-in strategy that a file can hold: no classes."""
    assert isinstance(target, type)
    return set(inspect.signature(target).parameters) - {"classes"}
