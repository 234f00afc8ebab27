"""Elementwise ATen operators: arithmetic, functions, comparisons, choice."""

from __future__ import annotations

from collections.abc import Callable

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.value import Value, binary

from ... import functions as f
from .registry import Call, Scalar, aten


def _unary(function: Callable[[Value], Value], *overloads: str) -> None:
    """Enter a function of one floating-point tensor; integers take the output's dtype first."""

    @aten(*overloads)
    def translation(call: Call, x: Value) -> Value:
        return function(*call.operands(x))


_unary(f.relu, "relu.default")
_unary(f.sigmoid, "sigmoid.default")
_unary(f.tanh, "tanh.default")
_unary(f.exp, "exp.default")
_unary(f.log, "log.default")
_unary(f.sqrt, "sqrt.default")
_unary(f.abs, "abs.default")
_unary(f.sign, "sign.default", "sgn.default")
_unary(lambda x: -x, "neg.default")


# -- arithmetic -----------------------------------------------------------------------------------


@aten("add.Tensor", "add.Scalar")
def add(call: Call, a: Value, b: Value | Scalar, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return x + (y if alpha == 1 else y * call.value(alpha, y.dtype))


@aten("sub.Tensor", "sub.Scalar")
def sub(call: Call, a: Value, b: Value | Scalar, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return x - (y if alpha == 1 else y * call.value(alpha, y.dtype))


@aten("rsub.Tensor", "rsub.Scalar")
def rsub(call: Call, a: Value, b: Value | Scalar, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return y - (x if alpha == 1 else x * call.value(alpha, x.dtype))


@aten("mul.Tensor", "mul.Scalar")
def mul(call: Call, a: Value, b: Value | Scalar) -> Value:
    x, y = call.operands(a, b)
    return x * y


@aten("div.Tensor", "div.Scalar")
def div(call: Call, a: Value, b: Value | Scalar) -> Value:
    x, y = call.operands(a, b)
    return x / y


@aten("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def power(call: Call, a: Value | Scalar, b: Value | Scalar) -> Value:
    if isinstance(b, (int, float)) and b == 2:
        return call.operands(a)[0].square()
    x, y = call.operands(a, b)
    return x**y


# -- choice ---------------------------------------------------------------------------------------


@aten("maximum.default")
def maximum(call: Call, a: Value, b: Value) -> Value:
    return f.maximum(*call.operands(a, b))


@aten("minimum.default")
def minimum(call: Call, a: Value, b: Value) -> Value:
    return f.minimum(*call.operands(a, b))


@aten("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(call: Call, condition: Value, a: Value | Scalar, b: Value | Scalar) -> Value:
    return f.where(condition, *call.operands(a, b))


# -- comparisons ----------------------------------------------------------------------------------


def _comparison(operator: ew.Comparison, name: str) -> None:
    @aten(f"{name}.Tensor", f"{name}.Scalar")
    def translation(call: Call, a: Value, b: Value | Scalar) -> Value:
        return binary(operator, *call.promoted(a, b))


for _name, _operator in {
    "eq": ew.Equal(),
    "ne": ew.NotEqual(),
    "lt": ew.Less(),
    "le": ew.LessEqual(),
    "gt": ew.Greater(),
    "ge": ew.GreaterEqual(),
}.items():
    _comparison(_operator, _name)
