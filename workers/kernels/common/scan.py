"""Scans: cumulative sums and products, and linear recurrences, the elements in the order of their axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import device

from raygrad.proto.operators.scan import CumProd, CumSum, Recurrence, Scan
from raygrad.proto.tensor import DType

from ..base import Kernel, Site, kernel
from .movement import namespace_dtype
from .precision import widened


@kernel(CumSum)
def cumsum(op: CumSum, site: Site) -> Kernel:
    return scan(op, site, site.xp.cumulative_sum, 0)


@kernel(CumProd)
def cumprod(op: CumProd, site: Site) -> Kernel:
    return scan(op, site, site.xp.cumulative_prod, 1)


def scan(op: Scan, site: Site, cumulate: Callable[..., Any], neutral: int) -> Kernel:
    """A scan by `cumulate(x, axis, dtype)`, which goes forward and includes each place."""
    xp, axis = site.xp, op.axis
    dtype = site.output.dtype
    narrow = namespace_dtype(site, dtype)
    wide = namespace_dtype(site, DType.float32) if dtype.is_half else narrow
    first, all_but_last = (_along(axis, slice(0, 1)), _along(axis, slice(0, -1)))

    def run(x: Any) -> Any:
        forward = xp.flip(x, axis=axis) if op.reverse else x
        found = cumulate(forward, axis=axis, dtype=wide)
        if op.exclusive:
            edge = xp.full_like(found[first], neutral)
            found = xp.concat([edge, found[all_but_last]], axis=axis)
        found = xp.flip(found, axis=axis) if op.reverse else found
        return xp.astype(found, narrow, copy=False)

    return run


@kernel(Recurrence)
def recurrence(op: Recurrence, site: Site) -> Kernel:
    xp, shape = site.xp, site.output.static
    order = range(shape[op.axis])[:: -1 if op.reverse else 1]
    places = [_along(op.axis, i) for i in order]

    def run(a: Any, b: Any) -> Any:
        result = xp.empty(shape, dtype=b.dtype, device=device(b))
        before: Any = None
        for place in places:
            before = b[place] if before is None else a[place] * before + b[place]
            result[place] = before
        return result

    return widened(run, site)


def _along(axis: int, item: Any) -> tuple[Any, ...]:
    """The index that takes `item` of one axis, and the others whole."""
    return (*[slice(None)] * axis, item)
