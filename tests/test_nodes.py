"""Commits made in the block of a node are by that node, whoever runs beside it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import frozen
from hypothesis import event, given
from hypothesis import strategies as st
from test_interrupts import Interrupter

from backpack import AsyncBackpack, Backpack, Commit, Committed
from backpack.nodes import _OPENED, Nodes

Packs: TypeAlias = tuple[Backpack, Backpack]
#: Which node's block the program is in, of each of two Backpacks.
Where: TypeAlias = tuple[str | None, str | None]


@frozen
class Change:
    """One or more commits of a key that nobody else changes.

    Attributes:
        pack: On which of two Backpacks.
        how: By which operations.
        by: What the calls say themselves.
    """

    pack: int
    how: str
    by: str | None


@frozen
class Block:
    """Statements inside a node of one of the Backpacks."""

    pack: int
    name: str
    body: list[Any]


@frozen
class Aside:
    """Statements that run beside what follows: in a task, or in a thread."""

    how: str
    body: list[Any]


NAMES = st.sampled_from(["triage", "write", "review"])
CHANGES = st.builds(
    Change,
    st.integers(0, 1),
    st.sampled_from(["pack", "item", "mapping", "transaction", "edit", "rollback"]),
    st.none() | st.just("itself"),
)
ASIDES = st.sampled_from(["task", "thread", "thread with the context"])
PROGRAMS = st.lists(
    st.recursive(
        CHANGES,
        lambda inner: (
            st.builds(Block, st.integers(0, 1), NAMES, st.lists(inner, max_size=4))
            | st.builds(Aside, ASIDES, st.lists(inner, max_size=4))
        ),
        max_leaves=12,
    ),
    max_size=6,
)


def within(where: Where, block: Block) -> Where:
    """Return where a program is inside a block."""
    return (block.name, where[1]) if block.pack == 0 else (where[0], block.name)


class Run:
    """Runs a program, and notes who has to have made each commit.

    Args:
        packs: The Backpacks.
    """

    def __init__(self, packs: Packs) -> None:
        self.packs = packs
        self.expected: dict[str, str | None] = {}
        self.lock = threading.Lock()

    def key(self, change: Change, where: Where) -> str:
        """Return a new key, of which all commits are by the same node."""
        with self.lock:
            key = f"key {len(self.expected)}"
            self.expected[key] = where[change.pack] if change.by is None else change.by
        return key

    def change(self, change: Change, where: Where) -> None:
        """Make commits of a key."""
        bp, key, by = self.packs[change.pack], self.key(change, where), change.by
        match change.how:
            case "pack":
                bp.pack(key, [1], by=by)
                bp.remove(key, by=by)
            case "item" if by is None:
                bp[key] = 1
                del bp[key]
            case "mapping" if by is None:
                bp.setdefault(key, 1)
                bp.update({key: 2})
                bp.pop(key)
            case "rollback" if by is None:
                first = bp.pack(key, 1)
                bp.pack(key, 2)
                bp.rollback(first, keys=[key])
            case "edit":
                bp.pack(key, [1], by=by)
                with bp.edit(key, by=by) as items:
                    items.append(2)
            case _:
                with bp.transaction(by=by) as tx:
                    tx[key] = 1

    def statements(self, body: list[Any], where: Where) -> None:
        """Run statements in this thread."""
        for statement in body:
            match statement:
                case Change():
                    self.change(statement, where)
                case Block():
                    with self.packs[statement.pack].node(statement.name):
                        self.statements(statement.body, within(where, statement))
                case Aside(how="thread"):
                    self.beside(lambda: self.statements(statement.body, (None, None)))  # noqa: B023
                case Aside():
                    context = contextvars.copy_context()
                    self.beside(
                        lambda: context.run(self.statements, statement.body, where)  # noqa: B023
                    )

    def beside(self, work: Callable[[], None]) -> None:
        """Do something in a thread of its own."""
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    async def tasks(self, body: list[Any], where: Where) -> None:
        """Run statements in a task, and all that goes beside it, with turns in between."""
        aside: list[asyncio.Future[None]] = []
        for statement in body:
            await asyncio.sleep(0)
            match statement:
                case Change():
                    self.change(statement, where)
                case Block():
                    with self.packs[statement.pack].node(statement.name):
                        await self.tasks(statement.body, within(where, statement))
                case Aside(how="task"):
                    aside.append(asyncio.ensure_future(self.tasks(statement.body, where)))
                case Aside(how="thread"):
                    loop = asyncio.get_running_loop()
                    nowhere = (None, None)
                    aside.append(
                        loop.run_in_executor(None, self.statements, statement.body, nowhere)
                    )
                case Aside():
                    work = asyncio.to_thread(self.statements, statement.body, where)
                    aside.append(asyncio.ensure_future(work))
        # Not in a `finally`: what runs beside may go on when the block has ended.
        self.pending.extend(aside)

    async def all_tasks(self, body: list[Any]) -> None:
        """Run a program as tasks, to the end of the last."""
        self.pending: list[asyncio.Future[None]] = []
        await self.tasks(body, (None, None))
        while self.pending:
            await self.pending.pop()

    def check(self) -> None:
        """Hold each commit against what was noted."""
        commits = [commit for bp in self.packs for commit in bp.history()]
        seen = {key: commit.by for commit in commits for key in commit.keys}
        assert self.expected == seen
        for commit in commits:
            assert commit.by == self.expected[commit.keys[0]]
        assert () == _OPENED.get()
        for found in set(seen.values()):
            event(f"by {found}")


@given(PROGRAMS)
def test_commits_are_by_the_innermost_node_in_tasks(program: list[Any]) -> None:
    """Tasks inherit the node they were started in; siblings do not see each other's."""
    run = Run((Backpack(), Backpack()))
    asyncio.run(asyncio.wait_for(run.all_tasks(program), 60))
    run.check()


