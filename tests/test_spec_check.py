"""Checking a policy in a program: the verdicts, the reports, and what may go wrong."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from backpack import Backpack, ConfigError, PruneRequest
from backpack.policies import KeepAll, Oldest, Spill, Stub
from backpack.records import HeldVersion, NewValue, Reference, SizedValue, SupersededVersion
from backpack.spec import check_backpack, check_policy
from backpack.spec.check import plan
from backpack.spec.laws import LAWS, laws_of
from backpack.spec.report import Verdict
from backpack.spec.target import subject_of

PRUNING = laws_of("pruning")


class RoundsDown:
    """Give up a fifth, which of four is none."""

    def __call__(self, request: PruneRequest) -> list[str]:
        candidates = [each.id for each in request.candidates]
        return candidates[: len(candidates) // 5]


class Fails:
    """Raise whenever it is asked."""

    def __call__(self, request: PruneRequest) -> list[str]:
        raise ValueError("no idea")


class Hangs:
    """Never come back."""

    def __call__(self, request: PruneRequest) -> list[str]:
        while True:
            pass


class Sleeps:
    """Not come back, and not be woken either."""

    def __call__(self, request: PruneRequest) -> list[str]:
        threading.Event().wait(3600.0)  # For longer than the tests take.
        return []


class Exits:
    """End the process."""

    def __call__(self, request: PruneRequest) -> list[str]:
        os._exit(3)


class Quits:
    """End the process, politely."""

    def __call__(self, request: PruneRequest) -> Iterable[str]:
        for each in request.candidates:
            yield each.id
            sys.exit(1)


class Prints:
    """Tell everybody what it does."""

    def __call__(self, request: PruneRequest) -> list[str]:
        print("pruning", len(request.candidates))
        return [each.id for each in request.candidates]


class Halves:
    """Hold half a version."""

    def hold(self, version: SupersededVersion) -> bytes:
        return version.encoded[: len(version.encoded) // 2]

    def read(self, version: HeldVersion) -> bytes:
        return version.data


class Shortcut:
    """Hold versions as they are, and of an equal base nothing; forget what is between."""

    span = 4

    def hold(self, version: SupersededVersion) -> bytes:
        return b"" if version.encoded == version.base else b"=" + version.encoded

    def read(self, version: HeldVersion) -> bytes:
        return version.data[1:] or version.base or b""


class OffByOne:
    """Count a byte too few, and so none as less than none."""

    def __call__(self, new: NewValue) -> int:
        return len(new.encoded) - 2


class Whole:
    """Keep the whole value as its own preview."""

    def __call__(self, value: SizedValue) -> Reference | None:
        return Reference.to(value, "large", str(value.value)) if value.size > 100 else None


# --- verdicts ------------------------------------------------------------------------------------


@pytest.mark.no_cover
def test_a_policy_that_holds_passes() -> None:
    """Every law of its axis and of the container has a verdict, in the order of the list."""
    report = check_policy(Oldest, seed=1, examples=4)
    assert report.ok
    assert {"passed"} == {verdict.outcome for verdict in report.verdicts}
    container = laws_of("container")
    assert (*PRUNING, *container) == tuple(verdict.law for verdict in report.verdicts)
    assert f"Holds: {len(report.verdicts)} passed." == report.summary


def test_a_broken_law_is_told_with_all_that_helps() -> None:
    """The report has the law, a line why, the commits, a program, the seed and how to go on."""
    report = check_policy(RoundsDown, laws=["PR1", "PR2"], seed=7)
    assert not report
    assert ("passed", "broken") == (report["PR1"].outcome, report["PR2"].outcome)
    text = str(report)
    for part in (
        "seed 7, 200 examples",
        f"PR2 BROKEN: {LAWS['PR2'].sentence}",
        "It gave nothing more, with 1,000 bytes needed and 1 left.",
        "#  commit    bytes  pinned  offered  chosen",
        "1  1-k3fq7x  1,000          offered",
        'LAWS["PR2"](RoundsDown, Scene(moments=(Moment(),)))',
        'Again: check_policy(RoundsDown, laws=["PR2"], seed=7, examples=200)',
        "Failed: 1 passed, 1 broken.",
    ):
        assert part in text


def test_the_same_seed_draws_the_same() -> None:
    """A report can be had again."""
    first, second = (check_policy(RoundsDown, laws=["PR2"], seed=3)["PR2"] for _ in range(2))
    assert (first.program, first.examples) == (second.program, second.examples)


def test_without_a_seed_a_new_one_is_drawn() -> None:
    """And the report says which."""
    seeds = {check_policy(Oldest, laws=["PR3"]).seed for _ in range(3)}
    assert len(seeds) > 1


def test_what_does_not_apply_is_told_apart_from_what_passed() -> None:
    """A law that has nothing to say is no pass."""

    def by_name(value: SizedValue) -> Reference | None:
        return Reference.to(value, "scratch") if value.key == "scratch" else None

    report = check_policy(by_name, laws=["RE1", "RE4"], seed=1, examples=20)
    assert ("passed", "not applicable") == (report["RE1"].outcome, report["RE4"].outcome)
    assert "It declares no max_value_size." in str(report)
    assert "Holds: 1 passed, 1 not applicable." == report.summary


def test_nothing_judged_is_a_failure() -> None:
    """A suite that ran nothing proves nothing."""
    report = check_policy(KeepAll, laws=[], seed=1)
    assert not report.ok
    assert "Failed: no law had anything to judge (none was asked for)." == report.summary

    def plain(value: SizedValue) -> Reference | None:
        return None

    report = check_policy(plain, laws=["RE4"], seed=1, examples=5)
    assert not report.ok
    assert "Failed: no law had anything to judge (1 not applicable)." == report.summary


def test_what_a_policy_raises_breaks_one_law_and_leaves_others_unjudged() -> None:
    """One bug is told once."""
    report = check_policy(Fails, laws=["PO1", "PR1"], seed=1, examples=5)
    assert "It raised ValueError: no idea." == report["PO1"].why
    assert "not judged" == report["PR1"].outcome
    assert "It failed whenever it was asked: ValueError: no idea" == report["PR1"].why


@pytest.mark.no_cover
def test_a_policy_that_needs_an_archive_is_checked_with_one() -> None:
    """The laws of Backpacks are tried where there is an archive to spill to, and only there."""
    laws = ["RE1", "B1", "S1", "A1"]
    report = check_policy(lambda: Spill(1024), laws=laws, seed=0, examples=5)
    assert {"passed"} == {report[law].outcome for law in laws}
    assert report["S1"].examples == report["A1"].examples <= 2 + 1


def test_without_what_archives_need_their_laws_do_not_apply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others are judged all the same; of a policy that needs an archive none can be."""
    monkeypatch.setitem(sys.modules, "backpack.archive", None)
    why = "Archives and checkpoints need the package backpack.archive; "
    report = check_policy(Oldest, laws=["B1", "A1", "A3"], seed=0, examples=2)
    assert report.ok
    assert ["passed", "not applicable", "not applicable"] == [
        report[law].outcome for law in ("B1", "A1", "A3")
    ]
    assert report["A1"].why.startswith(why)
    report = check_policy(Spill, laws=["RE1", "B1", "A2"], seed=0, examples=2)
    assert ["passed", "not applicable", "not applicable"] == [
        report[law].outcome for law in ("RE1", "B1", "A2")
    ]
    assert report["B1"].why.startswith(why)


