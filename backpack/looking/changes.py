"""What changed inside a value: where, how, from what, to what.

The walk goes down wherever the encoded bytes differ, so that it finds something exactly where they
do. What differs between two lists, dicts or sets is found by deepdiff, which is given a digest for
each value in them: it would take ``1`` for ``True``, and a list of dicts item by item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias

from attrs import define, field, frozen

from backpack.codec import MsgpackCodec
from backpack.codec.foreign import Foreign, decode_foreign
from backpack.codec.ways import element_step, index_step, key_step
from backpack.errors import ConfigError, UnpackableValue
from backpack.records import digest

__all__ = ["ABSENT", "Absent", "Difference", "Kind", "deepdiff", "differences"]

Kind: TypeAlias = Literal["added", "removed", "changed", "type", "order"]

#: So many lists, dicts and sets of a value are looked into, and so many differences are told.
_LOOKED_INTO: Final = 1_000
_TOLD: Final = 10_000
#: Steps, about, that may be taken to find which items of two lists belong together.
_STEPS: Final = 5_000_000
#: So many levels of a value are looked into: what is in one is encoded anew on each.
_LEVELS: Final = 40


class Absent:
    """What stands for a value that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()


@frozen(eq=False)
class Difference:
    """One difference between two values.

    Attributes:
        path: Where: ``plan.steps[3].client``. Of an item of a list, where it is after, or, if it
            was removed, where it was.
        kind: ``added``, ``removed`` or ``changed``; of another ``type``; or a dict that has its
            keys in another ``order``.
        before: What was there; :data:`ABSENT` if nothing was.
        after: What is there; :data:`ABSENT` if nothing is.
        note: Why nothing is told of what differs inside, where something might.
    """

    path: str
    kind: Kind
    before: object
    after: object
    note: str | None = None


@frozen(eq=False)
class _Pair:
    """Two values that differ, to be looked into."""

    path: str
    before: Any
    after: Any
    level: int = 0


_Found: TypeAlias = Difference | _Pair


def differences(before: bytes, after: bytes, path: str = "") -> tuple[Difference, ...]:
    """Return what differs between two encoded values; nothing exactly if their bytes are equal.

    It takes bounded time beside what is linear in their size: what would take longer is told as
    ``changed``, with a note.

    Args:
        before: The encoded bytes of the one, from the default codec.
        after: Those of the other.
        path: What the value is called.

    Raises:
        CorruptError: One of them is no value.
        ConfigError: deepdiff is not installed.

    >>> from backpack import MsgpackCodec
    >>> encode = MsgpackCodec().encode
    >>> before, after = encode({"steps": ["look", "book"]}), encode({"steps": ["look", 2, "book"]})
    >>> [(each.path, each.kind, each.after) for each in differences(before, after, "plan")]
    [('plan.steps[1]', 'added', 2)]
    """
    if before == after:
        return ()
    pair = _Pair(path, decode_foreign(before), decode_foreign(after))
    walk = _Walk()
    if walk.is_same(pair):
        # Bytes that the codec would write otherwise: only somebody else could have written them.
        note = "the same value, stored differently"
        return (Difference(path, "changed", pair.before, pair.after, note),)
    return tuple(walk.differences(pair))


