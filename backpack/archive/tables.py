"""The tables of an archive: one schema for every engine, every key led by the Backpack's name.

A Backpack in an archive is a log: its commits in order, and the version each of them set. The log
is only ever added to at its end; retention takes whole commits away.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

__all__ = ["ABOUT", "COMMITS", "PACKS", "ROW_BYTES", "SCHEMA", "TABLES", "VERSIONS"]

#: The version of the schema. A newer one is refused; there is no older one yet.
SCHEMA: Final = 1

#: So many bytes of a row, about, are besides what a commit changed, or a version's data.
ROW_BYTES: Final = 200

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


class Written(TypeDecorator[str]):
    r"""A text that may have zeros in it, which PostgreSQL cannot store: ``\0`` stands for one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        """Return what is stored."""
        if value is None or ("\\" not in value and "\0" not in value):
            return value
        return value.replace("\\", "\\\\").replace("\0", "\\0")

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        """Return what was meant."""
        if not isinstance(value, str) or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda match: "\0" if match[1] == "0" else match[1], value)


TABLES: Final = MetaData()

#: One row: the version of the schema.
ABOUT: Final = Table(
    "backpack_about",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema", Integer, nullable=False),
)

#: A row for each Backpack: the code of its commits; its settings, as JSON; the epoch, which is that
#: of the last who opened it; the number of its newest commit, and how many commits there are, how
#: many of them are retained, and how many versions there are.
PACKS: Final = Table(
    "backpack_packs",
    TABLES,
    Column("name", Written, primary_key=True),
    Column("code", String(16), nullable=False),
    Column("codec", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("commits", BigInteger, nullable=False),
    Column("retained", BigInteger, nullable=False),
    Column("versions", BigInteger, nullable=False),
    Column("mark", LargeBinary, nullable=False),
)

#: A row for each commit. It is retained while the Backpack answers for it from memory.
COMMITS: Final = Table(
    "backpack_commits",
    TABLES,
    Column("name", Written, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time", Double, nullable=False),
    Column("by", Written),
    Column("tags", Written),
    Column("note", Written),
    Column("changes", LargeBinary, nullable=False),
    Column("retained", Boolean, nullable=False),
    Column("pinned", Boolean, nullable=False),
    Column("accesses", BigInteger, nullable=False),
    Column("last_access", BigInteger, nullable=False),
    Column("mark", LargeBinary, nullable=False),
)

#: A row for each version: what it is, the one before it, the nearest one before or itself that
#: stands alone and how many lie between, where the key stands among others, the size as it was
#: measured, what history has in its place, if it leaves the value out, and the encoded bytes
#: as what they differ in from the one before.
VERSIONS: Final = Table(
    "backpack_versions",
    TABLES,
    Column("name", Written, primary_key=True),
    Column("key", Written, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("form", SmallInteger, nullable=False),
    Column("previous", BigInteger, nullable=False),
    Column("ground", BigInteger, nullable=False),
    Column("depth", SmallInteger, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("reference", LargeBinary),
    Column("data", LargeBinary),
    Column("mark", LargeBinary, nullable=False),
)
