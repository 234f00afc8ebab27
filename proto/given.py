"""What programs give as tensors, made into plain arrays: dense, aligned, in this machine's byte order.

Whatever kernels, messages and documents get has passed here, so that none of them meets an array of another
kind: big-endian, strided, between two elements, of a subclass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import LimitError, TensorError
from .tensor import MOST_ELEMENTS, Array

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
