"""Sources: inputs, parameters, buffers, constants, and named sizes as numbers of elements and places.

A source has no home: it stands beside each of its consumers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import AttributeValueError, LimitError
from ..tensor import Array, DType, Shape, Size, TensorType
from .base import Cotangents, Operator

INLINE_BYTES = 4096
"""The largest constant that travels inside a document; larger ones are buffers."""


class Source(Operator, abstract=True):
    """An operator without inputs."""

    source = True
    free = True

    def vjp(self, *_: Any) -> Cotangents:
        return ()

    def flops(self, inputs: Any, outputs: Any) -> int:
        return 0

    def bytes(self, inputs: Any, outputs: Any) -> int:
        return 0


class NamedTensor(Source, abstract=True):
    """A tensor that comes from outside the graph, by name."""

    tensor: str
    shape: Shape
    dtype: DType

    def infer(self) -> TensorType:
        if not self.tensor:
            raise AttributeValueError(f"{self.name} needs a name")
        return TensorType(self.shape, self.dtype)


class Input(NamedTensor):
    """A tensor fed with every mini-batch."""


class Parameter(NamedTensor):
    """A tensor that lives on the workers and is differentiated; floating-point."""

    def infer(self) -> TensorType:
        if not self.dtype.is_floating:
            raise AttributeValueError(f"parameter {self.tensor!r} must be floating-point, not {self.dtype}")
        return super().infer()


class Buffer(NamedTensor):
    """A constant too large for the document; lives on the workers, not differentiated."""


class Cotangent(NamedTensor):
    """The cotangent of the output named `tensor`: what a backward pass is fed with."""


class Constant(Source):
    """A small constant, raw little-endian bytes in C order."""

    dtype: DType
    shape: tuple[int, ...]
    data: bytes

    def infer(self) -> TensorType:
        found = TensorType(self.shape, self.dtype)
        if len(self.data) > INLINE_BYTES:
            raise LimitError(f"a constant of {len(self.data)} bytes is over {INLINE_BYTES}: use a buffer")
        if len(self.data) != found.nbytes:
            raise AttributeValueError(f"Constant {found} needs {found.nbytes} bytes, got {len(self.data)}")
        if min(self.shape, default=0) < 0:
            raise AttributeValueError(f"Constant {found} has a negative size")
        if self.dtype is DType.bool and max(self.data, default=0) > 1:
            raise AttributeValueError(f"Constant {found} holds bytes other than 0 and 1")
        return found

    @classmethod
    def of(cls, array: Array) -> Constant:
        """The constant that holds `array`."""
        dtype = DType.of(array.dtype)
        data = np.ascontiguousarray(array, dtype=dtype.numpy).tobytes()
        return cls(dtype=dtype, shape=array.shape, data=data)

    @property
    def array(self) -> Array:
        """The constant as a read-only array."""
        return np.frombuffer(self.data, dtype=self.dtype.numpy).reshape(self.shape)

    def __repr__(self) -> str:
        shown = np.array2string(self.array, threshold=6, separator=",")
        return f"Constant({shown if len(shown) <= 40 else '…'}, {self.dtype!r})"


class SizeOf(Source):
    """The product of sizes as a scalar: how many elements a mean divides by, before `"N"` is known."""

    sizes: Shape
    dtype: DType

    def infer(self) -> TensorType:
        return TensorType((), self.dtype)


class Iota(Source):
    """0, 1, …, size − 1: the places along an axis, whose size may be a name."""

    size: Size
    dtype: DType

    def infer(self) -> TensorType:
        if self.dtype is DType.bool:
            raise AttributeValueError("Iota counts: it needs numbers, not bool")
        return TensorType((self.size,), self.dtype)
