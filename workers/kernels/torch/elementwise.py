"""Elementwise kernels that PyTorch has fused, or that cost less without the array-API wrappers."""

from __future__ import annotations

import torch

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import special
from raygrad.proto.operators.base import Operator

from ..base import Kernel, Site, in_place, kernel
from .backend import FAMILY

_FUNCTIONS: dict[type[Operator], Kernel] = {
    ew.Maximum: torch.maximum,
    ew.Minimum: torch.minimum,
    ew.Relu: torch.relu,
    ew.Sigmoid: torch.sigmoid,
    ew.Where: torch.where,
    special.Erf: torch.special.erf,
    special.Erfc: torch.special.erfc,
}

# From here on log(1 + eˣ) rounds to x in float64; PyTorch's own threshold, 20, is meant for float32.
_LINEAR_FROM = 40.0


@kernel(*_FUNCTIONS, family=FAMILY)
def function(op: Operator, site: Site) -> Kernel:
    return _FUNCTIONS[type(op)]


@kernel(ew.Softplus, family=FAMILY)
def softplus(op: ew.Softplus, site: Site) -> Kernel:
    return lambda x: torch.nn.functional.softplus(x, threshold=_LINEAR_FROM)


@kernel(ew.ReluGrad, family=FAMILY)
def relu_grad(op: ew.ReluGrad, site: Site) -> Kernel:
    backward = torch.ops.aten.threshold_backward.default
    return lambda g, y: backward(g, y, 0)


@in_place(ew.Relu, family=FAMILY)
def relu_in_place(op: ew.Relu, site: Site) -> Kernel:
    return torch.relu_


@in_place(ew.ReluGrad, family=FAMILY)
def relu_grad_in_place(op: ew.ReluGrad, site: Site) -> Kernel:
    backward = torch.ops.aten.threshold_backward.grad_input
    return lambda g, y: backward(g, y, 0, grad_input=g)


@kernel(ew.LeakyRelu, family=FAMILY)
def leaky_relu(op: ew.LeakyRelu, site: Site) -> Kernel:
    return lambda x: torch.nn.functional.leaky_relu(x, op.slope)


@kernel(ew.LeakyReluGrad, family=FAMILY)
def leaky_relu_grad(op: ew.LeakyReluGrad, site: Site) -> Kernel:
    backward = torch.ops.aten.leaky_relu_backward.default
    return lambda g, x: backward(g, x, op.slope, False)
