"""ATen's pooling. Kernels, strides and paddings are one number for all spatial axes, or one for each."""

from __future__ import annotations

from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten
from .windows import Numbers, batched, ceil_sides, spread


def _max_pool(count: int) -> None:
    @aten(f"max_pool{count}d.default")
    def translation(
        call: Call,
        x: Value,
        kernel: Numbers,
        stride: Numbers = (),
        padding: Numbers = (0,),
        dilation: Numbers = (1,),
        ceil_mode: bool = False,
    ) -> Value:
        sizes, sides, spacing = (spread(n, count) for n in (kernel, padding, dilation))
        steps = spread(stride, count) or sizes
        both = tuple((s, s) for s in sides)
        if ceil_mode:
            both = ceil_sides(x.shape[-count:], sizes, steps, sides, spacing)
        return batched(x, count, lambda x: f.max_pool(x, sizes, steps, both, spacing))


def _avg_pool(count: int) -> None:
    @aten(f"avg_pool{count}d.default")
    def translation(
        call: Call,
        x: Value,
        kernel: Numbers,
        stride: Numbers = (),
        padding: Numbers = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        sizes, sides = spread(kernel, count), spread(padding, count)
        steps = spread(stride, count) or sizes
        return batched(x, count, lambda x: f.avg_pool(x, sizes, steps, sides, count_include_pad))


for _count in (1, 2, 3):
    _max_pool(_count)
    _avg_pool(_count)
