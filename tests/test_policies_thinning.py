"""Thinned history is dense near the head, sparse far from it, and nowhere sparser than said."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pruning_requests import commit, request, requests, retained

from backpack.policies import KeepTagged, Thinning
from backpack.protocols import PruningPolicy
from backpack.records import PruneRequest, RetainedCommit


def run(policy: PruningPolicy, commits: int, room: int, tagged: int = 0) -> tuple[list[int], float]:
    """Make commits, prune whenever there is no room, and return what is left.

    Returns:
        The numbers retained, oldest first, and the lowest score that ever went: age over the
        largest power of two that divides the number.
    """
    kept: list[RetainedCommit] = []
    lowest = math.inf
    for seq in range(1, commits + 1):
        if len(kept) >= room:
            gone = set(policy(PruneRequest(1, 100, 101, commit(seq), kept)))
            for candidate in kept:
                if candidate.id in gone:
                    number = candidate.commit.seq
                    lowest = min(lowest, (seq - number) / (number & -number))
            kept = [candidate for candidate in kept if candidate.id not in gone]
        kept.append(retained(seq, *(("milestone",) if tagged and seq % tagged == 0 else ())))
    return [candidate.commit.seq for candidate in kept], lowest


@given(
    fraction=st.sampled_from([0.05, 0.2, 0.5, 0.9]),
    commits=st.integers(1, 1500),
    room=st.integers(1, 150),
)
def test_gaps_grow_with_age_at_most(fraction: float, commits: int, room: int) -> None:
    """With c the lowest score that went, a gap is at most 2 a / c + 1 for an older end at a."""
    kept, lowest = run(Thinning(fraction), commits, room)
    for older, newer in pairwise([0, *kept]):
        assert newer - older <= 2 * (commits - older) / lowest + 1


@given(
    fraction=st.sampled_from([0.05, 0.2, 0.5]),
    commits=st.integers(1, 1500),
    room=st.integers(20, 150),
)
def test_recent_commits_are_all_there(fraction: float, commits: int, room: int) -> None:
    """The last c commits are retained, c being the lowest score that ever went."""
    kept, lowest = run(Thinning(fraction), commits, room)
    recent = range(max(commits - math.ceil(lowest) + 1, 1) if lowest < commits else 1, commits + 1)
    assert set(recent) <= set(kept)


@given(fraction=st.sampled_from([0.1, 0.5, 0.9]), question=requests(min_size=2))
def test_the_commit_before_the_head_goes_last(fraction: float, question: PruneRequest) -> None:
    """While anything else remains, the commit right before the head stays."""
    newest = list(question.candidates)[-1]
    gone = Thinning(fraction)(request(question.candidates, newest.commit.seq + 1))
    assert newest.id not in gone or len(question.candidates) == len(gone)


@given(question=requests(min_size=1))
def test_the_worst_goes_first(question: PruneRequest) -> None:
    """What a larger fraction prunes includes what a smaller one prunes, in the same order."""
    few, many = Thinning(0.1)(question), Thinning(0.7)(question)
    assert few == many[: len(few)]


@pytest.mark.parametrize(
    ("commits", "room", "dense", "relative_gap"),
    [(1000, 20, 5, 0.6), (10_000, 50, 15, 0.3), (10_000, 200, 60, 0.07), (5000, 500, 200, 0.02)],
)
def test_room_is_used_well(commits: int, room: int, dense: int, relative_gap: float) -> None:
    """So many commits in so little room: so many recent ones, and gaps of so much of their age."""
    kept, _ = run(Thinning(), commits, room)
    assert set(range(commits - dense, commits + 1)) <= set(kept)
    gaps = pairwise(kept)
    assert max((b - a) / (commits - a) for a, b in gaps if b - a > 1) <= relative_gap
    assert kept[0] == 1


@pytest.mark.parametrize("room", [1, 2, 3, 5])
def test_hardly_any_room_keeps_the_newest(room: int) -> None:
    """With room for next to nothing the newest stay, and no call is without effect."""
    kept, _ = run(Thinning(), 300, room)
    assert kept[-min(room, 2) :] == list(range(301 - min(room, 2), 301))
    assert len(kept) <= room


def test_octaves_are_filled_alike() -> None:
    """About as many commits stay between 1,000 and 2,000 back as between 2,000 and 4,000 back."""
    kept, _ = run(Thinning(0.05), 8000, 400)
    octaves = [sum(1 for seq in kept if 2**n <= 8000 - seq < 2 ** (n + 1)) for n in range(8, 12)]
    assert max(octaves) <= 2.1 * min(octaves)


def test_holes_are_no_trouble() -> None:
    """Where commits are missing, the first one after the hole stands for its cell."""
    candidates = [retained(seq) for seq in (3, 4, 17, 18, 19, 21)]
    gone = Thinning(0.5)(request(candidates, head=100))
    assert sorted(gone) == ["18-k3fq7x", "19-k3fq7x", "4-k3fq7x"]


def test_equal_scores_go_oldest_first() -> None:
    """Of commits that stand for equally much given their age, the older goes."""
    candidates = [retained(1), retained(2), retained(6)]
    assert Thinning(1)(request(candidates, head=10)) == ["2-k3fq7x", "1-k3fq7x", "6-k3fq7x"]
    candidates = [retained(1), retained(8), retained(9)]
    assert Thinning(1)(request(candidates, head=10)) == ["1-k3fq7x", "8-k3fq7x", "9-k3fq7x"]


def test_scores_are_age_over_cell() -> None:
    """The scores 1, 1.25, 1.5 and 2 of four commits order them."""
    candidates = [retained(1), retained(4), retained(6), retained(7)]
    gone = Thinning(1)(request(candidates, head=9))
    assert gone == ["7-k3fq7x", "6-k3fq7x", "4-k3fq7x", "1-k3fq7x"]


def test_tagged_commits_can_be_kept_beside() -> None:
    """Wrapped in KeepTagged, the milestones stay and the rest is thinned."""
    kept, _ = run(KeepTagged(Thinning()), 2000, 100, tagged=100)
    assert set(range(100, 2000, 100)) <= set(kept)
    others = [seq for seq in kept if seq % 100]
    assert others[0] == 1
    assert len([seq for seq in others if seq < 1000]) < len([seq for seq in others if seq >= 1000])
