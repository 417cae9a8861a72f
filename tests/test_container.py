"""The Backpack by example: what users do, and what they are told when it cannot be done."""

from __future__ import annotations

import copy
import pickle
from collections.abc import MutableMapping
from enum import StrEnum
from random import Random
from threading import Lock
from typing import Any

import pytest

from backpack import (
    Backpack,
    BudgetError,
    Commit,
    CommitPruned,
    ConfigError,
    ConflictError,
    InvalidKey,
    PolicyError,
    Unavailable,
    UnknownCommit,
    UnknownKey,
    UnpackableValue,
    ValueUnavailable,
)
from backpack.audit import audit
from backpack.policies import Full, KeepAll, Oldest, Stub


@pytest.fixture
def bp() -> Backpack:
    """Return an empty Backpack."""
    return Backpack()


class TestSeed:
    """The three examples the library grew from."""

    def test_a_small_value_reads_back_from_its_snapshot(self, bp: Backpack) -> None:
        """What was packed is what its snapshot shows, also after it was replaced."""
        commit = bp.pack("decision", {"action": "refund", "amount": 120})
        bp.pack("decision", {"action": "deny"})
        assert {"action": "refund", "amount": 120} == bp.snapshot(commit)["decision"]

    def test_a_5_mb_value_is_whole_now_and_a_reference_later(self, bp: Backpack) -> None:
        """A value over the limit reads whole while it is current; an old snapshot says why not."""
        large = "x" * 5_000_000
        commit = bp.pack("dump", large)
        assert large == bp["dump"]
        assert large == bp.snapshot(commit)["dump"]
        bp.pack("other", 1)
        assert large == bp.snapshot(commit)["dump"]
        bp.pack("dump", "small")
        marker = bp.snapshot(commit).unpack("dump")
        assert isinstance(marker, Unavailable)
        assert 5_000_005 == marker.size
        assert "100 KiB" in marker.reason or "102,400" in marker.reason
        assert "reference.max_value_size" in marker.hint
        with pytest.raises(ValueUnavailable, match=r"'dump' \(5,000,005 bytes\) is not in history"):
            bp.snapshot(commit)["dump"]
        assert 1 == bp.memory_usage().references

    def test_10_000_packs_of_50_kb_stay_inside_50_mib(self) -> None:
        """Unrelated values stay in the budget; old commits are pruned, recent ones exact."""

        def value(seq: int) -> bytes:
            return Random(seq).randbytes(50_000)  # noqa: S311

        bp = Backpack.from_preset("default")
        commits = []
        for seq in range(1, 10_001):
            commits.append(bp.pack("state", value(seq)))
            usage = bp.memory_usage()
            assert usage.history_bytes <= usage.peak_history_bytes <= 50 * 1024**2
        with pytest.raises(CommitPruned, match="was pruned to keep the history in its budget"):
            bp.snapshot(commits[0])
        retained = bp.history()
        assert 800 < len(retained) < 1100
        for commit in retained[:800]:
            assert value(commit.seq) == bp.snapshot(commit)["state"]

    def test_10_000_values_that_are_much_alike_are_all_there(self) -> None:
        """An hour in which each value is mostly the one before is kept whole, in a third of it."""
        bp = Backpack.from_preset("default")
        for number in range(10_000):
            bp.pack("state", f"{number:06}" + "s" * 50_000)
        assert 10_000 == len(bp.history())
        assert bp.memory_usage().peak_history_bytes < 16 * 1024**2
        for commit in bp.history()[::77]:
            assert f"{commit.seq - 1:06}" + "s" * 50_000 == bp.snapshot(commit)["state"]


