"""An archive on a server that fails: refused with the cause, as before, and well again."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from archives import Past
from faults import (
    ROOM,
    WRITE,
    archive,
    begun,
    check_retained,
    database_of,
    pack,
    patience,
    seen,
    until_refused,
)
from servers import Proxy, Server, backend_of, server_of_its_own

from backpack import ArchiveError, Backpack, StaleWriter
from backpack.archive.database import Database
from backpack.archive.server import connect_arguments
from backpack.archive.sql import SqlArchive

#: What fails here, and how it is told, is traced by the other tests of archives.
pytestmark = pytest.mark.no_cover

#: What a server says that is gone, and what to do.
GONE = "; nothing was changed. See that the server runs"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server that may be stopped."""
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("to stop and start a server takes POSIX")
    with server_of_its_own() as server:
        yield server


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return what a Backpack is called that no other test has."""
    return str(request.node.name)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """Return what stands between a Backpack and the server."""
    with closing(Proxy(server)) as proxy:
        yield proxy


def end(backpack: Backpack, past: Past, url: str, name: str) -> None:
    """It works again; whoever opens it finds everything."""
    past.check(backpack)
    for _ in range(3):
        pack(backpack, past)
    backpack.close()
    with Backpack.open(archive(url, "on-commit"), name, **ROOM) as again:
        past.check(again)


@pytest.mark.parametrize(
    ("way", "write"),
    [("fast", "on-prune"), ("fast", "on-commit"), ("immediate", "on-commit"), ("kill", "on-prune")],
)
def test_a_server_that_is_gone_and_comes_back(
    way: str, write: str, server: Server, name: str
) -> None:
    """Stopped, crashed or killed: what was acknowledged is there, and it is not opened anew."""
    backpack, past = begun(server.url, write, 25, name)
    if way == "kill":
        os.kill(backend_of(backpack), signal.SIGKILL)  # The server ends all sessions, and recovers.
    else:
        server.stop(way)
    error, passed = until_refused(backpack, past)
    assert passed > 0 or write == "on-commit"
    assert "secret" not in str(error)
    assert GONE in str(error)
    check_retained(backpack, past)
    if way != "kill":
        for act in (backpack.history, backpack.close, lambda: backpack.snapshot(past.commits[0])):
            with pytest.raises(ArchiveError, match=GONE):
                act()
        server.start()
    server.wait()
    end(backpack, past, server.url, name)


def test_a_session_that_is_ended(server: Server, name: str) -> None:
    """The change that needed it is refused; the next one has another, and the name as before."""
    backpack, past = begun(server.url, "on-commit", 25, name)
    before = backend_of(backpack)
    server.ask("SELECT pg_terminate_backend(%s, 5000)", before)
    error, _ = until_refused(backpack, past, 1)
    assert GONE in str(error)
    assert database_of(backpack)._connection is None
    pack(backpack, past)
    assert before != backend_of(backpack)
    with pytest.raises(StaleWriter, match="has a writer that is alive"):
        Backpack.open(server.url, name, **ROOM)
    end(backpack, past, server.url, name)


def test_who_lost_its_name_with_its_session_is_stale(
    server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever took it meanwhile has it; the other writes nothing, now or later."""
    backpack, past = begun(server.url, "on-commit", 25, name)
    server.ask("SELECT pg_terminate_backend(%s, 5000)", backend_of(backpack))
    with Backpack.open(archive(server.url, "on-commit"), name, **ROOM) as other:
        past.check(other)
        monkeypatch.setattr("backpack.archive.database._LETTING_GO", 0)
        before = seen(backpack)
        for kind in (ArchiveError, StaleWriter, StaleWriter):
            with pytest.raises(kind):
                backpack.pack("a", "stale")
            with pytest.raises(ArchiveError):
                backpack.tag(past.commits[0], "stale")
            assert before == seen(backpack)
        past.check(other)
        pack(other, past)
    with pytest.raises(StaleWriter, match="was opened by another writer since; nothing was writt"):
        backpack.pack("a", "stale")
    backpack.close()
    with Backpack.open(server.url, name, **ROOM) as again:
        past.check(again)


@pytest.mark.parametrize(
    ("loses", "write"),
    [("question", "on-commit"), ("answer", "on-commit"), ("answer", "on-prune")],
)
def test_a_commit_whose_answer_got_lost(
    loses: str,
    write: str,
    server: Server,
    proxy: Proxy,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was refused, whether the server has it or not; it is found out, and taken back."""
    backpack, past = begun(proxy.url, write, 25, name)
    commit = Database.commit

    def head() -> int:
        [(head,)] = server.ask("SELECT head FROM backpack_packs WHERE name = %s", name)
        return int(head)

    def commits(self: Database) -> None:
        proxy.loses = loses
        commit(self)

    for _ in range(2):
        before = head()
        with monkeypatch.context() as patch:
            patch.setattr(Database, "commit", commits)
            error, _ = until_refused(backpack, past)
        assert GONE in str(error)
        assert (before == head()) is (loses == "question")
        pack(backpack, past)
    end(backpack, past, proxy.url, name)


@pytest.mark.parametrize("write", WRITE)
def test_a_table_that_somebody_has_locked(
    write: str, server: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever; what memory answers for is read as ever."""
    patience(monkeypatch, 1)
    backpack, past = begun(server.url, write, 25, name)
    with server.session() as other:
        other.execute("BEGIN; LOCK TABLE backpack_packs IN ACCESS EXCLUSIVE MODE")
        start = time.monotonic()
        error, _ = until_refused(backpack, past)
        assert time.monotonic() - start < 10
        assert "canceling statement due to lock timeout" in str(error)
        assert "See which session has had it locked for 1 seconds, and do it again" in str(error)
        check_retained(backpack, past)
    end(backpack, past, server.url, name)


def test_a_server_that_takes_no_changes(server: Server, name: str) -> None:
    """A standby, for one: everything can be read, and it says that it is one."""
    backpack, past = begun(server.url, "on-prune", 25, name)
    server.ask("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        database_of(backpack).drop()
        error, passed = until_refused(backpack, past)
        assert passed > 0
        assert "read-only transaction; nothing was changed. See that it is the serv" in str(error)
        past.check(backpack)
    finally:
        server.ask("BEGIN READ WRITE; ALTER DATABASE postgres RESET ALL; COMMIT")
    database_of(backpack).drop()
    end(backpack, past, server.url, name)


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something takes the connection, and says nothing."""
    patience(monkeypatch, 1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://user:secret@127.0.0.1:{silent.getsockname()[1]}/database"
        with pytest.raises(ArchiveError, match=f"timeout expired{GONE}") as e:
            Backpack.open(url, "it")
    assert "secret" not in str(e.value)


def test_what_the_url_says_goes_first(server: Server, name: str) -> None:
    """How long is waited, and for what; what it does not say is as ever."""
    url = f"{server.url}&options=-c lock_timeout=123&connect_timeout=4"
    made = connect_arguments(SqlArchive(url).parsed, "power", 10)
    assert "connect_timeout" not in made
    assert 10_000 == made["tcp_user_timeout"]
    with Backpack.open(url, name) as backpack:
        connection = database_of(backpack).connection
        for setting, value in (
            ("lock_timeout", "123ms"),
            ("statement_timeout", "30s"),
            ("synchronous_commit", "local"),
        ):
            shown = connection.exec_driver_sql(f"SHOW {setting}").scalar()
            assert value == shown
    with Backpack.open(SqlArchive(server.url, sync="power"), name) as backpack:
        connection = database_of(backpack).connection
        assert "on" == connection.exec_driver_sql("SHOW synchronous_commit").scalar()
