"""Containers that ask their policies wrongly, trust them, or tell subscribers what is not so."""

from __future__ import annotations

from typing import Final

from backpack import budget, container, engine, events, guard, plan, reader, relief, store
from mutants.broken_container import BrokenContainer
from mutants.rewriting import rewriting, together

__all__ = ["BROKEN_QUESTIONS"]

BROKEN_QUESTIONS: Final[dict[str, BrokenContainer]] = {
    # --- P1: what no policy may choose ---------------------------------------------------
    "a pinned commit is offered": BrokenContainer(
        "P1", rewriting(relief.Candidates, "_may_go", "columns.pinned[index] or ", "")
    ),
    "the head is offered too early": BrokenContainer(
        "P1",
        rewriting(
            relief,
            "make_room",
            "if not candidates and proposal.commit is not None:",
            "if proposal.commit is not None:",
        ),
    ),
    "the head is offered for a tag": BrokenContainer(
        "P1",
        rewriting(
            relief,
            "make_room",
            "if not candidates and proposal.commit is not None:",
            "if not candidates:",
        ),
    ),
    "a tag undoes a pin": BrokenContainer(
        "P1",
        rewriting(
            engine.Engine,
            "amend",
            "stays = bool(commits.columns.pinned[index]) if pinned is None else pinned",
            "stays = bool(pinned)",
        ),
    ),
    # --- P3: policies that misbehave -----------------------------------------------------
    "a policy may re-enter": BrokenContainer(
        "P3", rewriting(guard.Guard, "check", "if self._asking is not None:", "if False:")
    ),
    "a policy may remove and clear": BrokenContainer(
        "P3", rewriting(engine.Engine, "commit", "self.guard.check()", "pass")
    ),
    "a policy may tag and pin": BrokenContainer(
        "P3", rewriting(engine.Engine, "amend", "self.guard.check()", "pass")
    ),
    "the guard stays up after an exception": BrokenContainer(
        "P3",
        together(
            rewriting(
                guard.Guard,
                "ask",
                "return method(question)",
                "answer = method(question)\n        self._asking = before\n        return answer",
            ),
            rewriting(
                guard.Guard,
                "ask",
                "finally:\n        self._asking = before",
                "finally:\n        pass",
            ),
        ),
    ),
    "a commit may be chosen twice": BrokenContainer(
        "P3", rewriting(relief, "_ask", "if seq is None or seq in chosen:", "if seq is None:")
    ),
    "a commit may be chosen that was not offered": BrokenContainer(
        "P3",
        rewriting(
            relief.Candidates,
            "number_of",
            " or not self._may_go(index)",
            " or seq in self._victims",
        ),
    ),
    "what is no id is passed over": BrokenContainer(
        "P3",
        rewriting(
            relief,
            "_ask",
            "seq = candidates.number_of(commit_id) if isinstance(commit_id, str) else None",
            "if not isinstance(commit_id, str):\n"
            "                continue\n"
            "            seq = candidates.number_of(commit_id)",
        ),
    ),
    "a size may be negative": BrokenContainer(
        "P3",
        rewriting(engine.Engine, "stage", "not 0 <= size < 2**63", "not size < 2**63"),
    ),
    "a reference may be to another value": BrokenContainer(
        "P3",
        rewriting(
            engine,
            "_check_reference",
            "(left.size, left.digest) != (\n        size,\n        digest(encoded),\n    )",
            "False",
        ),
    ),
    "a storage policy may hold text": BrokenContainer(
        "P3", rewriting(store.Store, "hold", "if type(held) is not bytes:", "if False:")
    ),
    # --- Q1: what a policy is told -------------------------------------------------------
    "a policy is told what the change needs, not what is missing": BrokenContainer(
        "Q1",
        rewriting(relief, "make_room", "needed=plan.history_bytes - budget,", "needed=needed,"),
    ),
    "a policy is told what is used without the change": BrokenContainer(
        "Q1",
        rewriting(relief, "make_room", "used=plan.history_bytes,", "used=history.history_bytes,"),
    ),
    "the size of a candidate is without its versions": BrokenContainer(
        "Q1",
        rewriting(
            budget, "owned_cost", "total += held_cost(chain.held[at]) if at >= 0 else 0", "pass"
        ),
    ),
    "the size of a candidate counts what is still current": BrokenContainer(
        "Q1",
        rewriting(
            budget,
            "owned_cost",
            "if chain is not None and (current is None or current.seq > seq):",
            "if chain is not None:",
        ),
    ),
    "an access is not counted": BrokenContainer(
        "Q1", rewriting(reader.Reader, "_accessed", "columns.accesses[index] += 1", "pass")
    ),
    "the time of an access is not noted": BrokenContainer(
        "Q1",
        rewriting(reader.Reader, "_accessed", "columns.last_access[index] = history.made", "pass"),
    ),
    "a diff counts as no access": BrokenContainer(
        "Q1",
        rewriting(
            container.Backpack,
            "diff",
            "engine.look_back(a)[1]",
            "engine.history.commits.seqs[engine.reader.find(a)]",
        ),
    ),
    "a tag counts as an access": BrokenContainer(
        "Q1",
        rewriting(
            engine.Engine,
            "amend",
            "self.reader.find(which)",
            "self.reader._accessed(self.reader.find(which))",
        ),
    ),
    "candidates are offered after the question": BrokenContainer(
        "Q1", rewriting(relief, "_ask", "candidates.close()", "pass")
    ),
    "pinned commits are among the number of candidates": BrokenContainer(
        "Q1",
        rewriting(
            relief.Candidates,
            "__len__",
            "if self._history.pins or self._kept:",
            "if self._kept:",
        ),
    ),
    # --- E1: what subscribers are told ---------------------------------------------------
    "subscribers are told of half of the pruned commits": BrokenContainer(
        "E1",
        rewriting(
            engine.Engine, "apply", "for seq in room.victims)", "for seq in room.victims[::2])"
        ),
    ),
    "a commit between two chosen ones goes too, and nobody is told": BrokenContainer(
        "E1",
        rewriting(
            plan,
            "_spans",
            "for seq in sorted(victims)]",
            "for seq in history.commits.seqs if min(victims) <= seq <= max(victims)]",
        ),
    ),
    "subscribers are told that pruning freed what was missing": BrokenContainer(
        "E1",
        rewriting(relief, "make_room", "unpruned - plan.history_bytes)", "unpruned - budget)"),
    ),
    "subscribers are not told of a commit that others went for": BrokenContainer(
        "E1",
        rewriting(
            engine.Engine,
            "commit",
            "if self.events:",
            "if self.events and not events:",
        ),
    ),
    "subscribers are not told of a refusal": BrokenContainer(
        "E1",
        rewriting(
            engine.Engine,
            "commit",
            "self.events.emit([Refused(error, tuple(staged))])",
            "pass",
        ),
    ),
    "subscribers are not told of a value that is refused": BrokenContainer(
        "E1",
        rewriting(engine.Engine, "stage", "self.events.emit([Refused(error, (key,))])", "pass"),
    ),
    "subscribers are told twice of what is pruned for a tag": BrokenContainer(
        "E1",
        rewriting(
            engine.Engine, "amend", "self.events.emit(events)", "self.events.emit(events * 2)"
        ),
    ),
    "subscribers are told of a reference to a value packed before": BrokenContainer(
        "E1",
        rewriting(
            engine,
            "references",
            "if step.current is not None and step.current.reference is not None",
            "if step.current is not None and step.current.reference is not None"
            " and step.held is None",
        ),
    ),
    "a subscriber that fails is the last one told": BrokenContainer(
        "E1",
        rewriting(
            events.Events,
            "emit",
            'log("exception", "subscriber_failed", subscriber=name_of(each.callback))',
            "return",
        ),
    ),
}