def test_what_is_expected_to_fail_is_no_failure() -> None:
    """A law that is broken on purpose is told with the reason; one that holds after all fails."""
    report = check_policy(
        RoundsDown, laws=["PR1", "PR2"], expected_failures={"PR2": "keeps four"}, seed=1
    )
    assert report.ok
    assert ("expected failure", "keeps four") == (report["PR2"].outcome, report["PR2"].why)
    report = check_policy(
        Oldest, laws=["PR2"], expected_failures={"PR2": "keeps four"}, seed=1, examples=5
    )
    assert not report.ok
    assert "It was to fail: keeps four" == report["PR2"].why


@pytest.mark.parametrize("policy", [Hangs, Sleeps])
def test_what_hangs_is_told_and_the_rest_goes_on(policy: type) -> None:
    """A law has a time limit, and is patient only once."""
    began = time.monotonic()
    report = check_policy(policy, laws=["PO1", "PR1"], seed=1, time_limit=0.4)
    assert {"out of time"} == {verdict.outcome for verdict in report.verdicts}
    assert "It did not come back within 0.4 seconds." == report["PO1"].why
    assert "It did not come back within 0.1 seconds." == report["PR1"].why
    assert "Scene(moments=" in str(report["PO1"].program)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("policy", [Exits, Quits])
