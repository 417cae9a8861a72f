"""What subscribers and operators are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from backpack import (
    Backpack,
    BudgetError,
    Committed,
    Event,
    PolicyError,
    Pruned,
    Referenced,
    Refused,
)
from backpack.policies import KeepAll, Stub


@pytest.fixture(autouse=True)
def _reset_structlog() -> Iterator[None]:
    """Leave structlog as it was."""
    yield
    structlog.reset_defaults()


def small(**settings: object) -> Backpack:
    """Return a Backpack that soon has to prune."""
    return Backpack(max_history_size=4096, reference=Stub(1000), **settings)  # type: ignore[arg-type]


def test_subscribers_hear_of_everything_in_order() -> None:
    """Commits, references and prunings, each as a record that tells what and how much."""
    bp, heard = small(), list[Event]()
    unsubscribe = bp.subscribe(heard.append)
    large = bp.pack("k", "x" * 1500)
    assert heard[0] == Referenced(large.id, "k", heard[0].reference)  # type: ignore[union-attr]
    assert heard[1:] == [Committed(large)]
    commits = [large]
    while not isinstance(heard[-2], Pruned):
        commits.append(bp.pack("k", f"{len(commits)}" * 500))
    pruned = heard[-2]
    assert pruned.commits[0] == large.id
    assert pruned.policy == "Oldest"
    assert pruned.freed_bytes > 300
    assert [commit.id for commit in bp.history()][-1] not in pruned.commits
    unsubscribe()
    unsubscribe()
    before = len(heard)
    bp.pack("k", 1)
    assert before == len(heard)


def test_subscribers_hear_of_refusals() -> None:
    """With the error and the keys; the state they see is the one before."""
    bp, heard = small(pruning=KeepAll()), list[Event]()
    bp.subscribe(heard.append)
    with pytest.raises(BudgetError) as caught:
        for number in range(50):
            bp.pack("k", f"{number}" * 300)
    refused = heard[-1]
    assert isinstance(refused, Refused)
    assert caught.value is refused.error
    assert ("k",) == refused.keys
    commit = bp.history()[0]
    with pytest.raises(BudgetError):
        bp.tag(commit, *(f"tag {number}" for number in range(50)))
    assert isinstance(heard[-1], Refused)
    assert commit == bp.history()[0]


def test_a_failing_policy_is_a_refusal() -> None:
    """Also where it fails before the budget is looked at."""
    bp = small(sizing=lambda new: -1)
    heard = list[Event]()
    bp.subscribe(heard.append)
    with pytest.raises(PolicyError, match="sizing policy <lambda> must return a size in bytes"):
        bp["k"] = 1
    assert [("k",)] == [each.keys for each in heard if isinstance(each, Refused)]


def test_a_failing_subscriber_disturbs_nobody() -> None:
    """Its exception is logged; the change stays, and the others are told."""
    bp, heard = small(), list[Event]()

    def fail(event: Event) -> None:
        raise ZeroDivisionError

    bp.subscribe(fail)
    bp.subscribe(heard.append)
    with capture_logs() as logs:
        bp["k"] = 1
    assert 1 == bp["k"]
    assert 1 == len(heard)
    assert ["subscriber_failed"] == [entry["event"] for entry in logs]


def test_operators_see_what_they_want_to_know_and_nothing_per_pack() -> None:
    """Pruned, referenced and refused are logged with their figures; packs are not."""
    bp = small()
    with capture_logs() as logs:
        bp["k"] = 1
    assert [] == logs
    with capture_logs() as logs:
        bp["k"] = "x" * 1500
        for number in range(20):
            bp["k"] = f"{number}" * 500
        with pytest.raises(BudgetError):
            bp.pack("k", 1, note="n" * 5000)
    by_event = {entry["event"]: entry for entry in logs}
    assert {"referenced", "pruned", "refused"} == set(by_event)
    assert ("k", "info") == (by_event["referenced"]["key"], by_event["referenced"]["log_level"])
    assert by_event["pruned"]["freed_bytes"] > 0
    assert "Oldest" == by_event["pruned"]["policy"]
    assert "warning" == by_event["refused"]["log_level"]


def test_nothing_is_printed_where_structlog_is_not_configured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A library does not write to an unsuspecting program's stdout."""
    bp = small()
    for number in range(20):
        bp["k"] = f"{number}" * 500
    assert bp.memory_usage().commits_pruned > 0
    assert ("", "") == tuple(capsys.readouterr())


def test_ending_one_of_two_subscriptions_of_a_callback_leaves_the_other() -> None:
    """What subscribe() returns ends that subscription, and ends it once."""
    bp = Backpack()
    heard: list[object] = []
    stop = bp.subscribe(heard.append)
    bp.subscribe(heard.append)
    stop()
    stop()
    bp.pack("k", 1)
    assert 1 == len(heard)
