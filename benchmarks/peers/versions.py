"""Which version of a key is the one as of a commit, for stores that do not know it themselves."""

from __future__ import annotations

from array import array
from bisect import bisect_right

__all__ = ["Index"]


class Index:
    """The commits of each key, in the order they were made."""

    def __init__(self) -> None:
        self._commits: dict[str, array[int]] = {}
        self.made = 0

    def add(self, key: str) -> int:
        """Say that the next commit changes a key; return the commit."""
        commit = self.made
        commits = self._commits.get(key)
        if commits is None:
            commits = self._commits[key] = array("I")
        commits.append(commit)
        self.made += 1
        return commit

    def commit_at(self, key: str, commit: int) -> int:
        """Return the newest commit, up to this one, that changed the key."""
        commits = self._commits[key]
        return commits[bisect_right(commits, commit) - 1]
