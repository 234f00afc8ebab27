"""Resizing: spatial axes with more or fewer places, interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from raygrad.proto.errors import ConfigurationError, SizeError, TypeMismatchError
from raygrad.proto.operators.resampling import Resample
from raygrad.proto.tensor import Size
from raygrad.proto.value import Value

from .counts import whole
from .creation import ones
from .node import node

Interpolation = Literal[
    "nearest", "nearest-exact", "linear", "bilinear", "trilinear", "cubic", "bicubic", "area"
]

_KEPT: dict[str, tuple[int, ...]] = {
    "linear": (1,),
    "bilinear": (1,),
    "trilinear": (1,),
    "nearest": (1, 2),
}
"""Where PyTorch takes the sizes instead of the factor: an axis that comes out as long, or twice as long.

Of "nearest", in two dimensions only; of all that is antialiased, where it comes out as long.
"""

_KERNELS = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic", "nearest-exact": "nearest"}


def interpolate(
    x: Value,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: Interpolation = "nearest",
    align_corners: bool = False,
    antialias: bool = False,
) -> Value:
    """x (N, C, *spatial) with spatial axes of `size`, or `scale_factor` times as large, as in PyTorch.

    "linear" and "cubic" go along each axis; "area" is the mean of what a place covers. With `align_corners`
    the centres of the corners stay where they are; else the corners do. `antialias` widens the kernel
    where an axis shrinks.
    """
    axes = range(2, x.rank)
    if (size is None) == (scale_factor is None):
        raise ConfigurationError("interpolate takes a size or a scale_factor")
    kernel = _KERNELS.get(mode, mode)
    options: dict[str, Any] = {"kernel": kernel, "antialias": antialias, "exclude_outside": antialias}
    if kernel == "nearest":
        exact = mode == "nearest-exact"
        options["coordinates"] = "half_pixel" if exact else "asymmetric"
        options["rounding"] = "round_prefer_ceil" if exact else "floor"
    elif kernel in ("linear", "cubic"):
        options["coordinates"] = "align_corners" if align_corners else "half_pixel"
        options["coefficient"] = -0.5 if antialias else -0.75
    elif kernel != "area":
        raise ConfigurationError(f"interpolate knows no mode {mode!r}")
    if size is not None:
        return _resampled(x, axes, _each(size, axes), [0.0] * len(axes), options)
    scales = [float(s) for s in _each(scale_factor, axes)]
    sizes = [_scaled(x, axis, scale) for axis, scale in zip(axes, scales, strict=True)]
    if align_corners:
        return _resampled(x, axes, sizes, [0.0] * len(axes), options)
    multiples = (1,) if antialias else _KEPT.get(mode, ())
    if mode == "nearest" and x.rank != 4:
        multiples = ()
    by_size = [size in [x.shape[axis] * m for m in multiples] for axis, size in zip(axes, sizes, strict=True)]
    factors = [0.0 if taken else scale for taken, scale in zip(by_size, scales, strict=True)]
    return _resampled(x, axes, sizes, factors, options)


def resize(
    x: Value,
    sizes: Sequence[Size] | None = None,
    scales: Sequence[float] | None = None,
    axes: Sequence[int] | None = None,
    mode: Literal["nearest", "linear", "cubic"] = "nearest",
    *,
    coordinates: str = "half_pixel",
    rounding: str = "round_prefer_floor",
    coefficient: float = -0.75,
    exclude_outside: bool = False,
    antialias: bool = False,
    extrapolation: float = 0.0,
    crop: Sequence[tuple[float, float]] | None = None,
) -> Value:
    """x with `sizes` along `axes` (all by default), or `scales` times as large, as in ONNX's Resize.

    `crop` gives (begin, end) of each axis, with x from 0 to 1, for the coordinates "tf_crop_and_resize",
    which put `extrapolation` where a place lies outside of x.
    """
    chosen = range(x.rank) if axes is None else [x.type.axis(axis) for axis in axes]
    if (sizes is None) == (scales is None):
        raise ConfigurationError("resize takes sizes or scales")
    factors = [0.0] * len(chosen) if scales is None else [float(s) for s in _each(list(scales), chosen)]
    wanted = [_scaled(x, *pair) for pair in zip(chosen, factors, strict=True)] if sizes is None else sizes
    options: dict[str, Any] = {
        "kernel": mode,
        "coordinates": coordinates,
        "rounding": rounding,
        "coefficient": coefficient,
        "exclude_outside": exclude_outside,
        "antialias": antialias,
    }
    if coordinates != "tf_crop_and_resize":
        return _resampled(x, chosen, wanted, factors, options)
    options["zero_outside"] = True
    ends = [(0.0, 1.0)] * len(chosen) if crop is None else crop
    y = _resampled(x, chosen, wanted, factors, options, ends)
    if not extrapolation:
        return y
    inside = ones(x.builder, [size if axis in chosen else 1 for axis, size in enumerate(x.shape)], x.dtype)
    return y + extrapolation * (1.0 - _resampled(inside, chosen, wanted, factors, options, ends))


def _resampled(
    x: Value,
    axes: Sequence[int],
    sizes: Sequence[Size],
    scales: Sequence[float],
    options: dict[str, Any],
    crop: Sequence[tuple[float, float]] | None = None,
) -> Value:
    """x resampled along one axis after the other; those along which it would stay are left out."""
    ends = [(0.0, 1.0)] * len(axes) if crop is None else crop
    if not len(axes) == len(sizes) == len(scales) == len(ends):
        raise TypeMismatchError(f"resizing {len(axes)} axes of {x.type} takes as many numbers, got {sizes}")
    for axis, size, scale, (begin, end) in zip(axes, sizes, scales, ends, strict=True):
        if size != x.shape[axis] or scale not in (0.0, 1.0) or (begin, end) != (0.0, 1.0):
            x = node(Resample(axis, size, scale=scale, begin=begin, end=end, **options), x)
    return x


def _each(number: Any, axes: Sequence[int]) -> Sequence[Any]:
    numbers = [number] * len(axes) if isinstance(number, (int, float)) else list(number)
    if len(numbers) != len(axes):
        raise TypeMismatchError(f"resizing {len(axes)} axes takes as many numbers, or one, got {number}")
    return numbers


def _scaled(x: Value, axis: int, scale: float) -> Size:
    size = x.shape[axis]
    if scale == 1.0:
        return size
    if isinstance(size, str):
        raise SizeError(f"a size {scale} times {size!r} cannot be expressed: give a number for {size!r}")
    return whole(size * scale, f"{scale} times {size}")
