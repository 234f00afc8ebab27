"""Half precision computed as float32: libraries differ in what they take, and in how often they round."""

from __future__ import annotations

from typing import Any

from raygrad.proto.tensor import DType

from ..base import Kernel, Site
from .movement import namespace_dtype


def widened(run: Kernel, site: Site) -> Kernel:
    """`run` on float32 in place of half-precision operands, its results rounded once to their types."""
    if not any(t.dtype.is_half for t in site.outputs):
        return run
    xp, float32 = site.xp, namespace_dtype(site, DType.float32)
    halves = [t.dtype.is_half for t in site.inputs]
    dtypes = [namespace_dtype(site, t.dtype) for t in site.outputs]

    def wide(*operands: Any) -> Any:
        results = run(*(xp.astype(x, float32) if h else x for x, h in zip(operands, halves, strict=True)))
        if not isinstance(results, tuple):
            return xp.astype(results, dtypes[0])
        return tuple(xp.astype(r, d) for r, d in zip(results, dtypes, strict=True))

    return wide
