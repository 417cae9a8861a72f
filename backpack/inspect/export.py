"""The page and all it shows as one file, which opens without a server.

What is of the Backpack is in it as base64 of compressed JSON alone, so that no value can be taken
for markup. The policy in its head lets nothing run but the one script that came with Backpack.
"""

from __future__ import annotations

import gzip
import json
import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from backpack.errors import ArchiveError
from backpack.inspect.index import REMOVED, Index, index_of
from backpack.inspect.inspected import value_node
from backpack.inspect.page import asset, one_script
from backpack.inspect.values import node
from backpack.overwriting import is_same, obstacle
from backpack.past import Past
from backpack.wording import cut, one_line, printable

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

__all__ = ["LIMIT", "Exported", "export", "left_out", "page_of", "parts"]

#: Bytes of values that are written, as they are stored in the file, unless another limit is given.
LIMIT: Final = 64 * 1024 * 1024

#: A message shows so many characters of a path.
_LONGEST_PATH: Final = 500

#: A part has values of so many characters at most, unless it has one alone, and so many of what
#: they differ in: to read one, those before it in its part are made first.
_PART: Final = 16 * 1024 * 1024
_PART_TEXT: Final = 512 * 1024

_STYLE: Final = '<link rel="stylesheet" href="assets/style.css">'
_SCRIPT: Final = '<script type="module" src="assets/app.js"></script>'
_ICON: Final = '<link rel="icon" href="assets/icon.svg">'

#: Told how many versions are done, and of how many.
Progress = Callable[[int, int], None]


@frozen
class Exported:
    """What was exported.

    Attributes:
        name: What the Backpack is called.
        commits: How many commits it has.
        values: How many values are in the page.
        left_out: How many are not, because of the limit.
        size: Bytes of the page.
    """

    name: str
    commits: int
    values: int
    left_out: int
    size: int


def export(
    place: str,
    out: str | os.PathLike[str],
    name: str | None = None,
    *,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Exported:
    """Write a page over a Backpack to a file; one that is there is replaced.

    Args:
        place: A checkpoint, an SQLite archive, or the URL of an archive.
        out: The file.
        name: Which Backpack, where there are several.
        limit: Bytes of values that are written at most, as they are stored in ``place``. Of those
            over it the largest are left out, and the page says so.
        progress: Told how many versions are done, and of how many.

    Raises:
        UnknownName: There is no such Backpack.
        ArchiveError: It cannot be read, or the page not be written.
        CorruptError: It is damaged.
    """
    final = Path(out).absolute()
    if is_same(final, Path(place.removeprefix("sqlite:///"))):
        raise ArchiveError(f"{final} is what is to be looked at; name another file for the page")
    _check_target(final)
    with Past(place, name) as past:
        index = index_of(past)
        # Who is sent the page has no use for the folders of this machine, or the name of a server.
        where = PureWindowsPath(index.about["where"]).name
        index = evolve(index, about={**index.about, "where": where})
        omitted = left_out(index, limit)
        nodes = _nodes(past, index, omitted, progress)
        text = page_of(index, nodes, len(omitted))
    part = final.with_name(f".{final.name}.{secrets.token_hex(4)}.part")
    try:
        part.write_text(text, encoding="utf-8")
        # Somebody may have opened what is to be replaced.
        _check_target(final)
        part.replace(final)
    except OSError as error:
        raise ArchiveError(
            f"the page {final} cannot be written: {error.strerror or one_line(str(error))}; "
            "nothing was changed"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink()
    commits, forms = len(index.commits["seq"]), index.versions["form"]
    values = sum(not form & REMOVED for form in forms) - len(omitted)
    return Exported(past.name, commits, values, len(omitted), len(text.encode()))


def _check_target(final: Path) -> None:
    """Refuse to replace what is no file for a page.

    Raises:
        ArchiveError: It is a database that somebody has open, or no plain file.
    """
    reason = obstacle(final)
    if reason is not None:
        raise ArchiveError(f"{cut(printable(str(final)), _LONGEST_PATH)} {reason}")


def left_out(index: Index, limit: int) -> AbstractSet[int]:
    """Return the places of the versions that are too large: the largest, until the rest fits."""
    stored = index.versions["stored"]
    total, out = sum(stored), set()
    for place in sorted(range(len(stored)), key=lambda each: (-stored[each], each)):
        if total <= limit:
            break
        total -= stored[place]
        out.add(place)
    return out


def page_of(index: Index, nodes: Iterable[str], omitted: int = 0) -> str:
    """Return the page of an index, and the JSON of each of its versions."""
    starts, blocks, place = [], [], 0
    for number, (count, text) in enumerate(parts(nodes)):
        starts.append(place)
        place += count
        blocks.append(_block(f"values-{number}", text))
    blocks.insert(0, _block("index", index.as_json(parts=starts, omitted=omitted)))
    style, script = asset("style.css"), one_script()
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    )
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="referrer" content="no-referrer">\n<style>{style}</style>'
    )
    body = "\n".join([*blocks, f'<script type="module">{script}</script>'])
    page = asset("page.html").replace(f"{_ICON}\n", "")
    return page.replace(_STYLE, head).replace(_SCRIPT, body)


def parts(nodes: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Iterate over how many values a part has, and its text.

    A part is a JSON array; a value is ``[first, last, text]``: so many characters as the one
    before in the part begins with, the text, so many characters that one ends with.
    """
    part: list[tuple[int, int, str]] = []
    before, whole, told = "", 0, 0
    for text in nodes:
        first, last = _shared(before, text)
        if part and (whole + len(text) > _PART or told + len(text) - first - last > _PART_TEXT):
            yield len(part), json.dumps(part)
            part, whole, told, first, last = [], 0, 0, 0, 0
        part.append((first, last, text[first : len(text) - last]))
        whole += len(text)
        told += len(text) - first - last
        before = text
    if part:
        yield len(part), json.dumps(part)


def _nodes(
    past: Past, index: Index, omitted: Collection[int], progress: Progress | None
) -> Iterator[str]:
    """Iterate over the JSON of all versions, in the order of the index."""
    count = len(index.numbered)
    versions = past.all_encoded(progress=progress and (lambda done: progress(done, count)))
    for place, form in enumerate(index.versions["form"]):
        if form & REMOVED:
            yield node("gone")
            continue
        key, seq, encoded = next(versions)
        assert (index.keys[index.numbered[place][0]], seq) == (key, index.numbered[place][1])  # noqa: S101
        if place in omitted and isinstance(encoded, bytes):
            yield node("omitted", len(encoded))
        else:
            yield value_node(past, encoded)


def _shared(before: str, text: str) -> tuple[int, int]:
    """Return how many characters two texts begin with alike, and how many they end with."""
    most = min(len(before), len(text))
    first = _alike(most, lambda low, high: before[low:high] == text[low:high])
    ends = len(before), len(text)
    last = _alike(
        most - first,
        lambda low, high: (
            before[ends[0] - high : ends[0] - low] == text[ends[1] - high : ends[1] - low]
        ),
    )
    return first, last


def _alike(most: int, are_alike: Callable[[int, int], bool]) -> int:
    """Return how far two texts are alike, by halves: each character is compared a few times."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if are_alike(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _block(name: str, text: str) -> str:
    packed = b64encode(gzip.compress(text.encode("ascii"), mtime=0)).decode("ascii")
    return f'<script type="application/octet-stream" id="{name}">{packed}</script>'


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}"
