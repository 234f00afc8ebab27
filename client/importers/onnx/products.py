"""Matrix products. Each function names the page of its operator."""

from __future__ import annotations

from raygrad.proto.operators.linear import MatMul
from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts


@converts("MatMul")
def matmul(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__MatMul.html"""
    return call.value(0) @ call.value(1)


@converts("Gemm")
def gemm(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Gemm.html"""
    transposed = MatMul(bool(call.attribute("transA", 0)), bool(call.attribute("transB", 0)))
    product = scaled(
        call.builder.add(transposed, (call.value(0), call.value(1)))[0], call.attribute("alpha", 1.0)
    )
    return product + scaled(call.value(2), call.attribute("beta", 1.0)) if call.has(2) else product


@converts("Einsum")
def einsum(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Einsum.html"""
    return f.einsum(call.attribute("equation"), *call.values())


def scaled(x: Value, factor: float) -> Value:
    """x · factor; no node for the factor 1."""
    return x if factor == 1 else x * factor
