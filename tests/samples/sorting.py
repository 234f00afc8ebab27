"""Samples of operators of order."""

from __future__ import annotations

from raygrad.proto.operators import sorting
from tests.sampling import distinct, integer, sample

SORTING = [
    *(
        sample(op(axis), spec("N", 4))
        for op in (sorting.ArgMax, sorting.ArgMin)
        for axis, spec in ((1, distinct), (0, integer))
    ),
    sample(sorting.TopK(1, 2), distinct("N", 5)),
    sample(sorting.TopK(0, "N", False), distinct("N", 3)),
    sample(sorting.TopK(1, 0), distinct("N", 3)),
    sample(sorting.TopK(1, 7), integer("N", 7)),
    sample(sorting.TopK(1, 6, False), integer("N", 7)),
]
