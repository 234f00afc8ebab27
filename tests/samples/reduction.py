"""Samples of reductions."""

from __future__ import annotations

from raygrad.proto.operators import reduction
from tests.sampling import boolean, distinct, integer, real, sample

REDUCTION = [
    sample(reduction.Sum((0,)), real("N", 5)),
    sample(reduction.Sum((0, 2)), real("N", "T", 5)),
    sample(reduction.Sum((0, 2, 3)), real("N", 2, 3, 4)),
    sample(reduction.Sum(()), real("N", 5)),
    sample(reduction.Sum((1,)), integer("N", 5)),
    *(sample(op((1,)), distinct("N", 5)) for op in (reduction.Max, reduction.Min)),
    *(sample(op((0, 2)), distinct("N", "T", 4)) for op in (reduction.Max, reduction.Min)),
    *(sample(op(()), distinct("N", 3)) for op in (reduction.Max, reduction.Min)),
    *(sample(op((0,)), integer("N", 5)) for op in (reduction.Max, reduction.Min)),
    *(sample(reduction.Prod(axes), real("N", "T", 2)) for axes in ((), (1,), (0, 2))),
    sample(reduction.Prod((1,)), integer("N", 5)),
    *(sample(reduction.LogSumExp(axes), real("N", 2, "T")) for axes in ((), (1,), (0, 2))),
    *(
        sample(op(axes), boolean("N", 2))
        for op in (reduction.AllTrue, reduction.AnyTrue)
        for axes in ((), (0,), (0, 1))
    ),
]
