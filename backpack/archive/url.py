"""Where an archive is: its URL, checked, and told without its secrets."""

from __future__ import annotations

import re
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from backpack.errors import ConfigError
from backpack.unicode import is_unicode
from backpack.wording import one_line, shown

__all__ = ["hidden", "parsed"]

_DRIVERS: Final = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}

#: What is between the name of a user and the host, and what parameters say that are secret. Who
#: does not quote what is special in a password has it hidden, too.
_SECRETS: Final = re.compile(
    r"^([\w+.-]+:/{0,2}[^:/@]*):(?:[^/?#]*@|[^@]*@)|([?&](?:password|sslpassword)=)[^&#]*",
    re.IGNORECASE,
)


def hidden(url: str) -> str:
    """Return a URL, or what was meant to be one, without the passwords in it.

    >>> hidden("postgresql://me:secret@host/db?sslpassword=more&sslmode=require")
    'postgresql://me:***@host/db?sslpassword=***&sslmode=require'
    """
    return _SECRETS.sub(
        lambda found: f"{found[2]}***" if found[1] is None else f"{found[1]}:***@", url
    )


def parsed(url: str) -> URL:
    """Return where an archive is.

    Raises:
        ConfigError: It is no URL, or one of something else.
    """
    given: object = url
    said = shown(hidden(given) if isinstance(given, str) else given)
    try:
        found = make_url(url)
    except ArgumentError:
        raise ConfigError(
            f"{said} is no URL of an archive; write 'sqlite:///runs.db' or "
            "'postgresql://user@host/database'",
            field="url",
        ) from None
    except ValueError as error:
        raise ConfigError(
            f"{said} is no URL of an archive: {one_line(str(error))}", field="url"
        ) from None
    scheme = found.get_backend_name()
    if found.drivername not in (scheme, *_DRIVERS.values()) or scheme not in _DRIVERS:
        raise ConfigError(
            f"there is no archive in {shown(found.drivername)}; there are: sqlite, postgresql",
            field="url",
        )
    if scheme == "sqlite" and (found.host or found.username or found.port or found.query):
        raise ConfigError(
            f"the URL of an SQLite file has a path, and nothing else: 'sqlite:///runs.db', not "
            f"{said}",
            field="url",
        )
    if scheme == "sqlite" and found.database in (None, "", ":memory:"):
        raise ConfigError(
            "an archive in memory keeps nothing; name a file: 'sqlite:///runs.db'",
            field="url",
        )
    if "\0" in (found.database or "") or not is_unicode(found.database or ""):
        raise ConfigError(f"{shown(found.database)} is no name of a file or database", field="url")
    if scheme == "sqlite" and (found.database or "").endswith("/"):
        raise ConfigError(f"{shown(found.database)} is a folder; name a file in it", field="url")
    return found.set(drivername=_DRIVERS[scheme])
