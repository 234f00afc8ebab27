"""Unsigned integers of 16 bits and more: PyTorch stores them but hardly computes with them: NumPy does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.shape import Broadcast, Cast, Concatenate, Reshape, Transpose
from raygrad.proto.tensor import DType, TensorType

from ..base import Backend, Kernel
from ..numpy import NumpyBackend

_DTYPES = (DType.uint16, DType.uint32, DType.uint64)
_SUPPORTED = (Broadcast, Cast, Concatenate, Reshape, Transpose)


def lacks(operator: Operator, types: Sequence[TensorType]) -> bool:
    """Whether PyTorch cannot be counted on for this operator on these types."""
    supported = operator.source or isinstance(operator, _SUPPORTED)
    return not supported and any(t.dtype in _DTYPES for t in types)


def on_host(
    backend: Backend, operator: Operator, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
) -> Kernel:
    """NumPy's kernel for tensors of `backend`, run on the host."""
    host = NumpyBackend()
    kernel = host.compile(operator, inputs, outputs)

    def run(*tensors: Any) -> Any:
        arrays = [host.from_host(backend.to_host(tensor)) for tensor in tensors]
        with np.errstate(all="ignore"):
            results = kernel(*arrays)
        if isinstance(results, tuple):
            return tuple(map(backend.from_host, results))
        return backend.from_host(results)

    return run