class TestCurrentState:
    """The state as a mapping."""

    def test_it_is_a_mutable_mapping(self, bp: Backpack) -> None:
        """Everything a dict does, a Backpack does, each change as a commit."""
        assert isinstance(bp, MutableMapping)
        bp["a"] = 1
        bp.update({"b": 2}, c=3)
        assert {"a": 1, "b": 2, "c": 3} == dict(bp) == bp
        assert ["a", "b", "c"] == list(bp)
        assert 3 == len(bp)
        assert {"a": 1, "b": 2, "c": 3} == bp.to_dict()
        assert "a" in bp
        assert "z" not in bp
        strangers: list[Any] = [7, None, ()]
        assert all(stranger not in bp for stranger in strangers)
        del bp["a"]
        assert 2 == bp.pop("b")
        assert "fallback" == bp.pop("b", "fallback")
        assert ("c", 3) == bp.popitem()
        assert [] == bp.setdefault("d", [])
        assert [] == bp.setdefault("d", "ignored")
        assert bp.get("nothing") is None
        assert [[]] == list(bp.values())
        bp.clear()
        assert not bp
        assert 7 == len(bp.history())

    def test_an_update_is_one_commit(self, bp: Backpack) -> None:
        """update() and clear() change all their keys in one commit."""
        bp.update(a=1, b=2)
        bp.clear()
        assert [("a", "b"), ("a", "b")] == [commit.keys for commit in bp.history()]
        assert ["removed", "removed"] == [change.kind for change in bp.history()[0].changes]

    def test_clearing_nothing_makes_no_commit(self, bp: Backpack) -> None:
        """What changes nothing in a transaction is no commit."""
        bp.clear()
        bp.update({})
        with bp.transaction() as tx:
            pass
        assert tx.commit is None
        assert bp.head is None

    @pytest.mark.parametrize("value", [0, "", False, None, [], {}, 0.0])
    def test_falsy_values_are_values(self, bp: Backpack, value: object) -> None:
        """Nothing is taken for absent because it is false."""
        commit = bp.pack("k", value)
        bp.pack("k", "other")
        assert value == bp.snapshot(commit)["k"]
        assert value == bp.snapshot(commit).unpack("k", "default")

    def test_values_are_copies(self, bp: Backpack) -> None:
        """Neither the packed object nor an unpacked one is an alias of what is kept."""
        mine: list[Any] = [{"deep": []}]
        commit = bp.pack("k", mine)
        mine[0]["deep"].append("changed")
        bp["k"].append("changed")
        bp.snapshot(commit)["k"].append("changed")
        assert [{"deep": []}] == bp["k"] == bp.snapshot(commit)["k"]

    def test_a_missing_key_is_named(self, bp: Backpack) -> None:
        """Reading or removing what is not there names the key; defaults are honoured."""
        with pytest.raises(UnknownKey, match="^there is no key 'nope' in the current state$"):
            bp["nope"]
        with pytest.raises(UnknownKey, match="there is no key 'nope' to remove"):
            bp.remove("nope")
        with pytest.raises(UnknownKey, match="no key 'nope'"):
            bp.unpack("nope")
        with pytest.raises(UnknownKey, match="no key 'nope'"):
            bp.pop("nope")
        with pytest.raises(UnknownKey, match="the state is empty"):
            bp.popitem()
        assert 5 == bp.unpack("nope", 5)

    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (1, "a key must be a non-empty string, not int 1"),
            (None, "a key must be a non-empty string, not None"),
            ("", "a key must be a non-empty string, not ''"),
            ("a\ud800", "a key must be valid Unicode, without lone surrogates"),
        ],
    )
    def test_a_bad_key_is_refused(self, bp: Backpack, key: Any, message: str) -> None:
        """A key is a non-empty string, and the error says so."""
        with pytest.raises(InvalidKey, match=message):
            bp.pack(key, 1)
        with pytest.raises(InvalidKey, match=message), bp.transaction() as tx:
            tx[key] = 1
        assert not bp
        assert bp.head is None

    def test_a_string_subclass_as_key_becomes_a_string(self, bp: Backpack) -> None:
        """Keys are plain strings inside, whatever class they had."""

        class Name(str):
            __slots__ = ()

        bp.pack(Name("k"), 1)
        assert [str] == [type(key) for key in bp]

    def test_an_unpackable_value_changes_nothing(self, bp: Backpack) -> None:
        """The error names the path inside the value."""
        bp["plan"] = 1
        with pytest.raises(UnpackableValue, match=r"^plan\.steps\[1\]\.client: "):
            bp["plan"] = {"steps": [1, {"client": object()}]}
        assert 1 == bp["plan"]
        assert 1 == len(bp.history())

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            ({"by": ""}, "by must be the name of a node or None, not ''"),
            ({"note": "\ud800"}, "note must be valid Unicode, without lone surrogates"),
            ({"by": 3}, "by must be the name of a node or None, not int 3"),
            ({"tags": "plan"}, r"tags must be a collection of strings, such as \('plan',\)"),
            ({"tags": 3}, "tags must be a collection of strings"),
            ({"tags": [3]}, "a tag must be a non-empty string, not int 3"),
            ({"tags": [""]}, "a tag must be a non-empty string, not ''"),
            ({"note": 3}, "note must be a string or None, not int 3"),
        ],
    )
    def test_bad_labels_are_refused(
        self, bp: Backpack, labels: dict[str, Any], message: str
    ) -> None:
        """Node, tags and note have types, and the error says which."""
        with pytest.raises(TypeError, match=message):
            bp.pack("k", 1, **labels)
        assert not bp


