"""The kill matrix: computed here, kept in ``docs/kill-matrix.md``.

``python tests/mutants/matrix.py`` computes it anew, which takes an hour on two cores; with
``--missing``, only the lines that are not there yet.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from attrs import frozen

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent.parent))

from backpack.spec.laws import CONTAINER, LAWS
from mutants.containers_archived import ODD_ARCHIVES
from mutants.killing import MUTANTS, is_killed
from mutants.policies import ODD

__all__ = ["DOCUMENT", "SEEDS", "Row", "computed", "document", "kept"]

SEEDS: Final = 20
DOCUMENT: Final = Path(__file__).parent.parent.parent / "docs" / "kill-matrix.md"

_HEAD: Final = """\
# The kill matrix

What a suite is worth shows in what it catches. Here is everything that was broken on purpose to
find out: {containers} ways to break the container and {policies} to break a policy, each with the
law that must see it. *Killed* says in how many of {seeds} runs, each from another seed and at the
default number of examples, that law was broken. Other versions of Hypothesis (here {version}) draw
other examples.

Every law kills something; {odd} policies and {odd_archives} archives that are odd and correct pass.
`tox -e kills` tries all of this again; the default test run tries one seed for each, and for one
in three of those that only an archive shows.

"""


@frozen
class Row:
    """One line of the matrix.

    Attributes:
        name: What is broken.
        law: The law that must kill it.
        killed: In how many runs it did.
    """

    name: str
    law: str
    killed: int

    def __str__(self) -> str:
        return f"| {self.law} | {self.name} | {self.killed} of {SEEDS} |"


def computed(name: str) -> Row:
    """Compute the line of a mutant."""
    mutant = MUTANTS[name]
    return Row(name, mutant.law, sum(is_killed(mutant, seed) for seed in range(SEEDS)))


def document(rows: Iterable[Row], version: str) -> str:
    """Return the document."""
    by_name = {row.name: row for row in rows}
    containers = [name for name, mutant in MUTANTS.items() if mutant.axis == CONTAINER]
    parts = [
        _HEAD.format(
            containers=len(containers),
            policies=len(MUTANTS) - len(containers),
            seeds=SEEDS,
            version=version,
            odd=len(ODD),
            odd_archives=len(ODD_ARCHIVES),
        )
    ]
    order = list(LAWS)
    for title, axes in (
        ("The container", (CONTAINER,)),
        ("Pruning policies", ("pruning",)),
        ("Sizing policies", ("sizing",)),
        ("Reference policies", ("reference",)),
        ("Storage policies", ("storage",)),
    ):
        names = [name for name, mutant in MUTANTS.items() if mutant.axis in axes]
        names.sort(key=lambda name: order.index(MUTANTS[name].law))
        lines = [str(by_name[name]).replace(f"{axes[0]}: ", "") for name in names]
        head = ["| law | broken on purpose | killed |", "| --- | --- | --- |"]
        parts.append("\n".join([f"## {title}", "", *head, *lines, "", ""]))
    return "".join(parts).rstrip() + "\n"


def kept() -> dict[str, Row]:
    """Read the matrix from the document."""
    rows: dict[str, Row] = {}
    axis = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            axis = line.split()[1].lower()
        match = re.fullmatch(r"\| (\w+) \| (.*) \| (\d+) of \d+ \|", line)
        if match:
            name = match[2] if axis == "the" else f"{axis}: {match[2]}"
            rows[name] = Row(name, match[1], int(match[3]))
    return rows


def main() -> None:
    """Compute the matrix and write the document."""
    import hypothesis

    there = kept() if "--missing" in sys.argv[1:] else {}
    rows = [row for name, row in there.items() if name in MUTANTS]
    with ProcessPoolExecutor() as pool:
        for row in pool.map(computed, [name for name in MUTANTS if name not in there]):
            print(row, flush=True)
            rows.append(row)
    DOCUMENT.write_text(document(rows, hypothesis.__version__), encoding="utf-8")


if __name__ == "__main__":
    main()
