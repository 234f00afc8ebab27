"""Pooling in NumPy: one pass over the output for each element of a window."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from raygrad.proto.operators.pooling import AvgPool, AvgPoolGrad, MaxPool, MaxPoolGather, MaxPoolGrad

from ..base import Kernel, Site, kernel
from ..common.indices import checked
from ..common.precision import widened
from ..pooling import divisors, windows_of
from .backend import FAMILY
from .windows import pad, taps


@kernel(MaxPool, family=FAMILY)
def max_pool(op: MaxPool, site: Site) -> Kernel:
    windows, shape = windows_of(op, site.inputs[0]), site.outputs[0].static
    first = windows.first_places()

    def run(x: Any) -> Any:
        padded = pad(x, windows, -math.inf)
        best = np.full(shape, -math.inf, dtype=x.dtype)
        indices = np.empty(shape, dtype=np.int64)
        indices[...] = first
        for offsets, place in taps(windows):
            candidate = padded[place]
            wins = (candidate > best) | np.isnan(candidate)
            np.copyto(best, candidate, where=wins)
            np.copyto(indices, windows.places(offsets), where=wins)
        return best, indices

    return widened(run, site)


@kernel(MaxPoolGrad, family=FAMILY)
def max_pool_grad(op: MaxPoolGrad, site: Site) -> Kernel:
    target = site.output.static
    planes, size = math.prod(target[:2]), math.prod(target[2:])
    windows = math.prod(site.inputs[1].static[2:])
    check = checked(site, size)
    starts = np.arange(planes)[:, None] * size

    def run(g: Any, indices: Any) -> Any:
        flat = (check(indices).reshape(planes, windows) + starts).reshape(-1)
        summed = np.bincount(flat, weights=g.reshape(-1), minlength=planes * size)
        return summed.astype(g.dtype).reshape(target)

    return widened(run, site)


@kernel(MaxPoolGather, family=FAMILY, exact=True)
def max_pool_gather(op: MaxPoolGather, site: Site) -> Kernel:
    source, target = site.inputs[0].static, site.output.static
    check = checked(site, math.prod(source[2:]))

    def run(x: Any, indices: Any) -> Any:
        flat = check(indices).reshape(*target[:2], math.prod(target[2:]))
        planes = x.reshape(*source[:2], math.prod(source[2:]))
        return np.take_along_axis(planes, flat, axis=2).reshape(target)

    return run


@kernel(AvgPool, family=FAMILY)
def avg_pool(op: AvgPool, site: Site) -> Kernel:
    windows, shape = windows_of(op, site.inputs[0]), site.output.static
    counts = divisors(op, windows)

    def run(x: Any) -> Any:
        padded, total = pad(x, windows), np.zeros(shape, dtype=x.dtype)
        for _, place in taps(windows):
            total += padded[place]
        total /= counts
        return total

    return widened(run, site)


@kernel(AvgPoolGrad, family=FAMILY)
def avg_pool_grad(op: AvgPoolGrad, site: Site) -> Kernel:
    windows = windows_of(op, site.output)
    counts = divisors(op, windows)
    shape = (*site.output.static[:2], *windows.padded)

    def run(g: Any) -> Any:
        total, share = np.zeros(shape, dtype=g.dtype), g / counts.astype(g.dtype)
        for _, place in taps(windows):
            total[place] += share
        return total[windows.inside]

    return widened(run, site)
