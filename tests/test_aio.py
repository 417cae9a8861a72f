"""The asynchronous Backpack: the same answers, without keeping the loop waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import pytest
from archives import Past, settings

from backpack import (
    AsyncBackpack,
    Backpack,
    StaleWriter,
    UnknownKey,
    UnpackableValue,
)
from backpack.archive.database import Database

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end, in good time."""
    return asyncio.run(asyncio.wait_for(work, 60))


def test_it_answers_what_the_other_does(tmp_path: Path) -> None:
    """Every operation, with an archive, and after it was opened again."""
    url = f"sqlite:///{tmp_path}/archive.db"

    async def first() -> Past:
        past = Past()
        async with await AsyncBackpack.open(url, "it", **settings()) as bp:
            for number in range(80):
                state = past.current | {"ab"[number % 2]: f"{number}" * 99}
                key = "ab"[number % 2]
                past.record(await bp.pack(key, state[key], by="node"), state)
            past.retag(await bp.tag(past.commits[0], "old", "t"))
            past.retag(await bp.untag(past.commits[0], "t"))
            await bp.pin(past.commits[1])
            await bp.unpin(past.commits[1])
            old = await bp.snapshot(past.commits[0])
            assert await old.archived()
            assert past.states[0] == await old.to_dict()
            assert ["a"] == await old.keys()
            assert past.states[0]["a"] == await old.unpack("a")
            assert "no" == await old.unpack("b", "no")
            assert old.commit == past.commits[0]
            assert past.commits[::-1] == await bp.history()
            assert past.commits[-1] == await bp.head()
            diff = await bp.diff(past.commits[0])
            assert {"b"} == diff.added.keys()
            fork = await bp.fork(past.commits[0])
            assert past.states[0] == await fork.to_dict()
            await fork.close()
            past.record(await bp.rollback(past.commits[0]), past.states[0])
            past.record(await bp.remove("a"), {})
            assert 82 == (await bp.memory_usage()).commits_made
            await bp.save(tmp_path / "file", archived=True)
        return past

    async def second(past: Past) -> None:
        async with await AsyncBackpack.open(url, "it", **settings()) as bp:
            past.check(bp.sync)
        async with await AsyncBackpack.restore(tmp_path / "file") as bp:
            assert bp.code == past.commits[0].origin
            assert past.current == await bp.to_dict()

    run(second(run(first())))


def test_a_value_is_what_it_was_when_it_was_packed() -> None:
    """Also where it is changed before the loop comes to it, in a transaction too."""

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            value = ["as it was"]
            packing = asyncio.ensure_future(bp.pack("a", value))
            await asyncio.sleep(0)
            value.append("changed")
            await packing
            assert ["as it was"] == await bp.unpack("a")
            async with bp.transaction(note="several") as changes:
                changes["b"] = value
                value.append("and again")
                del changes["a"]
            assert {"b": ["as it was", "changed"]} == await bp.to_dict()
            assert changes.commit is not None
            assert ("several", {"a", "b"}) == (changes.commit.note, {*changes.commit.keys})
            async with bp.transaction() as changes:
                pass
            assert changes.commit is None

    run(main())


def test_errors_are_those_of_the_other() -> None:
    """And nothing is changed; a transaction that fails discards everything."""

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            with pytest.raises(UnpackableValue, match="^a: "):
                await bp.pack("a", object())
            with pytest.raises(UnknownKey):
                await bp.unpack("a")
            with pytest.raises(UnknownKey):
                async with bp.transaction() as changes:
                    changes["b"] = 1
                    del changes["a"]
            with pytest.raises(ZeroDivisionError):
                async with bp.transaction() as changes:
                    changes["b"] = 1 // 0
            assert {} == await bp.to_dict()
            assert "AsyncBackpack" in repr(bp)

    run(main())


def test_the_loop_does_not_wait_for_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a commit takes its time, everything else goes on; changes stay in their order."""
    commit = Database.commit

    def slow(self: Database) -> None:
        time.sleep(0.05)
        commit(self)

    async def main() -> None:
        async with await AsyncBackpack.open(f"sqlite:///{tmp_path}/a.db", "it") as bp:
            monkeypatch.setattr(Database, "commit", slow)
            packing = [asyncio.ensure_future(bp.pack("a", number)) for number in range(5)]
            turns = 0
            while not all(each.done() for each in packing):
                await asyncio.sleep(0.001)
                turns += 1
            assert turns > 20
            assert [1, 2, 3, 4, 5] == [each.result().seq for each in packing]
            assert 4 == await bp.unpack("a")
            monkeypatch.undo()

    run(main())


def test_who_is_cancelled_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has begun is finished, what has not is not done; and it goes on."""
    url, commit = f"sqlite:///{tmp_path}/a.db", Database.commit

    def slow(self: Database) -> None:
        time.sleep(0.05)
        commit(self)

    async def main() -> None:
        async with await AsyncBackpack.open(url, "it") as bp:
            monkeypatch.setattr(Database, "commit", slow)
            packing = [asyncio.ensure_future(bp.pack("a", number)) for number in range(4)]
            await asyncio.sleep(0.02)
            for each in packing:
                each.cancel()
            done = await asyncio.gather(*packing, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in done)
            head = await bp.head()
            assert head is not None
            assert 1 == head.seq
            assert 2 == (await bp.pack("a", "more")).seq
            monkeypatch.undo()
        with Backpack.open(url, "it") as again:
            assert [2, 1] == [each.seq for each in again.history()]

    run(main())


def test_whoever_listens_has_the_context_of_who_asked() -> None:
    """What a task has set is seen by subscribers, though they run in another thread."""
    who: ContextVar[str] = ContextVar("who", default="nobody")
    heard: list[str] = []

    async def task(bp: AsyncBackpack, name: str) -> None:
        who.set(name)
        await bp.pack(name, 1)
        await asyncio.sleep(0)
        await bp.remove(name)

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            bp.sync.subscribe(lambda event: heard.append(who.get()))
            await asyncio.gather(task(bp, "a"), task(bp, "b"))
            await bp.pack("c", 1)

    run(main())
    assert ["a", "b", "a", "b", "nobody"] == heard


def test_a_cancelled_block_closes_all_the_same(tmp_path: Path) -> None:
    """What was asked for before is written, and the name is free."""
    url = f"sqlite:///{tmp_path}/a.db"

    async def main() -> None:
        entered = asyncio.Event()

        async def block() -> None:
            async with await AsyncBackpack.open(url, "it") as bp:
                await bp.pack("a", 1)
                packing = [asyncio.ensure_future(bp.pack("a", number)) for number in range(50)]
                entered.set()
                await asyncio.gather(*packing)

        task = asyncio.ensure_future(block())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(500):
            await asyncio.sleep(0.01)
            try:
                Backpack.open(url, "it").close()
                return
            except StaleWriter:
                continue
        pytest.fail("the name stayed taken")

    run(main())


def test_who_is_cancelled_while_opening_takes_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened for nobody is closed."""
    url, begin = f"sqlite:///{tmp_path}/a.db", Database.begin

    def slow(self: Database) -> Any:
        time.sleep(0.05)
        return begin(self)

    async def main() -> None:
        monkeypatch.setattr(Database, "begin", slow)
        opening = asyncio.ensure_future(AsyncBackpack.open(url, "it"))
        await asyncio.sleep(0.02)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        for _ in range(200):
            await asyncio.sleep(0.01)
            try:
                async with await AsyncBackpack.open(url, "it") as bp:
                    await bp.pack("a", 1)
                return
            except StaleWriter:
                continue
        pytest.fail("the name stayed taken")

    run(main())
