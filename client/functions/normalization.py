"""Normalization of values (N, channels, *spatial)."""

from __future__ import annotations

from raygrad.proto.operators.normalization import BatchNorm, BatchNormInference
from raygrad.proto.value import Value

from .node import node


def batch_norm(x: Value, weight: Value, bias: Value, eps: float = 1e-5) -> tuple[Value, Value, Value]:
    """Training: x (N, C, *spatial) normalized per channel with this mini-batch's statistics, and these.

    Returns (y, mean, variance); the variance is the biased one. Running statistics are the client's:
    name mean and variance as outputs, and fold them.
    """
    y, mean, variance = x.builder.add(BatchNorm(eps), (x, weight, bias))
    return y, mean, variance


def batch_norm_inference(
    x: Value, weight: Value, bias: Value, mean: Value, variance: Value, eps: float = 1e-5
) -> Value:
    """x (N, C, *spatial) normalized per channel with the given statistics."""
    return node(BatchNormInference(eps), x, weight, bias, mean, variance)
