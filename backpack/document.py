"""One YAML document as plain data, with the line each setting stands at.

The values are those of YAML 1.2, so ``1e6`` is a number. Text that YAML 1.1 takes for something
else (``yes``, ``1:30``) and numbers that it takes for others (``010``) are errors that say what to
write. Duplicate keys, anchors, aliases, merge keys and tags are errors too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import yaml
from attrs import evolve, frozen
from yaml.constructor import SafeConstructor
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.resolver import Resolver

from backpack.errors import ConfigError
from backpack.wording import nearest, one_line, shown

__all__ = ["Document", "parse_document", "read_document"]

# Far above any configuration; what is larger is some other file.
_MOST_BYTES = 64 * 1024
_MOST_LEVELS = 20
_MOST_DIGITS = 60

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_HEX_OR_OCTAL = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INF_OR_NAN = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_STR = "tag:yaml.org,2002:str"

_yaml_1_1 = Resolver()


@frozen
class Document:
    """The settings of one file.

    Attributes:
        file: The file, as the caller named it.
        values: The settings: mappings are dicts, sequences are lists.
        lines: ``{path: line}``, where the path of ``pruning.fraction`` is
            ``("pruning", "fraction")``; None for a setting that no longer comes from the file.
    """

    file: str
    values: Mapping[str, object]
    lines: Mapping[tuple[str, ...], int | None]

    def where(self, field: str) -> str | None:
        """The file, and the line of a setting or else of what it stands in.

        Args:
            field: The setting, dotted.

        Returns:
            ``agent.yaml:6``; None for what does not come from the file.
        """
        path = tuple(field.split("."))
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                line = self.lines[path[:length]]
                return None if line is None else f"{self.file}:{line}"
        return None

    def without(self, name: str, *, but: Collection[str] = ()) -> Document:
        """The same, where a setting no longer comes from the file.

        Args:
            name: The setting, with everything in it.
            but: What in it still does.
        """
        kept = {
            path: line
            for path, line in self.lines.items()
            if path[0] != name or (len(path) > 1 and path[1] in but)
        }
        return evolve(self, lines={**kept, (name,): None})


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read a YAML file.

    Args:
        path: The file.

    Returns:
        Its settings.

    Raises:
        ConfigError: It cannot be read, or :func:`parse_document` refuses what is in it.
    """
    name = one_line(os.fsdecode(path), longest=1000)
    if not name:
        raise ConfigError("the name of a file is expected; found empty text")
    try:
        with Path(os.fsdecode(path)).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"no such file{_neighbour(Path(os.fsdecode(path)))}", where=name
        ) from None
    except IsADirectoryError:
        raise ConfigError("is a directory; name a file in it", where=name) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=name) from error
    except ValueError as error:
        raise ConfigError(f"is not the name of a file: {error}", where=name) from error
    return parse_document(data, file=name)


def parse_document(data: bytes, *, file: str) -> Document:
    """Parse the bytes of a YAML file.

    Args:
        data: The bytes: UTF-8, a byte order mark allowed.
        file: What to call the file in errors.

    Returns:
        Its settings.

    Raises:
        ConfigError: It is too large, not UTF-8, not YAML, not one mapping, or holds what
            readers of YAML disagree about. ``where`` names the line.
    """
    if len(data) > _MOST_BYTES:
        raise ConfigError(
            f"is no configuration: it is larger than {_MOST_BYTES:,} bytes", where=file
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("is UTF-16; save it as UTF-8", where=file)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"is not UTF-8: found the byte 0x{data[error.start]:02x}; save it as UTF-8",
            where=f"{file}:{line}",
        ) from None
    parser = _Parser(text, file)
    try:
        return Document(file, parser.document(), parser.lines)
    except ConfigError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = one_line(error.problem or str(error))
        if "'\\t'" in problem:
            problem += "; indent with spaces, not tabs"
        raise ConfigError(f"is not YAML: {problem}", where=f"{file}:{line}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = ord(text[error.position])
        raise ConfigError(
            f"is not YAML: found the control character 0x{code:02x}; delete it",
            where=f"{file}:{line}",
        ) from error
    # The scanner lets some failures of int() and chr() through: an escape beyond Unicode.
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"is not YAML: {one_line(str(error))}", where=file) from error


