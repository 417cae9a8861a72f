"""Containers whose changes are half done, overwrite others, or are recorded wrongly."""

from __future__ import annotations

from typing import Final

from backpack import container, engine, guard, reader, relief, transaction
from mutants.broken_container import BrokenContainer
from mutants.rewriting import rewriting

__all__ = ["BROKEN_CHANGES"]

#: What of a transaction fits is committed, where all of it does not.
_HALF_OF_IT: Final = """\
try:
                    transaction.commit = engine.commit(transaction._staged, labels)
                except Exception:
                    for key, staged in list(transaction._staged.items())[:-1]:
                        engine.commit({key: staged}, labels)
                    raise"""

#: A choice that is carried out before the change it was made for is known to fit.
_VICTIMS_GONE_AT_ONCE: Final = """\
        if history.head.seq not in chosen:
            history.apply(make_plan(history, type(proposal)(), workshop, victims=chosen))
            chosen = set()
        victims |= chosen
"""

BROKEN_CHANGES: Final[dict[str, BrokenContainer]] = {
    # --- F1: as before -------------------------------------------------------------------
    "half of a refused transaction is committed": BrokenContainer(
        "F1",
        rewriting(
            transaction,
            "transact",
            "transaction.commit = engine.commit(transaction._staged, labels)",
            _HALF_OF_IT,
        ),
    ),
    "a refused change uses up a number": BrokenContainer(
        "F1",
        rewriting(
            engine.Engine,
            "_propose",
            "seq = history.made + 1",
            "history.made += 1\n    seq = history.made",
        ),
    ),
    "a refused tag is on the record": BrokenContainer(
        "F1",
        rewriting(
            engine.Engine,
            "amend",
            "self.events.emit([Refused(error)])",
            "self.events.emit([Refused(error)])\n            commits.remarks[commit.seq] = remarks",
        ),
    ),
    "what was chosen for a change that is refused is gone": BrokenContainer(
        "F1",
        rewriting(relief, "make_room", "        victims |= chosen\n", _VICTIMS_GONE_AT_ONCE),
    ),
    # --- F2: documented errors -----------------------------------------------------------
    "an unknown key is a plain KeyError": BrokenContainer(
        "F2",
        rewriting(
            engine.Engine, "unpack", "self.history.current.get(key)", "self.history.current[key]"
        ),
    ),
    "what is no id is a TypeError": BrokenContainer(
        "F2", rewriting(reader.Reader, "number", "if parsed is None:", "if False:")
    ),
    "an unknown key in a transaction is a plain KeyError": BrokenContainer(
        "F2",
        rewriting(transaction.Transaction, "remove", "if key not in self:", "if False:"),
    ),
    "nothing to pop is a StopIteration": BrokenContainer(
        "F2", rewriting(container.Backpack, "popitem", "if not self:", "if False:")
    ),
    "what a policy raises gets out": BrokenContainer(
        "F2",
        rewriting(guard.Guard, "ask", "except Exception as error:", "except ValueError as error:"),
    ),
    "a refusal tells another need": BrokenContainer(
        "F2",
        rewriting(
            relief,
            "make_room",
            "_refusal(needed, free,",
            "_refusal(plan.history_bytes - budget, free,",
        ),
    ),
    "a refusal tells what is free without what was given up": BrokenContainer(
        "F2",
        rewriting(
            relief,
            "make_room",
            "free = budget - plan.history_bytes + needed",
            "free = budget - history.history_bytes",
        ),
    ),
    # --- X1: conflicts -------------------------------------------------------------------
    "an edit overwrites what was packed meanwhile": BrokenContainer(
        "X1",
        rewriting(
            transaction,
            "pack_edited",
            "if engine.history.current.get(key) is not before:",
            "if False:",
        ),
    ),
    "an edit does not see that its key was removed": BrokenContainer(
        "X1",
        rewriting(
            transaction,
            "pack_edited",
            "if engine.history.current.get(key) is not before:",
            "if engine.history.current.get(key, before) is not before:",
        ),
    ),
    "an edit that changes nothing commits": BrokenContainer(
        "X1",
        rewriting(transaction, "pack_edited", "if staged.encoded != before.encoded:", "if True:"),
    ),
    "an edit that fails commits": BrokenContainer(
        "X1",
        rewriting(
            transaction,
            "edit",
            "        yield value\n",
            "        try:\n"
            "            yield value\n"
            "        except Exception:\n"
            "            engine.commit({key: engine.stage(key, value)}, labels)\n"
            "            raise\n",
        ),
    ),
    "a transaction overwrites what was packed meanwhile": BrokenContainer(
        "X1", rewriting(transaction, "transact", "transaction._check_unchanged()", "pass")
    ),
    "a transaction forgets what it has read": BrokenContainer(
        "X1",
        rewriting(
            transaction.Transaction,
            "_check_unchanged",
            "for key, current in self._seen.items():",
            "for key, current in [each for each in self._seen.items() if each[0] in self._staged]:",
        ),
    ),
    "a transaction that changes nothing commits": BrokenContainer(
        "X1", rewriting(transaction, "transact", "if transaction._staged:", "if True:")
    ),
    "a transaction that fails commits": BrokenContainer(
        "F1",
        rewriting(
            transaction,
            "transact",
            "            yield transaction\n",
            "            try:\n"
            "                yield transaction\n"
            "            except Exception:\n"
            "                engine.commit(transaction._staged, labels)\n"
            "                raise\n",
        ),
    ),
    # --- C1: the record ------------------------------------------------------------------
    "who made a commit is lost": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "_propose",
            "by=None if by is None else interned(by)",
            "by=None",
        ),
    ),
    "the note of a commit is lost": BrokenContainer(
        "C1", rewriting(engine.Engine, "_propose", "note=labels.note", "note=None")
    ),
    "a commit tells the size of the value before": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "_propose",
            'Change(key, "set", value.size)',
            'Change(key, "set", (before or value).size)',
        ),
    ),
    "a removal is recorded as a set": BrokenContainer(
        "C1",
        rewriting(engine.Engine, "_propose", 'Change(key, "removed")', 'Change(key, "set")'),
    ),
    "an equal value is recorded as a set": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "_propose",
            'Change(key, "same", value.size)',
            'Change(key, "set", value.size)',
        ),
    ),
    "a new tag drops the old ones": BrokenContainer(
        "C1",
        rewriting(
            container.Backpack,
            "tag",
            "check_tags((*before, *tags))",
            "check_tags(tags)",
        ),
    ),
    "an untag takes off one of several": BrokenContainer(
        "C1",
        rewriting(container.Backpack, "untag", "if tag not in tags)", "if tag not in tags[:1])"),
    ),
    "a commit has the time of the one before": BrokenContainer(
        "C1",
        rewriting(
            engine.Engine,
            "_propose",
            "timestamp=timestamp,",
            "timestamp=history.head.timestamp if history.head else timestamp,",
        ),
    ),
}
