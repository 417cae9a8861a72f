"""The configs of LangGraph: which checkpoint they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from backpack.errors import ConfigError
from backpack.unicode import is_unicode
from backpack.wording import described

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from backpack.integrations.langgraph.records import Place

__all__ = ["Named", "check_thread", "config_of", "enclosing", "named"]

#: In an archive a thread is called by its id, behind a prefix.
_LONGEST = 180


class Named(NamedTuple):
    """What a config names.

    Attributes:
        thread: The id of the thread.
        namespace: The namespace; empty for the graph itself.
        checkpoint: The id of the checkpoint; None for the newest.
    """

    thread: str
    namespace: str
    checkpoint: str | None


def named(config: RunnableConfig) -> Named:
    """Return what a config names.

    Raises:
        ConfigError: It names no thread, or not by texts.
    """
    configurable: Mapping[str, Any] = config.get("configurable") or {}
    thread = check_thread(configurable.get("thread_id"))
    namespace = configurable.get("checkpoint_ns") or ""
    checkpoint = configurable.get("checkpoint_id") or None
    for field, value in (("checkpoint_ns", namespace), ("checkpoint_id", checkpoint)):
        if value is not None and not isinstance(value, str):
            raise ConfigError(
                f"it must be a string, not {described(value)}", field=f"configurable.{field}"
            )
        if value is not None and not is_unicode(value):
            raise ConfigError(
                f"it must be valid Unicode, without lone surrogates, not {described(value)}",
                field=f"configurable.{field}",
            )
    return Named(thread, namespace, checkpoint)


def check_thread(thread: object) -> str:
    """Return the id of a thread as a plain string; a number is as good as its digits.

    Raises:
        ConfigError: It is none.
    """
    plain = str(thread) if isinstance(thread, str | int) and not isinstance(thread, bool) else ""
    if not plain or len(plain) > _LONGEST:
        raise ConfigError(
            f"a thread is called by a string of 1 to {_LONGEST} characters, not "
            f"{described(thread)}: pass config={{'configurable': {{'thread_id': 'one'}}}}",
            field="configurable.thread_id",
        )
    return plain


def config_of(thread: str, namespace: str, checkpoint: str) -> RunnableConfig:
    """Return a config that names a checkpoint."""
    return {
        "configurable": {
            "thread_id": thread,
            "checkpoint_ns": namespace,
            "checkpoint_id": checkpoint,
        }
    }


def enclosing(namespace: str, parents: Mapping[str, str] | None) -> Place | None:
    """Return the checkpoint of the enclosing graph in whose step a subgraph runs.

    >>> enclosing("a:1|b:2", {"": "root", "a:1": "outer"})
    ('a:1', 'outer')
    """
    outer = namespace.rpartition("|")[0]
    if not namespace or not parents or outer not in parents:
        return None
    return outer, parents[outer]
