"""The pruning policies choose what they say, of what they are offered, reading little of it."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterable
from itertools import pairwise

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from pruning_requests import CountingCandidates, commit, fractions, request, requests, retained

from backpack.errors import ConfigError
from backpack.policies import KeepAll, KeepTagged, LeastAccessed, Oldest, Thinning
from backpack.policies.arguments import batch
from backpack.protocols import PruningPolicy
from backpack.records import PruneRequest, RetainedCommit

TAGS = ("draft", "milestone", "release")

policies = st.one_of(
    fractions.map(Oldest),
    st.builds(LeastAccessed, fractions, st.floats(1e-3, 1e9) | st.just(math.inf)),
    fractions.map(Thinning),
    st.builds(
        KeepTagged,
        st.one_of(fractions.map(Oldest), fractions.map(LeastAccessed), fractions.map(Thinning)),
        st.none() | st.lists(st.sampled_from(TAGS), min_size=1),
    ),
)


def newest(question: PruneRequest) -> list[str]:
    """A policy that is a function: the newest candidate goes."""
    return [max(question.candidates, key=lambda candidate: candidate.commit.seq).id]


def offered(question: PruneRequest) -> list[str]:
    """Ids of all candidates."""
    return [candidate.id for candidate in question.candidates]


# --- all of them -------------------------------------------------------------------------------


@given(policy=policies, question=requests(tags=TAGS))
def test_choices_are_of_what_was_offered(policy: PruningPolicy, question: PruneRequest) -> None:
    """Every id chosen was offered, none twice, and one at least goes if any can."""
    chosen = list(policy(question))
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(offered(question))
    assert bool(chosen) == bool(question.candidates)


@given(policy=policies, question=requests(tags=TAGS))
def test_choices_are_repeatable(policy: PruningPolicy, question: PruneRequest) -> None:
    """The same question has the same answer, also from a copy, and is left as it was."""
    before = copy.deepcopy(question)
    chosen = list(policy(question))
    twin = pickle.loads(pickle.dumps(policy))
    assert (policy, hash(policy)) == (twin, hash(twin))
    assert chosen == list(policy(question)) == list(twin(copy.deepcopy(question)))
    assert before == question


@given(policy=policies, question=requests(min_size=1, tags=TAGS))
def test_asking_again_goes_on_to_the_end(policy: PruningPolicy, question: PruneRequest) -> None:
    """Asked again with what remains, any policy but KeepAll gives up everything in the end."""
    remaining = list(question.candidates)
    for _ in range(len(remaining)):
        gone = set(policy(request(remaining, question.head.seq)))
        remaining = [candidate for candidate in remaining if candidate.id not in gone]
        if not remaining:
            break
    assert remaining == []


@pytest.mark.parametrize(
    ("policy", "passes"),
    [
        (Oldest(), 0.2),
        (LeastAccessed(), 1),
        (Thinning(), 1),
        (KeepTagged(), 1.2),
        (KeepTagged(Thinning(), tags=["milestone"]), 3),
        (KeepAll(), 0),
    ],
    ids=repr,
)
def test_reading_grows_with_the_candidates_at_most(policy: PruningPolicy, passes: float) -> None:
    """A call reads so many records a candidate and no more, of few as of many."""
    for count in (250, 1000):
        candidates = CountingCandidates([retained(seq, accesses=1) for seq in range(1, count + 1)])
        list(policy(request(candidates, head=count + 1)))
        assert candidates.reads <= passes * count + 1


@pytest.mark.parametrize(
    "policy", [Oldest(), LeastAccessed(), Thinning(), KeepAll(), KeepTagged()], ids=repr
)
def test_contracts_are_met(policy: object) -> None:
    """Each is a pruning policy, and has nothing to say where nothing is offered."""
    assert isinstance(policy, PruningPolicy)
    assert list(policy(request([], head=1))) == []


# --- Oldest ------------------------------------------------------------------------------------


@given(fraction=fractions, question=requests())
def test_oldest_chooses_the_first(fraction: float, question: PruneRequest) -> None:
    """The oldest go, a fraction of them, oldest first, and only their records are read."""
    candidates = CountingCandidates(list(question.candidates))
    count = batch(fraction, len(candidates))
    chosen = Oldest(fraction)(request(candidates, question.head.seq))
    assert offered(question)[:count] == chosen
    assert count == candidates.reads


# --- LeastAccessed -----------------------------------------------------------------------------


@given(fraction=fractions, half_life=st.floats(1, 1000), question=requests())
def test_least_accessed_chooses_the_lowest_scores(
    fraction: float, half_life: float, question: PruneRequest
) -> None:
    """Nothing that stays has a lower score than what goes; of equal scores the older goes."""

    def rank(candidate: RetainedCommit) -> tuple[float, int]:
        age = question.head.seq - candidate.last_access
        return candidate.accesses * 2 ** (-age / half_life), candidate.commit.seq

    chosen = LeastAccessed(fraction, half_life)(question)
    ranked = sorted(question.candidates, key=rank)
    scores = [rank(candidate)[0] for candidate in ranked]
    # Scores that floats cannot tell apart may come in either order.
    close = [low for low, high in pairwise(scores) if 0 < low != high < low * 1.0001]
    assume(not close)
    assert [candidate.id for candidate in ranked][: len(chosen)] == chosen
    assert batch(fraction, len(ranked)) == len(chosen)


@given(question=requests())
def test_unread_history_goes_oldest_first(question: PruneRequest) -> None:
    """Where nothing was ever looked at, it is Oldest, and reads no more."""
    candidates = CountingCandidates(
        [retained(candidate.commit.seq) for candidate in question.candidates]
    )
    plain = request(candidates, question.head.seq)
    chosen = LeastAccessed()(plain)
    assert len(chosen) == candidates.reads
    assert Oldest()(plain) == chosen


def test_old_fame_fades() -> None:
    """An access counts half after every half-life: ten old ones go before one recent one."""
    famous = retained(1, accesses=10, last_access=10)
    recent = retained(2, accesses=1, last_access=4000)
    ids = [famous.id, recent.id]
    assert ids[:1] == LeastAccessed(0.5, half_life=1000)(request([famous, recent], head=4000))
    assert ids[1:] == LeastAccessed(0.5, half_life=2000)(request([famous, recent], head=4000))
    assert ids[1:] == LeastAccessed(0.5, half_life=math.inf)(request([famous, recent], head=4000))


def test_very_old_accesses_still_count() -> None:
    """However long ago, more accesses are more, and any are more than none."""
    few = retained(1, accesses=2, last_access=1)
    many = retained(2, accesses=3, last_access=1)
    none = retained(3)
    question = request([few, many, none], head=10**7)
    assert [none.id, few.id] == LeastAccessed(0.5, half_life=1)(question)


# --- KeepAll -----------------------------------------------------------------------------------


@given(question=requests())
def test_keep_all_keeps_all(question: PruneRequest) -> None:
    """Nothing goes, whatever is offered."""
    assert KeepAll()(question) == ()


# --- KeepTagged --------------------------------------------------------------------------------


@given(
    inner=st.sampled_from([Oldest(), Oldest(1), LeastAccessed(0.5), Thinning(), newest]),
    tags=st.none() | st.sets(st.sampled_from(TAGS), min_size=1),
    question=requests(min_size=1, tags=TAGS),
)
def test_tagged_commits_stay_while_there_are_others(
    inner: PruningPolicy, tags: set[str] | None, question: PruneRequest
) -> None:
    """The inner policy sees the others; it sees the tagged ones once there are no others."""

    def is_spared(candidate: RetainedCommit) -> bool:
        found = set(candidate.commit.tags)
        return bool(found if tags is None else found & tags)

    others = [candidate for candidate in question.candidates if not is_spared(candidate)]
    event("some others" if others else "all spared")
    expected = inner(request(others or question.candidates, question.head.seq))
    assert list(expected) == list(KeepTagged(inner, tags)(question))


@given(question=requests(tags=TAGS))
def test_the_inner_policy_sees_a_collection(question: PruneRequest) -> None:
    """What the inner policy is offered has a length, members, and can be read again."""
    seen: list[PruneRequest] = []

    def inner(asked: PruneRequest) -> tuple[str, ...]:
        seen.append(asked)
        return ()

    others = [candidate for candidate in question.candidates if not candidate.commit.tags]
    assume(others)
    assert KeepTagged(inner)(question) == ()
    (asked,) = seen
    assert len(others) == len(asked.candidates) == len(asked.candidates)
    assert others == list(asked.candidates) == list(asked.candidates)
    for candidate in question.candidates:
        assert (candidate in others) == (candidate in asked.candidates)
    assert retained(999) not in asked.candidates
    assert object() not in asked.candidates
    assert (question.needed, question.budget, question.used, question.head) == (
        asked.needed,
        asked.budget,
        asked.used,
        asked.head,
    )


def test_some_tags_may_be_spared() -> None:
    """With tags named, commits with other tags go like those with none."""
    candidates = [retained(1, "milestone"), retained(2, "draft"), retained(3)]
    assert list(KeepTagged(Oldest(1))(request(candidates))) == ["3-k3fq7x"]
    assert list(KeepTagged(Oldest(1), ["milestone"])(request(candidates))) == [
        "2-k3fq7x",
        "3-k3fq7x",
    ]


def test_wrapping_a_wrapped_policy_ranks_tags() -> None:
    """Nested, the outer tags outlive the inner ones."""
    policy = KeepTagged(KeepTagged(Oldest(1), ["milestone"]), ["release"])
    remaining = [retained(1, "release"), retained(2, "milestone"), retained(3)]
    gone: list[str] = []
    while remaining:
        (victim,) = policy(request(remaining, head=4))
        gone.append(victim)
        remaining = [candidate for candidate in remaining if candidate.id != victim]
    assert gone == ["3-k3fq7x", "2-k3fq7x", "1-k3fq7x"]


def test_an_inner_policy_that_keeps_all_is_obeyed() -> None:
    """Where the inner policy gives up nothing, nothing goes."""
    question = request([retained(1, "milestone"), retained(2)])
    assert list(KeepTagged(KeepAll())(question)) == []


def test_tags_are_a_set() -> None:
    """The order and the number of times a tag is named make no difference."""
    assert KeepTagged(tags=["b", "a", "b"]) == KeepTagged(tags={"a", "b"})
    assert KeepTagged(tags=["b", "a"]).tags == ("a", "b")


@pytest.mark.parametrize("tags", ["milestone", [], (), [1], 5, ["ok", None], b"ab"])
def test_other_tags_are_refused(tags: Iterable[str]) -> None:
    """What is no list of tags is refused, naming it and what to write."""
    with pytest.raises(ConfigError) as caught:
        KeepTagged(tags=tags)
    assert caught.value.field == "tags"
    assert caught.value.message == (
        f"{tags!r} is no list of tags; write one with a tag or more, like ['milestone'], "
        "or leave tags out to spare every tagged commit"
    )


@pytest.mark.parametrize("inner", [None, "oldest", 5, Oldest], ids=repr)
def test_other_inner_policies_are_refused(inner: Callable[..., Iterable[str]]) -> None:
    """What is no policy, a class in place of its object too, is refused in words."""
    with pytest.raises(ConfigError) as caught:
        KeepTagged(inner)
    assert caught.value.field == "inner"
    assert caught.value.message.endswith(
        " is not a pruning policy; pass an object or a function that is called with a "
        "PruneRequest, like Oldest()"
    )


def test_the_request_helpers_are_right() -> None:
    """The head of a question comes after its candidates, which have ids of its Backpack."""
    question = request([retained(1), retained(5)])
    assert commit(6) == question.head
    assert offered(question) == ["1-k3fq7x", "5-k3fq7x"]
    assert retained(5) in CountingCandidates([retained(5)])