class TestCommits:
    """What a commit tells."""

    def test_a_commit_tells_what_happened(self) -> None:
        """Id, number, time, keys, node, tags, note and sizes."""
        bp = Backpack(clock=lambda: 1_700_000_000.5)
        commit = bp.pack("k", "value", by="node", tags=["b", "a", "b"], note="why")
        assert f"1-{bp.code}" == commit.id
        assert 1 == commit.seq
        assert "2023-11-14T22:13:20.500000+00:00" == commit.time.isoformat()
        assert ("k",) == commit.keys
        assert ("node", ("a", "b"), "why") == (commit.by, commit.tags, commit.note)
        assert [("k", "set", 6)] == [(c.key, c.kind, c.size) for c in commit.changes]
        assert bp.head == commit

    def test_packing_an_equal_value_is_an_event(self, bp: Backpack) -> None:
        """It makes a commit but no version, and the commit says so."""
        bp.pack("k", [1])
        commit = bp.pack("k", [1])
        assert "same" == commit.changes[0].kind
        assert 0 == bp.memory_usage().versions
        assert "set" == bp.pack("k", [True]).changes[0].kind

    @pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e18, -1e18, None, "noon", True])
    def test_a_clock_that_tells_no_time_is_refused(self, now: Any) -> None:
        """What cannot be shown as a time is not recorded as one."""
        bp = Backpack(clock=lambda: now)
        with pytest.raises(PolicyError, match="the clock must tell seconds since the epoch"):
            bp["k"] = 1
        assert not bp

    def test_a_clock_may_step_back_but_not_pack(self) -> None:
        """Numbers, not times, order commits; a clock that changes the Backpack is refused."""
        times = iter([100, 50, 75.5])
        bp = Backpack(clock=lambda: next(times))
        assert [1, 2, 3] == [bp.pack("k", n).seq for n in range(3)]
        bp = Backpack(clock=lambda: bp.pack("inner", 1).timestamp)
        with pytest.raises(PolicyError, match="tried to change the Backpack that is asking it"):
            bp["k"] = 1
        assert not bp

    def test_labels_are_plain_text(self, bp: Backpack) -> None:
        """Names of nodes given as members of an Enum are recorded as their text."""

        class Node(StrEnum):
            PLANNER = "planner"

        commit = bp.pack("k", 1, by=Node.PLANNER, tags=[Node.PLANNER], note=Node.PLANNER)
        assert [str] * 3 == [type(text) for text in (commit.by, commit.tags[0], commit.note)]

    def test_history_is_newest_first_and_by_key(self, bp: Backpack) -> None:
        """history(key) tells only of the commits that changed it."""
        bp["a"], bp["b"] = 1, 2
        bp["a"] = 3
        assert [3, 2, 1] == [commit.seq for commit in bp.history()]
        assert [3, 1] == [commit.seq for commit in bp.history("a")]
        assert [] == bp.history("z")

    def test_a_removed_key_stays_removed_when_looking_back(self, bp: Backpack) -> None:
        """A removal is a version: later snapshots do not resurrect the key."""
        set_ = bp.pack("k", 1)
        removed = bp.remove("k", by="janitor", tags=["t"], note="n")
        later = bp.pack("other", 1)
        bp["k"] = 2
        assert 1 == bp.snapshot(set_)["k"]
        assert "k" not in bp.snapshot(removed)
        assert ["other"] == list(bp.snapshot(later))
        assert ("janitor", ("t",), "n") == (removed.by, removed.tags, removed.note)

    def test_a_foreign_id_is_refused(self, bp: Backpack) -> None:
        """Ids that are none, of the future, or of another Backpack are told apart."""
        with pytest.raises(UnknownCommit, match="there is no commit 1-.* yet; there are none"):
            bp.snapshot(f"1-{bp.code}")
        commit = bp.pack("k", 1)
        with pytest.raises(UnknownCommit, match=f"no commit 2-.* yet; the newest is {commit.id}"):
            bp.snapshot(f"2-{bp.code}")
        with pytest.raises(UnknownCommit, match="'HEAD' is no commit id; pass a Commit or its id"):
            bp.snapshot("HEAD")
        with pytest.raises(UnknownCommit, match="7 is no commit id"):
            bp.snapshot(7)  # type: ignore[arg-type]
        other = Backpack().pack("k", 1)
        with pytest.raises(UnknownCommit, match=f"commit {other.id} belongs to another Backpack"):
            bp.snapshot(other)
        empty = Backpack()
        with pytest.raises(UnknownCommit, match="there are none"):
            empty.diff(f"1-{empty.code}")


