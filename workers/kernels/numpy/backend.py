"""The NumPy backend: dense arrays on the CPU."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from raygrad.proto.tensor import Array, TensorType

from .. import common  # noqa: F401  (registers the common kernels)
from ..base import Backend, Tensor
from ..strides import c_order, strides_of

FAMILY = "numpy"

Numbers = npt.NDArray[Any]
"""An array whose dtype is numeric."""


class NumpyBackend(Backend):
    """Dense C-order arrays on the CPU, one BLAS thread."""

    family = FAMILY
    name = "numpy"
    xp: Any = xp

    def __init__(self) -> None:
        self._threads = ThreadpoolController()

    def from_host(self, array: Array) -> Tensor:
        return dense(np.asarray(array))

    def to_host(self, tensor: Tensor) -> Array:
        return np.asarray(tensor)

    def layout(self, type: TensorType) -> Callable[[Tensor], Tensor]:
        return dense

    def fingerprint(self) -> str:
        blas = ",".join(
            f"{i['internal_api']} {i['version']} {i.get('architecture')}" for i in self._threads.info()
        )
        return f"numpy {np.__version__}; {blas}; 1 thread"

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        with self._threads.limit(limits=1), np.errstate(all="ignore"):
            yield


def dense(x: Any) -> Array:
    """`x`, aligned, and with exactly the strides of a C-order array, axes of size 1 included.

    An array that begins between two elements (a view of a received message may) is copied: NumPy
    multiplies such matrices without BLAS, and so to other bits.
    """
    array = np.asarray(x)
    if array.flags.aligned and array.strides == strides_of(array.shape, c_order(array.ndim), array.itemsize):
        return array
    return np.array(array, order="C", copy=True)
