"""What is to be checked: the policy or the Backpack, its axis, and how to write it down."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

import attrs
from attrs import frozen

from backpack.container import Backpack
from backpack.errors import BackpackError, ConfigError
from backpack.policies import Delta
from backpack.registry import AXES, find
from backpack.spec.laws.law import CONTAINER
from backpack.spec.laws.reference import limit_of
from backpack.spec.program import Writer
from backpack.spec.standard import BUDGET, LIMIT, standard_backpack
from backpack.spec.temporary import temporary_archive
from backpack.strategies import check
from backpack.wording import nearest, one_line, one_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backpack.config import Config

__all__ = ["Subject", "backpack_with", "configured", "named", "subject_of"]

#: The axes whose policies are functions of one record, and what that record is.
_RECORDS: Final = {"NewValue": "sizing", "SizedValue": "reference", "PruneRequest": "pruning"}
_PROTOCOLS: Final = {AXES[axis].protocol: axis for axis in ("sizing", "reference", "pruning")}
_PLAIN: Final = ("sizing", "reference", "pruning")
#: The largest per-value limit that programs are drawn around, in bytes.
_LARGEST: Final = 128 * 1024


@frozen
class Subject:
    """What is to be checked.

    Attributes:
        name: What to call it.
        axis: The axis of a policy; ``container`` for a Backpack.
        make: Makes a new one.
        expression: Python that makes one.
        imports: What that has to import; None where it cannot be imported, but has to be pasted
            beside the definition.
        target: What names it on the command line, if anything does.
        limit: The size in bytes around which values are drawn.
    """

    name: str
    axis: str
    make: Callable[[], Any]
    expression: str
    imports: frozenset[str] | None
    target: str | None = None
    limit: int = LIMIT

    def backpack(self) -> Backpack:
        """Return a Backpack to check it in, with little room."""
        if self.axis == CONTAINER:
            return self.make()  # type: ignore[no-any-return]
        return backpack_with(self.axis, self.make())

    def needs_archive(self) -> bool:
        """Whether it does nothing in a Backpack that has no archive."""
        if self.axis not in ("reference", CONTAINER):
            return False
        made = self.make()
        if self.axis == CONTAINER:
            made.close()
            made = made.reference
        return bool(getattr(made, "spills", False))

    @property
    def maker(self) -> str:
        """Python that returns such a Backpack."""
        if self.axis == CONTAINER:
            return self.expression
        return f"backpack_with({self.axis!r}, {self.expression})"


def backpack_with(axis: str, policy: Any) -> Backpack:
    """Return a Backpack with little room, to check a policy in.

    Args:
        axis: The policy's axis.
        policy: The policy.

    >>> from backpack.policies import Oldest
    >>> backpack_with("pruning", Oldest()).max_history_size
    8192
    """
    limit = limit_of(policy) if axis == "reference" else None
    return standard_backpack(max_history_size=max(BUDGET, 12 * (limit or 0)), **{axis: policy})


def subject_of(
    factory: Any, *, axis: str | None = None, target: str | None = None, name: str | None = None
) -> Subject:
    """Find out what is to be checked.

    Args:
        factory: A class or a function without arguments that makes a policy; or a policy.
        axis: Its axis; found out if left out.
        target: What names it on the command line.
        name: What to call it.

    Raises:
        ConfigError: It makes no policy, or one that fits several axes.
    """
    name = name or target or str(getattr(factory, "__qualname__", type(factory).__qualname__))
    if axis is not None and axis not in AXES:
        meant = nearest(axis, _axes())
        advice = f"did you mean {meant!r}?" if meant else f"there are: {one_of(_axes())}"
        raise ConfigError(f"there is no axis {shown(axis)}; {advice}", field="axis")
    make, expression, imports = _maker(factory, name)
    policy = _made(make, name)
    axis = _axis_of(policy, name, axis)
    limit = limit_of(policy) if axis == "reference" else None
    return Subject(name, axis, make, expression, imports, target, min(limit or LIMIT, _LARGEST))


def named(target: str, *, axis: str | None = None) -> Subject:
    """Find what a name on the command line stands for.

    Args:
        target: ``module:Class``, the name of a built-in policy or of an entry point.
        axis: Its axis; found out if left out.

    Raises:
        ConfigError: Nothing has that name, it cannot be imported, or it is no policy.
    """
    if axis is not None or ":" in target:
        found = find(AXES.get(axis or "pruning", AXES["pruning"]), target)
        return subject_of(found, axis=axis, target=target)
    hits: dict[str, object] = {}
    for each in _axes():
        try:
            hits[each] = find(AXES[each], target)
        except ConfigError as error:
            if not error.message.startswith("no "):
                raise
    if len(hits) > 1:
        raise ConfigError(
            f"{shown(target)} names a policy of several axes: {one_of(hits)}; say which: "
            f"--axis {next(iter(hits))}"
        )
    for each, found in hits.items():
        return subject_of(found, axis=each, target=target)
    known = [name for each in _axes() for name in AXES[each].built_in]
    meant = nearest(target, known)
    advice = f"did you mean {meant!r}?" if meant else "a class is written 'package.module:Class'"
    raise ConfigError(f"no policy is called {shown(target)}; {advice}")


def configured(config: Config, described: str, target: str) -> list[Subject]:
    """Return what is to be checked of a configuration: its policies, and a Backpack with them.

    The Backpack has little room, and a small limit where the reference policy takes one, so that
    much is pruned and left out; deltas are made of everything. Its archive is left alone: where one
    is needed, it is a temporary one.

    Args:
        config: The configuration.
        described: What to call it.
        target: The options that name it on the command line.
    """
    arguments: dict[str, Any] = {**config.arguments()}
    arguments.pop("archive", None)
    subjects = []
    for axis in _axes():
        subjects.append(subject_of(arguments[axis], axis=axis, name=f"{axis} of {described}"))
    small = _shrunk(arguments)
    limit = limit_of(small["reference"]) or LIMIT
    writer = Writer()
    # The default codec need not be said.
    written = {name: value for name, value in small.items() if name != "codec"}
    said = [f"{name}={writer.write(value)}" for name, value in written.items()]
    imports = {*writer.imports, "from backpack import Backpack"}
    spills = getattr(small["reference"], "spills", False)
    if spills:
        said.append("archive=temporary_archive()")
        imports.add("from backpack.spec.temporary import temporary_archive")

    def make() -> Backpack:
        own = {axis: deepcopy(small[axis]) for axis in _axes()}
        return Backpack(**{**small, **own}, archive=temporary_archive() if spills else None)

    subjects.append(
        Subject(
            f"a Backpack of {described}",
            CONTAINER,
            make,
            f"Backpack({', '.join(said)})",
            frozenset(imports),
            target,
            min(limit, _LARGEST),
        )
    )
    return subjects


def _shrunk(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the same settings with little room."""
    reference: Any = arguments["reference"]
    limit = limit_of(reference) or 0
    if limit > LIMIT and attrs.has(type(reference)):
        reference, limit = attrs.evolve(reference, max_value_size=LIMIT), LIMIT
    size = max(BUDGET, 12 * limit)
    storage: Any = arguments["storage"]
    if isinstance(storage, Delta):  # So that small values lean on one another, and on few.
        storage = attrs.evolve(storage, span=min(storage.span, 4), least=min(storage.least, 1))
    return {**arguments, "max_history_size": size, "reference": reference, "storage": storage}


