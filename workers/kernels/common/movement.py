"""Kernels that move elements: cast, broadcast, reshape, transpose, slice, pad, concatenate, split.

They are exact: moving an element, or rounding it to another dtype, does not depend on where it lay.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from raygrad.proto.operators import shape
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel


def namespace_dtype(site: Site, dtype: DType) -> Any:
    """The backend's dtype object (NumPy's namespace has no bfloat16: that one comes from ml_dtypes)."""
    return getattr(site.xp, dtype.value, dtype.numpy)


@kernel(shape.Cast, exact=True)
def cast(op: shape.Cast, site: Site) -> Kernel:
    xp, dtype = site.xp, namespace_dtype(site, op.dtype)
    return lambda x: xp.astype(x, dtype)


@kernel(shape.StopGradient, exact=True)
def stop_gradient(op: shape.StopGradient, site: Site) -> Kernel:
    return lambda x: x


@kernel(shape.Broadcast, exact=True)
def broadcast(op: shape.Broadcast, site: Site) -> Kernel:
    xp, target = site.xp, site.output.static
    return lambda x: xp.broadcast_to(x, target)


@kernel(shape.Reshape, exact=True)
def reshape(op: shape.Reshape, site: Site) -> Kernel:
    xp, target = site.xp, site.output.static
    return lambda x: xp.reshape(x, target)


@kernel(shape.Transpose, exact=True)
def transpose(op: shape.Transpose, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.permute_dims(x, op.axes)


@kernel(shape.Flip, exact=True)
def flip(op: shape.Flip, site: Site) -> Kernel:
    xp = site.xp
    return (lambda x: xp.flip(x, axis=op.axes)) if op.axes else (lambda x: x)


@kernel(shape.Roll, exact=True)
def roll(op: shape.Roll, site: Site) -> Kernel:
    xp, size = site.xp, site.inputs[0].static[op.axis]
    places = op.shift % max(size, 1)
    return lambda x: xp.roll(x, places, axis=op.axis)


@kernel(shape.Slice, exact=True)
def slice_(op: shape.Slice, site: Site) -> Kernel:
    xp, places, reversed_ = site.xp, *_forward(op.start, site.output.static, op.step)
    return (lambda x: xp.flip(x[places], axis=reversed_)) if reversed_ else (lambda x: x[places])


@kernel(shape.SliceGrad, exact=True)
def slice_grad(op: shape.SliceGrad, site: Site) -> Kernel:
    xp, places, reversed_ = site.xp, *_forward(op.start, site.inputs[0].static, op.step)
    target = site.output.static

    def run(g: Any) -> Any:
        result = xp.zeros(target, dtype=g.dtype, device=device(g))
        result[places] = xp.flip(g, axis=reversed_) if reversed_ else g
        return result

    return run


def _forward(
    start: tuple[int, ...], count: tuple[int, ...], step: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """The places as slices with positive steps, and the axes to reverse: not every library steps back."""
    axes = list(zip(start, count, step, strict=True))
    places = tuple(_ascending(*axis) for axis in axes)
    return places, tuple(i for i, (_, n, k) in enumerate(axes) if k < 0 and n > 1)


def _ascending(start: int, count: int, step: int) -> slice:
    if not count:
        return slice(0, 0)
    low, high = sorted((start, start + (count - 1) * step))
    return slice(low, high + 1, abs(step))


@kernel(shape.Pad, exact=True)
def pad(op: shape.Pad, site: Site) -> Kernel:
    xp, target = site.xp, site.output.static
    inner = tuple(slice(b, b + n) for b, n in zip(op.before, site.inputs[0].static, strict=True))

    def run(x: Any) -> Any:
        result = xp.full(target, op.value, dtype=x.dtype, device=device(x))
        result[inner] = x
        return result

    return run


@kernel(shape.Concatenate, exact=True)
def concatenate(op: shape.Concatenate, site: Site) -> Kernel:
    xp = site.xp
    return lambda *xs: xp.concat(xs, axis=op.axis)


@kernel(shape.Split, exact=True)
def split(op: shape.Split, site: Site) -> Kernel:
    pieces, begin = [], 0
    for size in op.sizes:
        pieces.append((*[slice(None)] * op.axis, slice(begin, begin + size)))
        begin += size
    if len(pieces) == 1:
        return lambda x: x[pieces[0]]
    return lambda x: tuple(x[piece] for piece in pieces)
