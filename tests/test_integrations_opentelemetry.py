"""Metrics and span events: true figures, no leak, and nothing that waits for a Backpack."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from backpack import (
    Archived,
    AsyncBackpack,
    Backpack,
    BudgetError,
    ConfigError,
    Event,
    PolicyError,
)
from backpack.archive import SqlArchive
from backpack.integrations.opentelemetry import Instrumentation, instrument
from backpack.policies import KeepAll, Stub


@frozen
class Told:
    """What a reader collected of one metric.

    Attributes:
        unit: Its unit.
        points: ``{name of the Backpack: figure}``; of a histogram, how often and how much.
        attributes: The attributes of each.
    """

    unit: str
    points: dict[str, Any]
    attributes: list[dict[str, Any]]


class Reader:
    """A provider of meters whose figures can be read."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader])

    def read(self) -> dict[str, Told]:
        """Return all that is told now."""
        data = self._reader.get_metrics_data()
        if data is None or not data.resource_metrics:
            return {}
        (scope,) = data.resource_metrics[0].scope_metrics
        assert "backpack" == scope.scope.name
        told: dict[str, Told] = {}
        for metric in scope.metrics:
            points: dict[str, Any] = {}
            attributes: list[dict[str, Any]] = []
            for point in metric.data.data_points:
                named: dict[str, Any] = dict(point.attributes or {})
                figure = getattr(point, "value", None)
                if figure is None:
                    figure = (getattr(point, "count", 0), getattr(point, "sum", 0))
                points[str(named["backpack.name"])] = figure
                attributes.append(named)
            told[metric.name] = Told(metric.unit or "", points, attributes)
        return told

    def figures(self, name: str) -> dict[str, Any]:
        """Return the figures of one Backpack."""
        return {
            metric: told.points[name] for metric, told in self.read().items() if name in told.points
        }


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Return a provider of its own."""
    reader = Reader()
    yield reader
    reader.provider.shutdown()


@pytest.fixture
def spans() -> Iterator[tuple[trace.Tracer, InMemorySpanExporter]]:
    """Return what makes spans, and where they are when they have ended."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider.get_tracer("test"), exporter
    provider.shutdown()


def small(**settings: Any) -> Backpack:
    """Return a Backpack that soon has to prune."""
    return Backpack(max_history_size=4096, reference=Stub(1000), **settings)


GAUGES = {
    "backpack.history.size": "By",
    "backpack.history.limit": "By",
    "backpack.history.commits": "{commit}",
    "backpack.state.size": "By",
    "backpack.state.keys": "{key}",
}
COUNTERS = {
    "backpack.commits": "{commit}",
    "backpack.pruning.commits": "{commit}",
    "backpack.pruning.freed": "By",
    "backpack.refusals": "{change}",
    "backpack.references": "{value}",
}
ARCHIVE = {"backpack.archive.commits": "{commit}", "backpack.archive.duration": "s"}


def test_figures_are_those_of_the_backpack(reader: Reader) -> None:
    """Under names and in units as OpenTelemetry has them, at each collection anew."""
    backpack = small()
    freed: list[int] = []
    backpack.subscribe(lambda event: freed.append(getattr(event, "freed_bytes", 0)))
    with instrument(backpack, name="planner", meter_provider=reader.provider):
        for number in range(30):
            backpack[f"key {number % 3}"] = f"{number}" * 300
        backpack["large"] = "x" * 2000
        with pytest.raises(BudgetError):
            backpack.pack("key 0", 1, note="n" * 5000)
        told, usage = reader.read(), backpack.memory_usage()
        assert GAUGES | COUNTERS == {name: each.unit for name, each in told.items()}
        assert usage.commits_pruned > 0
        assert {
            "backpack.history.size": usage.history_bytes,
            "backpack.history.limit": 4096,
            "backpack.history.commits": usage.commits_retained,
            "backpack.state.size": usage.current_bytes,
            "backpack.state.keys": 4,
            "backpack.commits": 31,
            "backpack.pruning.commits": usage.commits_pruned,
            "backpack.pruning.freed": sum(freed),
            "backpack.refusals": 1,
            "backpack.references": 1,
        } == {name: each.points["planner"] for name, each in told.items()}
        assert [{"backpack.name": "planner", "error.type": "BudgetError"}] == told[
            "backpack.refusals"
        ].attributes
        del backpack["large"]
        assert 3 == reader.figures("planner")["backpack.state.keys"]


