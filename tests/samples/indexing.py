"""Samples of gathering, taking and their adjoints."""

from __future__ import annotations

from raygrad.proto.operators import indexing
from raygrad.proto.tensor import DType
from tests.sampling import index, real, sample

INDEXING = [
    sample(indexing.Gather(1), real("N", 4), index(4, "N", 6)),
    sample(indexing.Gather(0), real(4, "T"), index(4, 6, "T", dtype=DType.int32)),
    sample(indexing.GatherGrad(1, 4), real("N", 6), index(4, "N", 6)),
    sample(indexing.GatherGrad(0, "T"), real("N", 2), index(3, "N", 2)),
    sample(indexing.Take(0), real(4, 3), index(4, "N", "T")),
    sample(indexing.Take(1), real("N", 4), index(4, 5, dtype=DType.uint8)),
    sample(indexing.TakeGrad(0, 4), real("N", "T", 3), index(4, "N", "T")),
    sample(indexing.TakeGrad(1, "T"), real(2, "N"), index(3, "N")),
]
