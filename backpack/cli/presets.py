"""The command ``backpack presets``: lists and explains them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from backpack.cli.terminal import emit, emit_json, emit_rich
from backpack.config import Config, Use, load_preset, preset_names
from backpack.configs import preset_bytes
from backpack.registry import AXES
from backpack.units import format_size

__all__ = ["presets"]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print them for programs.")
@click.option(
    "--yaml", "as_yaml", is_flag=True, help="Print the file of NAME, to be copied and changed."
)
def presets(name: str | None, as_json: bool, as_yaml: bool) -> None:
    """List the presets, or explain the one called NAME."""
    if as_yaml and (name is None or as_json):
        raise click.UsageError("--yaml prints the file of one preset: give its NAME, and no --json")
    if name is not None:
        config = load_preset(name)
        if as_json:
            emit_json(_settings(config))
        elif as_yaml:
            emit(preset_bytes(name).decode())
        else:
            emit_rich(_explained(config))
        return
    configs = [load_preset(each) for each in preset_names()]
    if as_json:
        emit_json([_settings(config) for config in configs])
    else:
        emit_rich(_listed(configs))


def _settings(config: Config) -> dict[str, object]:
    """Return a preset as its file says it, sizes in bytes."""
    return {
        "name": config.name,
        "description": config.description,
        "max_history_size": config.max_history_size,
        **{axis: {"use": use.name, **use.arguments} for axis, use in _uses(config)},
    }


def _uses(config: Config) -> Iterator[tuple[str, Use]]:
    for axis in AXES:
        use = getattr(config, axis)
        if isinstance(use, Use):
            yield axis, use


def _listed(configs: Sequence[Config]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for config in configs:
        table.add_row(
            Text(config.name), Text(format_size(config.max_history_size)), Text(config.description)
        )
        table.add_row()
    hint = "backpack presets NAME explains one; backpack run --preset NAME tries it."
    return Group(table, Text(hint, style="dim"))


def _explained(config: Config) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    size = config.max_history_size
    table.add_row(Text("max_history_size"), Text(f"{format_size(size)} ({size:,} bytes)"))
    for axis, use in _uses(config):
        arguments = "".join(f", {name}: {value}" for name, value in use.arguments.items())
        table.add_row(Text(axis), Text(f"{use.name}{arguments}"))
    return Group(
        Text(config.name, style="bold"),
        Text(),
        Text(config.description),
        Text(),
        table,
        Text(),
        Text(f'Backpack.from_preset("{config.name}")', style="cyan"),
        Text(f"backpack run --preset {config.name}", style="cyan"),
    )
