"""Samples of pooling and its adjoints."""

from __future__ import annotations

import math
from typing import Any

from raygrad.proto.operators import pooling
from raygrad.proto.operators.window import Padding
from tests.sampling import distinct, index, real, sample

# stride, padding, kernel; x, y
POOLINGS: list[tuple[Any, Any, Any]] = [
    (((1,), ((1, 1),), (3,)), (2, 3), (2, 3)),
    (((2,), ((0, 1),), (2,)), (2, 5), (2, 3)),
    (((2, 2), ((0, 0), (0, 0)), (2, 2)), (3, 4, 6), (3, 2, 3)),
    (((2, 1), ((1, 1), (0, 1)), (3, 2)), (2, 5, 3), (2, 3, 3)),
    (((1, 2, 2), ((1, 1), (0, 0), (0, 0)), (2, 2, 1)), (2, 2, 4, 3), (2, 3, 2, 2)),
    (((2, 2, 1), ((0, 1), (0, 0), (0, 0)), (2, 2, 2)), (1, 3, 2, 3), (1, 2, 1, 2)),
]
DILATED: list[tuple[Any, Any, Any]] = [
    (((1, 1), ((1, 1), (1, 1)), (2, 2), (2, 3)), (2, 5, 6), (2, 5, 5)),
    (((2, 1), ((0, 2), (1, 2)), (2, 2), (2, 3)), (2, 5, 6), (2, 3, 6)),
]


def dilated(stride: tuple[int, ...], padding: Padding, kernel: tuple[int, ...]) -> tuple[Any, ...]:
    return stride, padding, kernel, (1,) * len(kernel)


MAX_POOLINGS = [*((dilated(*op), x, y) for op, x, y in POOLINGS), *DILATED]

POOLING = [
    sample(pooling.MaxPool((1, 1), ((1, 1), (1, 1)), (3, 3), (1, 1)), distinct("N", 2, "T", "T")),
    sample(pooling.AvgPool((1, 1), ((1, 1), (1, 1)), (3, 3), False), real("N", 2, "T", "T")),
    *(sample(pooling.MaxPool(*op), distinct("N", *x)) for op, x, _ in MAX_POOLINGS),
    *(
        sample(pooling.MaxPoolGrad(*(*op, x[1:])), real("N", *y), index(math.prod(x[1:]), "N", *y))
        for op, x, y in MAX_POOLINGS
    ),
    *(
        sample(pooling.MaxPoolGather(*op), real("N", *x), index(math.prod(x[1:]), "N", *y))
        for op, x, y in MAX_POOLINGS
    ),
    sample(
        pooling.MaxPoolGather((1, 1), ((1, 1), (1, 1)), (3, 3), (1, 1)),
        real("N", 2, "T", "T"),
        index(9, "N", 2, "T", "T"),
    ),
    *(sample(pooling.AvgPool(*(*op, pad)), real("N", *x)) for op, x, _ in POOLINGS for pad in (True, False)),
    *(
        sample(pooling.AvgPoolGrad(*(*op, pad, x[1:])), real("N", *y))
        for op, x, y in POOLINGS
        for pad in (True, False)
    ),
]
