"""The archive: where commits go that history gives up, and from where an agent resumes."""

from backpack.archive import checkpoint, glance
from backpack.archive.rows import Form
from backpack.archive.sql import SqlArchive

__all__ = ["Form", "SqlArchive", "checkpoint", "glance"]
