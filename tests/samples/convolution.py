"""Samples of convolution and its adjoints."""

from __future__ import annotations

from typing import Any

from raygrad.proto.operators.convolution import Conv, ConvInputGrad, ConvWeightGrad
from tests.sampling import real, sample

# stride, padding (before, after), dilation, groups; x, w, y
CONVOLUTIONS: list[tuple[Any, Any, Any, Any]] = [
    (((1,), ((1, 1),), (1,), 1), (2, "T"), (3, 2, 3), (3, "T")),
    (((2,), ((0, 1),), (2,), 2), (4, 8), (2, 2, 3), (2, 3)),
    (((1, 1), ((2, 2), (1, 1)), (2, 1), 1), (3, "T", "T"), (4, 3, 3, 3), (4, "T", "T")),
    (((1, 1), ((0, 0), (0, 0)), (1, 1), 1), (1, 5, 6), (4, 1, 3, 3), (4, 3, 4)),
    (((2, 1), ((1, 0), (0, 2)), (1, 2), 2), (4, 5, 4), (6, 2, 3, 2), (6, 2, 4)),
    (((2, 2), ((1, 1), (1, 1)), (1, 1), 3), (3, 5, 5), (3, 1, 3, 3), (3, 3, 3)),
    (((1, 2, 1), ((1, 1), (1, 1), (0, 0)), (1, 1, 1), 1), (2, 3, 4, 3), (3, 2, 3, 2, 2), (3, 3, 3, 2)),
    (((1, 1, 2), ((0, 1), (1, 0), (0, 0)), (1, 2, 1), 2), (2, 2, 4, 3), (2, 1, 2, 2, 1), (2, 2, 3, 2)),
]

CONVOLUTION = [
    *(sample(Conv(*op), real("N", *x), real(*w)) for op, x, w, _ in CONVOLUTIONS),
    *(sample(Conv(*op), real("N", *x), real(*w), real(w[0])) for op, x, w, _ in CONVOLUTIONS[::3]),
    *(sample(ConvInputGrad(*(*op, x[1:])), real("N", *y), real(*w)) for op, x, w, y in CONVOLUTIONS),
    *(sample(ConvWeightGrad(*(*op, w[2:])), real("N", *x), real("N", *y)) for op, x, w, y in CONVOLUTIONS),
]
