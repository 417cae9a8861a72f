"""Backpacks that are made again: from an archive, to go on there, or from a file."""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from backpack.codec.layout import class_name
from backpack.config import load_preset, load_settings
from backpack.engine import Engine
from backpack.errors import ArchiveError, ConfigError
from backpack.labels import check_name
from backpack.saving import saved
from backpack.settings import Settings
from backpack.wording import described, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    from backpack.config import Config
    from backpack.container import Backpack
    from backpack.protocols import Archive, ReadableLog

__all__ = ["archives", "open_in", "restore_from", "save"]

B = TypeVar("B", bound="Backpack")

#: What is decoded without running code of the data.
_SAFE = "msgpack"
_EVERY = 100


def archives() -> Any:
    """Return the package of archives and checkpoints, imported now.

    Raises:
        ArchiveError: What it needs is not installed.
    """
    try:
        return import_module("backpack.archive")
    except ModuleNotFoundError as error:
        raise ArchiveError(
            f"archives and checkpoints need the package {error.name}; "
            'pip install "backpack-memory[archive]" brings it'
        ) from error


def place_of_archive(archive: object) -> Archive:
    """Return the archive that a caller means.

    Raises:
        ConfigError: It is none.
    """
    place: Any = (
        archives().SqlArchive(archive, write="on-commit") if isinstance(archive, str) else archive
    )
    if not callable(getattr(place, "resume", None)) or isinstance(place, type):
        raise ConfigError(
            f"an archive is opened by its URL, such as 'sqlite:///runs.db', or as an object like "
            f"SqlArchive(url), not by {described(archive)}",
            field="archive",
        )
    found: Archive = place
    return found


def open_in(
    cls: type[B],
    archive: str | Archive,
    name: str,
    preset: str | None,
    allow_imports: bool,
    clock: Callable[[], float],
    overrides: Mapping[str, Any],
    begun: str = "default",
) -> B:
    """Do what :meth:`Backpack.open <backpack.container.Backpack.open>` does.

    Where there is none yet and no preset is given, it is begun with the preset ``begun``.
    """
    name = check_name(name)
    if "archive" in overrides:
        raise ConfigError("the archive is what is opened; give it first", field="archive")
    place = place_of_archive(archive)
    # Before there is anything of an archive: a preset that cannot work leaves nothing behind.
    config = None if preset is None else load_preset(preset, **overrides, archive=place)
    log = place.resume(name)
    if log is None:
        config = config or load_preset(begun, **overrides, archive=place)
        return cls(**config.arguments(), clock=clock, name=name)
    try:
        config = _config_of(log, shown(name), preset, allow_imports, overrides)
        backpack = _empty(cls, config, clock, log, place)
        backpack._engine.attach(log)
        backpack._engine.restore(log)
    except BaseException:
        log.close()
        raise
    return backpack


def restore_from(
    cls: type[B],
    path: str | PathLike[str],
    name: str | None,
    preset: str | None,
    allow_imports: bool,
    clock: Callable[[], float],
    progress: Callable[[int, int], None] | None,
    overrides: Mapping[str, Any],
) -> B:
    """Do what :meth:`Backpack.restore <backpack.container.Backpack.restore>` does."""
    checkpoints = archives().checkpoint
    if name is not None:
        name = check_name(name)
    url = overrides.get("archive")
    if isinstance(url, str) and "://" in url:
        overrides = {**overrides, "archive": place_of_archive(url)}
    found = checkpoints.look_into(path, name)

    def done(number: int) -> None:
        if progress is not None and number % _EVERY == 0:
            progress(number, found.versions)

    with closing(checkpoints.opened(path, found)) as source:
        config = _config_of(source, str(path), preset, allow_imports, overrides)
        archive = config.strategies.archive
        checkpoints.check_apart(path, archive)
        backpack = _empty(cls, config, clock, source, archive)
        engine = backpack._engine
        # Where it does not fit, nothing is to be left behind in the archive.
        engine.restore(source, done)
        if archive is not None:
            retained = set(engine.history.commits.seqs)
            entered = checkpoints.all_of(source, retained=retained)
            engine.begin(found.name, source.settings, entered)
    if progress is not None:
        progress(found.versions, found.versions)
    return backpack


def save(
    engine: Engine,
    path: str | PathLike[str],
    *,
    archived: bool,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Do what :meth:`Backpack.save <backpack.container.Backpack.save>` does."""
    checkpoints = archives().checkpoint
    with engine.lock:
        engine.history.settle()
        log = None if engine.scribe is None else engine.scribe.log
        logged = checkpoints.count_of(log) if archived else None
        checkpoints.write(path, saved(engine, archived=archived, logged=logged), progress, log)


def _config_of(
    log: ReadableLog,
    file: str,
    preset: str | None,
    allow_imports: bool,
    overrides: Mapping[str, Any],
) -> Config:
    """Return the settings that a log was begun with, or others, if these can read it."""
    if preset is not None:
        config = load_preset(preset, **overrides)
    else:
        config = load_settings(log.settings, file=file, allow_imports=allow_imports, **overrides)
    codec = class_name(type(config.strategies.codec))
    if log.codec != codec:
        raise ConfigError(
            f"{file} was written with the codec {shown(log.codec)}, not {codec}; open it with that",
            field="codec",
        )
    if preset is None and "codec" not in overrides and getattr(config.codec, "name", "") != _SAFE:
        raise ConfigError(
            f"{file} was written with the codec {codec}, which may run code of what it reads; if "
            "you trust it, say so: codec='unsafe-pickle'",
            field="codec",
        )
    return config


def _empty(
    cls: type[B],
    config: Config,
    clock: Callable[[], float],
    log: ReadableLog,
    archive: Archive | None,
) -> B:
    """Return a Backpack of the code of a log, with nothing in it yet."""
    arguments = config.arguments()
    arguments["archive"] = archive
    settings = Settings(**arguments, clock=clock)
    # Not begun: what it is called with makes a new log, or none.
    backpack = cls.__new__(cls)
    backpack._engine = Engine(settings, log.code)
    return backpack
