"""Elementwise ATen operators: arithmetic, functions, comparisons, logic, choice."""

from __future__ import annotations

from collections.abc import Callable

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.value import Value, binary

from ... import functions as f
from .registry import Call, Scalar, aten

Operand = Value | Scalar


def _unary(name: str, function: Callable[[Value], Value]) -> None:
    """A function of one tensor; integers take the output's dtype first."""

    @aten(f"{name}.default")
    def translation(call: Call, x: Value) -> Value:
        return function(*call.operands(x))


def _question(name: str, function: Callable[[Value], Value]) -> None:
    """A function of one tensor to bool."""

    @aten(f"{name}.default")
    def translation(call: Call, x: Value) -> Value:
        return function(x)


def _binary(function: Callable[[Value, Value], Value], *overloads: str) -> None:
    """A function of two tensors or numbers in the output's dtype."""

    @aten(*overloads)
    def translation(call: Call, a: Operand, b: Operand) -> Value:
        return function(*call.operands(a, b))


def _comparison(name: str, operator: ew.Comparison) -> None:
    @aten(f"{name}.Tensor", f"{name}.Scalar")
    def translation(call: Call, a: Value, b: Operand) -> Value:
        return binary(operator, *call.promoted(a, b))


def _logical(name: str, function: Callable[[Value, Value], Value]) -> None:
    @aten(f"{name}.default")
    def translation(call: Call, a: Value, b: Value) -> Value:
        return function(a, b)


