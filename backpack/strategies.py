"""Strategies from settings: found by name, constructed with their arguments, checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from attrs import Factory, frozen

from backpack.errors import ConfigError
from backpack.registry import AXES, Axis, find
from backpack.wording import found, nearest, one_line, one_of, shown

__all__ = ["Use", "check", "construct", "describe", "placed", "use_from"]

_BY_PROTOCOL = {axis.protocol: axis for axis in AXES.values()}


@frozen
class Use:
    """Which strategy serves an axis, and what it is constructed with.

    Attributes:
        name: What stands after ``use:``.
        arguments: ``{name: value}`` of its arguments: plain data, as a file can hold.
    """

    name: str
    arguments: Mapping[str, object] = Factory(dict)


def use_from(axis: Axis, setting: object) -> Use:
    """Read a setting that says which strategy to use.

    Args:
        axis: The axis it is about.
        setting: A name, or a mapping ``{"use": name, argument: value, ...}``.

    Returns:
        The same as a record.

    Raises:
        ConfigError: It is neither; ``field`` is relative to the setting.
    """
    if isinstance(setting, Use):
        return setting
    if isinstance(setting, str):
        return Use(_name(axis, setting))
    example = next(iter(axis.built_in))
    if not isinstance(setting, Mapping):
        raise ConfigError(
            f"expected a {axis.noun}: a name, or a mapping like {{use: {example}}}; "
            f"found {found(setting)}"
        )
    for key in setting:
        if not isinstance(key, str):
            raise ConfigError(f"a name of an argument must be text; found {found(key)}")
    if "use" not in setting:
        raise ConfigError(
            f"'use' is missing: it says which {axis.noun}, like {{use: {example}}}; "
            f"there are: {one_of(axis.built_in)}"
        )
    arguments = {key: value for key, value in setting.items() if key != "use"}
    return Use(_name(axis, setting["use"], field="use"), arguments)


def construct(axis: Axis, use: Use, *, allow_imports: bool = True) -> object:
    """Make the strategy a setting describes.

    An argument whose annotation is one of the contracts (``PruningPolicy``, or ``PruningPolicy |
    None``) is itself a strategy: a name or a mapping given for it is constructed first.

    Args:
        axis: The axis it is to serve.
        use: Its name and arguments.
        allow_imports: Whether code that does not come with Backpack may be imported.

    Returns:
        The strategy; it satisfies the contract of the axis.

    Raises:
        ConfigError: It cannot be found, does not take these arguments, refuses them, or does
            not satisfy the contract; ``field`` is relative to the setting.
    """
    try:
        target = find(axis, use.name, allow_imports=allow_imports)
    except ConfigError as error:
        raise placed(error, "use") from error.__cause__
    if not isinstance(target, type):
        if use.arguments:
            kind = "function" if inspect.isroutine(target) else "ready-made object"
            raise ConfigError(
                f"{shown(use.name)} is a {kind} and takes no arguments; found "
                f"{one_of(use.arguments)}; write a class to have arguments",
                field=min(use.arguments),
            )
        check(axis, target, name=shown(use.name), field="use")
        return target
    for name in axis.importing:
        if name in use.arguments and not allow_imports:
            raise ConfigError(
                "names classes to import, and imports are off (allow_imports=False); delete it",
                field=name,
            )
    arguments = {
        name: _argument(target, name, value, allow_imports=allow_imports)
        for name, value in use.arguments.items()
    }
    _check_arguments(target, use.name, arguments)
    try:
        strategy: object = target(**arguments)
    except ConfigError:
        raise
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ConfigError(f"{shown(use.name)} refused its arguments: {reason}") from error
    check(axis, strategy, name=shown(use.name), field="use")
    return strategy


def describe(axis: Axis, strategy: object) -> Use:
    """Return what describes a strategy, as far as its class and its arguments do.

    >>> from backpack.policies import Stub
    >>> describe(AXES["reference"], Stub("4 KiB"))
    Use(name='stub', arguments={'max_value_size': 4096})
    """
    kind: Any = strategy if inspect.isroutine(strategy) else type(strategy)
    name = f"{kind.__module__}:{kind.__qualname__}"
    for short in axis.built_in:
        if find(axis, short) is kind:
            name = short
    return Use(name, dict(_arguments(strategy)) if attrs.has(type(strategy)) else {})


def _arguments(strategy: Any) -> Iterator[tuple[str, object]]:
    """Iterate over the arguments of an attrs object that are not what they are by default."""
    for each in attrs.fields(type(strategy)):
        value = getattr(strategy, each.name)
        if not each.init or value == each.default:
            continue
        if not isinstance(value, bool | int | float | str | list | tuple | None):
            axis = next((axis for axis in AXES.values() if _serves(axis, value)), None)
            if axis is None:
                continue
            use = describe(axis, value)
            value = {"use": use.name, **use.arguments}
        yield each.alias or each.name, list(value) if isinstance(value, tuple) else value


def _serves(axis: Axis, value: object) -> bool:
    """Whether a value is one of the strategies that come with Backpack for an axis."""
    return any(find(axis, name) is type(value) for name in axis.built_in)


def check(axis: Axis, strategy: object, *, name: str | None = None, field: str | None) -> None:
    """Refuse what does not satisfy the contract of an axis.

    Args:
        axis: The axis.
        strategy: What is to serve it.
        name: What to call it in the error; its own name or that of its class by default.
        field: The setting to blame.

    Raises:
        ConfigError: It is a class instead of an object, lacks a method, or takes other arguments.
    """
    name = name or shown(str(getattr(strategy, "__qualname__", type(strategy).__qualname__)))
    if isinstance(strategy, type):
        raise ConfigError(
            f"{name} is a class; pass an object of it: {strategy.__name__}(...)", field=field
        )
    for method, count in axis.methods.items():
        problem = _problem(strategy, method, count)
        if problem:
            raise ConfigError(
                f"{name} is no {axis.noun}: {problem}; a {axis.noun} {axis.contract}",
                field=field,
            )


def placed(error: ConfigError, prefix: str, *, where: str | None = None) -> ConfigError:
    """The same error, seen from one level further out.

    Args:
        error: An error whose ``field`` is relative.
        prefix: The setting it is relative to.
        where: The file and line, unless the error knows them already.
    """
    field = ".".join(part for part in (prefix, error.field) if part)
    return ConfigError(error.message, field=field, where=error.where or where)


def _name(axis: Axis, name: object, *, field: str | None = None) -> str:
    """What stands after ``use:``, if it is a name at all."""
    if isinstance(name, str) and name:
        return name
    what = found(name) if name != "" else "empty text"
    raise ConfigError(
        f"expected the name of a {axis.noun}; found {what}; there are: {one_of(axis.built_in)}",
        field=field,
    )


def _argument(target: type, name: str, value: object, *, allow_imports: bool) -> object:
    """The value of one argument, constructed first where it is a strategy itself."""
    annotation = _annotations(target).get(name, "")
    optional = re.fullmatch(r"(?:\w+\.)*Optional\[(.*)\]", annotation)
    kinds = [part.strip(" '\"") for part in (optional[1] if optional else annotation).split("|")]
    axis = next((a for a in map(_BY_PROTOCOL.get, (k.split(".")[-1] for k in kinds)) if a), None)
    if axis is None:
        return _copied(value)
    if value is None and (optional or "None" in kinds):
        return None
    try:
        if callable(value) or all(hasattr(value, method) for method in axis.methods):
            check(axis, value, field=None)
            return value
        return construct(axis, use_from(axis, value), allow_imports=allow_imports)
    except ConfigError as error:
        raise placed(error, name) from error.__cause__


def _annotations(target: type) -> dict[str, str]:
    """The arguments of a class and their annotations as text, as far as both are known."""
    known: dict[str, object] = {}
    try:
        for name, parameter in inspect.signature(target).parameters.items():
            known[name] = parameter.annotation
    except (TypeError, ValueError):
        return {}
    # Where attrs converts an argument, the signature shows what the converter takes.
    if attrs.has(target):
        known |= {a.alias or a.name: a.type for a in attrs.fields(target) if a.init}
    return {
        name: annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        for name, annotation in known.items()
    }


def _check_arguments(target: type, name: str, arguments: Mapping[str, object]) -> None:
    """Refuse arguments the class does not take, and miss those it needs."""
    try:
        parameters = inspect.signature(target).parameters.values()
    except (TypeError, ValueError):
        return
    by_name = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    taken = [p.name for p in by_name]
    takes = f"it takes: {', '.join(taken)}" if taken else "it takes none"
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for argument in arguments:
            if argument not in taken:
                meant = nearest(argument, taken)
                advice = f"did you mean {meant!r}?" if meant else takes
                raise ConfigError(
                    f"{shown(name)} takes no argument {shown(argument)}; {advice}", field=argument
                )
    missing = [p.name for p in by_name if p.default is p.empty and p.name not in arguments]
    if missing:
        raise ConfigError(
            f"{shown(name)} needs the argument {', '.join(map(repr, missing))}; {takes}"
        )


def _problem(strategy: object, method: str, count: int) -> str | None:
    """What is wrong with one method of a strategy; None if it can be called as it will be."""
    subject, called = "it", strategy
    if method != "__call__":
        subject, called = f"its method {method!r}", getattr(strategy, method, None)
        if called is None:
            return f"it has no method {method!r}"
    if not callable(called):
        return f"{subject} cannot be called"
    # An object may be called by an asynchronous method.
    ways = (called, getattr(called, "__call__", None))  # noqa: B004
    if any(inspect.iscoroutinefunction(way) for way in ways):
        return f"{subject} is asynchronous, and nothing would await it"
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*range(count))
    except TypeError as error:
        arguments = "one argument" if count == 1 else f"{count} arguments"
        return f"{subject} cannot be called with {arguments} ({error})"
    return None


def _copied(value: object) -> object:
    """Plain data as the strategy's own, so that changing it changes no setting."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    return value
