"""The asynchronous Backpack: the same answers, without keeping the loop waiting."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import pytest
from archives import Past, settings

from backpack import (
    ArchiveError,
    AsyncBackpack,
    Backpack,
    Committed,
    ConflictError,
    Event,
    StaleWriter,
    UnknownKey,
    UnpackableValue,
)
from backpack.archive.database import Database
from backpack.awaited import Changes
from backpack.recording import Recorder
from backpack.transaction import Transaction

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


#: What only the other has, and why.
ELSEWHERE = {
    "items": "to_dict has all of them as of one moment",
    "values": "to_dict has all of them as of one moment",
    "sizing": "it waits for nothing: bp.sync.sizing",
    "reference": "it waits for nothing: bp.sync.reference",
    "storage": "it waits for nothing: bp.sync.storage",
    "pruning": "it waits for nothing: bp.sync.pruning",
    "codec": "it waits for nothing: bp.sync.codec",
}
#: The same of a transaction: what it will change is told, and nothing is read.
UNREAD = {
    "pack": "changes[key] = value",
    "update": "changes[key] = value, for each",
    "remove": "del changes[key]",
    "clear": "AsyncBackpack.clear",
    "is_changed": "changes.staged",
    **dict.fromkeys(
        ("unpack", "get", "keys", "values", "items", "pop", "popitem", "setdefault"),
        "reading is awaited: bp.unpack",
    ),
}


def public(kind: type) -> set[str]:
    """Return what a class has for its users."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_nothing_of_the_other_is_forgotten() -> None:
    """Whatever a Backpack can do can be awaited, or there is a reason why not."""
    assert ELSEWHERE.keys() == public(Backpack) - public(AsyncBackpack)
    assert set() == public(AsyncBackpack) - public(Backpack)
    assert UNREAD.keys() == public(Transaction) - public(Changes)
    for kind, other in ((AsyncBackpack, Backpack), (Changes, Transaction)):
        for name in public(kind) & public(other):
            mine, its = (inspect.getattr_static(each, name) for each in (kind, other))
            assert isinstance(mine, property) == (isinstance(its, property) and name != "head")


def test_the_state_is_changed_as_a_mapping_is() -> None:
    """One commit for an update and for a clear; a default is taken as it is."""

    async def main() -> None:
        async with await AsyncBackpack.from_preset("short-lived") as bp:
            default = ["as it was"]
            setting = asyncio.ensure_future(bp.setdefault("a", default))
            await asyncio.sleep(0)
            default.append("changed")
            assert ["as it was"] == await setting
            assert ["as it was"] == await bp.setdefault("a")
            assert ["as it was"] == await bp.get("a")
            assert (None, 1) == (await bp.get("b"), await bp.get("b", 1))
            await bp.update({"b": 2}, c=3)
            await bp.update([("d", 4)])
            await bp.update()
            assert ["a", "b", "c", "d"] == await bp.keys()
            assert [("d",), ("b", "c"), ("a",)] == [each.keys for each in await bp.history()]
            assert ("d", 4) == await bp.popitem()
            assert (2, 9) == (await bp.pop("b"), await bp.pop("b", 9))
            with pytest.raises(UnknownKey):
                await bp.pop("b")
            await bp.clear()
            assert {} == await bp.to_dict()
            assert 6 == len(await bp.history())

    run(main())


def test_it_forgets_on_request(tmp_path: Path) -> None:
    """Commits, also in the moment in which another comes; and what the history may take."""
    url = f"sqlite:///{tmp_path}/archive.db"
    (tmp_path / "agent.yaml").write_text(f"archive:\n  use: sql\n  url: {url}\n", encoding="utf-8")

    async def main() -> None:
        async with await AsyncBackpack.from_file(tmp_path / "agent.yaml", name="it") as bp:
            heard: list[Event] = []
            end = bp.subscribe(heard.append)
            first, second, third = [await bp.pack("a", number) for number in range(3)]
            await bp.erase(first)
            assert [third, second] == await bp.history()
            with pytest.raises(ConflictError, match="is the newest, and stays; nothing was erased"):
                await bp.erase(third)
            async with bp.transaction(note="instead") as changes:
                changes["a"] = "clean"
                changes.erase(second, third.id)
            assert changes.commit is not None
            assert [changes.commit] == await bp.history()
            with pytest.raises(ConflictError, match="has to make one, and this one has changed no"):
                async with bp.transaction() as changes:
                    changes.erase(changes.commit or "")
            assert 4 == sum(isinstance(each, Committed) for each in heard)
            end()
            await bp.resize("1 MiB")
            assert 1024**2 == bp.max_history_size
            heard.clear()
            await bp.pack("a", "unheard")
            assert [] == heard
            told: list[tuple[int, int]] = []
            await bp.save(tmp_path / "file", progress=lambda done, of: told.append((done, of)))
            assert told
        async with await AsyncBackpack.restore(tmp_path / "file", "it") as again:
            assert "unheard" == await again.get("a")

    run(main())


