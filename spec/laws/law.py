"""What a law is, how one is found broken, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = [
    "ARCHIVE",
    "AXES",
    "CONTAINER",
    "LAWS",
    "Law",
    "LawBroken",
    "NotApplicable",
    "Table",
    "law",
    "laws_of",
    "require",
]

#: What container laws are about: a whole Backpack, whatever its policies.
CONTAINER: Final = "container"
#: What those of them are about that say nothing of a Backpack without an archive.
ARCHIVE: Final = "archive"
#: What policy laws are about.
AXES: Final = ("sizing", "reference", "storage", "pruning")


@frozen
class Law:
    """One law.

    Attributes:
        id: Its name, which never changes: ``B1``, ``PR2``.
        sentence: What it says.
        axes: Whom it binds: axes of policies, or the container, perhaps with an archive only.
        check: What finds out. For policies it takes a function that makes one, and a case where
            the law has cases. For containers it takes a Backpack and the model of what was done
            to it; None where the law can only be seen while something is done, which the state
            machine does.
        cases: From an axis to a strategy for cases; None where there is but one.
    """

    id: str
    sentence: str
    axes: tuple[str, ...]
    check: Callable[..., None] | None
    cases: Callable[[str], SearchStrategy[Any]] | None = None

    def __call__(self, *evidence: Any) -> None:
        """Check it.

        Raises:
            LawBroken: It does not hold.
            NotApplicable: It says nothing about what it was shown.
        """
        if self.check is None:
            raise TypeError(f"{self.id} is checked by the state machine, while something is done")
        self.check(*evidence)


#: ``{id: Law}``, in the order in which they are told.
LAWS: Final[dict[str, Law]] = {}


@frozen
class Table:
    """What a broken law was seen in, as rows of text.

    Attributes:
        columns: What stands at the head of each column.
        rows: The rows, each as long as the head.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class LawBroken(AssertionError):
    """A law does not hold.

    Args:
        law: Its id.
        why: What was seen.
        table: What it was seen in.

    Attributes:
        law: Its id.
        why: What was seen.
        table: What it was seen in, if that is a table.
        case: What it was seen with: the case of a policy law, or the program of the machine.
    """

    def __init__(self, law: str, why: str, table: Table | None = None) -> None:
        super().__init__(f"{law} is broken: {LAWS[law].sentence} {why}")
        self.law = law
        self.why = why
        self.table = table
        self.case: Any = None


class NotApplicable(Exception):
    """A law says nothing about this policy.

    Args:
        why: Why not.
    """


def law(
    law_id: str, *axes: str, cases: Callable[[str], SearchStrategy[Any]] | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Enter a function into the list as what checks a law; its docstring's first line is the law.

    Args:
        law_id: The law's id.
        *axes: Whom it binds.
        cases: From an axis to a strategy for what the function takes besides the policy.
    """

    def enter(check: Callable[..., None]) -> Callable[..., None]:
        sentence = (check.__doc__ or "").split("\n\n")[0]
        proclaim(law_id, " ".join(sentence.split()), *axes, check=check, cases=cases)
        return check

    return enter


def proclaim(
    law_id: str,
    sentence: str,
    *axes: str,
    check: Callable[..., None] | None = None,
    cases: Callable[[str], SearchStrategy[Any]] | None = None,
) -> None:
    """Enter a law into the list."""
    LAWS[law_id] = Law(law_id, sentence, axes, check, cases)


def laws_of(axis: str) -> tuple[str, ...]:
    """Return the ids of the laws that bind an axis, or the container.

    >>> from backpack.spec import laws_of
    >>> laws_of("sizing")
    ('PO1', 'PO2', 'PO3', 'PO4', 'PO5', 'SI1', 'SI2')
    """
    return tuple(each.id for each in LAWS.values() if axis in each.axes)


def require(condition: object, law: str, why: str | Callable[[], str]) -> None:
    """Raise unless a condition holds; ``python -O`` changes nothing about it.

    Args:
        condition: What must be true.
        law: The id of the law that says so.
        why: What was seen instead.

    Raises:
        LawBroken: The condition is false.
    """
    if not condition:
        raise LawBroken(law, why if isinstance(why, str) else why())
