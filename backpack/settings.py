"""What a Backpack is wired from, and which settings cannot work."""

from __future__ import annotations

from copy import copy, deepcopy
from typing import TYPE_CHECKING, Any, Final

from attrs import fields_dict, frozen

from backpack.budget import MINIMUM_BUDGET
from backpack.errors import ConfigError
from backpack.units import format_size
from backpack.wording import described, found, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from backpack.protocols import (
        Archive,
        Codec,
        PruningPolicy,
        ReferencePolicy,
        SizingPolicy,
        StoragePolicy,
    )

__all__ = ["Settings", "check_least"]

#: ``{setting: the methods it must have}``.
_METHODS: Final = {
    "sizing": ("__call__",),
    "reference": ("__call__",),
    "storage": ("hold", "read"),
    "pruning": ("__call__",),
    "codec": ("encode", "decode"),
    "clock": ("__call__",),
    "archive": ("start", "resume"),
}


@frozen
class Settings:
    """What a Backpack is wired from.

    Attributes:
        max_history_size: The history budget, in bytes.
        sizing: How many bytes is a value?
        reference: Does history keep it, or a reference?
        storage: How are superseded versions held?
        pruning: Which commits go?
        codec: Turns values into bytes and back.
        clock: Tells the time, in seconds since the epoch.
        archive: Where do commits go that history gives up?

    Raises:
        ConfigError: Names the setting, what it is and what it may be.
    """

    max_history_size: int
    sizing: SizingPolicy
    reference: ReferencePolicy
    storage: StoragePolicy
    pruning: PruningPolicy
    codec: Codec
    clock: Callable[[], float]
    archive: Archive | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse what cannot work."""
        check_least(self.max_history_size)
        for setting, methods in _METHODS.items():
            for method in methods:
                if setting == "archive" and self.archive is None:
                    continue
                _check_method(setting, getattr(self, setting), method)
        if self.archive is None and getattr(self.reference, "spills", False):
            raise ConfigError(
                f"{type(self.reference).__name__} has large values kept in the archive, and there "
                "is none; add one, such as archive: {use: sql, url: 'sqlite:///runs.db'}, or use "
                "'stub', which keeps their size and digest",
                field="reference",
            )
        for name, smallest in (("span", 1), ("least", 0)):
            _check_number(self.storage, name, smallest)

    def copied(self) -> dict[str, Any]:
        """Return the settings as arguments for another Backpack, with policies of its own.

        Raises:
            ConfigError: A policy cannot be copied.
        """
        arguments = {name: getattr(self, name) for name in fields_dict(type(self))}
        # One that was resized, and saved, may have been made with a budget below its limit.
        limit = getattr(self.reference, "max_value_size", None)
        if isinstance(limit, int):
            arguments["max_history_size"] = max(self.max_history_size, limit)
        for axis in ("sizing", "reference", "storage", "pruning"):
            policy = arguments[axis]
            try:
                arguments[axis] = deepcopy(policy)
            except Exception as error:
                raise ConfigError(
                    f"{type(policy).__name__} cannot be copied for a fork: {error}; give it a "
                    "__deepcopy__ method that returns a policy to start with",
                    field=axis,
                ) from error
        return arguments

    def resized(self, budget: int) -> Settings:
        """Return the same with another budget.

        A value that can never enter such a history is no reason to refuse it: it goes with its
        commit when it is superseded.
        """
        settings = copy(self)
        object.__setattr__(settings, "max_history_size", budget)
        return settings

    def check_limit(self) -> None:
        """Refuse a limit per value above the budget.

        Raises:
            ConfigError: It is.
        """
        budget, limit = self.max_history_size, getattr(self.reference, "max_value_size", None)
        if isinstance(limit, int) and limit > budget:
            raise ConfigError(
                f"{format_size(limit)} is more than max_history_size, {format_size(budget)}: such "
                "values could never enter the history; lower the one or raise the other",
                field="reference.max_value_size",
            )


def check_least(budget: int) -> None:
    """Refuse a budget, in bytes, that no history fits into.

    Raises:
        ConfigError: It is that small.
    """
    if budget < MINIMUM_BUDGET:
        raise ConfigError(
            f"{budget:,} bytes cannot hold a history; the least is {MINIMUM_BUDGET:,} bytes",
            field="max_history_size",
        )


def _check_method(setting: str, policy: object, method: str) -> None:
    if isinstance(policy, type):
        raise ConfigError(f"{policy.__name__} is a class; pass an instance of it", field=setting)
    if isinstance(policy, str | dict):
        said = shown(policy) if isinstance(policy, str) else found(policy)
        raise ConfigError(
            f"{said} is what a file says; pass an object from backpack.policies, or take "
            f"Backpack.from_preset('default', {setting}=...)",
            field=setting,
        )
    if not callable(getattr(policy, method, None)):
        raise ConfigError(f"{type(policy).__name__} has no method {method}", field=setting)


def _check_number(storage: StoragePolicy, name: str, smallest: int) -> None:
    number = getattr(storage, name, smallest)
    if type(number) is not int or number < smallest:
        raise ConfigError(
            f"{type(storage).__name__}.{name} is {described(number)}; it must be a whole number, "
            f"{smallest} or more",
            field="storage",
        )
