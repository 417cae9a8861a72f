"""What a check has found: one verdict for each law, and the whole as text or as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import asdict, frozen

from backpack.spec.laws.law import LAWS, Table

__all__ = ["FAILING", "Outcome", "Report", "Verdict", "verdict_from"]

Outcome: TypeAlias = Literal[
    "passed",
    "broken",
    "out of time",
    "not judged",
    "not applicable",
    "expected failure",
    "unexpected pass",
]

#: The outcomes with which a check fails.
FAILING: Final = frozenset({"broken", "out of time", "not judged", "unexpected pass"})
_MARKS: Final[Mapping[str, str]] = {
    "passed": "ok",
    "broken": "BROKEN",
    "out of time": "OUT OF TIME",
    "not judged": "NOT JUDGED",
    "not applicable": "n/a",
    "expected failure": "expected",
    "unexpected pass": "UNEXPECTED PASS",
}


@frozen
class Verdict:
    """What was found about one law.

    Attributes:
        law: Its id.
        outcome: ``passed``; ``broken``; ``out of time``, where the policy did not come back;
            ``not judged``, where it failed before the law had anything to judge; ``not
            applicable``, where the law says nothing about it; ``expected failure``, where it is
            broken as was said before; ``unexpected pass``, where it was to be.
        why: One line: what was seen, or why not.
        program: Python that breaks the law when it is pasted and run.
        table: The commits it was seen with.
        examples: How many were tried.
        seconds: How long that took.
    """

    law: str
    outcome: Outcome
    why: str = ""
    program: str | None = None
    table: Table | None = None
    examples: int = 0
    seconds: float = 0.0

    @property
    def sentence(self) -> str:
        """What the law says."""
        return LAWS[self.law].sentence

    @property
    def ok(self) -> bool:
        """Whether it is no reason to fail."""
        return self.outcome not in FAILING


@frozen
class Report:
    """What was found about one policy, or one Backpack.

    Attributes:
        subject: What was checked.
        axis: Its axis, or ``container``.
        seed: What examples were drawn from.
        examples: How many were to be drawn for each law.
        verdicts: One for each law that was asked for, in the order of the list.
        replay: The command, or the call, that checks the same again.
        remarks: What else was noticed, a line each.
    """

    subject: str
    axis: str
    seed: int
    examples: int
    verdicts: tuple[Verdict, ...]
    replay: str
    remarks: tuple[str, ...] = ()

    @property
    def judged(self) -> int:
        """How many laws had something to judge."""
        unjudged = ("not applicable", "not judged")
        return sum(each.outcome not in unjudged for each in self.verdicts)

    @property
    def ok(self) -> bool:
        """Whether every law holds, as far as it was tried, and at least one was judged."""
        return self.judged > 0 and all(each.ok for each in self.verdicts)

    def __bool__(self) -> bool:
        return self.ok

    def __getitem__(self, law: str) -> Verdict:
        """Return the verdict about a law.

        Raises:
            KeyError: It was not asked for.
        """
        for each in self.verdicts:
            if each.law == law:
                return each
        raise KeyError(law)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> Iterator[str]:
        """Return the report as lines of text."""
        yield f"{self.subject} ({self.axis}), seed {self.seed}, {self.examples} examples"
        yield ""
        for each in self.verdicts:
            yield f"  {_MARKS[each.outcome]:<10} {each.law:<4} {each.sentence}"
            if each.why and each.ok:
                yield f"{'':<18}{each.why}"
        for each in self.verdicts:
            if not each.ok:
                yield ""
                yield from _told(each, self.replay)
        yield ""
        yield from (f"Note: {remark}" for remark in self.remarks)
        yield self.summary

    @property
    def summary(self) -> str:
        """The report in one line."""
        counts: dict[str, int] = {}
        for each in self.verdicts:
            counts[each.outcome] = counts.get(each.outcome, 0) + 1
        told = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
        if not self.judged:
            return f"Failed: no law had anything to judge ({told or 'none was asked for'})."
        return f"{'Holds' if self.ok else 'Failed'}: {told}."

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for JSON."""
        return {
            "subject": self.subject,
            "axis": self.axis,
            "ok": self.ok,
            "seed": self.seed,
            "examples": self.examples,
            "replay": self.replay,
            "remarks": list(self.remarks),
            "verdicts": [{**asdict(each), "sentence": each.sentence} for each in self.verdicts],
        }


def verdict_from(told: Mapping[str, Any]) -> Verdict:
    """Return a verdict from plain data, as :meth:`Report.as_dict` has it."""
    table = told.get("table")
    shown = table and Table(tuple(table["columns"]), tuple(map(tuple, table["rows"])))
    names = ("law", "outcome", "why", "program", "examples", "seconds")
    return Verdict(**{name: told[name] for name in names}, table=shown)


def _told(verdict: Verdict, replay: str) -> Iterator[str]:
    """Tell a verdict at length."""
    yield f"{verdict.law} {_MARKS[verdict.outcome]}: {verdict.sentence}"
    yield f"  {verdict.why}"
    if verdict.table is not None and verdict.table.rows:
        yield ""
        yield from (f"    {line}" for line in _aligned(verdict.table))
    if verdict.program:
        yield ""
        yield "  This program fails:"
        yield ""
        yield from (f"    {line}".rstrip() for line in verdict.program.splitlines())
    yield ""
    yield f"  Again: {replay.replace('LAWS', verdict.law)}"


def _aligned(table: Table) -> Iterator[str]:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(table.columns))]
    for row in rows:
        cells = (
            f"{cell:>{width}}" if cell[:1].isdigit() and "-" not in cell else f"{cell:<{width}}"
            for cell, width in zip(row, widths, strict=True)
        )
        yield "  ".join(cells).rstrip()
