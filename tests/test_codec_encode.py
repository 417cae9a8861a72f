"""The fast way: the same bytes as the careful one, nothing mistaken for bytes, nothing lost."""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backpack.codec import MsgpackCodec, encode
from backpack.codec.careful import encode_careful
from backpack.codec.classes import ClassRegistry
from backpack.codec.encode import NeedsCare, encode_fast, is_plain
from backpack.spec.sameness import same
from backpack.spec.values import Plan, json_values, values

CODEC = MsgpackCodec()


@given(value=values())
def test_both_ways_write_the_same_bytes(value: object) -> None:
    """Where the fast way answers, the careful one gives the same bytes."""
    classes = ClassRegistry()
    careful = encode_careful(value, "", classes)
    try:
        fast = encode_fast(value, classes)
    except NeedsCare:
        return

    assert careful == fast


@given(value=json_values())
def test_plain_values_take_the_fast_way(value: object) -> None:
    """What an agent's state mostly is never needs the careful way."""
    assert is_plain(value)


@given(
    padding=st.lists(st.sampled_from([196, 197, 198, "Ā", "ł", 0.5, b"x", {"k": [1.5, "é"]}])),
    buffer=st.sampled_from([bytearray(), bytearray(b"x"), bytearray(300), bytearray(70_000)]),
)
def test_a_bytearray_is_found_anywhere(padding: list[object], buffer: bytearray) -> None:
    """A bytearray is never taken for bytes, whatever is around it."""
    for value in (
        [*padding, buffer],
        [buffer, *padding],
        {"a": padding, "b": {"c": [padding, buffer]}},
        (padding, [buffer]),
        [*[0.5] * 20, buffer],
        buffer,
    ):
        assert same(value, CODEC.decode(CODEC.encode(value)))


#: What ends, begins or is made of bytes that look like the header of a number, or of bytes.
LOOKALIKES = st.one_of(
    st.sampled_from([0xCC, 0xC4, 0xCCC4, 0xCDC4, 0x01CC, 0xCB, 0xCECC, 2**64 - 1, -(2**63)]),
    st.integers(0, 2**64 - 1),
    st.floats(),
    st.floats(width=32),
    st.text("a\u0300\u0340\u0440\u04c0\u02c0\U000c4000", min_size=1, max_size=3),
    st.text("ab", min_size=8, max_size=12).map(lambda text: text + "\u04c0"),
    st.sampled_from(["x" * 0xC4, "x" * 0xC5C4, [0] * 0xC4]),
)


@settings(max_examples=600)
@given(
    before=st.lists(LOOKALIKES, max_size=3),
    buffer=st.integers(0, 9).map(bytearray),
    behind=st.lists(LOOKALIKES, max_size=1),
)
def test_what_looks_like_a_header_hides_no_bytearray(
    before: list[object], buffer: bytearray, behind: list[object]
) -> None:
    """Whatever bytes stand before it, a bytearray is seen."""
    assert not is_plain([*before, buffer, *behind])
    assert not is_plain({"id": before, "a": {"b": [*before, buffer]}})


def test_numbers_and_lengths_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identifiers, counts, times and lengths that look like headers cost no search."""
    monkeypatch.setattr(encode, "_holds_buffer", lambda value: pytest.fail("searched"))
    for number in (0xC4, 0x01C4, 1.0 + 2**-44 * 0xC4C5, 0x65C4C5C6, 2**40 + 0xC4):
        assert is_plain([{"role": "user", "id": number, "content": "x" * 0xC4} for _ in range(9)])


@given(numbers=st.lists(st.floats() | st.integers(), max_size=40))
def test_vectors_take_the_fast_way(numbers: list[Any]) -> None:
    """Numbers whose bytes look like headers are not mistaken for a bytearray."""
    fits = all(isinstance(number, float) or -(2**63) <= number < 2**64 for number in numbers)

    assert fits is is_plain([196, 0.1, numbers])


def test_vectors_beside_other_things_take_the_fast_way() -> None:
    """Numbers whose sum overflows, or that stand before a text, are no bytearray either."""
    assert is_plain([1e308, 1e308, 2**64 - 1, 196])
    assert is_plain([[0.5, 196], [0.5, "a"]])


SIGNALS = """
import gc, random, signal
from datetime import datetime
from backpack.codec import MsgpackCodec
from backpack.spec.values import Plan