@given(PROGRAMS)
def test_commits_are_by_the_innermost_node_in_threads(program: list[Any]) -> None:
    """Threads are outside of any node, unless they run in a copy of the context."""
    run = Run((Backpack(), Backpack()))
    run.statements(program, (None, None))
    run.check()


def stepping(bp: Backpack, name: str) -> Iterator[None]:
    """Open a node, and leave it open while somebody else goes on."""
    with bp.node(name):
        yield
        yield


STEPS = st.sampled_from(["next", "next", "next", "close"])


@given(st.lists(st.tuples(st.integers(0, 2), STEPS), min_size=2, max_size=12))
def test_generators_leave_nothing_behind(schedule: list[tuple[int, str]]) -> None:
    """They may end in any order: the node counts that was entered last of those still open."""
    bp = Backpack()
    running = [stepping(bp, str(number)) for number in range(3)]
    is_open: list[int] = []
    for number, how in schedule:
        before = next(iter(is_open[::-1]), None)
        if how == "close":
            running[number].close()  # type: ignore[attr-defined]
            is_open = [each for each in is_open if each != number]
        elif next(running[number], "ended") == "ended":
            is_open = [each for each in is_open if each != number]
        elif number not in is_open:
            is_open.append(number)
        innermost = next(iter(is_open[::-1]), None)
        if how == "close" and innermost is not None and before == innermost:
            event("an outer one was closed first")
        assert (None if innermost is None else str(innermost)) == bp.pack("a", 1).by
    running.clear()
    assert bp.pack("a", 1).by is None
    assert () == _OPENED.get()


def test_every_operation_is_by_the_node() -> None:
    """All that makes a commit, an explicit ``by`` aside."""
    bp = Backpack()
    start = bp.pack("a", [1])
    with bp.node("it"):
        bp.pack("b", 1, tags=["t"])
        bp["c"] = 1
        bp.update(d=1)
        bp.setdefault("e", 1)
        bp.pop("e")
        bp.popitem()
        del bp["c"]
        bp.remove("b")
        with bp.edit("a", note="edited") as items:
            items.append(2)
        with bp.transaction() as tx:
            tx["f"] = 1
        bp.rollback(start)
        bp.clear()
        made = len(bp.history())
        assert "me" == bp.pack("a", 1, by="me").by
        with bp.transaction(by="me") as tx:
            tx["a"] = 2
        with bp.edit("a", by="me"):
            pass
        assert "me" == bp.remove("a", by="me").by
    assert 13 == made
    assert ["it"] * 12 == [commit.by for commit in bp.history()[3:-1]]
    assert ["me"] * 3 == [commit.by for commit in bp.history()[:3]]
    rolled_back = next(
        commit for commit in bp.history() if commit.note == f"rollback to {start.id}"
    )
    assert "it" == rolled_back.by


