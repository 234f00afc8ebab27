"""Samples of writing at indices."""

from __future__ import annotations

from raygrad.proto.operators import scatter
from tests.sampling import digit, distinct, index, integer, real, sample

SCATTER = [
    sample(scatter.Scatter(1), real("N", 4), index(4, "N", 6), real("N", 6)),
    sample(scatter.Scatter(0), integer(4, "T"), index(4, 2, "T"), integer(2, "T")),
    sample(scatter.ScatterReduce(1, "mul"), digit("N", 4), index(4, "N", 6), digit("N", 6)),
    sample(scatter.ScatterReduce(0, "max"), distinct(4, "N"), index(4, 3, "N"), real(3, "N")),
    sample(scatter.ScatterReduce(1, "min"), distinct("N", 4), index(4, "N", 6), real("N", 6)),
    sample(scatter.ScatterReduce(1, "max"), integer("N", 4), index(4, "N", 6), integer("N", 6)),
]
