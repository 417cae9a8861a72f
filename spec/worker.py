"""The process in which the command line checks policies, so that nothing they do reaches it.

A policy may print, exit, crash the interpreter or hold on to it for ever. The command starts
this module as a program, gives it a job as JSON on its standard input, and reads a message in
JSON from each line of its output: what is checked, which law is tried, the verdicts, and a pulse
once a second for as long as the interpreter runs.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from attrs import asdict, evolve

from backpack.config import load_file, load_preset
from backpack.errors import BackpackError, ConfigError
from backpack.spec.check import Check, plan
from backpack.spec.laws import CONTAINER, LAWS, laws_of
from backpack.spec.target import Subject, configured, named
from backpack.spec.trial import first_line
from backpack.wording import one_line

__all__ = ["checks", "main"]

_PULSE: float = 1.0


def main() -> None:
    """Do the job that stands on standard input, and tell about it on standard output."""
    job: dict[str, Any] = json.load(sys.stdin)
    tell = _line_of_my_own()
    threading.Thread(target=_beat, args=(tell,), daemon=True).start()
    try:
        for number, check in enumerate(checks(job)):
            if number in job["done"]:
                continue
            judged = job["judged"] if number == job["at"] else []
            _do(check, number, judged, tell)
    except BackpackError as error:
        tell({"error": one_line(str(error), longest=1000)})
    except BaseException as error:
        tell({"error": one_line(f"{type(error).__name__}: {error}", longest=1000)})
    tell({"end": True})
    os._exit(0)  # Threads that a policy has left behind would keep the process.


def checks(job: dict[str, Any]) -> Iterator[Check]:
    """Plan what a job asks for.

    Args:
        job: What the command was called with.

    Raises:
        ConfigError: A target cannot be checked.
    """
    subjects = list(_subjects(job))
    asked = job["laws"]
    expected: dict[str, str] = job["expected"]
    found = 0
    for subject in subjects:
        laws = laws_of(subject.axis)
        if len(subjects) == 1 and subject.axis != CONTAINER:
            laws = (*laws, *laws_of(CONTAINER))
        if asked is not None:
            if not LAWS.keys() >= set(asked):
                plan(subject, laws=asked)  # Which says what is wrong with them.
            laws = tuple(law for law in laws if law in asked)
        if not laws:
            continue
        found += 1
        yield plan(
            subject,
            laws=laws,
            expected_failures={law: why for law, why in expected.items() if law in laws},
            seed=job["seed"],
            examples=job["examples"],
            time_limit=job["time_limit"],
        )
    if not found:
        raise ConfigError(f"none of {', '.join(asked)} binds what is to be checked", field="laws")


def _subjects(job: dict[str, Any]) -> Iterator[Subject]:
    if job["preset"] is not None:
        config = load_preset(job["preset"])
        yield from configured(config, f"preset {config.name}", f"--preset {config.name}")
    elif job["config"] is not None:
        config = load_file(job["config"], allow_imports=job["imports"])
        yield from configured(config, job["config"], f"--config {job['config']}")
    else:
        yield named(job["target"], axis=job["axis"])


def _do(check: Check, number: int, judged: list[str], tell: Callable[[Any], None]) -> None:
    """Try the laws that are not judged yet."""
    left = tuple(law for law in check.laws if law not in judged)
    tell(
        {
            "subject": check.subject.name,
            "axis": check.subject.axis,
            "at": number,
            "laws": check.laws,
            "replay": check.replay,
            "examples": check.effort.examples,
        }
    )
    rest = evolve(check, laws=left)
    for verdict, found in rest.verdicts(lambda law: tell({"begin": law})):
        tell({"verdict": asdict(verdict), "printed": first_line(found.printed)})
    tell({"done": number})


def _line_of_my_own() -> Callable[[Any], None]:
    """Return what writes messages; whatever else is printed from here on goes nowhere."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    lock = threading.Lock()

    def tell(message: Any) -> None:
        with lock:
            own.write(json.dumps(message) + "\n")
            own.flush()

    return tell


def _beat(tell: Callable[[Any], None]) -> None:
    while True:
        tell({"pulse": True})
        time.sleep(_PULSE)


if __name__ == "__main__":
    main()
