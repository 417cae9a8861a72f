"""A Backpack that is inspected: opened when something is asked, and let go of soon after.

Whoever holds a file open to read keeps its writer from tidying its write-ahead log. A page is
looked at for hours, so the file is held for a breath only: as long as it takes to answer what a
page asks in a row.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import ArchiveError, CorruptError, UnpackableValue
from backpack.inspect.index import Index, Names, index_of
from backpack.inspect.values import node, written
from backpack.past import Past

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backpack.records import Unavailable

__all__ = ["HELD", "MOST", "SMALL", "Inspected", "value_node"]

#: Seconds for which the file is held open at most, a question that takes longer aside.
HELD: Final = 1.0

#: Values of more encoded bytes are sent when they are asked for.
SMALL: Final = 32 * 1024
#: Values of more encoded bytes are not shown.
MOST: Final = 32 * 1024 * 1024


def value_node(
    past: Past, encoded: bytes | Unavailable | None, *, most: int = MOST, small: int = MOST
) -> str:
    """Return the JSON of a value, or of why it is not there.

    Args:
        past: The Backpack it is of.
        encoded: Its encoded bytes, or why there are none; None if it is gone.
        most: How many bytes it may have at most.
        small: With more bytes, it is only told of.
    """
    if encoded is None:
        return node("gone")
    if not isinstance(encoded, bytes):
        return written(encoded)
    if len(encoded) > most:
        return node("beyond", len(encoded))
    if len(encoded) > small:
        return node("large", len(encoded))
    try:
        return written(past.decoded(encoded))
    except (ArchiveError, CorruptError, UnpackableValue) as error:
        return node("unreadable", str(error))


class Inspected:
    """A Backpack in a file that may change, be replaced or go away.

    Args:
        place: A checkpoint, an SQLite archive, or the URL of an archive.
        name: Which Backpack of it, where there are several.
    """

    def __init__(self, place: str, name: str | None = None) -> None:
        self.place = place
        self._name = name
        self._keys = Names()
        self._lock = Lock()
        self._past: Past | None = None
        self._since = 0.0
        self._moment: tuple[object, dict[str, Any]] | None = None
        self._code: str | None = None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._let_go()

    def check(self) -> str:
        """See that there is what is to be inspected; return where, without a password.

        Raises:
            UnknownName: There is no such Backpack.
            ArchiveError: It cannot be read.
            CorruptError: It is damaged.
        """
        with self._opened() as past:
            return past.where.removeprefix("sqlite:///")

    def index(self) -> Index:
        """Return the index, as the file is at this moment.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: It is damaged.
        """
        with self._opened(is_anew=True) as past:
            self._code = past.code
            return index_of(past, self._keys)

    def values(self, wanted: Iterable[tuple[int, int]], *, whole: bool = False) -> str:
        """Return values as a JSON array.

        Args:
            wanted: The number of the key of each, and that of the commit that set it.
            whole: Whether large ones are sent, too.

        Raises:
            ArchiveError: The file cannot be read, or another Backpack is in its place.
            CorruptError: It is damaged.
        """
        small = MOST if whole else SMALL
        with self._opened() as past:
            if past.code != self._code:
                raise ArchiveError(f"another Backpack is in the place of {past.where}; reload")
            nodes = [self._node(past, key, seq, small) for key, seq in wanted]
        return f"[{','.join(nodes)}]"

    def _node(self, past: Past, key: int, seq: int, small: int) -> str:
        if key >= len(self._keys.list):
            return node("gone")
        try:
            encoded = past.encoded_by(self._keys.list[key], seq)
        except CorruptError as error:  # The other values may be whole.
            return node("unreadable", str(error))
        return value_node(past, encoded, small=small)

    def moment(self) -> dict[str, Any]:
        """Return the code and the newest commit of what is there by now.

        Raises:
            ArchiveError: It cannot be read.
            CorruptError: It is damaged.
        """
        fingerprint, known = self._fingerprint(), self._moment
        if known is not None and fingerprint is not None and known[0] == fingerprint:
            return known[1]
        with self._opened(is_anew=True) as past:
            found = {"code": past.code, "head": past.head}
        self._moment = fingerprint, found
        return found

    @contextmanager
    def _opened(self, *, is_anew: bool = False) -> Iterator[Past]:
        """Give what is there: as it is now, or was when it was opened a breath ago."""
        with self._lock:
            if is_anew or monotonic() - self._since > HELD:
                self._let_go()
            if self._past is None:
                self._past, self._since = Past(self.place, self._name), monotonic()
                timer = Timer(HELD, self._let_go_of, [self._past])
                timer.daemon = True
                timer.start()
            try:
                yield self._past
            except BaseException:  # What an error leaves of it is not to be trusted.
                self._let_go()
                raise

    def _let_go_of(self, past: Past) -> None:
        with self._lock:
            if self._past is past:
                self._let_go()

    def _let_go(self) -> None:
        past, self._past = self._past, None
        if past is not None:
            past.close()

    def _fingerprint(self) -> object:
        """Return what is another once a file has changed; None for what is no file."""
        path = Path(self.place.removeprefix("sqlite:///"))
        try:
            beside = path.with_name(f"{path.name}-wal")
            files = [each.stat() for each in (path, beside) if each.exists()]
        except OSError:
            return None
        return [(each.st_ino, each.st_mtime_ns, each.st_size) for each in files] or None
