"""Samples of what is drawn at random; the key of a mini-batch is four words of 32 bits."""

from __future__ import annotations

from raygrad.proto.operators.random import Dropout
from tests.sampling import index, real, sample

KEY = index(2**32, 4)

RANDOM = [
    sample(Dropout(0, 0.5), real("N", 5), KEY),
    sample(Dropout(2**32 - 1, 0.1), real("N", 3, "T", 2), KEY),
    sample(Dropout(1, 1.0), real("N", 3), KEY),
    sample(Dropout(1, 0.0), real(3), KEY),
]
