"""The records that pass between the parts; numbers and text only, so that JSON holds them."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

__all__ = ["Figures", "Floor", "Machine", "Observed", "Report", "Row", "Shape", "Task", "Twelve"]


def _texts(items: Iterable[str]) -> tuple[str, ...]:
    """Return a tuple, which JSON has made a list of."""
    return tuple(items)


@frozen
class Shape:
    """About how large a workload is: enough to tell beforehand whether a contender has room.

    Attributes:
        steps: How many commits.
        encoded: Bytes of a value, encoded.
        fresh: Bytes of text or data in a value that no value before it had.
        parts: Dicts in a value.
        keys: Keys there are on average at a commit.
    """

    steps: int
    encoded: int
    fresh: int
    parts: int
    keys: int


@frozen
class Task:
    """What a process of its own has to do.

    Attributes:
        kind: ``case``, ``floor`` or ``twelve``.
        workload: The name of the workload.
        steps: How many commits to make.
        trace: The trace's path, where the workload is one.
        target: ``module:attribute`` of the contender.
        arguments: What the contender takes beside its folder.
        folder: An empty folder for the contender's files.
        reads: The most reads to time, of each kind.
        read_seconds: When to stop timing reads of a kind, in seconds.
        verify_seconds: When to stop reading commits back, in seconds.
    """

    kind: str
    workload: str
    steps: int
    trace: str | None = None
    target: str = ""
    arguments: tuple[str, ...] = field(default=(), converter=_texts)
    folder: str = ""
    reads: int = 2_000
    read_seconds: float = 10.0
    verify_seconds: float = 60.0


@frozen
class Figures:
    """What a case's own process reports. Times are in microseconds.

    Attributes:
        made: Commits made.
        checked: How many of them were read back and verified.
        readable: How many of those checked still had the value they committed.
        isolation: Whose later changes to a value leave the past as it was, as a trial showed.
        commit_p50: Time of a commit, the median.
        commit_p99: The same, the 99th percentile.
        commit_mean: The same, the mean.
        first_tenth: The same, the mean of the first tenth of the commits.
        last_tenth: The same, the mean of the last tenth.
        old_p50: Time to read a key as of a random readable commit; None if there is but one.
        recent_p50: The same, of commits 20 before the newest on average; None if none is readable.
    """

    made: int
    checked: int
    readable: int
    isolation: str
    commit_p50: float
    commit_p99: float
    commit_mean: float
    first_tenth: float
    last_tenth: float
    old_p50: float | None
    recent_p50: float | None


@frozen
class Observed:
    """What was seen of a process from outside, in bytes.

    Attributes:
        growth: Resident memory after the last commit and a garbage collection, less that before
            the first commit.
        peak: The most resident memory in between, less that before the first commit.
        disk: The sizes of the contender's files after the last commit.
    """

    growth: float
    peak: float
    disk: float


@frozen
class Row:
    """One contender in one workload: the median of the repetitions, or why there is none.

    Attributes:
        contender: Its name.
        wanted: The commits of the whole workload; a contender may be limited to fewer.
        figures: What it reported.
        observed: What was seen from outside.
        skipped: Why it did not run.
        raw: The figures of each repetition.
    """

    contender: str
    wanted: int
    figures: Figures | None = None
    observed: Observed | None = None
    skipped: str | None = None
    raw: tuple[tuple[Figures, Observed], ...] = ()


@frozen
class Floor:
    """What the values of a workload cost without any history; means, in microseconds and bytes.

    Attributes:
        size: Encoded bytes.
        encode: Encoding alone.
        level_2: Encoding and compressing once with zstd, level 2.
        level_3: The same, level 3.
    """

    size: float
    encode: float
    level_2: float
    level_3: float


@frozen
class Twelve:
    """What a 12 KB value costs; medians, in microseconds.

    Attributes:
        size: Encoded bytes.
        encode: Encoding alone.
        level_2: Encoding, and compressing the superseded value with zstd, level 2.
        level_3: The same, level 3.
        packs: ``{setting: a pack}``.
    """

    size: float
    encode: float
    level_2: float
    level_3: float
    packs: dict[str, float]


@frozen
class Machine:
    """Where the figures are from.

    Attributes:
        cpu: The model of the processor.
        cores: How many there are.
        memory: Bytes of it.
        system: The operating system.
        disk: The kind of file system that held the files.
        python: The version of Python.
        libraries: ``{distribution: version}``.
        date: The day, in UTC.
    """

    cpu: str
    cores: int
    memory: int
    system: str
    disk: str
    python: str
    libraries: dict[str, str]
    date: str


@frozen
class Report:
    """Everything measured.

    Attributes:
        machine: Where.
        scale: The share of the full number of commits.
        repetitions: How often each case ran.
        rows: ``{workload: its contenders}``.
        floors: ``{workload: its floor}``.
        twelve: The 12 KB value.
    """

    machine: Machine
    scale: float
    repetitions: int
    rows: dict[str, list[Row]] = field(factory=dict)
    floors: dict[str, Floor] = field(factory=dict)
    twelve: Twelve | None = None
