"""Convolution, pooling, padding and resizing: what runs over spatial axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from raygrad.client import functions as f
from raygrad.proto.value import Value

from .common import Adapter

PerAxis = Any


def batched(x: Value, spatial: int, call: Callable[[Value], Any]) -> Any:
    """PyTorch takes one example without its axis as well."""
    if x.rank == spatial + 2:
        return call(x)
    found = call(x[None])
    return tuple(y[0] for y in found) if isinstance(found, tuple) else found[0]


def per_axis(number: PerAxis, spatial: int) -> tuple[Any, ...]:
    """PyTorch takes a number, one number in a list, or as many as there are axes."""
    numbers = [number] if number is None or isinstance(number, int) else list(number)
    return tuple(numbers * spatial if len(numbers) == 1 else numbers)


def stride_of(stride: PerAxis, spatial: int) -> PerAxis:
    return None if stride is None or stride in ([], ()) else per_axis(stride, spatial)


def conv(spatial: int) -> Adapter:
    def call(
        x: Value,
        weight: Value,
        bias: Value | None = None,
        stride: PerAxis = 1,
        padding: Any = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
    ) -> Value:
        sides = padding if isinstance(padding, str) else per_axis(padding, spatial)
        steps, spacing = per_axis(stride, spatial), per_axis(dilation, spatial)
        return batched(x, spatial, lambda x: f.conv(x, weight, bias, steps, sides, spacing, groups))

    return call


def conv_transpose(spatial: int) -> Adapter:
    def call(
        x: Value,
        weight: Value,
        bias: Value | None = None,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        output_padding: PerAxis = 0,
        groups: int = 1,
        dilation: PerAxis = 1,
    ) -> Value:
        numbers = [per_axis(n, spatial) for n in (stride, padding, output_padding)]
        spacing = per_axis(dilation, spatial)
        return batched(x, spatial, lambda x: f.conv_transpose(x, weight, bias, *numbers, groups, spacing))

    return call


def max_pool(spatial: int) -> Adapter:
    def call(
        x: Value,
        kernel_size: PerAxis,
        stride: PerAxis = None,
        padding: PerAxis = 0,
        dilation: PerAxis = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        pool = f.max_pool_with_indices if return_indices else f.max_pool
        kernel, sides, spacing = (per_axis(n, spatial) for n in (kernel_size, padding, dilation))
        steps = stride_of(stride, spatial)
        return batched(x, spatial, lambda x: pool(x, kernel, steps, sides, spacing, ceil_mode))

    return call


def avg_pool(spatial: int) -> Adapter:
    def call(
        x: Value,
        kernel_size: PerAxis,
        stride: PerAxis = None,
        padding: PerAxis = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Value:
        kernel, sides = per_axis(kernel_size, spatial), per_axis(padding, spatial)
        steps = stride_of(stride, spatial)
        return batched(
            x,
            spatial,
            lambda x: f.avg_pool(x, kernel, steps, sides, count_include_pad, ceil_mode, divisor_override),
        )

    return call


def target(x: Value, size: PerAxis, spatial: int) -> tuple[Any, ...]:
    """`None` keeps an axis' size."""
    wanted = per_axis(size, spatial)
    return tuple(n if n is not None else x.shape[i - spatial] for i, n in enumerate(wanted))


def adaptive_avg_pool(spatial: int) -> Adapter:
    def call(x: Value, output_size: PerAxis) -> Value:
        size = target(x, output_size, spatial)
        return batched(x, spatial, lambda x: f.adaptive_avg_pool(x, size))

    return call


def adaptive_max_pool(spatial: int) -> Adapter:
    def call(x: Value, output_size: PerAxis, return_indices: bool = False) -> Any:
        size = target(x, output_size, spatial)
        pool = f.adaptive_max_pool_with_indices if return_indices else f.adaptive_max_pool
        return batched(x, spatial, lambda x: pool(x, size))

    return call


def max_unpool(spatial: int) -> Adapter:
    def call(
        x: Value,
        indices: Value,
        kernel_size: PerAxis,
        stride: PerAxis = None,
        padding: PerAxis = 0,
        output_size: Sequence[int] | None = None,
    ) -> Value:
        kernel, sides = per_axis(kernel_size, spatial), per_axis(padding, spatial)
        steps = stride_of(stride, spatial)
        size = None if output_size is None else tuple(output_size[-spatial:])
        one = x.rank == spatial + 1
        found = f.max_unpool(
            x[None] if one else x, indices[None] if one else indices, kernel, steps, sides, size
        )
        return found[0] if one else found

    return call


def pad(x: Value, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Value:
    """PyTorch gives the last axis first."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    return f.pad(x, [(0, 0)] * (x.rank - len(pairs)) + pairs, value or 0.0, mode)


def interpolate(
    x: Value,
    size: PerAxis = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    """PyTorch recomputes the scale from the rounded size on request: then only the size counts."""
    if recompute_scale_factor and scale_factor is not None:
        size, scale_factor = f.interpolate(x, None, scale_factor, mode).shape[2:], None
    return f.interpolate(x, size, scale_factor, mode, bool(align_corners), antialias)


def upsample_bilinear(x: Value, size: PerAxis = None, scale_factor: Any = None) -> Value:
    return f.interpolate(x, size, scale_factor, "bilinear", align_corners=True)


def upsample_nearest(x: Value, size: PerAxis = None, scale_factor: Any = None) -> Value:
    return f.interpolate(x, size, scale_factor, "nearest")


def unfold(
    x: Value, kernel_size: PerAxis, dilation: PerAxis = 1, padding: PerAxis = 0, stride: PerAxis = 1
) -> Value:
    kernel, spacing, sides, steps = (per_axis(n, 2) for n in (kernel_size, dilation, padding, stride))
    return batched(x, 2, lambda x: f.unfold(x, kernel, steps, sides, spacing))


def _per_rank(name: str, make: Callable[[int], Adapter]) -> dict[str, Adapter]:
    return {f"nn.functional.{name}{spatial}d": make(spatial) for spatial in (1, 2, 3)}


ADAPTERS: dict[str, Adapter] = {
    **_per_rank("conv", conv),
    **_per_rank("conv_transpose", conv_transpose),
    **_per_rank("max_pool", max_pool),
    **_per_rank("avg_pool", avg_pool),
    **_per_rank("adaptive_avg_pool", adaptive_avg_pool),
    **_per_rank("adaptive_max_pool", adaptive_max_pool),
    **_per_rank("max_unpool", max_unpool),
    **{f"{name}/grad": call for name, call in _per_rank("max_unpool", max_unpool).items()},
    **{
        f"nn.functional.pad/{mode}": pad
        for mode in ("constant", "reflect", "replicate", "replicate_negative", "circular")
    },
    **{
        f"nn.functional.interpolate/{mode}": interpolate
        for mode in ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear", "area")
    },
    "nn.functional.upsample_bilinear": upsample_bilinear,
    "nn.functional.upsample_nearest": upsample_nearest,
    "constant_pad_nd": lambda x, pad_, value=0.0: pad(x, pad_, "constant", value),
    "nn.functional.unfold": unfold,
}
