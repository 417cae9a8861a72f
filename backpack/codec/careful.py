"""The careful way to bytes: a walk over the value that knows where it is.

It makes a tree msgpack can write without a hook, and it is where a value is refused: with the path
to what is wrong. It keeps its own stack, so the depth of a value is no matter of Python's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from itertools import chain
from types import GeneratorType
from typing import Final, NamedTuple, NoReturn, TypeAlias

from ormsgpack import Ext

from backpack.codec import layout
from backpack.codec.atoms import ATOM_WRITERS
from backpack.codec.classes import ClassRegistry
from backpack.codec.encode import is_plain, opened
from backpack.codec.layout import LEVELS, PLAIN_LEVELS, Refused, pack
from backpack.codec.ways import element_step, index_step, key_step, no_step, which_key_step
from backpack.errors import UnpackableValue
from backpack.unicode import is_unicode

__all__ = ["encode_careful"]

_READY: Final = frozenset({type(None), bool, float, bytes})
_WAY_LENGTH: Final = 200
# So many levels from the top, a list or dict is first offered to msgpack whole: most of a value
# with one odd key is plain. Deeper down, failed offers would add up to quadratic work.
_TRIES: Final = 4


class _Child(NamedTuple):
    """A value inside another, and how to write the way to it."""

    value: object
    label: Callable[[object], str]
    at: object


_Steps: TypeAlias = Generator[_Child, object, object]
"""Yields children, is sent what msgpack shall write for each, returns the same for the parent."""


def encode_careful(value: object, path: str, classes: ClassRegistry) -> bytes:
    """Return the value's bytes.

    Args:
        value: The value.
        path: Its name in errors.
        classes: The classes of the codec.

    Raises:
        UnpackableValue: It cannot be packed; the path inside the value is named.
    """
    return _Walk(path, classes).write(value)


class _Walk:
    def __init__(self, path: str, classes: ClassRegistry) -> None:
        self._path = path
        self._classes = classes
        self._trail: list[_Child] = []  # from the value to where the walk is

    def write(self, value: object) -> bytes:
        root = _Child(value, no_step, None)
        try:
            return _pack(self._lowered(root))
        except Refused as refusal:
            raise UnpackableValue(str(refusal), path=self._way()) from refusal.__cause__

    def _lowered(self, root: _Child) -> object:
        """Return what msgpack can write for the root, driving the steps of all inside it."""
        stack: list[_Steps] = []
        entered: dict[int, int] = {}  # id of a value on the stack: its level
        child = root
        while True:
            if child is not root:
                self._trail.append(child)
            answer = self._start(child.value, len(stack))
            if isinstance(answer, GeneratorType):
                if id(child.value) in entered:
                    self._refuse_cycle(child.value, entered[id(child.value)])
                if len(stack) == LEVELS:
                    raise Refused(
                        f"more than {LEVELS:,} levels of values inside one another;"
                        " pack the inner ones under keys of their own"
                    )
                entered[id(child.value)] = len(stack)
                stack.append(answer)
                answer = None
            elif child is root:
                return answer
            else:
                self._trail.pop()
            while True:
                try:
                    child = stack[-1].send(answer)
                    break
                except StopIteration as done:
                    answer = done.value
                    stack.pop()
                    entered.popitem()
                    if not stack:
                        return answer
                    self._trail.pop()

    def _way(self, levels: int | None = None) -> str:
        """Return the path to where the walk is, or to one of the values that is inside of."""
        steps = [child.label(child.at) for child in self._trail[:levels]]
        way = "".join([self._path, *steps]).removeprefix(".")
        return way if len(way) <= _WAY_LENGTH else f"{way[: _WAY_LENGTH // 2]} ... {way[-40:]}"

    def _refuse_cycle(self, value: object, level: int) -> NoReturn:
        raise Refused(
            f"the {type(value).__name__} at {self._way(level) or 'the top'} is inside itself here;"
            " a cycle cannot be packed, break it"
        )

    def _start(self, value: object, level: int) -> object:
        """Return what msgpack can write for a leaf, or the steps of a value that holds others."""
        if _is_ready(value):
            return value
        kind = type(value)
        if (kind is list or kind is dict) and level < _TRIES and is_plain(value):
            return value
        if kind is list:
            return self._list(value, index_step)  # type: ignore[arg-type]
        if kind is dict:
            return self._dict(value, level)  # type: ignore[arg-type]
        atom = ATOM_WRITERS.get(kind)
        if atom is not None:
            return atom(value)
        code, body = opened(value, self._classes)
        return self._extension(code, body)

    def _list(self, items: Iterable[object], label: Callable[[object], str]) -> _Steps:
        lowered = []
        for at, item in enumerate(items):
            lowered.append(item if _is_ready(item) else (yield _Child(item, label, at)))
        return lowered

    def _dict(self, value: dict[object, object], level: int) -> _Steps:
        items = list(value.items())
        if all(type(key) is str and is_unicode(key) for key, _ in items):
            lowered = {}
            for key, item in items:
                lowered[key] = item if _is_ready(item) else (yield _Child(item, key_step, key))
            return lowered
        pairs = list(chain.from_iterable(items))
        if level >= _TRIES or not is_plain(pairs):
            for at, (key, item) in enumerate(items):
                pairs[2 * at] = yield _Child(key, which_key_step, at)
                pairs[2 * at + 1] = yield _Child(item, key_step, key)
        return Ext(layout.MAP, _pack(pairs))

    def _extension(self, code: int, body: list[object]) -> _Steps:
        label = _LABELS.get(code, no_step)
        lowered = yield from self._list(body, label)
        if code == layout.SET or code == layout.FROZENSET:
            lowered = sorted(lowered, key=pack)  # type: ignore[call-overload]
        return Ext(code, _pack(lowered))


def _pack(lowered: object) -> bytes:
    try:
        return pack(lowered)
    except TypeError:
        raise Refused(
            f"more than {PLAIN_LEVELS} lists and dicts inside one another;"
            " pack the inner ones under keys of their own"
        ) from None


def _is_ready(value: object) -> bool:
    """Whether this is a leaf that msgpack writes as it is."""
    kind = type(value)
    if kind is str:
        return is_unicode(value)  # type: ignore[arg-type]
    if kind is int:
        return -(2**63) <= value < 2**64  # type: ignore[operator]
    return kind in _READY


_LABELS: Final = {
    layout.TUPLE: index_step,
    layout.SET: element_step,
    layout.FROZENSET: element_step,
}
