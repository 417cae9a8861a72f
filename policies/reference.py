"""Reference policies: does history keep this value, or a reference to it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from backpack.policies.arguments import check_whole, to_max_value_size
from backpack.policies.rendering import render
from backpack.records import Reference

if TYPE_CHECKING:
    from backpack.records import SizedValue

__all__ = ["Preview", "Spill", "Stub"]


@frozen
class Stub:
    """Leave out of history what is larger than a limit; keep its size and digest.

    The value stays whole while it is current; the reference takes its place once it is
    superseded.

    When to use: nearly always; a single huge tool result would otherwise push hundreds of small
    commits out of history.

    Cost: O(1) for what is kept, one hash over the encoded bytes for what is not.

    Source: the Backpack this library goes back to, where ``max_value_size`` did the same; the
    digest is BLAKE2b (Aumasson, Neves, Wilcox-O'Hearn and Winnerlein, 2013; RFC 7693).

    Args:
        max_value_size: The largest size that history keeps, in bytes or as text
            (``"50 KiB"``).

    >>> from backpack.records import SizedValue
    >>> stub = Stub(max_value_size="1 KiB")
    >>> stub(SizedValue(key="page", value="x" * 1021, encoded=b"x" * 1024, size=1024)) is None
    True
    >>> stub(SizedValue(key="page", value="x" * 1022, encoded=b"x" * 1025, size=1025)).reason
    'larger than max_value_size (1,024 bytes)'
    """

    max_value_size: int = field(default=100 * 1024, converter=to_max_value_size)

    def __call__(self, value: SizedValue, /) -> Reference | None:
        """Return None up to the limit, a reference above it."""
        if value.size <= self.max_value_size:
            return None
        return _reference(value, self.max_value_size)


@frozen
class Preview:
    """Leave out of history what is larger than a limit; keep its size, digest and beginning.

    When to use: somebody reads the history, and a glance at what stood there helps: "which page
    was it?".

    Cost: as :class:`Stub`, and O(characters) to render the beginning, however large the value.
    The preview counts as history.

    Source: ours.

    Args:
        max_value_size: The largest size that history keeps, in bytes or as text
            (``"50 KiB"``).
        characters: How many characters to keep of what is larger.

    >>> from backpack.records import SizedValue
    >>> preview = Preview(max_value_size="1 KiB", characters=20)
    >>> page = {"url": "https://example.org", "text": "word " * 1000}
    >>> preview(SizedValue(key="page", value=page, encoded=b"...", size=5040)).preview
    "{'url': 'https://exa"
    """

    max_value_size: int = field(default=100 * 1024, converter=to_max_value_size)
    characters: int = field(default=200, validator=check_whole)

    def __call__(self, value: SizedValue, /) -> Reference | None:
        """Return None up to the limit, a reference with a preview above it."""
        if value.size <= self.max_value_size:
            return None
        return _reference(value, self.max_value_size, render(value.value, self.characters))


@frozen
class Spill:
    """Leave out of history what is larger than a limit; the archive keeps it whole.

    Looking back reads the value from the archive: it is as exact as any, and slower. It needs an
    ``archive``.

    When to use: old versions of large values matter (fetched pages, documents), and memory is
    short.

    Cost: as :class:`Stub`; when such a value is superseded, what is not in the archive yet is
    written to it.

    Source: ours; columns too large for a row go a similar way in PostgreSQL ("TOAST").

    Args:
        max_value_size: The largest size that history keeps, in bytes or as text
            (``"50 KiB"``).

    >>> from backpack.records import SizedValue
    >>> spill = Spill(max_value_size="1 KiB")
    >>> page = SizedValue(key="page", value="x" * 1022, encoded=b"x" * 1025, size=1025)
    >>> spill(page).spilled
    True
    """

    #: What it refers to has to be archived.
    spills: ClassVar[bool] = True

    max_value_size: int = field(default=100 * 1024, converter=to_max_value_size)

    def __call__(self, value: SizedValue, /) -> Reference | None:
        """Return None up to the limit, a reference to what the archive keeps above it."""
        if value.size <= self.max_value_size:
            return None
        reason = f"larger than max_value_size ({self.max_value_size:,} bytes)"
        return Reference.to(value, reason, spilled=True)


def _reference(value: SizedValue, limit: int, preview: str | None = None) -> Reference:
    return Reference.to(value, f"larger than max_value_size ({limit:,} bytes)", preview)
