"""LangGraph: checkpoints of graphs inside a byte budget, with an archive if nothing may be lost.

>>> from backpack.integrations.langgraph import BackpackSaver
>>> saver = BackpackSaver(max_thread_size="16 MiB", max_total_size="256 MiB")

It takes ``pip install "backpack-memory[langgraph]"``.
"""

from backpack.integrations import lacking

try:
    import langgraph.checkpoint.base as _  # noqa: F401
except ModuleNotFoundError as error:
    raise lacking("langgraph", "langgraph-checkpoint", "langgraph") from error

from backpack.integrations.langgraph.records import SaverUsage
from backpack.integrations.langgraph.saver import BackpackSaver

__all__ = ["BackpackSaver", "SaverUsage"]
