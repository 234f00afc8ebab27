"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

from raygrad.proto.operators.linear import MatMul, MatMulSum

from ..base import Kernel, Site, kernel


@kernel(MatMul)
def matmul(op: MatMul, site: Site) -> Kernel:
    def run(a: Any, b: Any) -> Any:
        return (a.mT if op.transpose_a else a) @ (b.mT if op.transpose_b else b)

    return run


@kernel(MatMulSum)
def matmul_sum(op: MatMulSum, site: Site) -> Kernel:
    xp = site.xp
    rows, columns = site.output.static
    terms = math.prod(site.inputs[0].static[:-1])
    return lambda a, b: xp.reshape(a, (terms, rows)).mT @ xp.reshape(b, (terms, columns))