class TestLookingBack:
    """Snapshots and diffs."""

    def test_a_snapshot_is_a_mapping(self, bp: Backpack) -> None:
        """It has everything a read-only mapping has, and its commit."""
        commit = bp.pack("a", [1])
        bp.pack("b", 2)
        snapshot = bp.snapshot(commit.id)
        assert commit == snapshot.commit
        assert {"a": [1]} == dict(snapshot) == snapshot.to_dict() == snapshot
        assert 1 == len(snapshot)
        assert "b" not in snapshot
        strangers: list[Any] = [7, None, ()]
        assert all(stranger not in snapshot for stranger in strangers)
        assert snapshot.get("b") is None
        assert "none" == snapshot.unpack("b", "none")
        assert repr(snapshot).startswith(f"<Snapshot {commit.id} of ")
        with pytest.raises(UnknownKey, match=f"there was no key 'b' at commit {commit.id}"):
            snapshot["b"]
        with pytest.raises(UnknownKey, match="there was no key 'b'"):
            snapshot.unpack("b")

    def test_a_view_ends_with_its_commit(self) -> None:
        """A snapshot whose commit is pruned says so at the next read; copies stay."""
        bp = Backpack(max_history_size=4096, reference=Stub(1000), pruning=Oldest(fraction=1.0))
        commit = bp.pack("k", "x" * 900)
        snapshot, copied = bp.snapshot(commit), bp.snapshot(commit).to_dict()
        fork = bp.fork(commit)
        for number in range(5):
            bp.pack("k", f"{number}" * 900)
        with pytest.raises(CommitPruned, match=f"commit {commit.id} was pruned"):
            snapshot["k"]
        assert {"k": "x" * 900} == copied == dict(fork)

    def test_a_diff_tells_added_removed_and_changed(self, bp: Backpack) -> None:
        """With both values of what changed; the second commit is the head if left out."""
        first = bp.pack("a", 1)
        bp.update(b=[2], c=3)
        middle = bp.head
        bp.remove("c")
        bp.update(a=10, d=4)
        assert middle is not None
        forwards = bp.diff(first)
        assert ({"b": [2], "d": 4}, {}, {"a": (1, 10)}) == (
            forwards.added,
            forwards.removed,
            forwards.changed,
        )
        assert {"c": 3} == bp.diff(middle).removed
        assert not bp.diff(middle, middle)
        assert bp.diff(first)

    def test_a_value_set_back_is_no_difference(self, bp: Backpack) -> None:
        """Values are compared, not versions; also those that history left out."""
        large = "l" * 200_000
        before = bp.pack("k", large)
        bp.pack("k", 2)
        assert not bp.diff(before, bp.pack("k", large))
        bp.pack("k", 3)
        changed = bp.diff(before).changed["k"]
        assert isinstance(changed[0], Unavailable)
        assert 3 == changed[1]


