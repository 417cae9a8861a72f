"""Containers whose archives lose something, answer wrongly, or are not gone on with exactly."""

from __future__ import annotations

from typing import Final

from backpack import container, engine, opening, reader, resume, saving, scribe, snapshot
from backpack.archive import database, ends, log, reading, rows
from mutants.broken_container import BrokenContainer
from mutants.rewriting import PutIn, replacing, rewriting, together

__all__ = ["BROKEN_ARCHIVES", "ODD_ARCHIVES"]

#: Commits that wait for the third one, and are made durable with it.
_TOGETHER: Final = together(
    rewriting(
        database.Database,
        "commit",
        '    self.connection.exec_driver_sql("COMMIT")\n    self.is_writing = False',
        '    self.waiting = getattr(self, "waiting", 0) + 1\n'
        "    if self.waiting % 3 == 0:\n"
        '        self.connection.exec_driver_sql("COMMIT")\n'
        "        self.is_writing = False",
    ),
    rewriting(
        database.Database,
        "begin",
        "        self.drop()\n    self._check_identity()\n    connection = self.connection",
        "        return self.connection\n    connection = self.connection",
    ),
)

BROKEN_ARCHIVES: Final[dict[str, BrokenContainer]] = {
    # --- A1: nothing is lost ---------------------------------------------------------------
    "what is given up is not entered": BrokenContainer(
        "A1",
        rewriting(scribe.Scribe, "_entered", "until = victims[-1] if victims else 0", "until = 0"),
    ),
    "a prefix of what is entered is cut": BrokenContainer(
        "A1",
        rewriting(
            scribe.Scribe, "_until", "range(head + 1, until + 1)", "range(head + 2, until + 1)"
        ),
    ),
    "what is given up stays retained in the log": BrokenContainer(
        "A1",
        rewriting(
            log.Log,
            "enter",
            "entered.pruned, is_retained=False",
            "entered.pruned, is_retained=True",
        ),
    ),
    "a retained commit is listed as archived, too": BrokenContainer(
        "A1",
        rewriting(
            reader.Reader,
            "archived_commits",
            "self.log.commits(retained=False)",
            "self.log.commits()",
        ),
    ),
    "the newest archived commit is not listed": BrokenContainer(
        "A1",
        rewriting(
            container.Backpack,
            "history",
            "sorted(retained + archived,",
            "sorted(retained + archived[1:],",
        ),
    ),
    "an archived commit shows what the next one did": BrokenContainer(
        "A1",
        rewriting(reading.LogReader, "version_at", '"at": seq}', '"at": min(seq + 1, self.head)}'),
    ),
    "an archived commit shows the keys of the one before": BrokenContainer(
        "A1", rewriting(reading.LogReader, "setters_at", '"at": seq}', '"at": seq - 1}')
    ),
    "a removal is not entered": BrokenContainer(
        "A1",
        rewriting(
            scribe.Scribe,
            "versions",
            "yield LoggedVersion(key, seq, None)\n",
            "pass\n",
        ),
    ),
    "a diff across the border is worked out in memory": BrokenContainer(
        "A1",
        rewriting(
            reader.Reader,
            "is_one_version",
            "if self.is_archived(first) or self.is_archived(second):",
            "if self.is_archived(first) and self.is_archived(second):",
        ),
    ),
    "a view dies when its commit is archived": BrokenContainer(
        "A1", rewriting(reader.Reader, "revisit", "elif not self.is_archived(seq):", "else:")
    ),
    "a snapshot does not say that it is archived": BrokenContainer(
        "A1",
        rewriting(
            snapshot.Snapshot,
            "archived",
            "return self._reader.is_archived(self._seq)",
            "return False",
        ),
    ),
    "a tag on an archived commit is not written": BrokenContainer(
        "A1",
        rewriting(
            engine.Engine,
            "amend",
            "commit, told = self.scribe.amend(archived, tags, pinned=stays)",
            "return evolve(archived.commit, tags=tags)",
        ),
    ),
    "a rollback to an archived commit loses a key": BrokenContainer(
        "A1",
        rewriting(
            container.Backpack,
            "_state_at",
            "state = snapshot.to_dict()",
            "state = snapshot.to_dict()\n"
            "        if snapshot.archived and len(state) > 1:\n"
            "            state.popitem()",
        ),
    ),
    "a fork of an archived commit has the current state": BrokenContainer(
        "A1",
        rewriting(
            container.Backpack,
            "fork",
            "origin, state = self._state_at(start, keys)",
            "origin, state = self._state_at(start, keys)\n"
            "        if self.snapshot(start).archived:\n"
            "            state = {key: self[key] for key in self if keys is None or key in keys}",
        ),
    ),
    "an archived version is read along the others the wrong way round": BrokenContainer(
        "A1",
        rewriting(reading.LogReader, "_leaning", "in way[1:]", "in reversed(way[1:])"),
    ),
    "the preview of an archived reference is lost": BrokenContainer(
        "A1",
        rewriting(rows, "reference_of", "else _text(preview)", "else None"),
    ),
    # --- A2: the same answers --------------------------------------------------------------
    "pins are forgotten when it is opened again": BrokenContainer(
        "A2",
        together(
            rewriting(resume._Builder, "enter", "pinned=each.pinned", "pinned=False"),
            rewriting(resume._Builder, "enter", "history.pins += each.pinned", "pass"),
        ),
    ),
    "tags are forgotten when it is opened again": BrokenContainer(
        "A2",
        rewriting(
            resume._Builder,
            "enter",
            "tags=tuple(map(history.names.interned, each.commit.tags))",
            "tags=()",
        ),
    ),
    "ids end with a new code when it is opened again": BrokenContainer(
        "A2", rewriting(opening, "_empty", "Engine(settings, log.code)", "Engine(settings)")
    ),
    "a removal is forgotten when it is opened again": BrokenContainer(
        "A2",
        rewriting(
            resume._Builder,
            "add",
            "elif is_seen and (self._chain.seqs or not is_removed):",
            "elif is_seen and not is_removed:",
        ),
    ),
    "only the head is retained when it is opened again": BrokenContainer(
        "A2",
        rewriting(
            resume,
            "restore",
            "retained = list(log.commits(retained=True, newest_first=False))",
            "retained = list(log.commits(retained=True, newest_first=False))[-1:]",
        ),
    ),
    "keys are in another order when it is opened again": BrokenContainer(
        "A2", rewriting(resume._Builder, "in_order", "current[key][1])", "-current[key][1])")
    ),
    "closing writes nothing": BrokenContainer(
        "A2",
        rewriting(scribe.Scribe, "close", "told = self.enter_all()", "told = []"),
    ),
    "closing forgets how often commits were looked at": BrokenContainer(
        "A2", rewriting(scribe.Scribe, "close", "self.log.keep_accesses(", "list(")
    ),
    "a checkpoint is without what is archived": BrokenContainer(
        "A2",
        rewriting(saving, "saved", "if archived and scribe is not None:", "if archived is None:"),
    ),
    "a checkpoint is without the pins": BrokenContainer(
        "A2",
        rewriting(
            saving,
            "saved",
            "[logged_at(history.commits, index) for",
            "[type(logged_at(history.commits, index))(history.commits[index]) for",
        ),
    ),
    # --- A3: after a crash -----------------------------------------------------------------
    "a commit is acknowledged before it is written": BrokenContainer(
        "A3",
        rewriting(
            scribe.Scribe,
            "_entered",
            "if not is_whole or proposal.commit is None:",
            "if True:",
        ),
    ),
    "commits are made durable three at a time": BrokenContainer("A3", _TOGETHER),
    "the log ends where a current value is left out": BrokenContainer(
        "A3", rewriting(scribe.Scribe, "_whole_at", "while seq < until:", "while False:")
    ),
    "a value is let go of while the log has it as current": BrokenContainer(
        "A3", rewriting(scribe.Scribe, "_spent_by_now", " if superseded <= head", "")
    ),
    "a commit is entered as it was before it was tagged": BrokenContainer(
        "A3",
        rewriting(
            scribe.Scribe,
            "_entered",
            "entered = self._until(until, victims, amended, erased)",
            "entered = self._until(until, victims, (), erased)",
        ),
    ),
    "a pin is not entered": BrokenContainer(
        "A3",
        rewriting(scribe.Scribe, "_entered", "pinned=each.pinned)", "pinned=False)"),
    ),
    "commits are durable before their versions": BrokenContainer(
        "A3",
        rewriting(
            log.Log,
            "enter",
            "    for rows in ",
            "    self.database.commit()\n    connection = self.database.begin()\n    for rows in ",
        ),
    ),
}
"""Backpacks with a bug in how they are archived; others have none of it."""

ODD_ARCHIVES: Final[dict[str, PutIn]] = {
    "an archive that keeps nothing at hand": together(
        replacing(reading, "_AT_HAND", 0),
        replacing(scribe, "_AT_HAND", 0),
        replacing(ends, "_ENDS", 0),
    ),
    "an archive that is written and read row by row": together(
        replacing(log, "_PORTION", 1),
        replacing(reading, "_PORTION", 1),
        replacing(database, "_STREAMED", 1),
    ),
    "an archive in which every version stands alone": replacing(ends, "_WORTH", 10**9),
    "an archive in which versions lean on one only": together(
        replacing(ends, "SPAN", 2), replacing(reading, "SPAN", 2)
    ),
    "an archive that takes its time": rewriting(
        database.Database,
        "commit",
        "self.connection.exec",
        '__import__("time").sleep(0.001)\n    self.connection.exec',
    ),
}
"""Archives that look strange and break no law."""
