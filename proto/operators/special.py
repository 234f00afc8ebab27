"""Special functions: the error function, its complement, and products with logarithms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .base import Cotangents, filled
from .elementwise import BinaryFloat, Exp, Log, Maximum, UnaryFloat, Where, one_where, zero_where
from .exponential import Log1p

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


# -- products with logarithms, which are 0 where the factor is --------------------------------------


class XLogY(BinaryFloat):
    """x · log y, and 0 where x is 0 (NaN where y is)"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        pole = Where()(b <= 0.0, a.equals(0.0), b <= 0.0)
        return zero_where(pole, XLogY()(g, one_where(pole, b))), g * a / b


class XLog1pY(BinaryFloat):
    """x · log(1 + y), and 0 where x is 0 (NaN where y is)"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        pole = Where()(b <= -1.0, a.equals(0.0), b <= -1.0)
        return zero_where(pole, XLog1pY()(g, one_where(pole, b))), g * a / (b + 1.0)


class Entropy(UnaryFloat):
    """−x · log x: 0 at 0, and −∞ below"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (-(g * (Log()(x) + 1.0)),)


_LEAST_DIVISOR = float(np.float32(1e-12))


class BinaryCrossEntropy(BinaryFloat):
    """−(t · log p + (1 − t) · log(1 − p)) of p and t, in nats; a logarithm is at least −100.

    The derivative by p is (p − t) / (p · (1 − p)), of which the divisor is at least 10⁻¹² (rounded to
    float32); that by t takes the logarithms as they are. So does PyTorch.
    """

    def vjp(self, g: Value, y: Value, p: Value, t: Value) -> Cotangents:
        rest = 1.0 - p
        divisor: Value = Maximum()(rest * p, filled(p, _LEAST_DIVISOR))
        return g * (p - t) / divisor, g * (Log1p()(-p) - Log()(p))
