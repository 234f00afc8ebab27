"""What takes axes away: sums, means, norms."""

from __future__ import annotations

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.value import Axes, Value

from .elementwise import sqrt


def sum(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The sum over `axes` (all by default)."""
    return x.sum(axes, keepdims)


def mean(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The mean over `axes` (all by default), whose sizes may be names."""
    return x.mean(axes, keepdims)


def norm(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The Euclidean norm √Σx² over `axes` (all by default), with derivative 0 where it is 0."""
    squares = x.square().sum(axes, keepdims)
    zero = squares.equals(0.0)
    return ew.zero_where(zero, sqrt(ew.one_where(zero, squares)))