class TestKeeping:
    """Tags and pins."""

    def test_tags_are_added_and_taken_off(self, bp: Backpack) -> None:
        """tag() and untag() give the commit a new record, which history shows."""
        commit = bp.pack("k", 1, tags=["a"])
        tagged = bp.tag(commit, "b", "a")
        assert ("a", "b") == tagged.tags == bp.snapshot(commit).commit.tags
        assert [tagged] == bp.history()
        assert ("b",) == bp.untag(commit.id, "a", "never").tags
        with pytest.raises(TypeError, match="a tag must be a non-empty string"):
            bp.tag(commit, "")

    def test_a_pinned_commit_stays(self) -> None:
        """Whatever the policy says, until it is unpinned."""
        bp = Backpack(max_history_size=6000, reference=Stub(1000), pruning=Oldest(fraction=1.0))
        commit = bp.pack("k", "x" * 900)
        assert commit == bp.pin(commit)
        for number in range(20):
            bp.pack("k", f"{number:03}" * 300)
        assert "x" * 900 == bp.snapshot(commit)["k"]
        assert 1 == bp.memory_usage().pins
        bp.unpin(commit)
        for number in range(20):
            bp.pack("k", f"{number:03}" * 300)
        with pytest.raises(CommitPruned):
            bp.pin(commit)

    def test_too_many_pins_are_named_in_the_refusal(self) -> None:
        """When pins leave no room, the error says that unpinning helps."""
        bp = Backpack(max_history_size=4096, reference=Stub(1000))
        with pytest.raises(
            BudgetError, match=r"policy, or to unpin some of the \d+ pinned commits$"
        ) as caught:
            for number in range(20):
                bp.pin(bp.pack("k", f"{number:03}" * 300))
        assert caught.value.needed > caught.value.free
        assert 4096 == caught.value.budget
        assert "Oldest" == caught.value.policy


class TestGoingBack:
    """Rollback and fork."""

    def test_a_rollback_is_a_new_commit(self, bp: Backpack) -> None:
        """The old state is current again, and what came between can still be looked at."""
        old = bp.pack("a", 1)
        bp.update(a=2, b=3)
        between = bp.head
        back = bp.rollback(old)
        assert {"a": 1} == dict(bp)
        assert 3 == back.seq
        assert f"rollback to {old.id}" == back.note
        assert between is not None
        assert {"a": 2, "b": 3} == bp.snapshot(between).to_dict()

    def test_a_rollback_of_some_keys_leaves_the_others(self, bp: Backpack) -> None:
        """Only the named keys go back; a key that did not exist then is removed."""
        old = bp.pack("a", 1)
        bp.update(a=2, b=3, c=4)
        bp.rollback(old.id, keys=["a", "b"])
        assert {"a": 1, "c": 4} == dict(bp)

    @pytest.mark.parametrize(
        ("keys", "error", "message"),
        [
            ("ab", TypeError, r"keys must be a collection of keys, such as \('plan',\), not 'ab'"),
            (5, TypeError, "keys must be a collection of keys"),
            ([1], InvalidKey, "a key must be a non-empty string, not int 1"),
            (["typo"], UnknownKey, "there is no key 'typo', neither at commit 1-.* nor in the cur"),
        ],
    )
    def test_the_keys_to_go_back_are_checked(
        self, bp: Backpack, keys: Any, error: type[Exception], message: str
    ) -> None:
        """A string is not taken for its characters, and a key nobody knows is named."""
        old = bp.pack("a", 1)
        bp["b"] = 2
        for attempt in (lambda: bp.rollback(old, keys=keys), lambda: bp.fork(old, keys=keys)):
            with pytest.raises(error, match=message):
                attempt()
        bp.rollback(old, keys=(key for key in "ab"))
        assert {"a": 1} == dict(bp)

    def test_a_policy_that_cannot_be_copied_is_named(self) -> None:
        """A fork needs policies of its own."""

        class Locked:
            def __init__(self) -> None:
                self.lock = Lock()

            def __call__(self, request: object) -> list[str]:
                return []

        with pytest.raises(ConfigError, match=r"^pruning: Locked cannot be copied for a fork: .*"):
            Backpack(pruning=Locked()).fork()

    def test_a_rollback_to_what_is_left_out_is_refused(self, bp: Backpack) -> None:
        """History has only a reference: nothing changes, and other keys can still go back."""
        old = bp.pack("dump", "x" * 200_000)
        bp.update(dump="small", a=1)
        with pytest.raises(ValueUnavailable, match="'dump'"):
            bp.rollback(old)
        with pytest.raises(ValueUnavailable, match="'dump'"):
            bp.fork(old)
        assert {"dump": "small", "a": 1} == dict(bp)
        bp.rollback(old, keys=["a"])
        assert {"dump": "small"} == dict(bp)

    def test_a_fork_is_independent(self, bp: Backpack) -> None:
        """It starts from the state, with a history and ids of its own."""
        bp["a"] = [1]
        old = bp.head
        bp["a"] = [2]
        fork, then = bp.fork(), bp.fork(at=old)
        assert ({"a": [2]}, {"a": [1]}) == (dict(fork), dict(then))
        fork["a"].append("nothing")
        fork["b"] = 1
        assert {"a": [2]} == dict(bp)
        assert fork.code != bp.code
        assert bp.head is not None
        assert f"fork of {bp.head.id}" == fork.history()[-1].note
        with pytest.raises(UnknownCommit, match="a fork knows no commit of what it was forked"):
            fork.snapshot(bp.head)

    def test_a_fork_has_the_settings_but_policies_of_its_own(self) -> None:
        """Policies that keep state do not share it with the fork's."""

        class Counting:
            calls = 0

            def __call__(self, request: object) -> list[str]:
                self.calls += 1
                return []

        policy = Counting()
        bp = Backpack(max_history_size="64 KiB", pruning=policy, storage=Full())
        fork = bp.fork()
        assert 64 * 1024 == fork.max_history_size
        assert fork.pruning is not policy
        assert isinstance(fork.pruning, Counting)
        assert not fork

    def test_a_backpack_is_not_copied_by_accident(self, bp: Backpack) -> None:
        """Copy and pickle point to fork()."""
        for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=r"use fork\(\) for an independent one"):
                attempt(bp)


