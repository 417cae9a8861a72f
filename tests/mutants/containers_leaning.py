"""Containers that lean versions on one another wrongly."""

from __future__ import annotations

from typing import Final

from backpack import budget, chains, draft, engine, history, relief, store
from mutants.broken_container import BrokenContainer
from mutants.rewriting import replacing, rewriting

__all__ = ["BROKEN_LEANINGS"]

#: The heir takes its data with it, which leans on what went.
_AS_IT_WAS: Final = "taking.base, taking.data = gone.base, None"

BROKEN_LEANINGS: Final[dict[str, BrokenContainer]] = {
    # --- B2: the account -----------------------------------------------------------------
    "what is held anew is charged as it was": BrokenContainer(
        "B2",
        rewriting(chains, "regroup", "entry_cost(new.form, new.data) - held_cost(new.entry)", "0"),
    ),
    "what is raw in a tail is not written down": BrokenContainer(
        "B2", rewriting(chains, "regroup", "plan.raw_bytes += raw - waiting", "pass")
    ),
    "a leader that is pressed still counts as raw": BrokenContainer(
        "B2",
        rewriting(
            draft.Draft,
            "raw_bytes",
            "(leader if sketch is None else sketch).form is Form.RAW",
            "leader.form is Form.RAW",
        ),
    ),
    # --- B3: real memory -----------------------------------------------------------------
    "an entry costs its data alone": BrokenContainer("B3", replacing(budget, "ENTRY_BYTES", 0)),
    "the table of fingerprints is never tightened": BrokenContainer(
        "B3",
        rewriting(
            history.History,
            "_shrink",
            "self.marks = fitted(self.marks)",
            "pass",
        ),
    ),
    # --- B4: what waits raw --------------------------------------------------------------
    "tails hold raw what they like": BrokenContainer(
        "B4",
        rewriting(chains, "regroup", "if plan.raw_bytes > share:", "if False:"),
    ),
    "tails hold raw twice their share": BrokenContainer(
        "B4",
        rewriting(budget, "share_of", "return budget // _SHARES", "return budget // 8"),
    ),
    "pruning is asked before what is raw was made groups": BrokenContainer(
        "B4",
        rewriting(relief, "_compacted", "if plan.history_bytes > budget:", "if False:"),
    ),
    "leaders are raw where room is needed": BrokenContainer(
        "B4", rewriting(draft.Draft, "press", "if tail.leader is not None:", "if False:")
    ),
    # --- S1: what is read ----------------------------------------------------------------
    "an heir is not held anew": BrokenContainer(
        "S1", rewriting(draft.Draft, "drop", _AS_IT_WAS, "taking.base = gone.base")
    ),
    "an entry is held beside itself": BrokenContainer(
        "S1",
        rewriting(
            draft.Workshop,
            "held",
            "None if base is None else self.encoded(base)",
            "None if base is None else self.encoded(entry)",
        ),
    ),
    "an equal version is known by its fingerprint alone": BrokenContainer(
        "S1",
        rewriting(
            draft.Draft,
            "_is_the_same",
            "known is not None and self._workshop.encoded(known) == encoded",
            "known is not None",
        ),
    ),
    "a version is read along the bases the wrong way round": BrokenContainer(
        "S1",
        rewriting(
            store.Store,
            "encoded",
            "between = tuple(each.data for each in others)",
            "between = tuple(each.data for each in others[::-1])",
        ),
    ),
    "what is the same as another is read as nothing": BrokenContainer(
        "S1",
        rewriting(
            store.Store,
            "encoded",
            "if ground.form is Form.LEANING:",
            "if ground.form is not Form.RAW:",
        ),
    ),
    "what stands alone is read as if it were raw": BrokenContainer(
        "S1",
        rewriting(store.Store, "encoded", "if ground.form is not Form.RAW:", "if False:"),
    ),
    # --- S5: who leans on whom -----------------------------------------------------------
    "an heir leans on the wrong one": BrokenContainer(
        "S5",
        rewriting(
            draft.Draft,
            "drop",
            _AS_IT_WAS,
            "taking.base, taking.data = gone.base and (gone.base.base or gone.base), None",
        ),
    ),
    "the others lean on the one that went": BrokenContainer(
        "S5",
        rewriting(draft.Draft, "drop", "self._sketch(other).base = heir", "self._sketch(other)"),
    ),
    "an heir does not know who leans on it": BrokenContainer(
        "S5", rewriting(draft.Draft, "drop", "taking.dependents += others", "pass")
    ),
    "a base keeps those that went": BrokenContainer(
        "S5",
        rewriting(draft.Draft, "drop", "self._sketch(gone.base).dependents.remove(entry)", "pass"),
    ),
    "the mark of one that went is left": BrokenContainer(
        "S5",
        rewriting(draft.Draft, "drop", "self.marks[gone.mark] = None", "pass"),
    ),
    "the span is not looked at": BrokenContainer(
        "S5",
        rewriting(
            draft.Draft,
            "_grouped",
            "tail.reach + reach <= self._workshop.store.span",
            "True",
        ),
    ),
    "a keyframe leans on what is behind it, too": BrokenContainer(
        "S5",
        rewriting(
            draft.Draft,
            "_grouped",
            "tail.reach + reach <= self._workshop.store.span",
            "tail.reach <= self._workshop.store.span",
        ),
    ),
    "a leader that went leads on": BrokenContainer(
        "S5",
        rewriting(
            draft.Draft,
            "_who_leads",
            "while leader is not None and leader in self._heirs:",
            "while False:",
        ),
    ),
    # --- S6: equal versions --------------------------------------------------------------
    "equal versions are held one by one": BrokenContainer(
        "S6", rewriting(draft.Draft, "_is_the_same", "if known is not None and", "if False and")
    ),
    "an equal version is found in its own chain only": BrokenContainer(
        "S6",
        rewriting(
            draft.Draft,
            "_is_the_same",
            "if known is not None and self",
            "if known is not None and known.key == entry.key and self",
        ),
    ),
    # --- what fails in the middle --------------------------------------------------------
    "what was held before a failure stays": BrokenContainer(
        "P3",
        rewriting(
            draft.Workshop,
            "held",
            "self._held[entry, base] = held",
            "self._held[entry, base] = entry.data = held",
        ),
    ),
    "an entry is dropped for a choice that is refused": BrokenContainer(
        "F1",
        rewriting(
            draft.Draft,
            "drop",
            "self._heirs[entry] = heir",
            "self._heirs[entry] = heir; entry.data = b''",
        ),
    ),
    # --- what storage policies are told --------------------------------------------------
    "a storage policy is told the number of one that leans for the one leant on": BrokenContainer(
        "Q1",
        rewriting(
            store.Store,
            "encoded",
            "HeldVersion(ground.key, ground.seq, encoded)",
            "HeldVersion(ground.key, entry.seq, encoded)",
        ),
    ),
    "a storage policy is told of one between at most": BrokenContainer(
        "Q1",
        rewriting(
            store.Store,
            "encoded",
            "first.data, encoded, between)",
            "first.data, encoded, between[:1])",
        ),
    ),
    "an entry costs half its data": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "entry_cost",
            "own = VERSION_BYTES + ENTRY_BYTES + len(data)",
            "own = VERSION_BYTES + ENTRY_BYTES + len(data) // 2",
        ),
    ),
    # --- what sizing policies are told ---------------------------------------------------
    "sizing is told the value itself for the one before": BrokenContainer(
        "C1",
        rewriting(engine.Engine, "stage", "None if before is None else before.encoded", "encoded"),
    ),
    "sizing is told of no value before": BrokenContainer(
        "C1",
        rewriting(engine.Engine, "stage", "None if before is None else before.encoded", "None"),
    ),
    "sizing is told the value of another key": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "stage",
            "before = self.history.current.get(key)",
            "before = next(iter(self.history.current.values()), None)",
        ),
    ),
}