def test_what_the_archive_takes_is_told(tmp_path: Path, reader: Reader) -> None:
    """Each time something became durable there: how many commits, and how long it took."""
    url = f"sqlite:///{tmp_path}/runs.db"
    heard: list[Event] = []
    with Backpack.open(url, "booking") as backpack:
        backpack.subscribe(heard.append)
        with instrument(backpack, meter_provider=reader.provider):
            first = backpack.pack("a", 1)
            backpack.pack("a", 2)
            backpack.tag(first, "decided")
            told = reader.read()
    assert ARCHIVE.items() <= {name: each.unit for name, each in told.items()}.items()
    written = [event for event in heard if isinstance(event, Archived)]
    assert [1, 1, 0] == [event.commits for event in written]
    assert 2 == told["backpack.archive.commits"].points["booking"]
    times, seconds = told["backpack.archive.duration"].points["booking"]
    assert 3 == times
    assert sum(event.seconds for event in written) == pytest.approx(seconds)
    assert all(0 < event.seconds < 60 for event in written)


def test_an_archive_that_is_written_late_tells_of_it_then(tmp_path: Path) -> None:
    """Nothing of it until something is pruned; what closing writes is told, too."""
    heard: list[Event] = []
    backpack = small(archive=SqlArchive(f"sqlite:///{tmp_path}/runs.db"), name="late")
    backpack.subscribe(heard.append)
    made = 0
    while not any(isinstance(event, Archived) for event in heard):
        backpack["a"] = f"{made}" * 300
        made += 1
    at = next(number for number, event in enumerate(heard) if isinstance(event, Archived))
    assert ["Archived", "Pruned", "Committed"] == [type(each).__name__ for each in heard[at:]]
    backpack.close()
    entered = [event.commits for event in heard if isinstance(event, Archived)]
    assert made == sum(entered)
    assert 2 == len(entered)
    backpack.close()
    assert 2 == len([event for event in heard if isinstance(event, Archived)])


def test_several_are_told_apart_or_add_up(reader: Reader) -> None:
    """By their names; those of one name are one."""
    backpacks = [small() for _ in range(4)]
    names = [None, "one", "shared", "shared"]
    for number, (backpack, name) in enumerate(zip(backpacks, names, strict=True)):
        instrument(backpack, name=name, meter_provider=reader.provider, attributes={"team": "a"})
        for key in range(number + 1):
            backpack[f"{key}"] = key
    told = reader.read()
    code = backpacks[0].code
    assert {code: 1, "one": 2, "shared": 7} == told["backpack.state.keys"].points
    assert {code: 1, "one": 2, "shared": 7} == told["backpack.commits"].points
    assert 8192 == told["backpack.history.limit"].points["shared"]
    assert {"a"} == {each["team"] for each in told["backpack.commits"].attributes}
    fork = backpacks[1].fork()
    fork["more"] = 1
    assert 2 == reader.read()["backpack.commits"].points["one"]


def test_what_has_ended_is_told_no_more(reader: Reader) -> None:
    """What was counted stays counted; the others go on; it can be measured again."""
    first, second = small(), small()
    instrumentation = instrument(first, name="first", meter_provider=reader.provider)
    instrument(second, name="second", meter_provider=reader.provider)
    first["a"] = second["a"] = 1
    assert {"first": 1, "second": 1} == reader.read()["backpack.state.keys"].points
    instrumentation.close()
    instrumentation.close()
    first["b"] = second["b"] = 1
    told = reader.read()
    assert {"second": 2} == told["backpack.state.keys"].points
    assert {"first": 1, "second": 2} == told["backpack.commits"].points
    assert "<Instrumentation of first, closed>" == repr(instrumentation)
    with instrument(first, name="first", meter_provider=reader.provider):
        assert {"first": 2, "second": 2} == reader.read()["backpack.state.keys"].points


@pytest.mark.parametrize("kept", [True, False])
def test_what_is_dropped_is_collected(reader: Reader, kept: bool) -> None:
    """At once, whether or not somebody keeps what instrument() returned, or it is open."""
    other = small()
    instrument(other, name="other", meter_provider=reader.provider)
    instrumentations: list[Instrumentation] = []
    gc.collect()
    gc.disable()
    try:
        backpack = small()
        instrumentation = instrument(backpack, name="gone", meter_provider=reader.provider)
        forgotten = weakref.ref(instrumentation)
        if kept:
            instrumentations.append(instrumentation)
        del instrumentation
        backpack["a"] = 1
        assert 1 == reader.read()["backpack.state.keys"].points["gone"]
        engine, gone = weakref.ref(backpack._engine), weakref.ref(backpack)
        del backpack
        assert gone() is None
        assert engine() is None
    finally:
        gc.enable()
    assert {"other": 0} == reader.read()["backpack.state.keys"].points
    while instrumentations:
        assert instrumentations[0].backpack is None
        instrumentations.pop().close()
    gc.collect()
    assert forgotten() is None


