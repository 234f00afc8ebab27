"""Arithmetic, comparisons, logic and functions of each element."""

from __future__ import annotations

import math

from raygrad.proto.operators import division, elementwise, exponential, logic, rounding, special, trigonometry
from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType

from .table import exports
from .writer import Use, Writer

SAME: dict[type[Operator], str] = {
    elementwise.Abs: "Abs",
    elementwise.Add: "Add",
    elementwise.Div: "Div",
    elementwise.Equal: "Equal",
    elementwise.Exp: "Exp",
    elementwise.Greater: "Greater",
    elementwise.GreaterEqual: "GreaterOrEqual",
    elementwise.Less: "Less",
    elementwise.LessEqual: "LessOrEqual",
    elementwise.Log: "Log",
    elementwise.Maximum: "Max",
    elementwise.Minimum: "Min",
    elementwise.Mul: "Mul",
    elementwise.Neg: "Neg",
    elementwise.Pow: "Pow",
    elementwise.Relu: "Relu",
    elementwise.Sigmoid: "Sigmoid",
    elementwise.Sgn: "Sign",
    elementwise.Sign: "Sign",
    elementwise.Softplus: "Softplus",
    elementwise.Sqrt: "Sqrt",
    elementwise.Sub: "Sub",
    elementwise.Tanh: "Tanh",
    elementwise.Where: "Where",
    rounding.Ceil: "Ceil",
    rounding.Floor: "Floor",
    rounding.Round: "Round",
    special.Erf: "Erf",
    trigonometry.Acos: "Acos",
    trigonometry.Acosh: "Acosh",
    trigonometry.Asin: "Asin",
    trigonometry.Asinh: "Asinh",
    trigonometry.Atan: "Atan",
    trigonometry.Atanh: "Atanh",
    trigonometry.Cos: "Cos",
    trigonometry.Cosh: "Cosh",
    trigonometry.Sin: "Sin",
    trigonometry.Sinh: "Sinh",
    trigonometry.Tan: "Tan",
}
"""Operators that have the same meaning there."""


@exports(*SAME)
def same(writer: Writer, op: Operator, use: Use) -> str:
    return writer.add(SAME[type(op)], *use.inputs)


@exports(elementwise.NotEqual)
def not_equal(writer: Writer, op: elementwise.NotEqual, use: Use) -> str:
    return writer.add("Not", writer.add("Equal", *use.inputs))


@exports(elementwise.Not)
def not_(writer: Writer, op: elementwise.Not, use: Use) -> str:
    return writer.add("Not" if use.x.dtype is DType.bool else "BitwiseNot", *use.inputs)


@exports(logic.And, logic.Or, logic.Xor)
def logical(writer: Writer, op: Operator, use: Use) -> str:
    return writer.add(op.name if use.x.dtype is DType.bool else f"Bitwise{op.name}", *use.inputs)


@exports(elementwise.LeakyRelu)
def leaky_relu(writer: Writer, op: elementwise.LeakyRelu, use: Use) -> str:
    return writer.add("LeakyRelu", *use.inputs, alpha=op.slope)


# -- division -----------------------------------------------------------------------------------------


@exports(division.Fmod)
def fmod(writer: Writer, op: division.Fmod, use: Use) -> str:
    return writer.add("Mod", *use.inputs, fmod=1)


@exports(division.Remainder)
def remainder(writer: Writer, op: division.Remainder, use: Use) -> str:
    """With the sign of the divisor; ONNX has it of integers only."""
    if not use.x.dtype.is_floating:
        return writer.add("Mod", *use.inputs)
    a, b = use.inputs
    return writer.add("Sub", a, writer.add("Mul", writer.add("Floor", writer.add("Div", a, b)), b))


@exports(division.FloorDiv)
def floor_div(writer: Writer, op: division.FloorDiv, use: Use) -> str:
    """ONNX's division of integers goes toward zero, so the remainder is taken away before."""
    a, b = use.inputs
    if use.x.dtype.is_floating:
        return writer.add("Floor", writer.add("Div", a, b))
    return writer.add("Div", writer.add("Sub", a, writer.add("Mod", a, b)), b)


# -- what ONNX spells with other operators ------------------------------------------------------------


@exports(exponential.Exp2)
def exp2(writer: Writer, op: exponential.Exp2, use: Use) -> str:
    return writer.add("Pow", writer.number(2, use.x), *use.inputs)


@exports(exponential.Expm1)
def expm1(writer: Writer, op: exponential.Expm1, use: Use) -> str:
    """Near 0 less accurate than the operator: eˣ − 1."""
    return writer.add("Sub", writer.add("Exp", *use.inputs), writer.number(1, use.x))


@exports(exponential.Log1p)
def log1p(writer: Writer, op: exponential.Log1p, use: Use) -> str:
    """Near 0 less accurate than the operator: log(x + 1)."""
    return writer.add("Log", writer.add("Add", *use.inputs, writer.number(1, use.x)))


@exports(exponential.Log2, exponential.Log10)
def log_to_base(writer: Writer, op: Operator, use: Use) -> str:
    base = 2 if isinstance(op, exponential.Log2) else 10
    return writer.add("Div", writer.add("Log", *use.inputs), writer.number(math.log(base), use.x))


@exports(exponential.LogAddExp)
def log_add_exp(writer: Writer, op: exponential.LogAddExp, use: Use) -> str:
    """max(a, b) + log(1 + e^−|a − b|)"""
    distance = writer.add("Abs", writer.add("Sub", *use.inputs))
    correction = writer.add("Softplus", writer.add("Neg", distance))
    return writer.add("Add", writer.add("Max", *use.inputs), correction)


@exports(special.Erfc)
def erfc(writer: Writer, op: special.Erfc, use: Use) -> str:
    """Far from 0 less accurate than the operator: 1 − erf(x)."""
    return writer.add("Sub", writer.number(1, use.x), writer.add("Erf", *use.inputs))


@exports(special.XLogY, special.XLog1pY)
def x_log_y(writer: Writer, op: Operator, use: Use) -> str:
    """0 where the factor is 0, also where the logarithm is of a NaN."""
    x, y = use.inputs
    shifted = y if isinstance(op, special.XLogY) else writer.add("Add", y, writer.number(1, use.x))
    zero = writer.number(0, use.x)
    product = writer.add("Mul", x, writer.add("Log", shifted))
    return writer.add("Where", writer.add("Equal", x, zero), zero, product)


@exports(special.Entropy)
def entropy(writer: Writer, op: special.Entropy, use: Use) -> str:
    """NaN below 0, where the operator is −∞."""
    (x,), zero = use.inputs, writer.number(0, use.x)
    product = writer.add("Neg", writer.add("Mul", x, writer.add("Log", x)))
    return writer.add("Where", writer.add("Equal", x, zero), zero, product)


@exports(special.BinaryCrossEntropy)
def binary_cross_entropy(writer: Writer, op: special.BinaryCrossEntropy, use: Use) -> str:
    p, t = use.inputs
    one, least = writer.number(1, use.x), writer.number(-100, use.x)
    yes = writer.add("Max", writer.add("Log", p), least)
    no = writer.add("Max", writer.add("Log", writer.add("Sub", one, p)), least)
    rest = writer.add("Mul", writer.add("Sub", t, one), no)
    return writer.add("Sub", rest, writer.add("Mul", t, yes))


@exports(rounding.Trunc)
def trunc(writer: Writer, op: rounding.Trunc, use: Use) -> str:
    magnitude = writer.add("Floor", writer.add("Abs", *use.inputs))
    return writer.add("Mul", writer.add("Sign", *use.inputs), magnitude)
