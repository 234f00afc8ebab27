"""Convolution in PyTorch: oneDNN on a CPU (cuDNN on CUDA), channels-last in and out for two and three axes.

The adjoints call ATen's backward with the other operand as a shape only: its memory is never touched.
"""

from __future__ import annotations

from typing import Any

import torch

from raygrad.proto.operators.convolution import Conv, ConvInputGrad, Convolution, ConvWeightGrad
from raygrad.proto.tensor import TensorType

from ..base import Kernel, Site, kernel
from .backend import FAMILY
from .layout import canonical
from .padding import Padder


class Backward:
    """ATen's convolution_backward with the attributes of `op`, for inputs of type x."""

    def __init__(self, op: Convolution, x: TensorType) -> None:
        self.padder = Padder(op.padding, x)
        axes = x.rank - 2
        self._arguments = (op.stride, self.padder.both, op.dilation, False, [0] * axes, op.groups)

    def __call__(self, g: Any, x: Any, w: Any, mask: list[bool]) -> Any:
        """Gradients by x, w and bias, as far as `mask` asks for them."""
        return torch.ops.aten.convolution_backward.default(g, x, w, None, *self._arguments, mask)


@kernel(Conv, family=FAMILY, fresh=True)
def conv(op: Conv, site: Site) -> Kernel:
    padder = Padder(op.padding, site.inputs[0])
    arguments = (op.stride, padder.both, op.dilation, False, [0] * len(op.stride), op.groups)

    def run(x: Any, w: Any, bias: Any = None) -> Any:
        return torch.convolution(padder.pad(x), w, bias, *arguments)

    return run


@kernel(ConvInputGrad, family=FAMILY, fresh=True)
def conv_input_grad(op: ConvInputGrad, site: Site) -> Kernel:
    backward = Backward(op, site.output)

    def run(g: Any, w: Any) -> Any:
        x = backward.padder.empty(like=g)
        return backward.padder.crop(backward(g, x, w, [True, False, False])[0])

    return run


@kernel(ConvWeightGrad, family=FAMILY, fresh=True)
def conv_weight_grad(op: ConvWeightGrad, site: Site) -> Kernel:
    backward, shape = Backward(op, site.inputs[0]), site.output.static
    strides = canonical(shape)

    def run(x: Any, g: Any) -> Any:
        w = torch.empty_strided(shape, strides, dtype=g.dtype, device=g.device)
        return backward(g, backward.padder.pad(x), w, [False, True, False])[1]

    return run