def test_what_ends_the_process_only_fails(policy: type) -> None:
    """Neither sys.exit nor os._exit gets through."""
    report = check_policy(policy, laws=["PO1", "PR1", "P1"], seed=1, examples=4)
    assert "broken" == report["PO1"].outcome
    assert "SystemExit" in report["PO1"].why
    assert "passed" == report["P1"].outcome


def test_what_is_printed_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    """A policy that prints does not spoil the report."""
    report = check_policy(Prints, laws=["PR1"], seed=1, examples=5)
    assert report.ok
    assert report.remarks[0].startswith("the policy prints, as in: pruning ")
    assert "" == capsys.readouterr().out


def test_progress_is_told() -> None:
    """Whoever waits can see how far it is."""
    seen: list[tuple[str, int, int]] = []

    def progress(verdict: Verdict, done: int, total: int) -> None:
        seen.append((verdict.law, done, total))

    check_policy(Oldest, laws=["PR1", "PR3"], seed=1, examples=5, progress=progress)
    assert [("PR1", 1, 2), ("PR3", 2, 2)] == seen


def test_a_container_law_that_breaks_lets_the_others_be_judged() -> None:
    """Of a storage policy that loses bytes it is said which laws hold all the same."""
    report = check_policy(Halves, laws=["S1", "B1"], seed=1, examples=50)
    assert ("broken", "passed") == (report["S1"].outcome, report["B1"].outcome)
    assert report["S1"].table is not None


def test_the_collector_is_left_as_it_was() -> None:
    """Nothing stays frozen that was not, and the other way round."""
    gc.unfreeze()
    try:
        check_policy(Oldest, laws=["PR3"], seed=1, examples=1)
        assert 0 == gc.get_freeze_count()
    finally:
        gc.freeze()
    check_policy(Oldest, laws=["PR3"], seed=1, examples=1)
    assert gc.get_freeze_count() > 0


# --- programs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "law"),
    [
        (RoundsDown, "PR2"),
        (RoundsDown, "PR3"),
        (Halves, "ST1"),
        (Halves, "S1"),
        (Shortcut, "ST2"),
        (OffByOne, "SI1"),
        (Whole, "RE3"),
    ],
)
@pytest.mark.parametrize("flags", [[], ["-O"]])
@pytest.mark.no_cover
def test_the_program_of_a_report_fails_as_it_stands(
    policy: type, law: str, flags: list[str], tmp_path: Path
) -> None:
    """It breaks the law it is about, with and without assertions."""
    program = check_policy(policy, laws=[law], seed=1)[law].program
    assert program is not None
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, *flags, str(path)],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert 1 == done.returncode
    assert f"LawBroken: {law} is broken: {LAWS[law].sentence}" in done.stderr


def test_the_program_of_what_leans_is_short() -> None:
    """Three versions are enough: one, an equal one, and another behind it."""
    program = str(check_policy(Shortcut, laws=["ST2"], seed=1)["ST2"].program)
    assert len(program) < 500


def test_the_program_of_something_local_says_where_it_belongs() -> None:
    """What cannot be imported is pasted beside its definition."""

    class Local(RoundsDown):
        """Not to be imported."""

    program = check_policy(Local, laws=["PR3"], seed=1)["PR3"].program
    assert str(program).startswith("# Beside the definition of ")
    assert 'LAWS["PR3"](Local)' in str(program)


# --- what is checked ------------------------------------------------------------------------------


