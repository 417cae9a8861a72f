"""Sizes are read and written exactly, and what is no size is refused in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.errors import ConfigError
from backpack.units import format_size, parse_duration, parse_size

UNITS = {
    "": 1,
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}
sizes = st.integers(1, 2**63 - 1)


@given(size=sizes)
def test_bytes_are_what_they_are(size: int) -> None:
    """A number of bytes is itself, as a number, as text, and with its unit."""
    assert [size] * 3 == [parse_size(size), parse_size(str(size)), parse_size(f"{size} B")]


@given(
    amount=st.integers(1, 10**6),
    unit=st.sampled_from(sorted(UNITS)),
    space=st.sampled_from(["", " ", "  "]),
)
def test_unit_multiplies(amount: int, unit: str, space: str) -> None:
    """A whole amount of a unit is exactly that many bytes, with or without a space."""
    assert amount * UNITS[unit] == parse_size(f"{amount}{space}{unit}")


@given(thousandths=st.integers(1, 10**9), unit=st.sampled_from(["kB", "MB", "GB", "TB"]))
def test_decimal_fractions_are_exact(thousandths: int, unit: str) -> None:
    """Three decimals of a decimal unit lose nothing, as floats would."""
    text = f"{thousandths // 1000}.{thousandths % 1000:03} {unit}"
    assert thousandths * UNITS[unit] // 1000 == parse_size(text)


@given(size=st.integers(1, 2**62))
def test_format_is_near(size: int) -> None:
    """What is written for a size reads back as that size to within half of what is shown."""
    assert abs(parse_size(format_size(size)) - size) <= 0.06 * size + 1


@given(size=sizes)
def test_format_is_short(size: int) -> None:
    """A size below 1024 TiB takes at most ten characters, and its number is below 1024."""
    text = format_size(size % 2**50)
    assert re.fullmatch(r"[0-9]{1,4}(\.[1-9])? (B|KiB|MiB|GiB|TiB)", text)
    assert float(text.split()[0]) < 1024 or text == "1024 TiB"


@given(text=st.text() | st.from_regex(r"[0-9.]+ ?[kmgtibKMGTIB]{0,4}", fullmatch=True))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """Whatever the text, the answer is a positive int or a ConfigError on one line."""
    try:
        assert 1 <= parse_size(text, field="max_history_size") <= 2**63 - 1
    except ConfigError as error:
        refusal = error
        assert refusal.field == "max_history_size"
        assert str(refusal).isprintable()


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1234, "1.2 KiB"),
        (52428800, "50 MiB"),
        (2**20 - 1, "1 MiB"),
        (int(1023.9 * 1024), "1023.9 KiB"),
        (2**40, "1 TiB"),
        (2**60, "1048576 TiB"),
        (-1536, "-1.5 KiB"),
    ],
)
def test_format(size: int, text: str) -> None:
    """Sizes are written in the largest binary unit that keeps the number at 1 or more."""
    assert text == format_size(size)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50 MiB", 52428800),
        ("50KiB", 51200),
        ("1.5 GB", 1_500_000_000),
        ("  10 mb ", 10_000_000),
        ("10 mib", 10 * 2**20),
        ("+1 KIB", 1024),
        ("1.2 KiB", 1228),
        ("4096.0", 4096),
    ],
)
def test_parse(text: str, size: int) -> None:
    """Case and space don't matter; a fraction of a unit is rounded down to bytes."""
    assert size == parse_size(text)


ALLOWED = "; write a whole number of bytes, or a number and a unit, like '50 MiB' or '1.5 GB'"
UNIT_NAMES = "; the units are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("fifty", f"'fifty' is not a size{ALLOWED}"),
        ("", f"'' is not a size{ALLOWED}"),
        ("-5 MiB", f"'-5 MiB' is not a size{ALLOWED}"),
        ("1e6", f"'1e6' is not a size{ALLOWED}"),
        ("50\x1b MiB", f"'50\\x1b MiB' is not a size{ALLOWED}"),
        ("\u0665\u0660 MiB", f"'\u0665\u0660 MiB' is not a size{ALLOWED}"),
        ("9" * 201, f"'{'9' * 59}...' is not a size{ALLOWED}"),
        ("50 MiBB", f"'50 MiBB' is not a size: there is no unit 'MiBB'{UNIT_NAMES}"),
        (
            "50 M",
            "'50 M' is not a size: there is no unit 'M'; did you mean 'MiB' (1024) or 'MB' (1000)?",
        ),
        (
            "50k",
            "'50k' is not a size: there is no unit 'k'; did you mean 'KiB' (1024) or 'kB' (1000)?",
        ),
        ("50 Mb", "'50 Mb' is not a size: 'Mb' means bits; write 'MB' for bytes"),
        ("50 Kib", "'50 Kib' is not a size: 'Kib' means bits; write 'KiB' for bytes"),
        ("1.5", "'1.5' is not a whole number of bytes; did you forget the unit?"),
        ("0.5 B", "'0.5 B' is not a whole number of bytes; did you forget the unit?"),
        ("0", "'0' is not a size; it must be at least 1 byte"),
        ("0.0001 KiB", "'0.0001 KiB' is not a size; it must be at least 1 byte"),
        (0, "0 is not a size; it must be at least 1 byte"),
        (-4096, "-4096 is not a size; it must be at least 1 byte"),
        (2**63, "9223372036854775808 is too large; the most is 2**63 - 1 bytes"),
        pytest.param(
            10**5000,
            "a number of more than 60 digits is too large; the most is 2**63 - 1 bytes",
            id="huge",
        ),
        ("10000000 TiB", "'10000000 TiB' is too large; the most is 2**63 - 1 bytes"),
        (True, f"true is not a size{ALLOWED}"),
        (None, f"nothing (null) is not a size{ALLOWED}"),
        (1e6, f"1000000.0 is not a size{ALLOWED}"),
        ([50], f"a list is not a size{ALLOWED}"),
    ],
)
def test_refusal(value: int | str, message: str) -> None:
    """What is no size is refused, saying what was found and what is allowed."""
    with pytest.raises(ConfigError) as caught:
        parse_size(value, field="max_value_size")

    assert f"max_value_size: {message}" == str(caught.value)


@given(
    amount=st.integers(1, 10**4),
    unit=st.sampled_from([("s", 1), ("min", 60), ("h", 3600), ("Days", 86_400), ("w", 604_800)]),
    space=st.sampled_from(["", " "]),
)
def test_durations_multiply(amount: int, unit: tuple[str, int], space: str) -> None:
    """An amount of a unit is that many seconds."""
    assert amount * unit[1] == parse_duration(f"{amount}{space}{unit[0]}")
    assert float(amount) == parse_duration(amount) == parse_duration(str(amount))


@pytest.mark.parametrize(
    "value",
    ["", "1 month", "-1 s", "0 h", 0, -1.5, True, float("nan"), float("inf"), 10**400, "9" * 300],
)
def test_what_is_no_duration_is_refused(value: float | str) -> None:
    """In words that say what is one."""
    message = r"^max_age: .* is not a duration; write a number of seconds above 0, or a number and"
    with pytest.raises(ConfigError, match=message):
        parse_duration(value, field="max_age")
