"""Samples of sources."""

from __future__ import annotations

import numpy as np

from raygrad.proto.operators import source
from raygrad.proto.tensor import DType
from tests.sampling import sample

SOURCES = [
    sample(source.Constant.of(np.array([[1.5, -0.0], [np.inf, 2.0]]))),
    sample(source.Constant.of(np.array(3, dtype=np.uint8))),
    sample(source.SizeOf(("N", 3), DType.float32)),
    sample(source.SizeOf((), DType.int64)),
    sample(source.Iota("N", DType.int64)),
    sample(source.Iota(3, DType.bfloat16)),
]
