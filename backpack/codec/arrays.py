"""numpy arrays and scalars: exact dtype, shape, order and bytes, and numpy only where it is used.

Encoding finds numpy in ``sys.modules``, so a process without arrays never imports it. The dtype is
written as in the .npy format; object dtypes, which would need pickle, are refused.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from backpack.codec import layout
from backpack.codec.layout import Refused, class_name

__all__ = ["is_numpy", "make_array", "make_scalar", "take"]


def is_numpy(kind: type) -> bool:
    """Return whether values of exactly this class are numpy's, so :func:`take` is to answer."""
    np = sys.modules.get("numpy")
    # Another thread may be halfway through importing it.
    bases: Any = getattr(np, "ndarray", None), getattr(np, "generic", None)
    return None not in bases and issubclass(kind, bases)


def take(value: Any) -> tuple[int, list[object]]:
    """Return the extension code and the body of an array or scalar.

    Raises:
        Refused: Its class or dtype cannot be kept exactly.
    """
    np: Any = sys.modules["numpy"]
    kind = type(value)
    if kind is np.str_:
        return layout.SCALAR, ["str", str.__str__(value)]
    if kind is np.bytes_:
        # The whole slice is the one reading that keeps trailing NULs.
        return layout.SCALAR, ["bytes", bytes.__getitem__(value, slice(None))]
    if kind is np.ndarray:
        fortran = bool(value.flags.f_contiguous and not value.flags.c_contiguous)
        data = value.tobytes("F" if fortran else "C")
        return layout.ARRAY, [_descr(np, value.dtype), list(value.shape), fortran, data]
    if kind is value.dtype.type:
        return layout.SCALAR, [_descr(np, value.dtype), value.tobytes()]
    raise Refused(
        f"{class_name(kind)} is a subclass of a numpy class, and only"
        " numpy.ndarray and numpy's own scalars are kept; pack numpy.asarray(value)"
    )


def make_array(body: Any) -> object:
    """Return a new, writable array that owns its memory.

    Raises:
        Refused: numpy is not installed.
        Exception: The body is broken.
    """
    descr, shape, fortran, data = body
    np = _numpy()
    dtype = _dtype(np, descr)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(data)} bytes do not fill shape {shape}")
    order = "F" if fortran else "C"
    return np.ndarray(tuple(shape), dtype, buffer=data, order=order).copy(order)


def make_scalar(body: Any) -> object:
    """Return a new numpy scalar.

    Raises:
        Refused: numpy is not installed.
        Exception: The body is broken.
    """
    descr, data = body
    np = _numpy()
    if descr == "str":
        return np.str_(str.__str__(data))
    if descr == "bytes":
        return np.bytes_(data)
    return make_array([descr, [], False, data])[()]  # type: ignore[index]


def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        raise Refused(
            "a numpy value needs numpy, which is not installed; install it with: pip install numpy"
        ) from None
    return np


def _descr(np: Any, dtype: Any) -> object:
    if not dtype.hasobject and dtype.metadata is None and dtype.isbuiltin != 2:
        descr: object = np.lib.format.dtype_to_descr(dtype)
        again = np.lib.format.descr_to_dtype(descr)
        if again == dtype and again.type is dtype.type:
            return descr
    raise Refused(
        f"dtype {dtype!r} cannot be kept exactly; convert the array to a plain dtype"
        " (numbers, bool, str, bytes, datetime64) or pack value.tolist()"
    )


def _dtype(np: Any, descr: object) -> Any:
    dtype = np.lib.format.descr_to_dtype(descr)
    if dtype.hasobject:
        raise ValueError("dtype holds objects")
    return dtype
