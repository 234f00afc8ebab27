"""Matrix products in half precision, which NumPy computes without BLAS and rounds after every term."""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.operators.linear import MatMul, MatMulSum

from ..base import COMMON, Kernel, Site, find, kernel
from .backend import FAMILY


@kernel(MatMul, MatMulSum, family=FAMILY)
def product(op: MatMul | MatMulSum, site: Site) -> Kernel:
    run, dtype = find(op, COMMON)(op, site), site.output.dtype.numpy
    if dtype.itemsize >= 4:
        return run

    def widened(a: Any, b: Any) -> Any:
        return run(a.astype(np.float32), b.astype(np.float32)).astype(dtype)

    return widened
