"""The command ``backpack check``: tries policies against the laws of the specification."""

from __future__ import annotations

from importlib import import_module
from random import SystemRandom

import click

from backpack.cli.options import no_imports
from backpack.cli.terminal import complain, emit, emit_json, is_unicode, progress
from backpack.errors import ConfigError
from backpack.report import to_ascii

__all__ = ["check"]

# The backspace keeps click from filling the lines.
_CHECK_CODES = """\b
Exit codes:
  0    every law holds, as far as it was tried
  1    a law is broken
  2    bad input: nothing could be checked of a target
  130  interrupted
"""


@click.command(epilog=_CHECK_CODES)
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@click.option("--preset", metavar="NAME", help="Check the policies of a preset.")
@click.option(
    "--config", "config_file", metavar="FILE", type=click.Path(), help="Check those of a YAML file."
)
@click.option("--axis", metavar="AXIS", help="What TARGET is, where it could be several things.")
@click.option("--laws", metavar="ID,...", help="Only these laws; all if left out.")
@click.option(
    "--expect",
    "expected",
    metavar="ID=REASON",
    multiple=True,
    help="A law that is broken, and is meant to be; may be repeated.",
)
@click.option("--seed", metavar="N", type=int, help="Draw the same examples as a run before.")
@click.option(
    "--examples", metavar="N", type=click.IntRange(min=1), help="Examples a law; 200 if left out."
)
@click.option(
    "--time-limit",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    help="What one example may take before it counts as hanging; 20 if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the reports for programs.")
@no_imports
def check(
    targets: tuple[str, ...],
    preset: str | None,
    config_file: str | None,
    axis: str | None,
    laws: str | None,
    expected: tuple[str, ...],
    seed: int | None,
    examples: int | None,
    time_limit: float,
    as_json: bool,
    no_imports: bool,
) -> int:
    """Check policies against the laws of the specification.

    A TARGET is 'module:Class', 'module:function' where the function is a policy or makes one
    without arguments, or the name of a built-in one. Modules are looked for in the current folder,
    too. It needs backpack-memory[spec].
    """
    if bool(targets) + (preset is not None) + (config_file is not None) != 1:
        raise click.UsageError("say what to check: a TARGET, --preset or --config, one of them")
    try:
        spec = import_module("backpack.spec.command")
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        raise ConfigError(
            'checking needs the package hypothesis; pip install "backpack-memory[spec]" brings it'
        ) from error
    options = {
        "axis": axis,
        "laws": laws.replace(" ", "").split(",") if laws else None,
        "expected": dict(map(_expectation, expected)),
        "seed": SystemRandom().randrange(2**31) if seed is None else seed,
        "examples": examples,
        "time_limit": time_limit,
        "imports": not no_imports,
    }
    named = [{"name": each, "target": each} for each in targets]
    if preset is not None:
        named = [{"name": f"preset {preset}", "preset": preset}]
    elif config_file is not None:
        named = [{"name": config_file, "config": config_file}]
    results = []
    for each in named:
        job = spec.Job(**each, **options)
        with progress(f"checking {job.name}") as advance:
            results.append(spec.check(job, lambda _, done, total: advance and advance(done, total)))
        for report in () if as_json else results[-1].reports:
            emit(f"{to_ascii(str(report)) if not is_unicode() else report}\n\n")
    if as_json:
        emit_json(
            {
                "ok": all(each.ok for each in results),
                "reports": [report.as_dict() for each in results for report in each.reports],
                "errors": {each.name: each.error for each in results if each.error},
            }
        )
    for result in results:
        if result.error is not None:
            # A policy is named by the error itself where that is about what it is.
            is_named = result.error.startswith(f"{result.name} ")
            complain(result.error if is_named else f"{result.name}: {result.error}")
    return int(spec.exit_code(results))


def _expectation(text: str) -> tuple[str, str]:
    """Read what stands after --expect."""
    law, separator, reason = text.partition("=")
    if not separator or not reason.strip():
        raise click.UsageError(f"--expect wants ID=REASON, found {text!r}")
    return law.strip(), reason.strip()
