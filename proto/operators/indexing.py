"""Operators that read and write elements at integer indices, and their adjoints.

Indices count from 0; whether they lie within the axis is known only at run time, so it is the kernel
that refuses one outside of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import Shape, Size, TensorType
from .base import Cotangents, Operator, require
from .shape import Movement

if TYPE_CHECKING:
    from ..value import Value


class Gather(Movement):
    """y[…, i, …] = x[…, indices[…, i, …], …] along `axis`; all other sizes of x and the indices are equal."""

    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, x, indices)
        aligned = (
            x.rank == indices.rank and x.without((self.axis,)).shape == indices.without((self.axis,)).shape
        )
        require(aligned, self, f"{x} and {indices} differ beside axis {self.axis}")
        return x.of_shape(indices.shape)

    def vjp(self, g: Value, y: Value, x: Value, indices: Value) -> Cotangents:
        return GatherGrad(self.axis, x.shape[self.axis])(g, indices), None


class GatherGrad(Operator):
    """Zeros with `size` elements along `axis`, to which g is added at the places that `Gather` reads."""

    axis: int
    size: Size

    def infer(self, g: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, g, indices)
        require(g.shape == indices.shape, self, f"{g} and {indices} differ in shape")
        return g.of_shape(_spliced(g.shape, self.axis, 1, (self.size,)))

    def vjp(self, gg: Value, out: Value, g: Value, indices: Value) -> Cotangents:
        return Gather(self.axis)(gg, indices), None


class Take(Movement):
    """Whole slices of x at `indices` of any shape, which takes the place of `axis`: an embedding look-up."""

    axis: int = 0

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        _check(self, self.axis, x, indices)
        return x.of_shape(_spliced(x.shape, self.axis, 1, indices.shape))

    def vjp(self, g: Value, y: Value, x: Value, indices: Value) -> Cotangents:
        return TakeGrad(self.axis, x.shape[self.axis])(g, indices), None


class TakeGrad(Operator):
    """Zeros with `size` slices along `axis`, to which g is added at the places that `Take` reads."""

    axis: int
    size: Size

    def infer(self, g: TensorType, indices: TensorType) -> TensorType:
        end = self.axis + indices.rank
        require(indices.dtype.is_integer, self, f"needs integer indices, got {indices}")
        fits = 0 <= self.axis <= g.rank and g.shape[self.axis : end] == indices.shape
        require(fits, self, f"{g} has not the sizes of {indices} from axis {self.axis} on")
        return g.of_shape(_spliced(g.shape, self.axis, indices.rank, (self.size,)))

    def vjp(self, gg: Value, out: Value, g: Value, indices: Value) -> Cotangents:
        return Take(self.axis)(gg, indices), None


def _check(operator: Operator, axis: int, x: TensorType, indices: TensorType) -> None:
    require(0 <= axis < x.rank, operator, f"axis {axis} does not exist in {x}")
    require(indices.dtype.is_integer, operator, f"needs integer indices, got {indices}")


def _spliced(shape: Shape, axis: int, count: int, sizes: Shape) -> Shape:
    """`shape` with `count` sizes from `axis` on replaced by `sizes`."""
    return (*shape[:axis], *sizes, *shape[axis + count :])
