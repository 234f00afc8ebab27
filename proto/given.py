"""What programs give as tensors, made into plain arrays: dense, aligned, in this machine's byte order.

Whatever kernels, messages and documents get has passed here, so that none of them meets an array of another
kind: big-endian, strided, between two elements, of a subclass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import LimitError, TensorDTypeError, TensorError
from .tensor import MOST_ELEMENTS, Array, DType

_NESTED = (list, tuple)
_DEEPEST = 64  # axes of an array


def plain(value: Any, dtype: npt.DTypeLike | None = None, *, copy: bool = False) -> Array:
    """`value` as a plain array, in its own memory where that is possible unless `copy` is wanted.

    Raises `TensorError` for masked arrays, whose masks would be lost, `LimitError` for an array with more
    elements than a value may have (one element that is repeated takes no memory yet), and what NumPy raises
    for what makes no array (`TypeError`, `ValueError`, of a tensor that requires a gradient `RuntimeError`).
    """
    if type(value) is np.ndarray and dtype is None:
        array = value
    else:
        _refuse(value)
        array = np.asarray(value, dtype=dtype)
    if array.size > MOST_ELEMENTS:
        raise LimitError(
            f"an array has {array.size} elements; at most {MOST_ELEMENTS} are allowed in one value"
        )
    if array.dtype.isnative and not copy:
        flags = array.flags
        return array if flags.c_contiguous and flags.aligned else array.copy()
    return array.astype(array.dtype.newbyteorder("="), order="C", copy=True)


def fitted(array: Array, dtype: DType) -> Array:
    """The array in a declared dtype, where it means the same there; else as it is, for a check to refuse.

    What NumPy computes in when nobody says otherwise becomes what is declared: float64 is rounded to any
    floating-point dtype, int64 becomes any integer dtype that holds all its elements. Others become wider
    ones: float16 float32, int32 int64. Raises `TensorDTypeError` for float64 that would become infinite.
    """
    if array.dtype == dtype.numpy or array.dtype.name not in DType.__members__:
        return array
    found = DType.of(array.dtype)
    if found.is_floating and dtype.is_floating:
        if found is not DType.float64 and found.itemsize >= dtype.itemsize:
            return array
        return _rounded(array, dtype)
    if found.is_integer and dtype.is_integer:
        wider = np.can_cast(array.dtype, dtype.numpy)
        return (
            array.astype(dtype.numpy) if wider or (found is DType.int64 and _holds(dtype, array)) else array
        )
    return array


def _rounded(array: Array, dtype: DType) -> Array:
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype.numpy)
    if np.isinf(rounded).any() and not np.array_equal(np.isinf(rounded), np.isinf(array)):
        largest = np.max(np.abs(array), where=np.isfinite(array), initial=0)
        raise TensorDTypeError(f"{largest:.3g} is beyond {dtype!r}")
    return rounded


def _holds(dtype: DType, array: Array) -> bool:
    return not array.size or (dtype.holds(array.min().item()) and dtype.holds(array.max().item()))


def _refuse(value: Any, depth: int = 0) -> None:
    """Masked arrays and `None`, also in lists, and arrays that are too large to be copied."""
    if isinstance(value, np.ma.MaskedArray):
        raise TensorError("a masked array lacks elements: `filled` says what stands in their places")
    if isinstance(value, np.ndarray) and value.size > MOST_ELEMENTS:
        raise LimitError(
            f"an array has {value.size} elements; at most {MOST_ELEMENTS} are allowed in one value"
        )
    if depth > _DEEPEST:
        raise LimitError(f"lists lie in each other more than {_DEEPEST} deep: that is no array")
    if value is None:
        raise TensorError("None is no number (NumPy would make NaN of it)")
    if isinstance(value, _NESTED):
        for item in value:
            _refuse(item, depth + 1)
