"""Values as nodes: what a page gets of a value is what it was, type for type."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import agrees

from backpack import MsgpackCodec
from backpack.codec.foreign import decode_foreign
from backpack.inspect.values import node, written
from backpack.records import Unavailable
from backpack.spec.values import LOOK_ALIKES, values


@settings(max_examples=40)
@given(values())
def test_a_node_says_what_a_value_is(value: object) -> None:
    """Whatever can be packed: the node agrees with it, and is JSON without anything else."""
    read = decode_foreign(MsgpackCodec().encode(value))
    text = written(read)
    assert text.isascii()
    assert agrees(json.loads(text, parse_constant=pytest.fail), read)


def test_look_alikes_are_told_apart() -> None:
    """Values that Python takes for equal have other nodes."""
    codec = MsgpackCodec()
    texts = [written(decode_foreign(codec.encode(each))) for each in LOOK_ALIKES]
    assert len(LOOK_ALIKES) == len(set(texts))


def test_nodes_are_read_as_documented() -> None:
    """One of each kind."""
    expected = {
        '["list",[null,true,"a"]]': [None, True, "a"],
        '["tuple",[]]': (),
        '["dict",["a",1,["tuple",[1]],["dict",[]]]]': {"a": 1, (1,): {}},
        '["float","nan"]': float("nan"),
        '["bytes","/wA="]': b"\xff\x00",
        '["Decimal","1E+400"]': Decimal("1e400"),
        '["int","9007199254740992"]': 2**53,
        '"\\ud800"': "\ud800",
    }
    assert list(expected) == [written(each) for each in expected.values()]


@given(st.frozensets(st.text(max_size=3) | st.frozensets(st.text("abc"), max_size=5)))
def test_a_set_is_written_in_one_order(elements: frozenset[Any]) -> None:
    """However it was made, and whatever the order of its elements is in this process."""
    ordered = sorted(elements, key=repr)
    one, other = dict.fromkeys(ordered), dict.fromkeys(ordered[::-1])
    assert written(set(one)) == written(set(other))
    assert agrees(json.loads(written(set(one))), set(elements))
    for _, inner in filter(lambda each: type(each) is list, json.loads(written(set(one)))[1]):
        assert sorted(inner) == inner


@pytest.mark.parametrize("kind", [lambda inner: [inner], lambda inner: frozenset({inner, "x"})])
def test_a_deep_value_takes_no_stack(kind: Any) -> None:
    """As deep as the codec reads."""
    value: Any = "the end"
    depth = sys.getrecursionlimit() + 20
    for _ in range(depth):
        value = kind(value)
    text = written(value)
    assert depth == max(text.count('["list",['), text.count('["frozenset",['))
    assert '"the end"' in text


def test_a_number_is_huge() -> None:
    """One that Python does not write in base 10 is written in base 16."""
    assert ["int", hex(-(10**9000))] == json.loads(written(-(10**9000)))
    assert ["int", str(10**400)] == json.loads(written(10**400))


def test_what_history_left_out_says_why() -> None:
    """Its size, the reason, and what to do."""
    unavailable = Unavailable("k", 7, "too large", "raise it", "ab", None)
    kind, content = json.loads(written(unavailable))
    assert ("unavailable", 7, "too large") == (kind, content["size"], content["reason"])


def test_an_array_shows_its_first_items() -> None:
    """And its dtype and shape; a scalar is shown whole."""
    array = json.loads(written(np.arange(600, dtype="int16").reshape(2, 300)))
    assert ["array", "int16 2x300", 600] == [array[0], array[1], array[3]]
    assert [str(each) for each in range(200)] == array[2]
    assert ["numpy.float64", "0.5"] == json.loads(written(np.float64(0.5)))


def test_other_nodes_are_plain() -> None:
    """What stands in the place of a value."""
    assert '["large",70000]' == node("large", 70_000)
