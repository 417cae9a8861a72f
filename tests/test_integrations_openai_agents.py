"""Sessions of the OpenAI Agents SDK: what the SDK asks of one, and what only a Backpack has."""

from __future__ import annotations

import asyncio
import datetime
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from agents import Agent, RunConfig, Runner, TResponseInputItem, function_tool
from agents.items import ModelResponse
from agents.memory import OpenAIResponsesCompactionSession, Session, SessionSettings, SQLiteSession
from agents.models.interface import Model
from agents.usage import Usage
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from backpack import (
    ArchiveError,
    AsyncBackpack,
    Backpack,
    BudgetError,
    CommitPruned,
    ConfigError,
    InvalidKey,
    StaleWriter,
    UnknownCommit,
    UnpackableValue,
)
from backpack.archive.database import Database
from backpack.integrations.openai_agents import BackpackSession
from backpack.policies import KeepAll, Stub

T = TypeVar("T")
QUIET = RunConfig(tracing_disabled=True)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in good time."""
    return asyncio.run(asyncio.wait_for(work, 60))


def user(text: str) -> TResponseInputItem:
    """Return a message of the user."""
    return {"role": "user", "content": text}


def answer(text: str) -> TResponseInputItem:
    """Return a message of the agent."""
    return {"role": "assistant", "content": text}


def texts(items: list[TResponseInputItem]) -> list[Any]:
    """Return what items say."""
    return [item.get("content") for item in items]


def said(text: str) -> ResponseOutputMessage:
    """Return what a model says."""
    part = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(
        id="msg", type="message", role="assistant", status="completed", content=[part]
    )


def call(name: str, number: int) -> ResponseFunctionToolCall:
    """Return a call of a tool."""
    return ResponseFunctionToolCall(
        type="function_call", name=name, call_id=f"call {number}", arguments='{"city": "Rome"}'
    )


class Scripted(Model):
    """A model that says what it was told to, and keeps what it was asked."""

    def __init__(self, *outputs: Any) -> None:
        self.outputs = list(outputs)
        self.asked: list[Any] = []

    async def get_response(self, *arguments: Any, **named: Any) -> ModelResponse:
        """Return the next answer, or fail as it says."""
        asked: dict[str, Any] = (
            dict(zip(("instructions", "input"), arguments, strict=False)) | named
        )
        self.asked.append(asked["input"])
        output = self.outputs.pop(0)
        if isinstance(output, Exception):
            raise output
        return ModelResponse(output=[output], usage=Usage(), response_id=None)

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Nobody streams here."""
        raise NotImplementedError


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


def test_the_runner_goes_on_with_it() -> None:
    """Tools included: the model is asked with all that was before, and each turn is kept."""

    async def main() -> None:
        model = Scripted(call("weather", 1), said("It is sunny."), said("Bye."))
        agent = Agent(name="agent", model=model, tools=[weather])
        session = BackpackSession("chat")
        assert isinstance(session, Session)
        first = await Runner.run(agent, "How is Rome?", session=session, run_config=QUIET)
        assert "It is sunny." == first.final_output
        await Runner.run(agent, "Thank you.", session=session, run_config=QUIET)
        kinds = [item.get("type", item.get("role")) for item in await session.get_items()]
        turn = ["user", "function_call", "function_call_output", "message"]
        assert [*turn, "user", "message"] == kinds
        assert 5 == len(model.asked[2])
        turns = await session.turns()
        assert [(1, 4), (2, 2)] == [(each.number, len(each.items)) for each in turns]
        assert await session.get_items() == turns[0].items + turns[1].items
        assert turns[0].items == await session.items_at(1)

        model.outputs = [said("It is cold.")]
        await session.rollback(1)
        await Runner.run(agent, "And Oslo?", session=session, run_config=QUIET)
        assert [*turns[0].items, user("And Oslo?")] == model.asked[3]
        assert turns[1].commit is not None
        assert "Thank you." == (await session.items_at(turns[1].commit))[-2].get("content")

    run(main())


