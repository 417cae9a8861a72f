"""What goes into the codec comes out the same, and equal values have equal bytes."""

from __future__ import annotations

import subprocess
import sys
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backpack.codec import MsgpackCodec
from backpack.errors import UnpackableValue
from backpack.protocols import Codec
from backpack.spec.sameness import same
from backpack.spec.values import Message, Plan, Point, Tally, hashables, json_values, values

CODEC = MsgpackCodec()


@given(value=values())
def test_values_come_back_the_same(value: object) -> None:
    """Any value comes back the same, type for type, at every level."""
    assert same(value, CODEC.decode(CODEC.encode(value)))


@given(value=json_values())
def test_json_values_come_back_the_same(value: object) -> None:
    """So does what an agent's state mostly is."""
    assert same(value, CODEC.decode(CODEC.encode(value)))


@given(value=hashables())
def test_keys_come_back_the_same(value: object) -> None:
    """Whatever can be a key of a dict or an element of a set comes back as one."""
    assert same({value: value}, CODEC.decode(CODEC.encode({value: value})))
    assert same({value}, CODEC.decode(CODEC.encode({value})))


@given(value=values())
def test_encoding_is_a_function_of_the_value(value: object) -> None:
    """A value that came back encodes to the same bytes, in any codec."""
    encoded = CODEC.encode(value)

    assert encoded == CODEC.encode(CODEC.decode(encoded))
    assert encoded == MsgpackCodec().encode(value)


@given(one=values(max_leaves=3), other=values(max_leaves=3))
def test_different_values_have_different_bytes(one: object, other: object) -> None:
    """Bytes are equal if and only if the values are the same."""
    assert same(one, other) == (CODEC.encode(one) == CODEC.encode(other))


@given(elements=st.lists(hashables(), max_size=6), seed=st.randoms())
def test_sets_encode_alike_in_any_order(elements: list[object], seed: object) -> None:
    """The order elements were added in does not show."""
    shuffled = list(reversed(elements))

    assert CODEC.encode(frozenset(elements)) == CODEC.encode(frozenset(reversed(shuffled)))
    assert len(set(elements)) != len(elements) or (
        CODEC.encode(set(elements)) == CODEC.encode(set(shuffled))
    )


@pytest.mark.parametrize(
    "different",
    [
        [1, 1.0, True],
        [0, 0.0, -0.0, False, None, "", b"", [], (), {}, set(), frozenset(), bytearray()],
        [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
        [2**64, float(2**64)],
        ["a", b"a", bytearray(b"a"), ["a"], ("a",), {"a"}, frozenset({"a"})],
        [{1: 2}, {1.0: 2}, {True: 2}, {"1": 2}],
        [Plan(1, 2), Point(1, 2), (1, 2), Tally(1, 2), {"goal": 1, "steps": 2}],
    ],
)
def test_values_that_only_look_alike_differ(different: list[object]) -> None:
    """Values of other types, or of another order, have other bytes."""
    assert len(different) == len({CODEC.encode(value) for value in different})


def test_what_comes_back_is_new() -> None:
    """Changing what came back, or what went in, changes nothing else."""
    value = {"steps": [1, {"tags": {1}}], "raw": bytearray(b"a")}
    encoded = CODEC.encode(value)
    value["steps"] = []
    first: dict[str, list[object]] = CODEC.decode(encoded)  # type: ignore[assignment]
    first["steps"].clear()

    assert same({"steps": [1, {"tags": {1}}], "raw": bytearray(b"a")}, CODEC.decode(encoded))


def test_equal_parts_do_not_become_one() -> None:
    """Two equal parts of a value stay two objects."""
    pair: list[bytearray] = CODEC.decode(  # type: ignore[assignment]
        CODEC.encode([bytearray(b"a"), bytearray(b"a")])
    )

    assert pair[0] is not pair[1]


def test_the_codec_satisfies_the_contract() -> None:
    """It is a Codec."""
    assert isinstance(CODEC, Codec)


def test_classes_are_registered_up_front() -> None:
    """A codec that was given the class reads what another wrote."""
    encoded = CODEC.encode(Message("user", "hi"))

    assert Message("user", "hi") == MsgpackCodec(classes=[Message]).decode(encoded)


def test_classes_are_allowed_by_name() -> None:
    """A codec that was given the name imports the class when it meets it."""
    encoded = CODEC.encode([Plan("go"), Plan("on")])

    reader = MsgpackCodec(allow=["backpack.spec.values:Plan"])

    assert [Plan("go"), Plan("on")] == reader.decode(encoded)
    assert encoded == reader.encode([Plan("go"), Plan("on")])


def test_other_classes_come_with_functions() -> None:
    """A registered class comes back by the functions it was registered with."""
    codec = MsgpackCodec()
    codec.register(deque, encode=list, decode=deque)

    decoded = codec.decode(codec.encode({"queue": deque([(1,), 2])}))

    assert {"queue": deque([(1,), 2])} == decoded


def test_subclasses_of_registered_classes_are_not_covered() -> None:
    """Registering covers exactly that class."""

    class Queue(deque[object]):
        pass

    codec = MsgpackCodec()
    codec.register(deque, encode=list, decode=deque)

    with pytest.raises(UnpackableValue, match=r"^jobs: a value of class .*Queue cannot be packed"):
        codec.encode(Queue(), "jobs")


def test_nothing_is_imported_to_encode() -> None:
    """A process without numpy and pydantic stays without them."""
    code = (
        "import sys, dataclasses\n"
        "from backpack.codec import MsgpackCodec\n"
        "@dataclasses.dataclass\n"
        "class A:\n    x: object\n"
        "codec = MsgpackCodec()\n"
        "assert A((1,)) == codec.decode(codec.encode(A((1,))))\n"
        "print(sorted({'numpy', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == done.stdout