@define
class _Walk:
    """One walk over two values; it counts what it may yet do."""

    looks: int = _LOOKED_INTO
    steps: int = _STEPS
    deep: Any = field(factory=lambda: deepdiff())
    codec: MsgpackCodec = field(factory=MsgpackCodec)

    def is_same(self, pair: _Pair) -> bool:
        """Whether two values are the same, as far as can be told."""
        try:
            return self._token(pair.before) == self._token(pair.after)
        except UnpackableValue:
            return False

    def differences(self, pair: _Pair) -> Iterator[Difference]:
        """Iterate over what differs; the walk keeps its own stack, whatever the depth."""
        stack: list[_Found] = [pair]
        told = 0
        while stack:
            found = stack.pop()
            if isinstance(found, _Pair):
                stack.extend(reversed(self._inside(found)))
                continue
            told += 1
            if told == _TOLD:
                note = f"and more: only the first {_TOLD:,} differences are told"
                yield Difference(found.path, found.kind, found.before, found.after, note)
                return
            yield found

    def _inside(self, pair: _Pair) -> Sequence[_Found]:
        """Return what differs in two values, in order; they are not the same."""
        path, before, after = pair.path, pair.before, pair.after
        looker = _looker(before, after)
        if looker is None:
            is_one_type = _type_of(before) == _type_of(after)
            return [Difference(path, "changed" if is_one_type else "type", before, after)]
        if self.looks == 0:
            note = f"not looked into: {_LOOKED_INTO:,} others in this value were"
            return [Difference(path, "changed", before, after, note)]
        self.looks -= 1
        try:
            found = looker(self, pair) if pair.level < _LEVELS else None
        except UnpackableValue:
            found = None
        if found is None:
            return [Difference(path, "changed", before, after, "not looked into: it is too deep")]
        return found or [Difference(path, "changed", before, after)]

    def _of_dicts(self, pair: _Pair) -> list[_Found]:
        before, after = self._by_key(pair.before), self._by_key(pair.after)
        found: list[_Found] = []
        for token, kind in self._differing(
            {token: self._token(value) for token, (_, value) in before.items()},
            {token: self._token(value) for token, (_, value) in after.items()},
        ):
            key = (before if token in before else after)[token][0]
            path = pair.path + key_step(key)
            old = before[token][1] if token in before else ABSENT
            new = after[token][1] if token in after else ABSENT
            found.append(_found(pair, path, kind, old, new))
        common = [token for token in before if token in after]
        if common != [token for token in after if token in before]:
            old_order, new_order = ([key for key, _ in each.values()] for each in (before, after))
            found.append(Difference(pair.path, "order", old_order, new_order))
        return found

    def _of_records(self, pair: _Pair) -> Sequence[_Found]:
        before, after = pair.before.value, pair.after.value
        if _looker(before, after) is None or (
            type(before) is dict and self._token(before) == self._token(after)
        ):
            return []  # It is in the rest.
        return self._inside(_Pair(pair.path, before, after, pair.level + 1))

    def _of_sets(self, pair: _Pair) -> list[_Found]:
        before = {self._token(each): each for each in pair.before}
        after = {self._token(each): each for each in pair.after}
        found: list[_Found] = []
        path = pair.path + element_step(None)
        for token, kind in self._differing(dict.fromkeys(before, ""), dict.fromkeys(after, "")):
            old, new = before.get(token, ABSENT), after.get(token, ABSENT)
            found.append(_found(pair, path, kind, old, new))
        return found

    def _of_lists(self, pair: _Pair) -> list[_Found]:
        before, after = pair.before, pair.after
        one = [self._token(each) for each in before]
        other = [self._token(each) for each in after]
        first = _alike(zip(one, other, strict=False))
        last = _alike(zip(reversed(one[first:]), reversed(other[first:]), strict=False))
        one, other = one[first : len(one) - last], other[first : len(other) - last]
        places = self._places(one, other)
        if places is None:
            note = "not compared item by item: too many of them moved"
            return [Difference(pair.path, "changed", before, after, note)]
        found: list[_Found] = []
        for kind, old, new in places:
            path = pair.path + index_step(first + (old if kind == "removed" else new))
            was = ABSENT if kind == "added" else before[first + old]
            new_one = ABSENT if kind == "removed" else after[first + new]
            found.append(_found(pair, path, kind, was, new_one))
        return found

    def _differing(
        self, before: dict[str, str], after: dict[str, str]
    ) -> Iterator[tuple[str, Kind]]:
        """Iterate over the keys under which two dicts of tokens differ, in their order."""
        # Without the threshold, two that have little in common would be told as a whole.
        tree = self.deep(before, after, view="tree", threshold_to_diff_deeper=0)
        levels = [level for each in tree.values() for level in each]
        differing = {level.path(output_format="list")[-1] for level in levels}
        for token in before:
            if token in differing:
                yield token, "changed" if token in after else "removed"
        for token in after:
            if token not in before:
                yield token, "added"

    def _places(self, one: list[str], other: list[str]) -> list[tuple[Kind, int, int]] | None:
        """Return ``(kind, place before, place after)`` of the items that differ.

        Returns:
            None where it would take too long to tell.
        """
        steps = _steps(one, other)
        if steps > self.steps:
            if len(one) != len(other):
                return None
            differing = [at for at, token in enumerate(one) if token != other[at]]
            if 2 * len(differing) > len(one):
                return None
            return [("changed", at, at) for at in differing]
        self.steps -= steps
        tree = self.deep(one, other, view="tree", threshold_to_diff_deeper=0)
        found: list[tuple[int, int, Kind, int, int]] = []
        for name, levels in tree.items():
            for level in levels:
                (old,) = level.path(output_format="list")
                (new,) = level.path(output_format="list", use_t2=True)
                kind: Kind = (
                    "added"
                    if name == "iterable_item_added"
                    else "removed"
                    if name == "iterable_item_removed"
                    else "changed"
                )
                found.append((new, old, kind, old, new))
        return [(kind, old, new) for _, _, kind, old, new in sorted(found)]

    def _by_key(self, value: dict[Any, Any]) -> dict[str, tuple[Any, Any]]:
        return {self._token(key): (key, item) for key, item in value.items()}

    def _token(self, value: object) -> str:
        """Return what two values have in common exactly if they are the same."""
        return digest(self.codec.encode(value))


def _found(pair: _Pair, path: str, kind: Kind, before: object, after: object) -> _Found:
    if kind == "changed":
        return _Pair(path, before, after, pair.level + 1)
    return Difference(path, kind, before, after)


def _looker(before: Any, after: Any) -> Callable[[_Walk, _Pair], Sequence[_Found]] | None:
    """Return what looks into two values; None where only the whole can be told."""
    kind = type(before)
    if kind is not type(after):
        return None
    if kind is dict:
        return _Walk._of_dicts
    if kind is list or kind is tuple:
        return _Walk._of_lists
    if kind is set or kind is frozenset:
        return _Walk._of_sets
    if kind is Foreign and (before.kind, before.name) == (after.kind, after.name):
        return _Walk._of_records
    return None


def _type_of(value: object) -> object:
    return (value.kind, value.name) if isinstance(value, Foreign) else type(value)


def _alike(pairs: Any) -> int:
    """Return in how many pairs, from the first on, both are equal."""
    count = 0
    for one, other in pairs:
        if one != other:
            break
        count += 1
    return count


def _steps(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many steps, at most about, it takes to align two lists of tokens.

    difflib, which deepdiff leaves that to, looks at every place of every token once for each
    stretch that both have in common.
    """
    counts = Counter(other)
    places: dict[tuple[str, int], int] = {}
    seen: Counter[str] = Counter()
    for at, token in enumerate(other):
        places[token, seen[token]] = at
        seen[token] += 1
    seen.clear()
    stretches, last, steps = 1, -1, 0
    for token in one:
        steps += 1 + counts[token]
        place = places.get((token, seen[token]))
        seen[token] += 1
        if place is not None:
            stretches += place != last + 1
            last = place
    return steps * stretches


def deepdiff() -> Any:
    """Return the class that finds differences, imported now.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        return import_module("deepdiff").DeepDiff
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"what changed inside a value is told with the package {error.name}; "
            'pip install "backpack-memory[look]" brings it'
        ) from error
