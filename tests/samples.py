"""Sample inputs of every operator of the catalogue, one per line. `test_operators` demands at least one each.

Sizes are named wherever the operator carries names: `N` is the batch, `T` a length.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from raygrad.proto.operators import elementwise as ew
from raygrad.proto.operators import indexing, linear, loss, normalization, pooling, reduction, shape, source
from raygrad.proto.operators.convolution import Conv, ConvInputGrad, ConvWeightGrad
from raygrad.proto.operators.window import Padding
from raygrad.proto.tensor import DType
from tests.sampling import Sample, boolean, distinct, index, integer, nonzero, positive, real, sample

SOURCES = [
    sample(source.Constant.of(np.array([[1.5, -0.0], [np.inf, 2.0]]))),
    sample(source.Constant.of(np.array(3, dtype=np.uint8))),
    sample(source.SizeOf(("N", 3), DType.float32)),
    sample(source.SizeOf((), DType.int64)),
]

ELEMENTWISE = [
    *(sample(op(), real("N", 5), real("N", 5)) for op in (ew.Add, ew.Sub, ew.Mul)),
    *(sample(op(), integer("N", 5), integer("N", 5)) for op in (ew.Add, ew.Sub, ew.Mul)),
    sample(ew.Div(), real("N", 5), nonzero("N", 5)),
    sample(ew.Pow(), positive("N", 5), real("N", 5)),
    sample(ew.Neg(), real("N", 5)),
    sample(ew.Abs(), nonzero("N", 5)),
    sample(ew.Abs(), integer("N", 5)),
    sample(ew.Sign(), nonzero("N", 5)),
    sample(ew.Sign(), integer("N", 5)),
    sample(ew.Exp(), real("N", 5)),
    sample(ew.Log(), positive("N", 5)),
    sample(ew.Sqrt(), positive("N", 5)),
    sample(ew.Sigmoid(), real("N", 5)),
    sample(ew.Tanh(), real("N", 5)),
    sample(ew.Softplus(), real("N", 5)),
    sample(ew.Relu(), nonzero("N", 5)),
    sample(ew.Relu(), nonzero("N", 2, 3, 3)),
    sample(ew.ReluGrad(), real("N", 5), nonzero("N", 5)),
    sample(ew.LeakyRelu(0.1), nonzero("N", 5)),
    sample(ew.LeakyReluGrad(0.1), real("N", 5), nonzero("N", 5)),
    *(sample(op(), distinct("N", 5), real("N", 5)) for op in (ew.Maximum, ew.Minimum)),
    *(sample(op(), integer("N", 5), integer("N", 5)) for op in (ew.Maximum, ew.Minimum)),
    sample(ew.Where(), boolean("N", 5), real("N", 5), real("N", 5)),
    sample(ew.Where(), boolean("N"), boolean("N"), boolean("N")),
    *(
        sample(op(), spec("N", 5), spec("N", 5))
        for op in (ew.Equal, ew.NotEqual, ew.Less, ew.LessEqual, ew.Greater, ew.GreaterEqual)
        for spec in (real, integer)
    ),
    sample(ew.Equal(), boolean("N"), boolean("N")),
    sample(ew.Not(), boolean("N", 5)),
]

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
]

SHAPE = [
    sample(shape.Cast(DType.float64), real("N", 5)),
    sample(shape.Cast(DType.float32), real("N", 5)),
    sample(shape.Cast(DType.bfloat16), real("N", 5)),
    sample(shape.Cast(DType.int32), real("N", 5)),
    sample(shape.Cast(DType.bool), integer("N", 5)),
    sample(shape.Cast(DType.float64), boolean("N", 5)),
    sample(shape.Broadcast(("T", "N", 5)), real("N", 1)),
    sample(shape.Broadcast((4, 3)), real()),
    sample(shape.Reshape(("N", 2, 3)), real("N", 6)),
    sample(shape.Reshape(("T", "N", 4)), real("N", 2, "T", 2)),
    sample(shape.Transpose((2, 0, 1)), real("N", "T", 4)),
    sample(shape.Transpose((0, 3, 1, 2)), real("N", 2, 3, 4)),
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
    sample(linear.MatMul(False, True), real("N", 2, "T", 4), real(3, 4)),
    sample(linear.MatMulSum(), real("N", "T", 4), real("N", "T", 2)),
    sample(linear.MatMulSum(), real("N", 2, 2, 3), real("N", 2, 2, 4)),
]

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
    *(sample(pooling.AvgPool(*(*op, pad)), real("N", *x)) for op, x, _ in POOLINGS for pad in (True, False)),
    *(
        sample(pooling.AvgPoolGrad(*(*op, pad, x[1:])), real("N", *y))
        for op, x, y in POOLINGS
        for pad in (True, False)
    ),
]

NORMALIZATION = [
    spec
    for x in (("N", 3), ("N", 3, "T"), ("N", 3, 2, 4), ("N", 2, 2, 1, 3))
    for spec in (
        sample(normalization.BatchNorm(1e-3), real(*x), real(x[1]), real(x[1])),
        sample(normalization.BatchNormGrad(1e-3), real(*x), real(*x), real(x[1]), real(x[1]), positive(x[1])),
        sample(
            normalization.BatchNormInference(1e-3),
            real(*x),
            real(x[1]),
            real(x[1]),
            real(x[1]),
            positive(x[1]),
        ),
    )
]

LOSS = [
    sample(loss.LogSoftmax(1), real("N", 5)),
    sample(loss.LogSoftmax(0), real("T", "N", 2)),
    sample(loss.LogSoftmax(1), real("N", 3, 2, 2)),
    sample(loss.CrossEntropy(), real("N", 5), index(5, "N")),
    sample(loss.CrossEntropy(), real("N", "T", 4), index(4, "N", "T", dtype=DType.int32)),
    sample(loss.CrossEntropyGrad(), real("N"), real("N", 5), index(5, "N")),
    sample(loss.CrossEntropyGrad(), real("N", "T"), real("N", "T", 4), index(4, "N", "T", dtype=DType.uint8)),
]

SAMPLES: list[Sample] = [
    *SOURCES,
    *ELEMENTWISE,
    *REDUCTION,
    *SHAPE,
    *LINEAR,
    *INDEXING,
    *CONVOLUTION,
    *POOLING,
    *NORMALIZATION,
    *LOSS,
]