def test_a_value_is_changed_in_place() -> None:
    """By the node that asked; nothing is committed where nothing changed, or the block fails."""

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            await bp.pack("a", ["first"])
            with bp.node("triage"):
                async with bp.edit("a", tags=["t"], note="n") as value:
                    value.append("second")
            head = await bp.head()
            assert head is not None
            assert ("triage", ("t",), "n") == (head.by, head.tags, head.note)
            async with bp.edit("a"):
                pass
            with pytest.raises(ZeroDivisionError):
                async with bp.edit("a") as value:
                    value.append(1 // 0)
            with pytest.raises(UnpackableValue, match=r"^a\[2\]: "):
                async with bp.edit("a") as value:
                    value.append(object())
            with pytest.raises(UnknownKey):
                async with bp.edit("b"):
                    pytest.fail("there is none")
            with pytest.raises(TypeError):
                async with bp.edit("a", by=""):
                    pytest.fail("nobody is called so")
            assert head == await bp.head()
            assert ["first", "second"] == await bp.unpack("a")

    run(main())


def test_an_edit_of_what_others_have_packed_is_refused() -> None:
    """Nobody waits for a block; whoever comes second is told, also where the key is gone."""

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            await bp.pack("a", ["first"])
            for change in (bp.pack("a", ["other"]), bp.remove("a")):
                with pytest.raises(ConflictError, match="'a' was packed or removed while it was b"):
                    async with bp.edit("a") as value:
                        value.append("lost")
                        await change
            assert {} == await bp.to_dict()
            await bp.pack("a", ["first"])
            async with bp.edit("a") as value:
                await bp.pack("b", "of no matter")
                value.append("second")
            assert ["first", "second"] == await bp.unpack("a")

    run(main())


def test_an_edit_or_an_erasure_that_is_cancelled_is_done_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has begun is finished, what has not is not done."""
    url, commit = f"sqlite:///{tmp_path}/a.db", Database.commit

    def slow(self: Database) -> None:
        time.sleep(0.05)
        commit(self)

    async def edit(bp: AsyncBackpack) -> None:
        async with bp.edit("b") as value:
            value.append("never")

    async def main() -> None:
        async with await AsyncBackpack.open(url, "it") as bp:
            first, second = await bp.pack("a", 1), await bp.pack("b", [])
            third = await bp.pack("a", 2)
            monkeypatch.setattr(Database, "commit", slow)
            tasks = [asyncio.ensure_future(each) for each in (bp.erase(first), edit(bp))]
            await asyncio.sleep(0.02)
            tasks += [asyncio.ensure_future(bp.erase(second))]
            await asyncio.sleep(0)
            for each in tasks:
                each.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in done)
            assert [third, second] == await bp.history()
            monkeypatch.undo()
        with Backpack.open(url, "it") as again:
            assert [third, second] == again.history()

    run(main())


@pytest.mark.parametrize("what", ["open", "fork", "record"])
def test_what_was_made_for_nobody_is_closed_beside_the_loop(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing writes the archive: the loop does not wait for that."""
    kind, name = (Recorder, "__init__") if what == "record" else (Database, "begin")
    made, closed = getattr(kind, name), list[threading.Thread]()

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(0.05)
        return made(*args, **kwargs)

    def noting(kind: type) -> None:
        close = kind.close  # type: ignore[attr-defined]

        def noted(self: Any) -> None:
            closed.append(threading.current_thread())
            close(self)

        monkeypatch.setattr(kind, "close", noted)

    async def main() -> None:
        url = f"sqlite:///{tmp_path}/a.db"
        async with await AsyncBackpack.open(url, "it") as bp:
            await bp.pack("a", 1)
            noting(Recorder if what == "record" else Backpack)
            with monkeypatch.context() as patch:
                patch.setattr(kind, name, slow)
                work: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
                    "open": lambda: AsyncBackpack.open(url, "other"),
                    "fork": bp.fork,
                    "record": lambda: bp.record(tmp_path / "trace.jsonl"),
                }
                making = asyncio.ensure_future(work[what]())
                await asyncio.sleep(0.02)
                making.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await making
                for _ in range(500):
                    if closed:
                        break
                    await asyncio.sleep(0.01)
            (thread,) = closed
            assert thread.name.startswith("backpack")

    run(main())


def test_what_cannot_be_closed_for_nobody_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else is there to be told; what was never made needs not be closed."""
    told: list[str] = []
    monkeypatch.setattr("backpack.aio.log", lambda *_, **fields: told.append(fields["error"]))

    def fail(self: Backpack) -> None:
        raise ArchiveError("the disk is full")

    monkeypatch.setattr(Backpack, "close", fail)

    async def make(*, fails: bool) -> None:
        def slow() -> Backpack:
            time.sleep(0.05)
            if fails:
                raise ArchiveError("there is none")
            return Backpack()

        making = asyncio.ensure_future(AsyncBackpack._made(slow))
        await asyncio.sleep(0.02)
        making.cancel()
        with pytest.raises(asyncio.CancelledError):
            await making
        await asyncio.sleep(0.2)

    run(make(fails=True))
    assert [] == told
    run(make(fails=False))
    assert ["the disk is full"] == told
