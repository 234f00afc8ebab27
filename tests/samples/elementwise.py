"""Samples of elementwise operators."""

from __future__ import annotations

from raygrad.proto.operators import elementwise as ew
from tests.sampling import boolean, distinct, integer, nonzero, positive, real, sample

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