def test_the_innermost_counts_and_the_outer_one_is_back() -> None:
    """Also after an exception."""
    bp = Backpack()
    with bp.node("outer"):
        with pytest.raises(ZeroDivisionError), bp.node("inner"):
            assert "inner" == bp.pack("a", 1).by
            bp["b"] = 1 // 0
        assert "outer" == bp.pack("a", 1).by
    assert bp.pack("a", 1).by is None


def test_a_transaction_belongs_to_the_node_it_was_opened_in() -> None:
    """So does an edit; what a node opened inside changes in it is part of it."""
    bp = Backpack()
    bp["a"] = []
    with bp.node("outer"), bp.transaction() as tx, bp.node("inner"):
        tx["b"] = 1
    assert tx.commit is not None
    assert "outer" == tx.commit.by
    edit, transaction = bp.edit("a"), bp.transaction()
    with bp.node("outer"):
        items, tx = edit.__enter__(), transaction.__enter__()
    items.append(1)
    tx["b"] = 2
    transaction.__exit__(None, None, None)
    edit.__exit__(None, None, None)
    assert [(("a",), "outer"), (("b",), "outer")] == [
        (commit.keys, commit.by) for commit in bp.history()[:2]
    ]


def test_an_asynchronous_transaction_belongs_to_the_node_it_was_opened_in() -> None:
    """Though the commit is made where it ends."""

    async def main() -> str | None:
        async with AsyncBackpack(Backpack()) as bp:
            transaction = bp.transaction()
            with bp.node("outer"):
                changes = await transaction.__aenter__()
            changes["a"] = 1
            await transaction.__aexit__(None, None, None)
        assert changes.commit is not None
        return changes.commit.by

    assert "outer" == asyncio.run(main())


def test_a_node_is_of_one_backpack() -> None:
    """Also beside one that was restored from the same file, and has the same code; and a fork."""
    bp = Backpack()
    first = bp.pack("a", 1)
    with bp.node("it"):
        fork = bp.fork(first)
        assert fork.head is not None
        assert (None, f"fork of {first.id}") == (fork.head.by, fork.head.note)
        assert fork.pack("a", 2).by is None


def test_a_twin_of_the_same_code_is_another_backpack(tmp_path: Path) -> None:
    """A node goes by the Backpack itself, not by what it is called."""
    bp = Backpack()
    bp["a"] = 1
    bp.save(tmp_path / "file")
    twin = Backpack.restore(tmp_path / "file")
    assert bp.code == twin.code
    with bp.node("it"):
        assert twin.pack("a", 2).by is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (3, "the name of a node must be a non-empty string, not int 3"),
        ("", "the name of a node must be a non-empty string, not ''"),
        (None, "the name of a node must be a non-empty string, not None"),
        ("\ud800", "the name of a node must be valid Unicode, without lone surrogates, not"),
    ],
)
def test_a_bad_name_is_refused_at_once(name: Any, problem: str) -> None:
    """As it is for ``by``, before the block."""
    bp = Backpack()
    with pytest.raises(TypeError, match=problem):
        bp.node(name)
    with pytest.raises(TypeError, match=problem):
        AsyncBackpack(bp).node(name)


def test_a_block_is_entered_once() -> None:
    """A second time would end the first."""
    block = Backpack().node("it")
    with block, pytest.raises(RuntimeError, match="entered before; make one for each `with`"):
        block.__enter__()
    with pytest.raises(RuntimeError, match="entered before"):
        block.__enter__()


def test_it_is_no_decorator() -> None:
    """Around a coroutine function it would end before the first await."""
    with pytest.raises(TypeError, match="not callable"):
        Backpack().node("it")(print)  # type: ignore[operator]


