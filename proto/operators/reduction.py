"""Reductions: one element from all along some axes, which are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..tensor import DType, Size, TensorType
from .base import Cotangents, Operator, floating, require
from .elementwise import Exp
from .scan import CumProd

if TYPE_CHECKING:
    from ..value import Value


class Reduction(Operator, abstract=True):
    """A function of the elements along `axes` (counted from the front), which are dropped."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is not DType.bool, self, f"needs numbers, got {x}")
        require(
            x.axes(self.axes) == self.axes,
            self,
            f"axes {self.axes} are not sorted and counted from the front",
        )
        return x.without(self.axes)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> int:
        return inputs[0].elements


class Sum(Reduction):
    """The sum of x over `axes`, which are dropped."""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g.reshape(x.type.kept(self.axes)).broadcast_to(x.shape),)


class Prod(Reduction):
    """The product of x over `axes`, which are dropped.

    The derivative divides by nothing, so that zeros do no harm: an element's is the product of those
    before it and those behind it.
    """

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        if not self.axes:
            return (g,)
        *outer, axis = self.axes
        if outer:
            inner = Prod((axis,))(x)
            (g,) = _present(Prod(tuple(outer)).vjp(g, y, inner))
        before = CumProd(axis, exclusive=True)(x)
        behind = CumProd(axis, reverse=True, exclusive=True)(x)
        return (before * behind * g.reshape(x.type.kept((axis,))).broadcast_to(x.shape),)


def _present(cotangents: Cotangents) -> tuple[Value, ...]:
    return tuple(c for c in cotangents if c is not None)


class LogSumExp(Reduction):
    """log Σ eˣ over `axes`, without overflow."""

    def infer(self, x: TensorType) -> TensorType:
        floating(self, x)
        return super().infer(x)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        kept = x.type.kept(self.axes)
        back, total = (v.reshape(kept).broadcast_to(x.shape) for v in (g, y))
        return (back * Exp()(x - total),)


class Truth(Operator, abstract=True):
    """A truth about the truths along `axes` (counted from the front), which are dropped."""

    axes: tuple[int, ...]

    def infer(self, x: TensorType) -> TensorType:
        require(x.dtype is DType.bool, self, f"needs bool, got {x}")
        require(x.axes(self.axes) == self.axes, self, f"axes {self.axes} are not sorted and from the front")
        return x.without(self.axes)

    def vjp(self, *_: Any) -> Cotangents:
        return (None,)


class AllTrue(Truth):
    """Whether all elements are true; so it is of none."""


class AnyTrue(Truth):
    """Whether an element is true."""


class Extremum(Reduction, abstract=True):
    """Max and Min: several equal extrema share the gradient evenly."""

    def infer(self, x: TensorType) -> TensorType:
        reduced: tuple[Size, ...] = tuple(x.shape[a] for a in x.axes(self.axes))
        require(0 not in reduced, self, f"there is no element along axes {self.axes} of {x}")
        return super().infer(x)

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        kept = x.type.kept(self.axes)
        equal = x.equals(y.reshape(kept).broadcast_to(x.shape))
        chosen, wide = equal.astype(x.dtype), DType.float32 if x.dtype.is_half else x.dtype
        each = g.astype(wide) / equal.astype(wide).sum(self.axes)  # half precision cannot count that far
        share = each.astype(x.dtype).reshape(kept).broadcast_to(x.shape)
        return (chosen * share,)


class Max(Extremum):
    """The largest element; NaN if one is NaN."""


class Min(Extremum):
    """The smallest element; NaN if one is NaN."""