def test_a_run_that_fails_is_a_turn_of_its_own() -> None:
    """What was asked is there; going back to the turn before lets it be asked again."""

    async def main() -> None:
        model = Scripted(said("Hi."), ValueError("no network"), said("At last."))
        agent = Agent(name="agent", model=model)
        session = BackpackSession("chat")
        await Runner.run(agent, "hello", session=session, run_config=QUIET)
        with pytest.raises(ValueError, match="no network"):
            await Runner.run(agent, "again", session=session, run_config=QUIET)
        assert [user("again")] == (await session.turns())[1].items
        await session.rollback(1)
        await Runner.run(agent, "again", session=session, run_config=QUIET)
        assert [2, 2] == [len(turn.items) for turn in await session.turns()]

    run(main())


def test_the_runner_works_from_several_loops() -> None:
    """A program without a loop of its own starts one for each run."""
    agent = Agent(name="agent", model=Scripted(said("Hi."), said("Bye.")))
    session = BackpackSession("chat")
    for text in ("hello", "bye"):
        run(Runner.run(agent, text, session=session, run_config=QUIET))
    assert 4 == len(run(session.get_items()))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 5)),
        st.tuples(st.just("get"), st.none() | st.integers(0, 12)),
        st.just(("pop",)),
        st.just(("clear",)),
    ),
    max_size=12,
)


@given(steps=STEPS, limit=st.none() | st.integers(0, 5))
def test_it_does_what_the_sdks_own_session_does(
    steps: list[tuple[Any, ...]], limit: int | None
) -> None:
    """Order, the newest so many, popping to the end and beyond, clearing."""

    async def done(session: Session) -> list[Any]:
        found: list[Any] = []
        for number, (name, *arguments) in enumerate(steps):
            if name == "add":
                some = [user(f"{number} {each}") for each in range(arguments[0])]
                await session.add_items(some)
            elif name == "get":
                found.append(await session.get_items(arguments[0]))
            elif name == "pop":
                found.append(await session.pop_item())
            else:
                await session.clear_session()
        return [*found, await session.get_items(), await session.get_items(100)]

    async def main() -> None:
        theirs = SQLiteSession("chat", session_settings=SessionSettings(limit=limit))
        ours = BackpackSession("chat", session_settings={"limit": limit})
        try:
            assert await done(theirs) == await done(ours)
        finally:
            theirs.close()

    run(main())


def test_an_archive_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """With the preset for chats, if nothing else is said; in the end with what it was begun."""
    url = f"sqlite:///{tmp_path}/runs.db"

    async def main() -> None:
        async with await BackpackSession.open("chat", url) as session:
            assert "StoredSize" == type(session.backpack.sync.sizing).__name__
            for number in range(3):
                await session.add_items([user(f"ask {number}")])
                await session.add_items([answer(f"say {number}")])
            with pytest.raises(StaleWriter):
                await BackpackSession.open("chat", url)
        with pytest.raises(ArchiveError):
            await session.add_items([user("too late")])
        async with await BackpackSession.open("chat", url, max_history_size="1 MiB") as session:
            assert ["ask 0", "say 0"] == texts(await session.items_at(1))
            await session.rollback(2)
            await session.add_items([user("other")])
        async with await BackpackSession.open("chat", url) as session:
            assert 1024 * 1024 * 50 == session.backpack.sync.max_history_size
            assert "other" == texts(await session.get_items())[-1]
            assert [1, 2, 3] == [turn.number for turn in await session.turns()]
        async with await BackpackSession.open("short", url, preset="short-lived") as session:
            await session.add_items([user("hello")])
        async with await BackpackSession.open("short", url) as session:
            assert isinstance(session.backpack.sync.pruning, KeepAll)

    run(main())


def test_what_history_gave_up_is_in_the_archive(tmp_path: Path) -> None:
    """All turns are answered, however small the budget; without an archive it is said."""
    settings: dict[str, Any] = {"max_history_size": "8 KiB", "reference": Stub("2 KiB")}

    async def grown(session: BackpackSession) -> BackpackSession:
        for number in range(40):
            await session.add_items([user(f"{number}" * 20)])
        return session

    async def main() -> None:
        url = f"sqlite:///{tmp_path}/runs.db"
        async with await BackpackSession.open("chat", url, **settings) as session:
            await grown(session)
            assert (await session.backpack.memory_usage()).commits_pruned > 10
            for number in (1, 7, 40):
                assert number == len(await session.items_at(number))
        session = await grown(BackpackSession("chat", **settings))
        with pytest.raises(CommitPruned, match="the end of turn 1 of 'chat' is not in history"):
            await session.items_at(1)
        assert 40 == len(await session.items_at(40))

    run(main())


