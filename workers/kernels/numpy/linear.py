"""Matrix products, in float32 where the dtype is half precision."""

from __future__ import annotations

from raygrad.proto.operators.linear import MatMul, MatMulSum

from ..base import COMMON, Kernel, Site, find, kernel
from ..common.precision import widened
from .backend import FAMILY


@kernel(MatMul, MatMulSum, family=FAMILY)
def product(op: MatMul | MatMulSum, site: Site) -> Kernel:
    return widened(find(op, COMMON)(op, site), site)
