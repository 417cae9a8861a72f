"""Containers that take more than their budget or their account says, or hold the wrong things."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from backpack import (
    budget,
    chains,
    draft,
    engine,
    history,
    names,
    plan,
    proposal,
    push,
    reader,
    relief,
)
from backpack.policies import Full
from backpack.records import Pruned
from mutants.broken_container import BrokenContainer
from mutants.rewriting import replaced, replacing, rewriting, together

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BROKEN_ACCOUNTS"]


@contextmanager
def _pruned_after_applying(*, peak_hidden: bool) -> Iterator[None]:
    """Apply the change first, and make room for it then."""

    def apply(self: engine.Engine, change: proposal.Proposal, _: object = ()) -> list[Any]:
        kept, peak = self.history, self.history.peak_bytes
        workshop = draft.Workshop(self.store)
        kept.apply(plan.make_plan(kept, change, workshop))
        room = relief.make_room(
            kept,
            proposal.Proposal(),
            policy=self.settings.pruning,
            guard=self.guard,
            store=self.store,
        )
        kept.apply(room.plan)
        if peak_hidden:
            kept.peak_bytes = max(peak, kept.history_bytes)
        ids = tuple(f"{seq}-{self.code}" for seq in room.victims)
        return [Pruned(ids, room.freed_bytes, "late")] if ids else []

    with replaced(engine.Engine, "apply", apply):
        yield


#: Whether two values are numbers that are equal.
_EQUAL_NUMBERS: Final = """\
(lambda *both: all(isinstance(each, (int, float)) for each in both) and both[0] == both[1])(
    self.reader.decode(key, before.encoded), self.reader.decode(key, value.encoded)
)"""

BROKEN_ACCOUNTS: Final[dict[str, BrokenContainer]] = {
    # --- B1: the budget ------------------------------------------------------------------
    "the budget is off by one": BrokenContainer(
        "B1",
        together(
            rewriting(
                relief,
                "make_room",
                "if plan.history_bytes <= budget:",
                "if plan.history_bytes <= budget + 1:",
            ),
            rewriting(
                relief,
                "make_room",
                "while plan.history_bytes > budget:",
                "while plan.history_bytes > budget + 1:",
            ),
        ),
    ),
    "what fits exactly is refused": BrokenContainer(
        "B1",
        rewriting(
            relief,
            "make_room",
            "history.budget if proposal.budget is None else proposal.budget",
            "(history.budget if proposal.budget is None else proposal.budget) - 1",
        ),
    ),
    "pruning stops 64 bytes early": BrokenContainer(
        "B1",
        rewriting(
            relief,
            "make_room",
            "while plan.history_bytes > budget:",
            "while plan.history_bytes > budget + 64:",
        ),
    ),
    "room is made after the change": BrokenContainer(
        "B1", lambda: _pruned_after_applying(peak_hidden=False)
    ),
    "room is made after the change, and the peak is hidden": BrokenContainer(
        "B1", lambda: _pruned_after_applying(peak_hidden=True)
    ),
    "the peak is forgotten": BrokenContainer(
        "B1",
        rewriting(
            history.History,
            "count",
            "max(self.peak_bytes, plan.history_bytes)",
            "plan.history_bytes",
        ),
    ),
    "no room is made for what changes no value": BrokenContainer(
        "B1",
        rewriting(
            relief,
            "make_room",
            "if plan.history_bytes <= budget:",
            "if plan.history_bytes <= budget or not proposal.steps:",
        ),
    ),
    "what is planned the short way need not fit": BrokenContainer(
        "B1",
        rewriting(
            relief,
            "make_room",
            "push is not None and push.history_bytes <= budget",
            "push is not None",
        ),
    ),
    # --- B2: the account -----------------------------------------------------------------
    "the short way charges no commit": BrokenContainer(
        "B2", rewriting(push, "make_push", "held_cost(held) + COMMIT_BYTES", "held_cost(held)")
    ),
    "the short way counts no references": BrokenContainer(
        "B2", rewriting(push, "make_push", "+ (type(held) is Reference)", "")
    ),
    "the short way counts a current value twice": BrokenContainer(
        "B2", rewriting(push, "make_push", " - len(before.encoded)", "")
    ),
    "the short way loses a note": BrokenContainer(
        "C1",
        rewriting(push, "make_push", "commit.tags or commit.note is not None", "commit.tags"),
    ),
    "the short way gives a name no more uses": BrokenContainer(
        "B2", rewriting(push, "_one_more", "number, uses + 1", "number, uses")
    ),
    "the account is stale after a tag": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_amend",
            "plan.remark(amendment.seq, before, after)",
            "plan.remarks[amendment.seq] = after",
        ),
    ),
    "the number of pins is stale after an unpin": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_amend",
            "plan.pins += amendment.pinned - history.commits.columns.pinned[index]",
            "plan.pins += amendment.pinned and not history.commits.columns.pinned[index]",
        ),
    ),
    "the bytes of the current state are stale after a removal": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_arrive",
            "plan.current_bytes -= len(superseded.encoded)",
            "plan.current_bytes -= len(superseded.encoded) if step.current else 0",
        ),
    ),
    "a freed reference is still counted": BrokenContainer(
        "B2",
        rewriting(plan.Plan, "free", "self.references -= isinstance(held, Reference)", "pass"),
    ),
    "a tombstone is not charged": BrokenContainer(
        "B2",
        rewriting(
            plan.Plan,
            "hold",
            "self.history_bytes += held_cost(held)",
            "self.history_bytes += 0 if held is TOMBSTONE else held_cost(held)",
        ),
    ),
    "names are never given back": BrokenContainer(
        "B2", rewriting(plan, "_squash", "uses[name] -= 1", "uses[name] -= 0")
    ),
    "a name is given back while one still uses it": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_count_names",
            "after = before + change",
            "after = before + change\n"
            "        after = 0 if change < 0 and after == 1 else max(0, after)",
        ),
    ),
    "a name that nobody uses stays in the table": BrokenContainer(
        "B2",
        rewriting(names.Names, "put", "self.known.pop(name, None)", "self.known[name] = number, 0"),
    ),
    "a chain with nothing in it is left standing": BrokenContainer(
        "B2",
        rewriting(chains, "rebuild", "if len(freed) == len(chain.seqs):", "if False:"),
    ),
    "a chain that goes leaves its cost in the account": BrokenContainer(
        "B2",
        rewriting(chains, "rebuild", "plan.history_bytes -= CHAIN_BYTES", "pass"),
    ),
    "an inherited key is lost": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_squash",
            "# What the victims inherited",
            "if behind < len(commits):\n"
            "            inherited = []\n"
            "        # What the victims inherited",
        ),
    ),
    "the keys that a new head takes over are lost": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "_squash",
            "# What the victims inherited",
            "if behind == len(commits):\n"
            "            inherited = []\n"
            "        # What the victims inherited",
        ),
    ),
    "a commit may be pruned for its own tag": BrokenContainer(
        "B2",
        rewriting(
            relief,
            "make_room",
            "kept = [amendment.seq for amendment in proposal.amended]",
            "kept = []",
        ),
    ),
    # --- B3: real memory -----------------------------------------------------------------
    "a reference costs nothing": BrokenContainer(
        "B3",
        rewriting(
            budget, "held_cost", "return VERSION_BYTES + REFERENCE_BYTES + texts", "return 0"
        ),
    ),
    "a reference costs a version without a value": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "held_cost",
            "return VERSION_BYTES + REFERENCE_BYTES + texts",
            "return VERSION_BYTES",
        ),
    ),
    "a preview costs nothing": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "held_cost",
            "0 if held.preview is None else text_cost(held.preview)",
            "0",
        ),
    ),
    "a tombstone costs nothing": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "held_cost",
            "+ texts\n    return VERSION_BYTES",
            "+ texts\n    return 0",
        ),
    ),
    "a note costs nothing": BrokenContainer(
        "B3",
        rewriting(
            budget, "remarks_cost", "0 if remarks.note is None else text_cost(remarks.note)", "0"
        ),
    ),
    "a change costs its size alone": BrokenContainer("B3", replacing(budget, "CHANGE_BYTES", 32)),
    "a commit costs half its record": BrokenContainer("B3", replacing(budget, "COMMIT_BYTES", 32)),
    "a name costs nothing": BrokenContainer(
        "B3", rewriting(budget, "name_cost", "return NAME_BYTES + text_cost(name)", "return 0")
    ),
    "a version costs half its bytes": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "held_cost",
            "return VERSION_BYTES + len(held)",
            "return VERSION_BYTES + len(held) // 2",
        ),
        storage=Full(),
    ),
    "pruned commits are put aside": BrokenContainer(
        "B3",
        rewriting(
            history.History,
            "carry_out",
            "if len(splice.column) == splice.length:\n",
            "if len(splice.column) == splice.length:\n"
            '            aside = vars(self).setdefault("aside", [])\n'
            "            aside += splice.column[splice.first : splice.behind]\n",
        ),
    ),
    "what was read is kept decoded": BrokenContainer(
        "B3",
        rewriting(
            reader.Reader,
            "decode",
            "return self.codec.decode(encoded)",
            'vars(self).setdefault("read", {})[encoded] = self.codec.decode(encoded)\n'
            "        return self.codec.decode(encoded)",
        ),
    ),
    # --- S4: the versions ----------------------------------------------------------------
    "a version is freed one commit too early": BrokenContainer(
        "S4", rewriting(plan, "_squash", "if key in seen:", "if True:")
    ),
    "a version is freed that the commit before still shows": BrokenContainer(
        "S4",
        rewriting(plan, "_arrive", "superseded.seq <= newest:", "superseded.seq < newest:"),
    ),
    "a version nobody sees is kept": BrokenContainer(
        "S4", rewriting(plan, "_squash", "_cut(history, key, seq, cuts)", "pass")
    ),
    "a removal of nothing is kept": BrokenContainer(
        "S4", rewriting(chains, "_with_leading_tombstones", "if not freed:", "if True:")
    ),
    "an equal value makes a version": BrokenContainer(
        "S4",
        rewriting(
            engine.Engine,
            "_propose",
            "before.encoded == value.encoded:",
            "before.encoded is value.encoded:",
        ),
    ),
    "1, 1.0 and True are taken for the same value": BrokenContainer(
        "S4",
        rewriting(
            engine.Engine,
            "_propose",
            "before.encoded == value.encoded:",
            f"(before.encoded == value.encoded or {_EQUAL_NUMBERS}):",
        ),
    ),
}
