"""Reading: whatever the bytes, a value or a clear error, in bounded time and stack."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from backpack.codec import MsgpackCodec, layout
from backpack.errors import CorruptError, UnpackableValue
from backpack.spec.sameness import same
from backpack.spec.values import values

CODEC = MsgpackCodec()
REFUSALS = (CorruptError, UnpackableValue)
CODES = [code for code in vars(layout).values() if type(code) is int and 1 < code < 128]


@given(data=st.binary(max_size=60))
def test_any_bytes_decode_or_are_corrupt(data: bytes) -> None:
    """Random bytes decode or raise one of the two errors."""
    with contextlib.suppress(*REFUSALS):
        CODEC.decode(data)


@given(value=values(), at=st.integers(0), flip=st.integers(1, 255))
def test_flipped_bits_decode_or_are_corrupt(value: object, at: int, flip: int) -> None:
    """So do bytes of a value with some bits flipped."""
    data = bytearray(CODEC.encode(value))
    data[at % len(data)] ^= flip
    with contextlib.suppress(*REFUSALS):
        CODEC.decode(bytes(data))


@given(value=values(), at=st.integers(0))
def test_truncated_values_are_corrupt(value: object, at: int) -> None:
    """A value that was cut anywhere is found out."""
    data = CODEC.encode(value)

    with pytest.raises(CorruptError):
        CODEC.decode(data[: at % len(data)])


@given(value=values(), more=st.binary(min_size=1, max_size=4))
def test_appended_bytes_are_corrupt(value: object, more: bytes) -> None:
    """A value that something follows is found out."""
    with pytest.raises(CorruptError, match="these are not the bytes of a value: "):
        CODEC.decode(CODEC.encode(value) + more)


payloads = st.recursive(
    values(max_leaves=3).map(CODEC.encode) | st.binary(max_size=8),
    lambda inner: st.one_of(
        st.builds(lambda code, data: packb(Ext(code, data)), st.sampled_from(CODES), inner),
        st.lists(inner, max_size=3).map(lambda parts: bytes([0x90 + len(parts)]) + b"".join(parts)),
        st.lists(inner, max_size=2).map(
            lambda parts: bytes([0x80 + len(parts)]) + b"".join(b"\xa1k" + part for part in parts)
        ),
    ),
    max_leaves=6,
)


@given(data=payloads)
def test_crafted_values_decode_or_are_corrupt(data: bytes) -> None:
    """Extensions of any code around any payload decode or raise one of the two errors."""
    with contextlib.suppress(*REFUSALS):
        CODEC.decode(data)


@pytest.mark.parametrize("code", [0, 12, 23, 34, 127, -1, -128])
def test_unknown_codes_are_corrupt(code: int) -> None:
    """A code that is not in the table says so."""
    data = b"\xd4" + code.to_bytes(1, "big", signed=True) + b"\xc0"

    with pytest.raises(
        CorruptError, match=rf"^unknown extension code {code}; it may be of a newer"
    ):
        CODEC.decode(data)


@pytest.mark.parametrize(
    ("code", "body", "message"),
    [
        (layout.MAP, [1, 2, 1.0, 3], "ValueError: a key occurs twice"),
        (layout.MAP, [1, 2, 3], "ValueError: zip"),
        (layout.MAP, [[], 2], "TypeError: unhashable"),
        (layout.SET, [1, 1.0], "ValueError: an element occurs twice"),
        (layout.FROZENSET, [[]], "TypeError: unhashable"),
        (layout.TUPLE, 1, "TypeError: "),
        (layout.SCALAR, ["str", 1], "TypeError: "),
    ],
)
def test_bodies_no_value_has_are_corrupt(code: int, body: object, message: str) -> None:
    """What the codec would not have written is no value."""
    with pytest.raises(CorruptError, match=rf"^extension {code} does not decode: {message}"):
        CODEC.decode(packb(Ext(code, packb(body))))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x91", b"\xa1\xff", b"\xdd\xff\xff\xff\xff"])
def test_broken_bytes_are_corrupt(data: bytes) -> None:
    """What is no msgpack at all says so, and asks for no memory."""
    with pytest.raises(CorruptError, match=r"^these are not the bytes of a value: "):
        CODEC.decode(data)


def towers(levels: int, code: int, payload: bytes) -> bytes:
    """Return an extension inside an extension, and so on, each in a list with a plain one."""
    for _ in range(levels):
        payload = b"\x91" + packb(Ext(code, payload))
    return payload


@pytest.mark.parametrize("code", [layout.TUPLE, layout.SET, layout.FROZENSET])
def test_towers_of_extensions_are_bounded(code: int) -> None:
    """Crafted nesting is refused at the limit, quickly, whatever it holds."""
    data = towers(5_000, code, CODEC.encode(["x" * 100_000, (1,)]))
    start = time.perf_counter()

    with pytest.raises(CorruptError, match=r"^more than 1,024 levels of values$"):
        CODEC.decode(data)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("shape", [b"\x91", b"\x81\xa1a", b"\x92\x01"])
@pytest.mark.parametrize("levels", [1_000, 1_100, 200_000])
def test_towers_of_lists_are_bounded(shape: bytes, levels: int) -> None:
    """So is nesting of plain lists and dicts."""
    with contextlib.suppress(CorruptError):
        CODEC.decode(shape * levels + b"\x90")
    if levels > 1_022:
        with pytest.raises(CorruptError, match="Recursion limit"):
            CODEC.decode(shape * levels + b"\x90")


def test_a_small_stack_is_enough() -> None:
    """In a thread with 512 KiB of stack, the deepest values are packed and come back."""
    code = """
