"""Rounding once: from exact sums to the dtype of a gradient, half to even.

Rounding to float64 and then to a narrower dtype rounds twice, and shows: a value just above the middle of
two float32 numbers may first fall onto the middle. Rounding *to odd* on the way (truncate, and set the last
bit if anything was cut off) keeps the knowledge that something was cut off, and the second rounding is then
right if at least two bits are dropped. Boldo and Melquiond, Emulation of FMA and Correctly Rounded Sums, IEEE
Transactions on Computers 57 (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import ml_dtypes
import numpy as np

from raygrad.proto.tensor import Array

from .expansion import FloatArray

_BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Format:
    """A binary floating-point format."""

    precision: int  # bits of a significand, the leading one included
    lowest_bit: int  # the exponent of the smallest subnormal

    @classmethod
    def of(cls, dtype: np.dtype[np.generic]) -> Format:
        """The format of a floating-point dtype, bfloat16 included."""
        return _FORMATS[dtype]


_FORMATS = {
    np.dtype(np.float64): Format(53, -1074),
    np.dtype(np.float32): Format(24, -149),
    np.dtype(np.float16): Format(11, -24),
    _BFLOAT16: Format(8, -133),
}


_EXACT_RANGE = (2.0**-900, 2.0**900)
"""Magnitudes that scaling by a power of two up to 2**64 keeps exact, whatever their significand."""


def divided_exactly(values: FloatArray, divisor: Fraction) -> FloatArray | None:
    """values / divisor if that needs no rounding: for powers of two, away from the ends of the range."""
    if divisor == 1:
        return values
    powers = {divisor.numerator.bit_count(), divisor.denominator.bit_count()}
    if divisor < 0 or powers != {1} or max(divisor.numerator, divisor.denominator) > 1 << 64:
        return None
    magnitudes = np.abs(values[values != 0.0])
    if magnitudes.size and not _EXACT_RANGE[0] < magnitudes.min() <= magnitudes.max() < _EXACT_RANGE[1]:
        return None
    return values * float(1 / divisor)


def round_pair(high: FloatArray, low: FloatArray | None, dtype: np.dtype[np.generic]) -> Array:
    """high + low, rounded once to `dtype`; a new array, in which an exact zero is +0."""
    if low is None:
        return _narrow(high + 0.0, dtype)
    total = high + low
    if dtype == np.float64:
        return total + 0.0
    # TwoSum's error once more, on whole arrays: this runs once a step, not once a mini-batch.
    came = total - high
    _make_odd(total, (high - (total - came)) + (low - came), np.int64)
    return _narrow(total + 0.0, dtype)


def _narrow(values: FloatArray, dtype: np.dtype[np.generic]) -> Array:
    """Float64 values, exact or rounded to odd, rounded half to even to `dtype`."""
    with np.errstate(over="ignore"):
        if dtype != _BFLOAT16:
            return values.astype(dtype)
        # ml_dtypes converts by way of float32, which would round twice.
        single = values.astype(np.float32)
        _make_odd(single, values - single, np.int32)
        return single.astype(dtype)


def _make_odd(rounded: Array, error: FloatArray, bits: type[np.signedinteger]) -> None:
    """Turn the nearest value into the one rounded to odd, in place; `error` is what the rounding lost.

    Neighbouring numbers of one sign have neighbouring bit patterns. Infinity is even, and the largest finite
    number odd, so an overflow needs no care.
    """
    pattern = rounded.view(bits)
    away = np.where(np.signbit(error) == (pattern < 0), 1, -1)
    np.add(pattern, np.where((error != 0.0) & (pattern % 2 == 0), away, 0), out=pattern, casting="unsafe")
