"""Samples of probabilities and losses."""

from __future__ import annotations

from raygrad.proto.operators import loss
from raygrad.proto.tensor import DType
from tests.sampling import index, real, sample

LOSS = [
    sample(loss.LogSoftmax(1), real("N", 5)),
    sample(loss.LogSoftmax(0), real("T", "N", 2)),
    sample(loss.LogSoftmax(1), real("N", 3, 2, 2)),
    sample(loss.CrossEntropy(), real("N", 5), index(5, "N")),
    sample(loss.CrossEntropy(), real("N", "T", 4), index(4, "N", "T", dtype=DType.int32)),
    sample(loss.CrossEntropyGrad(), real("N"), real("N", 5), index(5, "N")),
    sample(loss.CrossEntropyGrad(), real("N", "T"), real("N", "T", 4), index(4, "N", "T", dtype=DType.uint8)),
]
