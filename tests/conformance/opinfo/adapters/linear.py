"""Products of vectors and matrices."""

from __future__ import annotations

from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value

from .common import Adapter, binary


def addmm(x: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Value:
    return x * beta + (a @ b) * alpha


def linear(x: Value, weight: Value, bias: Value | None = None) -> Value:
    """PyTorch's weight lies transposed."""
    return f.linear(x, weight.T, bias)


def einsum(operands: Any, equation: str) -> Value:
    return f.einsum(equation, *operands)


def tensordot(a: Value, b: Value, dims: Any = 2) -> Value:
    return f.tensordot(a, b, dims)


def inner(a: Value, b: Value) -> Value:
    return f.tensordot(a, b, ([-1], [-1])) if a.rank and b.rank else a * b


ADAPTERS: dict[str, Adapter] = {
    "dot": binary("dot"),
    "mm": lambda a, b: a @ b,
    "mv": lambda a, b: a @ b,
    "bmm": lambda a, b: a @ b,
    "matmul": lambda a, b: a @ b,
    "__rmatmul__": lambda a, b: b @ a,
    "outer": binary("outer"),
    "inner": inner,
    "addmm": addmm,
    "addmv": addmm,
    "baddbmm": addmm,
    "einsum": einsum,
    "tensordot": tensordot,
    "nn.functional.linear": linear,
}
