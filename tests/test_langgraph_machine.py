"""LangGraph's saver on Backpack against the one in memory: whatever is there is as it is there."""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory
from typing import Any

from attrs import field, frozen
from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import ERROR, INTERRUPT, _DeltaSnapshot

from backpack import BudgetError, ConflictError
from backpack.archive import SqlArchive
from backpack.integrations.langgraph import BackpackSaver

KIB = 1024
THREADS = ("one", "two", "three")
TASKS = ("task-a", "task-b", "task-c")
#: The channel that is rebuilt from writes.
DELTA = "delta"

values = st.one_of(
    st.integers(0, 9),
    st.text("ab", max_size=3),
    st.integers(1, 40).map(lambda count: ["a message of some length"] * count),
    st.integers(0, 2**32).map(lambda seed: f"{seed:x}" * 150),
)


@frozen
class Known:
    """A checkpoint that was put.

    Attributes:
        config: The config that names it.
        values: What its channels have.
        versions: Their versions.
        counters: What its metadata say of the delta channel.
    """

    config: RunnableConfig
    values: dict[str, Any]
    versions: dict[str, Any]
    counters: tuple[int, int] = (0, 0)
    parents: dict[str, str] = field(factory=dict)

    @property
    def thread(self) -> str:
        return str(self.config["configurable"]["thread_id"])

    @property
    def namespace(self) -> str:
        return str(self.config["configurable"]["checkpoint_ns"])

    @property
    def id(self) -> str:
        return str(self.config["configurable"]["checkpoint_id"])


