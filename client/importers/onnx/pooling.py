"""Pooling. Each function names the page of its operator."""

from __future__ import annotations

import math
from typing import Any

from raygrad.proto.tensor import DType
from raygrad.proto.value import Value

from ... import functions as f
from ...functions.creation import places as places_along
from .call import Call
from .table import Result, converts
from .windows import per_axis, sides


def _windows(call: Call, x: Value) -> dict[str, Any]:
    """The windows of a node as the arguments of a function of `raygrad.functions`."""
    count, kernel = x.rank - 2, call.attribute("kernel_shape")
    return {
        "kernel": kernel,
        "stride": per_axis(call, "strides", count),
        "padding": sides(call, x, kernel),
        "dilation": per_axis(call, "dilations", count),
        "ceil_mode": bool(call.attribute("ceil_mode", 0)),
    }


@converts("MaxPool")
def max_pool(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__MaxPool.html"""
    x = call.value(0)
    y, places = f.max_pool_with_indices(x, **_windows(call, x))
    if len(call.node.outputs) == 1:
        return y
    return y, _in_tensor(call, x, places)


def _in_tensor(call: Call, x: Value, places: Value) -> Value:
    """Places in a plane as places in the whole tensor, columns first if the node says so."""
    if call.attribute("storage_order", 0):
        if x.rank != 4:
            raise call.unsupported("storage_order 1 beyond two spatial axes")
        rows, columns = x.type.of_shape(x.shape[2:]).static
        places = places % columns * rows + f.floor_divide(places, columns)
    plane = x.builder.size_of(x.shape[2:], DType.int64)
    first = places_along(x.builder, x.shape[0]).reshape((x.shape[0], *(1,) * (x.rank - 1)))
    channel = places_along(x.builder, x.shape[1]).reshape((1, x.shape[1], *(1,) * (x.rank - 2)))
    return (first * x.builder.size_of((x.shape[1],), DType.int64) + channel) * plane + places


@converts("MaxUnpool", static=(2,))
def max_unpool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__MaxUnpool.html; a larger `output_shape` adds zeros at the ends."""
    x, places = call.value(0), call.value(1)
    count, kernel = x.rank - 2, call.attribute("kernel_shape")
    spatial = x.type.of_shape(x.shape[2:]).static
    windows = zip(spatial, kernel, per_axis(call, "strides", count), sides(call, x, kernel), strict=True)
    sizes = tuple((size - 1) * stride + k - sum(pads) for size, k, stride, pads in windows)
    y: Value = f.max_unpool(x, places % math.prod(sizes), kernel, sizes=sizes)
    if not call.has(2):
        return y
    wanted = call.ints(2)[2:]
    return f.pad(y, [(0, 0), (0, 0), *((0, w - s) for w, s in zip(wanted, sizes, strict=True))])


@converts("AveragePool")
def average_pool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__AveragePool.html"""
    x = call.value(0)
    counted = bool(call.attribute("count_include_pad", 0))
    return f.avg_pool(x, count_include_pad=counted, **_windows(call, x))


@converts("LpPool")
def lp_pool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__LpPool.html"""
    x = call.value(0)
    return f.lp_pool(x, float(call.attribute("p", 2)), **_windows(call, x))


@converts("GlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GlobalAveragePool.html"""
    return f.global_avg_pool(call.value(0))


@converts("GlobalMaxPool")
def global_max_pool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GlobalMaxPool.html"""
    return f.global_max_pool(call.value(0))


@converts("GlobalLpPool")
def global_lp_pool(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__GlobalLpPool.html"""
    return f.global_lp_pool(call.value(0), float(call.attribute("p", 2)))


@converts("Col2Im", static=(1, 2))
def col2im(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Col2Im.html"""
    image, block = call.ints(1), call.ints(2)
    count = len(image)
    pads = call.attribute("pads", (0,) * (2 * count))
    around = list(zip(pads[:count], pads[count:], strict=True))
    padded = [size + sum(pair) for size, pair in zip(image, around, strict=True)]
    columns, steps = call.value(0), per_axis(call, "strides", count)
    y = f.fold(columns, padded, block, stride=steps, dilation=per_axis(call, "dilations", count))
    return y[(..., *(slice(b, b + size) for size, (b, _) in zip(image, around, strict=True)))]
