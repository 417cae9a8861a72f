"""Metrics and span events of Backpacks, for OpenTelemetry.

Only the API of OpenTelemetry is needed: without an SDK in the program nothing is measured, and
nothing is slower. The figures are read while they are collected, without waiting for anybody who
is using the Backpack; what happens is counted by a subscriber.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Final, Self
from weakref import WeakKeyDictionary, WeakSet, ref

from backpack.aio import AsyncBackpack
from backpack.container import Backpack
from backpack.errors import ConfigError
from backpack.integrations import lacking
from backpack.records import Archived, Committed, Pruned, Referenced, Refused
from backpack.wording import described, one_line

try:
    from opentelemetry import metrics, trace
except ImportError as error:
    raise lacking("opentelemetry", "opentelemetry-api", "opentelemetry") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
    from opentelemetry.util.types import AttributeValue

    from backpack.history import History
    from backpack.records import Event

__all__ = ["Instrumentation", "instrument"]

#: What meters are called.
_SCOPE: Final = "backpack"
#: Where the buckets of the histogram end, in seconds: from a cached page to a slow disk.
_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
#: So many keys are named in an attribute.
_KEYS: Final = 20


def instrument(
    backpack: Backpack | AsyncBackpack,
    /,
    *,
    name: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
    meter_provider: MeterProvider | None = None,
    span_events: bool = True,
    span_commits: bool = False,
) -> Instrumentation:
    """Have a Backpack measured, and told of in spans, from here on.

    It goes on until what is returned is closed, or the Backpack is gone: this does not keep it.

    Args:
        backpack: The Backpack.
        name: The attribute ``backpack.name`` of all figures; if left out, what it is called in its
            archive, or its code. Backpacks of one name are measured together: their figures add up.
        attributes: More attributes for the figures, and the events of spans.
        meter_provider: Whose meters are used; the global one's if left out.
        span_events: Whether the current span is told of what was pruned, refused, or left out of
            history.
        span_commits: Whether it is told of each commit, too.

    Raises:
        ConfigError: It is measured there already, or an argument cannot work.

    >>> bp = Backpack()
    >>> with instrument(bp, name="planner") as instrumentation:
    ...     commit = bp.pack("plan", ["look"])
    >>> instrumentation
    <Instrumentation of planner, closed>
    """
    sync = backpack.sync if isinstance(backpack, AsyncBackpack) else backpack
    if not isinstance(sync, Backpack):
        raise ConfigError(
            f"a Backpack or an AsyncBackpack is measured, not {described(backpack)}",
            field="backpack",
        )
    named: object = _name_of(sync) if name is None else name
    if not isinstance(named, str) or not named:
        raise ConfigError(f"it is a non-empty string, not {described(named)}", field="name")
    with _lock:
        meters = _meters_of(meter_provider)
        return Instrumentation(
            sync,
            {**(attributes or {}), "backpack.name": named},
            meters,
            span_events=span_events,
            span_commits=span_commits,
        )


class Instrumentation:
    """What has a Backpack measured; :meth:`close`, or the end of a ``with`` block, ends it.

    Made by :func:`instrument`.
    """

    # A Backpack holds it, by its subscription, and not the other way round: what nobody else
    # holds is collected, and is measured no more.

    def __init__(
        self,
        backpack: Backpack,
        attributes: Mapping[str, AttributeValue],
        meters: _Meters,
        *,
        span_events: bool,
        span_commits: bool,
    ) -> None:
        self._backpack = ref(backpack)
        self._attributes = dict(attributes)
        self._of_span = {**self._attributes, "backpack.code": backpack.code}
        self._meters = meters
        self._span_events = span_events
        self._span_commits = span_commits
        self._is_open = True
        meters.observe(self)
        self._unsubscribe = backpack.subscribe(self._hear)

    def close(self) -> None:
        """End it; what was counted stays counted."""
        self._is_open = False
        self._unsubscribe()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        name = one_line(str(self._attributes["backpack.name"]))
        return f"<Instrumentation of {name}{'' if self._is_open else ', closed'}>"

    @property
    def backpack(self) -> Backpack | None:
        """The Backpack, as long as it is there and this is open."""
        return self._backpack() if self._is_open else None

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        """The attributes of its figures."""
        return self._attributes

    def _hear(self, event: Event) -> None:
        meters, attributes = self._meters, self._attributes
        match event:
            case Committed():
                meters.commits.add(1, attributes)
                if self._span_commits:
                    self._tell("backpack.committed", _of_commit(event))
            case Archived():
                meters.archived.add(event.commits, attributes)
                meters.archive_seconds.record(event.seconds, attributes)
            case Pruned():
                meters.pruned.add(len(event.commits), attributes)
                meters.freed.add(event.freed_bytes, attributes)
                if self._span_events:
                    self._tell("backpack.pruned", _of_pruned(event))
            case Referenced():
                meters.references.add(1, attributes)
                if self._span_events:
                    self._tell("backpack.referenced", _of_referenced(event))
            case Refused():
                kind = type(event.error).__name__
                meters.refusals.add(1, {**attributes, "error.type": kind})
                if self._span_events:
                    self._tell("backpack.refused", _of_refused(event))

    def _tell(self, name: str, attributes: Mapping[str, AttributeValue]) -> None:
        """Tell the current span, if anybody records it."""
        span = trace.get_current_span()
        if span.is_recording():
            span.add_event(name, {**self._of_span, **attributes})


# --- what is measured ------------------------------------------------------------------------


class _Meters:
    """The instruments of one provider, which all Backpacks that are measured there share.

    OpenTelemetry makes an instrument of a name once; the callbacks of a second one it forgets.
    """

    def __init__(self, meter: Meter) -> None:
        self._lock = Lock()
        self._observed: WeakSet[Instrumentation] = WeakSet()
        for name, unit, description, read in _FIGURES:
            callbacks = [partial(self._read, read)]
            meter.create_observable_up_down_counter(name, callbacks, unit, description)
        counter = meter.create_counter
        self.commits = counter("backpack.commits", "{commit}", "Commits that were made.")
        self.pruned = counter(
            "backpack.pruning.commits", "{commit}", "Commits that history gave up to make room."
        )
        self.freed = counter(
            "backpack.pruning.freed", "By", "Bytes of history that became free by that."
        )
        self.refusals = counter(
            "backpack.refusals", "{change}", "Changes that were refused, with nothing changed."
        )
        self.references = counter(
            "backpack.references", "{value}", "Values of which history keeps only a reference."
        )
        self.archived = counter(
            "backpack.archive.commits", "{commit}", "Commits that became durable in the archive."
        )
        self.archive_seconds = meter.create_histogram(
            "backpack.archive.duration",
            "s",
            "How long it took until what had to be in the archive was durable.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def observe(self, instrumentation: Instrumentation) -> None:
        """Measure one more, unless it is measured already."""
        with self._lock:
            backpack = instrumentation.backpack
            if any(each.backpack is backpack for each in self._observed):
                raise ConfigError(
                    f"{backpack!r} is measured by this provider already; close() what the first "
                    "instrument() returned, or leave it at that",
                    field="backpack",
                )
            self._observed.add(instrumentation)

    def _read(self, read: Callable[[History], int], _: CallbackOptions) -> list[Observation]:
        """Return one observation for each set of attributes."""
        with self._lock:
            observed = list(self._observed)
        sums: dict[tuple[tuple[str, str], ...], tuple[int, Instrumentation]] = {}
        for each in observed:
            backpack = each.backpack
            if backpack is None:
                continue
            # Without its lock: whoever holds that may be waiting for the one who collects.
            figure = read(backpack._engine.history)
            alike = tuple(sorted((key, repr(value)) for key, value in each.attributes.items()))
            sums[alike] = sums[alike][0] + figure if alike in sums else figure, each
        return [metrics.Observation(sum_, each.attributes) for sum_, each in sums.values()]


#: Name, unit, description, and how each figure is read of a history. All add up.
_FIGURES: Final[Sequence[tuple[str, str, str, Callable[[History], int]]]] = (
    (
        "backpack.history.size",
        "By",
        "Bytes of history: superseded versions and commit records, overhead included.",
        lambda history: history.history_bytes,
    ),
    (
        "backpack.history.limit",
        "By",
        "What history may take at most.",
        lambda history: history.budget,
    ),
    (
        "backpack.history.commits",
        "{commit}",
        "Commits that are retained.",
        lambda history: len(history.commits),
    ),
    (
        "backpack.state.size",
        "By",
        "Encoded bytes of the current values.",
        lambda history: history.current_bytes,
    ),
    (
        "backpack.state.keys",
        "{key}",
        "Keys of the current state.",
        lambda history: len(history.current),
    ),
)

#: The instruments of each provider; those of the global one, whichever it will be, under None.
_lock: Final = Lock()
_meters: Final[WeakKeyDictionary[MeterProvider, _Meters]] = WeakKeyDictionary()
_global: Final[list[_Meters]] = []


def _meters_of(provider: MeterProvider | None) -> _Meters:
    """Return the instruments of a provider, made once."""
    if provider is None or provider is metrics.get_meter_provider():
        # One that is set later takes over what was made before it was.
        if not _global:
            _global.append(_Meters(metrics.get_meter(_SCOPE)))
        return _global[0]
    if not callable(getattr(provider, "get_meter", None)):
        raise ConfigError(
            f"it gives meters, as opentelemetry.sdk.metrics.MeterProvider() does; "
            f"{described(provider)} does not",
            field="meter_provider",
        )
    if provider not in _meters:
        _meters[provider] = _Meters(provider.get_meter(_SCOPE))
    return _meters[provider]


def _name_of(backpack: Backpack) -> str:
    scribe = backpack._engine.scribe
    return backpack.code if scribe is None else scribe.log.name


# --- what spans are told ---------------------------------------------------------------------


def _some(keys: Iterable[str]) -> list[str]:
    return [one_line(key) for key in islice(keys, _KEYS)]


def _of_commit(event: Committed) -> dict[str, AttributeValue]:
    commit = event.commit
    by = {} if commit.by is None else {"backpack.commit.by": one_line(commit.by)}
    return {"backpack.commit.id": commit.id, "backpack.commit.keys": _some(commit.keys), **by}


def _of_pruned(event: Pruned) -> dict[str, AttributeValue]:
    return {
        "backpack.pruning.commits": len(event.commits),
        "backpack.pruning.oldest": event.commits[0],
        "backpack.pruning.newest": event.commits[-1],
        "backpack.pruning.freed": event.freed_bytes,
        "backpack.pruning.policy": event.policy,
    }


def _of_referenced(event: Referenced) -> dict[str, AttributeValue]:
    return {
        "backpack.commit.id": event.commit,
        "backpack.reference.key": one_line(event.key),
        "backpack.reference.size": event.reference.size,
        "backpack.reference.reason": one_line(event.reference.reason),
    }


def _of_refused(event: Refused) -> dict[str, AttributeValue]:
    return {
        "error.type": type(event.error).__name__,
        "error.message": one_line(str(event.error)),
        "backpack.refusal.keys": _some(event.keys),
    }
