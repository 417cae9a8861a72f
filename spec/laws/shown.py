"""What a view of one commit, or a diff of two, has to show: parts of S1, R2 and A1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backpack.errors import ValueUnavailable
from backpack.records import Unavailable
from backpack.spec.laws.law import LawBroken, require
from backpack.spec.sameness import same

if TYPE_CHECKING:
    from backpack.records import Diff
    from backpack.snapshot import Snapshot
    from backpack.spec.model import Model, Version

__all__ = ["check_diff", "check_left_out", "check_shown", "check_snapshot"]


def check_snapshot(snapshot: Snapshot, model: Model, law_id: str = "S1") -> None:
    """S1, for a view of one retained commit; A1, for one of an archived commit."""
    seq, shown = snapshot.commit.seq, snapshot.to_dict()
    check_shown(shown, seq, model, law_id)
    require(
        shown.keys() == set(snapshot),
        law_id,
        lambda: f"Commit {seq} shows keys {sorted(shown)}, and iterates over {[*snapshot]}.",
    )
    require(len(snapshot) == len(shown), law_id, f"len() of commit {seq} is {len(snapshot)}.")
    for key, version in model.state_at(seq).items():
        if not model.is_left_out(version):
            require(same(snapshot[key], shown[key]), law_id, "[] and to_dict() do not agree.")


def check_shown(shown: Mapping[str, object], seq: int, model: Model, law_id: str) -> None:
    """S1 and A1, for the state that is shown of one commit."""
    expected = model.state_at(seq)
    require(
        shown.keys() == expected.keys(),
        law_id,
        lambda: f"Commit {seq} shows keys {sorted(shown)}, the model has {sorted(expected)}.",
    )
    for key, version in expected.items():
        require(
            model.is_left_out(version) or same(shown[key], version.value),
            law_id,
            lambda: f"Commit {seq} shows {key}={shown[key]!r:.200}, not {version.value!r:.200}.",
        )


def check_diff(
    diff: Diff, before: dict[str, Version], after: dict[str, Version], law_id: str = "S1"
) -> None:
    """S1, for what changed between two commits; A1, where one of them is archived.

    Args:
        diff: What the Backpack says.
        before: The model's versions at the first commit.
        after: Its versions at the second.
        law_id: Which law says so.
    """
    both = before.keys() & after.keys()
    changed = {key for key in both if not same(before[key].value, after[key].value)}
    expected: dict[str, dict[str, tuple[Version, ...]]] = {
        "added": {key: (after[key],) for key in after.keys() - before.keys()},
        "removed": {key: (before[key],) for key in before.keys() - after.keys()},
        "changed": {key: (before[key], after[key]) for key in changed},
    }
    for part, versions in expected.items():
        told = getattr(diff, part)
        require(
            told.keys() == versions.keys(),
            law_id,
            f"A diff says {part} {sorted(told)}, the model {sorted(versions)}.",
        )
        for key, pair in versions.items():
            values = told[key] if part == "changed" else (told[key],)
            for value, version in zip(values, pair, strict=True):
                require(
                    same(value, version.value)
                    or (isinstance(value, Unavailable) and version.reference is not None),
                    law_id,
                    lambda: f"A diff says {part} {key}={value!r:.200}, not {version.value!r:.200}.",
                )


def check_left_out(snapshot: Snapshot, model: Model, law_id: str = "R2") -> None:
    """R2, for a view of one retained commit; A1, for one of an archived commit."""
    seq = snapshot.commit.seq
    for key, version in model.state_at(seq).items():
        reference = version.reference
        if reference is None:
            continue
        value = snapshot.unpack(key)
        if not model.is_left_out(version):
            require(
                same(value, version.value),
                law_id,
                lambda: f"Commit {seq} shows {key}={value!r:.200}, though it is current.",
            )
            continue
        told = (
            (value.key, value.size, value.digest, value.reason, value.preview)
            if isinstance(value, Unavailable) and f"{reference.size:,}" in value.hint
            else value
        )
        expected = (key, reference.size, reference.digest, reference.reason, reference.preview)
        require(
            told == expected,
            law_id,
            lambda: f"Commit {seq} shows {key}={value!r:.200} for a value left out: {reference}.",
        )
        require(key in snapshot, law_id, f"{key!r} was left out, and is not in the snapshot.")
        try:
            read = snapshot[key]
        except ValueUnavailable as error:
            require(error.unavailable == value, law_id, f"[] says {error.unavailable}.")
        else:
            raise LawBroken(law_id, f"snapshot[{key!r}] gave {read!r:.200} for a value left out.")
