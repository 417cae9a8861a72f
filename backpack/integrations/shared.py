"""A Backpack where plain functions expect a shared dict, and change what they find in it.

``shared["messages"].append(...)`` changes what a dict holds, but only a copy of what a
:class:`~backpack.container.Backpack` holds. A :class:`SharedState` hands out values that are live
while a node runs, and commits what has changed of them when it ends: found by comparing their
encoded bytes with those of the last commit, so that nobody has to say so.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from backpack.container import Backpack
from backpack.errors import ConflictError, UnknownKey, UnpackableValue
from backpack.labels import Labels, check_key, check_labels, check_node
from backpack.nodes import Nodes
from backpack.wording import described

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from backpack.engine import Engine, Staged
    from backpack.history import Current

__all__ = ["SharedState"]

_GONE: Final = object()


class SharedState(MutableMapping[str, Any]):
    """The state of a Backpack as a shared dict, whose changes are committed node by node.

    Inside ``with state.node("triage") as shared:`` it is used as a dict, and the values it gives
    are the state's own: changing them in place counts. When the block ends, all that has changed
    becomes one commit, ``by`` the node; a block that changes nothing makes none. It does not
    matter how a value was changed, nor whether the key was set again.

    **A block that raises commits nothing**, and the values are again those of the last commit; so
    does one that leaves behind what cannot be packed. What other nodes have committed meanwhile
    stays.

    **A node inside a node**: what the outer one has changed so far is committed first, by it.

    **Nodes that run in parallel**, in tasks or threads, work on values of their own. Each sees
    what others have committed, whenever it reads a key, until it changes that itself. If others
    have changed a key since it was last read, a node that changes it too raises a
    ``ConflictError`` when it ends, and commits nothing: what it has not seen is not lost silently.
    A node that reads and changes a key without awaiting anything in between cannot be in conflict
    with another task.

    Values stay the same objects from node to node, and are compared at the end of each, once they
    were used: that takes the memory and the time that encoding them takes.

    Outside of any node it cannot be used: read and write the Backpack itself.

    Args:
        backpack: The Backpack; of an ``AsyncBackpack``, its ``sync``.

    Attributes:
        backpack: The same.

    Raises:
        TypeError: It is no Backpack.

    >>> bp = Backpack()
    >>> bp["messages"] = ["any flights?"]
    >>> state = SharedState(bp)
    >>> with state.node("triage") as shared:
    ...     shared["messages"].append("which day?")
    ...     shared["urgent"] = False
    >>> bp["messages"]
    ['any flights?', 'which day?']
    >>> bp.head.by, bp.head.keys
    ('triage', ('messages', 'urgent'))
    """

    def __init__(self, backpack: Backpack) -> None:
        if not isinstance(backpack, Backpack):
            raise TypeError(
                "a SharedState is made of a Backpack (of an AsyncBackpack, take its .sync), not "
                f"{described(backpack)}"
            )
        self.backpack = backpack
        self._nodes: Nodes[_Open] = Nodes()
        # The values that the last node has used; whichever node is first takes them.
        self._idle: dict[str, _Live] | None = None

    def node(
        self, name: str, /, *, tags: Iterable[str] = (), note: str | None = None
    ) -> AbstractContextManager[SharedState]:
        """Return the block of a node, which makes what has changed one commit when it ends.

        Args:
            name: What the node is called: the ``by`` of the commit, and of whatever else the
                block commits to the Backpack.
            tags: Labels for the commit.
            note: A remark for the commit.

        Raises:
            TypeError: A name, tag or note is none.
            UnpackableValue: At the end: a value cannot be kept exactly; names the node and the
                place inside the value.
            ConflictError: At the end: a key that it changed was changed by others, too.
            BudgetError: At the end: there is no room, and the pruning policy makes none.
        """
        return self._opened(check_labels(check_node(name), tags, note))

    @contextmanager
    def _opened(self, labels: Labels) -> Iterator[SharedState]:
        outer, thread_and_task = self._nodes.innermost(), _thread_and_task()
        view = _View(self.backpack)
        # Otherwise it has ended, or another node has begun inside it, and it was committed then.
        if outer is not None and outer.view.open[-1:] == [outer]:
            outer.view.commit(outer.labels)
            # Another task or thread may go on while this block runs.
            if outer.thread_and_task == thread_and_task:
                view = outer.view
        opened = _Open(view, labels, thread_and_task)
        with self._nodes.block(opened), self.backpack.node(str(labels.by)):
            try:
                if not view.open:
                    with view.engine.lock:
                        view.live, self._idle = self._idle or {}, None
                view.open.append(opened)
                view.settle()
                yield self
                view.commit(labels)
            except BaseException:
                try:
                    view.put_back()
                except BaseException:
                    # It was interrupted: whoever is next takes all values anew.
                    view.live.clear()
                    raise
                raise
            finally:
                opened.is_open = False
                if opened in view.open:
                    view.open.remove(opened)
                if not view.open:
                    self._idle = view.live

    def __getitem__(self, key: str) -> Any:
        return self._view().get(key)

    def __setitem__(self, key: str, value: object) -> None:
        self._view().set(check_key(key), value)

    def __delitem__(self, key: str) -> None:
        self._view().remove(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._view().holds(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._view().keys())

    def __len__(self) -> int:
        return len(self._view().keys())

    def __ior__(self, other: Any) -> SharedState:
        self.update(other)
        return self

    def __repr__(self) -> str:
        return f"<SharedState of {self.backpack!r}>"

    def clear(self) -> None:
        """Remove every key."""
        for key in list(self):
            del self[key]

    def popitem(self) -> tuple[str, Any]:
        """Remove the key that was added last, as a dict does, and return it with its value.

        Raises:
            UnknownKey: There is none.
        """
        for key in reversed(self._view().keys()):
            return key, self.pop(key)
        raise UnknownKey("there is no key to pop: the state is empty")

    def _view(self) -> _View:
        opened = self._nodes.innermost()
        if opened is None or not opened.is_open:
            ended = "" if opened is None else f"; node {described(opened.labels.by)} has ended"
            raise RuntimeError(
                f"no node of this SharedState is open here{ended}: use it inside `with "
                "state.node(name):`, in the same task or thread; outside, state.backpack has the "
                "values"
            )
        return opened.view


@define(eq=False)
class _Live:
    """A value that was handed out.

    Attributes:
        value: The value itself; ``_GONE`` where the key was removed.
        before: What the Backpack held when the value was taken from it, or first set.
        clean: The value as it was then, or at the last commit; ``_GONE`` if nobody has it.
    """

    value: Any
    before: Current | None
    clean: Any


@define(eq=False)
class _Open:
    """A node that is open.

    Attributes:
        view: What it sees.
        labels: The labels of its commit.
        thread_and_task: Where it was opened.
        is_open: Whether it still is.
    """

    view: _View
    labels: Labels
    thread_and_task: tuple[int, object]
    is_open: bool = True


@define(eq=False)
class _View:
    """The values that a node sees, and those that it is inside of.

    Attributes:
        backpack: Whose they are.
        open: The nodes, the innermost last.
        live: What was handed out, by key.
        replaced: What was handed out and has been replaced since, with its key and its bytes.
    """

    backpack: Backpack
    open: list[_Open] = field(factory=list)
    live: dict[str, _Live] = field(factory=dict)
    replaced: list[tuple[str, Any, bytes]] = field(factory=list)

    @property
    def engine(self) -> Engine:
        return self.backpack._engine

    def get(self, key: str) -> Any:
        with self.engine.lock:
            live = self._settled(key)
            if live is None:
                live = self.live[key] = self._taken(key)
        if live.value is _GONE:
            raise UnknownKey(f"there is no key {key!r:.60} in the shared state")
        return live.value

    def set(self, key: str, value: object) -> None:
        # What was read before stays what this was made from, though it may have been changed since.
        with self.engine.lock:
            live = self.live.setdefault(key, _Live(_GONE, self._current(key), _GONE))
            live.value = value

    def remove(self, key: str) -> None:
        with self.engine.lock:
            if not self.holds(key):
                raise UnknownKey(f"there is no key {key!r:.60} in the shared state")
            self.set(key, _GONE)

    def holds(self, key: str) -> bool:
        with self.engine.lock:
            live = self._settled(key)
            if live is not None:
                return live.value is not _GONE
            if self._current(key) is not None:
                return True
            self.live[key] = self._taken(key)  # That it is not there is an answer, too.
            return False

    def keys(self) -> list[str]:
        with self.engine.lock:
            known = dict.fromkeys((*self.engine.current_keys(), *self.live))
            return [key for key in known if self.holds(key)]

    def commit(self, labels: Labels) -> None:
        """Commit all that has changed since the last time.

        Raises:
            UnpackableValue: A value cannot be kept exactly.
            ConflictError: It was changed by others, too.
        """
        engine, node = self.engine, described(labels.by)
        with engine.lock:
            staged: dict[str, Staged | None] = {}
            for key, live in list(self.live.items()):
                try:
                    encoded = self._encoded(key, live.value)
                except UnpackableValue as error:
                    told = f"node {node} left there {error.message}"
                    raise UnpackableValue(told, path=error.path) from error
                if encoded == _bytes_of(live.before):
                    live.clean = live.value
                    continue
                # Also where it is the same that was packed: two that add one to a number do so.
                if live.before is not self._current(key):
                    raise ConflictError(
                        f"{key!r:.60} was packed or removed by another while node {node} was open, "
                        "which changed it too; nothing of the node was committed: let nodes that "
                        "run in parallel change keys of their own, or read and change a key "
                        "without awaiting in between"
                    )
                staged[key] = None if encoded is None else engine.stage(key, live.value)
            for key, value, before in self.replaced:
                # Where it is still another key's, that is committed.
                is_live = any(live.value is value for live in self.live.values())
                if not is_live and self._encoded(key, value) != before:
                    raise ConflictError(
                        f"node {node} changed a value of {key!r:.60} that is not the state's any "
                        "more, since another packed the key, or a node inside failed; nothing of "
                        "the node was committed: read the key again before you change its value"
                    )
            if staged:
                engine.commit(staged, labels)
                for key in staged:
                    live = self.live[key]
                    live.before, live.clean = self._current(key), live.value

    def settle(self) -> None:
        """Let go of what others have changed since it was handed out, as a node begins."""
        with self.engine.lock:
            for key, live in list(self.live.items()):
                if live.value is _GONE and live.before is None:
                    del self.live[key]
                else:
                    self._settled(key)

    def put_back(self) -> None:
        """Forget all that has changed since the last commit."""
        with self.engine.lock:
            self.replaced.clear()
            for key, live in list(self.live.items()):
                if self._is_changed(key, live):
                    live.value = live.clean
                    if self._is_changed(key, live):
                        self._replace(key)

    def _settled(self, key: str) -> _Live | None:
        """Return what was handed out of a key, if it is not to be taken anew."""
        live = self.live.get(key)
        if live is None or live.before is self._current(key) or self._is_changed(key, live):
            return live
        self._replace(key)
        return None

    def _taken(self, key: str) -> _Live:
        """Return a value as the Backpack holds it."""
        current = self._current(key)
        if current is None:
            return _Live(_GONE, None, _GONE)
        value = self.engine.reader.decode(key, current.encoded)
        return _Live(value, current, value)

    def _replace(self, key: str) -> None:
        """Let go of a value; that nobody changes it afterwards is found out at the commit."""
        live = self.live.pop(key)
        if live.value is not _GONE:
            with suppress(UnpackableValue):
                self.replaced.append((key, live.value, self.backpack.codec.encode(live.value, key)))

    def _is_changed(self, key: str, live: _Live) -> bool:
        try:
            return self._encoded(key, live.value) != _bytes_of(live.before)
        except UnpackableValue:
            return True

    def _encoded(self, key: str, value: object) -> bytes | None:
        return None if value is _GONE else self.backpack.codec.encode(value, key)

    def _current(self, key: str) -> Current | None:
        history = self.engine.history
        history.settle()
        return history.current.get(key)


def _bytes_of(current: Current | None) -> bytes | None:
    return None if current is None else current.encoded


def _thread_and_task() -> tuple[int, object]:
    """Return where the program is: the thread, and the task of asyncio if there is one."""
    # Without a task nobody needs to have imported it.
    asyncio = sys.modules.get("asyncio")
    try:
        return threading.get_ident(), None if asyncio is None else asyncio.current_task()
    except RuntimeError:
        return threading.get_ident(), None