import threading
from backpack.codec import MsgpackCodec
from backpack.spec.values import Plan

def nested(value, *parts):
    for wrap, levels in parts:
        for _ in range(levels):
            value = wrap(value)
    return value

plain = lambda value: {"a": value}
deep = [
    nested(1, (plain, 255)),
    nested(1, *[(plain, 250), (Plan, 1)] * 3, (plain, 250)),
    nested(1, (lambda value: (value,), 1024)),
    nested(1, (lambda value: {1: value}, 1024)),
    nested(1, (Plan, 511)),
]
codec = MsgpackCodec()

def work():
    for value in deep:
        encoded = codec.encode(value)
        if encoded != codec.encode(codec.decode(encoded)):
            raise ValueError
    print("done")

threading.stack_size(512 * 1024)
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ("done\n", "", 0) == (done.stdout, done.stderr, done.returncode)


@given(value=values())
def test_other_buffers_can_be_read(value: object) -> None:
    """Bytes may come as a bytearray or a memoryview, as databases give them."""
    encoded = CODEC.encode(value)

    assert same(value, CODEC.decode(bytearray(encoded)))  # type: ignore[arg-type]
    assert same(value, CODEC.decode(memoryview(encoded)))  # type: ignore[arg-type]


@given(value=values(), data=st.data())
def test_decoding_runs_no_code(value: object, data: st.DataObject) -> None:
    """A class that is not registered is refused by name, wherever it is in the value."""

    class Trap:
        pass

    writer = MsgpackCodec()
    writer.register(Trap, name="os:system", encode=lambda _: "true", decode=lambda _: Trap())
    trapped = data.draw(st.sampled_from([[value, Trap()], {"a": (Trap(),)}, {1: [Trap(), value]}]))
    reader = MsgpackCodec()

    with pytest.raises(UnpackableValue, match=r"^class .* is not registered; pass it as"):
        reader.decode(writer.encode(trapped))


def test_an_appended_value_is_told_apart() -> None:
    """Two values in a row are not taken for the first."""
    with pytest.raises(CorruptError, match=r"bytes of a value: more bytes follow the value$"):
        CODEC.decode(CODEC.encode(1) + CODEC.encode(2))
