"""Scans: functions of all elements up to each place along an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import DType, TensorType
from .base import Cotangents, Operator, floating, require
from .elementwise import zero_where
from .shape import Roll
from .source import Iota

if TYPE_CHECKING:
    from ..value import Value


class Scan(Operator, abstract=True):
    """Along `axis`, or against it (`reverse`), each place itself included unless `exclusive`."""

    axis: int
    reverse: bool = False
    exclusive: bool = False

    def infer(self, x: TensorType) -> TensorType:
        require(0 <= self.axis < x.rank, self, f"axis {self.axis} does not exist in {x}")
        require(x.dtype is not DType.bool, self, f"needs numbers, got {x}")
        return x


class CumSum(Scan):
    """yᵢ = Σ xⱼ over j ≤ i, or j < i"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (CumSum(self.axis, not self.reverse, self.exclusive)(g),)


class CumProd(Scan):
    """yᵢ = Π xⱼ over j ≤ i, or j < i

    The derivative divides by nothing, so that zeros do no harm: with the products before k, and
    rₖ = gₖ + xₖ₊₁ · rₖ₊₁ of the terms behind it, that by xₖ is their product.
    """

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        before = CumProd(self.axis, self.reverse, exclusive=True)(x)
        arriving = delayed(g, self.axis, not self.reverse) if self.exclusive else g
        behind = Recurrence(self.axis, not self.reverse)(delayed(x, self.axis, not self.reverse), arriving)
        return (before * behind,)


class Recurrence(Operator):
    """hᵢ = aᵢ · hᵢ₋₁ + bᵢ along `axis`, or against it, from h = 0 on: a linear recurrence."""

    axis: int
    reverse: bool = False

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        found = floating(self, a, b)
        require(0 <= self.axis < found.rank, self, f"axis {self.axis} does not exist in {found}")
        return found

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        by_b = Recurrence(self.axis, not self.reverse)(delayed(a, self.axis, not self.reverse), g)
        return by_b * delayed(y, self.axis, self.reverse), by_b


def delayed(x: Value, axis: int, reverse: bool) -> Value:
    """x moved one place on along `axis` (against it, if `reverse`), with 0 where nothing comes in."""
    size = x.shape[axis]
    place: Value = x.builder.add(Iota(size, DType.int64))[0]
    edge = place.equals(x.builder.size_of((size,), DType.int64) - 1 if reverse else 0)
    beside = tuple(size if a == axis else 1 for a in range(x.rank))
    return zero_where(edge.reshape(beside).broadcast_to(x.shape), Roll(axis, -1 if reverse else 1)(x))
