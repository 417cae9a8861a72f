"""The strategy axes, the names of what is built in, and finding what a name stands for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from attrs import frozen

from backpack.errors import ConfigError
from backpack.wording import nearest, one_line, one_of, shown

__all__ = ["ARCHIVE", "AXES", "Axis", "find"]


@frozen
class Axis:
    """One thing about a Backpack that a strategy decides.

    Attributes:
        name: Its name: the setting, and the end of the entry point group ``backpack.<name>``.
        noun: What a strategy of it is called.
        protocol: The name of its contract in ``backpack.protocols``.
        contract: The contract in words, for errors.
        methods: ``{method: number of arguments}`` a strategy must have; ``__call__`` where a
            function will do.
        built_in: ``{name: "module:Class"}`` of what comes with Backpack.
        importing: The arguments of built-in strategies that name code to import.
    """

    name: str
    noun: str
    protocol: str
    contract: str
    methods: Mapping[str, int]
    built_in: Mapping[str, str]
    importing: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The entry point group in which other packages offer strategies."""
        return f"backpack.{self.name}"


AXES: Mapping[str, Axis] = {
    axis.name: axis
    for axis in (
        Axis(
            name="sizing",
            noun="sizing policy",
            protocol="SizingPolicy",
            contract="is called with one NewValue",
            methods={"__call__": 1},
            built_in={
                "encoded": "backpack.policies.sizing:EncodedSize",
                "deep": "backpack.policies.sizing:DeepSize",
                "stored": "backpack.policies.sizing:StoredSize",
            },
        ),
        Axis(
            name="reference",
            noun="reference policy",
            protocol="ReferencePolicy",
            contract="is called with one SizedValue",
            methods={"__call__": 1},
            built_in={
                "stub": "backpack.policies.reference:Stub",
                "preview": "backpack.policies.reference:Preview",
                "spill": "backpack.policies.reference:Spill",
            },
        ),
        Axis(
            name="storage",
            noun="storage policy",
            protocol="StoragePolicy",
            contract="has the methods hold(version) and read(version)",
            methods={"hold": 1, "read": 1},
            built_in={
                "full": "backpack.policies.storage:Full",
                "compressed": "backpack.policies.storage:Compressed",
                "delta": "backpack.policies.delta:Delta",
            },
        ),
        Axis(
            name="pruning",
            noun="pruning policy",
            protocol="PruningPolicy",
            contract="is called with one PruneRequest",
            methods={"__call__": 1},
            built_in={
                "oldest": "backpack.policies.pruning:Oldest",
                "least-accessed": "backpack.policies.pruning:LeastAccessed",
                "none": "backpack.policies.pruning:KeepAll",
                "thinning": "backpack.policies.pruning:Thinning",
                "keep-tagged": "backpack.policies.pruning:KeepTagged",
            },
        ),
        Axis(
            name="codec",
            noun="codec",
            protocol="Codec",
            contract="has the methods encode(value, path) and decode(data)",
            methods={"encode": 2, "decode": 1},
            built_in={
                "msgpack": "backpack.codec:MsgpackCodec",
                "unsafe-pickle": "backpack.codec:UnsafePickleCodec",
            },
            importing=("allow",),
        ),
    )
}

#: The one that need not be: without it, what history gives up is lost.
ARCHIVE = Axis(
    name="archive",
    noun="archive",
    protocol="Archive",
    contract="has the methods start(name, code, codec, settings) and resume(name)",
    methods={"start": 4, "resume": 1},
    built_in={"sql": "backpack.archive:SqlArchive"},
)


def find(axis: Axis, name: str, *, allow_imports: bool = True) -> object:
    """Find what a name stands for, importing it now.

    Args:
        axis: The axis it is to serve.
        name: A built-in name; or an entry point in the group of the axis; or
            ``package.module:Class``. A built-in name wins over an entry point of that name.
        allow_imports: Whether code that does not come with Backpack may be imported.

    Returns:
        The class, function or object: not yet constructed, not yet checked.

    Raises:
        ConfigError: Nothing has that name, it cannot be imported, or importing is off.
    """
    target = axis.built_in.get(name)
    if axis is ARCHIVE and "://" in name:
        raise ConfigError(
            "a URL is where an archive is, not what it is called; write "
            "{use: sql, url: 'sqlite:///runs.db'}"
        )
    if target is None and ":" in name:
        if not allow_imports:
            raise ConfigError(
                f"{shown(name)} would be imported, and imports are off (allow_imports=False); "
                f"built in: {one_of(axis.built_in)}"
            )
        target = name
    if target is None:
        target = _offered(axis, name, allow_imports=allow_imports).value
    return _imported(target)


def _offered(axis: Axis, name: str, *, allow_imports: bool) -> EntryPoint:
    """The entry point of that name."""
    offers = [point for point in entry_points(group=axis.group) if point.name == name]
    if offers and not allow_imports:
        raise ConfigError(
            f"{shown(name)} comes from another package, and imports are off "
            f"(allow_imports=False); built in: {one_of(axis.built_in)}"
        )
    if len({point.value for point in offers}) > 1:
        raise ConfigError(
            f"several packages offer a {axis.noun} called {shown(name)}; write one of them out: "
            + " or ".join(sorted(shown(point.value) for point in offers))
        )
    if offers:
        return offers[0]
    known = set(axis.built_in)
    if allow_imports:
        known |= entry_points(group=axis.group).names
    meant = nearest(name, known)
    if meant is not None:
        advice = f"did you mean {meant!r}?"
    elif "." in name:
        advice = "a class is written with a colon: 'package.module:Class'"
    else:
        advice = f"there are: {one_of(known)}; or write 'package.module:Class'"
    raise ConfigError(f"no {axis.noun} is called {shown(name)}; {advice}")


def _imported(target: str) -> object:
    """The object that ``package.module:name`` names."""
    module_name, _, path = target.partition(":")
    names = path.split(".")
    if not all(part.isidentifier() for part in (*module_name.split("."), *names)):
        raise ConfigError(
            f"{shown(target)} names no class; write 'package.module:Class', "
            "like 'my_agent.policies:KeepPlans'"
        )
    found: object = _module(module_name)
    for at, name in enumerate(names):
        try:
            found = getattr(found, name)
        except AttributeError:
            meant = nearest(name, (known for known in dir(found) if not known.startswith("_")))
            holder = ".".join([module_name, *names[:at]])
            advice = f"did you mean {meant!r}?" if meant else "check the spelling"
            raise ConfigError(f"{holder!r} has nothing called {name!r}; {advice}") from None
    return found


def _module(name: str) -> object:
    """The module of that name, imported."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if name == missing or name.startswith(f"{missing}."):
            raise ConfigError(
                f"no module is called {missing!r}; is it installed, or its folder on PYTHONPATH?"
            ) from error
        raise ConfigError(
            f"importing {name!r} failed: it needs the module {missing!r}, which is not installed"
        ) from error
    # A module may raise anything while it is imported, and a script may call sys.exit().
    except (Exception, SystemExit) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"importing {name!r} failed: {reason}") from error
