"""Putting bugs into the code: a function whose source differs in one place, for a while."""

from __future__ import annotations
import __future__

import inspect
import linecache
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count
from types import FunctionType, ModuleType
from typing import Any, Final, TypeAlias

import pytest

__all__ = ["PutIn", "replaced", "replacing", "rewriting", "rewritten", "together"]

#: Returns what a bug is in force within.
PutIn: TypeAlias = Callable[[], AbstractContextManager[None]]

_numbers: Final = count(1)


@contextmanager
def rewritten(owner: ModuleType | type, name: str, old: str, new: str) -> Iterator[None]:
    """Put in a function whose source differs in one place, wherever it is used.

    It may be a method of any kind, a property, or decorated, and it may be rewritten already.

    Args:
        owner: The module or class that defines it.
        name: What it is called there.
        old: What stands in its source exactly once.
        new: What is to stand there.
    """
    original = _function(vars(owner)[name])
    source = textwrap.dedent(inspect.getsource(original))
    assert 1 == source.count(old), f"{name} has {source.count(old)} times {old!r}"
    module = inspect.getmodule(original)
    assert module is not None, f"{name} is of no module"
    source = source.replace(old, new)
    file = f"<{owner.__name__}.{name}, rewritten {next(_numbers)}>"
    flags = __future__.annotations.compiler_flag
    scope: dict[str, Any] = {}
    exec(compile(source, file, "exec", flags, dont_inherit=True), vars(module), scope)  # noqa: S102
    # Where a traceback finds the source, and the next rewriting of the same function.
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    try:
        with replaced(owner, name, scope[name]):
            yield
    finally:
        del linecache.cache[file]


@contextmanager
def replaced(owner: ModuleType | type, name: str, new: object) -> Iterator[None]:
    """Put in another object under a name, wherever it was imported; the spec's own aside.

    Args:
        owner: The module or class that defines it.
        name: What it is called there.
        new: What it is to be.
    """
    original = vars(owner)[name]
    owners = [owner] if isinstance(owner, type) else _users(name, original)
    with pytest.MonkeyPatch.context() as patch:
        for each in owners:
            patch.setattr(each, name, new)
        yield


def rewriting(owner: ModuleType | type, name: str, old: str, new: str) -> PutIn:
    """Return how to put in a :func:`rewritten` function."""
    return lambda: rewritten(owner, name, old, new)


def replacing(owner: ModuleType | type, name: str, new: object) -> PutIn:
    """Return how to put in a :func:`replaced` object."""
    return lambda: replaced(owner, name, new)


def together(*bugs: PutIn) -> PutIn:
    """Return how to put in several rewritings as one, in this order."""

    @contextmanager
    def all_in() -> Iterator[None]:
        with ExitStack() as stack:
            for put_in in bugs:
                stack.enter_context(put_in())
            yield

    return all_in


def _function(member: object) -> FunctionType:
    """Return the function that was written, whatever it was decorated with."""
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, classmethod | staticmethod):
        member = member.__func__
    assert callable(member), f"{member!r} is no function"
    function = inspect.unwrap(member)
    assert isinstance(function, FunctionType), f"{function!r} is no function"
    return function


def _users(name: str, original: object) -> list[ModuleType]:
    """Return the modules of the package that know an object by its name."""
    return [
        module
        for path, module in sorted(sys.modules.items())
        if path.partition(".")[0] == "backpack"
        and not path.startswith("backpack.spec")
        and vars(module).get(name) is original
    ]
