"""An exact reference for sums: Python's fractions, rounded once, with nothing of NumPy's or ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

# Significant bits, exponent of the smallest number, exponent of the first power of two beyond the range.
FORMATS = {
    np.dtype(np.float64): (53, -1074, 1024),
    np.dtype(np.float32): (24, -149, 128),
    np.dtype(np.float16): (11, -24, 16),
    np.dtype(ml_dtypes.bfloat16): (8, -133, 128),
}


def rounded(value: Fraction, dtype: np.dtype[np.generic]) -> float:
    """`value` rounded half to even to `dtype`, whose numbers are all numbers of float64."""
    bits, lowest, limit = FORMATS[dtype]
    if value == 0:
        return 0.0
    sign, value = (-1.0, -value) if value < 0 else (1.0, value)
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - bits + 1, lowest)
    nearest = round(value / unit) * unit  # Fraction rounds half to even
    return sign * (math.inf if nearest >= Fraction(2) ** limit else float(nearest))


def reference(terms: Iterable[tuple[float, float]], dtype: np.dtype[np.generic]) -> float:
    """Σ weight · x over (x, weight) pairs, rounded once."""
    return rounded(sum((Fraction(x) * Fraction(w) for x, w in terms), Fraction(0)), dtype)


def assert_exact(result: Array, rows: Sequence[Array], weights: Sequence[float] | None = None) -> None:
    weights = weights or [1.0] * len(rows)
    columns = zip(*(row.astype(np.float64).ravel().tolist() for row in rows), strict=True)
    expected = [reference(zip(column, weights, strict=True), result.dtype) for column in columns]
    assert same_bits(result.ravel(), np.array(expected).astype(result.dtype))


def same_bits(a: Array, b: Array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
