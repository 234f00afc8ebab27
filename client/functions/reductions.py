"""What takes axes away: sums, products, extrema, means and norms. `axes` are all by default.

With `keepdims` the axes stay, with one element.
"""

from __future__ import annotations

from collections.abc import Callable

from raygrad.proto.methods import Axes, axes_of, index_of, reduce
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import reduction, sorting
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from .elementwise import abs, maximum, sqrt, where
from .logic import isnan, truth


def sum(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The sum over `axes`."""
    return x.sum(axes, keepdims)


def prod(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The product over `axes`."""
    return reduce(reduction.Prod, x, axes, keepdims)


def max(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The largest element over `axes`, NaN if there is one; several share the gradient evenly."""
    return x.max(axes, keepdims)


def min(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The smallest element over `axes`, NaN if there is one; several share the gradient evenly."""
    return x.min(axes, keepdims)


def all(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """Whether all elements over `axes` are true (numbers: not 0)."""
    return reduce(reduction.AllTrue, truth(x), axes, keepdims)


def any(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """Whether an element over `axes` is true (a number: not 0)."""
    return reduce(reduction.AnyTrue, truth(x), axes, keepdims)


def count_nonzero(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """How many elements over `axes` are not 0, as int64."""
    return truth(x).astype(DType.int64).sum(axes, keepdims)


def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The int64 index of the largest element along `axis` (of the flattened x), the first of several."""
    return index_of(sorting.ArgMax, x, axis, keepdims)


def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The int64 index of the smallest element along `axis` (of the flattened x), the first of several."""
    return index_of(sorting.ArgMin, x, axis, keepdims)


def mean(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """The mean over `axes`, whose sizes may be names."""
    return x.mean(axes, keepdims)


def var(x: Value, axes: Axes = None, keepdims: bool = False, correction: float = 0.0) -> Value:
    """The sum of squared deviations from the mean over n − `correction` (0 as in NumPy, 1 in PyTorch)."""
    if x.dtype.is_half:
        return var(x.astype(DType.float32), axes, keepdims, correction).astype(x.dtype)
    squares = (x - x.mean(axes, keepdims=True)).square()
    if not correction:
        return squares.mean(axes, keepdims)
    count = x.builder.size_of(tuple(x.shape[a] for a in axes_of(x, axes)), x.dtype)
    return squares.sum(axes, keepdims) / maximum(count - correction, 0.0)


def std(x: Value, axes: Axes = None, keepdims: bool = False, correction: float = 0.0) -> Value:
    """√var, with derivative 0 where it is 0."""
    return _root(var(x, axes, keepdims, correction))


def logsumexp(x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """log Σ eˣ over `axes`, without overflow."""
    return reduce(reduction.LogSumExp, x, axes, keepdims)


def norm(x: Value, axes: Axes = None, keepdims: bool = False, p: float = 2.0) -> Value:
    """(Σ|x|ᵖ)^(1/p) over `axes`, with derivative 0 where it is 0.

    Infinite p give the largest and the smallest |x|, and p = 0 the number of elements that are not 0.
    In half precision it is taken in float32: the square of 256 is too large for a float16.
    """
    if x.dtype.is_half:
        return norm(x.astype(DType.float32), axes, keepdims, p).astype(x.dtype)
    if p == 2.0:
        return _root(x.square().sum(axes, keepdims))
    if p == 1.0:
        return abs(x).sum(axes, keepdims)
    if p in (float("inf"), float("-inf")):
        return extremum(max if p > 0 else min, abs(x), axes, keepdims)
    if p == 0.0:
        return count_nonzero(x, axes, keepdims).astype(x.dtype)
    return nonnegative_power(nonnegative_power(abs(x), p).sum(axes, keepdims), 1.0 / p)


def extremum(function: Callable[..., Value], x: Value, axes: Axes = None, keepdims: bool = False) -> Value:
    """`max` or `min` over `axes`; where there are NaNs, they share the gradient."""
    if not x.dtype.is_floating:
        return function(x, axes, keepdims)
    nan = isnan(x)
    count = maximum(nan.astype(x.dtype).sum(axes, keepdims), 1.0)
    of_nans = where(nan, x, 0.0).sum(axes, keepdims) / count
    return where(any(nan, axes, keepdims), of_nans, function(where(nan, 0.0, x), axes, keepdims))


def _root(x: Value) -> Value:
    """√x, with derivative 0 where it is 0."""
    zero = x.equals(0.0)
    return ew.zero_where(zero, sqrt(ew.one_where(zero, x)))


def nonnegative_power(x: Value, exponent: float) -> Value:
    """xᵉ of x ≥ 0, with derivative 0 where x is 0."""
    zero = x.equals(0.0)
    found = ew.one_where(zero, x) ** exponent
    return where(zero, 0.0 if exponent > 0 else float("inf"), found)
