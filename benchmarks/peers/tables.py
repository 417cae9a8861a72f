"""The figures as tables, for the terminal and for a document."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen
from rich.table import Table as RichTable

from peers.contenders import BACKPACK, CONTENDERS
from peers.records import Floor, Machine, Report, Row, Twelve
from peers.workloads import WORKLOADS

__all__ = ["Table", "closing", "document", "of_workload", "rich"]

_BASE = "InMemorySaver"


@frozen
class Table:
    """A table: a title, what is in the first column, and text in every cell.

    Attributes:
        title: Its title.
        sentence: What it shows.
        header: The names of the columns.
        rows: The cells; a row may be shorter than the header.
        prose: Whether the cells are words rather than numbers.
    """

    title: str
    sentence: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


def of_workload(name: str, rows: list[Row]) -> Table:
    """Return the table of a workload: a line a contender."""
    header: tuple[str, ...] = (
        "contender",
        "readable / made",
        "RSS growth, MB",
        "peak, MB",
        "disk, MB",
        "commit p50, us",
        "p99",
        "mean",
        "old read p50, us",
        "recent read p50, us",
        "isolated from",
    )
    tenths = name == "small"
    if tenths:
        header += ("first tenth, mean us", "last tenth", "bytes of RSS a commit")
    return Table(name, WORKLOADS[name].sentence, header, tuple(_line(row, tenths) for row in rows))


def _line(row: Row, tenths: bool) -> tuple[str, ...]:
    figures, observed = row.figures, row.observed
    if figures is None or observed is None:
        return (row.contender, f"skipped: {row.skipped}")
    cells = [
        row.contender,
        _readable(row),
        f"{observed.growth / 1e6:,.1f}",
        f"{observed.peak / 1e6:,.1f}",
        f"{observed.disk / 1e6:,.1f}" if observed.disk else "-",
        _micro(figures.commit_p50),
        _micro(figures.commit_p99),
        _micro(figures.commit_mean),
        _micro(figures.old_p50),
        _micro(figures.recent_p50),
        figures.isolation,
    ]
    if tenths:
        cells += [
            _micro(figures.first_tenth),
            _micro(figures.last_tenth),
            f"{observed.growth / figures.made:,.0f}",
        ]
    return tuple(cells)


def _readable(row: Row) -> str:
    """Say how many commits can be read: exactly if all were, otherwise about how many."""
    figures = row.figures
    if figures is None:
        return ""
    limited = f" (limited, of {row.wanted:,})" if figures.made < row.wanted else ""
    if figures.checked == figures.made:
        return f"{figures.readable:,} / {figures.made:,}{limited}"
    about = round(figures.readable / figures.checked * figures.made)
    return f"~{about:,} / {figures.made:,} ({figures.checked:,} checked){limited}"


def floors(report: Report) -> Table:
    """Return what values cost alone, beside what packing them took."""
    lines = []
    for name, floor in report.floors.items():
        for row in _packs(report.rows.get(name, ())):
            if row.figures is not None:
                lines.append(_share(name, floor, row.contender, row.figures.commit_mean))
    return Table(
        "floor",
        "What a value costs without a history, and what Backpack takes beyond encoding it; means, "
        "in microseconds.",
        (
            "workload",
            "contender",
            "value, bytes",
            "encode",
            "encode + zstd 2",
            "encode + zstd 3",
            "pack",
            "pack - encode",
        ),
        tuple(lines),
    )


def _share(name: str, floor: Floor, contender: str, mean: float) -> tuple[str, ...]:
    return (
        name,
        contender,
        f"{floor.size:,.0f}",
        _micro(floor.encode),
        _micro(floor.level_2),
        _micro(floor.level_3),
        _micro(mean),
        _micro(mean - floor.encode),
    )


def twelve(figures: Twelve) -> Table:
    """Return what a 12 KB value takes, and which share of it is the library's own."""
    return Table(
        "12 KB",
        f"A window of messages of {figures.size:,.0f} bytes; medians, in microseconds. Encoding "
        f"takes {_micro(figures.encode)}; encoding, and compressing the superseded value, "
        f"{_micro(figures.level_2)} with level 2 and {_micro(figures.level_3)} with level 3. A "
        "setting that does not compress a value at each pack has its own share beyond encoding.",
        ("setting", "pack", "beyond encode", "beyond encode + zstd 2", "beyond encode + zstd 3"),
        tuple(
            (
                name,
                _micro(pack),
                _micro(pack - figures.encode),
                _micro(pack - figures.level_2),
                _micro(pack - figures.level_3),
            )
            for name, pack in figures.packs.items()
        ),
    )


