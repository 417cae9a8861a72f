"""Running the command ``backpack`` in the process of a test."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import pytest

from backpack.cli import main

__all__ = ["Ran", "Run", "runner"]


class Ran(NamedTuple):
    """What one run of the command came to.

    Attributes:
        code: Its exit code.
        out: What it wrote.
        err: What it complained of.
    """

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


#: Runs the command with these arguments.
Run: TypeAlias = Callable[..., Ran]


def runner(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs the command."""

    def run(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        assert isinstance(caught.value.code, int)
        return Ran(caught.value.code, *capsys.readouterr())

    return run
