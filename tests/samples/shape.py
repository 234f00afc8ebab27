"""Samples of operators of shape."""

from __future__ import annotations

from raygrad.proto.operators import shape
from raygrad.proto.tensor import DType
from tests.sampling import boolean, integer, real, sample

SHAPE = [
    sample(shape.Cast(DType.float64), real("N", 5)),
    sample(shape.Cast(DType.float32), real("N", 5)),
    sample(shape.Cast(DType.bfloat16), real("N", 5)),
    sample(shape.Cast(DType.int32), real("N", 5)),
    sample(shape.Cast(DType.bool), integer("N", 5)),
    sample(shape.Cast(DType.float64), boolean("N", 5)),
    sample(shape.StopGradient(), real("N", 5)),
    sample(shape.Broadcast(("T", "N", 5)), real("N", 1)),
    sample(shape.Broadcast((4, 3)), real()),
    sample(shape.Reshape(("N", 2, 3)), real("N", 6)),
    sample(shape.Reshape(("T", "N", 4)), real("N", 2, "T", 2)),
    sample(shape.Transpose((2, 0, 1)), real("N", "T", 4)),
    sample(shape.Transpose((0, 3, 1, 2)), real("N", 2, 3, 4)),
    sample(shape.Flip((0, 2)), real("N", 3, "T")),
    sample(shape.Flip(()), boolean("N")),
    sample(shape.Roll(1, 2), real("N", "T")),
    sample(shape.Roll(0, -(2**62)), real("N", 2)),
    sample(shape.Slice((0, 1), ("N", 2), (1, 2)), real("N", 4)),
    sample(shape.Slice((0, 3), ("N", 2), (1, -2)), real("N", 5)),
    sample(shape.Slice((1, 2), (1, 3), (1, -1)), real("N", 3)),
    sample(shape.Slice((0, 0), ("N", 0), (1, 1)), real("N", 5)),
    sample(shape.SliceGrad(("N", 5), (0, 4), (1, -3)), real("N", 2)),
    sample(shape.SliceGrad(("N", 4), (0, 1), (1, 2)), real("N", 2)),
    sample(shape.Pad((0, 1), (0, 2)), real("N", 3)),
    sample(shape.Pad((0, 1, 0), (0, 0, 3), -7.0), integer("N", 2, 3)),
    sample(shape.Concatenate(1), real("N", 2), real("N", 3), real("N", 1)),
    sample(shape.Concatenate(0), real("N", 2)),
    sample(shape.Concatenate(1), real("N", 2, 3, 3), real("N", 1, 3, 3)),
    sample(shape.Split(1, (2, 3, 0)), real("N", 5)),
    sample(shape.Split(1, (5,)), real("N", 5)),
]
