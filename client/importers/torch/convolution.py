"""ATen's convolutions."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten
from .windows import Numbers, batched, spread


@aten(
    "conv1d.default", "conv2d.default", "conv3d.default", "conv1d.padding", "conv2d.padding", "conv3d.padding"
)
def conv(
    call: Call,
    x: Value,
    weight: Value,
    bias: Value | None = None,
    stride: Numbers = (1,),
    padding: Numbers | str = (0,),
    dilation: Numbers = (1,),
    groups: int = 1,
) -> Value:
    count = weight.rank - 2
    sides = padding if isinstance(padding, str) else spread(padding, count)
    return batched(
        x,
        count,
        lambda x: f.conv(x, weight, bias, spread(stride, count), sides, spread(dilation, count), groups),
    )
