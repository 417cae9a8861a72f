"""The server of the page, on this machine alone."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Final

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from backpack.errors import BackpackError, ConfigError
from backpack.inspect.guarding import Door, Guard
from backpack.inspect.page import TYPES, asset, asset_names
from backpack.wording import one_line

if TYPE_CHECKING:
    from starlette.requests import Request

    from backpack.inspect.inspected import Inspected

__all__ = ["application", "bound", "ready", "serve"]

#: Values that are asked for, as ``key.commit`` in numbers.
_WANTED: Final = re.compile(r"\d{1,9}\.\d{1,18}(,\d{1,9}\.\d{1,18})*", re.ASCII)
#: So many may be asked for at a time.
_MOST: Final = 200


def application(inspected: Inspected, door: Door) -> Guard:
    """Return the ASGI application: the page, its files, and what it asks.

    ``index`` answers with the :class:`~backpack.inspect.index.Index`; ``values?want=3.17,4.2``
    with the values that commits 17 and 2 set under the keys of these numbers, ``&whole`` with
    large ones, too; ``moment`` with the newest commit that is there.
    """

    def told(answer: Callable[[], str]) -> Response:
        try:
            return Response(answer(), media_type="application/json")
        except BackpackError as error:
            text = json.dumps({"error": str(error)})
            return Response(text, 503, media_type="application/json")

    def page(_: Request) -> Response:
        return Response(asset("page.html"), media_type=TYPES["html"])

    def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in asset_names():
            return PlainTextResponse("There is no such file.\n", 404)
        return Response(asset(name), media_type=TYPES[name.rpartition(".")[2]])

    def index(_: Request) -> Response:
        return told(lambda: inspected.index().as_json())

    def values(request: Request) -> Response:
        wanted = request.query_params.get("want", "")
        if not _WANTED.fullmatch(wanted) or wanted.count(",") >= _MOST:
            return PlainTextResponse("Values are asked for as key.commit, in numbers.\n", 404)
        pairs = (each.split(".") for each in wanted.split(","))
        places = [(int(key), int(seq)) for key, seq in pairs]
        whole = "whole" in request.query_params
        return told(lambda: inspected.values(places, whole=whole))

    def moment(_: Request) -> Response:
        return told(lambda: json.dumps(inspected.moment()))

    routes = [
        Route(door.path, page),
        Route(f"{door.path}assets/{{name}}", file),
        *(Route(f"{door.path}{each.__name__}", each) for each in (index, values, moment)),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return Guard(app, door)


def bound(port: int = 0) -> socket.socket:
    """Return a socket on this machine alone.

    Args:
        port: Its port; any that is free if 0.

    Raises:
        ConfigError: It cannot be had.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # There, it would take a port from who has it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        number = getattr(error, "errno", None)
        is_used = number == errno.EADDRINUSE
        why = "is in use" if is_used else f"cannot be had: {one_line(str(error))}"
        raise ConfigError(
            f"port {port} of 127.0.0.1 {why}; choose another, or leave --port out to have any "
            "that is free",
            field="--port",
        ) from None
    return listening


class _Server(uvicorn.Server):
    """One that tells when a browser can ask."""

    def __init__(self, config: uvicorn.Config, begun: Callable[[], object]) -> None:
        super().__init__(config)
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._begun()


def ready(
    inspected: Inspected, door: Door, begun: Callable[[], object] = lambda: None
) -> uvicorn.Server:
    """Return a server that has only to be run.

    Args:
        inspected: The Backpack.
        door: What opens it.
        begun: Called once a browser can ask.
    """
    config = uvicorn.Config(
        application(inspected, door),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Server(config, begun)


def serve(
    inspected: Inspected, listening: socket.socket, door: Door, begun: Callable[[], object]
) -> None:
    """Answer until it is interrupted.

    Args:
        inspected: The Backpack.
        listening: The socket.
        door: What opens it.
        begun: Called once a browser can ask.

    Raises:
        KeyboardInterrupt: It was interrupted.
    """
    server = ready(inspected, door, begun)
    with closing(listening), closing(inspected):
        server.run(sockets=[listening])
