"""The command ``backpack``, one module a command or a family of them."""

from backpack.cli.entry import command, main

__all__ = ["command", "main"]
