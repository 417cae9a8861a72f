"""The command: runs the cases in turn, and shows and writes what came of them."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs
import click
from rich.console import Console

from peers import tables
from peers.contenders import CONTENDERS, Contender
from peers.machine import describe
from peers.records import Figures, Floor, Machine, Observed, Report, Row, Shape, Task, Twelve
from peers.runner import CaseFailed, Skipped, no_room, run, run_case
from peers.workloads import WORKLOADS, shape_of_trace

__all__ = ["main"]

_Record = TypeVar("_Record", Figures, Floor, Observed, Twelve)

_FEWEST = 20
_TWELVE = 2_000
# Of what goes into a file, so that a line of a table is a line.
_WIDTH = 240


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="A Markdown file; JSON goes beside.")
@click.option("--trace", type=click.Path(exists=True), help="A trace, for the workload airline.")
@click.option("--scale", type=click.FloatRange(0, 1, min_open=True), default=1.0, help="Try less.")
@click.option("--repeat", type=click.IntRange(1), default=3, help="Repetitions of each case.")
@click.option("--workload", "names", multiple=True, type=click.Choice(list(WORKLOADS)))
@click.option("--contender", "who", multiple=True, type=click.Choice(list(CONTENDERS)))
@click.option("--reads", type=click.IntRange(1), default=2_000, help="Reads to time, of each kind.")
@click.option("--verify-seconds", type=float, default=60.0, help="At most so long a case.")
@click.option("--keep", is_flag=True, help="Keep what --out has of the workloads not run.")
def main(
    out: Path | None,
    trace: str | None,
    scale: float,
    repeat: int,
    names: tuple[str, ...],
    who: tuple[str, ...],
    reads: int,
    verify_seconds: float,
    keep: bool,
) -> None:
    """Measure Backpack beside other ways to keep an agent's past."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    errors = Console(stderr=True)
    report = Report(describe(Path(tempfile.gettempdir())), scale, repeat)
    if keep and out is not None and out.with_suffix(".json").exists():
        report = _kept(report, json.loads(out.with_suffix(".json").read_text(encoding="utf-8")))
    chosen = [CONTENDERS[name] for name in who] if who else list(CONTENDERS.values())
    template = Task("case", "", 0, trace=trace, reads=reads, verify_seconds=verify_seconds)
    try:
        for name in dict.fromkeys(names or WORKLOADS):
            if WORKLOADS[name].make is None and trace is None:
                console.print(f"{name}: skipped, for no trace was given; give one with --trace")
                continue
            shape = _shape(name, scale, trace)
            task = attrs.evolve(template, workload=name, steps=shape.steps)
            report.rows[name], report.floors[name] = _run_workload(
                task, shape, chosen, repeat, errors
            )
            report = _in_order(report)
            console.print(tables.rich(tables.of_workload(name, report.rows[name])))
            _write(report, out)
        twelve = attrs.evolve(template, kind="twelve", steps=max(_FEWEST, int(_TWELVE * scale)))
        report = attrs.evolve(report, twelve=Twelve(**run(twelve)))
    except CaseFailed as failed:
        errors.print(f"FAILED {failed}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
    for table in tables.closing(report):
        console.print(tables.rich(table))
    _write(report, out)


def _shape(name: str, scale: float, trace: str | None) -> Shape:
    """Return how large a workload is at a scale."""
    workload = WORKLOADS[name]
    if workload.make is None and trace is not None:
        whole = shape_of_trace(trace)
        return attrs.evolve(whole, steps=_scaled(whole.steps, scale))
    return workload.shape_at(_scaled(workload.shape.steps, scale))


def _scaled(steps: int, scale: float) -> int:
    return min(steps, max(_FEWEST, round(steps * scale)))


def _run_workload(
    task: Task, shape: Shape, chosen: Sequence[Contender], repeat: int, errors: Console
) -> tuple[list[Row], Floor]:
    """Run every contender in turn, and all of them again: what disturbs one disturbs all."""
    contenders = [each for each in chosen if not each.only or task.workload in each.only]
    raw: dict[str, list[tuple[Figures, Observed]]] = {each.name: [] for each in contenders}
    skipped: dict[str, str] = {}
    floors = []
    for repetition in range(repeat):
        for each in contenders:
            if each.name in skipped:
                continue
            say = f"{task.workload}, {each.name}, {repetition + 1} of {repeat}"
            try:
                raw[each.name].append(_run_contender(task, shape, each))
                errors.print(say, highlight=False)
            except Skipped as reason:
                skipped[each.name] = str(reason)
                errors.print(f"{say}: skipped: {reason}", highlight=False, markup=False)
        floors.append(Floor(**run(attrs.evolve(task, kind="floor"))))
    rows = [
        Row(each.name, shape.steps, skipped=skipped[each.name])
        if each.name in skipped
        else _row(each.name, shape.steps, raw[each.name])
        for each in contenders
    ]
    return rows, _median(floors)


def _run_contender(task: Task, shape: Shape, contender: Contender) -> tuple[Figures, Observed]:
    if missing := contender.missing():
        raise Skipped(f"{', '.join(missing)} not installed; the extra 'bench' has it")
    steps = min(shape.steps, contender.limits.get(task.workload, shape.steps))
    keys = shape.keys
    if WORKLOADS[task.workload].shrinks_keys:
        keys = min(keys, steps // 2)
    needs = contender.needs(attrs.evolve(shape, steps=steps, keys=keys))
    if reason := no_room(needs, Path(tempfile.gettempdir())):
        raise Skipped(reason)
    return run_case(
        attrs.evolve(task, steps=steps, target=contender.target, arguments=contender.arguments)
    )


def _row(name: str, wanted: int, raw: list[tuple[Figures, Observed]]) -> Row:
    figures = _median([each for each, _ in raw])
    observed = _median([each for _, each in raw])
    return Row(name, wanted, figures, observed, raw=tuple(raw))


def _median(records: list[_Record]) -> _Record:
    """Return a record of the medians of each number; of the rest, what the first has."""
    values: dict[str, Any] = {}
    for name, first in attrs.asdict(records[0], recurse=False).items():
        found = [getattr(record, name) for record in records]
        numbers = [each for each in found if isinstance(each, int | float)]
        values[name] = statistics.median(numbers) if numbers else first
        if isinstance(first, int):
            values[name] = round(values[name])
    return type(records[0])(**values)


def _write(report: Report, out: Path | None) -> None:
    if out is not None:
        out.write_text(tables.document(report), encoding="utf-8")
        text = json.dumps(attrs.asdict(report), indent=1)
        out.with_suffix(".json").write_text(text + "\n", encoding="utf-8")


def _kept(report: Report, data: dict[str, Any]) -> Report:
    """Return the report with the workloads of an earlier one; they were measured as it was."""
    if (data["scale"], data["repetitions"]) != (report.scale, report.repetitions):
        raise click.UsageError(
            f"--keep: the file has scale {data['scale']:g} and {data['repetitions']} repetitions"
        )
    if attrs.evolve(Machine(**data["machine"]), date="") != attrs.evolve(report.machine, date=""):
        raise click.UsageError("--keep: the file is of another machine or of other versions")
    rows = {name: [_read_row(row) for row in rows] for name, rows in data["rows"].items()}
    floors = {name: Floor(**floor) for name, floor in data["floors"].items()}
    return attrs.evolve(report, rows=rows, floors=floors)


def _in_order(report: Report) -> Report:
    """Return the report with its workloads in the order in which they are run."""
    rows = {name: report.rows[name] for name in WORKLOADS if name in report.rows}
    floors = {name: report.floors[name] for name in rows}
    return attrs.evolve(report, rows=rows, floors=floors)


def _read_row(data: dict[str, Any]) -> Row:
    raw = tuple((Figures(**figures), Observed(**observed)) for figures, observed in data["raw"])
    if data["skipped"] is not None:
        return Row(data["contender"], data["wanted"], skipped=data["skipped"])
    return _row(data["contender"], data["wanted"], list(raw))
