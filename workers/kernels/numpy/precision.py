"""Half precision: NumPy computes it without BLAS and rounds after every term, so float32 takes its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from raygrad.proto.tensor import DType

from ..base import Kernel, Site

Numbers = npt.NDArray[Any]
"""An array whose dtype is numeric."""

_HALF = (DType.float16, DType.bfloat16)


def widened(run: Kernel, site: Site) -> Kernel:
    """`run` on float32 in place of half-precision operands, its results rounded once to their types."""
    if not any(t.dtype in _HALF for t in site.outputs):
        return run
    halves = [t.dtype in _HALF for t in site.inputs]
    dtypes = [t.dtype.numpy for t in site.outputs]

    def wide(*operands: Any) -> Any:
        results = run(*(x.astype(np.float32) if h else x for x, h in zip(operands, halves, strict=True)))
        if not isinstance(results, tuple):
            return results.astype(dtypes[0])
        return tuple(r.astype(d) for r, d in zip(results, dtypes, strict=True))

    return wide
