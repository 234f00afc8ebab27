"""Functions of all elements up to each place along an axis."""

from __future__ import annotations

from raygrad.proto.operators import scan
from raygrad.proto.value import Value

from .node import node


def cumsum(x: Value, axis: int, reverse: bool = False, exclusive: bool = False) -> Value:
    """The sum of the elements up to each place along `axis`, this one included unless `exclusive`."""
    return node(scan.CumSum(x.type.axis(axis), reverse, exclusive), x)


def cumprod(x: Value, axis: int, reverse: bool = False, exclusive: bool = False) -> Value:
    """The product of the elements up to each place along `axis`; zeros do no harm to its gradient."""
    return node(scan.CumProd(x.type.axis(axis), reverse, exclusive), x)


def linear_recurrence(a: Value, b: Value, axis: int, reverse: bool = False) -> Value:
    """hᵢ = aᵢ · hᵢ₋₁ + bᵢ along `axis`, from h = 0 on; a and b have one type."""
    return node(scan.Recurrence(a.type.axis(axis), reverse), a, b)
