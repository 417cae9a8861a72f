"""Where a log ends, key by key: what the next versions lean on, and how they are written."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from attrs import frozen
from sqlalchemy import select

from backpack.archive.reading import SPAN
from backpack.archive.rows import Form, Row, number_in, place_in, version_row
from backpack.archive.tables import VERSIONS
from backpack.records import SupersededVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

    from backpack.logged import LoggedVersion
    from backpack.policies.delta import Delta

__all__ = ["Ends"]

#: By so many times has a version to be smaller beside another.
_WORTH: Final = 2
#: So many keys are known by their last version; of others it is looked up.
_ENDS: Final = 4096
#: So many keys of one commit have places of their own among all keys.
_PLACES: Final = 2**20


@frozen
class _End:
    """The last version of a key: what the next one leans on, and how far from the ground it is."""

    seq: int
    ground: int
    depth: int
    born: int


class Ends:
    """The last versions of keys, as far as they are known, and those that are being written.

    Args:
        name: What the Backpack is called in the archive.
        delta: Holds versions.
    """

    def __init__(self, name: str, delta: Delta) -> None:
        self._name = name
        self._delta = delta
        self._known: OrderedDict[str, _End] = OrderedDict()
        self._coming: dict[str, _End] = {}

    def rows(self, connection: Connection, versions: Iterable[LoggedVersion]) -> Iterator[Row]:
        """Iterate over the rows of new versions, each leaning on the one before if it can."""
        coming = self._coming = {}
        seq, place = 0, 0
        for each in versions:
            seq, place = each.seq, place + 1 if each.seq == seq else 0
            end = coming.get(each.key) or self._known.get(each.key)
            row = self._row(each, end or self._find(connection, each.key), seq * _PLACES + place)
            coming[each.key] = _End(each.seq, row["ground"], row["depth"], row["born"])
            yield row

    def doubt(self) -> None:
        """Know nothing more of the keys that were written: it may become durable, or not."""
        for key in self._coming:
            self._known.pop(key, None)

    def follow(self) -> None:
        """Know what was written: it is durable."""
        for key, end in self._coming.items():
            self._known[key] = end
            self._known.move_to_end(key)
            if len(self._known) > _ENDS:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Look everything up again, what was written included."""
        self._known.clear()
        self._coming.clear()

    def _row(self, version: LoggedVersion, end: _End, born: int) -> Row:
        key, seq, encoded, base = version.key, version.seq, version.encoded, version.base
        form, ground, depth, data = Form.ALONE, seq, 0, None
        if encoded is None:
            form, ground = Form.REMOVED if version.reference is None else Form.LEFT_OUT, 0
        elif base is not None and version.base_seq == end.seq and end.depth < SPAN - 1:
            form, ground, depth = Form.LEANING, end.ground, end.depth + 1
            data = self._delta.hold(SupersededVersion(key, seq, encoded, base))
        if encoded is not None and (data is None or len(data) * _WORTH > len(encoded)):
            # What is hardly smaller beside another is read faster alone.
            alone = self._delta.hold(SupersededVersion(key, seq, encoded))
            if data is None or len(alone) < len(data) * _WORTH:
                form, ground, depth, data = Form.ALONE, seq, 0, alone
        return version_row(
            self._name,
            key,
            seq,
            form,
            previous=end.seq,
            ground=ground,
            depth=depth,
            born=0 if form is Form.REMOVED else version.born or end.born or born,
            size=version.size,
            reference=version.reference,
            data=data,
        )

    def _find(self, connection: Connection, key: str) -> _End:
        """Look up the last version of a key.

        Raises:
            CorruptError: It is not as it was written.
        """
        row = connection.execute(
            select(VERSIONS.c.seq, VERSIONS.c.ground, VERSIONS.c.depth, VERSIONS.c.born)
            .where(VERSIONS.c.name == self._name, VERSIONS.c.key == key)
            .order_by(VERSIONS.c.seq.desc())
            .limit(1)
        ).first()
        if row is None:
            return _End(0, 0, 0, 0)
        what = f"the last version of {key!r:.60}"
        seq, ground, depth = (number_in(each, what) for each in row[:3])
        return _End(seq, ground, depth, place_in(row.born, what))
