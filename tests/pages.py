"""What tests of the page have in common: Backpacks to look at, a server, a browser."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import math
import re
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, time
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen

from backpack import Backpack
from backpack.codec.foreign import Foreign
from backpack.inspect.guarding import Door
from backpack.inspect.inspected import Inspected
from backpack.inspect.server import bound, ready
from backpack.policies import Stub

#: Texts that would do something if they were taken for anything but texts.
HOSTILE = (
    "<script>window.harmed = 1</script>",
    "</script><script>window.harmed = 2</script>",
    "<!--<script>",
    '<img src=x onerror="window.harmed = 3">',
    "javascript:window.harmed=4",
    '"><svg onload=window.harmed=5>',
    "' onfocus=window.harmed=6 autofocus='",
    "{{constructor.constructor('window.harmed=7')()}}",
    "\x1b[31mred\x1b]0;title\x07",
    "\u202egnol\u2066\u2069\u200b\ufeff",
    "a\r\nSet-Cookie: b=c",
    "__proto__",
    "constructor",
)


def hostile(path: Path) -> Path:
    """Save a Backpack in which all is hostile that may be; return its file."""
    backpack = Backpack(max_history_size="8 MiB", clock=iter(range(1, 999)).__next__)
    for text in HOSTILE:
        backpack.pack(text, {text: [text, (text,)]}, by=text, tags=[text], note=text)
        backpack.pack(text, {text: [f"{text}!", (text,)], "__proto__": {"harmed": text}}, by=text)
    deep: object = "the end"
    for _ in range(600):
        deep = (deep,)
    odd = {
        "lone": "\ud800 and \udfff",
        "nan": [float("nan"), float("inf"), -float("inf"), -0.0, 1e308],
        "int": [10**400, -(10**9000), 2**53, 2**53 - 1],
        "deep": deep,
        "bytes": [b"</script>", bytes(range(256)), bytearray(b"\xff\xfe")],
        "mixed": {1: {2}, None: frozenset({(3, "<b>")}), ("a", 1): Foreign},
    }
    odd["mixed"][("a", 1)] = "tuple key"  # type: ignore[index]
    for key, value in odd.items():
        backpack.pack(key, value)
    backpack.save(path)
    return path


@frozen
class Trip:
    """A class that a reader of the file does not have."""

    to: str
    on: date
    travellers: tuple[str, ...]


def booking(place: str) -> None:
    """Have an agent book a trip, with an archive at a place: a story to look at."""
    now = datetime(2026, 5, 4, 9, 30, tzinfo=UTC).timestamp()
    moments = (now + 4.2 * at + 2 * math.sin(at) for at in itertools.count())
    random = Random(7)  # noqa: S311
    settings: Any = {"max_history_size": 40_000, "reference": Stub(30_000)}
    with Backpack.open(place, "booking", clock=moments.__next__, **settings) as bp:
        bp.pack("goal", "Rome for two, first week of May, under 900 EUR", by="user", tags=["asked"])
        bp.pack("plan", {"steps": ["search flights"], "done": ()}, by="planner")
        offers: list[dict[str, Any]] = []
        messages: list[dict[str, str]] = []
        for turn in range(150):
            number = f"AZ {random.randrange(200, 900)}"
            price = random.randrange(118, 420)
            if turn % 5 == 0:
                with bp.edit("plan", by="planner") as plan:
                    plan["steps"].append(f"compare {number}")
                    plan["done"] += (turn,)
            if turn % 3 == 1:
                offers = [
                    *offers[-11:],
                    {"flight": number, "price": price, "seats": {"12A", "12B"}},
                ]
                bp.pack("offers", offers, by="researcher")
            text = "".join(
                random.choice("abcdefghij klmnop qrstuv") for _ in range(120 + turn % 90)
            )
            messages.append({"role": "tool" if turn % 2 else "assistant", "content": text})
            bp.pack("messages", messages, by="researcher" if turn % 2 else "planner")
            if turn == 20:
                bp.pack(
                    "ticket", random.randbytes(60_000), by="booker", note="a scan of the old one"
                )
            if turn == 31:
                bp.pack("ticket", random.randbytes(800), by="booker")
            if turn == 46:
                bp.pack("draft", _letter(2), by="writer")
            if turn == 118:
                trip = Trip("Rome", date(2026, 5, 2), ("Ada", "Grace"))
                with bp.transaction(by="planner", tags=["decided"], note="cheapest together") as tx:
                    tx["choice"], tx["draft"] = trip, _letter(4)
                    tx["plan"] = {"steps": ["book AZ 611"], "done": (0, 5, 10)}
                    del tx["ticket"]
            if turn == 140:
                bp.pack("draft", _letter(4).replace("Best", "All the best"), by="writer")


def _letter(offers: int) -> str:
    lines = [
        f"- AZ {600 + each}: {140 + 9 * each} EUR, two seats together" for each in range(offers)
    ]
    return "\n".join(["Dear Ada,", "", "here is what I found:", *lines, "", "Best,", "your agent"])


@contextmanager
def served(place: str | Path, name: str | None = None) -> Iterator[Door]:
    """Serve the page over a file; give what opens it."""
    inspected = Inspected(str(place), name)
    listening = bound()
    door = Door(listening.getsockname()[1])
    server = ready(inspected, door)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield door
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        inspected.close()


@frozen
class Answer:
    """What a server answers."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


