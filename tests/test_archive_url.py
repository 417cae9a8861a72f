"""URLs of archives: which are any, and that nothing secret of them is told."""

from __future__ import annotations

import pytest

from backpack import ConfigError
from backpack.archive import SqlArchive
from backpack.archive.url import hidden, parsed

SECRET = "s3cret"  # noqa: S105


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host:port/db",
        f"mysql://me:{SECRET}@host/db",
        f"sqlite://me:{SECRET}@host/it.db",
        f"sqlite:///it.db?password={SECRET}",
        f"postgresql://me:pa/{SECRET}@host:port/db",
        f"postgresql://me:pa?{SECRET}@host:port/db",
        f"sqlite://me:p/{SECRET}@host/x.db",
        f"postgresql:/me:{SECRET}@host/db",
    ],
)
def test_no_message_tells_a_password(url: str) -> None:
    """Where a URL is refused, or cannot be reached, what it says is shown without it."""
    with pytest.raises(ConfigError) as caught:
        SqlArchive(url)
    assert SECRET not in str(caught.value)


def test_no_error_of_a_server_tells_a_password() -> None:
    """Nor does what an archive is called in messages."""
    pytest.importorskip("psycopg")
    archive = SqlArchive(
        f"postgresql://me:{SECRET}@127.0.0.1:1/db?sslpassword={SECRET}&password={SECRET}"
    )
    assert SECRET not in repr(archive)
    with pytest.raises(Exception, match="the archive postgresql") as caught:
        archive.names()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///runs.db", "sqlite:///runs.db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:a@b@host/db", "postgresql://me:***@host/db"),
        ("postgresql://h/db?user=me&PASSWORD=x&a=1", "postgresql://h/db?user=me&PASSWORD=***&a=1"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("sqlite:////data/a:b@c.db", "sqlite:////data/a:b@c.db"),
        ("postgresql://[::1]:5432/db", "postgresql://[::1]:5432/db"),
        ("postgresql://me:pw@[::1]:5432/db", "postgresql://me:***@[::1]:5432/db"),
    ],
)
def test_the_rest_is_told_as_it_is(url: str, told: str) -> None:
    """So that whoever reads it knows where that is."""
    assert told == hidden(url)


def test_a_folder_is_no_archive() -> None:
    """Whatever SQLite would make of it."""
    with pytest.raises(ConfigError) as caught:
        parsed("sqlite:////data/runs/")
    assert str(caught.value) == "url: '/data/runs/' is a folder; name a file in it"
