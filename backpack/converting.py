"""Makes traces of what people have: logs of chats, and files with a state a line."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import frozen

from backpack.errors import TraceError
from backpack.json_form import as_json
from backpack.operations import LONGEST, Wrong, kind_of
from backpack.overwriting import is_same, obstacle
from backpack.replay import fingerprint
from backpack.trace import lines, parsed
from backpack.trace_file import TraceFile
from backpack.unicode import is_unicode
from backpack.wording import shown

__all__ = ["KINDS", "Converted", "Kind", "convert"]

#: What a file holds: conversations, or the whole state at each step.
Kind: TypeAlias = Literal["chat", "states"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

#: An operation of a trace as its line says it.
_Line: TypeAlias = dict[str, Any]
#: What stands at a place of a file: the number of its line, and the JSON there.
_Placed: TypeAlias = tuple[int, object]
_Advance: TypeAlias = Callable[[int, int], None]


@frozen
class Converted:
    """What became of a file.

    Attributes:
        kind: What it was taken for.
        commits: Commits of the trace.
        look_backs: Look-backs that were put in between.
    """

    kind: Kind
    commits: int
    look_backs: int


def convert(
    source: Path | str,
    target: Path | str,
    *,
    kind: Kind | None = None,
    by: str | None = None,
    look_backs: int = 0,
    seed: int = 1,
    force: bool = False,
    progress: _Advance | None = None,
) -> Converted:
    """Write a trace of a log.

    A chat becomes a list under the key ``messages`` to which one message after the other is
    appended, by its role; of several, each has a key of its own. Of states, what differs from one
    to the next becomes a commit.

    Args:
        source: A file of JSON or JSON Lines, plain or gzip.
        target: The trace; compressed if its name ends in ``.gz``.
        kind: What the file holds; told from its first lines if left out.
        by: Which field of a state says who made it; it is not part of the state.
        look_backs: So many are put in, each after a commit drawn at random, looking back as far as
            the power of the commits made by then to a number between 0 and 1 that is drawn for it:
            half of them no further than the square root.
        seed: What they are drawn from.
        force: Whether a target that is there is replaced.
        progress: Called now and then with the bytes of the file read so far and its size.

    Raises:
        TraceError: A file cannot be read or written, or the source is none of those; names the
            line. A target that was there is as before.
    """
    source, target = Path(source), Path(target)
    _check_target(source, target, force=force)
    if kind is None:
        kind = _kind_of_source(source)

    def commits(progress: _Advance | None = None) -> Iterator[_Line]:
        read = _read(source, progress)
        return _chat(source, read) if kind == "chat" else _states(source, read, by)

    looks: Counter[int] = Counter()
    random = Random(seed)  # noqa: S311
    if look_backs:
        total = sum(1 for _ in commits())
        looks.update(1 + int(random.random() * total) for _ in range(look_backs))
    made = _write(target, _with_looks(commits(progress), looks, random))
    if not made:
        raise TraceError("no state in it has anything in it", where=str(source))
    return Converted(kind, made - look_backs, look_backs)


def _with_looks(commits: Iterable[_Line], looks: Counter[int], random: Random) -> Iterator[_Line]:
    for made, line in enumerate(commits, 1):
        yield line
        for _ in range(looks[made]):
            yield {"op": "snapshot", "back": int((made + 1) ** random.random()) - 1}


# --- what a chat and a state become ----------------------------------------------------------


def _chat(source: Path, read: Iterator[_Placed]) -> Iterator[_Line]:
    first = list(islice(read, 2))
    is_one = len(first) == 1
    for number, (line, data) in enumerate((*first, *read), 1):
        where = f"{source}:{line}"
        key = "messages" if is_one else f"messages {number}"
        messages = data.get("messages") if isinstance(data, dict) else data
        if not isinstance(messages, list):
            found = (
                "an object without a list 'messages'" if isinstance(data, dict) else kind_of(data)
            )
            raise TraceError(
                f"{found}; a chat is a list of messages, or an object with one as 'messages'",
                where=where,
            )
        yield {"op": "pack", "key": key, "value": []}
        for index, message in enumerate(messages):
            by = _role(message, f"messages[{index}]", where)
            yield {"op": "append", "key": key, "item": message, "by": by}


def _role(message: object, name: str, where: str) -> str:
    """Return the role of a message.

    Raises:
        TraceError: It is no message.
    """
    if not isinstance(message, dict):
        raise TraceError(f"{name} is {kind_of(message)}; an object is expected", where=where)
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or not role or not is_unicode(role):
        found = f"{name}.role is {shown(role)}" if "role" in message else f"{name} has no 'role'"
        raise TraceError(f"{found}; 'user', 'assistant' or the like is expected", where=where)
    if not isinstance(content, str | list | None):
        raise TraceError(
            f"{name}.content is {kind_of(content)}; a string, a list of parts or null is expected",
            where=where,
        )
    return role


def _states(source: Path, read: Iterator[_Placed], by: str | None) -> Iterator[_Line]:
    before: dict[str, Any] = {}
    for line, state in read:
        where = f"{source}:{line}"
        if not isinstance(state, dict):
            raise TraceError(
                f"{kind_of(state)}; an object with the whole state is expected", where=where
            )
        node = None if by is None else state.pop(by, None)
        if node is not None and (not isinstance(node, str) or not node or not is_unicode(node)):
            raise TraceError(
                f"{shown(by)} is {shown(node)}; the name of who made the state is expected",
                where=where,
            )
        for key in state:
            if not key or not is_unicode(key):
                raise TraceError(
                    f"the state has the key {shown(key)}; a key is a non-empty string of valid "
                    "Unicode",
                    where=where,
                )
        changes = [*_set(before, state), *_removed(before, state)]
        before = state
        if changes:
            commit = changes[0] if len(changes) == 1 else {"op": "commit", "changes": changes}
            yield commit if node is None else commit | {"by": node}


def _set(before: dict[str, Any], state: dict[str, Any]) -> Iterator[_Line]:
    for key, value in state.items():
        if key not in before:
            yield {"op": "pack", "key": key, "value": value}
        elif (printed := fingerprint(value)) != fingerprint(before[key]):
            old = before[key]
            is_longer = type(value) is type(old) is list and len(value) == len(old) + 1
            if is_longer and fingerprint([*old, value[-1]]) == printed:
                yield {"op": "append", "key": key, "item": value[-1]}
            else:
                yield {"op": "pack", "key": key, "value": value}


def _removed(before: dict[str, Any], state: dict[str, Any]) -> Iterator[_Line]:
    return ({"op": "remove", "key": key} for key in before if key not in state)


# --- files -----------------------------------------------------------------------------------


def _kind_of_source(source: Path) -> Kind:
    """Tell from the first lines what a file holds.

    Lists, and objects with a list ``messages``, are chats; but where the messages of the second
    line go on from those of the first, that is one state after the other.

    Raises:
        TraceError: It holds neither.
    """
    first, *others = islice(_read(source, None), 2)
    if isinstance(first[1], dict) and isinstance(first[1].get("choices"), list):
        raise TraceError(
            "it has 'choices': an answer of a model, and not the conversation; convert the list of "
            "messages, answers included, or say --from states",
            where=f"{source}:{first[0]}",
        )
    messages = [
        data.get("messages") if isinstance(data, dict) else data for _, data in (first, *others)
    ]
    if not isinstance(messages[0], list):
        return "states"
    if isinstance(first[1], dict) and others and isinstance(messages[1], list):
        begun = messages[1][: len(messages[0])]
        if messages[0] and fingerprint(begun) == fingerprint(messages[0]):
            return "states"
    return "chat"


def _read(source: Path, progress: _Advance | None) -> Iterator[_Placed]:
    """Yield what a file holds: the JSON of each line, or of the whole file if that is one.

    Raises:
        TraceError: It cannot be read, or holds no JSON.
    """
    count = 0
    for number, line in lines(source, progress, LONGEST):
        if line.isspace():
            continue
        try:
            data = parsed(line, first=number == 1)
        except Wrong as wrong:
            if not count and (whole := _document(source, line)) is not None:
                yield number, whole
                return
            raise TraceError(str(wrong), where=f"{source}:{number}") from None
        count += 1
        yield number, data
    if not count:
        raise TraceError("the file is empty; JSON or JSON Lines are expected", where=str(source))


def _document(source: Path, first: bytes) -> object:
    """Return the JSON of a file that has one document on many lines; None if it has not.

    Raises:
        TraceError: It looks like one, and is broken.
    """
    text = first.decode("utf-8-sig", "replace").rstrip()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos < len(text):
            return None  # The line itself is broken.
    except (RecursionError, ValueError):
        return None
    chunks: list[bytes] = []
    size = 0
    for number, line in lines(source, None, LONGEST):
        chunks.append(line)
        size += len(line)
        if size > LONGEST:
            raise TraceError(
                f"the document is longer than {LONGEST:,} bytes; write it as JSON Lines",
                where=f"{source}:{number}",
            )
    if len(chunks) == 1:
        return None
    try:
        return parsed(b"".join(chunks), first=True)
    except Wrong as wrong:
        raise TraceError(str(wrong), where=_place(source, chunks)) from None


def _place(source: Path, chunks: list[bytes]) -> str:
    """Return where a document breaks."""
    try:
        json.loads(b"".join(chunks).decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return f"{source}:{error.lineno}"
    except UnicodeDecodeError as error:
        before = error.object.count(b"\n", 0, error.start)
        return f"{source}:{before + 1}"
    except (RecursionError, ValueError):
        pass
    return str(source)


def _check_target(source: Path, target: Path, *, force: bool) -> None:
    """Refuse a target that must not be written to, before anything is read."""
    if is_same(target, source):
        raise TraceError("is the file to convert; name another for the trace", where=str(target))
    reason = obstacle(target)
    if reason is not None:
        raise TraceError(reason, where=str(target))
    if not force and target.exists():
        raise TraceError(
            "there is such a file, which is left alone; --force replaces it", where=str(target)
        )


def _write(target: Path, operations: Iterable[_Line]) -> int:
    """Write a trace, all of it or nothing; return how many operations it has.

    Raises:
        TraceError: It cannot be written.
    """
    part = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    count = 0
    try:
        file = TraceFile(part, called=target)
        try:
            for operation in operations:
                file.write(as_json(operation))
                count += 1
        finally:
            file.close()
        if count:
            part.replace(target)
    except OSError as error:
        raise TraceError(
            f"cannot be written: {error.strerror or error}", where=str(target)
        ) from None
    finally:
        with suppress(OSError):
            part.unlink()
    return count
