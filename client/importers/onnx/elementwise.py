"""Elementwise arithmetic, comparisons and logic. The pages: https://onnx.ai/onnx/operators/onnx__<Operator>.html"""

from __future__ import annotations

import functools
from collections.abc import Callable

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts

Unary = Callable[[Value], Value]
Binary = Callable[[Value, Value], Value]

UNARY: dict[str, Unary] = {
    "Abs": f.abs,
    "Acos": f.acos,
    "Acosh": f.acosh,
    "Asin": f.asin,
    "Asinh": f.asinh,
    "Atan": f.atan,
    "Atanh": f.atanh,
    "BitwiseNot": f.bitwise_not,
    "Ceil": f.ceil,
    "Cos": f.cos,
    "Cosh": f.cosh,
    "Erf": f.erf,
    "Exp": f.exp,
    "Floor": f.floor,
    "IsNaN": f.isnan,
    "Log": f.log,
    "Neg": lambda x: -x,
    "Not": f.logical_not,
    "Reciprocal": f.reciprocal,
    "Round": f.round,
    "Sign": f.sign,
    "Sin": f.sin,
    "Sinh": f.sinh,
    "Sqrt": f.sqrt,
    "Tan": f.tan,
    "Tanh": f.tanh,
}
BINARY: dict[str, Binary] = {
    "Add": lambda a, b: a + b,
    "And": f.logical_and,
    "BitwiseAnd": f.bitwise_and,
    "BitwiseOr": f.bitwise_or,
    "BitwiseXor": f.bitwise_xor,
    "Equal": lambda a, b: a.equals(b),
    "Greater": lambda a, b: a > b,
    "GreaterOrEqual": lambda a, b: a >= b,
    "Less": lambda a, b: a < b,
    "LessOrEqual": lambda a, b: a <= b,
    "Mul": lambda a, b: a * b,
    "Or": f.logical_or,
    "Sub": lambda a, b: a - b,
    "Xor": f.logical_xor,
}
VARIADIC: dict[str, Binary] = {"Max": f.maximum, "Min": f.minimum, "Sum": lambda a, b: a + b}


def _unary(function: Unary) -> Callable[[Call], Value]:
    return lambda call: function(call.value(0))


def _binary(function: Binary) -> Callable[[Call], Value]:
    return lambda call: function(*aligned(call))


def _variadic(function: Binary) -> Callable[[Call], Value]:
    return lambda call: functools.reduce(function, call.values())


for _name, _one in UNARY.items():
    converts(_name)(_unary(_one))
for _name, _two in BINARY.items():
    converts(_name)(_binary(_two))
for _name, _many in VARIADIC.items():
    converts(_name)(_variadic(_many))


def aligned(call: Call) -> tuple[Value, Value]:
    """The two operands; up to opset 6 the second one's axes begin at the first one's `axis`."""
    a, b = call.value(0), call.value(1)
    axis = call.attribute("axis")
    if call.opset >= 7 or axis is None:
        return a, b
    behind = a.rank - axis - b.rank
    return a, b.reshape((*b.shape, *(1,) * behind))


@converts("Div")
def div(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Div.html; integers divide toward zero."""
    a, b = aligned(call)
    if a.dtype.is_floating:
        return a / b
    quotient = f.floor_divide(f.abs(a), f.abs(b))
    return f.where((a < 0).differs(b < 0), -quotient, quotient)


@converts("Mod")
def mod(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Mod.html"""
    return (f.fmod if call.attribute("fmod", 0) else f.remainder)(call.value(0), call.value(1))


@converts("Pow")
def power(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Pow.html; the dtype is that of the base."""
    base, exponent = aligned(call)
    if base.dtype.is_floating:
        return f.pow(base, exponent.astype(base.dtype))
    if exponent.dtype.is_floating:
        return f.pow(base.astype(exponent.dtype), exponent).astype(base.dtype)
    return f.pow(base.astype(DType.float64), exponent.astype(DType.float64)).astype(base.dtype)


@converts("Mean")
def mean(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Mean.html"""
    values = call.values()
    return functools.reduce(lambda a, b: a + b, values) / len(values)


@converts("Where")
def where(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Where.html"""
    return f.where(call.value(0), call.value(1), call.value(2))


@converts("IsInf")
def is_inf(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__IsInf.html"""
    x = call.value(0)
    found = f.isinf(x)
    if not call.attribute("detect_negative", 1):
        found = f.logical_and(found, x > 0)
    if not call.attribute("detect_positive", 1):
        found = f.logical_and(found, x < 0)
    return found


@converts("Clip", since=6)
def clip_attributes(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Clip.html"""
    return f.clip(call.value(0), call.attribute("min"), call.attribute("max"))


@converts("Clip", since=11)
def clip(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Clip.html; where the bounds cross, the upper one holds."""
    x = call.value(0)
    above = f.maximum(x, call.value(1)) if call.has(1) else x
    return f.minimum(above, call.value(2)) if call.has(2) else above


@converts("BitShift")
def bit_shift(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__BitShift.html"""
    shift = f.bitwise_left_shift if call.attribute("direction") == "LEFT" else f.bitwise_right_shift
    return shift(call.value(0), call.value(1))