def test_sessions_share_a_backpack(tmp_path: Path) -> None:
    """Each has its own items, whatever its id; other keys are nobody's."""

    async def main() -> None:
        backpack = await AsyncBackpack.open(f"sqlite:///{tmp_path}/runs.db", "it")
        await backpack.pack("plan", "mine")
        ids = ("chat", "chat/1", "chat/", "another", "1")
        sessions = [BackpackSession(each, backpack) for each in ids]
        for each in sessions:
            await each.add_items([user(each.session_id)])
            await each.add_items([answer("yes"), answer("no")])
        assert [[each, "yes", "no"] for each in ids] == [
            texts(await each.get_items()) for each in sessions
        ]
        assert [2] * 5 == [len(await each.history()) for each in sessions]
        first, *others = sessions
        await first.pop_item()
        await others[0].rollback(1)
        await first.rollback((await first.history())[-1])
        assert ["chat"] == texts(await first.get_items())
        await first.clear_session()
        assert [3] * 4 == [len(await each.get_items()) for each in others]
        assert "mine" == await backpack.unpack("plan")
        await first.close()
        await first.add_items([user("still open")])
        await backpack.close()

    run(main())


@pytest.mark.parametrize("kind", ["one", "several", "threads"])
def test_tasks_add_at_the_same_time(kind: str) -> None:
    """Nothing is lost, and what was added together stays together; in their order, by one."""
    sync = Backpack()
    shared = BackpackSession("chat", sync)

    async def add(first: int) -> None:
        session = shared if kind == "one" else BackpackSession("chat", sync)
        await asyncio.gather(
            *(
                session.add_items([user(f"{number}"), answer(f"{number}")])
                for number in range(first, first + 10)
            )
        )

    async def main() -> list[Any]:
        works = [add(first) for first in range(0, 40, 10)]
        if kind == "threads":
            await asyncio.gather(*(asyncio.to_thread(run, work) for work in works))
        else:
            await asyncio.gather(*works)
        return texts(await shared.get_items())

    found = run(main())
    assert found[::2] == found[1::2]
    assert {str(number) for number in range(40)} == set(found)
    assert 80 == len(found)
    if kind == "one":
        assert [str(number) for number in range(40)] == found[::2]


def test_the_loop_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While items are written, other tasks go on; an item is what it was when it was added."""
    commit = Database.commit

    def slow(self: Database) -> None:
        time.sleep(0.1)
        commit(self)

    async def main() -> None:
        async with await BackpackSession.open("chat", f"sqlite:///{tmp_path}/a.db") as session:
            monkeypatch.setattr(Database, "commit", slow)
            item: Any = {"role": "user", "content": ["as it was"]}
            adding = asyncio.ensure_future(session.add_items([item]))
            await asyncio.sleep(0)
            item["content"].append("changed")
            turns = 0
            while not adding.done():
                await asyncio.sleep(0.001)
                turns += 1
            assert turns > 10
            monkeypatch.undo()
            assert [["as it was"]] == texts(await session.get_items())

    run(main())


def test_all_items_are_replaced_in_one_commit() -> None:
    """As a compaction of the SDK does it, where it asks for that; the turn stays."""

    async def main() -> None:
        session = BackpackSession("chat")
        await session.replace_items([user("from elsewhere")])
        assert [0] == [turn.number for turn in await session.turns()]
        await session.add_items([user("hello"), answer("hi")])
        assert await session._atomic_replace_items([answer("in short")])
        await session.add_items([answer("and more")])
        assert [1] == [turn.number for turn in await session.turns()]
        assert ["in short", "and more"] == texts(await session.get_items())
        await session.replace_items([])
        await session.replace_items([])
        assert [] == await session.get_items()
        assert 5 == len(await session.history())
        with pytest.raises(UnpackableValue):
            await session.replace_items("hello")  # type: ignore[arg-type]

    run(main())


def test_a_compaction_can_be_undone() -> None:
    """The SDK's session for compactions wraps it, and the turn goes on."""
    asked: list[Any] = []

    async def compact(**arguments: Any) -> Any:
        asked.append(arguments["input"])
        short: Any = {"type": "compaction", "encrypted_content": "short", "id": "cmp"}
        return SimpleNamespace(output=[short], usage=None)

    async def main() -> None:
        client: Any = SimpleNamespace(responses=SimpleNamespace(compact=compact))
        session = BackpackSession("chat")
        outer = OpenAIResponsesCompactionSession(
            "chat", session, client=client, compaction_mode="input"
        )
        model = Scripted(said("Hi."), said("Bye."), said("So long."))
        agent = Agent(name="agent", model=model)
        for text in ("hello", "bye"):
            await Runner.run(agent, text, session=outer, run_config=QUIET)
        await outer.run_compaction({"force": True})
        assert 4 == len(asked[0])
        assert ["compaction"] == [item.get("type") for item in await session.get_items()]
        newest = (await session.history())[0]
        assert "turn 2, replaced" == newest.note
        await Runner.run(agent, "on", session=outer, run_config=QUIET)
        assert [(2, 1), (3, 2)] == [
            (turn.number, len(turn.items)) for turn in await session.turns()
        ]
        assert ["hello", "bye"] == texts(await session.items_at(2))[::2]
        await session.rollback(2)
        assert 4 == len(await session.get_items())

    run(main())


