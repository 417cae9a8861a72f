"""numpy arrays and scalars come back exactly, and only where numpy is there."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from ormsgpack import Ext, packb

from backpack.codec import MsgpackCodec, layout
from backpack.errors import CorruptError, UnpackableValue
from backpack.spec.sameness import same

CODEC = MsgpackCodec()
ARRAYS = npst.arrays(
    npst.scalar_dtypes() | npst.array_dtypes(),
    npst.array_shapes(min_dims=0, min_side=0, max_dims=4, max_side=3),
)


def equal(one: Any, other: Any) -> bool:
    """Whether dtype, shape and bytes are equal; NaN of any kind equals itself."""
    return (
        type(one) is type(other)
        and one.dtype == other.dtype
        and one.shape == other.shape
        and one.tobytes() == other.tobytes()
    )


@given(array=ARRAYS)
def test_arrays_come_back_the_same(array: np.ndarray[Any, Any]) -> None:
    """Any array of a plain or structured dtype comes back in dtype, shape and bytes."""
    assert equal(array, CODEC.decode(CODEC.encode(array)))


@given(array=ARRAYS)
def test_scalars_come_back_the_same(array: np.ndarray[Any, Any]) -> None:
    """So does each of its elements."""
    for element in array.reshape(-1)[:3]:
        assert equal(element, CODEC.decode(CODEC.encode([{1: element}]))[0][1])  # type: ignore[index]


@given(descr=st.text(max_size=6), shape=st.lists(st.integers(-2, 2**70), max_size=3),
       fortran=st.booleans(), data=st.binary(max_size=9))  # fmt: skip
def test_broken_arrays_are_corrupt_or_a_value(
    descr: str, shape: list[int], fortran: bool, data: bytes
) -> None:
    """An array with any header decodes or raises CorruptError, and takes no memory to say so."""
    body = CODEC.encode([descr, shape, fortran, data])
    with contextlib.suppress(CorruptError):
        CODEC.decode(packb(Ext(layout.ARRAY, body)))


def test_order_is_kept() -> None:
    """A Fortran-ordered array stays one; a strided view comes back contiguous."""
    fortran = np.asfortranarray(np.arange(6).reshape(2, 3))
    back: Any = CODEC.decode(CODEC.encode(fortran))
    view: Any = CODEC.decode(CODEC.encode(np.arange(10)[::3]))

    assert same(fortran, back)
    assert [0, 3, 6, 9] == view.tolist()
    assert view.flags.c_contiguous


def test_what_comes_back_is_writable_and_its_own() -> None:
    """The array owns its memory, so changing it changes nothing else."""
    frozen = np.arange(3)
    frozen.flags.writeable = False
    encoded = CODEC.encode(frozen)
    back: Any = CODEC.decode(encoded)
    back += 1

    assert back.flags.owndata
    assert [0, 1, 2] == CODEC.decode(encoded).tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value",
    [
        np.array(5),
        np.int64(5),
        np.bool_(True),
        np.str_("a\0\0"),
        np.str_("\ud800"),
        np.bytes_(b"a\0\0"),
        np.datetime64("NaT"),
        np.timedelta64(5, "ms"),
        np.longdouble(1) / 3,
        np.array(["a", ""], dtype="U3"),
        np.zeros(2, dtype=[("a", ">i4"), ("b", "S3", (2,)), (("title", "c"), [("d", "?")])]),
        np.zeros(1, dtype=[("a", "i4")])[0],
    ],
)
def test_edges_come_back_the_same(value: object) -> None:
    """A 0-d array is no scalar, trailing NULs stay, nested dtypes too."""
    assert same(value, CODEC.decode(CODEC.encode(value)))
    assert same({1: value}, CODEC.decode(CODEC.encode({1: value})))


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.zeros(1, dtype=[("a", "O")]),
        np.zeros(1, dtype=np.dtype("i4", metadata={"unit": "m"})),
        np.zeros(1, dtype=[("a", "i4")]).view(np.recarray).view(np.ndarray),
    ],
)
def test_dtypes_that_cannot_be_kept_are_refused(array: np.ndarray[Any, Any]) -> None:
    """Objects, metadata and classes of a dtype's own are refused, with what would do."""
    with pytest.raises(
        UnpackableValue, match=r"^state\.array: dtype .* cannot be kept exactly; convert"
    ):
        CODEC.encode({"array": array}, "state")


def test_subclasses_are_refused() -> None:
    """A masked array is no plain array, and is refused with what to do."""
    with pytest.raises(
        UnpackableValue, match=r"^mask: numpy\.ma.*:MaskedArray is a subclass of a numpy class, and"
    ):
        CODEC.encode(np.ma.zeros(2), "mask")


def test_objects_in_stored_bytes_are_corrupt() -> None:
    """A dtype that would make objects of bytes is never read."""
    body = CODEC.encode(["|O", [1], False, bytes(8)])

    with pytest.raises(CorruptError, match="extension 32 does not decode: ValueError: dtype holds"):
        CODEC.decode(packb(Ext(layout.ARRAY, body)))


def test_sizes_that_do_not_fit_are_corrupt() -> None:
    """A shape that the bytes do not fill is refused before memory is asked for."""
    body = CODEC.encode(["<f8", [2**40], False, bytes(8)])

    with pytest.raises(CorruptError, match=r"8 bytes do not fill shape \[1099511627776\]"):
        CODEC.decode(packb(Ext(layout.ARRAY, body)))


def test_without_numpy_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where numpy is missing, stored arrays name what to install."""
    encoded = CODEC.encode([np.arange(3)])
    monkeypatch.setitem(sys.modules, "numpy", None)

    with pytest.raises(UnpackableValue, match="needs numpy, which is not installed; install it"):
        CODEC.decode(encoded)
    assert same([(1,)], CODEC.decode(CODEC.encode([(1,)])))
