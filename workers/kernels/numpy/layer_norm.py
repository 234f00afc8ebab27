"""Layer normalization in NumPy; sums are taken in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.layer_norm import LayerNorm, LayerNormGrad, SampleNormalization

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY, Numbers


def _mean(x: Numbers, axes: tuple[int, ...]) -> Numbers:
    """The mean over the last axes, in x's dtype."""
    found: Numbers = np.mean(x, axis=axes, keepdims=True, dtype=np.float64).astype(x.dtype)
    return found


def _normalized(op: SampleNormalization, x: Numbers, axes: tuple[int, ...]) -> tuple[Numbers, Numbers]:
    """x̂ and s = 1/√(variance + eps)."""
    centred = x - _mean(x, axes)
    scale = 1 / np.sqrt(_mean(centred * centred, axes) + op.eps)
    return centred * scale, scale


@kernel(LayerNorm, family=FAMILY)
def layer_norm(op: LayerNorm, site: Site) -> Kernel:
    last = tuple(range(-op.axes, 0))

    def run(x: Any, weight: Any = None, bias: Any = None) -> Any:
        normal, _ = _normalized(op, x, last)
        return normal if weight is None else normal * weight + bias

    return widened(run, site)


@kernel(LayerNormGrad, family=FAMILY)
def layer_norm_grad(op: LayerNormGrad, site: Site) -> Kernel:
    last, samples = tuple(range(-op.axes, 0)), tuple(range(site.inputs[0].rank - op.axes))

    def run(g: Any, x: Any, weight: Any = None) -> Any:
        normal, scale = _normalized(op, x, last)
        h = g if weight is None else g * weight
        by_x = (h - _mean(h, last) - normal * _mean(h * normal, last)) * scale
        if weight is None:
            return by_x
        by_weight, by_bias = (np.sum(v, axis=samples, dtype=np.float64) for v in (g * normal, g))
        return by_x, by_weight.astype(x.dtype), by_bias.astype(x.dtype)

    return widened(run, site)
