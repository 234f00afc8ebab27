"""Samples of normalization."""

from __future__ import annotations

from raygrad.proto.operators import layer_norm, normalization
from tests.sampling import positive, real, sample

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

NORMALIZATION += [
    spec
    for x, axes in ((("N", 5), 1), (("N", "T", 4), 2), (("N", 2, 3, 4), 2), ((2, "N"), 1), ((3, 2), 2))
    for spec in (
        sample(layer_norm.LayerNorm(axes, 1e-3), real(*x), real(*x[-axes:]), real(*x[-axes:])),
        sample(layer_norm.LayerNorm(axes, 1e-3), real(*x)),
        sample(layer_norm.LayerNormGrad(axes, 1e-3), real(*x), real(*x), real(*x[-axes:])),
        sample(layer_norm.LayerNormGrad(axes, 1e-3), real(*x), real(*x)),
    )
]
