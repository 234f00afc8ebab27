"""Resizing. The page: https://onnx.ai/onnx/operators/onnx__Resize.html"""

from __future__ import annotations

import math
from collections.abc import Sequence

from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from ... import functions as f
from .call import Call
from .table import converts


@converts("Upsample", since=7, static=(1,))
def upsample(call: Call) -> Value:
    """https://onnx.ai/onnx/operators/onnx__Upsample.html"""
    scales = call.static(1).tolist() if call.has(1) else list(call.attribute("scales"))
    return _asymmetric(call, scales)


@converts("Resize", since=10, static=(1,))
def resize_asymmetric(call: Call) -> Value:
    """In opset 10 an output element lies at its place divided by the scale."""
    return _asymmetric(call, call.static(1).tolist())


def _asymmetric(call: Call, scales: Sequence[float]) -> Value:
    mode = call.attribute("mode", "nearest")
    return f.resize(call.value(0), scales=scales, mode=mode, coordinates="asymmetric", rounding="floor")


@converts("Resize", since=11, static=(1, 2, 3))
def resize(call: Call) -> Value:
    """Operands x, roi, scales, sizes; one of the last two is given."""
    x = call.value(0)
    axes = [x.type.axis(a) for a in call.attribute("axes", range(x.rank))]
    by_size = call.has(3) and call.static(3).size > 0
    sizes = _sizes(call, x, axes) if by_size else None
    scales = None if by_size else call.static(2).tolist()
    coordinates = call.attribute("coordinate_transformation_mode", "half_pixel")
    roi = call.static(1).tolist() if coordinates == "tf_crop_and_resize" else None
    return f.resize(
        x,
        sizes,
        scales,
        axes,
        call.attribute("mode", "nearest"),
        coordinates=coordinates,
        rounding=call.attribute("nearest_mode", "round_prefer_floor"),
        coefficient=call.attribute("cubic_coeff_a", -0.75),
        exclude_outside=bool(call.attribute("exclude_outside", 0)),
        antialias=bool(call.attribute("antialias", 0)),
        extrapolation=call.attribute("extrapolation_value", 0.0),
        crop=None if roi is None else list(zip(roi[: len(axes)], roi[len(axes) :], strict=True)),
    )


def _sizes(call: Call, x: Value, axes: Sequence[int]) -> Sequence[Size]:
    """The sizes wanted; a policy keeps the ratio of the sizes of x, and takes these as bounds."""
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return call.sizes(3)
    old = x.type.of_shape(x.shape[a] for a in axes).static
    ratios = [new / size for new, size in zip(call.ints(3), old, strict=True)]
    scale = min(ratios) if policy == "not_larger" else max(ratios)
    return [math.floor(scale * size + 0.5) for size in old]