def ask(door: Door, what: str = "", method: str = "GET", **headers: str | None) -> Answer:
    """Ask a server, with the token in a cookie unless told otherwise; None leaves a header out."""
    path = what if what.startswith("/") else f"{door.path}{what}"
    sent = {"Host": f"127.0.0.1:{door.port}", "Cookie": f"{door.cookie}={door.token}"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection("127.0.0.1", door.port, timeout=20)) as connection:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in (sent | given).items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return Answer(response.status, dict(response.headers), response.read())


def agrees(node: Any, value: object) -> bool:
    """Whether a node says what a value is; found out without what writes nodes."""
    kind = type(value)
    if value is None or kind in (bool, str):
        return type(node) is kind and node == value
    if kind is int:
        if type(node) is int:
            return node == value
        return type(node) is list and node[0] == "int" and int(node[1], 0) == value
    if type(node) is not list or not node:
        return False
    if kind is Foreign:
        assert isinstance(value, Foreign)
        rest = [] if value.rest is None else [value.rest]
        return (
            node[:2] == ["object", value.name]
            and len(node) == 3 + len(rest)
            and all(map(agrees, node[2:], [value.value, *rest]))
        )
    if node[0] != kind.__name__:
        return kind.__module__ == "numpy"
    return _agrees_inside(node[1], value)


def _agrees_inside(content: Any, value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(content) == len(value) and all(map(agrees, content, value))
    if isinstance(value, set | frozenset):
        left = list(content)
        for element in value:
            found = [at for at, each in enumerate(left) if agrees(each, element)]
            if not found:
                return False
            del left[found[0]]
        return left == []
    if isinstance(value, dict):
        flat = [part for pair in value.items() for part in pair]
        return len(content) == len(flat) and all(map(agrees, content, flat))
    if isinstance(value, bytes | bytearray):
        return base64.b64decode(content) == value
    if isinstance(value, datetime | date | time):
        return str(content).startswith(value.isoformat())
    return str(content).startswith(str(value))


class Columns:
    """What a page makes of an index, in Python."""

    def __init__(self, index: dict[str, Any]) -> None:
        self.keys: list[str] = index["keys"]
        self.code: str = index["code"]
        commits, versions = index["commits"], index["versions"]
        self.seqs = _summed(commits["seq"])
        self.rows: dict[str, list[tuple[int, int, int, int]]] = {}
        place = 0
        for key, count in zip(versions["key"], versions["count"], strict=True):
            behind = place + count
            seqs = _summed(versions["seq"][place:behind])
            born, form = versions["born"][place:behind], versions["form"][place:behind]
            self.rows[self.keys[key]] = list(
                zip(seqs, born, form, range(place, behind), strict=True)
            )
            place = behind

    def state(self, seq: int) -> dict[str, tuple[int, int, int]]:
        """Return ``{key: (its number, the number of the commit, the place of the version)}``."""
        found = []
        for key, rows in self.rows.items():
            at = bisect_right([row[0] for row in rows], seq) - 1
            if at >= 0 and not rows[at][2] & 1:
                setter, born, _, place = rows[at]
                found.append((born, key, (self.keys.index(key), setter, place)))
        return {key: what for _, key, what in sorted(found)}


def _summed(steps: list[int]) -> list[int]:
    total, numbers = 0, []
    for step in steps:
        total += step
        numbers.append(total)
    return numbers


def blocks(page: str) -> dict[str, Any]:
    """Return what is embedded in an exported page, by id."""
    found = re.findall(
        r'<script type="application/octet-stream" id="([a-z0-9-]+)">([A-Za-z0-9+/=]*)</script>',
        page,
    )
    return {name: json.loads(gzip.decompress(base64.b64decode(text))) for name, text in found}


def embedded_values(page: str) -> list[Any]:
    """Return the nodes of all versions in an exported page, in order; a deep one as its JSON."""
    found = blocks(page)
    nodes: list[Any] = []
    for number in range(len(found["index"]["parts"])):
        assert len(nodes) == found["index"]["parts"][number]
        text = ""
        for first, last, middle in found[f"values-{number}"]:
            text = text[:first] + middle + text[len(text) - last :]
            nodes.append(json.loads(text) if text.count("[") < 500 else text)
    return nodes


@contextmanager
def browser(*, dark: bool = False, size: str = "1280,980") -> Iterator[Any]:
    """Start a headless Chromium; give what drives it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for argument in (
            *("headless=new", "no-sandbox", "disable-gpu", "disable-quic"),
            *("disable-background-networking", "disable-component-update", "disable-sync"),
            *("no-first-run", "hide-scrollbars", f"window-size={size}", f"user-data-dir={folder}"),
        ):
            options.add_argument(f"--{argument}")
        driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
        try:
            driver.set_script_timeout(60)
            if dark:
                turn_dark(driver, "dark")
            yield driver
        finally:
            driver.quit()


def turn_dark(driver: Any, scheme: str) -> None:
    """Have a browser prefer ``dark`` or ``light``."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


CHROMIUM = "/usr/bin/chromium"
CHROMEDRIVER = "/usr/bin/chromedriver"


def is_local(address: str) -> bool:
    """Whether an address is of this machine, or a file."""
    return urlsplit(address).hostname in (None, "127.0.0.1")
