"""The state machine, on every preset and on small budgets that prune all the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import settings

from backpack import Backpack, PruneRequest
from backpack.config import preset_names
from backpack.policies import (
    Compressed,
    DeepSize,
    Delta,
    Full,
    KeepAll,
    KeepTagged,
    LeastAccessed,
    Oldest,
    Preview,
    Spill,
    Stub,
    Thinning,
)
from backpack.spec.machine import BackpackMachine, machine_for
from backpack.spec.standard import standard_backpack

LIMIT = 1024


def one_at_a_time(request: PruneRequest) -> Iterable[str]:
    """Prune a commit from the middle, one a call."""
    candidates = list(request.candidates)
    return [candidates[len(candidates) // 2].id]


def everything(request: PruneRequest) -> Iterable[str]:
    """Prune all that may go."""
    return (candidate.id for candidate in request.candidates)


def every_other(request: PruneRequest) -> Iterable[str]:
    """Prune every other commit, from the newest on."""
    return [candidate.id for candidate in request.candidates][::-2]


PRUNING = {
    "oldest": Oldest(),
    "oldest, all at once": Oldest(fraction=1.0),
    "least-accessed": LeastAccessed(half_life=10),
    "none": KeepAll(),
    "thinning": Thinning(),
    "keep-tagged": KeepTagged(inner=Oldest(fraction=0.5)),
    "one at a time, from the middle": one_at_a_time,
    "everything": everything,
    "every other": every_other,
}


def makers() -> dict[str, Callable[[], Backpack]]:
    """Return ``{name: how to make a Backpack}``."""
    made: dict[str, Callable[[], Backpack]] = {}
    for preset in preset_names():
        made[f"preset {preset}"] = lambda preset=preset: Backpack.from_preset(preset)  # type: ignore[misc]
        made[f"preset {preset}, small"] = lambda preset=preset: Backpack.from_preset(  # type: ignore[misc]
            preset, max_history_size=12 * 1024, reference={"max_value_size": LIMIT}
        )
    for name, pruning in PRUNING.items():
        made[f"{name}, 8 KiB"] = lambda pruning=pruning: Backpack(  # type: ignore[misc]
            max_history_size=8 * 1024, reference=Stub(LIMIT), pruning=pruning
        )
    made["the least budget"] = lambda: Backpack(max_history_size=4096, reference=Stub(LIMIT))
    made["compressed, previews"] = lambda: Backpack(
        max_history_size=8 * 1024,
        reference=Preview(LIMIT, characters=20),
        storage=Compressed(),
        pruning=every_other,
    )
    for name in ("oldest", "one at a time, from the middle", "every other", "none"):
        made[f"deltas, {name}"] = lambda pruning=PRUNING[name]: Backpack(  # type: ignore[misc]
            max_history_size=12 * 1024,
            reference=Stub(LIMIT),
            storage=Delta(span=3, least=1),
            pruning=pruning,
        )
    made["deltas, with room"] = lambda: Backpack(
        reference=Stub(LIMIT), storage=Delta(span=5, least=1), pruning=every_other
    )
    made["deep sizes"] = lambda: Backpack(
        max_history_size=16 * 1024, reference=Stub(LIMIT), sizing=DeepSize()
    )
    return made


MAKERS = makers()


def archived_makers() -> dict[str, Callable[[], Backpack]]:
    """Return ``{name: how to make a Backpack}`` of those that are tried with an archive."""
    made: dict[str, Callable[[], Backpack]] = {
        name: lambda pruning=pruning: standard_backpack(pruning=pruning)  # type: ignore[misc]
        for name, pruning in PRUNING.items()
    }
    made["any"] = standard_backpack
    made["any, spilled"] = lambda: standard_backpack(reference=Spill(LIMIT))
    made["any, full"] = lambda: standard_backpack(storage=Full())
    made["any, compressed"] = lambda: standard_backpack(storage=Compressed())
    return made


ARCHIVED_MAKERS = archived_makers()


@pytest.mark.no_cover
@pytest.mark.parametrize("name", MAKERS)
def test_every_law_holds(name: str) -> None:
    """Random programs break no law."""
    machine = machine_for(MAKERS[name], name=name.title().replace(" ", ""), limit=LIMIT)
    run(machine)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ARCHIVED_MAKERS)
def test_every_law_holds_with_an_archive(name: str) -> None:
    """Whatever policy gives commits up, in both modes, through restarts and crashes."""
    machine = machine_for(ARCHIVED_MAKERS[name], name="Archived", limit=LIMIT, archived=True)
    run(machine, 1)


def run(machine: type[BackpackMachine], fewer: int = 5) -> None:
    """Run a machine under the profile in force; the default one takes fewer examples."""
    profile = settings()
    examples = fewer if profile.derandomize else profile.max_examples
    machine.TestCase.settings = settings(profile, max_examples=examples)
    machine.TestCase("runTest").runTest()