def test_a_provider_that_is_dropped_is_collected() -> None:
    """The Backpack lives on, and so does what measures it elsewhere."""
    backpack = small()
    reader = Reader()
    instrument(backpack, meter_provider=reader.provider).close()
    reader.provider.shutdown()
    gone = weakref.ref(reader.provider)
    del reader
    gc.collect()
    assert gone() is None


def test_who_collects_waits_for_nobody(reader: Reader) -> None:
    """Also where somebody holds the Backpack, and is counted meanwhile."""
    backpack = small()
    instrument(backpack, name="it", meter_provider=reader.provider)
    found: list[dict[str, Any]] = []
    with backpack.transaction() as transaction:
        transaction["a"] = 1
        collecting = threading.Thread(target=lambda: found.append(reader.figures("it")))
        collecting.start()
        collecting.join(20)
        assert not collecting.is_alive()
    assert 0 == found[0]["backpack.state.keys"]


def test_spans_are_told(spans: tuple[trace.Tracer, InMemorySpanExporter], reader: Reader) -> None:
    """Of what was pruned, refused and left out; of commits if that is asked for."""
    tracer, exporter = spans
    backpack = small()
    instrument(
        backpack,
        name="it",
        meter_provider=reader.provider,
        attributes={"team": "a"},
        span_commits=True,
    )
    with tracer.start_as_current_span("run"):
        large = backpack.pack("large\x1b[2J", "x" * 2000)
        with pytest.raises(BudgetError):
            backpack.pack("k", 1, note="n" * 5000)
        while not backpack.memory_usage().commits_pruned:
            head = backpack.pack("k", f"{backpack.head}" * 3, by="planner")
    (span,) = exporter.get_finished_spans()
    common = {"backpack.name": "it", "backpack.code": backpack.code, "team": "a"}
    first, second, third, *_, pruned, last = span.events
    for event in span.events:
        assert common.items() <= dict(event.attributes or {}).items()

    def own(event: Any) -> dict[str, Any]:
        return {key: each for key, each in event.attributes.items() if key not in common}

    assert "backpack.referenced" == first.name
    assert large.id == own(first)["backpack.commit.id"]
    assert r"large\x1b[2J" == own(first)["backpack.reference.key"]
    assert 2003 == own(first)["backpack.reference.size"]
    assert "1,000 bytes" in own(first)["backpack.reference.reason"]
    assert "backpack.committed" == second.name
    keys = (r"large\x1b[2J",)
    assert {"backpack.commit.id": large.id, "backpack.commit.keys": keys} == own(second)
    assert "backpack.refused" == third.name
    assert "BudgetError" == own(third)["error.type"]
    assert "the change needs" in own(third)["error.message"]
    assert ("k",) == own(third)["backpack.refusal.keys"]
    assert "backpack.pruned" == pruned.name
    count = backpack.memory_usage().commits_pruned
    assert count == own(pruned)["backpack.pruning.commits"]
    assert (large.id, f"{count}-{backpack.code}") == (
        own(pruned)["backpack.pruning.oldest"],
        own(pruned)["backpack.pruning.newest"],
    )
    assert own(pruned)["backpack.pruning.freed"] > 100
    assert "Oldest" == own(pruned)["backpack.pruning.policy"]
    assert "backpack.committed" == last.name
    assert (head.id, "planner") == (
        own(last)["backpack.commit.id"],
        own(last)["backpack.commit.by"],
    )


def test_spans_are_told_only_what_is_asked_for(
    spans: tuple[trace.Tracer, InMemorySpanExporter], reader: Reader
) -> None:
    """No commits if nobody asks; nothing at all if that is said; a change of many keys is cut."""
    tracer, exporter = spans
    quiet, usual, all_told = small(), small(), Backpack()
    instrument(quiet, meter_provider=reader.provider, span_events=False)
    instrument(usual, meter_provider=reader.provider)
    instrument(all_told, meter_provider=reader.provider, span_commits=True)
    with tracer.start_as_current_span("run"):
        for backpack in (quiet, usual):
            backpack["a"] = "x" * 2000
        all_told.update({f"{number}": number for number in range(100)})
    (span,) = exporter.get_finished_spans()
    assert ["backpack.referenced", "backpack.committed"] == [event.name for event in span.events]
    assert 20 == len((span.events[1].attributes or {})["backpack.commit.keys"])  # type: ignore[arg-type]


