"""Several changes as one commit, and changing a value in place."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from backpack.errors import ConflictError, UnknownKey
from backpack.forgetting import erase
from backpack.labels import check_key
from backpack.nodes import labelled

if TYPE_CHECKING:
    from backpack.engine import Engine, Staged
    from backpack.history import Current
    from backpack.labels import Labels
    from backpack.records import Commit

__all__ = ["Transaction", "edit", "pack_edited", "transact"]

_MISSING: Final = object()


class Transaction(MutableMapping[str, Any]):
    """The state with changes that become one commit, all or none, when the block ends.

    Made by :meth:`~backpack.container.Backpack.transaction`. It reads its own changes; nobody
    else sees them before. Values are taken as they are when they are packed. An exception in
    the block discards everything; a block that changes nothing makes no commit. Other threads
    wait while the block runs. What the transaction has read or changed must be as it was then
    when the block ends; if the block itself, or another task of this thread, has packed it since,
    that is a :class:`~backpack.errors.ConflictError`, and nothing is committed.

    Attributes:
        commit: The commit that was made; None until the block has ended, and if nothing changed.
    """

    def __init__(self, engine: Engine) -> None:
        self.commit: Commit | None = None
        self._engine = engine
        self._staged: dict[str, Staged | None] = {}
        self._seen: dict[str, Current | None] = {}
        self._erased: list[Commit | str] = []
        self._open = True

    @property
    def is_changed(self) -> bool:
        """Whether it will make a commit."""
        return bool(self._staged)

    def pack(self, key: str, value: object) -> None:
        """Set ``key`` to ``value``, as it is at this moment.

        Raises:
            InvalidKey: The key is not a non-empty string.
            UnpackableValue: The value cannot be kept exactly.
            PolicyError: A policy failed.
        """
        self._check_open()
        key = check_key(key)
        self._exists(key)
        self._staged[key] = self._engine.stage(key, value)

    def unpack(self, key: str, default: Any = _MISSING) -> Any:
        """Return a new copy of the value as this transaction sees it.

        Raises:
            UnknownKey: The key does not exist, and no default was given.
        """
        if key in self._staged:
            staged = self._staged[key]
            if staged is not None:
                return self._engine.reader.decode(key, staged.encoded)
        elif self._exists(key):
            return self._engine.unpack(key)
        if default is _MISSING:
            raise UnknownKey(f"there is no key {key!r:.60} in this transaction")
        return default

    def remove(self, key: str) -> None:
        """Remove ``key``.

        Raises:
            UnknownKey: The key does not exist.
        """
        self._check_open()
        if key not in self:
            raise UnknownKey(f"there is no key {key!r:.60} in this transaction")
        if self._exists(key):
            self._staged[key] = None
        else:
            del self._staged[key]

    def erase(self, *commits: Commit | str) -> None:
        """Have commits go for good in the moment in which this one comes; the newest may be one.

        See :meth:`Backpack.erase <backpack.container.Backpack.erase>`. The transaction has to
        change something.

        Args:
            *commits: Commits or their ids.
        """
        self._check_open()
        self._erased += commits

    def clear(self) -> None:
        """Remove every key."""
        self._check_open()
        self._staged.clear()
        for key in self._engine.current_keys():
            self._exists(key)
            self._staged[key] = None

    def popitem(self) -> tuple[str, Any]:
        """Remove the key that was added last, and return it with its value.

        A key that was removed and set again in the same transaction keeps its place: one commit
        changes it once.

        Raises:
            UnknownKey: There is none.
        """
        for key in reversed(list(self)):
            return key, self.pop(key)
        raise UnknownKey("there is no key to pop: the state is empty")

    def __getitem__(self, key: str) -> Any:
        return self.unpack(key)

    def __setitem__(self, key: str, value: object) -> None:
        self.pack(key, value)

    def __delitem__(self, key: str) -> None:
        self.remove(key)

    def __contains__(self, key: object) -> bool:
        if key in self._staged:
            return self._staged[key] is not None
        return isinstance(key, str) and self._exists(key)

    def __iter__(self) -> Iterator[str]:
        before = [
            key for key in self._engine.current_keys() if self._staged.get(key, self) is not None
        ]
        added = (key for key, staged in self._staged.items() if staged is not None)
        return iter(dict.fromkeys((*before, *added)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Transaction of {len(self._staged)} changes on {self._engine.code}>"

    def _exists(self, key: str) -> bool:
        """Whether the key exists outside; remember what was there when it was first asked for."""
        history = self._engine.history
        history.settle()
        current = history.current.get(key)
        self._seen.setdefault(key, current)
        return current is not None

    def _check_unchanged(self) -> None:
        history = self._engine.history
        history.settle()
        for key, current in self._seen.items():
            if history.current.get(key) is not current:
                raise ConflictError(
                    f"{key!r:.60} was packed or removed while a transaction that uses it was open; "
                    "nothing of it was committed: repeat it with the new value"
                )

    def _check_open(self) -> None:
        if not self._open:
            raise RuntimeError(
                "this transaction has ended; change it inside `with backpack.transaction() as tx:`"
            )


# Both are generators because an interruption between taking a lock and entering the block leaves
# a suspended generator, which releases the lock when it is collected; a class would leak it.


@contextmanager
def transact(engine: Engine, labels: Labels) -> Iterator[Transaction]:
    """Open a transaction; commit what it staged when the block ends without an exception.

    Raises:
        ConflictError: What it used was packed or removed while the block ran.
    """
    labels = labelled(engine.nodes, labels)
    with engine.lock:
        transaction = Transaction(engine)
        try:
            yield transaction
            if transaction._erased:
                transaction.commit = _erasing(engine, transaction, labels)
                return
            if transaction._staged:
                transaction._check_unchanged()
                transaction.commit = engine.commit(transaction._staged, labels)
        finally:
            transaction._open = False


def _erasing(engine: Engine, transaction: Transaction, labels: Labels) -> Commit | None:
    """Commit what a transaction staged, and erase what it is to erase."""
    if not transaction._staged:
        raise ConflictError(
            "a transaction that erases commits has to make one, and this one has changed nothing; "
            "nothing was erased: Backpack.erase needs no transaction"
        )
    transaction._check_unchanged()
    return erase(engine, transaction._erased, (transaction._staged, labels))


@contextmanager
def edit(engine: Engine, key: str, labels: Labels) -> Iterator[Any]:
    """Give out a copy of a value; pack what the block has made of it.

    Raises:
        UnknownKey: The key does not exist.
        ConflictError: The key was packed or removed while the block ran.
    """
    labels = labelled(engine.nodes, labels)
    with engine.lock:
        value = engine.unpack(key)
        before = engine.history.current[key]
        yield value
        pack_edited(engine, key, before, value, labels)


def pack_edited(engine: Engine, key: str, before: Current, value: object, labels: Labels) -> None:
    """Pack what became of a value, if it is another and nobody has packed the key meanwhile.

    Args:
        engine: The engine; its lock is held.
        key: The key.
        before: What was under the key.
        value: What became of it.
        labels: Those of the commit.

    Raises:
        ConflictError: The key was packed or removed since.
    """
    staged = engine.stage(key, value)
    engine.history.settle()
    if engine.history.current.get(key) is not before:
        raise ConflictError(
            f"{key!r:.60} was packed or removed while it was being edited; the edit was "
            "not packed: read the value again and repeat it"
        )
    if staged.encoded != before.encoded:
        engine.commit({key: staged}, labels)
