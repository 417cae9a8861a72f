"""How much of its past an archive keeps: the limits, and what they are about.

Retained commits stay, and so do those that are tagged or pinned, and the newest. Of all others the
oldest go first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen
from sqlalchemy import and_, false

from backpack.archive.tables import COMMITS
from backpack.errors import ConfigError
from backpack.units import parse_duration, parse_size
from backpack.wording import shown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

__all__ = ["Retention", "removable", "to_max_age", "to_max_commits", "to_max_size"]

#: A sixteenth more is removed than has to be, or later than it might be: not at every commit.
_SLACK: Final = 16


def to_max_age(value: float | str | None) -> float | None:
    """Turn an age into seconds; an attrs converter.

    Raises:
        ConfigError: It is none.
    """
    return None if value is None else parse_duration(value, field="max_age")


def to_max_commits(value: int | None) -> int | None:
    """Check a number of commits; an attrs converter.

    Raises:
        ConfigError: It is none.
    """
    if value is not None and (type(value) is not int or value < 0):
        raise ConfigError(
            f"{shown(value)} is no number of commits; write a whole one from 0, like 100_000",
            field="max_commits",
        )
    return value


def to_max_size(value: int | str | None) -> int | None:
    """Turn a size into bytes; an attrs converter.

    Raises:
        ConfigError: It is none.
    """
    return None if value is None else parse_size(value, field="max_size")


@frozen
class Retention:
    """How much of its past an archive keeps; None sets no limit.

    Attributes:
        max_age: How many seconds older than the newest a commit may get.
        max_commits: How many archived commits are kept, besides those that are tagged or pinned.
        max_size: Bytes on disk.
    """

    max_age: float | None = None
    max_commits: int | None = None
    max_size: int | None = None

    @property
    def is_limited(self) -> bool:
        """Whether anything may have to be removed."""
        return (self.max_age, self.max_commits, self.max_size) != (None, None, None)

    def is_too_old(self, time: float, newest: float) -> bool:
        """Whether a commit has to be removed for its time, given that of the newest.

        It may be a little earlier, see :meth:`may_go`: not each commit has to remove another.
        """
        return self.max_age is not None and newest - time > self.max_age * (1 + 1 / _SLACK)

    def may_go(self, time: float, newest: float) -> bool:
        """Whether a commit may be removed for its time, given that of the newest."""
        return self.max_age is not None and newest - time > self.max_age

    def surplus(self, count: int) -> int:
        """Return how many of so many archived commits are to be removed."""
        if self.max_commits is None or count <= self.max_commits:
            return 0
        return count - (self.max_commits - self.max_commits // _SLACK)

    def excess(self, size: int) -> float:
        """Return what share of so many bytes is to be removed, from 0 to 1."""
        if self.max_size is None or size <= self.max_size - self.max_size // (2 * _SLACK):
            return 0.0
        return (size - (self.max_size - self.max_size // _SLACK)) / size


def removable(name: str, head: int) -> ColumnElement[bool]:
    """Return what is true of the commits that may be removed."""
    return and_(
        COMMITS.c.name == name,
        COMMITS.c.seq < head,
        COMMITS.c.retained == false(),
        COMMITS.c.pinned == false(),
        COMMITS.c.tags.is_(None),
    )
