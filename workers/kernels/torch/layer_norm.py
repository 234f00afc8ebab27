"""Layer normalization in PyTorch."""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.layer_norm import LayerNorm, LayerNormGrad

from ..base import Kernel, Site, kernel
from ..common.precision import widened
from .backend import FAMILY


@kernel(LayerNorm, family=FAMILY)
def layer_norm(op: LayerNorm, site: Site) -> Kernel:
    sizes = site.output.static[-op.axes :]

    def run(x: Any, weight: Any = None, bias: Any = None) -> Any:
        return torch.native_layer_norm(x, sizes, weight, bias, op.eps)[0]

    return widened(run, site)


@kernel(LayerNormGrad, family=FAMILY)
def layer_norm_grad(op: LayerNormGrad, site: Site) -> Kernel:
    sizes = site.inputs[0].static[-op.axes :]
    last = tuple(range(-op.axes, 0))
    backward = torch.ops.aten.native_layer_norm_backward.default

    def run(g: Any, x: Any, weight: Any = None) -> Any:
        variance, mean = torch.var_mean(x, last, correction=0, keepdim=True)
        scale, all_three = torch.rsqrt(variance + op.eps), weight is not None
        # The bias is asked for no more than its type, which is the weight's.
        found = backward(g, x, sizes, mean, scale, weight, weight, [True, all_three, all_three])
        return found if all_three else found[0]

    return widened(run, site)
