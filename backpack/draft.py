"""The draft: how entries will lean on each other after a change, worked out beside what is.

Versions go and groups are made on paper first; only what is left at the end is put to the
storage policy. No entry is touched: :meth:`Draft.finished` returns what each shall be.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from attrs import define, evolve, frozen

from backpack.entries import EMPTY_TAIL, Form, Tail, fingerprint
from backpack.records import SupersededVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from backpack.entries import Entry
    from backpack.store import Store

__all__ = ["Draft", "Rewritten", "Workshop"]

#: So many entries lean on one at most; the next equal version is held once more, and found.
_DEPENDENTS: Final = 64

#: Encoded bytes that are kept at hand while a change is worked out.
_AT_HAND: Final = 8 * 1024 * 1024


@frozen
class Rewritten:
    """What an entry shall be; the attributes are those of the entry."""

    entry: Entry
    form: Form
    data: bytes
    base: Entry | None
    dependents: tuple[Entry, ...]
    mark: int | None


class Workshop:
    """What the drafts of one change share: what was read and held is not read and held twice.

    Args:
        store: Asks the storage policy.

    Attributes:
        store: The same.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._encoded: dict[Entry, bytes] = {}
        self._at_hand = 0
        self._held: dict[tuple[Entry, Entry | None], bytes] = {}

    def encoded(self, entry: Entry) -> bytes:
        """Return the encoded bytes of an entry, as it is held before the change."""
        if entry.form is Form.RAW:
            return entry.data
        known = self._encoded.get(entry)
        if known is None:
            known = self.store.encoded(entry)
            if self._at_hand > _AT_HAND:
                self._encoded.clear()
                self._at_hand = 0
            self._encoded[entry] = known
            self._at_hand += len(known)
        return known

    def held(self, entry: Entry, base: Entry | None) -> bytes:
        """Return what the storage policy holds of an entry, alone or beside its base."""
        held = self._held.get((entry, base))
        if held is None:
            neighbour = None if base is None else self.encoded(base)
            encoded = self.encoded(entry)
            held = self.store.hold(SupersededVersion(entry.key, entry.seq, encoded, neighbour))
            self._held[entry, base] = held
        return held


@define
class _Sketch:
    """An entry as it shall be; without data, that is still to be asked for."""

    form: Form
    data: bytes | None
    base: Entry | None
    dependents: list[Entry]
    mark: int | None


