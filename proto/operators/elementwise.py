"""Operators that act on each element: arithmetic, functions, comparisons, choice.

All inputs have one shape and dtype; the builder inserts `Broadcast` and `Cast`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import TypeMismatchError
from ..tensor import DType, TensorType
from .base import Cotangents, Operator, filled, floating, require, same

if TYPE_CHECKING:
    from ..value import Value


def zero_where(condition: Value, value: Value) -> Value:
    """`value`, and 0 where the condition holds: unlike a product, no NaN from 0 · ∞."""
    return _replace(condition, 0, value)


def one_where(condition: Value, value: Value) -> Value:
    """`value`, and 1 where the condition holds: keeps a pole out of what is computed next."""
    return _replace(condition, 1, value)


def _replace(condition: Value, number: int, value: Value) -> Value:
    chosen: Value = Where()(condition, filled(value, number), value)
    return chosen


def _numeric(operator: Operator, *xs: TensorType) -> TensorType:
    found = same(operator, *xs)
    require(found.dtype is not DType.bool, operator, f"needs numbers, got {found}")
    return found


class Binary(Operator, abstract=True):
    """A function of two numbers of one dtype."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return _numeric(self, x, y)


class BinaryFloat(Operator, abstract=True):
    """A function of two floating-point numbers."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return floating(self, x, y)


class Unary(Operator, abstract=True):
    """A function of one number."""

    def infer(self, x: TensorType) -> TensorType:
        return _numeric(self, x)


class UnaryFloat(Operator, abstract=True):
    """A function of one floating-point number."""

    def infer(self, x: TensorType) -> TensorType:
        return floating(self, x)


# -- arithmetic -----------------------------------------------------------------------------------


class Add(Binary):
    """a + b"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return g, g


class Sub(Binary):
    """a − b"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return g, -g


class Mul(Binary):
    """a · b"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return g * b, g * a


class Div(BinaryFloat):
    """a / b, floating-point"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return g / b, -(g * y / b)


class Pow(Binary):
    """aᵇ; a negative b of integers is a `KernelError`"""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        # At b = 0 the factor b · aᵇ⁻¹ meets a pole if a is 0 (or no number), and at a = 0 ≤ b the factor
        # y · log a does. Replacing a by 1 where it does harm (not the result by 0) keeps the derivatives
        # of these rules free of 0 · ∞ too.
        zero, nothing = a.equals(0.0), Not()(Abs()(a) > 0.0)
        either = one_where(Where()(nothing, b.equals(0.0), nothing), a)
        settled = Where()(zero, b >= 0.0, zero)
        return g * b * Pow()(either, b - 1.0), g * (y * Log()(one_where(settled, a)))


class Neg(Unary):
    """−x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (-g,)


class Abs(Unary):
    """|x|, with derivative 0 at 0"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * Sgn()(x),)


class Sign(Unary):
    """−1, 0 or 1; NaN of a NaN"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (None,)


class Sgn(Unary):
    """−1, 0 or 1; 0 of a NaN"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (None,)


# -- functions ------------------------------------------------------------------------------------


class Exp(UnaryFloat):
    """eˣ"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * y,)


class Log(UnaryFloat):
    """The natural logarithm"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / x,)


class Sqrt(UnaryFloat):
    """√x"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g / (y + y),)


class Sigmoid(UnaryFloat):
    """1 / (1 + e⁻ˣ)"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * (y * (1.0 - y)),)


class Tanh(UnaryFloat):
    """The hyperbolic tangent"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * (1.0 - y * y),)


class Softplus(UnaryFloat):
    """log(1 + eˣ), without overflow"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (g * Sigmoid()(x),)


class Relu(UnaryFloat):
    """max(x, 0), with derivative 0 at 0"""

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (ReluGrad()(g, y),)


class ReluGrad(Operator):
    """0 where y ≤ 0, else g: the derivative of `Relu` at its output y (a NaN lets g through)."""

    def infer(self, g: TensorType, y: TensorType) -> TensorType:
        return floating(self, g, y)

    def vjp(self, gg: Value, out: Value, g: Value, y: Value) -> Cotangents:
        return ReluGrad()(gg, y), None


class LeakyRelu(UnaryFloat):
    """x where x > 0, else slope · x"""

    slope: float = 0.01

    def vjp(self, g: Value, y: Value, x: Value) -> Cotangents:
        return (LeakyReluGrad(self.slope)(g, x),)


class LeakyReluGrad(Operator):
    """g where x > 0, else slope · g"""

    slope: float = 0.01

    def infer(self, g: TensorType, x: TensorType) -> TensorType:
        return floating(self, g, x)

    def vjp(self, gg: Value, out: Value, g: Value, x: Value) -> Cotangents:
        return LeakyReluGrad(self.slope)(gg, x), None


# -- choice ---------------------------------------------------------------------------------------


class Maximum(Binary):
    """The larger of a and b; NaN if one is NaN. Of a tie, both get half the gradient; of a NaN, both all."""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return _to_the_chosen(g, a.equals(b), a < b, a > b)


class Minimum(Binary):
    """The smaller of a and b; NaN if one is NaN. Of a tie, both get half the gradient; of a NaN, both all."""

    def vjp(self, g: Value, y: Value, a: Value, b: Value) -> Cotangents:
        return _to_the_chosen(g, a.equals(b), a > b, a < b)


def _to_the_chosen(g: Value, tie: Value, not_a: Value, not_b: Value) -> Cotangents:
    shared: Value = Where()(tie, g * 0.5, g)
    return zero_where(not_a, shared), zero_where(not_b, shared)


class Where(Operator):
    """a where the condition holds, else b"""

    def infer(self, condition: TensorType, a: TensorType, b: TensorType) -> TensorType:
        found = same(self, a, b)
        if condition != found.of_dtype(DType.bool):
            raise TypeMismatchError(f"Where needs a condition {found.of_dtype(DType.bool)}, got {condition}")
        return found

    def vjp(self, g: Value, y: Value, condition: Value, a: Value, b: Value) -> Cotangents:
        return None, zero_where(Not()(condition), g), zero_where(condition, g)


# -- comparisons and logic ------------------------------------------------------------------------


class Comparison(Operator, abstract=True):
    """A relation of two elements of one dtype; bool, so without derivative."""

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        return same(self, a, b).of_dtype(DType.bool)

    def vjp(self, *_: Any) -> Cotangents:
        return None, None


class Equal(Comparison):
    """a = b"""


class NotEqual(Comparison):
    """a ≠ b"""


class Less(Comparison):
    """a < b"""


class LessEqual(Comparison):
    """a ≤ b"""


class Greater(Comparison):
    """a > b"""


class GreaterEqual(Comparison):
    """a ≥ b"""


class Not(Operator):
    """Logical negation; of an integer, that of each bit"""

    def infer(self, x: TensorType) -> TensorType:
        require(not x.dtype.is_floating, self, f"needs bool or integers, got {x}")
        return x

    def vjp(self, *_: Any) -> Cotangents:
        return (None,)
