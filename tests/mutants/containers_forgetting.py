"""Containers that forget on request too little, too much, or by halves."""

from __future__ import annotations

from typing import Final

from backpack import engine, forgetting, relief
from backpack.archive import log
from mutants.broken_container import BrokenContainer
from mutants.rewriting import rewriting

__all__ = ["BROKEN_FORGETTING"]

BROKEN_FORGETTING: Final[dict[str, BrokenContainer]] = {
    # --- another budget --------------------------------------------------------------------
    "a smaller budget is told before the history fits it": BrokenContainer(
        "B1",
        rewriting(
            forgetting,
            "resize",
            "events = _told(",
            "engine.history.budget = budget\n        events = _told(",
        ),
    ),
    "a smaller budget prunes nothing": BrokenContainer(
        "B1",
        rewriting(
            relief,
            "make_room",
            "history.budget if proposal.budget is None else proposal.budget",
            "history.budget",
        ),
    ),
    "a budget that was refused stays": BrokenContainer(
        "P3",
        rewriting(
            forgetting,
            "_told",
            "engine.events.emit([Refused(error)])",
            "engine.history.budget = proposal.budget or engine.history.budget\n"
            "        engine.events.emit([Refused(error)])",
        ),
    ),
    # --- commits that are erased -----------------------------------------------------------
    "an erased commit stays": BrokenContainer(
        "P4",
        rewriting(
            engine.Engine,
            "apply",
            "leaving=[seq for seq in leaving if self.history.commits.find(seq) is not None],",
            "leaving=[],",
        ),
    ),
    "the commit before goes, too": BrokenContainer(
        "P4",
        rewriting(
            forgetting, "_erasable", "going.add(seq)", "going.update({max(1, seq - 1), seq})"
        ),
    ),
    "a pinned commit may be erased": BrokenContainer(
        "P1", rewriting(forgetting, "_erasable", "if pinned or (", "if (")
    ),
    "the newest commit may be erased": BrokenContainer(
        "F2",
        rewriting(forgetting, "_erasable", "seq == engine.history.made and not newest", "seq == 0"),
    ),
    "an erasure is told as pruning": BrokenContainer(
        "E1",
        rewriting(
            engine.Engine,
            "apply",
            'by = "erase" if leaving else name_of(pruning)',
            "by = name_of(pruning)",
        ),
    ),
    "what an erasure frees is not told": BrokenContainer(
        "E1",
        rewriting(
            relief,
            "make_room",
            "unpruned = _unerased(history, proposal, workshop)",
            "unpruned = plan.history_bytes",
        ),
    ),
    # --- in an archive ---------------------------------------------------------------------
    "what is erased stays in the archive": BrokenContainer(
        "A1", rewriting(log.Log, "enter", "if entered.erased:", "if False:")
    ),
    "an erased commit comes back when it is opened again": BrokenContainer(
        "A2",
        rewriting(
            log.Log,
            "enter",
            "self._erase(connection, entered.erased)",
            "self._erase(connection, entered.erased[1:] or entered.erased)",
        ),
    ),
    "what is erased goes before its change is made": BrokenContainer(
        "A3",
        rewriting(
            log.Log,
            "write",
            "    self.enter(self._begin(), entered)",
            "    if entered.erased:\n"
            "            with self._changing() as connection:\n"
            "                self._erase(connection, entered.erased)\n"
            "        self.enter(self._begin(), entered)",
        ),
    ),
}
