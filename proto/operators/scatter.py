"""Operators that write elements at integer indices along an axis; of several writers the last one wins.

An index outside of the axis is refused by the kernel, as in `indexing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import DType, TensorType
from .base import Cotangents, Operator, require
from .elementwise import one_where, zero_where
from .indexing import Gather, GatherGrad
from .shape import Movement
from .source import Iota

if TYPE_CHECKING:
    from ..value import Value

REDUCTIONS = ("mul", "max", "min")


class Scatter(Movement):
    """x with `updates` at `indices` along `axis`; all other sizes of the three are equal."""

    axis: int

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        return _written(self, self.axis, x, indices, updates)

    def vjp(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        nothing = _constant(g, 0, updates)
        by_updates = zero_where(~self._last(x, indices), Gather(self.axis)(g, indices))
        return self(g, indices, nothing), None, by_updates

    def _last(self, x: Value, indices: Value) -> Value:
        """Which writers no later one overwrites: those whose number stands where they wrote it."""
        size = indices.shape[self.axis]
        beside = tuple(size if a == self.axis else 1 for a in range(indices.rank))
        number = x.builder.add(Iota(size, DType.int64))[0].reshape(beside).broadcast_to(indices.shape)
        blank = x.builder.constant(0, DType.int64).broadcast_to(x.shape)
        written: Value = self(blank, indices, number)
        return number.equals(Gather(self.axis)(written, indices))


class ScatterReduce(Operator):
    """x combined with `updates` at `indices` along `axis` by a product ("mul"), or the larger or smaller."""

    axis: int
    reduction: str

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require(self.reduction in REDUCTIONS, self, f"reduction {self.reduction!r} is none of {REDUCTIONS}")
        require(x.dtype is not DType.bool, self, f"needs numbers, got {x}")
        return _written(self, self.axis, x, indices, updates)

    def vjp(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        if self.reduction == "mul":
            return self._of_product(g, x, indices, updates)
        return self._of_extremum(g, y, x, indices, updates)

    def _of_extremum(self, g: Value, y: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        """All that equal the extremum share the gradient evenly."""
        gather, add = Gather(self.axis), GatherGrad(self.axis, x.shape[self.axis])
        kept, taken = x.differs(y), updates.differs(gather(y, indices))
        count = _constant(g, 1, x) - kept.astype(x.dtype)
        count = count + add((~taken).astype(x.dtype), indices)
        share = g / count
        return zero_where(kept, share), None, zero_where(taken, gather(share, indices))

    def _of_product(self, g: Value, x: Value, indices: Value, updates: Value) -> Cotangents:
        """The product of the others: of those that are not 0, and 0 where another one is."""
        gather, add = Gather(self.axis), GatherGrad(self.axis, x.shape[self.axis])
        x_zero, u_zero = x.equals(0.0), updates.equals(0.0)
        product = self(one_where(x_zero, x), indices, one_where(u_zero, updates))
        zeros = x_zero.astype(x.dtype) + add(u_zero.astype(x.dtype), indices)
        scaled = g * product
        by_x = _others(scaled, zeros, x_zero, x)
        return by_x, None, _others(gather(scaled, indices), gather(zeros, indices), u_zero, updates)


def _others(product: Value, zeros: Value, is_zero: Value, x: Value) -> Value:
    none_else = zeros.equals(is_zero.astype(zeros.dtype))
    return zero_where(~none_else, product / one_where(is_zero, x))


def _constant(builder_of: Value, number: int, like: Value) -> Value:
    return builder_of.builder.constant(like.dtype.numpy.type(number)).broadcast_to(like.shape)


def _written(
    operator: Operator, axis: int, x: TensorType, indices: TensorType, updates: TensorType
) -> TensorType:
    require(updates == indices.of_dtype(x.dtype), operator, f"{updates} does not fit {indices} and {x}")
    Gather(axis).infer(x, indices)
    return x
