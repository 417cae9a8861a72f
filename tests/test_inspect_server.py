"""The server of the page: who may ask it, and what it answers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pages import Answer, ask, hostile, served

from backpack import Backpack
from backpack.errors import ConfigError
from backpack.inspect.guarding import HEADERS, Door
from backpack.inspect.server import bound

_REFUSAL = b"Refused. Paste the address"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Backpack in a file."""
    return hostile(tmp_path_factory.mktemp("inspect") / "it.backpack")


@pytest.fixture(scope="module")
def door(file: Path) -> Iterator[Door]:
    """A server of its page."""
    with served(file) as door:
        yield door


def is_refused(answer: Answer) -> bool:
    """Whether an answer tells nothing."""
    return answer.status == 403 and answer.body.startswith(_REFUSAL) and len(answer.body) < 200


# --- who may ask ---------------------------------------------------------------------------------

ALL = ("", "index", "values?want=0.1", "moment", "assets/app.js", "assets/style.css")


@pytest.mark.parametrize("what", ALL)
def test_the_token_opens_everything(door: Door, what: str) -> None:
    """With it, each answers, and says that nothing of it may be kept, framed or run."""
    answer = ask(door, what)
    assert 200 == answer.status
    for name, value in HEADERS.items():
        assert value == answer.headers[name.lower()]


@pytest.mark.parametrize("what", ALL)
def test_without_the_token_nothing_is_told(door: Door, what: str) -> None:
    """Neither the page, nor its files, nor data; nor with one that is nearly right."""
    wrong = door.token[:-1] + ("A" if door.token[-1] != "A" else "B")
    for cookie in (None, "", f"{door.cookie}=", f"{door.cookie}={wrong}", f"other={door.token}"):
        assert is_refused(ask(door, what, Cookie=cookie))
    separator = "&" if "?" in what else "?"
    assert is_refused(ask(door, f"{what}{separator}token={wrong}", Cookie=None))
    if what:
        assert is_refused(ask(door, f"{what}{separator}token={door.token}", Cookie=None))


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "[::1]:{port}"],
)
def test_another_host_is_refused(door: Door, host: str | None) -> None:
    """A name that somebody makes point here does not become the same origin."""
    sent = host and host.format(port=door.port)
    answer = ask(door, "index", Host=sent)
    # Without any, a request is none.
    assert is_refused(answer) or (host is None and answer.status == 400)
    assert 200 == ask(door, "index", Host=f"localhost:{door.port}").status


def test_a_request_without_a_host_is_refused(door: Door) -> None:
    """As only old versions of HTTP allow."""
    with closing(socket.create_connection(("127.0.0.1", door.port))) as connection:
        cookie = f"Cookie: {door.cookie}={door.token}"
        connection.sendall(f"GET {door.path}index HTTP/1.0\r\n{cookie}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 403 " in answer.partition(b"\r\n")[0]
    assert _REFUSAL in answer


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://127.0.0.1", "http://localhost:{port}", ""]
)
def test_another_origin_is_refused(door: Door, origin: str) -> None:
    """A page of somebody else gets nothing, even with the cookie."""
    assert is_refused(ask(door, "index", Origin=origin.format(port=door.port)))
    assert 200 == ask(door, "index", Origin=f"http://127.0.0.1:{door.port}").status


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_site_is_refused(door: Door, site: str) -> None:
    """What a browser says about where it comes from is believed."""
    assert is_refused(ask(door, "index", Sec_Fetch_Site=site))
    for ours in ("same-origin", "none"):
        assert 200 == ask(door, "index", Sec_Fetch_Site=ours).status


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND"]
)
def test_other_methods_are_refused(door: Door, method: str) -> None:
    """There is nothing to do but to look."""
    answer = ask(door, "index", method)
    assert 403 == answer.status
    assert method == "HEAD" or is_refused(answer)


def test_the_token_moves_from_the_address_to_a_cookie(door: Door) -> None:
    """The address bar does not show it, no script reads it, no other site or path is sent it."""
    answer = ask(door, f"?token={door.token}", Cookie=None)
    assert (303, door.path) == (answer.status, answer.headers["location"])
    assert (
        f"{door.cookie}={door.token}; HttpOnly; Path={door.path}; SameSite=strict"
        == answer.headers["set-cookie"]
    )
    assert b"" == answer.body
    assert door.address.endswith(f"{door.path}?token={door.token}")
    assert door.token not in repr(door)


def test_nothing_lies_elsewhere(door: Door) -> None:
    """Not at the root, not outside the assets, however that is written."""
    for path in ("/", "/index", "/assets/app.js", f"{door.path}other"):
        assert 404 == ask(door, path).status
    for name in (
        "../page.py",
        "%2e%2e/page.py",
        "..%2fpage.py",
        "page.html/",
        "",
        "/etc/passwd",
        "..",
        "no.js",
    ):
        assert 404 == ask(door, f"assets/{name}").status
    assert 404 == ask(Door(door.port, door.token), "index").status


def test_ports_are_of_this_machine_alone() -> None:
    """The socket is bound to loopback."""
    with closing(bound()) as listening:
        assert "127.0.0.1" == listening.getsockname()[0]


def test_a_port_in_use_is_told() -> None:
    """By its number, with what to do."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            bound(port)
    assert (
        f"--port: port {port} of 127.0.0.1 is in use; choose another, or leave --port out to have "
        "any that is free" == str(caught.value)
    )
    with pytest.raises(ConfigError, match="port 70000 of 127.0.0.1 cannot be had: "):
        bound(70_000)


# --- what it answers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "want", ["", "1", "a.b", "1.2,", "-1.2", "1.2;3.4", "9999999999.1", ",".join(["0.1"] * 201)]
)
def test_values_are_asked_for_by_number(door: Door, want: str) -> None:
    """Anything else is no question."""
    answer = ask(door, f"values?want={want}")
    assert (404, b"Values are asked for as key.commit, in numbers.\n") == (
        answer.status,
        answer.body,
    )


def test_answers_are_inert_json(door: Door, file: Path) -> None:
    """Whatever keys, nodes, tags, notes and values are: ASCII, and no type but JSON."""
    index = ask(door, "index")
    count = len(index.json["keys"])
    values = ask(door, "values?want=" + ",".join(f"{each}.{2 * each + 1}" for each in range(13)))
    for answer in (index, values, ask(door, "moment")):
        assert "application/json" == answer.headers["content-type"]
        assert answer.body.isascii()
    assert 19 == count
    assert "dict" == values.json[0][0]
    assert {"code": index.json["code"], "head": 32} == ask(door, "moment").json


def test_a_file_that_goes_bad_is_told_and_the_server_goes_on(tmp_path: Path) -> None:
    """Deleted, damaged, and there again: each request says what is so, in a line."""
    place = tmp_path / "it.backpack"
    backpack = Backpack()
    backpack["a"] = 1
    backpack.save(place)
    whole = place.read_bytes()
    with served(place) as door:
        assert 200 == ask(door, "index").status
        place.unlink()
        for what in ("index", "moment"):
            gone = ask(door, what)
            assert (503, {"error": f"there is no archive {place}"}) == (gone.status, gone.json)
        place.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
        damaged = ask(door, "index")
        assert 503 == damaged.status
        assert "damaged" in damaged.json["error"]
        assert "Traceback" not in damaged.body.decode()
        place.write_bytes(whole)
        assert 200 == ask(door, "index").status
        assert [1] == json.loads(ask(door, "values?want=0.1").body)