def test_a_fork_goes_its_own_way() -> None:
    """From a turn, under its id or another, with nothing else of the Backpack."""

    async def main() -> None:
        session = BackpackSession("chat", session_settings={"limit": 3}, max_history_size="1 MiB")
        await session.backpack.pack("plan", 1)
        for number in range(3):
            await session.add_items([user(f"ask {number}"), answer(f"say {number}")])
        assert [2, 6] == [len(await session.items_at(at)) for at in (1, 3)]
        assert ["ask 1", "say 1"] == texts(await session.items_at(2, limit=2))
        same = await session.fork()
        assert await session.get_items() == await same.get_items()
        assert 3 == len(await same.get_items())
        other = await session.fork(2, session_id="what if")
        assert ("chat", "what if") == (same.session_id, other.session_id)
        assert 1024 * 1024 == other.backpack.sync.max_history_size
        await other.add_items([user("other")])
        assert ["ask 1", "say 1", "other"] == texts(await other.get_items())
        assert [(1, False), (2, True), (3, True)] == [
            (turn.number, turn.commit is not None) for turn in await other.turns()
        ]
        assert ["what if/0"] == await (
            await other.backpack.snapshot((await other.history())[0])
        ).keys()
        assert 6 == len(await session.get_items(10))
        empty = await BackpackSession("empty").fork()
        assert [] == await empty.get_items()
        for each in (same, other, empty):
            await each.close()

    run(main())


def test_items_are_kept_as_they_are() -> None:
    """Values that JSON cannot say, too; models become dicts, wherever they are."""

    async def main() -> None:
        session = BackpackSession("chat")
        odd: Any = {
            "role": "user",
            "content": b"\x00",
            "at": datetime.date(2026, 1, 2),
            "pair": (1, float("inf")),
            "deep": [{"message": said("hi")}],
        }
        await session.add_items([odd, said("hello")])  # type: ignore[list-item]
        plain = said("hi").model_dump(exclude_unset=True)
        first, second = await session.get_items()
        assert odd | {"deep": [{"message": plain}]} == first
        assert said("hello").model_dump(exclude_unset=True) == second

    run(main())


