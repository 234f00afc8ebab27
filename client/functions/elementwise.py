"""Functions of each element: exponentials, signs, choice."""

from __future__ import annotations

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.promotion import broadcast_shapes
from raygrad.proto.value import Operand, Value, binary, unify

from .node import node


def exp(x: Value) -> Value:
    """eˣ."""
    return node(ew.Exp(), x)


def log(x: Value) -> Value:
    """The natural logarithm: NaN below 0, −∞ at 0."""
    return node(ew.Log(), x)


def sqrt(x: Value) -> Value:
    """√x: NaN below 0; its derivative at 0 is ∞."""
    return node(ew.Sqrt(), x)


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


def where(condition: Value, a: Operand, b: Operand) -> Value:
    """a where the condition (bool) holds, else b, at least one of them a value; the three broadcast.

    Both a and b are computed everywhere: a pole in the one that is not chosen makes a gradient of NaN.
    """
    values = unify(a, b)
    target = broadcast_shapes(condition.shape, values[0].shape)
    return node(ew.Where(), *(v.broadcast_to(target) for v in (condition, *values)))
