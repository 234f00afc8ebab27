"""Pooling of values (N, channels, *spatial) with one to three spatial axes."""

from __future__ import annotations

from raygrad.proto.operators.pooling import AvgPool, MaxPool
from raygrad.proto.value import Value

from .node import node
from .windows import Padding, PerAxis, each, sides_of, spatial_rank


def max_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    dilation: PerAxis = 1,
) -> Value:
    """The largest element of each window of x (N, C, *spatial); windows do not overlap by default."""
    count = spatial_rank(x)
    sizes, spacing = each(kernel, count), each(dilation, count)
    steps = sizes if stride is None else each(stride, count)
    sides = sides_of(padding, sizes, steps, spacing)
    operator = MaxPool(kernel=sizes, stride=steps, padding=sides, dilation=spacing)
    return node(operator, x)


def avg_pool(
    x: Value,
    kernel: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = 0,
    count_include_pad: bool = True,
) -> Value:
    """The mean of each window of x (N, C, *spatial); windows do not overlap by default."""
    count = spatial_rank(x)
    sizes = each(kernel, count)
    steps = sizes if stride is None else each(stride, count)
    sides = sides_of(padding, sizes, steps, (1,) * count)
    operator = AvgPool(kernel=sizes, stride=steps, padding=sides, count_include_pad=count_include_pad)
    return node(operator, x)
