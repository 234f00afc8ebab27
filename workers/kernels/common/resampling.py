"""Resampling: a weighted sum of takes, or a product with a matrix of all weights where they are many."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.resampling import Resample, ResampleGrad, Resampling
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from ..resampling import Taps, taps
from .precision import widened

MANY = 8
"""From so many weights for each place on, a product is faster than as many passes …"""

MATRIX = 1 << 20
"""… unless its matrix, which has a weight for every pair of places, would have more elements than this."""


@kernel(Resample)
def resample(op: Resample, site: Site) -> Kernel:
    length, size = site.inputs[0].static[op.axis], site.output.static[op.axis]
    return _weighted(op, site, taps(op, length, size), length)


@kernel(ResampleGrad)
def resample_grad(op: ResampleGrad, site: Site) -> Kernel:
    size, length = site.inputs[0].static[op.axis], site.output.static[op.axis]
    return _weighted(op, site, taps(op, length, size).adjoint(length), size)


def _weighted(op: Resampling, site: Site, found: Taps, length: int) -> Kernel:
    if found.places.shape[1] == 1 and (found.weights == 1).all():
        xp, places = site.xp, site.constant(found.places[:, 0])
        return lambda x: xp.take(x, places, axis=op.axis)
    size, count = found.places.shape
    summed = _product if count > MANY and length * size <= MATRIX else _sum_of_takes
    return widened(summed(op, site, found, length), site)


def _sum_of_takes(op: Resampling, site: Site, found: Taps, length: int) -> Kernel:
    xp, along = site.xp, (-1, *[1] * (site.output.rank - op.axis - 1))
    terms = [
        (site.constant(np.ascontiguousarray(places)), _constant(site, weights.reshape(along)))
        for places, weights in zip(found.places.T, found.weights.T, strict=True)
    ]

    def run(x: Any) -> Any:
        (places, weights), *others = terms
        total = xp.take(x, places, axis=op.axis) * weights
        for places, weights in others:
            total += xp.take(x, places, axis=op.axis) * weights
        return total

    return run


def _product(op: Resampling, site: Site, found: Taps, length: int) -> Kernel:
    xp, matrix = site.xp, _constant(site, found.matrix(length).T)
    last = [axis for axis in range(site.output.rank) if axis != op.axis] + [op.axis]
    back = tuple(last.index(axis) for axis in range(site.output.rank))
    flat, shape = (-1, length), tuple(site.output.static[axis] for axis in last)

    def run(x: Any) -> Any:
        rows = xp.reshape(xp.permute_dims(x, tuple(last)), flat)
        return xp.permute_dims(xp.reshape(rows @ matrix, shape), back)

    return run


def _constant(site: Site, weights: np.ndarray[Any, Any]) -> Any:
    """The weights in the dtype that is computed in."""
    dtype = DType.float32 if site.output.dtype.is_half else site.output.dtype
    return site.constant(np.ascontiguousarray(weights, dtype=dtype.numpy))