class Alarm(BaseException):
    pass

def ring(*_):
    global fired
    fired += 1
    raise Alarm

fired = lost = 0
codec = MsgpackCodec()
value = [(index, Plan(datetime.min)) for index in range(40)]
encoded = codec.encode(value)
draw = random.Random(1).uniform
signal.signal(signal.SIGALRM, ring)
gc.disable()
for attempt in range(400):
    try:
        signal.setitimer(signal.ITIMER_REAL, draw(0.00005, 0.0006))
        while fired == attempt:
            codec.encode(value)
            codec.decode(encoded)
        lost += 1
    except Alarm:
        pass
print(fired, lost, codec.encode(value) == encoded)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of a Unix")
def test_signals_are_not_lost() -> None:
    """What a signal handler raises during an encode or a decode comes out of it.

    msgpack drops what its hooks raise, so an exception that hits inside one would vanish. In a
    process of its own, since the alarms would hit the measuring of coverage too.
    """
    alone = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS], env=alone, capture_output=True, text=True, timeout=60
    )

    assert ("400 0 True\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_interrupts_in_functions_come_out(error: type[BaseException], depth: int) -> None:
    """What is no Exception leaves the codec as it is, from any depth."""

    class Odd:
        pass

    def interrupt(_: object) -> object:
        raise error("stop")

    codec = MsgpackCodec()
    codec.register(Odd, encode=interrupt, decode=lambda _: Odd())
    value: Any = Odd()
    for _ in range(depth):
        value = (value,)

    with pytest.raises(error, match="stop"):
        codec.encode([1, value], "key")


def test_a_codec_can_be_used_inside_its_own_functions() -> None:
    """A registered function may use the codec that calls it."""
    codec = MsgpackCodec()
    codec.register(
        deque,
        encode=lambda value: codec.encode([(item,) for item in value]),
        decode=lambda body: deque(item for (item,) in codec.decode(body)),  # type: ignore[attr-defined]
    )

    assert {"a": (deque([1, 2]),)} == codec.decode(codec.encode({"a": (deque([1, 2]),)}))


def test_encoding_keeps_no_hold_on_the_value() -> None:
    """A value that was packed is gone as soon as its owner lets go, without the collector."""

    @dataclasses.dataclass(eq=False)
    class Thing:
        inner: object

    codec = MsgpackCodec()
    gc.collect()
    gc.disable()
    try:
        for wrap in (list, tuple, set, lambda things: {1: tuple(things)}):
            thing = Thing(1)
            alive = weakref.ref(thing)
            codec.encode(wrap([thing]))
            del thing

            assert alive() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_threads_do_not_disturb_each_other() -> None:
    """One codec serves several threads at once."""
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(200):
            value = [Plan(number, (step, {number, step})), {number: step}]
            if not same(value, CODEC.decode(CODEC.encode(value))):
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == wrong


def test_only_what_may_hold_a_buffer_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value none of whose bytes looks like a header of bytes costs no search."""
    searched: list[object] = []
    monkeypatch.setattr(encode, "_holds_buffer", searched.append)
    CODEC.encode([{"role": "user", "content": "plain", "id": 7}] * 20)
    CODEC.encode((1, [2, "x"]))

    assert [] == searched
    CODEC.encode(["Ā"])
    assert [["Ā"]] == searched


@pytest.mark.parametrize("nested", [False, True])
def test_a_container_changed_while_it_is_encoded_does_no_harm(nested: bool) -> None:
    """What a class's own code does to the value meanwhile is not seen, and pulls nothing away."""

    class Saboteur:
        """Empties the list and the dict it is in."""

    items: list[object] = []
    entries: dict[str, object] = {"items": items, "last": (1, 2)}

    def clear(saboteur: Saboteur) -> str:
        items.clear()
        entries.clear()
        return "done"

    codec = MsgpackCodec()
    codec.register(Saboteur, name="saboteur", encode=clear, decode=lambda _: Saboteur())
    items += [Saboteur(), *({"n": [number]} for number in range(1000)), (3, 4)]
    decoded: Any = codec.decode(codec.encode(entries if nested else items))
    if nested:
        assert (1, 2) == decoded["last"]
        decoded = decoded["items"]
    assert 1002 == len(decoded)
    assert (3, 4) == decoded[-1]
    assert [] == items
