"""Reductions over axes."""

from __future__ import annotations

from raygrad.proto.operators import reduction
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from .movement import namespace_dtype

_ACCUMULATING: dict[type[reduction.Reduction], str] = {reduction.Sum: "sum", reduction.Prod: "prod"}


@kernel(*_ACCUMULATING)
def accumulate(op: reduction.Reduction, site: Site) -> Kernel:
    found, dtype = getattr(site.xp, _ACCUMULATING[type(op)]), site.output.dtype
    if dtype.is_half:
        # In half precision a sum stands still at 2048 (float16) or 256 (bfloat16) terms of its size.
        narrow, wide, xp = namespace_dtype(site, dtype), namespace_dtype(site, DType.float32), site.xp
        return lambda x: xp.astype(found(x, axis=op.axes, dtype=wide), narrow)
    return lambda x: found(x, axis=op.axes, dtype=x.dtype)


@kernel(reduction.AllTrue, exact=True)
def all_(op: reduction.AllTrue, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.all(x, axis=op.axes)


@kernel(reduction.AnyTrue, exact=True)
def any_(op: reduction.AnyTrue, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.any(x, axis=op.axes)


@kernel(reduction.Max)
def max_(op: reduction.Max, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.max(x, axis=op.axes)


@kernel(reduction.Min)
def min_(op: reduction.Min, site: Site) -> Kernel:
    xp = site.xp
    return lambda x: xp.min(x, axis=op.axes)
