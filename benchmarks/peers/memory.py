"""Memory as the operating system counts it: of another process, and of the machine.

psutil tells it everywhere; on Linux ``/proc`` does without it, and also the peak.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

__all__ = ["available", "forget_peak", "peak", "resident", "total"]

try:
    _psutil: Any = importlib.import_module("psutil")
except ModuleNotFoundError:
    _psutil = None


def resident(process: int) -> int:
    """Return the bytes of a process that are in memory."""
    if _psutil is not None:
        return int(_psutil.Process(process).memory_info().rss)
    return _proc(Path(f"/proc/{process}/status"), "VmRSS")


def forget_peak(process: int) -> None:
    """Let the peak of a process begin anew, where the system can."""
    try:
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def peak(process: int) -> int:
    """Return the most bytes of a process there were in memory, or those there are."""
    try:
        return _proc(Path(f"/proc/{process}/status"), "VmHWM")
    except OSError:
        return resident(process)


def available() -> int:
    """Return the bytes of memory that may be taken without swapping."""
    if _psutil is not None:
        return int(_psutil.virtual_memory().available)
    return _proc(Path("/proc/meminfo"), "MemAvailable")


def total() -> int:
    """Return the bytes of memory the machine has."""
    if _psutil is not None:
        return int(_psutil.virtual_memory().total)
    return _proc(Path("/proc/meminfo"), "MemTotal")


def _proc(path: Path, name: str) -> int:
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{path} tells no {name}; install psutil to measure memory here")
