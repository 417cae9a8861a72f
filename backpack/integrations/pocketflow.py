"""Running a flow of PocketFlow on a Backpack: each of its nodes is one commit.

The flow and its nodes stay as they are: what runs are copies, as PocketFlow itself makes them, of
classes that put each run into a :meth:`~backpack.integrations.shared.SharedState.node`. PocketFlow
is not imported.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from backpack.integrations.shared import SharedState
from backpack.wording import described

if TYPE_CHECKING:
    from backpack.container import Backpack

__all__ = ["run_flow", "run_flow_async"]

#: The attribute of a node that runs on a Backpack: the state, and what names nodes.
_PLACE: Final = "_backpack_place"


def _class_name(node: Any) -> str:
    return type(node).__name__


def run_flow(
    flow: Any, backpack: Backpack | SharedState, *, name: Callable[[Any], str] = _class_name
) -> Any:
    """Run a flow, or a single node, with a Backpack as its shared store.

    Nodes get a :class:`~backpack.integrations.shared.SharedState` as ``shared``. What a node has
    changed when its ``post`` has returned is one commit, ``by`` its class; if it raises, its
    changes are undone, and the flow raises. A flow is a node too: what its own ``prep`` and
    ``post`` change is ``by`` the flow's class.

    Args:
        flow: A ``Flow``, ``BatchFlow`` or ``Node`` of PocketFlow. It stays as it is: a copy runs.
        backpack: The Backpack.
        name: Given a node, returns what it is called.

    Returns:
        What ``flow.run`` returns: the last action.

    Raises:
        TypeError: It is no flow, or one to be awaited.
        UnpackableValue: A node left behind what cannot be kept exactly.
        ConflictError: A key that a node changed was changed by others, too.
        BudgetError: There is no room for a change, and the pruning policy makes none.
    """
    if hasattr(flow, "run_async"):
        raise TypeError(
            f"{type(flow).__name__} runs asynchronously: `await run_flow_async(flow, backpack)`"
        )
    state = _state_of(backpack)
    return _on(flow, state, name).run(state)


async def run_flow_async(
    flow: Any, backpack: Backpack | SharedState, *, name: Callable[[Any], str] = _class_name
) -> Any:
    """Run an ``AsyncFlow``, or a single ``AsyncNode``, as :func:`run_flow` runs a ``Flow``.

    Nodes that run in parallel, as those of an ``AsyncParallelBatchFlow`` do, are a commit each;
    see :class:`~backpack.integrations.shared.SharedState` for two that change the same key.
    """
    if not hasattr(flow, "run_async"):
        raise TypeError(
            f"{type(flow).__name__} does not run asynchronously: `run_flow(flow, backpack)`"
        )
    state = _state_of(backpack)
    return await _on(flow, state, name).run_async(state)


def _state_of(backpack: Backpack | SharedState) -> SharedState:
    return backpack if isinstance(backpack, SharedState) else SharedState(backpack)


def _on(node: Any, state: SharedState, name: Callable[[Any], str]) -> Any:
    """Return a copy of a node, of which each run is a node of the state."""
    if not callable(getattr(node, "_run", None)):
        raise TypeError(f"a flow or a node of PocketFlow is needed, not {described(node)}")
    twin = copy.copy(node)
    kind: Any = type(node)
    twin.__class__ = _class_on(kind)
    setattr(twin, _PLACE, (state, name))
    if getattr(twin, "start_node", None) is not None:
        twin.start_node = _on(twin.start_node, state, name)
    return twin


@lru_cache(maxsize=256)
def _class_on(kind: Any) -> type:
    """Return a class of nodes that run as those of another class do, each as a node of a state."""

    def run(self: Any, shared: Any) -> Any:
        state, name = getattr(self, _PLACE)
        with state.node(name(self)):
            return kind._run(self, shared)

    async def run_async(self: Any, shared: Any) -> Any:
        state, name = getattr(self, _PLACE)
        with state.node(name(self)):
            return await kind._run_async(self, shared)

    def get_next_node(self: Any, node: Any, action: Any) -> Any:
        # Here, so that it does not matter where a flow takes its next node from.
        following = kind.get_next_node(self, node, action)
        return None if following is None else _on(following, *getattr(self, _PLACE))

    members: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        "_run": run,
    }
    if hasattr(kind, "_run_async"):
        members["_run_async"] = run_async
    if hasattr(kind, "get_next_node"):
        members["get_next_node"] = get_next_node
    return type(kind.__name__, (kind,), members)
