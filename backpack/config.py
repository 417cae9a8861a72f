"""Configurations: a preset or a YAML file, with overrides, as the strategies of a Backpack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypedDict, cast

from attrs import evolve, field, frozen

from backpack.budget import MINIMUM_BUDGET
from backpack.configs import preset_bytes, preset_names
from backpack.document import Document, parse_document, read_document
from backpack.errors import ConfigError
from backpack.events import log
from backpack.registry import ARCHIVE, AXES, Axis
from backpack.strategies import Use, check, construct, placed, use_from
from backpack.units import parse_size
from backpack.wording import found, nearest, one_of, shown

if TYPE_CHECKING:
    import os

    from backpack.protocols import (
        Archive,
        Codec,
        PruningPolicy,
        ReferencePolicy,
        SizingPolicy,
        StoragePolicy,
    )

__all__ = [
    "Arguments",
    "Config",
    "Strategies",
    "Use",
    "load_file",
    "load_preset",
    "load_settings",
    "preset_names",
]

_OVERRIDES = ("max_history_size", *AXES, "archive")
_SETTINGS = ("preset", "description", *_OVERRIDES)


@frozen
class Strategies:
    """One constructed strategy for each axis."""

    sizing: SizingPolicy
    reference: ReferencePolicy
    storage: StoragePolicy
    pruning: PruningPolicy
    codec: Codec
    archive: Archive | None = None


class Arguments(TypedDict):
    """The keyword arguments of a Backpack that a configuration decides."""

    max_history_size: int
    sizing: SizingPolicy
    reference: ReferencePolicy
    storage: StoragePolicy
    pruning: PruningPolicy
    codec: Codec
    archive: Archive | None


@frozen
class Config:
    """What a preset or a file says, with overrides applied.

    Two configurations that say the same are equal, wherever they were read.

    Attributes:
        name: The name of the preset; of the file, if it names none.
        description: When to choose it.
        max_history_size: The history budget, in bytes.
        sizing: The sizing policy; each axis is a :class:`Use`, or the object that overrode it.
        reference: The reference policy.
        storage: The storage policy.
        pruning: The pruning policy.
        codec: The codec.
        archive: The archive; None if what history gives up is lost.
        strategies: The strategies that were constructed when this was read.
        allow_imports: Whether code that does not come with Backpack may be imported.
        document: The file all this comes from.
    """

    name: str
    description: str
    max_history_size: int
    sizing: Use | SizingPolicy
    reference: Use | ReferencePolicy
    storage: Use | StoragePolicy
    pruning: Use | PruningPolicy
    codec: Use | Codec
    archive: Use | Archive | None
    strategies: Strategies = field(eq=False, repr=False)
    allow_imports: bool = field(eq=False, repr=False)
    document: Document = field(eq=False, repr=False)

    @property
    def source(self) -> str:
        """The file it was read from."""
        return self.document.file

    def arguments(self) -> Arguments:
        """The keyword arguments of a Backpack, with :attr:`strategies`.

        Backpacks made from the same strategies share what state these hold: the codec knows the
        classes it met, the other built-in ones hold none. To share nothing, let each Backpack
        have the strategies of another :meth:`build`.
        """
        return Arguments(
            max_history_size=self.max_history_size,
            sizing=self.strategies.sizing,
            reference=self.strategies.reference,
            storage=self.strategies.storage,
            pruning=self.strategies.pruning,
            codec=self.strategies.codec,
            archive=self.strategies.archive,
        )

    def build(self) -> Strategies:
        """Construct new strategies; the objects that overrode a setting are used as they are.

        Raises:
            ConfigError: One of them refuses its arguments or breaks its contract.
        """
        settings: dict[str, object] = {axis: getattr(self, axis) for axis in (*AXES, "archive")}
        return _built(settings, self.document, allow_imports=self.allow_imports)


def load_preset(name: str, /, **overrides: object) -> Config:
    """Read a preset.

    Args:
        name: One of :func:`preset_names`.
        **overrides: Settings to use instead: ``max_history_size``, or an axis. An axis takes a
            strategy, a name, or a mapping: with ``use``, it replaces the preset's own; without,
            it changes single arguments of that. None changes nothing.

    Returns:
        The configuration; it can be built.

    Raises:
        ConfigError: There is no such preset, or an override cannot work.

    >>> config = load_preset("default", max_history_size="8 MiB", pruning={"fraction": 0.5})
    >>> config.max_history_size, config.pruning
    (8388608, Use(name='oldest', arguments={'fraction': 0.5}))
    """
    return _config(_preset(name), overrides, allow_imports=True)


def load_settings(
    text: str, /, *, file: str, allow_imports: bool = False, **overrides: object
) -> Config:
    """Read settings that were saved with a Backpack.

    Args:
        text: The settings.
        file: What to call where they come from.
        allow_imports: Whether a name may stand for code that does not come with Backpack.
        **overrides: As for :func:`load_preset`.

    Raises:
        ConfigError: Something in them or in the overrides cannot work.
    """
    document = parse_document(text.encode(), file=file)
    if "archive" in document.values:  # Nobody saves it: what is restored would write there.
        raise ConfigError("saved settings name no archive, and these do", where=file)
    for name in overrides:
        document = document.without(name) if name in document.values else document
    kept = {name: value for name, value in document.values.items() if name not in overrides}
    document = evolve(document, values={"preset": "saved", **kept})
    # Whoever gives nothing but a budget has it resized, to what may be below the limit per value.
    is_resized = "reference" not in overrides
    return _config(document, overrides, allow_imports=allow_imports, is_resized=is_resized)


def load_file(
    path: str | os.PathLike[str], /, *, allow_imports: bool = True, **overrides: object
) -> Config:
    """Read a YAML file. A setting it leaves out is that of the ``default`` preset.

    Args:
        path: The file.
        allow_imports: Whether a name may stand for code that does not come with Backpack. Such
            code runs when it is imported: refuse it for a file you do not trust.
        **overrides: As for :func:`load_preset`.

    Returns:
        The configuration; it can be built.

    Raises:
        ConfigError: The file cannot be read, or something in it or in the overrides cannot
            work. The message begins with the file and the line.
    """
    return _config(read_document(path), overrides, allow_imports=allow_imports)


def _preset(name: str) -> Document:
    """The file of a preset."""
    names, given = preset_names(), cast("object", name)
    if name in names:
        return _built_in(name)
    meant = nearest(given, names) if isinstance(given, str) else None
    if meant is not None:
        advice = f"did you mean {meant!r}?"
    else:
        advice = (
            f"there are: {one_of(names)}; or take a file of your own, with from_file or --config"
        )
    raise ConfigError(f"no preset is called {shown(name)}; {advice}")


@cache
def _built_in(name: str) -> Document:
    """The file of a preset that there is; parsed once, since nobody changes it."""
    return parse_document(preset_bytes(name), file=f"{name}.yaml")


def _config(
    document: Document,
    overrides: Mapping[str, object],
    *,
    allow_imports: bool,
    is_resized: bool = False,
) -> Config:
    """The configuration a file and overrides describe, with its strategies constructed.

    The budget of a Backpack that was resized may be below its limit per value.
    """
    for name in document.values:
        if name not in _SETTINGS:
            raise _unknown(name, _SETTINGS, where=document.where(name))
    values = {**_preset("default").values, "preset": document.file, "description": ""}
    values |= document.values
    uses: dict[str, Use] = {}
    axes = _axes(values, overrides)
    with _blamed(document):
        title = _text(values, "preset")
        description = _text(values, "description")
        max_history_size = parse_size(
            cast("int | str", values["max_history_size"]), field="max_history_size"
        )
    for axis in axes.values():
        if values.get(axis.name) is not None or axis is not ARCHIVE:
            with _blamed(document, axis.name):
                uses[axis.name] = use_from(axis, values[axis.name])
    settings: dict[str, object] = {**uses}
    for name, value in overrides.items():
        if name not in _OVERRIDES:
            raise _unknown(name, _OVERRIDES)
        if value is None:
            continue
        if name == "max_history_size":
            max_history_size = parse_size(cast("int | str", value), field=name)
            document = document.without(name)
        else:
            settings[name], kept = _overridden(axes[name], uses.get(name), value)
            document = document.without(name, but=kept)
    strategies = _built(settings, document, allow_imports=allow_imports)
    _check_budget(max_history_size, document)
    if not is_resized:
        _check_limit(strategies.reference, max_history_size, document)
    config = Config(
        name=title,
        description=description,
        max_history_size=max_history_size,
        sizing=cast("Use | SizingPolicy", settings["sizing"]),
        reference=cast("Use | ReferencePolicy", settings["reference"]),
        storage=cast("Use | StoragePolicy", settings["storage"]),
        pruning=cast("Use | PruningPolicy", settings["pruning"]),
        codec=cast("Use | Codec", settings["codec"]),
        archive=cast("Use | Archive | None", settings.get("archive")),
        strategies=strategies,
        allow_imports=allow_imports,
        document=document,
    )
    log(
        "info",
        "config_loaded",
        name=title,
        source=document.file,
        max_history_size=max_history_size,
    )
    return config


def _text(values: Mapping[str, object], name: str) -> str:
    """A setting that is text."""
    value = values[name]
    if not isinstance(value, str):
        raise ConfigError(f"expected text; found {found(value)}", field=name)
    return value.strip()


def _axes(*settings: Mapping[str, object]) -> Mapping[str, Axis]:
    """Return the axes that have a strategy: all, and the archive where there is one."""
    if any(each.get("archive") is not None for each in settings):
        return {**AXES, "archive": ARCHIVE}
    return AXES


def _overridden(axis: Axis, own: Use | None, value: object) -> tuple[object, set[str]]:
    """The setting of an axis with an override applied, and the names in it that stay."""
    if not isinstance(value, str | Use | Mapping):
        return value, set()
    with _blamed(None, axis.name):
        if own is not None and isinstance(value, Mapping) and "use" not in value:
            merged = use_from(axis, {"use": own.name, **own.arguments, **value})
            return merged, {"use", *own.arguments} - set(value)
        return use_from(axis, value), set()


def _built(
    settings: Mapping[str, object], document: Document, *, allow_imports: bool
) -> Strategies:
    """The strategies that the settings of the axes describe."""
    strategies: dict[str, object] = {}
    for axis in _axes(settings).values():
        setting = settings[axis.name]
        with _blamed(document, axis.name):
            if isinstance(setting, Use):
                strategies[axis.name] = construct(axis, setting, allow_imports=allow_imports)
            else:
                check(axis, setting, field=None)
                strategies[axis.name] = setting
    return Strategies(
        sizing=cast("SizingPolicy", strategies["sizing"]),
        reference=cast("ReferencePolicy", strategies["reference"]),
        storage=cast("StoragePolicy", strategies["storage"]),
        pruning=cast("PruningPolicy", strategies["pruning"]),
        codec=cast("Codec", strategies["codec"]),
        archive=cast("Archive | None", strategies.get("archive")),
    )


def _check_budget(max_history_size: int, document: Document) -> None:
    """Refuse a budget too small for any history."""
    if max_history_size < MINIMUM_BUDGET:
        raise ConfigError(
            f"{max_history_size:,} bytes cannot hold a history; "
            f"the least is {MINIMUM_BUDGET:,} bytes",
            field="max_history_size",
            where=document.where("max_history_size"),
        )


def _check_limit(reference: ReferencePolicy, max_history_size: int, document: Document) -> None:
    """Refuse a limit per value above the budget."""
    limit = getattr(reference, "max_value_size", None)
    if isinstance(limit, int) and limit > max_history_size:
        blamed = "reference.max_value_size"
        raise ConfigError(
            f"{limit:,} bytes for one value is above max_history_size ({max_history_size:,} "
            "bytes); lower it, or raise max_history_size",
            field=blamed,
            where=document.where(blamed) or document.where("max_history_size"),
        )


def _unknown(name: str, known: tuple[str, ...], *, where: str | None = None) -> ConfigError:
    """An error about a setting that does not exist."""
    meant = nearest(name, known)
    advice = f"did you mean {meant!r}?" if meant else f"there are: {one_of(known)}"
    return ConfigError(f"no setting is called {shown(name)}; {advice}", where=where)


@contextmanager
def _blamed(document: Document | None, prefix: str = "") -> Iterator[None]:
    """Give the errors of a block their place: the setting, and the line if a file has it."""
    try:
        yield
    except ConfigError as error:
        moved = placed(error, prefix)
        where = document.where(moved.field) if document and moved.field else None
        raise placed(moved, "", where=where) from error.__cause__
