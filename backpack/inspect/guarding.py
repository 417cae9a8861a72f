"""Who may ask the page's server: a browser of this machine that was given the token.

The server listens on this machine alone, but every page that a browser shows can send requests
to it, other users of the machine can, too, and a name that is made to point here (DNS rebinding)
passes for the same origin. Hence each request has to name this address, come from the page itself,
and have the token that the terminal shows. Whatever is refused learns nothing.
"""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEADERS", "Door", "Guard"]

#: What every answer has: nothing but what comes with the page is loaded or run, no other page
#: may frame it or read it, and nothing is kept.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_REFUSED: Final = (
    "Refused. Paste the address that 'backpack inspect' shows in its terminal into the address "
    "bar of a browser on the same machine.\n"
)


@frozen
class Door:
    """Where a server is, and what opens it.

    Attributes:
        port: Its port on 127.0.0.1.
        token: What a request has to have.
        path: Under what all of it lies. A cookie is sent to every port of a machine, but not to
            another path: other servers there are not sent the token.
    """

    port: int
    token: str = field(factory=lambda: secrets.token_urlsafe(32), repr=False)
    path: str = field(factory=lambda: f"/{secrets.token_urlsafe(9)}/")

    @property
    def address(self) -> str:
        """What is opened in a browser."""
        return f"http://127.0.0.1:{self.port}{self.path}?token={self.token}"

    @property
    def cookie(self) -> str:
        """The name of the cookie that has the token."""
        return f"backpack-inspect-{self.port}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """What it may be called."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"


class Guard:
    """Lets through to an application what may ask it, and answers everything else itself.

    Args:
        app: The application.
        door: What opens it.
    """

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = self._answer(Request(scope))
        await (self._app if answer is None else answer)(scope, receive, guarded)

    def _answer(self, request: Request) -> Response | None:
        """Return what is answered in place of the application; None lets it."""
        if request.method != "GET" or not self._is_ours(request.headers):
            return PlainTextResponse(_REFUSED, 403)
        given = request.query_params.get("token")
        if given is not None and request.url.path == self._door.path and self._opens(given):
            # The token is in the cookie from here on, and not in what the address bar shows.
            response = RedirectResponse(self._door.path, 303)
            response.set_cookie(
                self._door.cookie,
                self._door.token,
                path=self._door.path,
                httponly=True,
                samesite="strict",
            )
            return response
        if not self._opens(request.cookies.get(self._door.cookie, "")):
            return PlainTextResponse(_REFUSED, 403)
        return None

    def _is_ours(self, headers: Headers) -> bool:
        """Whether a request names this address, and comes from a page of it or from nowhere."""
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        sites = headers.getlist("sec-fetch-site")
        return (
            len(hosts) == 1
            and hosts[0] in self._door.hosts
            and all(each == f"http://{hosts[0]}" for each in origins)
            and all(each in ("same-origin", "none") for each in sites)
        )

    def _opens(self, token: str) -> bool:
        return compare_digest(token.encode("utf-8", "replace"), self._door.token.encode())
