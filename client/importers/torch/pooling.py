"""ATen's pooling. Kernels, strides and paddings are one number for all spatial axes, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from ... import functions as f
from .registry import Call, aten
from .shapes import number
from .windows import Numbers, batched, spread


def _max_pool(count: int) -> None:
    @aten(f"max_pool{count}d_with_indices.default")
    def with_indices(
        call: Call,
        x: Value,
        kernel: Numbers,
        stride: Numbers = (),
        padding: Numbers = (0,),
        dilation: Numbers = (1,),
        ceil_mode: bool = False,
    ) -> tuple[Value, Value]:
        sizes, sides, spacing = (spread(n, count) for n in (kernel, padding, dilation))
        steps = spread(stride, count) if stride else sizes
        both = f.max_pool_with_indices
        return batched(x, count, lambda x: both(x, sizes, steps, sides, spacing, ceil_mode))

    @aten(f"max_pool{count}d.default")
    def largest(call: Call, *args: Any, **kwargs: Any) -> Value:
        return with_indices(call, *args, **kwargs)[0]


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
        steps = spread(stride, count) if stride else sizes
        options = (count_include_pad, ceil_mode, divisor_override)
        return batched(x, count, lambda x: f.avg_pool(x, sizes, steps, sides, *options))


def _adaptive(count: int) -> None:
    @aten(f"adaptive_avg_pool{count}d.default", f"_adaptive_avg_pool{count}d.default")
    def mean(call: Call, x: Value, size: object) -> Value:
        return batched(x, count, lambda x: f.adaptive_avg_pool(x, _numbers(call.shape[-count:])))

    @aten(f"adaptive_max_pool{count}d.default")
    def largest(call: Call, x: Value, size: object) -> tuple[Value, None]:
        return batched(x, count, lambda x: f.adaptive_max_pool(x, _numbers(call.shape[-count:]))), None


def _numbers(sizes: Sequence[Size]) -> tuple[int, ...]:
    return tuple(map(number, sizes))


for _count in (1, 2, 3):
    _max_pool(_count)
    _avg_pool(_count)
    _adaptive(_count)
