"""A conversation in a Backpack: its items in chunks, and the turns they belong to.

A list that is packed whole costs its whole length each time. So the items of a conversation stand
in chunks of some kilobytes under keys of their own, ``chat/0``, ``chat/1``, ...: what is added
goes into the last one until that is full, and costs as much as one chunk, however long the
conversation is.

A *turn* begins with what adds a message of the user, and goes on with all that is added until the
next one; what is there before the first is turn 0. A chunk says which of its items begin a turn,
and at which commit the turn before had ended: so the past is found without being searched, and
what a pruning policy gave up, or a rollback undid, is never mistaken for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from backpack.errors import CommitPruned, ConfigError, UnknownCommit
from backpack.records import Commit
from backpack.wording import counted, described, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from backpack.container import Backpack

__all__ = ["Chat", "Turn"]

#: Encoded bytes of items from which on a chunk takes no more.
_FULL: Final = 8 * 1024

_FIELDS: Final = ("items", "starts", "turns_before", "end", "before", "cleared")


@frozen
class Turn:
    """A message of the user, and what came of it.

    Attributes:
        number: 1, 2, 3, ...; 0 for what was there before the first message of the user.
        items: Those of its items that the conversation has now.
        commit: The commit at which it ended, or has got to; None if history gave that up.
    """

    number: int
    items: list[Any]
    commit: Commit | None


@frozen
class _Chunk:
    """Some items in a row, as they are packed.

    Attributes:
        items: The items.
        starts: Of those that begin a turn: the place in it, and the id of the commit at which the
            turn before had ended; nothing where that is not known here.
        turns_before: How many turns had begun before.
        end: The id of the commit at which the turn had got here, if this was the last chunk then.
        before: Of the first chunk: the ``end`` of what was cleared or replaced.
        cleared: Whether nothing has been added since all items were removed.
    """

    items: list[Any] = field(factory=list)
    starts: list[tuple[int, str]] = field(factory=list)
    turns_before: int = 0
    end: str = ""
    before: str = ""
    cleared: bool = False

    @property
    def turn(self) -> int:
        """The number of the turn at its end."""
        return self.turns_before + len(self.starts)

    def packed(self) -> dict[str, Any]:
        """Return what is packed of it."""
        return {name: getattr(self, name) for name in _FIELDS}


class Chat:
    """A conversation in a Backpack.

    What it does is done while the Backpack is locked: other threads see it whole or not at all.

    Args:
        backpack: The Backpack.
        name: What its keys begin with.

    >>> from backpack import Backpack
    >>> chat = Chat(Backpack(), "chat")
    >>> chat.add([{"role": "user", "content": "hello"}], begins=True).note
    'turn 1'
    >>> chat.add([{"role": "assistant", "content": "hi"}], begins=False).keys
    ('chat/0',)
    >>> [item["content"] for item in chat.items()]
    ['hello', 'hi']
    """

    def __init__(self, backpack: Backpack, name: str) -> None:
        self._backpack = backpack
        self._name = name
        self._lock = backpack._engine.lock

    # --- the items -----------------------------------------------------------------------

    def items(self, limit: int | None = None, at: Commit | str | None = None) -> list[Any]:
        """Return the items, oldest first.

        Args:
            limit: Only so many, the newest.
            at: As of a commit; as they are now if left out.

        Raises:
            CommitPruned: The commit was given up to keep the history in its budget.
            UnknownCommit: It is no commit of the Backpack.
            ValueUnavailable: History holds only a reference to some of the items.
        """
        with self._lock:
            state = self._backpack if at is None else self._backpack.snapshot(at)
            items: list[Any] = []
            for number in reversed(range(self._count(state))):
                if limit is not None and len(items) >= limit:
                    break
                items[:0] = self._chunk(state, number).items
        return items if limit is None else items[len(items) - min(limit, len(items)) :]

    def add(self, items: Sequence[Any], *, begins: bool) -> Commit:
        """Add items at the end, in one commit.

        Args:
            items: The items, one or more.
            begins: Whether they begin a turn.
        """
        with self._lock:
            number, last = self._last()
            # What is cleared and gets others within a turn is replaced, in two steps: that is no
            # end of the turn.
            replaces = last.cleared and not begins
            end = last.end if replaces else self._next_id()
            starts = [last.end] if begins else []
            chunks = self._filled(number, last, items, starts, end)
            remark = "replaced" if replaces else ""
            return self._commit(chunks, by="user" if begins else "agent", remark=remark)

    def pop(self) -> Any:
        """Remove the newest item, in a commit, and return it; None if there is none."""
        with self._lock:
            number, last = self._last()
            chunks: dict[int, _Chunk | None] = {}
            if not last.items and number > 0:
                chunks[number] = None
                number -= 1
                last = self._chunk(self._backpack, number)
            if not last.items:
                return None
            *items, item = last.items
            starts = [start for start in last.starts if start[0] < len(items)]
            chunks[number] = evolve(last, items=items, starts=starts, end=self._next_id())
            self._commit(chunks, remark="popped")
            return item

    def replace(self, items: Sequence[Any]) -> Commit | None:
        """Have other items in place of all, or none at all, in one commit; the turn stays.

        Args:
            items: The items.

        Returns:
            The commit; None if there was nothing, and is nothing.
        """
        with self._lock:
            number, last = self._last()
            if not items and (number, last.items) == (0, []):
                return None
            # The turn goes on: where it and those before ended is told by what was there.
            begins = bool(items) and last.turn > 0
            first = _Chunk(
                turns_before=last.turn - begins, end=last.end, before=last.end, cleared=not items
            )
            chunks = self._filled(0, first, items, [""] if begins else [], last.end)
            gone = dict.fromkeys(range(len(chunks), number + 1))
            return self._commit({**gone, **chunks}, remark="replaced" if items else "cleared")

    # --- the turns -----------------------------------------------------------------------

    def turns(self) -> list[Turn]:
        """Return the turns that the items belong to, oldest first."""
        with self._lock:
            state, known = self._backpack, self._known()
            items: dict[int, list[Any]] = {}
            ends: dict[int, str] = {}
            for number in range(self._count(state)):
                chunk = self._chunk(state, number)
                turn, starts = chunk.turns_before, dict(chunk.starts)
                for at, item in enumerate(chunk.items):
                    if at in starts:
                        ends[turn] = starts[at]
                        turn += 1
                    items.setdefault(turn, []).append(item)
                ends[turn] = chunk.end
        return [
            Turn(number, some, known.get(ends.get(number, ""))) for number, some in items.items()
        ]

    def commits(self) -> list[Commit]:
        """Return the commits that changed the conversation, newest first."""
        return [commit for commit in self._backpack.history() if self._is_mine(commit)]

    def find(self, at: int | Turn | Commit | str) -> Commit | str:
        """Return the commit that is meant: of a turn, the one at which it ended.

        Raises:
            CommitPruned: History does not have the end of the turn any more.
            UnknownCommit: There is no such turn.
        """
        if isinstance(at, Turn) and at.commit is not None:
            return at.commit
        if isinstance(at, Commit | str):
            return at
        number = at.number if isinstance(at, Turn) else at
        if type(number) is not int:
            raise UnknownCommit(
                "give the number of a turn, a Turn, a commit or its id, not " + described(at)
            )
        with self._lock:
            turn, commit = self._last()[1].turn, None
            if 0 <= number <= turn:
                commit = self._known().get(self._end(self._backpack, number))
        if commit is not None:
            return commit
        if 1 <= number <= turn:
            raise CommitPruned(
                f"the end of turn {number:,} of {shown(self._name)} is not in history any more; a "
                "larger max_history_size or an archive keeps more"
            )
        raise UnknownCommit(
            f"there is no turn {number:,} in {shown(self._name)}, which has "
            f"{counted(turn, 'turn')}; what was undone is found by its commit, in history()"
        )

    def roll_back(self, commit: Commit | str) -> Commit:
        """Make the conversation what it was at a commit, as a new commit."""
        with self._lock:
            count = max(self._count(self._backpack), self._count(self._backpack.snapshot(commit)))
            return self._backpack.rollback(commit, keys=map(self._key, range(count)))

    def copy(self, other: Chat, at: Commit | str | None) -> None:
        """Put a copy of the conversation, as of a commit or as it is, into another Backpack."""
        with self._lock:
            state = self._backpack if at is None else self._backpack.snapshot(at)
            chunks = {number: self._chunk(state, number) for number in range(self._count(state))}
        if chunks:
            # Commits of another Backpack are none here.
            for number, chunk in chunks.items():
                starts = [(start[0], "") for start in chunk.starts]
                chunks[number] = evolve(chunk, starts=starts, end=other._next_id(), before="")
            place = at if isinstance(at, str) else at.id if at is not None else None
            other._commit(chunks, remark="fork" if place is None else f"fork of {place}")

    # --- helpers -------------------------------------------------------------------------

    def _key(self, number: int) -> str:
        return f"{self._name}/{number}"

    def _is_mine(self, commit: Commit) -> bool:
        """Whether a commit changed the conversation."""
        prefix = len(self._name) + 1
        return any(
            key.startswith(self._name)
            and key[prefix - 1 : prefix] == "/"
            and key[prefix:].isdigit()
            for key in commit.keys
        )

    def _count(self, state: Mapping[str, Any]) -> int:
        """Return how many chunks there are in a state: they are numbered without gaps. O(log n)."""
        if self._key(0) not in state:
            return 0
        last, behind = 0, 1
        while self._key(behind) in state:
            last, behind = behind, 2 * behind
        while behind - last > 1:
            middle = (last + behind) // 2
            last, behind = (middle, behind) if self._key(middle) in state else (last, middle)
        return behind

    def _chunk(self, state: Mapping[str, Any], number: int) -> _Chunk:
        value = state[self._key(number)]
        if not isinstance(value, dict) or tuple(value) != _FIELDS:
            raise ConfigError(
                f"the key {shown(self._key(number))} holds {described(value)} that is no part of a "
                "conversation; give the session another id, or a Backpack of its own",
                field="session_id",
            )
        return _Chunk(**value)

    def _last(self) -> tuple[int, _Chunk]:
        """Return the last chunk and its number; an empty one if there is none."""
        count = self._count(self._backpack)
        return (count - 1, self._chunk(self._backpack, count - 1)) if count else (0, _Chunk())

    def _filled(
        self, number: int, chunk: _Chunk, items: Sequence[Any], starts: Iterable[str], end: str
    ) -> dict[int, _Chunk]:
        """Return the chunks that have to be packed for items to be behind those of a last one.

        Args:
            number: The number of the last one.
            chunk: The last one.
            items: The items.
            starts: Where the turn before had ended, if the items begin one.
            end: Where the turn will have got to.
        """
        encode = self._backpack.codec.encode
        size = len(encode(chunk.items)) if chunk.items else 0
        chunks: dict[int, _Chunk] = {}
        if items:
            chunk = evolve(chunk, cleared=False)
        for at, item in enumerate(items):
            if chunk.items and size >= _FULL:
                number, chunk, size = number + 1, _Chunk(turns_before=chunk.turn), 0
            if at == 0:
                begun = [(len(chunk.items), before) for before in starts]
                chunk = evolve(chunk, starts=[*chunk.starts, *begun])
            chunk.items.append(item)
            size += len(encode(item))
            chunks[number] = chunk
        chunks[number] = evolve(chunk, end=end)
        return chunks

    def _commit(
        self, chunks: Mapping[int, _Chunk | None], *, by: str | None = None, remark: str = ""
    ) -> Commit:
        """Pack chunks, and remove others, in one commit that says where that leads."""
        last = chunks[max(number for number, chunk in chunks.items() if chunk is not None)]
        assert last is not None  # noqa: S101
        note = f"turn {last.turn}" + (f", {remark}" if remark else "")
        with self._backpack.transaction(by=by, note=note) as changes:
            for number, chunk in chunks.items():
                if chunk is None:
                    changes.remove(self._key(number))
                else:
                    changes.pack(self._key(number), chunk.packed())
        assert changes.commit is not None  # noqa: S101
        return changes.commit

    def _next_id(self) -> str:
        """Return the id that the next commit will have."""
        head = self._backpack.head
        return f"{1 if head is None else head.seq + 1}-{self._backpack.code}"

    def _known(self) -> dict[str, Commit]:
        """Return the commits that changed the conversation, as far as history has them."""
        return {commit.id: commit for commit in self.commits()}

    def _end(self, state: Mapping[str, Any], turn: int) -> str:
        """Return the id of the commit at which a turn had ended; nothing if that is not known."""
        count = self._count(state)
        for number in reversed(range(count)):
            chunk = self._chunk(state, number)
            if number == count - 1 and turn == chunk.turn:
                return chunk.end
            if chunk.turns_before <= turn < chunk.turn:
                end = chunk.starts[turn - chunk.turns_before][1]
                if end:
                    return end
            if number == 0 and chunk.before:
                try:
                    return self._end(self._backpack.snapshot(chunk.before), turn)
                except (CommitPruned, UnknownCommit):
                    break
        return ""
