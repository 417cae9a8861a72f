"""Sessions of the OpenAI Agents SDK in a Backpack: each turn of a chat can be gone back to.

The items of a chat are whole and readable, as with any session. What came before stays within a
byte budget, or in an archive: the chat as of a turn, what was popped or cleared, what a compaction
replaced.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from backpack.aio import AsyncBackpack
from backpack.container import Backpack
from backpack.errors import ConfigError, UnpackableValue
from backpack.integrations import lacking
from backpack.integrations.chats import Chat, Turn
from backpack.labels import check_key
from backpack.opening import open_in
from backpack.wording import described, one_line

try:
    from agents.memory import SessionSettings
except ImportError as error:
    raise lacking("openai_agents", "openai-agents", "openai-agents") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents import TResponseInputItem

    from backpack.protocols import Archive
    from backpack.records import Commit

__all__ = ["BackpackSession", "Turn"]

T = TypeVar("T")

#: What a chat is kept with if nothing else is said.
_PRESET = "long-chat"
#: Levels of lists and dicts in which models are looked for; the codec has its own limit.
_LEVELS = 64


class BackpackSession:
    """A session of the OpenAI Agents SDK whose turns can be looked back at and gone back to.

    It goes wherever the SDK takes a session: ``Runner.run(agent, "hello", session=session)``.
    Adding, popping and clearing are commits, so each of them can be undone. A *turn* begins with
    what adds a message of the user, as ``Runner.run`` does; what is there before is turn 0.

    Nothing of it keeps the event loop waiting, and tasks may share it: what is asked for is done
    in that order. Several sessions may share a Backpack: the items of one stand under keys that
    begin with its id (``chat/0``, ``chat/1``, ...), which nobody else should change.

    Args:
        session_id: The id, a non-empty string.
        backpack: The Backpack to keep the items in; a new one in memory if left out.
        preset: The preset of the new one; ``long-chat`` if left out.
        session_settings: How many items are retrieved if nobody says; all if left out.
        **overrides: Settings of the new one, as for ``Backpack.from_preset``.

    Attributes:
        session_id: The id.
        session_settings: How many items are retrieved if nobody says.
        backpack: The Backpack, awaited, for whatever else is to be done with it.

    Raises:
        ConfigError: A setting cannot work.
        InvalidKey: The id is not a non-empty string.

    >>> import asyncio
    >>> async def main():
    ...     session = BackpackSession("chat")
    ...     await session.add_items([{"role": "user", "content": "hello"}])
    ...     await session.add_items([{"role": "assistant", "content": "hi"}])
    ...     await session.add_items([{"role": "user", "content": "bye"}])
    ...     await session.rollback(1)
    ...     return [item["content"] for item in await session.get_items()]
    >>> asyncio.run(main())
    ['hello', 'hi']
    """

    session_id: str
    session_settings: SessionSettings | None = None

    def __init__(
        self,
        session_id: str,
        backpack: Backpack | AsyncBackpack | None = None,
        *,
        preset: str | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        self.session_id = check_key(session_id)
        self.session_settings = _settings(session_settings)
        self._owns = backpack is None
        if backpack is None:
            backpack = Backpack.from_preset(preset or _PRESET, **overrides)
        elif preset is not None or overrides:
            raise ConfigError(
                "a Backpack that is given has its settings already; give either a Backpack, or "
                "the preset and the settings for a new one",
                field="preset" if preset is not None else one_line(next(iter(overrides))),
            )
        if isinstance(backpack, Backpack):
            backpack = AsyncBackpack(backpack)
        if not isinstance(backpack, AsyncBackpack):
            raise ConfigError(
                f"a session is kept in a Backpack or an AsyncBackpack, not {described(backpack)}; "
                "await BackpackSession.open(session_id, 'sqlite:///runs.db') keeps it in an "
                "archive",
                field="backpack",
            )
        self.backpack = backpack
        self._chat = Chat(backpack.sync, self.session_id)

    @classmethod
    async def open(
        cls,
        session_id: str,
        archive: str | Archive,
        /,
        *,
        preset: str | None = None,
        session_settings: SessionSettings | dict[str, Any] | None = None,
        allow_imports: bool = False,
        **overrides: Any,
    ) -> Self:
        """Go on with a session from where it stopped, or begin it, in an archive.

        Close it in the end, best with ``async with``: the archive lets only one at a time have it.

        Args:
            session_id: The id; the name of its Backpack in the archive, too.
            archive: The archive, or the URL of one (``sqlite:///runs.db``), which is then written
                to before :meth:`add_items` returns.
            preset: The preset of the settings; if left out, those it was begun with, or
                ``long-chat``.
            session_settings: How many items are retrieved if nobody says; all if left out.
            allow_imports: Whether the archive may name classes to import.
            **overrides: Settings that differ, as for ``Backpack.from_preset``.

        Raises:
            StaleWriter: It is open somewhere else.
            ArchiveError: The archive cannot be used, or is none.
            CorruptError: Something of it is missing, or not as it was written.
            ConfigError: A setting cannot work.
        """
        name = check_key(session_id)
        settings = _settings(session_settings)
        backpack = await AsyncBackpack._made(
            lambda: open_in(
                Backpack, archive, name, preset, allow_imports, time.time, overrides, _PRESET
            )
        )
        session = cls(name, backpack, session_settings=settings)
        session._owns = True
        return session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the archive, where :meth:`open` took it; a Backpack that was given stays."""
        if self._owns:
            await self.backpack.close()

    # --- what the SDK calls --------------------------------------------------------------

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """Return the items, oldest first.

        Args:
            limit: Only so many, the newest, from 0; if left out, what ``session_settings`` say.

        Raises:
            ConfigError: The limit is no such number.
        """
        return await self._items(None, limit)

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Add items at the end, as they are at this moment, in one commit.

        Args:
            items: The items: dicts, or models, which are kept as dicts.

        Raises:
            UnpackableValue: One of them is no item, or cannot be kept; names the place inside it.
            BudgetError: There is no room, and the pruning policy makes none.
            ArchiveError: The archive cannot be written.
        """
        begins = any(map(_is_user_message, taken := self._taken(items)))
        if taken:
            decoded = self._copies(taken)
            await self._run(lambda: self._chat.add(decoded(), begins=begins))

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item, in a commit, and return it; None if there is none."""
        return cast("TResponseInputItem | None", await self._run(self._chat.pop))

    async def clear_session(self) -> None:
        """Remove all items, in one commit: history has them until it gives them up."""
        await self._run(lambda: self._chat.replace(()))

    async def replace_items(self, items: list[TResponseInputItem]) -> None:
        """Have other items in place of all, in one commit, as a compaction does.

        Args:
            items: The items, as for :meth:`add_items`.
        """
        decoded = self._copies(self._taken(items))
        await self._run(lambda: self._chat.replace(decoded()))

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        # What a compaction of the SDK looks for; without it, it clears and adds in two steps.
        await self.replace_items(items)
        return True

    # --- looking back, and going back ----------------------------------------------------

    async def turns(self) -> list[Turn]:
        """Return the turns that the items belong to, oldest first."""
        return await self._run(self._chat.turns)

    async def history(self) -> list[Commit]:
        """Return the commits that changed the session, newest first, those undone since too."""
        return await self._run(self._chat.commits)

    async def items_at(
        self, at: int | Turn | Commit | str, limit: int | None = None
    ) -> list[TResponseInputItem]:
        """Return the items as they were at the end of a turn, or at a commit.

        Args:
            at: The number of a turn, a turn, a commit or its id.
            limit: Only so many, the newest; all if left out.

        Raises:
            CommitPruned: The turn or the commit is not in history any more.
            UnknownCommit: There is no such turn, or no such commit.
            ValueUnavailable: History holds only a reference to some of the items.
        """
        return await self._items(at, limit)

    async def rollback(self, at: int | Turn | Commit | str) -> Commit:
        """Make the items what they were at the end of a turn, or at a commit, as a new commit.

        Other keys of the Backpack stay as they are.

        Args:
            at: The number of a turn, a turn, a commit or its id.

        Raises:
            CommitPruned: The turn or the commit is not in history any more.
            UnknownCommit: There is no such turn, or no such commit.
            ValueUnavailable: History holds only a reference to some of the items.
        """
        return await self._run(lambda: self._chat.roll_back(self._chat.find(at)))

    async def fork(
        self, at: int | Turn | Commit | str | None = None, *, session_id: str | None = None
    ) -> BackpackSession:
        """Make an independent session that starts with the items as of a turn or a commit.

        It is in a Backpack of its own, with the same settings, that has nothing else of this one.

        Args:
            at: The number of a turn, a turn, a commit or its id; the present if left out.
            session_id: Its id; that of this session if left out.

        Raises:
            CommitPruned: The turn or the commit is not in history any more.
            UnknownCommit: There is no such turn, or no such commit.
            ValueUnavailable: History holds only a reference to some of the items.
        """
        name = self.session_id if session_id is None else check_key(session_id)

        def forked() -> Backpack:
            commit = None if at is None else self._chat.find(at)
            other = self.backpack.sync.fork(keys=())
            self._chat.copy(Chat(other, name), commit)
            return other

        settings = self.session_settings
        fork = type(self)(name, await self._run(forked), session_settings=settings)
        fork._owns = True
        return fork

    def __repr__(self) -> str:
        return f"<BackpackSession {self.session_id!r:.60} in {self.backpack.code}>"

    # --- helpers -------------------------------------------------------------------------

    async def _run(self, work: Callable[[], T]) -> T:
        return await self.backpack._run(work)

    async def _items(
        self, at: int | Turn | Commit | str | None, limit: int | None
    ) -> list[TResponseInputItem]:
        if limit is None and at is None and self.session_settings is not None:
            limit = self.session_settings.limit
        if limit is not None and (type(limit) is not int or limit < 0):
            raise ConfigError(
                f"so many items are a whole number, 0 or more, or None for all, not "
                f"{described(limit)}",
                field="limit",
            )

        def read() -> list[TResponseInputItem]:
            return self._chat.items(limit, None if at is None else self._chat.find(at))

        return await self._run(read)

    def _taken(self, items: object) -> list[dict[str, Any]]:
        """Return items as dicts, or say which is none."""
        if isinstance(items, str | Mapping) or not isinstance(items, Iterable):
            raise UnpackableValue(
                f"a session takes a list of items, not {described(items)}", path="items"
            )
        taken: list[dict[str, Any]] = []
        for at, item in enumerate(items):
            plain = _plain(item)
            if not isinstance(plain, dict):
                raise UnpackableValue(
                    "an item is a dict, such as {'role': 'user', 'content': 'hello'}, or a model "
                    f"of the SDK, not {described(item)}",
                    path=f"items[{at}]",
                )
            taken.append(plain)
        return taken

    def _copies(self, taken: list[dict[str, Any]]) -> Callable[[], list[Any]]:
        """Take items as they are at this moment; return what gives copies of them."""
        codec = self.backpack.sync.codec
        encoded = [codec.encode(item, f"items[{at}]") for at, item in enumerate(taken)]
        return lambda: [codec.decode(each) for each in encoded]


def _is_user_message(item: Mapping[str, Any]) -> bool:
    return item.get("role") == "user" and item.get("type", "message") == "message"


def _plain(value: Any, levels: int = _LEVELS) -> Any:
    """Return a value with dicts in place of models, whose classes nobody may know later."""
    dump = getattr(value, "model_dump", None)
    if callable(dump) and not isinstance(value, type):
        value = dump(exclude_unset=True)
    if levels == 0:
        return value
    if type(value) is dict:
        return {key: _plain(each, levels - 1) for key, each in value.items()}
    if type(value) is list:
        return [_plain(each, levels - 1) for each in value]
    return value


def _settings(settings: object) -> SessionSettings:
    """Return the settings of a session that somebody gives.

    Raises:
        ConfigError: They are none.
    """
    if settings is None:
        return SessionSettings()
    if isinstance(settings, Mapping):
        try:
            return SessionSettings(**settings)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"these are no SessionSettings: {one_line(str(error))}", field="session_settings"
            ) from error
    if not isinstance(settings, SessionSettings):
        raise ConfigError(
            f"they are SessionSettings or a dict of them, such as {{'limit': 50}}, not "
            f"{described(settings)}",
            field="session_settings",
        )
    return settings
