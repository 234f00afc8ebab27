"""The methods of a value that are one operator: functions of each element, reductions, scans.

They are what users of NumPy and PyTorch type after a dot; all else is in `raygrad.client.functions`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .arguments import public
from .operators import elementwise as ew
from .operators import exponential, rounding, scan, sorting, special, trigonometry
from .operators.base import Operator
from .operators.reduction import AllTrue, AnyTrue, LogSumExp, Max, Min, Prod, Sum
from .suggestions import for_attribute
from .tensor import INTEGERS, DType, Shape

Axes = int | Sequence[int] | None
S = TypeVar("S", bound="Methods")
"""A value or a tensor, of which there comes another one."""


class Methods:
    """What `Value` inherits; `self` is a value."""

    __slots__ = ()

    if not TYPE_CHECKING:  # which would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            """An attribute that is missing; the error says what it may have meant."""
            meant = "" if name.startswith("_") else for_attribute(name, _public(type(self)))
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}{meant}")

    # -- functions of each element ------------------------------------------------------------

    def abs(self: S) -> S:
        """|x|, with derivative 0 at 0."""
        return _node(ew.Abs(), self)

    def sign(self: S) -> S:
        """−1, 0 or 1, and 0 of a NaN; without derivative."""
        return _node(ew.Sgn(), self)

    def exp(self: S) -> S:
        """eˣ."""
        return _node(ew.Exp(), self)

    def expm1(self: S) -> S:
        """eˣ − 1, exact to the last digits near 0."""
        return _node(exponential.Expm1(), self)

    def log(self: S) -> S:
        """The natural logarithm."""
        return _node(ew.Log(), self)

    def log1p(self: S) -> S:
        """log(1 + x), exact to the last digits near 0."""
        return _node(exponential.Log1p(), self)

    def sqrt(self: S) -> S:
        """√x."""
        return _node(ew.Sqrt(), self)

    def sin(self: S) -> S:
        """sin x, in radians."""
        return _node(trigonometry.Sin(), self)

    def cos(self: S) -> S:
        """cos x, in radians."""
        return _node(trigonometry.Cos(), self)

    def tanh(self: S) -> S:
        """The hyperbolic tangent."""
        return _node(ew.Tanh(), self)

    def sigmoid(self: S) -> S:
        """1 / (1 + e⁻ˣ)."""
        return _node(ew.Sigmoid(), self)

    def relu(self: S) -> S:
        """max(x, 0), with derivative 0 at 0."""
        return _node(ew.Relu(), self)

    def erf(self: S) -> S:
        """The error function."""
        return _node(special.Erf(), self)

    def floor(self: S) -> S:
        """⌊x⌋ of floating-point numbers; without derivative."""
        return _node(rounding.Floor(), self)

    def ceil(self: S) -> S:
        """⌈x⌉ of floating-point numbers; without derivative."""
        return _node(rounding.Ceil(), self)

    def round(self: S) -> S:
        """The nearest whole number, the even one of two; without derivative."""
        return _node(rounding.Round(), self)

    # -- reductions, over all axes by default -------------------------------------------------

    @public
    def sum(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """The sum over `axes` (all by default)."""
        return reduce(Sum, self, axes, keepdims)

    @public
    def prod(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """The product over `axes`."""
        return reduce(Prod, self, axes, keepdims)

    @public
    def max(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """The largest element over `axes`; several share the gradient evenly."""
        return reduce(Max, self, axes, keepdims)

    @public
    def min(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """The smallest element over `axes`; several share the gradient evenly."""
        return reduce(Min, self, axes, keepdims)

    @public
    def all(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """Whether all elements (bool) over `axes` are true."""
        return reduce(AllTrue, self, axes, keepdims)

    @public
    def any(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """Whether an element (bool) over `axes` is true."""
        return reduce(AnyTrue, self, axes, keepdims)

    @public
    def logsumexp(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """log Σ eˣ over `axes`, without overflow."""
        return reduce(LogSumExp, self, axes, keepdims)

    @public
    def mean(self: S, axes: Axes = None, keepdims: bool = False) -> S:
        """The sum divided by the number of elements, which may be a named size.

        In half precision both are taken in float32: 65,520 elements are too many for a float16.
        """
        x: Any = self
        if x.dtype.is_half:
            half: S = x.astype(DType.float32).mean(axes, keepdims).astype(x.dtype)
            return half
        chosen = axes_of(x, axes)
        count = x.builder.size_of(tuple(x.shape[a] for a in chosen), x.dtype)
        found: S = reduce(Sum, x, chosen, keepdims) / count
        return found

    # -- along one axis -----------------------------------------------------------------------

    @public
    def argmax(self: S, axis: int | None = None, keepdims: bool = False) -> S:
        """The int64 index of the largest element along `axis` (of all), the first of several."""
        return index_of(sorting.ArgMax, self, axis, keepdims)

    @public
    def argmin(self: S, axis: int | None = None, keepdims: bool = False) -> S:
        """The int64 index of the smallest element along `axis` (of all), the first of several."""
        return index_of(sorting.ArgMin, self, axis, keepdims)

    @public
    def cumsum(self: S, axis: int) -> S:
        """The sum of the elements up to each place along `axis`."""
        return _node(scan.CumSum(_axis(self, axis)), self)

    @public
    def cumprod(self: S, axis: int) -> S:
        """The product of the elements up to each place along `axis`."""
        return _node(scan.CumProd(_axis(self, axis)), self)


@functools.cache
def _public(kind: type) -> frozenset[str]:
    return frozenset(name for name in dir(kind) if not name.startswith("_"))


def _node(operator: Operator, x: S) -> S:
    value: Any = x
    found: S = value.builder.add(operator, (value,))[0]
    return found


def _axis(x: Any, axis: int) -> int:
    found: int = x.type.axis(axis)
    return found


def axes_of(x: Any, axes: Axes) -> tuple[int, ...]:
    """`axes` sorted and counted from the front: all of x, if none are given."""
    if axes is None:
        return tuple(range(x.rank))
    found: tuple[int, ...] = x.type.axes(one_or_several(axes))
    return found


def one_or_several(numbers: int | Iterable[int]) -> tuple[int, ...]:
    """A number alone, or several, as a tuple."""
    return (numbers,) if isinstance(numbers, INTEGERS) else tuple(numbers)


def reduce(reduction: Callable[[tuple[int, ...]], Operator], x: S, axes: Axes, keepdims: bool) -> S:
    """A reduction of x over `axes`, which are dropped, or kept with one element."""
    chosen = axes_of(x, axes)
    reduced: Any = _node(reduction(chosen), x) if chosen else x
    found: S = reduced.reshape(_kept(x, chosen)) if keepdims else reduced
    return found


def index_of(extremum: type[sorting.ArgExtremum], x: S, axis: int | None, keepdims: bool) -> S:
    """Where an extremum of x lies along an axis, which is dropped, or kept with one element."""
    value: Any = x
    source = value.reshape((-1,)) if axis is None else value
    at = 0 if axis is None else _axis(x, axis)
    index: Any = _node(extremum(at), source)
    kept = (1,) * value.rank if axis is None else _kept(x, (at,))
    found: S = index.reshape(kept) if keepdims else index
    return found


def _kept(x: Any, axes: tuple[int, ...]) -> Shape:
    found: Shape = x.type.kept(axes)
    return found