class Savers(RuleBasedStateMachine):
    """Does the same to both savers; what the one on Backpack gave up is not asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []
        self.planned: list[tuple[str, str, str]] = []
        self.oracle = InMemorySaver()
        self.saver = BackpackSaver()
        self.touched: set[str] = set()

    @initialize(most=st.sampled_from([8, 16, 48, 400]), total=st.sampled_from([None, 30, 60, 1000]))
    def begin(self, most: int, total: int | None) -> None:
        """Choose the budgets."""
        self.most, self.total = most * KIB, None if total is None else total * KIB
        self.saver = self.opened()

    def opened(self) -> BackpackSaver:
        """Return a saver."""
        return BackpackSaver(max_thread_size=self.most, max_total_size=self.total)

    def teardown(self) -> None:
        """Look at everything once more."""
        self.touched = set(THREADS)
        self.check()

    # --- what is done --------------------------------------------------------------------

    @rule(
        thread=st.sampled_from(THREADS),
        back=st.sampled_from([0, 0, 0, 0, 1, 5, 30, None]),
        changes=st.dictionaries(
            st.sampled_from(["a", "b", "c"]), st.one_of(st.none(), values), max_size=3
        ),
        delta=st.booleans(),
        whole=st.booleans(),
        run=st.sampled_from(["r1", "r2", "r3"]),
    )
    def put(
        self,
        thread: str,
        back: int | None,
        changes: dict[str, Any],
        delta: bool,
        whole: bool,
        run: str,
    ) -> None:
        """Put a checkpoint of the graph, made from the newest or from an older one."""
        self.put_in(thread, "", back, changes, delta and not whole, whole and delta, run, {})

    @rule(
        thread=st.sampled_from(THREADS),
        number=st.integers(1, 3),
        step=st.booleans(),
        changes=st.dictionaries(st.sampled_from(["a", "b"]), values, min_size=1, max_size=2),
    )
    def put_of_subgraph(
        self, thread: str, number: int, step: bool, changes: dict[str, Any]
    ) -> None:
        """Put a checkpoint of a subgraph: one that goes on, or one of a step of the graph."""
        roots = self.of(thread, "")
        if not roots or self.saver.get_tuple(roots[-1].config) is None:
            return
        root = roots[-1]
        namespace = f"sub:{root.id}-{number}" if step else f"sub{number}"
        self.put_in(thread, namespace, 0, changes, False, False, "r1", {"": root.id})

    def put_in(
        self,
        thread: str,
        namespace: str,
        back: int | None,
        changes: dict[str, Any],
        delta: bool,
        whole: bool,
        run: str,
        parents: dict[str, str],
    ) -> None:
        """Put a checkpoint in both, unless there is no room for it."""
        others = self.of(thread, namespace)
        parent = None if back is None or not others else others[max(0, len(others) - 1 - back)]
        before = Known({}, {}, {}) if parent is None else parent
        state, versions = dict(before.values), dict(before.versions)
        new: dict[str, Any] = {}
        for channel, value in changes.items():
            new[channel] = self.oracle.get_next_version(versions.get(channel), None)
            if value is None:
                state.pop(channel, None)
            else:
                state[channel] = value
        updates, steps = before.counters
        if delta or whole:
            new[DELTA] = self.oracle.get_next_version(versions.get(DELTA), None)
            state.pop(DELTA, None)
        if DELTA in versions or delta or whole:
            steps, updates = steps + 1, updates + delta
        if whole:
            state[DELTA] = _DeltaSnapshot(["as of now", len(self.known)])
            updates = steps = 0
        versions |= new
        planned = [each for each in self.planned if each[:2] == (thread, namespace)]
        checkpoint_id = planned[0][2] if planned and back == 0 else str(uuid6())
        metadata: CheckpointMetadata = {
            "source": "loop",
            "step": len(self.known),
            "parents": parents,
            "run_id": run,
        }
        if (updates, steps) != (0, 0):
            metadata["counters_since_delta_snapshot"] = {DELTA: (updates, steps)}
        checkpoint: Checkpoint = {
            "v": 4,
            "id": checkpoint_id,
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": dict(state),
            "channel_versions": dict(versions),
            "versions_seen": {"node": dict(versions)},
            "updated_channels": sorted(new),
        }
        config: RunnableConfig = {"configurable": {"thread_id": thread, "checkpoint_ns": namespace}}
        if parent is not None:
            config["configurable"]["checkpoint_id"] = parent.id
        self.touched.add(thread)
        try:
            told = self.saver.put(config, checkpoint, metadata, new)
        except BudgetError:
            event("no room to put")
            return
        event(f"put, {'all' if len(self.listed(thread)) > 6 else 'few'} there")
        assert told == self.oracle.put(config, checkpoint, metadata, new)
        self.planned = [each for each in self.planned if each[2] != checkpoint_id]
        self.known.append(Known(told, state, versions, (updates, steps), parents))

    @precondition(lambda self: self.known)
    @rule(
        at=st.integers(0, 2**16),
        recent=st.booleans(),
        task=st.sampled_from(TASKS),
        writes=st.lists(
            st.tuples(st.sampled_from(["a", DELTA, DELTA, ERROR, INTERRUPT]), values),
            min_size=1,
            max_size=3,
        ),
        path=st.sampled_from(["", "x", "y"]),
    )
    def put_writes(
        self, at: int, recent: bool, task: str, writes: list[tuple[str, Any]], path: str
    ) -> None:
        """Add pending writes to a checkpoint, mostly to a recent one."""
        known = self.known[-1 - at % 3 if recent and len(self.known) > 3 else at % len(self.known)]
        self.write(known.config, writes, task, path)

    @rule(thread=st.sampled_from(THREADS), task=st.sampled_from(TASKS), value=values)
    def put_writes_before_their_checkpoint(self, thread: str, task: str, value: Any) -> None:
        """Add pending writes to a checkpoint that is to be put."""
        planned = thread, "", str(uuid6())
        config: RunnableConfig = {
            "configurable": {
                "thread_id": thread,
                "checkpoint_ns": "",
                "checkpoint_id": planned[2],
            }
        }
        if self.write(config, [("a", value), (DELTA, value)], task, ""):
            self.planned.append(planned)

    def write(
        self, config: RunnableConfig, writes: list[tuple[str, Any]], task: str, path: str
    ) -> bool:
        """Add pending writes in both, unless there is no room for them."""
        self.touched.add(config["configurable"]["thread_id"])
        try:
            self.saver.put_writes(config, writes, task, path)
        except BudgetError:
            return False
        self.oracle.put_writes(config, writes, task, path)
        return True

    @rule(thread=st.sampled_from(THREADS))
    def prune(self, thread: str) -> None:
        """Keep the newest checkpoint of each namespace, and what these need."""
        before = self.listed(thread)
        newest = {each.config["configurable"]["checkpoint_ns"]: each for each in before[::-1]}
        try:
            self.saver.prune([thread])
        except BudgetError:
            event("no room to prune")
            assert before == self.listed(thread)
            return
        after = self.listed(thread)
        assert newest.keys() == {each.config["configurable"]["checkpoint_ns"] for each in after}
        for each in newest.values():
            assert each in after
        if not any(self.is_delta(each) for each in after):
            assert len(after) == len(newest)
        self.forget_in_oracle()

    @rule(thread=st.sampled_from(THREADS))
    def delete(self, thread: str) -> None:
        """Delete a thread."""
        self.saver.delete_thread(thread)
        self.oracle.delete_thread(thread)
        self.forget(lambda known: known.thread == thread)
        self.planned = [each for each in self.planned if each[0] != thread]
        self.touched.add(thread)

    @rule(run=st.sampled_from(["r2", "r3"]))
    def delete_for_run(self, run: str) -> None:
        """Delete what a run has made, unless something is rebuilt from it."""
        before = {thread: self.listed(thread) for thread in THREADS}
        try:
            self.saver.delete_for_runs([run])
        except ConflictError:
            assert before == {thread: self.listed(thread) for thread in THREADS}
            return
        except BudgetError:
            event("no room to delete")
        self.forget_in_oracle()

    @rule(source=st.sampled_from(THREADS))
    def copy(self, source: str) -> None:
        """Copy a thread to one that is not there, and look at the copy."""
        before = self.listed(source)
        try:
            self.saver.copy_thread(source, "copy")
        except BudgetError:
            assert self.listed("copy") == []
            return
        copies = self.listed("copy")
        for each in copies:
            for config in (each.config, each.parent_config):
                if config is not None:
                    config["configurable"]["thread_id"] = source
        there = {each.config["configurable"]["checkpoint_id"]: each for each in before}
        for each in copies:
            assert each == there[each.config["configurable"]["checkpoint_id"]]
            self.check_delta(each, "copy")
        self.saver.delete_thread("copy")
        self.touched |= set(THREADS)

    # --- what must hold ------------------------------------------------------------------

    @invariant()
    def check(self) -> None:
        """What is there is as in the oracle, the newest is there, and the budgets are held."""
        threads = self.saver._threads
        sizes = [each.used for each in threads._open.values()]
        assert threads.used == sum(sizes) <= (self.total or 10**9)
        assert max(sizes, default=0) <= self.most
        for thread in self.touched:
            listed = self.listed(thread)
            ours = {each.config["configurable"]["checkpoint_id"]: each for each in listed}
            config: RunnableConfig = {"configurable": {"thread_id": thread}}
            theirs = {
                each.config["configurable"]["checkpoint_id"]: each
                for each in self.oracle.list(config)
            }
            self.check_listed(ours, theirs)
            for checkpoint_id, each in ours.items():
                assert each == theirs[checkpoint_id]
                assert self.saver.get_tuple(each.config) == each
                self.check_delta(each, thread)
            root = self.saver.get_tuple(config)
            assert root == self.oracle.get_tuple(config)
        self.touched.clear()

    def check_listed(self, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        """What is there is a part of what was put."""
        assert ours.keys() <= theirs.keys()

    def check_delta(self, found: CheckpointTuple, thread: str) -> None:
        """The delta channel of a checkpoint that is there is rebuilt from what it must be."""
        ours: RunnableConfig = {
            "configurable": {**found.config["configurable"], "thread_id": thread}
        }
        assert self.saver.get_delta_channel_history(
            config=ours, channels=[DELTA]
        ) == self.oracle.get_delta_channel_history(
            config=found.config, channels=[DELTA]
        ) or not self.is_delta(found)

    @staticmethod
    def is_delta(found: CheckpointTuple) -> bool:
        """Whether the delta channel of a checkpoint is rebuilt."""
        checkpoint = found.checkpoint
        return DELTA in checkpoint["channel_versions"] and DELTA not in checkpoint["channel_values"]

    def listed(self, thread: str) -> list[CheckpointTuple]:
        """Return all checkpoints of a thread that the saver has."""
        return [*self.saver.list({"configurable": {"thread_id": thread}})]

    def of(self, thread: str, namespace: str) -> list[Known]:
        """Return the checkpoints that were put in a namespace."""
        return [each for each in self.known if (each.thread, each.namespace) == (thread, namespace)]

    def forget_in_oracle(self) -> None:
        """Take out of the oracle what is not there: nobody's newest is what was given up."""
        for each in [*self.oracle.list(None)]:
            place = each.config["configurable"]
            if self.saver.get_tuple(each.config) is None:
                del self.oracle.storage[place["thread_id"]][place["checkpoint_ns"]][
                    place["checkpoint_id"]
                ]
        self.forget(lambda known: self.oracle.get_tuple(known.config) is None)
        self.touched |= set(THREADS)

    def forget(self, is_gone: Any) -> None:
        """Go on from none of some checkpoints."""
        self.known = [each for each in self.known if not is_gone(each)]


