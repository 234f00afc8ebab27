"""Trigonometric and hyperbolic functions, in radians, and their inverses.

Where a derivative holds 1 − x² or x² − 1, it is written as a product, which keeps its digits near 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import BinaryFloat, Sqrt, UnaryFloat, one_where, zero_where

if TYPE_CHECKING:
    from ..value import Value


class Sin(UnaryFloat):
    """sin x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * Cos()(x),)


class Cos(UnaryFloat):
    """cos x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (-(g * Sin()(x)),)


class Tan(UnaryFloat):
    """tan x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * (y * y + 1.0),)


class Asin(UnaryFloat):
    """arcsin x, from −π/2 to π/2"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / Sqrt()((1.0 - x) * (1.0 + x)),)


class Acos(UnaryFloat):
    """arccos x, from 0 to π"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (-(g / Sqrt()((1.0 - x) * (1.0 + x))),)


class Atan(UnaryFloat):
    """arctan x, from −π/2 to π/2"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / (x * x + 1.0),)


class Atan2(BinaryFloat):
    """The angle of the point (b, a), from −π to π"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        # At the origin 0, as long as 1/r² is a number; a is replaced before it is divided by, so that the
        # derivatives of this are free of 0 · ∞ too.
        squared = a * a + b * b
        pole = (1.0 / squared).equals(float("inf"))
        inverse = zero_where(pole, 1.0 / one_where(pole, squared))
        return g * b * inverse, -(g * a * inverse)


class Sinh(UnaryFloat):
    """sinh x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * Cosh()(x),)


class Cosh(UnaryFloat):
    """cosh x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * Sinh()(x),)


class Asinh(UnaryFloat):
    """The inverse of sinh"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / Sqrt()(x * x + 1.0),)


class Acosh(UnaryFloat):
    """The inverse of cosh, for x ≥ 1"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / Sqrt()((x - 1.0) * (x + 1.0) + 0.0),)  # + 0: the root of −0 has another inverse


class Atanh(UnaryFloat):
    """The inverse of tanh, for |x| < 1"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / ((1.0 - x) * (1.0 + x)),)
