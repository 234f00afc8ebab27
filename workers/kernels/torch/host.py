"""Between NumPy and PyTorch: tensors that share memory with arrays, read-only ones and bfloat16 included."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import torch

from raygrad.proto.tensor import Array

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


_SMALL = 1024
"""Bytes of a read-only array that are copied in less time than it takes to share them."""


class _Shared:
    """An array's memory under a writable interface.

    PyTorch has no read-only tensors and warns about read-only arrays; nobody writes to operands here, so
    neither the warning nor a copy is wanted.
    """

    def __init__(self, array: Array) -> None:
        self.array = array  # keeps the memory alive
        address = array.__array_interface__["data"][0]
        self.__array_interface__ = {**array.__array_interface__, "data": (address, False)}


def to_tensor(array: Array) -> torch.Tensor:
    """A CPU tensor with the array's elements, without a copy where PyTorch can express its strides."""
    plain = array.view(np.uint16) if array.dtype == _BFLOAT16 else array
    if not plain.flags.aligned or any(s < 0 or s % plain.itemsize for s in plain.strides):
        plain = plain.copy()
    elif not plain.flags.writeable:
        plain = plain.copy("K") if plain.nbytes <= _SMALL else np.asarray(_Shared(plain))
    tensor = torch.from_numpy(plain)
    return tensor.view(torch.bfloat16) if array.dtype == _BFLOAT16 else tensor


def to_array(tensor: torch.Tensor) -> Array:
    """An array (logical axis order, the tensor's strides) that shares memory with a CPU tensor."""
    if tensor.dtype is torch.bfloat16:
        found: Array = tensor.view(torch.uint16).numpy().view(_BFLOAT16)
        return found
    plain: Array = tensor.numpy()
    return plain