class TestTransactions:
    """Several changes, one commit."""

    def test_a_transaction_reads_its_own_changes(self, bp: Backpack) -> None:
        """Nobody else sees them before the end."""
        bp.update(a=1, b=2)
        with bp.transaction(by="n", tags=["t"], note="w") as tx:
            tx["a"] = 10
            tx["c"] = [3]
            del tx["b"]
            assert {"a": 10, "c": [3]} == dict(tx)
            assert ["a", "c"] == list(tx)
            assert "b" not in tx
            assert "a" in tx
            assert 2 == len(tx)
            assert 99 == tx.unpack("b", 99)
            with pytest.raises(UnknownKey, match="there is no key 'b' in this transaction"):
                tx["b"]
            with pytest.raises(UnknownKey, match="there is no key 'b' in this transaction"):
                tx.remove("b")
            assert {"a": 1, "b": 2} == dict(bp)
            assert repr(tx).startswith("<Transaction of 3 changes on ")
        assert {"a": 10, "c": [3]} == dict(bp)
        assert tx.commit == bp.head
        assert isinstance(tx.commit, Commit)
        assert ("n", ("t",), "w") == (tx.commit.by, tx.commit.tags, tx.commit.note)

    def test_an_exception_discards_everything(self, bp: Backpack) -> None:
        """No commit, no change."""
        with pytest.raises(ZeroDivisionError), bp.transaction() as tx:
            tx["a"] = 1
            raise ZeroDivisionError
        assert not bp
        assert bp.head is None

    def test_setting_and_removing_a_new_key_is_nothing(self, bp: Backpack) -> None:
        """What comes and goes within a transaction leaves no trace."""
        with bp.transaction() as tx:
            tx["a"] = 1
            del tx["a"]
        assert tx.commit is None

    def test_an_ended_transaction_refuses_changes(self, bp: Backpack) -> None:
        """It says where changes belong."""
        with bp.transaction() as tx:
            tx["a"] = 1
        with pytest.raises(RuntimeError, match="this transaction has ended"):
            tx["a"] = 2
        with pytest.raises(RuntimeError, match="this transaction has ended"):
            del tx["a"]

    def test_values_are_taken_when_packed(self, bp: Backpack) -> None:
        """A later change of the object does not get in."""
        value = [1]
        with bp.transaction() as tx:
            tx["a"] = value
            value.append(2)
            assert [1] == tx["a"]
        assert [1] == bp["a"]

    @pytest.mark.parametrize("touch", ["read", "set", "removed", "looked for"])
    def test_what_changed_meanwhile_is_a_conflict(self, bp: Backpack, touch: str) -> None:
        """A transaction that has seen a key finds it as it saw it, or changes nothing."""
        bp["a"] = 1
        with pytest.raises(ConflictError, match="'a' was packed or removed while a transaction"):
            with bp.transaction() as tx:
                if touch == "read":
                    tx["b"] = tx["a"] + 1
                elif touch == "set":
                    tx["a"] = 2
                elif touch == "removed":
                    del tx["a"]
                else:
                    tx["b"] = "a" in tx
                bp["a"] = 3
        assert {"a": 3} == dict(bp)

    def test_what_it_has_not_seen_is_no_conflict(self, bp: Backpack) -> None:
        """Other keys may change under an open transaction."""
        with bp.transaction() as tx:
            tx["a"] = 1
            bp["b"] = 2
        assert {"a": 1, "b": 2} == dict(bp)

    def test_it_pops_and_clears_as_a_dict_does(self, bp: Backpack) -> None:
        """popitem() takes the newest key first; clear() removes all, whatever they hold."""
        bp.update(a=1, b=2, c=3)
        with bp.transaction() as tx:
            tx["d"] = 4
            assert ("d", 4) == tx.popitem()
            assert ("c", 3) == tx.popitem()
            tx["e"] = 5
            tx.clear()
            assert 0 == len(tx)
            with pytest.raises(UnknownKey, match="there is no key to pop"):
                tx.popitem()
        assert not bp


