"""Rules of bad input and bad policies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from backpack.audit import retained
from backpack.errors import (
    BudgetError,
    InvalidKey,
    PolicyError,
    UnknownCommit,
    UnknownKey,
    UnpackableValue,
)
from backpack.records import Refused
from backpack.spec.hostile import MISDEEDS, TRESPASSES
from backpack.spec.machine.base import Heard, event, keys, simple_values, step
from backpack.spec.machine.doing import Doing
from backpack.spec.sameness import same
from backpack.spec.values import sized_value

if TYPE_CHECKING:
    from types import FrameType

    from backpack.records import Commit

__all__ = ["Abusing", "at_line"]

_UNPACKABLE: Final[dict[str, object]] = {
    "an object": object(),
    "an iterator": [iter(())],
    "a function, deep down": {"deep": [{"f": len}]},
    "a view of memory": (memoryview(b""),),
}
#: Between the functions of these modules a change is either made or not.
_WATCHED: Final = {"backpack.engine", "backpack.relief"}
#: The module whose lines make a change; and so many does an ordinary one run.
_INTERRUPTED: Final = "backpack.history"
_LINES: Final = 48


class Abusing(Doing):
    """Values, keys and policies that break their contracts, and looks from the side."""

    @step(value=st.sampled_from(sorted(_UNPACKABLE)), key=keys)
    def pack_what_cannot_be_packed(self, value: str, key: str) -> None:
        """A value that cannot be kept is refused, and nothing changes."""
        bad = _UNPACKABLE[value]
        self.expect(UnpackableValue, lambda: self.backpack.pack(key, bad))
        self.expect(UnpackableValue, lambda: self.backpack.update({"plan": 1, key: bad}))

    @step(key=st.sampled_from([1, "", None, b"k", ("k",), "\ud800"]))
    def pack_under_a_bad_key(self, key: Any) -> None:
        """A key that is none is refused, and nothing changes."""
        self.expect(InvalidKey, lambda: self.backpack.pack(key, 1))
        self.expect((UnknownKey, InvalidKey), lambda: self.backpack.remove(key))
        self.require(key not in self.backpack, "R1", f"{key!r} is in the state.")

    @step(missing=st.sampled_from(["no such key", "", "pla", "PLAN"]))
    def ask_for_what_is_not_there(self, missing: str) -> None:
        """Keys and commits that are not there are told from those that are."""
        backpack = self.backpack
        for read in (backpack.unpack, backpack.__getitem__, backpack.remove, backpack.pop):
            self.expect(UnknownKey, lambda: read(missing))
        self.expect(UnknownKey, lambda: self.backpack.edit(missing).__enter__())
        self.require(
            (backpack.get(missing), backpack.pop(missing, 1), missing in backpack)
            == (None, 1, False),
            "R1",
            "A key that is not there has a value.",
        )
        ids: tuple[Any, ...] = ("", "1", "HEAD", None, 42, f"0-{backpack.code}", "1-zzzzzz")
        for commit_id in ids:
            for ask in (backpack.snapshot, backpack.diff, backpack.tag, backpack.pin):
                self.expect(UnknownCommit, lambda: ask(commit_id))
        with backpack.transaction() as transaction:
            for look in (transaction.__getitem__, transaction.remove, transaction.pop):
                self.expect(UnknownKey, lambda: look(missing))
        self.require_made("a transaction", "looks that found nothing")
        if not self.model.current():
            self.expect(UnknownKey, backpack.popitem)

    @step(
        misdeeds=st.lists(st.sampled_from(MISDEEDS["pruning"]), min_size=1, max_size=4),
        trespass=st.sampled_from(sorted(TRESPASSES)),
        tagging=st.booleans(),
        key=keys,
    )
    def sabotage_pruning(self, misdeeds: list[str], trespass: str, tagging: bool, key: str) -> None:
        """The pruning policy breaks its contract when room is needed."""
        self.fill(key)
        for misdeed in misdeeds:
            room = self.room()
            if room is None:
                return
            if tagging and self.model.commits:
                oldest, tag = retained(self.backpack)[-1], "t" * (room + 9)
                self.sabotage_once(
                    "pruning", misdeed, trespass, lambda: self.backpack.tag(oldest, tag)
                )
            else:
                note = "n" * (room + 9)
                self.sabotage_once(
                    "pruning",
                    misdeed,
                    trespass,
                    lambda: self.backpack.pack(key, 1, note=note),
                    {key: 1},
                )

    @step(
        ways=st.lists(
            st.sampled_from(
                [
                    (axis, misdeed)
                    for axis in ("sizing", "reference", "storage")
                    for misdeed in MISDEEDS[axis]
                ]
            ),
            min_size=1,
            max_size=4,
        ),
        trespass=st.sampled_from(sorted(TRESPASSES)),
        beside=st.integers(-40, 12),
        key=keys,
    )
    def sabotage(self, ways: list[tuple[str, str]], trespass: str, beside: int, key: str) -> None:
        """Other policies break their contracts in the middle of a change."""
        for number, way in enumerate(ways):
            value = sized_value(max(0, self.limit + beside - number), 0)
            note = self.note_for(way[0])
            self.sabotage_once(
                *way,
                trespass,
                lambda: self.backpack.pack(key, value, note=note),
                {key: value},
                patience=number % 3 if note else 0,
            )

    def note_for(self, axis: str) -> str | None:
        """Return a note for which there is no room, where only then the policy is asked at once."""
        room = self.room()
        if axis != "storage" or room is None or not hasattr(self.backpack.storage, "span"):
            return None
        return "n" * (room + 9)

    def sabotage_once(
        self,
        axis: str,
        misdeed: str,
        trespass: str,
        change: Callable[[], Commit | None],
        changes: dict[str, object] | None = None,
        *,
        patience: int = 0,
    ) -> None:
        """Change something while a policy misbehaves; then it behaves again.

        Args:
            axis: Which policy.
            misdeed: What it does.
            trespass: What that does to the Backpack, if it does.
            change: Changes something; returns the commit that was made or tagged, if any was.
            changes: What the commit does; None where one was tagged.
            patience: How often the policy behaves before.
        """
        if self.over:
            return
        before, saboteur = self.fingerprint(), self.saboteur
        saboteur.axis, saboteur.misdeed, saboteur.fired = axis, misdeed, False
        saboteur.trespass, self.committing = trespass, changes is not None
        saboteur.patience = patience
        self.heard = Heard()
        commit: Commit | None = None
        is_done = False
        try:
            commit = change()
            is_done = True
        except PolicyError as error:
            event(f"sabotaged {axis}: {misdeed}" if saboteur.fired else "a policy failed by itself")
            self.require_unchanged(before, error, "P3")
            self.require(
                not saboteur.fired or misdeed != "interrupt", "P3", f"{misdeed} gave {error!r}."
            )
            self.require_told([Refused(error, (*changes,) if changes else ())], error)
        except KeyboardInterrupt as error:
            self.require_unchanged(before, error, "P3")
            self.require(misdeed == "interrupt", "P3", f"{misdeed} gave {error!r}.")
        except BudgetError as error:
            self.require_unchanged(before, error)
            self.require_told([Refused(error, (*changes,) if changes else ())], error)
        finally:
            saboteur.axis, self.committing = None, True
        if is_done and saboteur.fired:
            self.over = "intruder" in self.backpack or misdeed == "reenter"
            self.breaks("P3", f"{axis} did {misdeed} ({trespass}) and nobody objected.")
        if commit is None:
            return
        if changes is not None:
            self.model.record(commit, changes)
        else:
            self.model.retag(commit.seq, commit.tags)

    def fill(self, key: str) -> None:
        """Pack until the next commit of an ordinary value has to prune, unless that takes long."""
        for number in range(12):
            if not self.limit < self.backpack.memory_usage().headroom_bytes < 12 * self.limit:
                return
            value = f"{number:02}" + "f" * max(0, self.limit - 200)
            self.commit(lambda: self.backpack.pack(key, value), {key: value})

    @step(
        key=keys,
        value=simple_values,
        note=st.integers(0, 1000),
        letter=st.sampled_from("n\N{LATIN SMALL LETTER E WITH ACUTE}\N{GRINNING FACE}"),
    )
    def pack_under_watch(self, key: str, value: Any, note: int, letter: str) -> None:
        """Pack while somebody looks at the budget whenever a part of the engine returns."""
        remark = letter * note
        with self.watched():
            self.commit(
                lambda: self.backpack.pack(key, deepcopy(value), note=remark),
                {key: value},
                note=remark,
            )

    @step(key=keys, value=simple_values, line=st.integers(1, 60))
    def interrupt_a_pack(self, key: str, value: Any, line: int) -> None:
        """Interrupt the history in the middle of a change: it is made, or it is not."""
        self.pack_interrupted(key, value, line)

    @step(key=keys, first=st.integers(1, 2))
    def interrupt_packs(self, key: str, first: int) -> None:
        """Interrupt one change after the other, each two lines further on."""
        for line in range(first, _LINES, 2):
            if not self.over:
                self.pack_interrupted(key, line, line)

    def pack_interrupted(self, key: str, value: Any, line: int) -> None:
        """Pack a value, and interrupt that when so many lines of the history were run."""
        before, made = self.fingerprint(), len(self.model.commits)
        try:
            with at_line({_INTERRUPTED}, line, _interrupt):
                self.backpack.pack(key, deepcopy(value))
        except KeyboardInterrupt as error:
            head = self.backpack.head
            if head is None or head.seq == made:
                self.require_unchanged(before, error)
                return
        except (BudgetError, PolicyError) as error:
            self.require_unchanged(before, error)
            return
        head, usage = self.backpack.head, self.backpack.memory_usage()
        seqs = [commit.seq for commit in retained(self.backpack)]
        self.require(
            head is not None
            and head.seq == usage.commits_made == made + 1
            and seqs == sorted({*seqs}, reverse=True)
            and same(self.backpack.get(key), value),
            "F1",
            f"Interrupted, a change was half made: {head}, {usage}.",
        )
        if head is not None:
            self.model.record(head, {key: value})

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look at the budget whenever a function of the engine returns, unless one profiles."""
        if sys.getprofile() is not None:
            yield
            return

        def look(frame: FrameType, what: str, _: object) -> None:
            if what == "return" and frame.f_globals.get("__name__") in _WATCHED:
                usage = self.backpack.memory_usage()
                self.note(
                    usage.history_bytes <= usage.budget_bytes, "B1", f"Seen from outside: {usage}."
                )

        sys.setprofile(look)
        try:
            yield
        finally:
            sys.setprofile(None)


def _interrupt() -> None:
    raise KeyboardInterrupt


@contextmanager
def at_line(
    modules: Collection[str], line: int, do: Callable[[], object], *, every: int = 0
) -> Iterator[None]:
    """Do something when so many lines of some modules were run, and every so many lines after."""
    left = line

    def trace(frame: FrameType, what: str, _: object) -> Any:
        nonlocal left
        if frame.f_globals.get("__name__") not in modules:
            return None
        if what == "line":
            left -= 1
            if left == 0:
                left = every
                do()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
