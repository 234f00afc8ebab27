"""Activations and probabilities."""

from __future__ import annotations

import torch

from raygrad.client import functions as f
from raygrad.proto.value import Value
from tests.conformance.suite import Declined

from .common import Adapter, cast, unary

SAME = "relu relu6 silu mish selu softsign hardsigmoid hardswish logsigmoid tanhshrink"


def softplus(x: Value, beta: float = 1, threshold: float = 20) -> Value:
    """PyTorch's is x itself beyond the threshold; without that, x/β of the plain one."""
    if threshold != 20:
        raise Declined("softplus with a threshold")
    return f.softplus(x * beta) / beta


def gelu(x: Value, approximate: str = "none") -> Value:
    return f.gelu(x, approximate)


def hardtanh(x: Value, min_val: float = -1.0, max_val: float = 1.0) -> Value:
    return f.hardtanh(x, min_val, max_val)


def leaky_relu(x: Value, negative_slope: float = 0.01) -> Value:
    return f.leaky_relu(x, negative_slope)


def elu(x: Value, alpha: float = 1.0) -> Value:
    return f.elu(x, alpha)


def celu(x: Value, alpha: float = 1.0) -> Value:
    return f.celu(x, alpha)


def prelu(x: Value, weight: Value) -> Value:
    """A slope per channel, which is axis 1."""
    per_channel = weight.rank == 1 and x.rank > 1
    return f.prelu(x, weight.reshape((-1, *[1] * (x.rank - 2))) if per_channel else weight)


def glu(x: Value, dim: int = -1) -> Value:
    return f.glu(x, dim)


def softmax(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    return f.softmax(cast(x, dtype), dim) if x.rank else cast(x, dtype) * 0.0 + 1.0


def log_softmax(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    if not x.rank:
        raise Declined("an axis of a scalar")
    return f.log_softmax(cast(x, dtype), dim)


def softmin(x: Value, dim: int, dtype: torch.dtype | None = None) -> Value:
    if not x.rank:
        raise Declined("an axis of a scalar")
    return f.softmax(-cast(x, dtype), dim)


ADAPTERS: dict[str, Adapter] = {
    **{f"nn.functional.{name}": unary(name) for name in SAME.split()},
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
