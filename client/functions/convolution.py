"""Convolution of values (N, channels, *spatial) with one to three spatial axes."""

from __future__ import annotations

from raygrad.proto.operators.convolution import Conv
from raygrad.proto.value import Value

from .node import node
from .windows import Padding, PerAxis, each, sides_of, spatial_rank


def conv(
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
) -> Value:
    """x (N, C, *spatial) convolved with weight (O, C/groups, *kernel), plus bias (O,): (N, O, *windows).

    `padding="same"` pads with zeros so that the spatial sizes stay; its stride must be 1.
    """
    count = spatial_rank(x)
    kernel = weight.type.of_shape(weight.shape[2:]).static
    steps, spacing = each(stride, count), each(dilation, count)
    sides = sides_of(padding, kernel, steps, spacing)
    operator = Conv(stride=steps, padding=sides, dilation=spacing, groups=groups)
    inputs = (x, weight) if bias is None else (x, weight, bias)
    return node(operator, *inputs)
