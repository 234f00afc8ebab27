"""Samples of resampling and its adjoint."""

from __future__ import annotations

from typing import Any

from raygrad.proto.operators.resampling import Resample, ResampleGrad
from tests.sampling import integer, real, sample

# size, kernel, and what differs from the defaults
RESAMPLINGS: list[tuple[int, str, dict[str, Any]]] = [
    (8, "nearest", {}),
    (3, "nearest", {"coordinates": "asymmetric", "rounding": "floor"}),
    (8, "linear", {}),
    (3, "linear", {"coordinates": "align_corners"}),
    (3, "linear", {"antialias": True, "exclude_outside": True}),
    (8, "linear", {"coordinates": "tf_crop_and_resize", "begin": -0.2, "end": 0.8, "zero_outside": True}),
    (8, "cubic", {}),
    (3, "cubic", {"coefficient": -0.5, "antialias": True, "exclude_outside": True}),
    (3, "area", {}),
]

RESAMPLING = [
    *(sample(Resample(1, size, kernel, **more), real("N", 5)) for size, kernel, more in RESAMPLINGS),
    *(sample(ResampleGrad(1, 5, kernel, **more), real("N", size)) for size, kernel, more in RESAMPLINGS),
    sample(Resample(2, "N", "linear"), real(2, "T", 4, 3)),
    sample(Resample(2, 4, "linear", "pytorch_half_pixel", 1.5), real(2, "T", "N", 3)),
    sample(Resample(1, 40, "area"), real("N", 3, 2)),
    sample(ResampleGrad(1, 40, "area"), real("N", 3, 2)),
    sample(Resample(0, 7, "nearest"), integer("T", 2)),
]