class TestEdit:
    """Changing a value in place."""

    def test_an_edit_packs_what_the_block_made(self, bp: Backpack) -> None:
        """With the labels given."""
        bp["m"] = {"l": []}
        with bp.edit("m", by="n", tags=["t"], note="w") as value:
            value["l"].append(1)
        assert {"l": [1]} == bp["m"]
        assert bp.head is not None
        assert ("n", ("t",), "w") == (bp.head.by, bp.head.tags, bp.head.note)

    def test_an_edit_that_changes_nothing_or_fails_makes_no_commit(self, bp: Backpack) -> None:
        """Neither is an event."""
        bp["m"] = [1]
        with bp.edit("m"):
            pass
        with pytest.raises(ZeroDivisionError), bp.edit("m") as value:
            value.append(2)
            raise ZeroDivisionError
        assert [1] == bp["m"]
        assert 1 == len(bp.history())

    def test_a_conflicting_edit_is_refused(self, bp: Backpack) -> None:
        """Nothing packed meanwhile is overwritten."""
        bp["m"] = [1]
        with pytest.raises(ConflictError, match="'m' was packed or removed while it was being"):
            with bp.edit("m") as value:
                value.append(2)
                bp["m"] = [3]
        assert [3] == bp["m"]

    def test_editing_what_is_not_there_is_refused(self, bp: Backpack) -> None:
        """The key is named."""
        with pytest.raises(UnknownKey, match="'m'"), bp.edit("m"):
            pass


class TestSettings:
    """What cannot work is refused when it is made."""

    def test_defaults_are_those_of_the_default_preset(self) -> None:
        """Backpack() and the preset called default are the same."""
        plain, preset = Backpack(), Backpack.from_preset()
        for setting in ("max_history_size", "sizing", "reference", "storage", "pruning"):
            assert getattr(plain, setting) == getattr(preset, setting)
        assert type(plain.codec) is type(preset.codec)

    def test_a_small_budget_lowers_the_default_limit(self) -> None:
        """Values as large as the budget are the most the default reference policy keeps."""
        assert Stub(8192) == Backpack(max_history_size=8192).reference

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                {"max_history_size": 1000},
                "^max_history_size: 1,000 bytes cannot hold a history; the least is 4,096 bytes$",
            ),
            ({"max_history_size": "lots"}, "^max_history_size: "),
            (
                {"max_history_size": "64 KiB", "reference": Stub("1 MiB")},
                "^reference.max_value_size: 1 MiB is more than max_history_size, 64 KiB: ",
            ),
            ({"pruning": 7}, "^pruning: int has no method __call__$"),
            ({"pruning": Oldest}, "^pruning: Oldest is a class; pass an instance of it$"),
            ({"storage": len}, "^storage: builtin_function_or_method has no method hold$"),
            ({"codec": len}, "^codec: builtin_function_or_method has no method encode$"),
            (
                {"sizing": "encoded"},
                (
                    "^sizing: 'encoded' is what a file says; pass an object from "
                    r"backpack.policies, or take Backpack.from_preset\('default', sizing=...\)$"
                ),
            ),
            (
                {"pruning": {"use": "oldest"}},
                "^pruning: a mapping is what a file says; pass an object from backpack.policies",
            ),
        ],
    )
    def test_a_setting_that_cannot_work_is_refused(
        self, settings: dict[str, Any], message: str
    ) -> None:
        """The error names the setting, what it is and what to do."""
        with pytest.raises(ConfigError, match=message):
            Backpack(**settings)

    @pytest.mark.parametrize(
        ("name", "number", "shown", "smallest"),
        [
            ("span", True, "bool True", 1),
            ("span", 0, "int 0", 1),
            ("span", 1.5, "float 1.5", 1),
            ("span", "8", "'8'", 1),
            ("span", None, "None", 1),
            ("least", False, "bool False", 0),
            ("least", -1, "int -1", 0),
            ("least", 1.5, "float 1.5", 0),
            ("least", "1 KiB", "'1 KiB'", 0),
        ],
    )
    def test_the_numbers_of_a_storage_policy_are_checked(
        self, name: str, number: object, shown: str, smallest: int
    ) -> None:
        """What is no whole number, or too small, is named with what it may be."""

        class Leaning(Full):
            span: Any = 3
            least: Any = 0

        assert Backpack(storage=Leaning()).head is None
        setattr(Leaning, name, number)
        with pytest.raises(ConfigError) as caught:
            Backpack(storage=Leaning())
        assert "storage" == caught.value.field
        assert (
            f"Leaning.{name} is {shown}; it must be a whole number, {smallest} or more"
            == caught.value.message
        )

    def test_its_repr_tells_the_essentials(self, bp: Backpack) -> None:
        """Keys, commits, and history against its budget."""
        bp["k"] = 1
        assert f"<Backpack {bp.code}: 1 key, 1 of 1 commits retained, history " in repr(bp)
        assert repr(bp).endswith(" of 50 MiB>")


