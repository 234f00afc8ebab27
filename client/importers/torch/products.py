"""ATen's matrix products."""

from __future__ import annotations

from raygrad.proto.operators.linear import MatMul
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, Scalar, aten


@aten("linear.default")
def linear(call: Call, x: Value, weight: Value, bias: Value | None = None) -> Value:
    """The weight is (out, in) or (in,): the product transposes it without a copy."""
    if weight.rank == 1 or x.rank == 1:
        y = x @ weight.T
    else:
        y = x.builder.add(MatMul(transpose_b=True), (x, weight))[0]
    return y if bias is None else y + bias


@aten("mm.default", "bmm.default", "matmul.default", "mv.default")
def matmul(call: Call, a: Value, b: Value) -> Value:
    return a @ b


@aten("dot.default")
def dot(call: Call, a: Value, b: Value) -> Value:
    return f.dot(a, b)


@aten("addmm.default", "baddbmm.default", "addmv.default")
def addmm(call: Call, x: Value, a: Value, b: Value, *, beta: Scalar = 1, alpha: Scalar = 1) -> Value:
    """beta · x + alpha · a b; torch reads no x where beta is 0."""
    product = a @ b if alpha == 1 else (a @ b) * call.value(alpha, call.out.dtype)
    if beta == 0:
        return product
    return product + (x if beta == 1 else x * call.value(beta, call.out.dtype))


@aten("bilinear.default")
def bilinear(call: Call, a: Value, b: Value, weight: Value, bias: Value | None = None) -> Value:
    return f.bilinear(a, b, weight, bias)
