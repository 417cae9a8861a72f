"""The workbench: a Backpack, its model, and how laws are held against it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from random import seed
from typing import TYPE_CHECKING, Any, ClassVar, Final

from attrs import field, mutable
from hypothesis import currently_in_test_context
from hypothesis import event as _event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from backpack.audit import has_archive, retained, sizes_owned
from backpack.container import Backpack
from backpack.records import Archived, LookedBack, NewValue, Pruned, SizedValue
from backpack.spec.hostile import HostileReference, HostileSizing, Saboteur, hostile
from backpack.spec.laws import CONTAINER, LAWS, LawBroken, Table, laws_of
from backpack.spec.laws.container import hold
from backpack.spec.model import Model
from backpack.spec.values import values

if TYPE_CHECKING:
    from backpack.records import Event, PruneRequest, Reference

__all__ = [
    "KEYS",
    "NODES",
    "TAGS",
    "Bench",
    "Heard",
    "begun",
    "commits",
    "event",
    "keys",
    "simple_values",
    "step",
]

KEYS: Final = ("plan", "messages", "k", "tool/search", "ключ")
NODES: Final = (None, "planner", "worker", "w" * 300, "x" * 301, "y" * 302)
TAGS: Final = ("decided", "draft")

#: Mostly simple values, which are drawn fast and make long histories; now and then of any type.
simple_values: Final = st.one_of(
    st.integers(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.lists(st.text(max_size=3), max_size=2), max_size=3),
    values(max_leaves=4),
)
#: Keys, mostly the same few.
keys: Final = st.sampled_from(KEYS)
#: Which commit, in the words of :meth:`Bench.commit_at`.
commits: Final = st.one_of(st.integers(-5, -1), st.integers(0, 60))

_ALL: Final = frozenset(laws_of(CONTAINER))
_ROWS: Final = 24
#: Draws for which a small budget is multiplied, and what a small one is, in bytes.
_GENEROUS: Final = frozenset({12, 13, 14, 15})
_SMALL: Final = 64 * 1024


def event(text: str) -> None:
    """Count something in Hypothesis' statistics, where it is Hypothesis that runs the program."""
    if currently_in_test_context():
        _event(text)


def begun(machine: Bench) -> bool:
    """Whether there is a commit to draw."""
    return bool(machine.model.commits)


