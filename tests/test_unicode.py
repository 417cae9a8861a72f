"""Valid Unicode is what UTF-8 can write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backpack.unicode import is_unicode


@given(st.text(st.characters(categories=["L", "N", "Cs"])))
def test_what_utf_8_can_write_is_unicode(text: str) -> None:
    """And what it can write only with lone surrogates let pass, is not."""
    assert is_unicode(text) == (text.encode("utf-8", "replace").decode() == text)
