"""LangGraph's serializer, held to what it may make."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from backpack.errors import UnpackableValue

if TYPE_CHECKING:
    from langgraph.checkpoint.serde.base import SerializerProtocol

    from backpack.integrations.langgraph.records import Typed

__all__ = ["loaded", "strict"]

#: The classes that were not allowed while something was read.
_blocked: ContextVar[list[str] | None] = ContextVar("blocked", default=None)


def strict(allow: Iterable[type | tuple[str, str]]) -> SerializerProtocol:
    """Return a serializer that makes its own types and those that are allowed, and no others."""
    names = [(each.__module__, each.__name__) if isinstance(each, type) else each for each in allow]
    return JsonPlusSerializer(allowed_msgpack_modules=names)


def loaded(serde: SerializerProtocol, value: Typed, what: str) -> Any:
    """Return a serialized value.

    Args:
        serde: The serializer.
        value: The value.
        what: What it is, for the message.

    Raises:
        UnpackableValue: A class in it is not allowed: LangGraph would go on with what is inside
            of it, as a dict.
    """
    heard: list[str] = []
    token = _blocked.set(heard)
    try:
        made = serde.loads_typed(value)
    finally:
        _blocked.reset(token)
    if heard:
        raise UnpackableValue(
            f"{heard[0]} is not allowed in a checkpoint; if you trust it, allow it where the saver "
            f"is made: BackpackSaver(allow=[{heard[0].rpartition('.')[2]}])",
            path=what,
        )
    return made


def _hear(event: SerdeEvent) -> None:
    heard = _blocked.get()
    if heard is not None and event["kind"].endswith("blocked"):
        heard.append(f"{event['module']}.{event['name']}")


register_serde_event_listener(_hear)
