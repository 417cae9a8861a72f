"""Has docstrings read as Markdown, and tells how attrs classes are made."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from griffe import (
    Attribute,
    Class,
    Docstring,
    Expr,
    ExprCall,
    ExprKeyword,
    Extension,
    Function,
    GriffeLoader,
    Module,
    NameResolutionError,
    Object,
    Parameter,
    ParameterKind,
    Parameters,
)

# The folder is no package.
_TO_MARKDOWN = runpy.run_path(str(Path(__file__).with_name("rewriting.py")))[
    "docstring_to_markdown"
]
_ATTRS = {"attrs.define", "attrs.frozen", "attrs.mutable"}


class Docstrings(Extension):
    """Rewrites what the documentation tool would not understand."""

    def on_object(self, *, obj: Object, loader: GriffeLoader, **kwargs: Any) -> None:
        """Turn roles into references, and examples into blocks of code."""
        if obj.docstring is not None:
            obj.docstring.value = _TO_MARKDOWN(obj.docstring.value, lambda name: _path(name, obj))

    def on_attribute(self, *, attr: Attribute, loader: GriffeLoader, **kwargs: Any) -> None:
        """Take the comment above a value, of lines that begin with ``#:``, for its docstring."""
        if attr.docstring is None and attr.lineno and isinstance(attr.filepath, Path):
            lines = []
            for line in reversed(loader.lines_collection[attr.filepath][: attr.lineno - 1]):
                if not line.strip().startswith("#:"):
                    break
                lines.append(line.strip()[2:].strip())
            if lines:
                text = _TO_MARKDOWN("\n".join(reversed(lines)), lambda name: _path(name, attr))
                attr.docstring = Docstring(text, parent=attr)

    def on_class(self, *, cls: Class, loader: GriffeLoader, **kwargs: Any) -> None:
        """Give an attrs class the constructor that attrs writes for it."""
        if _is_attrs(cls) and "__init__" not in cls.members:
            own = Parameter("self", kind=ParameterKind.positional_or_keyword)
            keyword = any("kw_only=True" in str(each.value) for each in cls.decorators)
            parameters = Parameters(own, *_parameters(cls, keyword))
            cls.set_member("__init__", Function("__init__", parameters=parameters, parent=cls))


def _path(name: str, obj: Object) -> str:
    """Return the whole path of a name that a docstring mentions.

    Members of the object come first, then what its module knows; what is nowhere stays as it is,
    and is a reference that leads nowhere.
    """
    first, _, rest = name.partition(".")
    scope: Object | None = obj
    while scope is not None:
        known = scope.all_members if isinstance(scope, Class | Module) else {}
        if first in known:
            member = known[first]
            # What has no words of its own is told by those of its class.
            found = scope if member.is_attribute and not member.has_docstring else member
            return f"{found.canonical_path}{'.' if rest else ''}{rest}"
        scope = scope.parent
    try:
        return f"{obj.resolve(first)}{'.' if rest else ''}{rest}"
    except NameResolutionError:
        return name


def _is_attrs(cls: Class) -> bool:
    return any(
        isinstance(each.value, Expr) and each.value.canonical_path in _ATTRS
        for each in cls.decorators
    )


def _parameters(cls: Class, keyword: bool) -> list[Parameter]:
    """Return what the constructor takes: the annotated attributes, in their order."""
    parameters = []
    for member in cls.members.values():
        if not isinstance(member, Attribute) or member.annotation is None:
            continue
        if "property" in member.labels or "instance-attribute" not in member.labels:
            continue
        given = _field_arguments(member.value)
        if str(given.get("init")) == "False":
            continue
        default = member.value if given is _NO_FIELD else given.get("default")
        if "factory" in given:
            default = f"{given['factory']}()"
        only = keyword or str(given.get("kw_only")) == "True"
        kind = ParameterKind.keyword_only if only else ParameterKind.positional_or_keyword
        parameters.append(
            Parameter(
                member.name.lstrip("_"), annotation=member.annotation, kind=kind, default=default
            )
        )
    return parameters


_NO_FIELD: dict[str, Any] = {}


def _field_arguments(value: object) -> dict[str, Any]:
    """Return the arguments of ``field(...)``, if the value is one."""
    if not isinstance(value, ExprCall) or value.canonical_path != "attrs.field":
        return _NO_FIELD
    return {each.name: each.value for each in value.arguments if isinstance(each, ExprKeyword)}
