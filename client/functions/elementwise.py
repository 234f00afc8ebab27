"""Functions of each element: signs, roots, quotients, the larger and the smaller, choice."""

from __future__ import annotations

from raygrad.proto.operators import division
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.value import Operand, Value, binary, unify

from .exponentials import log
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
    """−1, 0 or 1; without derivative."""
    return node(ew.Sign(), x)


def maximum(a: Operand, b: Operand) -> Value:
    """The larger of a and b, at least one of them a value; a tie's gradient goes to a."""
    return binary(ew.Maximum(), a, b)


def minimum(a: Operand, b: Operand) -> Value:
    """The smaller of a and b, at least one of them a value; a tie's gradient goes to a."""
    return binary(ew.Minimum(), a, b)


def clip(x: Value, low: Operand | None = None, high: Operand | None = None) -> Value:
    """x, at least `low` and at most `high`; on the border the gradient goes to x. `high` wins over `low`."""
    raised = x if low is None else maximum(x, low)
    return raised if high is None else minimum(raised, high)


def lerp(start: Value, end: Value, weight: Operand) -> Value:
    """start + weight · (end − start)."""
    return start + weight * (end - start)


def xlogy(x: Operand, y: Operand) -> Value:
    """x · log y, and 0 where x is 0 (NaN where y is)."""
    a, b = unify(x, y)
    pole = a.equals(0.0) & ((b <= 0.0) | b.equals(float("inf")))
    return ew.zero_where(pole, a * log(ew.one_where(pole, b)))


def where(condition: Value, a: Operand, b: Operand) -> Value:
    """a where the condition (bool) holds, else b, at least one of them a value; the three broadcast.

    Both a and b are computed everywhere: a pole in the one that is not chosen makes a gradient of NaN.
    """
    values = unify(a, b)
    target = broadcast_shapes(condition.shape, values[0].shape)
    return node(ew.Where(), *(v.broadcast_to(target) for v in (condition, *values)))