def step(
    when: Callable[[Any], bool] = lambda machine: True, **arguments: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a method a rule: what it does is noted, and every law is held against the outcome.

    Its arguments are plain values, so that a program of steps can be written down and run again;
    it must not change them.

    Args:
        when: Whether it can be done now.
        **arguments: A strategy for each argument.
    """

    def decorate(method: Callable[..., None]) -> Callable[..., None]:
        name = method.__name__

        @wraps(method)
        def taken(self: Bench, **drawn: Any) -> None:
            if self.over or not when(self):
                return
            self.program.append((name, drawn))
            self.run(lambda: method(self, **drawn))

        def may(self: Bench) -> bool:
            return (not self.rule_names or name in self.rule_names) and (self.over or when(self))

        ruled: Callable[..., None] = rule(**arguments)(taken)  # type: ignore[call-overload]
        return precondition(may)(ruled)

    return decorate


@mutable
class Heard:
    """What was seen and heard from inside while one thing was done.

    Attributes:
        events: What subscribers were told.
        requests: The questions to the pruning policy, with the sizes it was told.
    """

    events: list[Event] = field(factory=list)
    requests: list[tuple[PruneRequest, dict[str, int]]] = field(factory=list)


class Bench(RuleBasedStateMachine):
    """A Backpack on the workbench: made, watched from inside, and compared with its model.

    Attributes:
        limit: Sizes in bytes around which values are drawn.
        budgets: History budgets to draw from, in bytes; none leaves the one it was made with.
        laws: The ids of the laws that are held; a break of another one is not seen.
        rule_names: The names of the rules that programs are made of; none stands for all.
        most: How many commits are looked at after every step; all are at the end.
    """

    limit: ClassVar[int] = 1024
    budgets: ClassVar[tuple[int, ...]] = ()
    laws: ClassVar[frozenset[str]] = _ALL
    rule_names: ClassVar[frozenset[str]] = frozenset()
    most: ClassVar[int] = 9

    @staticmethod
    def make() -> Backpack:
        """Return a new Backpack; its policies are wrapped so that they can be told to fail."""
        return Backpack(max_history_size=16 * 1024)

    @initialize(budget=st.integers(0, 15))
    def begin(self, budget: int = 0) -> None:
        """Start with an empty Backpack and an empty model."""
        self.start({"budget": budget})

    def start(self, drawn: dict[str, Any]) -> None:
        """Do what :meth:`begin` does, which was called with this."""
        seed(0)  # What policies make of chance, they make of it again.
        self.over = False
        self.program: list[tuple[str, dict[str, Any]]] = [("begin", drawn)]
        self.now = 1_700_000_000.123_456
        self.views: list[Any] = []
        self.prepared()
        if self.over:
            return
        plain, budget = self.make(), drawn["budget"]
        plain.close()  # Of it there are only the settings to be had.
        size = plain.max_history_size
        if self.budgets:
            size = self.budgets[budget % len(self.budgets)]
        is_long = not self.budgets and budget in _GENEROUS and size < _SMALL
        if is_long:
            size *= 40
        self.size = size
        self.adopt(Backpack(**self.settings(plain, size), **self.place()))
        if is_long:  # What happens only to long histories is to happen, too.
            self.run(self.lengthen)

    def settings(
        self, plain: Backpack, size: int, saboteur: Saboteur | None = None
    ) -> dict[str, Any]:
        """Return the settings of a Backpack, with a budget, and policies in a saboteur's hands."""
        return {
            "max_history_size": size,
            "codec": self.backpack.codec if hasattr(self, "backpack") else plain.codec,
            "clock": lambda: self.now,
            **hostile(plain, saboteur or Saboteur()),
        }

    def place(self) -> dict[str, Any]:
        """Return the settings that say where commits are archived: here, nowhere."""
        return {}

    def opened(self, backpack: Backpack) -> None:
        """Be told of every Backpack that is made: here, do nothing about it."""

    def lengthen(self) -> None:
        """Make a long history: here, none."""

    def prepared(self) -> None:
        """Do what a subclass has to do before a Backpack is made: here, nothing."""

    def adopt(self, backpack: Backpack, model: Model | None = None) -> None:
        """Go on with this Backpack; without a model of it, nothing was done to it yet."""
        self.opened(backpack)
        self.backpack = backpack
        self.committing = True
        self.budget = backpack.max_history_size
        self.highest = 0
        self.faults: list[LawBroken] = []
        self.heard = Heard()
        self.offered: dict[str, int] = {}
        self.chosen: tuple[str, ...] = ()
        self.saboteur = Saboteur(backpack, watch=[self.look_inside])
        for policy in (backpack.sizing, backpack.reference, backpack.storage, backpack.pruning):
            policy.saboteur = self.saboteur  # type: ignore[union-attr]
        self.model = model or Model(backpack.code, self.measure)
        backpack.subscribe(_failing)
        backpack.subscribe(self.hear)

    def measure(
        self, key: str, value: object, previous: Sequence[object] = ()
    ) -> tuple[int, Reference | None]:
        """Return what the policies, asked directly, say of a value; there may be one before it."""
        sizing, reference = self.backpack.sizing, self.backpack.reference
        if not isinstance(sizing, HostileSizing) or not isinstance(reference, HostileReference):
            raise TypeError("a machine's policies are hostile ones")
        encoded = self.backpack.codec.encode(value, key)
        before = next((self.backpack.codec.encode(each, key) for each in previous), None)
        size = sizing.inner(NewValue(key, value, encoded, before))
        if self.saboteur.lenient:
            return size, None
        return size, reference.inner(SizedValue(key, value, encoded, size))

    # --- holding laws ------------------------------------------------------------------------

    def run(self, do: Callable[[], None]) -> None:
        """Do something, and hold every law against the outcome."""
        self.heard = Heard()
        try:
            do()
        except LawBroken:
            raise
        except Exception as error:
            self.over = True
            self.breaks("F2", f"{type(error).__name__}: {error}"[:500], error)
        if not self.over:
            self.look()
        if not self.knows_all():
            self.over = True  # What was missed may be nothing to the laws that are held.

    def knows_all(self) -> bool:
        """Whether the model knows of every commit."""
        head = self.backpack.head
        return (head.seq if head else 0) == len(self.model.commits)

    def look(self, most: int | None = None) -> None:
        """Hold every law that can be seen between operations."""
        for broken in self.faults:
            self.judge(broken)
        self.faults.clear()
        misled = self.saboteur.misled
        self.require(not misled, "Q1", f"Storage was to read what it had never held: {misled[:3]}.")
        usage = self.backpack.memory_usage()
        self.highest = max(self.highest, usage.history_bytes)
        self.require(
            usage.peak_history_bytes >= self.highest, "B1", f"The peak is forgotten: {usage}."
        )
        for each in LAWS.values():
            if CONTAINER in each.axes and each.check is not None:
                self.ask(each.id, each, self.backpack, self.model, most or self.most)

    def ask(self, law: str, check: Callable[..., None], *evidence: Any) -> None:
        """Hold one law, unless it is not asked for."""
        if law not in self.laws:
            return
        try:
            hold(law, check, *evidence)
        except LawBroken as broken:
            self.judge(broken)

    def require(self, condition: object, law: str, why: str | Callable[[], str]) -> None:
        """Break a law unless a condition holds."""
        if not condition:
            self.breaks(law, why if isinstance(why, str) else why())

    def breaks(self, law: str, why: str, cause: Exception | None = None) -> None:
        """Note that a law is broken."""
        broken = LawBroken(law, why)
        broken.__cause__ = cause
        self.judge(broken)

    def judge(self, broken: LawBroken) -> None:
        """Raise the break of a law, unless it is not asked for."""
        if broken.law not in self.laws:
            return
        broken.case = tuple(self.program)
        broken.table = self.table()
        self.over = True
        raise broken

    def table(self) -> Table:
        """Return the newest commits, as the pruning policy last saw them."""
        stay = {commit.seq for commit in retained(self.backpack)}
        otherwise = "archived" if has_archive(self.backpack) else "pruned"
        rows = []
        for recorded in self.model.commits[-_ROWS:]:
            commit = recorded.commit
            gone = "erased" if commit.seq in self.model.erased else otherwise
            rows.append(
                (
                    commit.id,
                    f"{self.offered[commit.id]:,}" if commit.id in self.offered else "",
                    "pinned" if commit.seq in self.model.pinned else "",
                    "offered" if commit.id in self.offered else "",
                    "chosen" if commit.id in self.chosen else "",
                    "retained" if commit.seq in stay else gone,
                )
            )
        return Table(("commit", "bytes", "pinned", "offered", "chosen", "now"), tuple(rows))

    def exactness(self, *seqs: int) -> str:
        """Return the law that says that these commits show what they showed."""
        stay = {commit.seq for commit in retained(self.backpack)}
        return "S1" if stay.issuperset(seqs) else "A1"

    def is_whole(self) -> bool:
        """Whether a program was begun, and nothing has gone wrong in it so far."""
        return hasattr(self, "model") and not self.over and sys.exc_info()[0] is None

    def teardown(self) -> None:
        """At the end of a program that broke no law, every commit is looked at."""
        if self.is_whole():
            self.look(sys.maxsize)

    def put_away(self) -> None:
        """Let go of what is open outside: here, nothing is."""

    # --- what others see while something happens -------------------------------------------

    def look_inside(self, request: PruneRequest) -> None:
        """B1, F1, P1 and Q1 from inside the pruning policy's callback."""
        backpack, usage = self.backpack, self.backpack.memory_usage()
        made = len(self.model.commits)
        sizes = {each.id: each.size for each in request.candidates}
        self.offered, self.chosen = sizes, ()
        self.heard.requests.append((request, sizes))
        self.note(
            len(request.candidates) == len(sizes), "Q1", f"{len(request.candidates)} are {sizes}."
        )
        self.note(usage.history_bytes <= usage.budget_bytes, "B1", f"In a callback: {usage}.")
        self.note(usage.commits_made == made, "F1", "A policy sees a change before it is made.")
        self.note(
            (request.budget, request.needed, request.head)
            == (self.budget, request.used - self.budget, backpack.head)
            and request.needed > 0,
            "Q1",
            f"Asked for {request.needed} of {request.used} bytes used, budget {request.budget}.",
        )
        owned = sizes_owned(backpack)
        self.note(
            all(size == owned.get(commit_id) for commit_id, size in sizes.items()),
            "Q1",
            f"The sizes told are {sizes}, counted they are {owned}.",
        )
        offered = [int(commit_id.split("-")[0]) for commit_id in sizes]
        self.note(
            not self.model.pinned.intersection(offered), "P1", f"A pinned one of {offered} offered."
        )
        if made in offered:
            event("the head is offered as the last resort")
            self.note(
                offered == [made] and self.committing,
                "P1",
                "The head is offered though others are left, or no other takes its place.",
            )

    def hear(self, told: Event) -> None:
        """B1 from a subscriber's callback."""
        usage = self.backpack.memory_usage()
        self.note(usage.history_bytes <= usage.budget_bytes, "B1", f"In a callback: {usage}.")
        if isinstance(told, Archived | LookedBack):
            return  # Nothing was done to the state.
        self.heard.events.append(told)
        if isinstance(told, Pruned):
            event("pruned")
            self.chosen = told.commits

    def note(self, condition: object, law: str, why: str) -> None:
        """Keep a law broken in a callback until the step is over: nobody else would raise it."""
        if not condition:
            self.faults.append(LawBroken(law, why))


def _failing(told: Event) -> None:
    """Be a subscriber that fails, which is nobody else's trouble."""
    raise RuntimeError(f"a subscriber fails on {type(told).__name__}")
