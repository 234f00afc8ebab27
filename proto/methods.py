"""The methods of a value that are one operator: functions of each element, reductions, scans.

They are what users of NumPy and PyTorch type after a dot; all else is in `raygrad.client.functions`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .arguments import public
from .operators import elementwise as ew
from .operators import exponential, rounding, scan, sorting, special, trigonometry
from .operators.base import Operator
from .operators.reduction import AllTrue, AnyTrue, LogSumExp, Max, Min, Prod, Sum
from .suggestions import for_attribute
from .tensor import INTEGERS, DType

if TYPE_CHECKING:
    from .value import Value

Axes = int | Sequence[int] | None


class Methods:
    """What `Value` inherits; `self` is a value."""

    __slots__ = ()

    if not TYPE_CHECKING:  # which would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            """An attribute that is missing; the error says what it may have meant."""
            meant = "" if name.startswith("_") else for_attribute(name, _public(type(self)))
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{meant}")

    # -- functions of each element ------------------------------------------------------------

    def abs(self: Any) -> Value:
        """|x|, with derivative 0 at 0."""
        return _node(ew.Abs(), self)

    def sign(self: Any) -> Value:
        """−1, 0 or 1; without derivative."""
        return _node(ew.Sign(), self)

    def exp(self: Any) -> Value:
        """eˣ."""
        return _node(ew.Exp(), self)

    def expm1(self: Any) -> Value:
        """eˣ − 1, exact to the last digits near 0."""
        return _node(exponential.Expm1(), self)

    def log(self: Any) -> Value:
        """The natural logarithm."""
        return _node(ew.Log(), self)

    def log1p(self: Any) -> Value:
        """log(1 + x), exact to the last digits near 0."""
        return _node(exponential.Log1p(), self)

    def sqrt(self: Any) -> Value:
        """√x."""
        return _node(ew.Sqrt(), self)

    def sin(self: Any) -> Value:
        """sin x, in radians."""
        return _node(trigonometry.Sin(), self)

    def cos(self: Any) -> Value:
        """cos x, in radians."""
        return _node(trigonometry.Cos(), self)

    def tanh(self: Any) -> Value:
        """The hyperbolic tangent."""
        return _node(ew.Tanh(), self)

    def sigmoid(self: Any) -> Value:
        """1 / (1 + e⁻ˣ)."""
        return _node(ew.Sigmoid(), self)

    def relu(self: Any) -> Value:
        """max(x, 0), with derivative 0 at 0."""
        return _node(ew.Relu(), self)

    def erf(self: Any) -> Value:
        """The error function."""
        return _node(special.Erf(), self)

    def floor(self: Any) -> Value:
        """⌊x⌋ of floating-point numbers; without derivative."""
        return _node(rounding.Floor(), self)

    def ceil(self: Any) -> Value:
        """⌈x⌉ of floating-point numbers; without derivative."""
        return _node(rounding.Ceil(), self)

    def round(self: Any) -> Value:
        """The nearest whole number, the even one of two; without derivative."""
        return _node(rounding.Round(), self)

    # -- reductions, over all axes by default -------------------------------------------------

    @public
    def sum(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """The sum over `axes` (all by default)."""
        return reduce(Sum, self, axes, keepdims)

    @public
    def prod(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """The product over `axes`."""
        return reduce(Prod, self, axes, keepdims)

    @public
    def max(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """The largest element over `axes`; several share the gradient evenly."""
        return reduce(Max, self, axes, keepdims)

    @public
    def min(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """The smallest element over `axes`; several share the gradient evenly."""
        return reduce(Min, self, axes, keepdims)

    @public
    def all(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """Whether all elements (bool) over `axes` are true."""
        return reduce(AllTrue, self, axes, keepdims)

    @public
    def any(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """Whether an element (bool) over `axes` is true."""
        return reduce(AnyTrue, self, axes, keepdims)

    @public
    def logsumexp(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """log Σ eˣ over `axes`, without overflow."""
        return reduce(LogSumExp, self, axes, keepdims)

    @public
    def mean(self: Any, axes: Axes = None, keepdims: bool = False) -> Value:
        """The sum divided by the number of elements, which may be a named size.

        In half precision both are taken in float32: 65,520 elements are too many for a float16.
        """
        if self.dtype.is_half:
            wide: Value = self.astype(DType.float32).mean(axes, keepdims)
            return wide.astype(self.dtype)
        chosen = axes_of(self, axes)
        count: Value = self.builder.size_of(tuple(self.shape[a] for a in chosen), self.dtype)
        return reduce(Sum, self, chosen, keepdims) / count

    # -- along one axis -----------------------------------------------------------------------

    @public
    def argmax(self: Any, axis: int | None = None, keepdims: bool = False) -> Value:
        """The int64 index of the largest element along `axis` (of all), the first of several."""
        return index_of(sorting.ArgMax, self, axis, keepdims)

    @public
    def argmin(self: Any, axis: int | None = None, keepdims: bool = False) -> Value:
        """The int64 index of the smallest element along `axis` (of all), the first of several."""
        return index_of(sorting.ArgMin, self, axis, keepdims)

    @public
    def cumsum(self: Any, axis: int) -> Value:
        """The sum of the elements up to each place along `axis`."""
        return _node(scan.CumSum(self.type.axis(axis)), self)

    @public
    def cumprod(self: Any, axis: int) -> Value:
        """The product of the elements up to each place along `axis`."""
        return _node(scan.CumProd(self.type.axis(axis)), self)


@functools.cache
def _public(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if not name.startswith("_"))


def _node(operator: Operator, x: Value) -> Value:
    return x.builder.add(operator, (x,))[0]


def axes_of(x: Value, axes: Axes) -> tuple[int, ...]:
    """`axes` sorted and counted from the front: all of x, if none are given."""
    if axes is None:
        return tuple(range(x.rank))
    return x.type.axes(one_or_several(axes))


def one_or_several(numbers: int | Iterable[int]) -> tuple[int, ...]:
    """A number alone, or several, as a tuple."""
    return (numbers,) if isinstance(numbers, INTEGERS) else tuple(numbers)


def reduce(reduction: Callable[[tuple[int, ...]], Operator], x: Value, axes: Axes, keepdims: bool) -> Value:
    """A reduction of x over `axes`, which are dropped, or kept with one element."""
    chosen = axes_of(x, axes)
    reduced = _node(reduction(chosen), x) if chosen else x
    return reduced.reshape(x.type.kept(chosen)) if keepdims else reduced


def index_of(extremum: type[sorting.ArgExtremum], x: Value, axis: int | None, keepdims: bool) -> Value:
    """Where an extremum of x lies along an axis, which is dropped, or kept with one element."""
    if axis is None:
        flat = _node(extremum(0), x.reshape((-1,)))
        return flat.reshape((1,) * x.rank) if keepdims else flat
    at = x.type.axis(axis)
    found = _node(extremum(at), x)
    return found.reshape(x.type.kept((at,))) if keepdims else found
