"""Backpacks broken in ways thought up by somebody who did not know how the laws are checked."""

from __future__ import annotations

from typing import Final

from backpack import (
    budget,
    commits,
    container,
    engine,
    events,
    guard,
    history,
    ids,
    labels,
    plan,
    reader,
    relief,
    settings,
    snapshot,
    splices,
    transaction,
    usage,
)
from backpack.policies import Full
from mutants.broken_container import BrokenContainer
from mutants.rewriting import rewriting, together

__all__ = ["BROKEN_UNSEEN"]

BROKEN_UNSEEN: Final[dict[str, BrokenContainer]] = {
    # docs: "Don't call back. A policy that uses the Backpack it serves is refused"; PolicyError
    # "it ... tried to change the Backpack". A question inside a question takes the guard down.
    "a policy that has read a snapshot may then change": BrokenContainer(
        "P3", rewriting(guard.Guard, "ask", "self._asking = before", "self._asking = None")
    ),
    # HeldVersion.seq: "The number of the commit that set it."
    "a storage policy is told the number of the commit that is looked at": BrokenContainer(
        "Q1",
        rewriting(
            reader.Reader,
            "version_at",
            "self._store.read(key, setter, version)",
            "self._store.read(key, seq, version)",
        ),
        storage=Full(),
    ),
    # snapshot: "UnknownCommit: It is no commit of this Backpack."
    "an id may have something behind it": BrokenContainer(
        "P2", rewriting(ids, "parse_id", "_ID.fullmatch(text)", "_ID.match(text)")
    ),
    # subscribe: "return what ends that"
    "ending a subscription ends the newest one": BrokenContainer(
        "E1",
        rewriting(
            events.Events,
            "subscribe",
            "tuple(each for each in self._callbacks if each is not mine)",
            "self._callbacks[:-1]",
        ),
    ),
    # Transaction.remove: "Remove key."
    "removing in a transaction what it has packed brings the old value back": BrokenContainer(
        "X1",
        rewriting(
            transaction.Transaction,
            "remove",
            "if self._exists(key):",
            "if key not in self._staged:",
        ),
    ),
    # Pruned: "Commits were given up to make room"; of this one nobody is told.
    "cutting a column at more than 64 places loses one item": BrokenContainer(
        "E1",
        rewriting(
            splices, "exchanged", "kept += column[start:]\n", "kept += column[start + 1 :]\n"
        ),
    ),
    # rollback/fork: "Only these keys ...; all if left out."
    "no keys at all stand for all keys": BrokenContainer(
        "S1", rewriting(container.Backpack, "_state_at", "if keys is None:", "if not keys:")
    ),
    # KeyUsage.current_bytes: "0 for a removed key"
    "the usage by key is without removed keys": BrokenContainer(
        "S4", rewriting(usage, "_by_key", "(*history.current, *history.chains)", "history.current")
    ),
    # fork: "It has the same settings"
    "a fork goes by the clock of the system": BrokenContainer(
        "C1",
        rewriting(
            settings.Settings,
            "copied",
            "for name in fields_dict(type(self))}",
            "for name in fields_dict(type(self)) if name != 'clock'}",
        ),
    ),
    # The budget bounds memory; UCS-4 text takes four bytes a letter, and its UTF-8.
    "text costs a byte a letter, whatever the letter": BrokenContainer(
        "B3",
        rewriting(
            budget,
            "text_cost",
            "widest = ord(max(text))",
            "return _ASCII_BYTES + len(text)\n    widest = ord(max(text))",
        ),
    ),
    # README: "Ctrl-C at any instruction: the state is as before the change or as after it."
    "a plan is forgotten before it is carried out": BrokenContainer(
        "F1",
        rewriting(
            history.History,
            "settle",
            "self._pending.carry_out(self)",
            "plan, self._pending = self._pending, None\n        plan.carry_out(self)",
        ),
    ),
    # edit: "Other threads wait while the block runs."
    "an edit lets other threads in": BrokenContainer(
        "X1", rewriting(transaction, "edit", "with engine.lock:", "if True:")
    ),
    # history(key): "Only those that changed, or packed again, this key."
    "the history of a key is of the commits that own it": BrokenContainer(
        "C1",
        rewriting(
            container.Backpack,
            "history",
            "commits.changing(key)",
            "[index for index in range(len(commits)) if key in commits.owned(index)]",
        ),
    ),
    # setdefault: "pack default first if there is none"
    "setdefault packs over None": BrokenContainer(
        "R1",
        rewriting(
            container.Backpack, "setdefault", "if key not in self:", "if self.get(key) is None:"
        ),
    ),
    # untag: "Take tags off a retained commit"
    "the last tag cannot be taken off": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "amend",
            "if tagging is not None:",
            "if tagging is not None and tagging(commit.tags):",
        ),
    ),
    # Snapshot.commit: "as it was recorded when the snapshot was opened"
    "a view tells the tags put on since": BrokenContainer(
        "C1",
        rewriting(
            snapshot.Snapshot,
            "commit",
            "return record_of(self._known)",
            "return self._reader.history.commits[self._reader.history.commits.find(self._seq)]",
        ),
    ),
    # Commit.tags: "Its labels, sorted."
    "tags are in the order they were given": BrokenContainer(
        "C1",
        rewriting(
            labels,
            "check_tags",
            'tuple(sorted({_text(tag, "a tag", "a non-empty string") for tag in tags}))',
            'tuple(dict.fromkeys(_text(tag, "a tag", "a non-empty string") for tag in tags))',
        ),
    ),
    # PruneRequest.candidates: a Collection of the commits it may choose
    "chosen commits stay among the number of candidates": BrokenContainer(
        "Q1",
        rewriting(
            relief.Candidates,
            "__len__",
            "max(0, self._stop - self._chosen)",
            "max(0, self._stop)",
        ),
    ),
    # docs/policies: "A policy that ... raises, fails the change with a PolicyError that names it"
    "an error of ours that a policy raises gets out": BrokenContainer(
        "F2",
        rewriting(
            guard.Guard,
            "ask",
            "(PolicyError, RecursionError, MemoryError)",
            "(PolicyError, LookupError, RecursionError, MemoryError)",
        ),
    ),
    # rollback: "as a new commit"
    "a rollback that changes nothing makes no commit": BrokenContainer(
        "C1",
        rewriting(
            container.Backpack,
            "rollback",
            "return engine.commit(staged,",
            "if not staged:\n            return self.head\n        return engine.commit(staged,",
        ),
    ),
    # pop: "or default if it does not exist"
    "pop takes None for no default": BrokenContainer(
        "R1",
        rewriting(
            container.Backpack,
            "pop",
            "default is not _MISSING",
            "default is not None and default is not _MISSING",
        ),
    ),
    "a transaction remembers only its last look": BrokenContainer(
        "X1",
        rewriting(
            transaction.Transaction,
            "_exists",
            "self._seen.setdefault(key, current)",
            "self._seen[key] = current",
        ),
    ),
    "clearing a transaction leaves what it added": BrokenContainer(
        "X1", rewriting(transaction.Transaction, "clear", "self._staged.clear()", "pass")
    ),
    "the name of a node is not charged": BrokenContainer(
        "B2",
        rewriting(
            plan,
            "make_plan",
            "    if proposal.commit is not None:\n",
            "    if proposal.commit is not None:\n"
            "        if plan.names.get(proposal.commit.by, (0, 0))[1] == 1:\n"
            "            plan.history_bytes -= name_cost(proposal.commit.by)\n",
        ),
    ),
    "the usage by key tells the size that the policy measured": BrokenContainer(
        "B2", rewriting(usage, "_by_key", "len(current.encoded)", "current.size")
    ),
    # diff: "CommitPruned ... UnknownCommit"
    "a diff of anything with itself is empty": BrokenContainer(
        "P2",
        rewriting(
            container.Backpack,
            "diff",
            "first = engine.look_back",
            "if a == b:\n            from backpack import Diff\n"
            "            return Diff(added={}, removed={}, changed={})\n"
            "        first = engine.look_back",
        ),
    ),
    # Transaction: "What the transaction has read or changed must be as it was then"
    "a transaction forgets that it found nothing": BrokenContainer(
        "X1",
        rewriting(
            transaction.Transaction,
            "unpack",
            "elif self._exists(key):",
            "elif key in self._engine.history.current and self._exists(key):",
        ),
    ),
    # Snapshot.commit: "as it was recorded when the snapshot was opened"
    "a view of a commit tells what its caller knew of it": BrokenContainer(
        "C1",
        rewriting(
            container.Backpack,
            "snapshot",
            "return Snapshot(engine.reader, known)",
            "if not isinstance(commit, str):\n"
            "        from backpack.commits import Remarks\n"
            "        known = (*known[:-1], Remarks(commit.changes, commit.tags, commit.note))\n"
            "    return Snapshot(engine.reader, known)",
        ),
    ),
    # README: "Ctrl-C at any instruction: the state is as before the change or as after it."
    "a splice that was interrupted is done twice": BrokenContainer(
        "F1",
        together(
            rewriting(
                history.History,
                "carry_out",
                "        if len(splice.column) == splice.length:\n            splice.column",
                "        splice.column",
            ),
            rewriting(commits.Commits, "append", "if len(column) == length:", "if True:"),
        ),
    ),
    # Commit.timestamp: what the clock says
    "times are rounded to milliseconds": BrokenContainer(
        "C1", rewriting(engine.Engine, "_now", "return float(now)", "return round(float(now), 3)")
    ),
    # subscribe: "every event"
    "what a subscriber does is told to nobody": BrokenContainer(
        "E1",
        rewriting(
            events.Events,
            "emit",
            "for each in self._callbacks:\n"
            "            try:\n"
            "                each.callback(event)\n",
            "for each in () if vars(self).get('busy') else self._callbacks:\n"
            "            try:\n"
            "                vars(self)['busy'] = True\n"
            "                try:\n"
            "                    each.callback(event)\n"
            "                finally:\n"
            "                    vars(self)['busy'] = False\n",
        ),
    ),
    # Snapshot is a Mapping that never changes.
    "a view is iterated over as its Backpack changes": BrokenContainer(
        "F2",
        rewriting(snapshot.Snapshot, "_keys", "list(reader.keys_at(", "(reader.keys_at("),
    ),
    # popitem: "the key added last, as a dict does"
    "packing again moves a key to the end": BrokenContainer(
        "R1",
        rewriting(
            history.History,
            "carry_out",
            "else:\n            self.current[key] = current",
            "else:\n            self.current.pop(key, None)\n"
            "            self.current[key] = current",
        ),
    ),
    "popitem takes the first key": BrokenContainer(
        "R1", rewriting(container.Backpack, "popitem", "reversed(", "iter(")
    ),
    "a fork forgets the budget": BrokenContainer(
        "S1",
        rewriting(container.Backpack, "fork", "fork.resize(self.max_history_size)", "pass"),
    ),
    "ending one subscription of a callback ends all of them": BrokenContainer(
        "E1", rewriting(events.Events, "subscribe", "each is not mine", "each.callback != callback")
    ),
}
