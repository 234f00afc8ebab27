"""Elementwise kernels: arithmetic, functions, comparisons, choice.

Numbers that a kernel needs are scalars of the node's dtype: a Python number would widen a bfloat16.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from raygrad.proto.operators import division, exponential, logic, rounding, trigonometry
from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators.base import Operator

from ..base import Kernel, Site, kernel

# IEEE arithmetic, comparisons and choices: each result is fixed by its operands, in any order of memory.
# Maximum and Minimum are not among them: of 0 and −0, vector and scalar instructions take either.
_EXACT: dict[type[Operator], Kernel] = {
    ew.Add: operator.add,
    ew.Sub: operator.sub,
    ew.Mul: operator.mul,
    ew.Div: operator.truediv,
    ew.Neg: operator.neg,
    ew.Abs: operator.abs,
    ew.Equal: operator.eq,
    ew.NotEqual: operator.ne,
    ew.Less: operator.lt,
    ew.LessEqual: operator.le,
    ew.Greater: operator.gt,
    ew.GreaterEqual: operator.ge,
    ew.Not: operator.invert,
    logic.And: operator.and_,
    logic.Or: operator.or_,
    logic.Xor: operator.xor,
    logic.ShiftLeft: operator.lshift,
    logic.ShiftRight: operator.rshift,
}

_EXACT_FUNCTIONS: dict[type[Operator], str] = {
    ew.Sign: "sign",
    ew.Sqrt: "sqrt",
    ew.Where: "where",
    rounding.Floor: "floor",
    rounding.Ceil: "ceil",
    rounding.Trunc: "trunc",
    rounding.Round: "round",
}

# The others: a library's vector and scalar versions may differ in the last bit.
FUNCTIONS: dict[type[Operator], str] = {
    ew.Exp: "exp",
    ew.Log: "log",
    ew.Tanh: "tanh",
    ew.Maximum: "maximum",
    ew.Minimum: "minimum",
    exponential.Exp2: "exp2",
    exponential.Expm1: "expm1",
    exponential.Log1p: "log1p",
    exponential.Log2: "log2",
    exponential.Log10: "log10",
    exponential.LogAddExp: "logaddexp",
    trigonometry.Sin: "sin",
    trigonometry.Cos: "cos",
    trigonometry.Tan: "tan",
    trigonometry.Asin: "asin",
    trigonometry.Acos: "acos",
    trigonometry.Atan: "atan",
    trigonometry.Atan2: "atan2",
    trigonometry.Sinh: "sinh",
    trigonometry.Cosh: "cosh",
    trigonometry.Asinh: "asinh",
    trigonometry.Acosh: "acosh",
    trigonometry.Atanh: "atanh",
}

_DIVISIONS: dict[type[Operator], str] = {
    division.FloorDiv: "floor_divide",
    division.Remainder: "remainder",
    division.Fmod: "fmod",
}


@kernel(*_EXACT, exact=True, fresh=True)
def exact(op: Operator, site: Site) -> Kernel:
    return _EXACT[type(op)]


@kernel(*_EXACT_FUNCTIONS, exact=True)
def exact_function(op: Operator, site: Site) -> Kernel:
    found: Kernel = getattr(site.xp, _EXACT_FUNCTIONS[type(op)])
    return found


@kernel(*FUNCTIONS)
def function(op: Operator, site: Site) -> Kernel:
    found: Kernel = getattr(site.xp, FUNCTIONS[type(op)])
    return found


@kernel(*_DIVISIONS)
def divide(op: Operator, site: Site) -> Kernel:
    found: Kernel = getattr(site.xp, _DIVISIONS[type(op)])
    return found if site.output.dtype.is_floating else _refusing(found, _no_zero(site))


@kernel(ew.Pow)
def power(op: ew.Pow, site: Site) -> Kernel:
    found: Kernel = site.xp.pow
    return found if site.output.dtype.is_floating else _refusing(found, _no_negative(site))


def _refusing(run: Kernel, check: Callable[[Any], None]) -> Kernel:
    """`run` of two operands, the second one checked: libraries crash, raise or answer anything."""

    def checked(a: Any, b: Any) -> Any:
        check(b)
        return run(a, b)

    return checked


def _no_zero(site: Site) -> Callable[[Any], None]:
    xp = site.xp

    def check(b: Any) -> None:
        if not bool(xp.all(b != 0)):
            raise ValueError("integer division by zero")

    return check


def _no_negative(site: Site) -> Callable[[Any], None]:
    xp = site.xp

    def check(b: Any) -> None:
        if bool(xp.any(b < 0)):
            raise ValueError("an integer to a negative integer power is no integer")

    return check


@kernel(ew.Sigmoid)
def sigmoid(op: ew.Sigmoid, site: Site) -> Kernel:
    xp, one = site.xp, _scalar(site, 1)
    return lambda x: one / (one + xp.exp(-x))


@kernel(ew.Softplus)
def softplus(op: ew.Softplus, site: Site) -> Kernel:
    xp, zero = site.xp, _scalar(site, 0)
    return lambda x: xp.maximum(x, zero) + xp.log1p(xp.exp(-abs(x)))


@kernel(ew.Relu)
def relu(op: ew.Relu, site: Site) -> Kernel:
    xp, zero = site.xp, _scalar(site, 0)
    return lambda x: xp.maximum(x, zero)


@kernel(ew.ReluGrad, exact=True)
def relu_grad(op: ew.ReluGrad, site: Site) -> Kernel:
    xp, zero = site.xp, _scalar(site, 0)
    return lambda g, y: xp.where(y <= zero, zero, g)


@kernel(ew.LeakyRelu, exact=True)
def leaky_relu(op: ew.LeakyRelu, site: Site) -> Kernel:
    xp, zero, slope = site.xp, _scalar(site, 0), _scalar(site, op.slope)
    return lambda x: xp.where(x > zero, x, slope * x)


@kernel(ew.LeakyReluGrad, exact=True)
def leaky_relu_grad(op: ew.LeakyReluGrad, site: Site) -> Kernel:
    xp, zero, slope = site.xp, _scalar(site, 0), _scalar(site, op.slope)
    return lambda g, x: xp.where(x > zero, g, slope * g)


def _scalar(site: Site, number: float) -> Any:
    return site.constant(np.asarray(number, dtype=site.output.dtype.numpy))
