"""Batch normalization in PyTorch, which computes channels-last as it lies."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.normalization import BatchNorm, BatchNormGrad, BatchNormInference

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY

_ALL = [True, True, True]


@kernel(BatchNorm, family=FAMILY, fresh=True)
def batch_norm(op: BatchNorm, site: Site) -> Kernel:
    statistics = _statistics if site.inputs[0].elements else _no_statistics

    def run(x: Any, weight: Any, bias: Any) -> Any:
        mean, variance = statistics(x)
        y = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, op.eps)[0]
        return y, mean, variance

    return widened(run, site)


def _statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and biased variance per channel.

    Not from native_batch_norm(training=True), whose inverse deviation does not give the variance back.
    """
    mean, variance = torch.batch_norm_update_stats(x, None, None, 0.0)
    return mean, variance


def _no_statistics(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Those of no elements, which PyTorch refuses: NaN."""
    return x.new_full(x.shape[1:2], torch.nan), x.new_full(x.shape[1:2], torch.nan)


@kernel(BatchNormGrad, family=FAMILY, fresh=True)
def batch_norm_grad(op: BatchNormGrad, site: Site) -> Kernel:
    if not site.inputs[0].elements:  # PyTorch would divide by their number, which ends the process
        return lambda g, x, weight, *_: (g.clone(), torch.zeros_like(weight), torch.zeros_like(weight))
    backward = torch.ops.aten.native_batch_norm_backward.default

    def run(g: Any, x: Any, weight: Any, mean: Any, variance: Any) -> Any:
        scale = torch.rsqrt(variance + op.eps)
        return backward(g, x, weight, None, None, mean, scale, True, op.eps, _ALL)

    return widened(run, site)


@kernel(BatchNormInference, family=FAMILY, fresh=True)
def batch_norm_inference(op: BatchNormInference, site: Site) -> Kernel:
    def run(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        return torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, op.eps)[0]

    return widened(run, site)
