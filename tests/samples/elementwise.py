"""Samples of elementwise operators."""

from __future__ import annotations

from raygrad.proto.operators import division, exponential, logic, rounding, special, trigonometry
from raygrad.proto.operators import elementwise as ew
from tests.sampling import (
    above_one,
    boolean,
    distinct,
    index,
    integer,
    natural,
    nonzero,
    positive,
    real,
    sample,
    share,
    unit,
)

ELEMENTWISE = [
    *(sample(op(), real("N", 5), real("N", 5)) for op in (ew.Add, ew.Sub, ew.Mul)),
    *(sample(op(), integer("N", 5), integer("N", 5)) for op in (ew.Add, ew.Sub, ew.Mul)),
    sample(ew.Div(), real("N", 5), nonzero("N", 5)),
    sample(ew.Pow(), positive("N", 5), real("N", 5)),
    sample(ew.Pow(), integer("N", 5), index(4, "N", 5)),
    sample(ew.Neg(), real("N", 5)),
    sample(ew.Abs(), nonzero("N", 5)),
    sample(ew.Abs(), integer("N", 5)),
    sample(ew.Sign(), nonzero("N", 5)),
    sample(ew.Sign(), integer("N", 5)),
    sample(ew.Sgn(), nonzero("N", 5)),
    sample(ew.Sgn(), integer("N", 5)),
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
    sample(ew.Not(), integer("N", 5)),
    *(sample(op(), real("N", 5)) for op in (rounding.Floor, rounding.Ceil, rounding.Trunc, rounding.Round)),
    *(sample(op(), positive("N", 5)) for op in (exponential.Log1p, exponential.Log2, exponential.Log10)),
    *(sample(op(), real("N", 5)) for op in (exponential.Exp2, exponential.Expm1)),
    sample(exponential.LogAddExp(), real("N", 5), real("N", 5)),
    *(
        sample(op(), real("N", 5))
        for op in (
            trigonometry.Sin,
            trigonometry.Cos,
            trigonometry.Atan,
            trigonometry.Sinh,
            trigonometry.Cosh,
            trigonometry.Asinh,
        )
    ),
    *(
        sample(op(), unit("N", 5))
        for op in (trigonometry.Tan, trigonometry.Asin, trigonometry.Acos, trigonometry.Atanh)
    ),
    *(sample(op(), real("N", 5)) for op in (trigonometry.Atan, trigonometry.Asinh)),
    sample(trigonometry.Acosh(), above_one("N", 5)),
    sample(trigonometry.Atan2(), nonzero("N", 5), nonzero("N", 5)),
    *(sample(op(), real("N", 5)) for op in (special.Erf, special.Erfc)),
    *(sample(op(), nonzero("N", 5), positive("N", 5)) for op in (special.XLogY, special.XLog1pY)),
    sample(special.Entropy(), positive("N", 5)),
    sample(special.BinaryCrossEntropy(), share("N", 5), real("N", 5)),
    *(
        sample(op(), spec("N", 5), divisor)
        for op in (division.FloorDiv, division.Remainder, division.Fmod)
        for spec, divisor in ((real, positive("N", 5)), (integer, natural("N", 5)))
    ),
    *(
        sample(op(), spec("N", 5), spec("N", 5))
        for op in (logic.And, logic.Or, logic.Xor)
        for spec in (boolean, integer)
    ),
    *(sample(op(), integer("N", 5), index(70, "N", 5)) for op in (logic.ShiftLeft, logic.ShiftRight)),
]
