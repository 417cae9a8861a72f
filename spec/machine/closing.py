"""What every program ends with: one of each thing that random programs come to seldom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final, TypeAlias, TypeVar

from backpack.spec.hostile import MISDEEDS, TRESPASSES
from backpack.spec.machine.base import KEYS, TAGS
from backpack.spec.values import LOOK_ALIKES

__all__ = ["Step", "closing", "closing_archive"]

#: The name of a rule, and what it is called with.
Step: TypeAlias = tuple[str, dict[str, Any]]
Item = TypeVar("Item")

_TRESPASSES: Final = sorted(TRESPASSES)
_OTHERS: Final = [
    (axis, misdeed) for axis in ("sizing", "reference", "storage") for misdeed in MISDEEDS[axis]
]
#: Misdeeds of the pruning policy at a time, each of which takes a full history.
_MISDEEDS: Final = 5
#: How often room is made for a little, so that choices of all kinds are made.
_ROUNDS: Final = 6


def closing(turn: int) -> Iterator[Step]:
    """Return the last steps of a program.

    A bug shows where a certain thing is done to a certain history. Random programs make the
    histories; of the things to do, most programs leave most out. So all are done once at the end
    of each, to changing keys and commits.

    Args:
        turn: A number that is another one in most programs; which keys, commits and misdeeds it
            is to be this time.
    """
    keys = tuple(_from(KEYS, turn)[:3])
    yield from _looks(turn, *keys)
    yield from _changes(turn, *keys)
    yield from _misdeeds(turn, *keys)
    yield from _crowding(turn)
    yield from _forgetting(turn, *keys)
    yield "interrupt_packs", {"key": keys[1], "first": 1 + turn % 2}
    yield "look_again", {}


def closing_archive(turn: int) -> Iterator[Step]:
    """Return the last steps of a program on a Backpack with an archive.

    What it is there for is done to commits of all ages, most of which are archived by then; in
    between it is closed, saved and killed.

    Args:
        turn: As for :func:`closing`.
    """
    first, second, third = _from(KEYS, turn)[:3]
    yield "flicker", {"key": first, "pattern": [0, None, 1, 1, None, 0, 1]}
    for text in _grown(turn):
        yield "pack", {"program": [(second, text)], "by": None, "note": None}
    yield "pack_near_twins", {"key": third, "order": [0, 1, 2]}
    for beyond in (1, 200, 1000):
        yield "tag_tightly", {"at": 2 * (turn % 3), "beyond": beyond}
    yield from _looks_at_archive(turn, first, second, third)
    yield from _erased_there(turn, third)
    yield "save_and_restore", {"archived": turn % 3 > 0}
    # What is current where the log ends is superseded, and then something else is written.
    yield "leave_out", {"key": second, "beyond": 20, "kind": 0, "then": ["large"]}
    yield "restart", {}
    yield "pack", {"program": [(second, turn)], "by": None, "note": None}
    yield "tag", {"at": -2, "tags": {"decided"}, "on": True, "pinned": False}
    yield "crash", {}
    yield from _looks_at_archive(turn + 1, first, second, third)
    ends: list[Step] = [
        ("crash", {}),
        ("crash", {}),
        (
            "crash_while_packing",
            {"key": first, "value": turn, "tight": True, "line": 1 + turn % 20},
        ),
        ("crash_while_closing", {"line": 1 + turn % 20}),
    ]
    for at, end in enumerate(ends):
        # Wherever the log ends in this, a value that history leaves out is current there, or was.
        then = ["small", "large"] * 3
        key = (first, second, third, first)[at]
        yield "leave_out", {"key": key, "beyond": 20, "kind": 4 * (at % 2), "then": then}
        yield "tag_tightly", {"at": 2 * at, "beyond": 1}
        yield end
    yield "look_again", {}


def _looks_at_archive(turn: int, key: str, other: str, third: str) -> Iterator[Step]:
    """Look back in every way, at commits from the oldest on."""
    old, older, near = 2 * (turn % 11) + 5, 2 * (turn % 5) + 1, 2 * (turn % 4)
    yield "look_back", {"at": older}
    yield "tag", {"at": older, "tags": {"a", "draft"}, "on": True, "pinned": False}
    yield "tag", {"at": older, "tags": {"draft"}, "on": False, "pinned": False}
    yield "diff", {"pairs": [(old, near), (older, old), (-1, older)]}
    yield "rollback", {"at": old, "names": {key, third}}
    for further in range(0, 14, 2):
        yield "rollback", {"at": older + further, "names": None}
    yield "fork", {"at": old, "names": {other}, "move": False}
    yield "pin", {"at": near, "on": True}


def _erased_there(turn: int, key: str) -> Iterator[Step]:
    """Have commits erased that are archived, next to each other and apart, and retained ones."""
    first = 2 * (turn % 9) + 1
    yield "erase", {"at": [first, first + 2, first + 10]}
    yield "erase", {"at": [first + 4, 2 * (turn % 2 + 1)]}
    yield "crash_while_erasing", {"at": [first + 6], "key": None, "line": 1 + turn % 20}
    yield "crash_while_erasing", {"at": [0, first + 8], "key": key, "line": 1 + turn % 20}
    yield "resize", {"percent": 70}


def _grown(turn: int) -> Iterator[str]:
    """Return texts of which each has something more in the middle: what leans on what tells."""
    letters = Random(turn)  # noqa: S311
    text = "".join(letters.choices("abcdefghijklmnop", k=300))
    for number in range(5):
        place = 50 + 37 * number
        text = f"{text[:place]}{number}{text[:5]}{text[place:]}"
        yield text


def _from(items: Sequence[Item], turn: int) -> list[Item]:
    """Return all items, beginning with another one each turn."""
    start = turn % len(items)
    return [*items[start:], *items[:start]]


def _looks(turn: int, key: str, other: str, third: str) -> Iterator[Step]:
    """Look back in every way, at commits that are still there."""
    near, far = 2 * (turn % 5 + 1), 2 * (turn % 3 + 2)
    yield "leave_out", {"key": other, "beyond": 20, "kind": 4 * (turn % 2), "then": ["small"]}
    yield "look_back", {"at": 2}
    yield "rollback", {"at": near, "names": {key, third}}
    yield "rollback", {"at": far, "names": {f"{key}?"}}
    yield "rollback", {"at": far, "names": None}
    yield "fork", {"at": near, "names": None, "move": False}
    yield "fork", {"at": far, "names": {key}, "move": False}
    yield "diff", {"pairs": [(near, far), (far, -1), (-1, near)]}
    yield "look_back", {"at": near}
    yield "iterate_and_change", {"at": near}
    yield "look_and_be_counted", {"at": far, "looks": ["open", "read", "diff", "list"]}


def _changes(turn: int, key: str, other: str, third: str) -> Iterator[Step]:
    """Change what is there in every way, and in vain."""
    everything = {"program": [(each, [each]) for each in KEYS], "by": None, "note": None}
    yield (
        "transaction",
        {"changes": {key: [turn], other: {"a": []}}, "removals": {third}, "fails": turn % 4 == 0},
    )
    order = _from(range(len(LOOK_ALIKES)), turn)
    yield "pack_look_alikes", {"key": third, "order": order, "number": 6}
    yield "pack_near_twins", {"key": other, "order": [0, 1, 0, 2, 1]}
    yield "pack", everything
    yield "edit_in_vain", {"ways": ["nothing", "fail", "meddle", "remove"], "at": turn % 3}
    for again in (False, True):
        yield "pack", everything
        ways = ["nothing", "read", "miss", "meddle", "remove"]
        yield "transaction_in_vain", {"ways": ways, "at": turn % 3, "again": again}
    operations = [("set", f"{other}!", None), ("clear", key, None), ("setdefault", third, [turn])]
    first = ("set", "del", "pop", "get")[turn % 4]
    yield "transact_as_with_a_dict", {"operations": operations, "first": first}
    yield "use_as_a_dict", {"name": third, "operations": [("clear", key, None)]}
    yield "ask_for_what_is_not_there", {"missing": other.upper()}
    yield "answer_an_event", {"key": key, "value": turn}
    yield "flicker", {"key": key, "pattern": [0, None, 1, None, 0, 1]}


def _misdeeds(turn: int, key: str, other: str, third: str) -> Iterator[Step]:
    """Let policies break their contracts."""
    trespasses = _from(_TRESPASSES, turn)
    yield "pin_and_tag", {"at": 2 * (turn % 5 + 1), "tags": {*TAGS, "a"}}
    yield "pin", {"at": turn, "on": False}
    yield (
        "sabotage",
        {"ways": _from(_OTHERS, turn), "trespass": trespasses[0], "beside": 0, "key": third},
    )
    yield (
        "sabotage_pruning",
        {
            "misdeeds": _from(MISDEEDS["pruning"], turn)[::3][:_MISDEEDS],
            "trespass": trespasses[-1],
            "tagging": turn % 3 == 0,
            "key": key,
        },
    )
    yield "pack_under_watch", {"key": other, "value": turn, "note": 300, "letter": "n"}


def _forgetting(turn: int, key: str, other: str, third: str) -> Iterator[Step]:
    """Have commits erased, old ones and new ones, and the budget changed."""
    near, far = 2 * (turn % 4 + 1), 2 * (turn % 7 + 2)
    yield "erase", {"at": [near]}
    yield "erase", {"at": [far, far + 2, far + 6]}
    yield "erase", {"at": [0, near]}
    yield "resize", {"percent": 200}
    yield "pack", {"program": [(key, turn), (other, [turn]), (key, -turn)], "by": None, "note": "n"}
    yield "replace", {"at": [2, 4], "key": third, "value": turn}
    yield "replace", {"at": [0], "key": key, "value": [turn]}
    yield (
        "sabotage_resizing",
        {
            "misdeed": _from(MISDEEDS["pruning"], turn)[0],
            "trespass": _from(_TRESPASSES, turn)[0],
            "key": other,
        },
    )
    yield "resize", {"percent": 50}
    yield "look_back", {"at": near}
    yield "resize", {"percent": 100}


def _crowding(turn: int) -> Iterator[Step]:
    """Fill the budget, and make room for a little, for much, and for more than there can be."""
    at = 2 * (turn % 3 + 2)
    for beside in (-1, 0, 1):
        yield "fill_to_the_brim", {"beside": beside}
    for beyond in (*[1] * _ROUNDS, 1000):
        yield "tag_tightly", {"at": at, "beyond": beyond}
    yield "tag_tightly", {"at": 2, "beyond": 100_000}
