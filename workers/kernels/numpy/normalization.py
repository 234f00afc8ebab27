"""Batch normalization in NumPy; sums are taken in float64, as PyTorch takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.normalization import BatchNorm, BatchNormGrad, BatchNormInference
from raygrad.proto.tensor import TensorType

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY, Numbers


class Channels:
    """Sums per channel of x (N, C, *spatial), and (C,) arrays that broadcast against it."""

    def __init__(self, x: TensorType) -> None:
        self.axes = (0, *range(2, x.rank))
        self.shape = (1, -1, *[1] * (x.rank - 2))
        self.count = x.elements // max(x.static[1], 1)

    def total(self, x: Numbers) -> Numbers:
        """Σ per channel, in float64."""
        return np.asarray(np.sum(x, axis=self.axes, dtype=np.float64))

    def mean(self, x: Numbers) -> Numbers:
        """Σ/M per channel, in x's dtype."""
        return (self.total(x) / self.count).astype(x.dtype)

    def along(self, channel: Numbers) -> Numbers:
        """(C,) as (1, C, 1, …)."""
        return channel.reshape(self.shape)


@kernel(BatchNorm, family=FAMILY)
def batch_norm(op: BatchNorm, site: Site) -> Kernel:
    channels = Channels(site.inputs[0])

    def run(x: Any, weight: Any, bias: Any) -> Any:
        mean = channels.mean(x)
        centred = x - channels.along(mean)
        variance = channels.mean(centred * centred)
        scale = weight / np.sqrt(variance + op.eps)
        return centred * channels.along(scale) + channels.along(bias), mean, variance

    return widened(run, site)


@kernel(BatchNormGrad, family=FAMILY)
def batch_norm_grad(op: BatchNormGrad, site: Site) -> Kernel:
    channels = Channels(site.inputs[0])

    def run(g: Any, x: Any, weight: Any, mean: Any, variance: Any) -> Any:
        scale = 1 / np.sqrt(variance + op.eps)
        normal = (x - channels.along(mean)) * channels.along(scale)
        by_bias, by_weight = channels.total(g), channels.total(g * normal)
        along_one = channels.along((by_bias / channels.count).astype(x.dtype))
        along_normal = channels.along((by_weight / channels.count).astype(x.dtype))
        by_x = (g - along_one - normal * along_normal) * channels.along(weight * scale)
        return by_x, by_weight.astype(x.dtype), by_bias.astype(x.dtype)

    return widened(run, site)


@kernel(BatchNormInference, family=FAMILY)
def batch_norm_inference(op: BatchNormInference, site: Site) -> Kernel:
    channels = Channels(site.inputs[0])

    def run(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        scale = weight / np.sqrt(variance + op.eps)
        return (x - channels.along(mean)) * channels.along(scale) + channels.along(bias)

    return widened(run, site)
