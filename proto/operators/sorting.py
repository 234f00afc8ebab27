"""Operators of order: where the largest is, and the largest few in order. Ties go to the first index.

A NaN counts as larger than every number for `ArgMax` and `TopK`, and as the smallest for `ArgMin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..tensor import DType, Size, TensorType
from .base import Cotangents, Operator, require
from .indexing import GatherGrad

if TYPE_CHECKING:
    from ..value import Value


def _check_axis(operator: Operator, axis: int, x: TensorType) -> None:
    require(0 <= axis < x.rank, operator, f"axis {axis} does not exist in {x}")
    require(x.dtype is not DType.bool, operator, f"needs numbers, got {x}")


class ArgExtremum(Operator, abstract=True):
    """The int64 index of an extremum along `axis`, which is dropped."""

    axis: int

    def infer(self, x: TensorType) -> TensorType:
        _check_axis(self, self.axis, x)
        require(x.shape[self.axis] != 0, self, f"there is no element along axis {self.axis} of {x}")
        return x.without((self.axis,)).of_dtype(DType.int64)

    def vjp(self, *_: Any) -> Cotangents:
        return (None,)


class ArgMax(ArgExtremum):
    """The index of the largest element, the first of several."""


class ArgMin(ArgExtremum):
    """The index of the smallest element, the first of several."""


class TopK(Operator):
    """The k largest (or smallest) elements along `axis` in order, and their int64 indices.

    Equal elements keep their order. With k the whole size, which may be a name, this is a stable sort.
    """

    axis: int
    k: Size
    largest: bool = True

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        _check_axis(self, self.axis, x)
        size = x.shape[self.axis]
        fits = self.k == size or (isinstance(self.k, int) and isinstance(size, int) and 0 <= self.k <= size)
        require(fits, self, f"there are not {self.k} elements along axis {self.axis} of {x}, or not surely")
        values = x.of_shape(self.k if a == self.axis else s for a, s in enumerate(x.shape))
        return values, values.of_dtype(DType.int64)

    def vjp(self, g: Any, y: Any, x: Value) -> Cotangents:
        return (GatherGrad(self.axis, x.shape[self.axis])(g[0], y[1]),)
