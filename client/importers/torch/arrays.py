"""Tensors of torch as arrays and types, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from raygrad.proto.errors import TypeMismatchError
from raygrad.proto.tensor import Array, DType

_DTYPES = {getattr(torch, d.value): d for d in DType if hasattr(torch, d.value)}


def dtype_of(dtype: torch.dtype) -> DType:
    """Our dtype for one of torch; `TypeMismatchError` for complex, quantized and the like."""
    if dtype not in _DTYPES:
        raise TypeMismatchError(f"dtype {dtype} is not supported; use one of {[d.value for d in DType]}")
    return _DTYPES[dtype]


def as_array(tensor: torch.Tensor) -> Array:
    """The elements of a tensor, in its own memory where that is possible."""
    dense = tensor.detach().cpu()
    if dtype_of(dense.dtype) is DType.bfloat16:
        return dense.contiguous().view(torch.int16).numpy().view(DType.bfloat16.numpy)
    found: Array = dense.numpy()
    return found


def to_array(tensor: torch.Tensor) -> Array:
    """The elements of a tensor, copied: what torch does to the tensor later does not show."""
    return np.array(as_array(tensor), order="C")


def to_tensor(array: Array, like: torch.device | str = "cpu") -> torch.Tensor:
    """A tensor on a device with the elements of an array; in its memory, if the array can be written to."""
    owned = array.flags.writeable and array.flags.c_contiguous and array.flags.aligned
    dense: Any = array if owned else np.array(array, order="C")
    if dense.dtype == DType.bfloat16.numpy:
        return torch.from_numpy(dense.view(np.int16)).view(torch.bfloat16).to(like)
    return torch.from_numpy(dense).to(like)
