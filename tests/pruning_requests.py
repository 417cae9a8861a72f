"""Questions to pruning policies, with candidates that count how much of them is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from hypothesis import strategies as st

from backpack.records import Commit, PruneRequest, RetainedCommit

ORIGIN = "k3fq7x"


def commit(seq: int, *tags: str) -> Commit:
    """A commit of that number."""
    return Commit(ORIGIN, seq, float(seq), (), tags=tags)


def retained(seq: int, *tags: str, accesses: int = 0, last_access: int = 0) -> RetainedCommit:
    """A candidate of that number."""
    return RetainedCommit(commit(seq, *tags), 10, accesses, last_access or seq)


class CountingCandidates(Collection[RetainedCommit]):
    """Candidates that are made as they are read, and count how many were."""

    def __init__(self, candidates: Sequence[RetainedCommit]) -> None:
        self.candidates = candidates
        self.reads = 0

    def __len__(self) -> int:
        return len(self.candidates)

    def __contains__(self, item: object) -> bool:
        return item in self.candidates

    def __iter__(self) -> Iterator[RetainedCommit]:
        for candidate in self.candidates:
            self.reads += 1
            yield candidate


def request(candidates: Collection[RetainedCommit], head: int | None = None) -> PruneRequest:
    """The question which of them shall go; the head comes right after the last of them."""
    if head is None:
        head = max((candidate.commit.seq for candidate in candidates), default=0) + 1
    return PruneRequest(needed=1, budget=100, used=101, head=commit(head), candidates=candidates)


@st.composite
def requests(draw: st.DrawFn, min_size: int = 0, tags: Sequence[str] = ()) -> PruneRequest:
    """Questions with up to 60 candidates, some of them accessed, some of them tagged."""
    seqs = sorted(draw(st.sets(st.integers(1, 200), min_size=min_size, max_size=60)))
    head = draw(st.integers(201, 300))
    labels = st.sets(st.sampled_from(tags), max_size=2) if tags else st.just(set[str]())
    return request(
        [
            retained(
                seq,
                *sorted(draw(labels)),
                accesses=draw(st.integers(0, 3)),
                last_access=draw(st.integers(seq, head)),
            )
            for seq in seqs
        ],
        head,
    )


fractions = st.floats(0, 1, exclude_min=True) | st.sampled_from([0.01, 0.2, 0.5, 1.0])