def test_the_span_of_who_awaits_is_told(
    tmp_path: Path, spans: tuple[trace.Tracer, InMemorySpanExporter], reader: Reader
) -> None:
    """Each task has a span of its own, though one thread does the work of all."""
    tracer, exporter = spans

    async def main() -> None:
        async with await AsyncBackpack.open(f"sqlite:///{tmp_path}/a.db", "it") as backpack:
            instrument(backpack, meter_provider=reader.provider, span_commits=True)

            async def task(name: str) -> None:
                with tracer.start_as_current_span(name):
                    await backpack.pack(name, 1)
                    await asyncio.sleep(0)
                    async with backpack.transaction() as changes:
                        changes[name] = 2

            await asyncio.gather(task("a"), task("b"), task("c"))

    asyncio.run(main())
    found = {
        span.name: [
            (event.name, (event.attributes or {})["backpack.commit.keys"]) for event in span.events
        ]
        for span in exporter.get_finished_spans()
    }
    assert {name: [("backpack.committed", (name,))] * 2 for name in "abc"} == found
    assert 6 == reader.read()["backpack.commits"].points["it"]


def test_a_failing_policy_is_a_refusal_of_its_kind(reader: Reader) -> None:
    """So that an alarm can tell them apart."""
    backpack = Backpack(sizing=lambda new: -1)
    instrument(backpack, meter_provider=reader.provider)
    with pytest.raises(PolicyError):
        backpack["a"] = 1
    full = small(pruning=KeepAll())
    instrument(full, meter_provider=reader.provider)
    with pytest.raises(BudgetError):
        for number in range(50):
            full["a"] = f"{number}" * 300
    kinds = [each["error.type"] for each in reader.read()["backpack.refusals"].attributes]
    assert ["BudgetError", "PolicyError"] == sorted(kinds)


def test_what_is_wrong_is_told(reader: Reader) -> None:
    """One line each, and nothing is measured by it."""
    backpack = small()
    wrong: Any = {}
    with pytest.raises(
        ConfigError,
        match=r"^backpack: a Backpack or an AsyncBackpack is measured, not a value of class dict$",
    ):
        instrument(wrong)
    for wrong in ("", 5):
        with pytest.raises(ConfigError, match=r"^name: it is a non-empty string, not "):
            instrument(backpack, name=wrong)
    wrong = object()
    with pytest.raises(
        ConfigError,
        match=r"^meter_provider: it gives meters, as opentelemetry.sdk.metrics.MeterProvider\(\) "
        r"does; a value of class object does not$",
    ):
        instrument(backpack, meter_provider=wrong)
    instrumentation = instrument(backpack, meter_provider=reader.provider)
    with pytest.raises(
        ConfigError,
        match=r"^backpack: <Backpack .*> is measured by this provider already; close\(\) what the "
        r"first instrument\(\) returned, or leave it at that$",
    ):
        instrument(backpack, name="again", meter_provider=reader.provider)
    backpack["a"] = 1
    assert {backpack.code: 1} == reader.read()["backpack.commits"].points
    other = Reader()
    with instrument(AsyncBackpack(backpack), name="it", meter_provider=other.provider):
        backpack["a"] = 2
    assert {"it": 1} == other.read()["backpack.commits"].points
    other.provider.shutdown()
    instrumentation.close()


def test_the_global_provider_may_come_late() -> None:
    """What was measured before it was set is told, and what is measured later, too."""
    code = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from backpack import Backpack
from backpack.integrations.opentelemetry import instrument
before, after, given = Backpack(), Backpack(), Backpack()
instrument(before, name="before")
before["a"] = 1
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
instrument(after, name="after")
instrument(given, name="given", meter_provider=metrics.get_meter_provider())
for each in (before, after, given):
    each["b"] = 1
(scope,) = reader.get_metrics_data().resource_metrics[0].scope_metrics
for metric in scope.metrics:
    if metric.name in ("backpack.state.keys", "backpack.commits"):
        for point in metric.data.data_points:
            print(metric.name, point.attributes["backpack.name"], point.value)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {
        "backpack.state.keys before 2",
        "backpack.state.keys after 1",
        "backpack.state.keys given 1",
        "backpack.commits before 1",
        "backpack.commits after 1",
        "backpack.commits given 1",
    } == set(done.stdout.splitlines())
    assert "" == done.stderr


def test_the_api_alone_is_enough_and_asked_for_where_it_is_missing() -> None:
    """Without an SDK nothing is measured; without the API, the line that installs it."""
    code = (
        "import sys\n"
        "sys.modules['opentelemetry.sdk'] = None\n"
        "from backpack import Backpack\n"
        "from backpack.integrations.opentelemetry import instrument\n"
        "bp = Backpack()\n"
        "with instrument(bp, span_commits=True):\n"
        "    bp['a'] = 1\n"
        "for name in [name for name in sys.modules if 'opentelemetry' in name]:\n"
        "    del sys.modules[name]\n"
        "sys.modules['opentelemetry'] = None\n"
        "try:\n"
        "    import backpack.integrations.opentelemetry\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        "backpack.integrations.opentelemetry needs opentelemetry-api; "
        'pip install "backpack-memory[opentelemetry]" brings it'
    ) == done.stdout.strip()
