"""Backpack in the frameworks people already use: one module each, imported by its own name.

Importing ``backpack`` imports none of them, nor of their frameworks; each comes with an extra
(``pip install "backpack-memory[langgraph]"``).
"""

__all__ = ["lacking"]


def lacking(integration: str, framework: str, extra: str) -> ImportError:
    """Return the error that says which line installs the framework an integration is for.

    Args:
        integration: The module of this package.
        framework: The distribution that is not there.
        extra: The extra of Backpack that brings it.

    >>> print(lacking("langgraph", "langgraph-checkpoint", "langgraph"))
    backpack.integrations.langgraph needs langgraph-checkpoint; \
pip install "backpack-memory[langgraph]" brings it
    """
    return ImportError(
        f"backpack.integrations.{integration} needs {framework}; "
        f'pip install "backpack-memory[{extra}]" brings it'
    )
