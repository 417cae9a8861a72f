"""Where the figures are from: the machine, the system, the versions."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from peers import memory
from peers.records import Machine

__all__ = ["describe"]

_LIBRARIES = (
    "backpack-memory",
    "ormsgpack",
    "backports.zstd",
    "langgraph-checkpoint",
    "langgraph-checkpoint-sqlite",
    "diskcache",
    "ZODB",
    "immutables",
    "psutil",
)


def describe(folder: Path) -> Machine:
    """Return what machine this is; ``folder`` is where the contenders' files go."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        memory=memory.total(),
        system=_system(),
        disk=_file_system(folder),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        libraries={name: found for name in _LIBRARIES if (found := _version(name)) is not None},
        date=datetime.now(UTC).date().isoformat(),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()
    return f"{name}, {platform.system()} {platform.release()}"


def _file_system(folder: Path) -> str:
    """Return the kind of file system a folder is on: that of the longest mount point above it."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    found = [
        (len(parts[1]), parts[2])
        for parts in (line.split() for line in mounts)
        if folder.resolve().is_relative_to(parts[1])
    ]
    return max(found, default=(0, "unknown"))[1]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
