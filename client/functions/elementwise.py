"""Functions of each element: signs, roots, quotients, the larger and the smaller, choice."""

from __future__ import annotations

import functools
import operator

from raygrad.proto.operators import division, special
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.value import Operand, Value, binary, unify

from .exponentials import log, log1p
from .node import node


def sqrt(x: Value) -> Value:
    """√x: NaN below 0; its derivative at 0 is ∞."""
    return node(ew.Sqrt(), x)


def rsqrt(x: Value) -> Value:
    """1 / √x."""
    return 1.0 / sqrt(x)


def reciprocal(x: Value) -> Value:
    """1 / x."""
    return 1.0 / x


def square(x: Value) -> Value:
    """x · x."""
    return x.square()


def pow(a: Operand, b: Operand) -> Value:
    """aᵇ, at least one of them a value; integers to a negative power are a `KernelError`."""
    return binary(ew.Pow(), a, b)


def floor_divide(a: Operand, b: Operand) -> Value:
    """⌊a / b⌋; of integers by zero a `KernelError`."""
    return binary(division.FloorDiv(), a, b)


def remainder(a: Operand, b: Operand) -> Value:
    """a − ⌊a / b⌋ · b, with the sign of b, as Python's `%`; of integers by zero a `KernelError`."""
    return binary(division.Remainder(), a, b)


def fmod(a: Operand, b: Operand) -> Value:
    """a − trunc(a / b) · b, with the sign of a, as C's `fmod`; of integers by zero a `KernelError`."""
    return binary(division.Fmod(), a, b)


def abs(x: Value) -> Value:
    """|x|, with derivative 0 at 0."""
    return node(ew.Abs(), x)


def sign(x: Value) -> Value:
    """−1, 0 or 1, and 0 of a NaN; without derivative."""
    return node(ew.Sgn(), x)


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of a and b, at least one of them a value; of a tie, each has half the gradient."""
    return binary(ew.Maximum(), a, b)


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of a and b, at least one of them a value; of a tie, each has half the gradient."""
    return binary(ew.Minimum(), a, b)


def clip(x: Value, low: Operand | None = None, high: Operand | None = None) -> Value:
    """x, at least `low` and at most `high`; on the border the gradient goes to x. `high` wins over `low`."""
    if not x.dtype.is_floating:
        raised = x if low is None else maximum(x, low)
        return raised if high is None else minimum(raised, high)
    bounds = [b for b in (low, high) if b is not None]
    if not bounds:
        return x
    x, *found = unify(x, *bounds)
    lowest, highest = (found[0] if low is not None else None), (found[-1] if high is not None else None)
    inside = [x >= lowest] if lowest is not None else []
    inside += [x <= highest] if highest is not None else []
    moved = x.detach() if lowest is None else maximum(x.detach(), lowest.detach())
    moved = moved if highest is None else minimum(moved, highest.detach())
    kept = where(functools.reduce(operator.and_, inside), x, moved)
    if isinstance(low, Value) and lowest is not None:
        below = x < lowest if highest is None else (x < lowest) & (lowest < highest)
        kept = where(below, lowest, kept)
    if isinstance(high, Value) and highest is not None:
        above = x > highest
        if lowest is not None:  # where bounds cross, `high` has the gradient even of a NaN
            above = above | (highest < lowest)
            highest = highest + where(x == x, -0.0, x.detach())
        kept = where(above, highest, kept)
    return kept


def lerp(start: Value, end: Value, weight: Operand) -> Value:
    """start + weight · (end − start)."""
    return start + weight * (end - start)


def xlogy(x: Operand, y: Operand) -> Value:
    """x · log y, and 0 where x is 0 (NaN where y is)."""
    return binary(special.XLogY(), x, y)


def xlog1py(x: Operand, y: Operand) -> Value:
    """x · log(1 + y), and 0 where x is 0 (NaN where y is)."""
    return binary(special.XLog1pY(), x, y)


def entr(x: Value) -> Value:
    """−x · log x, the entropy that a probability adds: 0 at 0, and −∞ below."""
    return node(special.Entropy(), x)


def logit(x: Value, eps: float | None = None) -> Value:
    """log(x / (1 − x)), the inverse of `sigmoid`; NaN outside of 0 to 1, which x is kept `eps` away from."""
    if eps is not None:
        outside = (x < eps) | (x > 1.0 - eps)
        bounded = where(outside, clip(x.detach(), eps, 1.0 - eps), x)
        return log(bounded) - log1p(-bounded)
    outside = (x < 0.0) | (x > 1.0)
    return (log(x + 0.0) - log1p(-x)) * where(outside, float("nan"), ew.one_where(~outside, x.detach()))


def where(condition: Value, a: Operand, b: Operand) -> Value:
    """a where the condition (bool) holds, else b, at least one of them a value; the three broadcast.

    Both a and b are computed everywhere: a pole in the one that is not chosen makes a gradient of NaN.
    """
    values = unify(a, b)
    target = broadcast_shapes(condition.shape, values[0].shape)
    return node(ew.Where(), *(v.broadcast_to(target) for v in (condition, *values)))