def ratios(report: Report) -> Table:
    """Return Backpack against the in-memory saver; below 1, Backpack takes less."""
    lines = []
    for name, rows in report.rows.items():
        base = next((row for row in rows if row.contender == _BASE), None)
        for row in _packs(rows):
            if row.figures is not None and base is not None and base.figures is not None:
                lines.append((name, row.contender, *_against(row, base)))
    return Table(
        "ratios",
        f"Backpack / {_BASE}: below 1, Backpack takes less. Memory is that of a commit made, for "
        "the saver is limited to fewer commits in some workloads (*).",
        ("workload", "contender", "RSS growth", "p50", "mean", "old read", "recent read"),
        tuple(lines),
    )


def _against(row: Row, base: Row) -> tuple[str, ...]:
    ours, theirs = row.figures, base.figures
    if ours is None or theirs is None or row.observed is None or base.observed is None:
        return ()
    mark = "*" if ours.made != theirs.made else ""
    growth = _ratio(row.observed.growth / ours.made, base.observed.growth / theirs.made)
    return (
        growth + mark,
        _ratio(ours.commit_p50, theirs.commit_p50),
        _ratio(ours.commit_mean, theirs.commit_mean),
        _ratio(ours.old_p50, theirs.old_p50),
        _ratio(ours.recent_p50, theirs.recent_p50),
    )


def _packs(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.contender.startswith(BACKPACK)]


def contenders() -> Table:
    """Return who takes part, and what each does not do."""
    return Table(
        "contenders",
        "What each does not do.",
        ("contender", "bounded", "durable", "otherwise"),
        tuple((each.name, each.budget, each.durable, each.lacks) for each in CONTENDERS.values()),
        prose=True,
    )


def closing(report: Report) -> list[Table]:
    """Return the tables that follow those of the workloads; without empty ones."""
    tables = [ratios(report), floors(report)]
    if report.twelve is not None:
        tables.append(twelve(report.twelve))
    return [table for table in (*tables, contenders()) if table.rows]


def rich(table: Table) -> RichTable:
    """Return a table for the terminal."""
    drawn = RichTable(title=f"{table.title}: {table.sentence}", title_justify="left")
    for number, name in enumerate(table.header):
        left = number == 0 or table.prose
        drawn.add_column(name, justify="left" if left else "right", overflow="fold")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def document(report: Report) -> str:
    """Return the whole report as Markdown."""
    parts = ["# Beside other stores", _about(report.machine), _how(report)]
    tables = [of_workload(name, rows) for name, rows in report.rows.items()]
    parts += [_markdown(table) for table in (*tables, *closing(report))]
    return "\n\n".join(parts) + "\n"


def _how(report: Report) -> str:
    return (
        "[How this was measured, and what the columns mean](benchmarks.md#beside-other-stores). "
        f"Each figure is the median of {report.repetitions} "
        f"{'repetition' if report.repetitions == 1 else 'repetitions'}, each in a process of its "
        f"own; every answer was verified. Scale: {report.scale:g}."
    )


def _about(machine: Machine) -> str:
    libraries = ", ".join(f"{name} {version}" for name, version in machine.libraries.items())
    return (
        f"{machine.date}: {machine.cpu}, {machine.cores} cores, {machine.memory / 2**30:.0f} GiB "
        f"of memory, files on {machine.disk}; {machine.system}; {machine.python}; {libraries}."
    )


def _markdown(table: Table) -> str:
    width = len(table.header)
    lines = [table.header, ("---",) + ("---" if table.prose else "---:",) * (width - 1)]
    lines += [row + ("",) * (width - len(row)) for row in table.rows]
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"## {table.title}\n\n{table.sentence[0].upper()}{table.sentence[1:]}\n\n{body}"


def _micro(microseconds: float | None) -> str:
    if microseconds is None:
        return "-"
    return f"{microseconds:,.1f}" if abs(microseconds) < 1000 else f"{microseconds:,.0f}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return f"{ours / theirs:.3g}" if ours is not None and theirs else "-"
