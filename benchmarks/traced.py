"""What a trace changes, for benchmarks that go by its values and not by its commits."""

from __future__ import annotations

from collections.abc import Iterator

from backpack.operations import Change, Look, changes_of
from backpack.trace import read_trace

__all__ = ["changes_in"]


def changes_in(path: str) -> Iterator[Change]:
    """Iterate over the changes of all commits of a trace, one by one."""
    for operation in read_trace(path):
        if not isinstance(operation, Look):
            yield from changes_of(operation)
