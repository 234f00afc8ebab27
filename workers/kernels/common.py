"""Kernels in the array-API dialect: they serve every backend."""

from __future__ import annotations

from typing import Any

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import linear, reduction, shape
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.source import Constant, SizeOf
from raygrad.proto.tensor import DType

from .base import Kernel, Site, kernel

import numpy as np


def _dtype(site: Site, dtype: DType) -> Any:
    return getattr(site.xp, dtype.value)


@kernel(Constant)
def constant(op: Constant, site: Site) -> Kernel:
    value = site.constant(op.array)
    return lambda: value


@kernel(SizeOf)
def size_of(op: SizeOf, site: Site) -> Kernel:
    count = 1
    for size in op.sizes:
        count *= int(size)
    value = site.constant(np.asarray(count, dtype=op.dtype.numpy))
    return lambda: value


# -- elementwise ----------------------------------------------------------------------------------

_EXACT: dict[type[Operator], str] = {
    ew.Add: "add",
    ew.Sub: "subtract",
    ew.Mul: "multiply",
    ew.Div: "divide",
    ew.Neg: "negative",
    ew.Abs: "abs",
    ew.Sign: "sign",
    ew.Sqrt: "sqrt",
    ew.Maximum: "maximum",
    ew.Minimum: "minimum",
    ew.Where: "where",
    ew.Equal: "equal",
    ew.NotEqual: "not_equal",
    ew.Less: "less",
    ew.LessEqual: "less_equal",
    ew.Greater: "greater",
    ew.GreaterEqual: "greater_equal",
    ew.Not: "logical_not",
}


@kernel(*_EXACT, exact=True)
def exact(op: Operator, site: Site) -> Kernel:
    function: Kernel = getattr(site.xp, _EXACT[type(op)])
    return function


_FUNCTIONS: dict[type[Operator], str] = {ew.Exp: "exp", ew.Log: "log", ew.Tanh: "tanh", ew.Pow: "pow"}


@kernel(*_FUNCTIONS)
def function(op: Operator, site: Site) -> Kernel:
    found: Kernel = getattr(site.xp, _FUNCTIONS[type(op)])
    return found


@kernel(reduction.Sum)
def sum_(op: reduction.Sum, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.sum(x, axis=op.axes, dtype=x.dtype)


@kernel(shape.Broadcast, exact=True)
def broadcast(op: shape.Broadcast, site: Site) -> Kernel:
    xp, target = site.xp, site.output.static
    return lambda x: xp.broadcast_to(x, target)


@kernel(shape.Reshape)
def reshape(op: shape.Reshape, site: Site) -> Kernel:
    xp, target = site.xp, site.output.static
    return lambda x: xp.reshape(x, target)


@kernel(shape.Transpose)
def transpose(op: shape.Transpose, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.permute_dims(x, op.axes)


@kernel(shape.Cast)
def cast(op: shape.Cast, site: Site) -> Kernel:
    xp, dtype = site.xp, _dtype(site, op.dtype)
    return lambda x: xp.astype(x, dtype)


@kernel(linear.MatMul)
def matmul(op: linear.MatMul, site: Site) -> Kernel:
    xp = site.xp

    def run(a: Any, b: Any) -> Any:
        left = xp.matrix_transpose(a) if op.transpose_a else a
        return xp.matmul(left, xp.matrix_transpose(b) if op.transpose_b else b)

    return run