def fifth(request: PruneRequest) -> list[str]:
    """Give up a fifth, rounded up."""
    candidates = [each.id for each in request.candidates]
    return candidates[: -(-len(candidates) // 5)]


def keep(request: PruneRequest, number: int) -> list[str]:
    """Give up all but some."""
    return [each.id for each in request.candidates][:-number]


def size_of(new: NewValue) -> int:
    """Count encoded bytes."""
    return len(new.encoded)


@pytest.mark.parametrize(
    ("factory", "axis"),
    [
        (Oldest, "pruning"),
        (lambda: Oldest(0.5), "pruning"),
        (Oldest(0.5), "pruning"),
        (functools.partial(Oldest, fraction=0.5), "pruning"),
        (fifth, "pruning"),
        (functools.partial(keep, number=3), "pruning"),
        (size_of, "sizing"),
        (Halves, "storage"),
        (Halves(), "storage"),
        (Stub(100), "reference"),
    ],
)
def test_a_policy_comes_in_many_forms(factory: Any, axis: str) -> None:
    """A class, a function that makes one, an object, a function: all are policies."""
    assert axis == subject_of(factory).axis
    assert check_policy(factory, laws=["PO1"], seed=1, examples=5).ok


class Nothing:
    """No policy."""


class Needs:
    """A policy that has to be told something."""

    def __init__(self, inner: object, number: int) -> None:
        self.inner, self.number = inner, number

    def __call__(self, request: PruneRequest) -> list[str]:
        return []


class Everything(Halves):
    """A policy of every axis."""

    def __call__(self, anything: object) -> None:
        return None


def breaks() -> None:
    """Fail to make a policy."""
    raise RuntimeError("out of order")


def bare(anything: Any) -> Any:
    """Answer something."""


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (Nothing, "Nothing is no policy: a sizing policy is called with one NewValue; "),
        (42, "int is no policy: a sizing policy is called with one NewValue; "),
        (
            Needs,
            "Needs needs arguments 'inner', 'number'; write a function without arguments that retu",
        ),
        (Everything, "Everything fits several axes: sizing, reference, storage, pruning; "),
        (bare, "bare fits several axes: sizing, reference, pruning; annotate its argument "),
        (breaks, "breaks makes no policy: RuntimeError: out of order"),
        (sys.exit, "exit makes no policy: SystemExit"),
        (Backpack, "Backpack makes a Backpack, no policy; check_backpack() checks those"),
    ],
)
def test_what_is_no_policy_is_refused(factory: Any, message: str) -> None:
    """The error says what it is, and what would be one."""
    with pytest.raises(ConfigError) as caught:
        check_policy(factory)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"laws": ["PR9"]}, "laws: no law is called 'PR9'; did you mean PR"),
        ({"laws": ["nonsense"]}, "laws: no law is called 'nonsense'; there are: "),
        ({"laws": ["SI1"]}, "laws: SI1 is not among the laws that are checked here, for pruning"),
        ({"laws": "PR1"}, "laws: expected ids in a list, like ['PR1']"),
        ({"expected_failures": {"PR9": "x"}}, "expected_failures: no law is called 'PR9'"),
        ({"expected_failures": {"PR1": ""}}, "expected_failures: say why PR1 is expected to fail"),
        ({"examples": 0}, "examples: expected a number of examples, 1 or more"),
        ({"time_limit": 0}, "time_limit: expected a number of seconds, above 0"),
        ({"seed": "x"}, "seed: expected a whole number, not 'x'"),
        ({"axis": "prunning"}, "axis: there is no axis 'prunning'; did you mean 'pruning'?"),
        ({"axis": "x"}, "axis: there is no axis 'x'; there are: "),
        ({"axis": "storage"}, "Oldest is no storage policy: it has no method 'hold'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    """The error names the argument and what it may be."""
    with pytest.raises(ConfigError) as caught:
        check_policy(Oldest, **arguments)
    assert message in str(caught.value)


@pytest.mark.no_cover
def test_a_whole_backpack_is_checked() -> None:
    """Whatever its policies, the laws of the container hold."""

    def make() -> Backpack:
        return Backpack(max_history_size=8192, pruning=fifth)

    report = check_backpack(make, seed=1, examples=4)
    assert report.ok
    assert laws_of("container") == tuple(verdict.law for verdict in report.verdicts)
    with pytest.raises(ConfigError, match="makes no Backpack; pass a function that returns"):
        check_backpack(dict)  # type: ignore[arg-type]


def test_failing_to_make_one_again_is_not_judged() -> None:
    """What goes wrong in the suite is no verdict about a law."""
    made: list[int] = []

    def once() -> Callable[[PruneRequest], list[str]]:
        made.append(1)
        if len(made) > 1:
            raise RuntimeError("only once")
        return fifth

    report = check_policy(once, laws=["B1"], seed=1, examples=5)
    assert "The suite failed: RuntimeError: only once" == report["B1"].why
    assert not report.ok


def test_a_plan_needs_no_run() -> None:
    """What would be checked can be seen before."""
    check = plan(subject_of(Oldest), seed=1)
    assert (*PRUNING, *laws_of("container")) == check.laws