def test_what_is_wrong_is_told_and_changes_nothing(tmp_path: Path) -> None:
    """One line each: what, where, what is allowed."""

    async def main() -> None:
        session = BackpackSession("chat")
        await session.add_items([user("hello")])
        wrong: Any
        for wrong, words in (
            ("hello", r"^items: a session takes a list of items, not 'hello'$"),
            (
                {"role": "user"},
                r"^items: a session takes a list of items, not a value of class dic",
            ),
            (5, r"^items: a session takes a list of items, not int 5$"),
            (
                [user("fine"), "hello"],
                (
                    r"^items\[1\]: an item is a dict, such as \{'role': 'user', 'content': "
                    r"'hello'\}, or a model of the SDK, not 'hello'$"
                ),
            ),
            ([said], r"^items\[0\]: an item is a dict"),
            ([{"role": "user", "content": open}], r"^items\[0\]\.content: "),
        ):
            with pytest.raises(UnpackableValue, match=words):
                await session.add_items(wrong)
        inside: dict[str, Any] = {"role": "user"}
        inside["content"] = inside
        with pytest.raises(UnpackableValue):
            await session.add_items([inside])  # type: ignore[list-item]
        for wrong in (-1, 1.5, True, "3"):
            with pytest.raises(
                ConfigError,
                match=r"^limit: so many items are a whole number, 0 or more, or None for all, not ",
            ):
                await session.get_items(wrong)
        session.session_settings = SessionSettings(limit=-1)
        with pytest.raises(ConfigError, match="not int -1$"):
            await session.get_items()
        session.session_settings = None
        with pytest.raises(UnknownCommit, match="there is no turn 2 in 'chat', which has 1 turn;"):
            await session.rollback(2)
        with pytest.raises(UnknownCommit):
            await session.items_at("1-nobody")
        assert [user("hello")] == await session.get_items()
        assert 1 == len(await session.history())
        assert repr(session).startswith("<BackpackSession 'chat' in ")

    run(main())


def test_what_makes_no_session_is_told(tmp_path: Path) -> None:
    """One line each, and nothing is left behind."""
    wrong: Any
    for wrong in ("", 5, None):
        with pytest.raises(InvalidKey):
            BackpackSession(wrong)
    with pytest.raises(
        ConfigError,
        match=r"^backpack: a session is kept in a Backpack or an AsyncBackpack, not "
        r"'sqlite:///runs.db'; await BackpackSession.open\(session_id, 'sqlite:///runs.db'\) keeps "
        r"it in an archive$",
    ):
        BackpackSession("chat", "sqlite:///runs.db")  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError,
        match=r"^preset: a Backpack that is given has its settings already; give either a "
        r"Backpack, or the preset and the settings for a new one$",
    ):
        BackpackSession("chat", Backpack(), preset="default")
    with pytest.raises(ConfigError, match="^max_history_size: a Backpack that is given"):
        BackpackSession("chat", Backpack(), max_history_size="1 MiB")
    with pytest.raises(ConfigError, match="long-cat"):
        BackpackSession("chat", preset="long-cat")
    with pytest.raises(ConfigError, match="^session_settings: these are no SessionSettings: "):
        BackpackSession("chat", session_settings={"limit": "many"})
    with pytest.raises(
        ConfigError,
        match=r"^session_settings: they are SessionSettings or a dict of them, such as "
        r"\{'limit': 50\}, not int 5$",
    ):
        BackpackSession("chat", session_settings=5)  # type: ignore[arg-type]
    url = f"sqlite:///{tmp_path}/runs.db"
    with pytest.raises(ConfigError):
        run(BackpackSession.open("chat", url, session_settings={"limit": "many"}))
    with pytest.raises(ConfigError):
        run(BackpackSession.open("chat", url, preset="long-cat"))
    with pytest.raises(ConfigError):
        run(BackpackSession.open("x" * 300, url))
    assert not list(tmp_path.iterdir())


def test_a_refusal_stops_the_run_and_changes_nothing() -> None:
    """Where history is full and nothing is to go, the next message is refused."""

    async def main() -> None:
        settings: dict[str, Any] = {"max_history_size": "6 KiB", "reference": Stub("2 KiB")}
        session = BackpackSession("chat", pruning=KeepAll(), **settings)
        added = 0
        with pytest.raises(BudgetError):
            for number in range(100):
                await session.add_items([user(f"{number}")])
                added += 1
        assert added == len(await session.get_items())

    run(main())


def test_the_framework_is_asked_for_where_it_is_missing() -> None:
    """The line that installs it."""
    code = (
        "import sys\n"
        "sys.modules['agents'] = None\n"
        "try:\n"
        "    import backpack.integrations.openai_agents\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        "backpack.integrations.openai_agents needs openai-agents; "
        'pip install "backpack-memory[openai-agents]" brings it'
    ) == done.stdout.strip()
