"""What an error of a database means, and what to do about it."""

from __future__ import annotations

from sqlite3 import Error
from typing import TYPE_CHECKING, Final

from backpack.errors import ArchiveError, CorruptError
from backpack.wording import one_line

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

__all__ = ["told"]

_NO_DATABASE: Final = "SQLITE_NOTADB"
_DAMAGED: Final = ("SQLITE_CORRUPT", _NO_DATABASE, "SQLITE_FORMAT")
#: How the sqlite3 module says, without a code, that a text in a file is no Unicode.
_NO_TEXT: Final = "Could not decode to UTF-8"

#: By how the name of the error begins; the first that fits is taken.
_OF_SQLITE: Final = (
    ("SQLITE_FULL", "Free some room where it is"),
    ("SQLITE_READONLY", "See that it, and the folder it is in, may be written"),
    ("SQLITE_CANTOPEN", "See that its folder is there and may be written, and has room"),
    ("SQLITE_PERM", "See that it may be written"),
    ("SQLITE_BUSY", "See which process has had it locked for {patience} seconds"),
    ("SQLITE_IOERR", "See what is wrong with the disk it is on"),
)
#: By how the SQLSTATE begins.
_OF_POSTGRESQL: Final = (
    ("53100", "Free some room where the server keeps its data"),
    ("53", "See what the server is short of"),
    ("25006", "See that it is the server that takes changes, not a standby"),
    ("42501", "See that this user may change its tables"),
    ("55P03", "See which session has had it locked for {patience} seconds"),
    ("57014", "See why the server takes so long"),
    ("58", "See what is wrong with the disk of the server"),
    ("57P", "See that the server runs"),
    ("08", "See that the server runs, and can be reached"),
)


def told(error: DBAPIError | Error, name: str, what: str, patience: int) -> Exception:
    """Return the error that says what a database's error means, and what to do.

    Args:
        error: The error, of a driver or as SQLAlchemy wraps it.
        name: What the archive is called.
        what: What is not done.
        patience: How many seconds were waited for a lock.
    """
    cause = getattr(error, "orig", None) or error
    reason = one_line(str(cause))
    code = getattr(cause, "sqlite_errorname", None) or ""
    if code.startswith(_DAMAGED) or (not code and reason.startswith(_NO_TEXT)):
        hint = "; a trace is read by 'backpack run'" if code == _NO_DATABASE else ""
        return CorruptError(f"the archive {name} is damaged, or is none: {reason}{hint}")
    said = f"the archive {name} {what}: {reason}; nothing was changed"
    advice = _remedy(cause).format(patience=patience)
    return ArchiveError(f"{said}. {advice}, and do it again" if advice else said)


def _remedy(cause: object) -> str:
    """Return what to do about the error of a driver; nothing where that is not known."""
    code = getattr(cause, "sqlite_errorname", None)
    state = getattr(cause, "sqlstate", None)
    kinds = [kind.__name__ for kind in type(cause).__mro__]
    is_server = not isinstance(cause, Error)
    if is_server and state is None and "OperationalError" in kinds:
        state = "08"  # The server said nothing: the connection was lost, or never was.
    known = _OF_SQLITE if code else _OF_POSTGRESQL
    found = code or state or ""
    return next((advice for beginning, advice in known if found.startswith(beginning)), "")
