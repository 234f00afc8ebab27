"""Special functions: the error function and its complement."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .base import Cotangents
from .elementwise import Exp, UnaryFloat

if TYPE_CHECKING:
    from ..value import Value


def _slope(x: Value) -> Value:
    """erf′(x) = 2/√π · e^(−x²)"""
    density: Value = Exp()(-(x * x))
    return density * (2.0 / math.sqrt(math.pi))


class Erf(UnaryFloat):
    """The error function 2/√π ∫₀ˣ e^(−t²) dt"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * _slope(x),)


class Erfc(UnaryFloat):
    """1 − erf x, exact to the last digits where erf x is near 1"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (-(g * _slope(x)),)
