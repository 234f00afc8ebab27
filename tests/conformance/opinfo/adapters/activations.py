"""Activations and probabilities."""

from __future__ import annotations

import torch

from raygrad.client import functions as f
from raygrad.proto.value import Value

from .common import Adapter, axis_of, cast, unary

SAME = """
    relu relu6 silu mish selu softsign hardsigmoid:hard_sigmoid hardswish:hard_swish logsigmoid:log_sigmoid
    tanhshrink:tanh_shrink
"""


def softplus(x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """PyTorch's is x itself beyond a threshold, by default where nobody sees the difference."""
    smooth = f.softplus(x, beta)
    return smooth if threshold == 20 else f.where(x * beta > threshold, x, smooth)


def gelu(x: Value, approximate: str = "none") -> Value:
    return f.gelu(x, approximate)


def hardtanh(x: Value, min_val: float = -1.0, max_val: float = 1.0) -> Value:
    return f.hard_tanh(x, min_val, max_val)


def leaky_relu(x: Value, negative_slope: float = 0.01) -> Value:
    return f.leaky_relu(x, negative_slope)


def elu(x: Value, alpha: float = 1.0) -> Value:
    return f.elu(x, alpha)


def celu(x: Value, alpha: float = 1.0) -> Value:
    return f.celu(x, alpha)


def prelu(x: Value, weight: Value) -> Value:
    """One slope may come as a vector of one."""
    return f.prelu(x, weight.reshape(()) if weight.shape == (1,) else weight)


def threshold(x: Value, threshold: float, value: float) -> Value:
    return f.threshold(x, threshold, value)


def hardshrink(x: Value, lambd: float = 0.5) -> Value:
    return f.hard_shrink(x, lambd)


def softshrink(x: Value, lambd: float = 0.5) -> Value:
    return f.soft_shrink(x, lambd)


def glu(x: Value, dim: int = -1) -> Value:
    return f.glu(x, dim)


def softmax(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    return f.softmax(cast(x, dtype), axis_of(x, dim))


def log_softmax(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    return f.log_softmax(cast(x, dtype), axis_of(x, dim))


def softmin(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    return f.softmin(cast(x, dtype), axis_of(x, dim))


ADAPTERS: dict[str, Adapter] = {
    **{
        f"nn.functional.{theirs}": unary(ours or theirs)
        for theirs, _, ours in (name.partition(":") for name in SAME.split())
    },
    "nn.functional.threshold": threshold,
    "nn.functional.hardshrink": hardshrink,
    "nn.functional.softshrink": softshrink,
    "nn.functional.softplus": softplus,
    "nn.functional.gelu": gelu,
    "nn.functional.hardtanh": hardtanh,
    "nn.functional.leaky_relu": leaky_relu,
    "nn.functional.elu": elu,
    "nn.functional.celu": celu,
    "nn.functional.prelu": prelu,
    "nn.functional.glu": glu,
    "softmax": softmax,
    "softmax/with_dtype": softmax,
    "log_softmax": log_softmax,
    "log_softmax/with_dtype": log_softmax,
    "nn.functional.softmin": softmin,
    "nn.functional.softmin/with_dtype": softmin,
}
