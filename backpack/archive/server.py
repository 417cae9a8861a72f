"""How a PostgreSQL server is connected to: nothing waits for it without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["connect_arguments"]

#: By so many times a statement may take longer than the wait for a lock.
_WORKING: Final = 3
#: Seconds between two questions whether the other side of a silent connection is there, and how
#: many of them may stay without an answer.
_INTERVAL: Final = 2
_QUESTIONS: Final = 5


def connect_arguments(url: URL, sync: str, patience: int) -> dict[str, Any]:
    """Return what a connection is made with; whatever the URL says itself is left to it.

    A commit is always flushed by the server before it is acknowledged: a server may crash while
    the writer lives, who would go on behind a commit that is not there any more. For the loss of
    power, standbys that the server waits for have to have it as well.

    Args:
        url: Where the server is.
        sync: What a commit has to survive.
        patience: How many seconds to wait for a lock, or for a connection.
    """
    server = {
        "statement_timeout": patience * _WORKING * 1000,
        "lock_timeout": patience * 1000,
        # The lock of a writer that was cut off is let go of about as soon.
        "tcp_keepalives_idle": patience,
        "tcp_keepalives_interval": _INTERVAL,
        "tcp_keepalives_count": _QUESTIONS,
        "synchronous_commit": "on" if sync == "power" else "local",
    }
    options = [f"-c {name}={value}" for name, value in server.items()]
    arguments = {
        "connect_timeout": patience,
        "tcp_user_timeout": patience * 1000,
        "keepalives_idle": patience,
        "keepalives_interval": _INTERVAL,
        "keepalives_count": _QUESTIONS,
    }
    chosen = url.query.get("options", "")
    options += [chosen] if isinstance(chosen, str) else chosen  # The last one counts.
    return {
        "options": " ".join(filter(None, options)),
        **{name: value for name, value in arguments.items() if name not in url.query},
    }
