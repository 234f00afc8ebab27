"""Trigonometric and hyperbolic functions of each element, and their inverses."""

from __future__ import annotations

import math

from raygrad.proto.operators import trigonometry
from raygrad.proto.operators.elementwise import Tanh, one_where
from raygrad.proto.value import Operand, Value, binary

from .elementwise import where
from .node import node


def sin(x: Value) -> Value:
    """sin x, in radians."""
    return node(trigonometry.Sin(), x)


def cos(x: Value) -> Value:
    """cos x, in radians."""
    return node(trigonometry.Cos(), x)


def tan(x: Value) -> Value:
    """tan x, in radians."""
    return node(trigonometry.Tan(), x)


def asin(x: Value) -> Value:
    """arcsin x, from −π/2 to π/2; NaN beyond ±1."""
    return node(trigonometry.Asin(), x)


def acos(x: Value) -> Value:
    """arccos x, from 0 to π; NaN beyond ±1."""
    return node(trigonometry.Acos(), x)


def atan(x: Value) -> Value:
    """arctan x, from −π/2 to π/2."""
    return node(trigonometry.Atan(), x)


def atan2(y: Operand, x: Operand) -> Value:
    """The angle of the point (x, y), from −π to π, at least one of them a value."""
    return binary(trigonometry.Atan2(), y, x)


def sinc(x: Value) -> Value:
    """sin(πx) / (πx), and 1 at 0."""
    angle = x * math.pi
    zero = angle.equals(0.0)
    divisor = one_where(zero, angle)
    return where(zero, 1.0, sin(divisor) / divisor)


def sinh(x: Value) -> Value:
    """The hyperbolic sine."""
    return node(trigonometry.Sinh(), x)


def cosh(x: Value) -> Value:
    """The hyperbolic cosine."""
    return node(trigonometry.Cosh(), x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""
    return node(Tanh(), x)


def asinh(x: Value) -> Value:
    """The inverse of sinh."""
    return node(trigonometry.Asinh(), x)


def acosh(x: Value) -> Value:
    """The inverse of cosh; NaN below 1."""
    return node(trigonometry.Acosh(), x)


def atanh(x: Value) -> Value:
    """The inverse of tanh; NaN beyond ±1."""
    return node(trigonometry.Atanh(), x)