class ArchivedSavers(Savers):
    """The same with an archive, restarts included: nothing at all is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()

    def opened(self) -> BackpackSaver:
        """Return a saver with an archive that few threads of are open."""
        return BackpackSaver(
            max_thread_size=self.most,
            max_total_size=self.total,
            archive=SqlArchive(f"sqlite:///{self.folder.name}/runs.db"),
            max_open_threads=2,
        )

    def teardown(self) -> None:
        """Look at everything once more."""
        super().teardown()
        self.saver.close()
        self.folder.cleanup()

    @rule()
    def restart(self) -> None:
        """Close the saver, and go on with another one."""
        self.saver.close()
        self.saver = self.opened()
        # What waited for a checkpoint that was not put is gone with whoever was to put it.
        for thread, namespace, checkpoint_id in self.planned:
            self.oracle.writes.pop((thread, namespace, checkpoint_id), None)
        self.touched = set(THREADS)

    def check_listed(self, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
        """All of it is there, but for what was pruned."""
        assert ours.keys() == theirs.keys()


def case(machine: type[Savers], programs: int) -> Any:
    """Return the test of a machine."""
    test = machine.TestCase
    test.settings = settings(
        max_examples=int(os.environ.get("BACKPACK_PROGRAMS", programs)), stateful_step_count=40
    )
    return test


TestSavers = case(Savers, 25)
TestArchivedSavers = case(ArchivedSavers, 5)
