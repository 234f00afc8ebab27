"""Exponentials and logarithms beyond `Exp` and `Log`, each with the digits that its composite would lose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import BinaryFloat, Sigmoid, UnaryFloat

if TYPE_CHECKING:
    from ..value import Value

LN2 = math.log(2.0)
LN10 = math.log(10.0)


class Exp2(UnaryFloat):
    """2ˣ"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * y * LN2,)


class Expm1(UnaryFloat):
    """eˣ − 1, exact to the last digits near 0"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * (y + 1.0),)


class Log1p(UnaryFloat):
    """log(1 + x), exact to the last digits near 0"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / (x + 1.0),)


class Log2(UnaryFloat):
    """The logarithm to base 2"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / (x * LN2),)


class Log10(UnaryFloat):
    """The logarithm to base 10"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / (x * LN10),)


class LogAddExp(BinaryFloat):
    """log(eᵃ + eᵇ), without overflow"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return g * Sigmoid()(a - b), g * Sigmoid()(b - a)