class _Parser:
    """Reads the events of one document into plain data.

    Attributes:
        lines: ``{path: line}`` of the settings read so far.
    """

    def __init__(self, text: str, file: str) -> None:
        self._events: Iterator[Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._file = file
        self.lines: dict[tuple[str, ...], int] = {}

    def document(self) -> dict[str, object]:
        """The whole document, which must be one mapping."""
        next(self._events)  # the start of the stream
        if isinstance(next(self._events), StreamEndEvent):
            raise ConfigError(
                "is empty; write at least one setting, like 'max_history_size: 50 MiB'",
                where=self._file,
            )
        first = next(self._events)
        value = self._value(first, ())
        if not isinstance(value, dict):
            raise self._error(
                f"expected settings, like 'max_history_size: 50 MiB'; found {shown(value)}", first
            )
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                raise self._error("a second document begins; a file holds one", event)
        return value

    def _value(self, event: Event, path: tuple[str, ...]) -> object:
        """The value that begins with this event."""
        self._refuse_unsafe(event, path)
        if len(path) > _MOST_LEVELS:
            raise self._error(f"is nested more than {_MOST_LEVELS} levels deep", event)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _mapping(self, path: tuple[str, ...]) -> dict[str, object]:
        """The rest of a mapping that has begun."""
        values: dict[str, object] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            self._refuse_unsafe(event, path)
            if not isinstance(event, ScalarEvent):
                raise self._error(
                    "expected the name of a setting; found a list or mapping", event, path
                )
            # A name is text, whatever it looks like.
            key = self._text(event, path)
            here = (*path, key)
            if key == "<<":
                raise self._error(
                    "merge keys are not supported; write the settings out", event, path
                )
            if key in values:
                raise self._error(
                    f"stands twice, first in line {self.lines[here]}; delete one", event, here
                )
            self.lines[here] = _line(event)
            values[key] = self._value(next(self._events), here)
        return values

    def _sequence(self, path: tuple[str, ...]) -> list[object]:
        """The rest of a sequence that has begun."""
        values: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            here = (*path, str(len(values)))
            self.lines[here] = _line(event)
            values.append(self._value(event, here))
        return values

    def _scalar(self, event: ScalarEvent, path: tuple[str, ...]) -> object:
        """The value of a scalar: text if it is quoted, else what YAML 1.2 makes of it."""
        text = self._text(event, path)
        if not event.implicit[0]:
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOL.fullmatch(text):
            return text.lower() == "true"
        if _INF_OR_NAN.fullmatch(text):
            return float(text.replace(".", ""))
        if _FLOAT.fullmatch(text) or _HEX_OR_OCTAL.fullmatch(text):
            if len(text) > _MOST_DIGITS:
                raise self._error(f"a number has more than {_MOST_DIGITS} characters", event, path)
            if _LEADING_ZERO.fullmatch(text):
                raise self._error(
                    f"{text} begins with a zero, which some readers of YAML take for octal; "
                    f"write {int(text)}, or '{text}' in quotes",
                    event,
                    path,
                )
            if _HEX_OR_OCTAL.fullmatch(text):
                return int(text, 0)
            return int(text) if _INT.fullmatch(text) else float(text)
        tag = str(_yaml_1_1.resolve(yaml.ScalarNode, text, (True, False)))  # type: ignore[no-untyped-call]
        if tag != _STR:
            quoted = shown(text)
            raise self._error(
                f"{quoted[1:-1]} is text to some readers of YAML and {_meaning(tag, text, quoted)}",
                event,
                path,
            )
        return text

    def _text(self, event: ScalarEvent, path: tuple[str, ...]) -> str:
        """The text of a scalar."""
        if any("\ud800" <= char <= "\udfff" for char in event.value):
            raise self._error("found half of a surrogate pair, which is no character", event, path)
        return str(event.value)

    def _refuse_unsafe(self, event: Event, path: tuple[str, ...]) -> None:
        """Refuse what makes a document more than plain data."""
        anchor = getattr(event, "anchor", None)
        if isinstance(event, AliasEvent):
            raise self._error(
                f"aliases (*{anchor}) are not supported; write the value out", event, path
            )
        if anchor is not None:
            raise self._error(f"anchors (&{anchor}) are not supported; delete it", event, path)
        tag = getattr(event, "tag", None)
        if tag is not None:
            tag = one_line(tag.replace("tag:yaml.org,2002:", "!!"))
            raise self._error(
                f"the tag {tag} is refused: a configuration is plain data; delete it", event, path
            )

    def _error(self, message: str, event: Event, path: tuple[str, ...] = ()) -> ConfigError:
        """An error about what begins with this event."""
        return ConfigError(
            message,
            field=one_line(".".join(path)) or None,
            where=f"{self._file}:{_line(event)}",
        )


def _meaning(tag: str, text: str, quoted: str) -> str:
    """What YAML 1.1 makes of a text that is text in YAML 1.2, and what to write instead."""
    node, make = yaml.ScalarNode(tag, text), SafeConstructor()
    makers = {
        "tag:yaml.org,2002:bool": make.construct_yaml_bool,
        "tag:yaml.org,2002:int": make.construct_yaml_int,
        "tag:yaml.org,2002:float": make.construct_yaml_float,
    }
    try:
        value = one_line(str(makers[tag](node)).lower())
    # A date, or a number of so many digits that Python does not write it.
    except (KeyError, ValueError):
        return f"something else to others; write {quoted} in quotes"
    return f"{value} to others; write {value}, or {quoted} in quotes"


def _line(event: Event) -> int:
    """The line at which an event begins, from 1."""
    return event.start_mark.line + 1 if event.start_mark else 1


def _neighbour(path: Path) -> str:
    """The end of the message about a missing file: what lies beside it."""
    try:
        meant = nearest(path.name, (file.name for file in path.parent.iterdir()))
    except OSError:
        return f": there is no folder {shown(str(path.parent))} that can be read"
    return f"; did you mean {shown(meant)}?" if meant else f" in {shown(str(path.parent))}"