class Draft:
    """The entries and marks that a change alters.

    Args:
        marks: ``{fingerprint: entry}`` before the change; left alone.
        workshop: Reads and holds.

    Attributes:
        marks: What will be found under a fingerprint; None for nothing.
    """

    def __init__(self, marks: Mapping[int, Entry], workshop: Workshop) -> None:
        self.marks: dict[int, Entry | None] = {}
        self._before = marks
        self._workshop = workshop
        self._sketches: dict[Entry, _Sketch] = {}
        self._heirs: dict[Entry, Entry | None] = {}

    def drop(self, entry: Entry) -> None:
        """Let a version go; who leans on it shall lean on the next in line."""
        gone = self._sketch(entry)
        if gone.base is not None:
            self._sketch(gone.base).dependents.remove(entry)
        if gone.mark is not None:
            self.marks[gone.mark] = None
        heir = self._next_in_line(gone)
        self._heirs[entry] = heir
        del self._sketches[entry]
        if heir is None:
            return
        taking = self._sketch(heir)
        is_same = taking.form is Form.SAME
        others = [each for each in gone.dependents if each is not heir]
        taking.base, taking.data = gone.base, None
        taking.form = Form.ALONE if gone.base is None else Form.LEANING
        taking.dependents += others
        if gone.base is not None:
            self._sketch(gone.base).dependents.append(heir)
        if is_same and gone.mark is not None:
            taking.mark = gone.mark
            self.marks[gone.mark] = heir
        for other in others:  # Of others only where the heir is the same: one leans on each.
            self._sketch(other).base = heir

    def tail(self, tail: Tail, arriving: Iterable[Entry] = ()) -> Tail:
        """Return a chain's tail without the versions that went, with those that arrive."""
        leader, raw, size = tail.leader, tail.raw, tail.size
        if self._heirs:
            leader = self._who_leads(tail)
            raw = tuple(each for each in raw if each not in self._heirs)
            size = sum(len(each.data) for each in raw)
        for entry in arriving:
            raw = (*raw, entry)
            size += len(entry.data)
        if leader is None and not raw:
            return EMPTY_TAIL
        return Tail(leader, tail.reach, raw, size)

    def group(self, tail: Tail) -> Tail:
        """Return a tail of which a group is made if it is long enough; its newest stay raw."""
        store = self._workshop.store
        return self._closed(tail, store.kept) if len(tail.raw) >= store.longest_tail else tail

    def close(self, tail: Tail) -> Tail:
        """Return a tail of which only the leader may be raw."""
        return self._closed(tail, 0)

    def press(self, tail: Tail) -> Tail:
        """Leave nothing raw in a tail, and return the new tail."""
        tail = self._closed(tail, 0)
        if tail.leader is not None:
            self._stand(tail.leader)
        return tail

    def raw_bytes(self, tail: Tail) -> int:
        """Return how many bytes a tail holds raw."""
        leader = tail.leader
        if leader is None:
            return tail.size
        sketch = self._sketches.get(leader)
        is_raw = (leader if sketch is None else sketch).form is Form.RAW
        return tail.size + len(leader.data) if is_raw else tail.size

    def finished(self) -> list[Rewritten]:
        """Return what every altered entry shall be, asking the storage policy where need be.

        Raises:
            PolicyError: The policy failed.
        """
        return [
            Rewritten(
                entry,
                sketch.form,
                self._workshop.held(entry, sketch.base) if sketch.data is None else sketch.data,
                sketch.base,
                tuple(sketch.dependents),
                sketch.mark,
            )
            for entry, sketch in self._sketches.items()
        ]

    def released(self) -> list[Rewritten]:
        """Return that those that went hold nothing and nobody.

        Two that lean on each other are a cycle: their memory would wait for the collector.
        """
        return [Rewritten(entry, Form.RAW, b"", None, (), None) for entry in self._heirs]

    def _who_leads(self, tail: Tail) -> Entry | None:
        """Return the leader of a tail, or who took its place in this chain."""
        leader = tail.leader
        while leader is not None and leader in self._heirs:
            leader = self._heirs[leader]
        if leader is not None and tail.leader is not None and leader.key != tail.leader.key:
            return None  # An equal version of another key took over; it leads nothing here.
        return leader

    def _closed(self, tail: Tail, kept: int) -> Tail:
        """Make groups of all but the newest raw versions of a tail, and return the new tail."""
        while len(tail.raw) > kept:
            tail = self._grouped(tail, min(len(tail.raw) - kept, self._workshop.store.span))
        return tail

    def _grouped(self, tail: Tail, count: int) -> Tail:
        """Make a group of the oldest raw versions of a tail, and return the new tail."""
        closing, raw = tail.raw[:count], tail.raw[count:]
        size = tail.size - sum(len(each.data) for each in closing)
        group = [entry for entry in reversed(closing) if not self._is_the_same(entry)]
        if not group:
            return evolve(tail, raw=raw, size=size)
        for newer, older in pairwise(group):
            self._lean(older, newer)
        reach = len(group)
        if tail.leader is not None and tail.reach + reach <= self._workshop.store.span:
            self._lean(tail.leader, group[-1])
            reach += tail.reach
        return Tail(group[0], reach, raw, size)

    def _sketch(self, entry: Entry) -> _Sketch:
        sketch = self._sketches.get(entry)
        if sketch is None:
            sketch = _Sketch(entry.form, entry.data, entry.base, list(entry.dependents), entry.mark)
            self._sketches[entry] = sketch
        return sketch

    def _next_in_line(self, gone: _Sketch) -> Entry | None:
        """Return who takes the place: one that is the same, or else the nearest."""
        for each in reversed(gone.dependents):
            if self._sketch(each).form is Form.SAME:
                return each
        return gone.dependents[0] if gone.dependents else None

    def _is_the_same(self, entry: Entry) -> bool:
        """Make an entry the same as an equal one, or have it found by the next equal one."""
        encoded = entry.data
        mark = fingerprint(encoded)
        known = self.marks[mark] if mark in self.marks else self._before.get(mark)
        if known is not None and self._workshop.encoded(known) == encoded:
            twin = self._sketch(known)
            if len(twin.dependents) < _DEPENDENTS:
                twin.dependents.append(entry)
                sketch = self._sketch(entry)
                sketch.form, sketch.data, sketch.base = Form.SAME, b"", known
                return True
        if known is not None:
            self._sketch(known).mark = None
        self._sketch(entry).mark = mark
        self.marks[mark] = entry
        return False

    def _lean(self, entry: Entry, base: Entry) -> None:
        sketch = self._sketch(entry)
        sketch.form, sketch.data, sketch.base = Form.LEANING, None, base
        self._sketch(base).dependents.append(entry)

    def _stand(self, entry: Entry) -> None:
        sketch = self._sketch(entry)
        if sketch.form is Form.RAW:
            sketch.form, sketch.data = Form.ALONE, None
