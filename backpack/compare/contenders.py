"""What is compared: presets and files, each under a name of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from backpack.budget import MINIMUM_BUDGET
from backpack.config import Config, load_file, load_preset, preset_names
from backpack.document import read_document
from backpack.errors import ConfigError
from backpack.units import parse_size
from backpack.wording import shown

__all__ = ["BOUNDS", "Contender", "budget_from", "budgets_from", "contenders_from"]

#: What stands beside the contenders.
BOUNDS: Final = ("unbounded", "clairvoyant", "random")


@frozen
class Contender:
    """A configuration that takes part.

    Attributes:
        name: What to call it, like no other.
        preset: The preset it is; None for a file.
        file: The file it is read from; None for a preset.
    """

    name: str
    preset: str | None = None
    file: str | None = None

    def load(self, *, allow_imports: bool, **overrides: object) -> Config:
        """Read the configuration.

        Args:
            allow_imports: Whether a file may name code from outside Backpack.
            **overrides: Settings to use instead; see :func:`~backpack.config.load_preset`.

        Raises:
            ConfigError: Something in it or in the overrides cannot work.
        """
        if self.file is not None:
            return load_file(self.file, allow_imports=allow_imports, **overrides)
        return load_preset(self.preset or "default", **overrides)


def contenders_from(presets: Sequence[str], files: Sequence[str]) -> tuple[Contender, ...]:
    """Return what takes part; all presets if nothing is named.

    Args:
        presets: Names of presets.
        files: YAML files. Each is called by its name; by its whole path where that is taken.

    Raises:
        ConfigError: One is named twice, no preset is called so, or a file cannot be read.
    """
    if not presets and not files:
        presets = preset_names()
    _once(presets, presets, "--preset")
    _once([str(Path(file).absolute()) for file in files], files, "--config")
    for preset in presets:
        load_preset(preset)
    for file in files:
        read_document(file)
    names = [Path(file).name for file in files]
    taken = [*presets, *names, *BOUNDS]
    return (
        *(Contender(preset, preset=preset) for preset in presets),
        *(
            Contender(name if taken.count(name) == 1 else str(Path(file).absolute()), file=file)
            for name, file in zip(names, files, strict=True)
        ),
    )


def budgets_from(texts: Iterable[str]) -> tuple[int, ...]:
    """Read budgets, several of them separated by commas, in bytes; ascending, each once.

    Raises:
        ConfigError: One is no size, or too small for any history.

    >>> budgets_from(["5 MiB, 1 MiB", "1024KiB"])
    (1048576, 5242880)
    """
    found = set()
    for text in texts:
        for part in text.split(","):
            if not part.strip():
                raise ConfigError(
                    f"{shown(text)} has nothing where a size is expected; write sizes separated by "
                    "commas, like '5 MiB,10 MiB'",
                    field="--budget",
                )
            found.add(budget_from(part))
    return tuple(sorted(found))


def budget_from(text: str) -> int:
    """Read one budget, in bytes.

    Raises:
        ConfigError: It is no size, or too small for any history.
    """
    size = parse_size(text, field="--budget")
    if size < MINIMUM_BUDGET:
        raise ConfigError(
            f"{size:,} bytes cannot hold a history; the least is {MINIMUM_BUDGET:,} bytes",
            field="--budget",
        )
    return size


def _once(each: Sequence[str], names: Sequence[str], option: str) -> None:
    """Refuse what is there twice; the names are as they were written."""
    for what, name in zip(each, names, strict=True):
        if each.count(what) > 1:
            raise ConfigError(
                f"{shown(name)} is given {each.count(what)} times; give each once", field=option
            )
