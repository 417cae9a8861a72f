"""Where the command looks for the modules that a configuration names."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["modules_here"]


@contextmanager
def modules_here(*, wanted: bool) -> Iterator[None]:
    """Look for modules in the current folder, too, as ``python`` itself would.

    It comes last: a file that happens to lie there never stands in for a module that is installed.

    Args:
        wanted: Whether to; nothing is done if not.
    """
    folder = os.getcwd()  # noqa: PTH109 - a word of sys.path
    if not wanted or folder in sys.path:
        yield
        return
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
