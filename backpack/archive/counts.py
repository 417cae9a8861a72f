"""How many rows a log has: what is gone without a trace is missed by counting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Table, false, func, or_, select, true

from backpack.archive.rows import check_pack
from backpack.archive.tables import COMMITS, VERSIONS
from backpack.errors import CorruptError
from backpack.wording import shown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from backpack.archive.database import Database
    from backpack.archive.rows import Row

__all__ = ["check_counts", "counted"]


def counted(connection: Connection, name: str) -> dict[str, int]:
    """Return how many commits, retained commits and versions there are of a name."""

    def count(table: Table, which: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(table.c.name == name, which)
        return connection.scalar(query) or 0

    return {
        "commits": count(COMMITS, or_(COMMITS.c.retained == true(), COMMITS.c.retained == false())),
        "retained": count(COMMITS, COMMITS.c.retained == true()),
        "versions": count(VERSIONS, true()),
    }


def check_counts(connection: Connection, database: Database, row: Row) -> None:
    """Refuse a log of which rows are missing.

    Args:
        connection: The connection.
        database: The database it is to.
        row: The Backpack's row.

    Raises:
        CorruptError: Something of it is missing, or the row is not as it was written.
    """
    check_pack(row)
    for what, found in counted(connection, row["name"]).items():
        if found != row[what]:
            raise CorruptError(
                f"{shown(row['name'])} in the archive {database.name} has {found} {what}, and "
                f"{row[what]} were written"
            )
    for table in (COMMITS, VERSIONS):
        ends = connection.execute(
            select(func.min(table.c.seq), func.max(table.c.seq)).where(table.c.name == row["name"])
        ).one()
        first, last = (1, 0) if ends[0] is None else ends
        if (
            type(first) is not int
            or type(last) is not int
            or first < 1
            or last > row["head"]
            or (table is COMMITS and last != row["head"])
        ):
            raise CorruptError(
                f"{shown(row['name'])} in the archive {database.name} does not end with commit "
                f"{row['head']}"
            )