for _name in (
    *("sqrt", "rsqrt", "reciprocal", "square", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10"),
    *("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    *("erf", "erfc", "abs", "sign", "floor", "ceil", "trunc", "frac", "sigmoid", "relu", "sinc"),
):
    _unary(_name, getattr(f, _name))
_unary("special_entr", f.entr)
_unary("sgn", f.sign)
_unary("neg", lambda x: -x)
_unary("bitwise_not", f.bitwise_not)
for _name in ("isnan", "isinf", "isfinite", "logical_not"):
    _question(_name, getattr(f, _name))
for _name in ("logical_and", "logical_or", "logical_xor"):
    _logical(_name, getattr(f, _name))
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    _binary(getattr(f, _name), *(f"{_name}.{kind}" for kind in ("Tensor", "Scalar", "Scalar_Tensor")))
for _name, _function in {
    "and": f.bitwise_and,
    "or": f.bitwise_or,
    "xor": f.bitwise_xor,
    "lshift": f.bitwise_left_shift,
    "rshift": f.bitwise_right_shift,
}.items():
    _binary(_function, f"__{_name}__.Tensor", f"__{_name}__.Scalar")
for _name in ("bitwise_left_shift", "bitwise_right_shift"):
    _binary(getattr(f, _name), *(f"{_name}.{kind}" for kind in ("Tensor", "Tensor_Scalar", "Scalar_Tensor")))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    _operators = {"eq": "Equal", "ne": "NotEqual", "lt": "Less", "le": "LessEqual", "gt": "Greater"}
    _comparison(_name, getattr(ew, _operators.get(_name, "GreaterEqual"))())
_binary(lambda a, b: a * b, "mul.Tensor", "mul.Scalar")
_binary(lambda a, b: a / b, "div.Tensor", "div.Scalar", "true_divide.Tensor", "true_divide.Scalar")
_binary(f.floor_divide, "floor_divide.default", "floor_divide.Scalar")
_binary(f.remainder, "remainder.Tensor", "remainder.Scalar", "remainder.Scalar_Tensor")
_binary(f.fmod, "fmod.Tensor", "fmod.Scalar")
_binary(f.atan2, "atan2.default")
_binary(f.logaddexp, "logaddexp.default")
_binary(f.xlogy, "xlogy.Tensor", "xlogy.Scalar_Other", "xlogy.Scalar_Self")
_binary(f.xlog1py, *(f"special_xlog1py.{kind}" for kind in ("default", "other_scalar", "self_scalar")))


# -- arithmetic -----------------------------------------------------------------------------------


@aten("add.Tensor", "add.Scalar")
def add(call: Call, a: Value, b: Operand, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return x + _scaled(call, y, alpha)


@aten("sub.Tensor", "sub.Scalar")
def sub(call: Call, a: Value, b: Operand, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return x - _scaled(call, y, alpha)


@aten("rsub.Tensor", "rsub.Scalar")
def rsub(call: Call, a: Value, b: Operand, alpha: Scalar = 1) -> Value:
    x, y = call.operands(a, b)
    return y - _scaled(call, x, alpha)


@aten("div.Tensor_mode", "div.Scalar_mode")
def div_mode(call: Call, a: Value, b: Operand, *, rounding_mode: str | None) -> Value:
    x, y = call.operands(a, b)
    if rounding_mode == "floor":
        return f.floor_divide(x, y)
    if rounding_mode is None or x.dtype.is_floating:
        return x / y if rounding_mode is None else f.trunc(x / y)
    return (x - f.fmod(x, y)) // y


@aten("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar")
def power(call: Call, a: Operand, b: Operand) -> Value:
    if isinstance(b, (int, float)) and b == 2:
        return call.operands(a)[0].square()
    return f.pow(*call.operands(a, b))


@aten("logit.default", "special_logit.default")
def logit(call: Call, x: Value, eps: float | None = None) -> Value:
    return f.logit(call.value(x, call.out.dtype), eps)


@aten("addcmul.default")
def addcmul(call: Call, x: Value, a: Value, b: Value, *, value: Scalar = 1) -> Value:
    y, c, d = call.operands(x, a, b)
    return y + _scaled(call, c * d, value)


@aten("addcdiv.default")
def addcdiv(call: Call, x: Value, a: Value, b: Value, *, value: Scalar = 1) -> Value:
    y, c, d = call.operands(x, a, b)
    return y + _scaled(call, c / d, value)


@aten("lerp.Scalar", "lerp.Tensor")
def lerp(call: Call, start: Value, end: Value, weight: Operand) -> Value:
    return f.lerp(*call.operands(start, end, weight))


@aten("round.default", "round.decimals")
def round_(call: Call, x: Value, *, decimals: int = 0) -> Value:
    return f.round(x, decimals)


def _scaled(call: Call, x: Value, factor: Scalar) -> Value:
    return x if factor == 1 else x * call.value(factor, x.dtype)


# -- choice ---------------------------------------------------------------------------------------


@aten("maximum.default", "max.other")
def maximum(call: Call, a: Value, b: Value) -> Value:
    return f.maximum(*call.operands(a, b))


@aten("minimum.default", "min.other")
def minimum(call: Call, a: Value, b: Value) -> Value:
    return f.minimum(*call.operands(a, b))


@aten("clamp.default", "clamp.Tensor")
def clamp(call: Call, x: Value, min: Operand | None = None, max: Operand | None = None) -> Value:
    """Where x is at a border, the gradient goes to x."""
    low, high = (None if b is None else call.value(b, call.out.dtype) for b in (min, max))
    return f.clip(call.value(x, call.out.dtype), low, high)


@aten("clamp_min.default", "clamp_min.Tensor")
def clamp_min(call: Call, x: Value, low: Operand) -> Value:
    return clamp(call, x, low)


@aten("clamp_max.default", "clamp_max.Tensor")
def clamp_max(call: Call, x: Value, high: Operand) -> Value:
    return clamp(call, x, None, high)


@aten("where.self", "where.ScalarOther", "where.ScalarSelf", "where.Scalar")
def where(call: Call, condition: Value, a: Operand, b: Operand) -> Value:
    return f.where(f.logic.truth(condition), *call.operands(a, b))


@aten("masked_fill.Scalar", "masked_fill.Tensor")
def masked_fill(call: Call, x: Value, mask: Value, value: Operand) -> Value:
    y, number = call.operands(x, value)
    return f.where(mask, number, y)
