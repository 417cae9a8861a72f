"""Values and names appear in error messages on one bounded, printable line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.wording import found, nearest, one_line, one_of, shown

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
surrogates = st.text(st.characters())


class Loud:
    """An object whose own words must never be asked for."""

    def __repr__(self) -> str:
        """Fail."""
        raise AssertionError


class LoudText(str):
    """Text whose own words must never be asked for."""

    def __repr__(self) -> str:
        """Fail."""
        raise AssertionError


@given(value=plain | surrogates | st.lists(plain))
def test_shown_is_one_short_line(value: object) -> None:
    """Any value is shown in printable characters, and not many of them."""
    text = shown(value)
    assert text.isprintable()
    assert 0 < len(text) <= 80


@given(text=surrogates, longest=st.integers(10, 100))
def test_one_line_is_one_bounded_line(text: str, longest: int) -> None:
    """Any text becomes printable and is cut to the length asked for."""
    line = one_line(text, longest=longest)
    assert line.isprintable()
    assert len(line) <= longest


@given(name=surrogates, names=st.lists(st.text()))
def test_nearest_is_one_of_the_names(name: str, names: list[str]) -> None:
    """The nearest name is one of those given, whatever was written."""
    assert nearest(name, names) in (None, *names)


@given(name=st.text(min_size=1), others=st.lists(st.text()))
def test_nearest_of_itself(name: str, others: list[str]) -> None:
    """A name is nearest to itself, whatever else there is and in whatever case."""
    meant = nearest(name, [name, *others])
    assert meant is not None
    assert name[:100].lower() == meant.lower() or len(name) > 100


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing (null)"),
        (False, "false"),
        (12, "12"),
        (-(10**60), "a number of more than 60 digits"),
        (0.5, "0.5"),
        ("a'b\x1b", '"a\'b\\x1b"'),
        ("x" * 61, f"'{'x' * 59}...'"),
        ([Loud()], "a list"),
        ({"a": Loud()}, "a mapping"),
        (Loud(), "an object of class Loud"),
        (LoudText("a"), "text"),
    ],
)
def test_shown(value: object, words: str) -> None:
    """Scalars are written out, all else is named by its kind; no code of theirs runs."""
    assert words == shown(value)


def test_found() -> None:
    """The kind of a value is said in words, and bools are told from numbers."""
    assert ["text", "a whole number", "a number", "true"] == [found(v) for v in ("a", 1, 1.0, True)]


def test_names_are_listed_on_one_line() -> None:
    """Sorted, and whatever is in them."""
    assert "a b, c\\x1b[0m" == one_of(["c\x1b[0m", "a\nb"])


def test_one_line() -> None:
    """Line breaks become spaces, control characters are escaped, the rest is cut."""
    assert "a b\\x1b[0m" == one_line("a\n b\x1b[0m")
    assert "aaaaaaa..." == one_line("a" * 11, longest=10)


def test_one_of() -> None:
    """Names are listed sorted."""
    assert "a, b" == one_of({"b", "a"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [("oldst", "oldest"), ("Least_Accessed", "least-accessed"), ("OLDEST", "oldest"), ("x", None)],
)
def test_nearest(name: str, meant: str | None) -> None:
    """A slip of the pen finds its name; what resembles none finds none."""
    assert meant == nearest(name, ["oldest", "least-accessed", "none"])