def _axes() -> Iterable[str]:
    return (axis for axis in AXES if axis != "codec")


def _maker(factory: Any, name: str) -> tuple[Callable[[], Any], str, frozenset[str] | None]:
    """Return what makes the policy, Python for it, and what that imports."""
    if isinstance(factory, type):
        needed = _needed(factory)
        if needed:
            arguments = ", ".join(f"{each}=..." for each in needed)
            raise ConfigError(
                f"{name} needs {'arguments' if len(needed) > 1 else 'the argument'} "
                f"{', '.join(map(repr, needed))}; write a function without arguments that returns "
                f"one, like 'def make(): return {factory.__name__}({arguments})', and check that"
            )
        expression, imports = _written(factory)
        return factory, f"{expression}()", imports
    if callable(factory) and not _needed(factory) and not hasattr(factory, "hold"):
        expression, imports = _written(factory)
        return factory, f"{expression}()", imports
    if not callable(factory) and not hasattr(factory, "hold"):
        raise ConfigError(
            f"{name} is no policy: {_axes_said()}; or pass a class or a function that makes one"
        )
    expression, imports = _written(factory)
    return lambda: deepcopy(factory), expression, imports


def _needed(called: Any) -> list[str]:
    """Return the arguments something cannot be called without."""
    try:
        parameters = inspect.signature(called).parameters.values()
    except (TypeError, ValueError):
        return []
    return [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]


def _written(thing: Any) -> tuple[str, frozenset[str] | None]:
    """Write a class, a function or an object down, and what has to be imported for it."""
    name = getattr(thing, "__qualname__", None)
    if isinstance(name, str):
        module = getattr(thing, "__module__", "__main__")
        if "<" in name or module == "__main__":
            return (name.split(".")[-1], None)
        return name, frozenset({f"from {module} import {name.split('.')[0]}"})
    if attrs.has(type(thing)) and type(thing).__module__ != "__main__":
        writer = Writer()
        return writer.write(thing), frozenset(writer.imports)
    return repr(thing), None


def _made(make: Callable[[], Any], name: str) -> Any:
    try:
        return make()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"{name} makes no policy: {reason}") from error


def _axis_of(policy: Any, name: str, axis: str | None) -> str:
    """Return the axis of a policy."""
    if isinstance(policy, Backpack):
        raise ConfigError(f"{name} makes a Backpack, no policy; check_backpack() checks those")
    if axis is not None:
        check(AXES[axis], policy, name=name, field=None)
        return axis
    fits = [each for each in _axes() if _fits(each, policy)]
    if len(fits) > 1:
        fits = _told(policy, fits) or fits
    if len(fits) == 1:
        return fits[0]
    if not fits:
        raise ConfigError(f"{name} is no policy: {_axes_said()}")
    raise ConfigError(
        f"{name} fits several axes: {', '.join(fits)}; annotate its argument "
        "(request: PruneRequest), or say which: axis='pruning' (--axis pruning)"
    )


def _fits(axis: str, policy: Any) -> bool:
    try:
        check(AXES[axis], policy, field=None)
    except BackpackError:
        return False
    return True


def _told(policy: Any, fits: list[str]) -> list[str]:
    """Return the axes that annotations or bases say, of those that fit."""
    bases = {base.__name__ for base in type(policy).__mro__}
    told = {axis for protocol, axis in _PROTOCOLS.items() if protocol in bases}
    called = policy if inspect.isroutine(policy) else getattr(type(policy), "__call__", policy)  # noqa: B004
    called = getattr(policy, "func", called)
    for parameter in _parameters(called):
        words = re.findall(r"\w+", str(parameter.annotation))
        told |= {_RECORDS[word] for word in words if word in _RECORDS}
    return [axis for axis in fits if axis in told]


def _parameters(called: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(called).parameters.values())
    except (TypeError, ValueError):
        return []


def _axes_said() -> str:
    return "; ".join(f"a {AXES[axis].noun} {AXES[axis].contract}" for axis in _axes())
