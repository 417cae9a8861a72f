"""Rules of edits and transactions that come to nothing."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from backpack.errors import BudgetError, ConflictError, PolicyError
from backpack.spec.machine.base import step
from backpack.spec.machine.doing import Doing
from backpack.spec.model import REMOVED
from backpack.spec.spoil import spoil

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.records import Commit

__all__ = ["Conflicting"]

#: Seconds in which a thread that does not wait would have packed something.
_MOMENT: Final = 0.01
#: Seconds in which one that need not wait any more has come to an end.
_LONG: Final = 10.0


class Conflicting(Doing):
    """What was packed meanwhile is not overwritten, and what changes nothing makes no commit."""

    @step(
        ways=st.lists(
            st.sampled_from(["meddle", "remove", "fail", "nothing"]), min_size=1, max_size=4
        ),
        at=st.integers(0, 4),
    )
    def edit_in_vain(self, ways: list[str], at: int) -> None:
        """Edit to no effect: nothing changes, the block fails, or it packs the key itself."""
        for way in ways:
            current = self.model.current()
            if current and not self.over:
                self.edit_one_in_vain(list(current)[at % len(current)], way)

    def edit_one_in_vain(self, key: str, way: str) -> None:
        """Edit a value to no effect."""
        theirs = ["theirs", len(self.model.commits)]  # Never what is there already.

        def attempt() -> None:
            with self.backpack.edit(key) as edited:
                if way == "nothing":
                    return
                spoil(edited)
                if way == "meddle":
                    self.commit(lambda: self.backpack.pack(key, theirs), {key: theirs})
                elif way == "remove":
                    self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
                else:
                    raise ZeroDivisionError

        errors = {"fail": ZeroDivisionError, "nothing": None}
        self.raises_conflict(attempt, errors.get(way, ConflictError))
        self.require_made("an edit", way)

    @step(
        ways=st.lists(
            st.sampled_from(["meddle", "remove", "read", "miss", "nothing"]),
            min_size=1,
            max_size=4,
        ),
        at=st.integers(0, 4),
        again=st.booleans(),
    )
    def transaction_in_vain(self, ways: list[str], at: int, again: bool) -> None:
        """A transaction changes nothing, or what it used is packed meanwhile."""
        for way in ways:
            current = self.model.current()
            if current and not self.over:
                self.transact_in_vain(list(current)[at % len(current)], way, again)

    def transact_in_vain(self, key: str, way: str, again: bool) -> None:
        """Open a transaction that comes to nothing."""
        theirs = ["theirs", len(self.model.commits)]
        if way == "miss":
            key = "not there yet"

        def attempt() -> None:
            with self.backpack.transaction() as transaction:
                if way == "nothing":
                    transaction.get(key)
                    return
                if way == "miss":
                    transaction["k"] = transaction.get(key, theirs) if again else key in transaction
                elif way == "read":
                    transaction["plan" if key != "plan" else "k"] = transaction[key]
                elif way != "miss":
                    transaction[key] = ["mine", *theirs]
                if way == "remove":
                    self.commit(lambda: self.backpack.remove(key), {key: REMOVED})
                else:
                    self.commit(lambda: self.backpack.pack(key, theirs), {key: theirs})
                if again:  # Which makes no difference to what it has seen before.
                    transaction[key] = transaction.get(key)

        self.raises_conflict(attempt, None if way == "nothing" else ConflictError)
        self.require_made("a transaction", way)
        if way == "miss" and key in self.model.current() and not self.over:
            self.commit(lambda: self.backpack.remove(key), {key: REMOVED})

    @step(at=st.integers(0, 4), value=st.integers(), editing=st.booleans())
    def make_a_thread_wait(self, at: int, value: int, editing: bool) -> None:
        """While a block edits a value, or is a transaction, other threads wait."""
        current = self.model.current()
        if not current:
            return
        made: list[Commit] = []

        def pack() -> None:
            with suppress(BudgetError, PolicyError):
                made.append(self.backpack.pack("from a thread", value))

        thread = threading.Thread(target=pack, daemon=True)
        head = self.backpack.head
        key = list(current)[at % len(current)]
        block = self.backpack.edit(key) if editing else self.backpack.transaction()
        with block:
            thread.start()
            thread.join(_MOMENT)
            waits = not made and self.backpack.head == head
        thread.join(_LONG)
        if thread.is_alive():
            self.over = True  # Whoever holds it up, it is nothing that this law could judge.
            return
        for commit in made:
            self.model.record(commit, {"from a thread": value})
        self.require(waits, "X1", "Another thread changed the state while a block was open.")

    def raises_conflict(self, attempt: Callable[[], None], error: type[Exception] | None) -> None:
        """Do what must raise; a conflict only arises where the change beneath was made."""
        made = len(self.model.commits)
        expected = (
            (BudgetError, PolicyError) if error is None else (error, BudgetError, PolicyError)
        )
        try:
            attempt()
        except expected:
            return
        if error is None:
            return
        # Where the meddling was refused, nothing stood in the way of the rest.
        self.over = True
        if len(self.model.commits) > made:
            self.breaks("X1", f"What changed meanwhile was overwritten: no {error.__name__}.")
