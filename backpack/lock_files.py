"""The files by whose locks the writers of an archive in a file are told.

Each name in an archive ``runs.db`` has one beside it: ``runs.db@booking.lock``.
"""

from __future__ import annotations

import os
from glob import escape
from hashlib import blake2b
from pathlib import Path
from typing import Final
from urllib.parse import quote

__all__ = ["LONGEST_LOCK", "lock_of", "locks_of"]

_ENDING: Final = ".lock"
#: A longer name is cut, and told from others by its digest.
_LONGEST: Final = 80
#: How much longer than a file's name that of a lock may be, in characters.
LONGEST_LOCK: Final = _LONGEST + len(f"@{_ENDING}")


def lock_of(path: Path, name: str) -> Path:
    """Return the file by whose lock the writer of a name is told.

    Args:
        path: The file of the archive; who comes to it by a link has the same locks.
        name: What the Backpack is called in it.
    """
    quoted = quote(name, safe="")
    if len(quoted) > _LONGEST:
        quoted = f"{quoted[:60]}-{blake2b(name.encode(), digest_size=8).hexdigest()}"
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}@{quoted}{_ENDING}")


def locks_of(path: Path) -> list[Path]:
    """Return the locks of all names there are beside a file, sorted; and of no other file."""
    real = Path(os.path.realpath(path))
    # No name has an @ in it once it is quoted: what has one is of a file that is called so.
    return sorted(
        each
        for each in real.parent.glob(f"{escape(real.name)}@*{_ENDING}")
        if "@" not in each.name[len(real.name) + 1 :]
    )
