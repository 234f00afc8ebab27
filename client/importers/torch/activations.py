"""Activations of ATen."""

from __future__ import annotations

from raygrad.proto.operators.elementwise import zero_where
from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten


@aten("gelu.default")
def gelu(call: Call, x: Value, *, approximate: str = "none") -> Value:
    return f.gelu(x, "tanh" if approximate == "tanh" else "none")


@aten("silu.default")
def silu(call: Call, x: Value) -> Value:
    return f.silu(x)


@aten("mish.default")
def mish(call: Call, x: Value) -> Value:
    return f.mish(x)


@aten("hardtanh.default")
def hardtanh(call: Call, x: Value, low: float = -1.0, high: float = 1.0) -> Value:
    return f.hard_tanh(x, float(low), float(high))


@aten("relu6.default")
def relu6(call: Call, x: Value) -> Value:
    return f.relu6(x)


@aten("hardsigmoid.default")
def hardsigmoid(call: Call, x: Value) -> Value:
    return f.hard_sigmoid(x)


@aten("hardswish.default")
def hardswish(call: Call, x: Value) -> Value:
    return f.hard_swish(x)


@aten("elu.default")
def elu(call: Call, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    """scale · x above 0, else scale · alpha · (e^(input_scale · x) − 1)."""
    bends = x <= 0.0
    below = zero_where(~bends, x) * float(input_scale)
    return f.where(bends, f.expm1(below) * float(alpha), x) * float(scale)


@aten("celu.default")
def celu(call: Call, x: Value, alpha: float = 1.0) -> Value:
    return f.celu(x, float(alpha))


@aten("selu.default")
def selu(call: Call, x: Value) -> Value:
    return f.selu(x)


@aten("leaky_relu.default")
def leaky_relu(call: Call, x: Value, slope: float = 0.01) -> Value:
    return f.leaky_relu(x, float(slope))


@aten("prelu.default", "_prelu_kernel.default")
def prelu(call: Call, x: Value, weight: Value) -> Value:
    return f.prelu(x, weight)


@aten("softplus.default")
def softplus(call: Call, x: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    """Above the threshold torch takes x itself: 2e-9 away, which double precision shows."""
    return f.where(x * float(beta) > float(threshold), x, f.softplus(x, float(beta)))


@aten("log_sigmoid.default")
def log_sigmoid(call: Call, x: Value) -> Value:
    return f.log_sigmoid(x)


@aten("log_sigmoid_forward.default")
def log_sigmoid_forward(call: Call, x: Value) -> tuple[Value, None]:
    return f.log_sigmoid(x), None


@aten("glu.default")
def glu(call: Call, x: Value, axis: int = -1) -> Value:
    return f.glu(x, axis)


@aten("threshold.default")
def threshold(call: Call, x: Value, above: float, otherwise: float) -> Value:
    return f.threshold(x, above, otherwise)


@aten("hardshrink.default")
def hardshrink(call: Call, x: Value, lambd: float = 0.5) -> Value:
    return f.hard_shrink(x, float(lambd))


@aten("softshrink.default")
def softshrink(call: Call, x: Value, lambd: float = 0.5) -> Value:
    return f.soft_shrink(x, float(lambd))


@aten("softmax.int", "_softmax.default")
def softmax(call: Call, x: Value, axis: int, _: DType | bool | None = None) -> Value:
    return f.softmax(call.value(x, call.out.dtype), axis) if x.rank else call.full(1, (), call.out.dtype)


@aten("_safe_softmax.default")
def safe_softmax(call: Call, x: Value, axis: int, dtype: DType | None = None) -> Value:
    """0 where a whole row is −∞."""
    y = call.value(x, call.out.dtype)
    empty = f.all(y.equals(float("-inf")), axis, keepdims=True)
    return f.masked_fill(f.softmax(f.masked_fill(y, empty, 0.0), axis), empty, 0.0)


@aten("log_softmax.int", "_log_softmax.default")
def log_softmax(call: Call, x: Value, axis: int, _: DType | bool | None = None) -> Value:
    y = call.value(x, call.out.dtype)
    return f.log_softmax(y, axis) if x.rank else y - y