def test_a_subscriber_and_a_recording_see_the_node(tmp_path: Path) -> None:
    """As they see any ``by``; what a subscriber packs elsewhere is not by it."""
    bp, other = Backpack(), Backpack()
    seen: list[Any] = []
    bp.subscribe(lambda told: seen.append((told, other.pack("a", 1).by)))
    with bp.record(tmp_path / "run.jsonl"), bp.node("it"):
        bp["a"] = 1
    ((told, by),) = seen
    assert isinstance(told, Committed)
    assert ("it", None) == (told.commit.by, by)
    lines = (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()
    assert ["it"] == [line["by"] for line in map(json.loads, lines) if "by" in line]


def test_the_asynchronous_one_takes_the_node_to_its_thread() -> None:
    """Each operation is by the node of the task that awaits it, and in its context."""
    seen: list[object] = []
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def work(bp: AsyncBackpack, name: str) -> list[str | None]:
        variable.set(name)
        with bp.node(name):
            commits: list[Commit | None] = []
            for turn in range(5):
                commits.append(await bp.pack(name, turn))
                async with bp.transaction() as changes:
                    changes[name] = turn + 100
                    with bp.node("inner"):
                        await asyncio.sleep(0)
                commits.append(changes.commit)
                async with bp.transaction(by="itself") as changes:
                    changes[name] = turn + 200
                assert changes.commit is not None
                assert "itself" == changes.commit.by
            first = commits[0]
            assert first is not None
            commits.append(await bp.rollback(first, keys=[name]))
            commits.append(await bp.remove(name))
        assert (await bp.pack("outside", name)).by is None
        return [None if commit is None else commit.by for commit in commits]

    async def main() -> None:
        async with AsyncBackpack(Backpack()) as bp:
            bp.sync.subscribe(lambda told: seen.append(variable.get()))
            found = await asyncio.gather(*(work(bp, name) for name in "abc"))
            assert [[name] * 12 for name in "abc"] == found

    asyncio.run(asyncio.wait_for(main(), 60))
    assert set("abc") == set(seen)


def test_a_generator_that_is_closed_elsewhere_leaves_no_node_behind() -> None:
    """The loop closes what was not read to its end in a task, and a context, of its own."""
    bp = Backpack()

    async def reading() -> AsyncIterator[int]:
        with bp.node("reader"):
            for number in range(3):
                yield number

    async def main() -> None:
        numbers = reading()
        async for _ in numbers:
            break
        assert "reader" == bp.pack("a", 1).by
        del numbers
        gc.collect()
        await asyncio.sleep(0.01)
        assert bp.pack("a", 1).by is None

    asyncio.run(main())


def test_what_was_started_inside_goes_on_by_the_node() -> None:
    """When the block has ended, too; a task that was there before is not in it."""
    bp = Backpack()

    async def later() -> str | None:
        await asyncio.sleep(0.001)
        return bp.pack("a", 1).by

    async def main() -> list[str | None]:
        before = asyncio.ensure_future(later())
        with bp.node("it"):
            inside = asyncio.ensure_future(later())
        return [await before, await inside, bp.pack("a", 1).by]

    assert [None, "it", None] == asyncio.run(main())


def test_contexts_keep_no_backpack() -> None:
    """What a task inherits is a name, and does not keep the state in memory."""
    bp = Backpack()
    with bp.node("it"):
        context = contextvars.copy_context()
    engine = weakref.ref(bp._engine)
    del bp
    gc.collect()
    assert engine() is None
    assert 1 == len(context[_OPENED])


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_leaves_no_node_behind() -> None:
    """Ctrl-C, wherever it comes: at the beginning of the block, in it, at its end."""
    bp = Backpack()

    def operation() -> None:
        with bp.node("outer"):
            pass

    for at in range(1, 1000):
        interrupter = Interrupter(at)
        was_interrupted = interrupter.run(operation)
        assert () == _OPENED.get(), f"interrupted at place {at}"
        if interrupter.places < at:
            break
        assert was_interrupted
    assert at > 8


def test_blocks_of_anything() -> None:
    """What a block was opened with comes back, for its owner only."""
    ours: Nodes[object] = Nodes()
    theirs: Nodes[object] = Nodes()
    with ours.block(7), theirs.block(8):
        assert (7, 8) == (ours.innermost(), theirs.innermost())
    assert ours.innermost() is None
