"""Rules that hold the Backpack, and a transaction, against a dict."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from backpack.errors import BudgetError, PolicyError
from backpack.records import Archived, Committed
from backpack.spec.machine.base import keys, simple_values, step
from backpack.spec.machine.doing import Doing
from backpack.spec.model import REMOVED
from backpack.spec.sameness import same

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from backpack.records import Commit, Event

__all__ = ["Mapping"]

_NOTHING: Final = object()

#: ``(what, key, value)`` of things that are done to a mapping.
_operations: Final = st.lists(
    st.tuples(
        st.sampled_from(["set", "del", "get", "pop", "setdefault", "update", "popitem", "clear"]),
        keys,
        st.none() | simple_values,
    ),
    min_size=1,
    max_size=6,
)


def _do(mapping: MutableMapping[str, Any], what: str, key: str, value: Any) -> object:
    """Do something to a mapping; return what comes of it, or the kind of error."""
    value = deepcopy(value)
    try:
        match what:
            case "set":
                mapping[key] = value
            case "del":
                del mapping[key]
            case "get":
                return mapping.get(key, value)
            case "pop":
                return mapping.pop(key, value)
            case "setdefault":
                return mapping.setdefault(key, value)
            case "update":
                mapping.update({key: value})
            case "popitem":
                return mapping.popitem() if len(mapping) == 1 else None
            case "clear":
                mapping.clear()
    except KeyError:
        return KeyError
    return None


class Mapping(Doing):
    """What a dict answers, a Backpack answers; and so does a transaction."""

    @step(name=keys, operations=_operations)
    def use_as_a_dict(self, name: str, operations: list[tuple[str, str, Any]]) -> None:
        """Do to the Backpack what is done to a dict, None among the values, and compare."""
        usual = [("set", name, None), ("setdefault", name, 0), ("pop", name, 1)]
        for what, key, value in [*usual, ("pop", name, None), *operations]:
            before = self.model.current()
            plain = deepcopy(before)
            expected = _do(plain, what, key, value)
            changes: dict[str, object] = {
                each: plain.get(each, REMOVED)
                for each in (*before, *plain)
                if not same(before.get(each, _NOTHING), plain.get(each, _NOTHING))
            }
            if what in ("set", "update"):
                changes[key] = value  # Also where it is there already.
            answers: list[object] = []

            def attempt() -> Commit | None:
                made = len(self.model.commits)
                answers.append(_do(self.backpack, what, key, value))
                head = self.backpack.head
                return head if head is not None and head.seq > made else None

            self.commit(attempt, changes)
            if answers and not self.over:
                self.require(
                    same(answers[0], expected),
                    "R1",
                    f"{what} {key!r} {value!r:.99} gave {answers[0]!r:.99}, not {expected!r:.99}.",
                )
                made = len(self.model.commits) and self.model.commits[-1].seq
                head = self.backpack.head
                self.require(
                    (head.seq if head else 0) == made
                    and same(
                        dict(sorted(self.model.current().items())), dict(sorted(plain.items()))
                    ),
                    "R1",
                    f"After {what} {key!r} the state is {dict(self.backpack)!r:.200}.",
                )

    @step(operations=_operations, first=st.sampled_from(["set", "del", "pop", "get"]))
    def transact_as_with_a_dict(self, operations: list[tuple[str, str, Any]], first: str) -> None:
        """Do to a transaction what is done to a dict, and compare after every step."""
        before = self.model.current()
        for key in list(before)[:1]:  # What is there is set, and gone, and so on.
            operations = [(first, key, 1), ("del", key, None), *operations]
        plain, touched = deepcopy(before), dict[str, None]()

        def attempt() -> Commit | None:
            with self.backpack.transaction() as transaction:
                for what, key, value in operations:
                    had = set(plain)
                    expected = _do(plain, what, key, value)
                    got = _do(transaction, what, key, value)
                    if what in ("set", "update") or (what == "setdefault" and key not in had):
                        touched[key] = None
                    touched.update(dict.fromkeys(had - plain.keys()))
                    shown = dict(sorted(transaction.items()))
                    self.require(
                        same(got, expected) and same(shown, dict(sorted(plain.items()))),
                        "X1",
                        f"In a transaction, {what} {key!r} {value!r:.100} gave {got!r:.100}, and "
                        f"{shown!r:.200}, not {plain!r:.200}.",
                    )
            return transaction.commit

        changes: dict[str, object] = {}

        def made() -> Commit | None:
            try:
                return attempt()
            finally:
                for key in touched:
                    if key in plain or key in before:
                        changes[key] = plain.get(key, REMOVED)

        self.commit(made, changes)

    @step(when=lambda self: len(self.model.current()) > 1)
    def pop_the_last(self) -> None:
        """Take the key that was added last, as a dict does."""
        last = list(self.backpack)[-1]
        value = self.model.current()[last]

        def attempt() -> Commit | None:
            popped = self.backpack.popitem()
            self.require(
                popped[0] == last and same(popped[1], value),
                "R1",
                f"popitem() of {list(self.backpack)} gave {popped!r:.100}.",
            )
            return self.backpack.head

        self.commit(attempt, {last: REMOVED})

    @step(value=st.integers(0, 3))
    def end_a_subscription(self, value: int) -> None:
        """Whoever ends a subscription hears nothing more, and the others go on hearing."""
        ended: list[object] = []
        kept: list[object] = []
        stop_ended = self.backpack.subscribe(ended.append)
        stop_kept = self.backpack.subscribe(kept.append)
        stop_again = self.backpack.subscribe(kept.append)
        stop_again()
        stop_ended()
        stop_ended()
        self.commit(lambda: self.backpack.pack("k", value), {"k": value})
        stop_kept()
        kept = [told for told in kept if not isinstance(told, Archived)]
        self.require(
            not ended and kept == self.heard.events,
            "E1",
            f"After one of two subscriptions was ended they heard {ended} and {kept}.",
        )

    @step(key=keys, value=st.integers(0, 3))
    def answer_an_event(self, key: str, value: int) -> None:
        """A subscriber packs something itself; all others hear of that, too."""
        made: list[Commit] = []
        others: list[Event] = []

        def answer(told: Event) -> None:
            if not isinstance(told, Committed) or made:
                return
            made.append(told.commit)
            self.model.record(told.commit, {key: value})
            with suppress(BudgetError, PolicyError):
                made.append(self.backpack.pack("answer", value))
                self.model.record(made[-1], {"answer": value})

        stops = [self.backpack.subscribe(answer), self.backpack.subscribe(others.append)]
        with suppress(BudgetError, PolicyError):
            self.backpack.pack(key, value)
        for stop in stops:
            stop()
        for heard in (self.heard.events, others):
            told = [each.commit for each in heard if isinstance(each, Committed)]
            self.require(
                sorted(told, key=lambda each: each.seq) == made,
                "E1",
                f"Of the commits {made}, one made by a subscriber, somebody heard {told}.",
            )
