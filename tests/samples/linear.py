"""Samples of products."""

from __future__ import annotations

from raygrad.proto.operators import linear
from tests.sampling import integer, real, sample

LINEAR = [
    *(
        sample(linear.MatMul(ta, tb), real(4, "N") if ta else real("N", 4), real(3, 4) if tb else real(4, 3))
        for ta in (False, True)
        for tb in (False, True)
    ),
    *(
        sample(
            linear.MatMul(ta, tb),
            real("N", 5, "T") if ta else real("N", "T", 5),
            real("N", 2, 5) if tb else real("N", 5, 2),
        )
        for ta in (False, True)
        for tb in (False, True)
    ),
    sample(linear.MatMul(), real("N", "T", 4), real(4, 3)),
    sample(linear.MatMul(), integer("N", 4), integer(4, 3)),
    sample(linear.MatMul(False, True), real("N", 2, "T", 4), real(3, 4)),
    sample(linear.MatMulSum(), real("N", "T", 4), real("N", "T", 2)),
    sample(linear.MatMulSum(), real("N", 2, 2, 3), real("N", 2, 2, 4)),
    sample(linear.MatMulSum(), real("N", 2, 0), real("N", 2, 4)),
]
