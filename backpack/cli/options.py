"""Options that several commands have."""

from __future__ import annotations

import click

__all__ = ["named", "no_imports"]

#: Which Backpack of a file or an archive is meant.
named = click.option("--name", metavar="NAME", help="Which Backpack; the only one if left out.")

#: Whether the code that a configuration names is imported.
no_imports = click.option(
    "--no-imports", is_flag=True, help="Refuse a FILE that names code from outside Backpack."
)
