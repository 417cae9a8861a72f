"""Who takes part, under which name, at which budgets; and what is refused before any work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backpack.compare.contenders import Contender, budgets_from, contenders_from
from backpack.config import preset_names
from backpack.errors import ConfigError


def test_without_names_all_presets_take_part() -> None:
    """In their order."""
    assert list(preset_names()) == [each.name for each in contenders_from([], [])]


def test_presets_and_files_take_part_in_the_order_they_are_named(tmp_path: Path) -> None:
    """A file is called by its name."""
    file = tmp_path / "mine.yaml"
    file.write_text("max_history_size: 1 MiB\n")
    first, second = contenders_from(["short-lived"], [str(file)])

    assert Contender("short-lived", preset="short-lived") == first
    assert Contender("mine.yaml", file=str(file)) == second
    assert 8192 == first.load(allow_imports=False, max_history_size=8192, reference={
        "max_value_size": 4096}).max_history_size  # fmt: skip
    assert 1 << 20 == second.load(allow_imports=False).max_history_size


def test_a_file_whose_name_is_taken_is_called_by_its_path(tmp_path: Path) -> None:
    """By that of another file, of a preset, or of a bound."""
    paths = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "default", tmp_path / "random"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("pruning: {use: none}\n")
    found = contenders_from(["default"], [str(path) for path in paths])

    assert ["default", *map(str, paths)] == [each.name for each in found]


@pytest.mark.parametrize(
    ("presets", "files", "message"),
    [
        ([], ["bad.yaml"], "bad.yaml:1: "),
        (["default", "default"], [], "--preset: 'default' is given 2 times; give each once"),
        ([], ["x.yaml", "./x.yaml"], "--config: 'x.yaml' is given 2 times; give each once"),
        (["defualt"], [], "no preset is called 'defualt'; did you mean 'default'"),
        ([], ["none.yaml"], "none.yaml: .*no such file"),
    ],
)
def test_who_cannot_take_part_is_named(
    presets: list[str],
    files: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is replayed."""
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("pruning: {use")
    with pytest.raises(ConfigError, match=message):
        contenders_from(presets, files)


def test_budgets_are_read_in_any_order_each_once() -> None:
    """Separated by commas, in several options, in any unit."""
    assert (8192, 1 << 20, 5 << 20) == budgets_from(["5MiB, 1 MiB", "8 KiB,1024 KiB"])
    assert () == budgets_from([])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5Mib,,x", "--budget: '5Mib' is not a size: 'Mib' means bits; write 'MiB' for bytes"),
        (
            "5MiB,,x",
            (
                "--budget: '5MiB,,x' has nothing where a size is expected; write sizes separated "
                "by commas, like '5 MiB,10 MiB'"
            ),
        ),
        ("", "--budget: '' has nothing where a size is expected"),
        ("5MiB,x", "--budget: 'x' is not a size"),
        ("0", "--budget: '0' is not a size; it must be at least 1 byte"),
        ("-1", "--budget: '-1' is not a size"),
        ("1,5 MiB", "--budget: 1 bytes cannot hold a history; the least is 4,096 bytes"),
    ],
)
def test_nonsense_is_no_budget(text: str, message: str) -> None:
    """It is named, and so is what is allowed."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        budgets_from([text])