class TestBudget:
    """What happens when history is full."""

    def test_a_policy_that_never_prunes_refuses(self) -> None:
        """The error names need, room, budget, policy and what helps; nothing changed."""
        bp = Backpack(max_history_size=8192, reference=Stub(4096), pruning=KeepAll())
        with pytest.raises(BudgetError) as caught:
            for number in range(100):
                bp.pack("k", f"{number:03}" * 300)
        error, made = caught.value, bp.memory_usage().commits_made
        for part in (
            f"the change needs {error.needed:,} bytes of history",
            f"of the budget of 8,192 only {error.free:,} are free",
            "KeepAll gives nothing more up; nothing was changed",
            "a larger max_history_size, a smaller reference.max_value_size",
        ):
            assert part in str(error)
        assert error.needed > error.free == bp.memory_usage().headroom_bytes
        assert f"{made - 1:03}" * 300 == bp["k"]
        assert [f"{seq:03}" * 300 for seq in range(made)] == [
            bp.snapshot(commit)["k"] for commit in reversed(bp.history())
        ]

    def test_a_change_larger_than_the_budget_gives_up_the_commit_before(self) -> None:
        """Clearing a state larger than the budget is possible: nobody looks back at it then."""
        bp = Backpack(max_history_size=8192, reference=Stub(4096))
        for number in range(12):
            bp.pack(f"k{number}", f"{number:03}" * 300)
        bp.clear()
        assert not bp
        assert 1 == len(bp.history())
        assert 0 == bp.memory_usage().versions

    def test_keys_that_come_and_go_leave_nothing(self) -> None:
        """However many keys there ever were, history holds as many commits as before."""
        bp = Backpack(max_history_size=16_384)
        retained = []
        for number in range(3_000):
            bp.pack(f"task-{number:06}", number)
            bp.remove(f"task-{number:06}")
            retained.append(len(bp.history()))
        assert max(retained[-500:]) == max(retained[500:1000])
        assert min(retained[-500:]) > 10
        assert audit(bp) == []

    def test_keys_last_set_long_before_the_horizon_are_in_every_snapshot(self) -> None:
        """Whatever is pruned, retained snapshots are whole."""
        bp = Backpack(max_history_size=16_384, reference=Stub(1024))
        bp["origin"] = "set once, at the very beginning"
        for number in range(500):
            bp.pack("k", f"{number:03}" * 200)
        oldest = bp.history()[-1]
        assert oldest.seq > 400
        for commit in bp.history():
            assert "set once, at the very beginning" == bp.snapshot(commit)["origin"]
            assert f"{commit.seq - 2:03}" * 200 == bp.snapshot(commit)["k"]
