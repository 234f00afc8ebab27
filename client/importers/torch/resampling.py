"""ATen's resizing of spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

from raygrad.proto.value import Value

from ... import functions as f
from ...functions.resizing import Interpolation
from .registry import Call, aten


def _resized(
    x: Value,
    size: Sequence[int] | None,
    scales: Sequence[float] | None,
    mode: Interpolation,
    corners: bool = False,
    smooth: bool = False,
) -> Value:
    """Torch gives a size or scales; it takes scales as they are, not as the sizes come out."""
    if scales is not None:
        return f.interpolate(x, None, [float(s) for s in scales], mode, corners, smooth)
    return f.interpolate(x, size, None, mode, corners, smooth)


def _nearest(overload: str, mode: Interpolation) -> None:
    @aten(f"{overload}.vec")
    def translation(
        call: Call, x: Value, size: Sequence[int] | None, scales: Sequence[float] | None
    ) -> Value:
        return _resized(x, size, scales, mode)


def _interpolated(overload: str, mode: Interpolation, smooth: bool = False) -> None:
    @aten(f"{overload}.vec")
    def translation(
        call: Call, x: Value, size: Sequence[int] | None, corners: bool, scales: Sequence[float] | None
    ) -> Value:
        return _resized(x, size, scales, mode, corners, smooth)


for _count in (1, 2, 3):
    _nearest(f"upsample_nearest{_count}d", "nearest")
    _nearest(f"_upsample_nearest_exact{_count}d", "nearest-exact")
_interpolated("upsample_linear1d", "linear")
_interpolated("upsample_bilinear2d", "bilinear")
_interpolated("upsample_trilinear3d", "trilinear")
_interpolated("upsample_bicubic2d", "bicubic")
_interpolated("_upsample_bilinear2d_aa", "bilinear", smooth=True)
_interpolated("_upsample_bicubic2d_aa", "bicubic", smooth=True)
